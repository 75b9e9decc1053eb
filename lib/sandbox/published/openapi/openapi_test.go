package openapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"teleport-plugins/lib/sandbox/published/openapi"
)

// description has each way in which the vendors' descriptions put schemas together, in
// the words of OpenAPI 3.0.
const description = `{
	"openapi": "3.0.2", "info": {"title": "t", "version": "1"}, "servers": [{"url": "https://example.com/v1"}],
	"security": [{"key": []}],
	"paths": {
		"/things": {"get": {
			"parameters": [
				{"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 5}},
				{"in": "query", "name": "kind[]", "explode": true, "schema": {"type": "string", "enum": ["a", "b"]}}
			],
			"responses": {"200": {"$ref": "#/components/responses/Things"}, "4XX": {"description": "d"}}
		}},
		"/things/{id}": {"put": {
			"parameters": [
				{"in": "path", "name": "id", "required": true, "schema": {"type": "string", "format": "even"}},
				{"in": "header", "name": "From", "required": true, "schema": {"type": "string", "format": "email"}}
			],
			"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
			"responses": {"204": {"description": "d"}}
		}}
	},
	"components": {
		"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "Authorization"}},
		"responses": {"Things": {
			"description": "d",
			"headers": {"X-Rate": {"schema": {"type": "integer"}}},
			"content": {"application/json": {"schema": {
				"type": "object", "properties": {"things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}
			}}}
		}},
		"schemas": {
			"Named": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 3}}},
			"Thing": {"allOf": [{"$ref": "#/components/schemas/Named"}, {"type": "object", "properties": {
				"number": {"type": "string", "format": "even"},
				"at": {"type": "string", "format": "date-time", "nullable": true},
				"kind": {"type": "string", "nullable": true, "enum": ["a"]},
				"parent": {"$ref": "#/components/schemas/Named"},
				"either": {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Named"}]},
				"anything": {"type": "object"},
				"texts": {"type": "object", "additionalProperties": {"type": "string"}},
				"schema": {"type": "object", "properties": {"example": {"type": "integer"}}}
			}}]}
		}
	}
}`

func described(t *testing.T) *openapi.Description {
	t.Helper()
	var tree map[string]any
	if err := json.Unmarshal([]byte(description), &tree); err != nil {
		t.Fatal(err)
	}
	d, err := openapi.New(tree, openapi.Formats{"even": func(s string) error {
		if len(s)%2 != 0 {
			return errors.New("odd")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func call(t *testing.T, verb, path string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), verb, "https://example.com/v1"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "x")
	req.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	return req
}

func expect(t *testing.T, what string, err error, fault string) {
	t.Helper()
	if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
		t.Errorf("%s: found %v, not %q", what, err, fault)
	}
}

func TestValues(t *testing.T) {
	d := described(t)
	for body, fault := range map[string]string{
		`{"name":"x"}`:                                 "",
		`{"name":"x","more":1}`:                        "/more",
		`{"name":"x","parent":{"name":"y"}}`:           "",
		`{"name":"x","parent":{"name":"y","more":1}}`:  "/parent/more",
		`{"name":"x","either":"y"}`:                    "",
		`{"name":"x","either":{"name":"y"}}`:           "",
		`{"name":"x","either":{"name":"y","more":1}}`:  "/either/more",
		`{"name":"x","anything":{"a":{"b":1}}}`:        "",
		`{"name":"x","texts":{"a":"b"}}`:               "",
		`{"name":"x","texts":{"a":1}}`:                 "/texts/a",
		`{"name":"x","schema":{"example":1}}`:          "",
		`{"name":"x","schema":{"example":1,"more":1}}`: "/schema/more",
		`{"name":"x","at":null,"kind":null}`:           "",
		`{"name":"x","at":"2026-01-02T03:04:05Z"}`:     "",
		`{"name":"x","at":"2026-13-02T03:04:05Z"}`:     "/at",
		`{"name":"x","kind":"b"}`:                      "/kind",
		`{"name":"x","number":"odd"}`:                  "/number",
		`{"name":null}`:                                "/name",
		`{"name":"xxxx"}`:                              "/name",
		`{}`:                                           "name",
		`null`:                                         "want object",
		`{"name":"x"`:                                  "decoding",
		``:                                             "decoding",
	} {
		expect(t, body, d.Request(call(t, "PUT", "/things/id", "From: a@example.com"), []byte(body)), fault)
	}
}

func TestCalls(t *testing.T) {
	d := described(t)
	for name, tc := range map[string]struct {
		req         *http.Request
		body, fault string
	}{
		"as it should be":    {call(t, "GET", "/things?limit=5&kind%5B%5D=a&kind%5B%5D=b"), "", ""},
		"a wrong limit":      {call(t, "GET", "/things?limit=6"), "", "limit"},
		"a second limit":     {call(t, "GET", "/things?limit=5&limit=6"), "", "limit"},
		"a second kind":      {call(t, "GET", "/things?kind%5B%5D=a&kind%5B%5D=c"), "", "kind"},
		"an unknown query":   {call(t, "GET", "/things?limits=5"), "", "limits is not declared"},
		"not escaped":        {call(t, "GET", "/things?kind[]=a:"), "", "reserved"},
		"no query":           {call(t, "GET", "/things?%zz"), "", "%zz"},
		"an unknown header":  {call(t, "GET", "/things", "X-Rate: 1"), "", "X-Rate is not declared"},
		"no token":           {call(t, "GET", "/things", "Authorization: "), "", "Authorization is missing"},
		"a body":             {call(t, "GET", "/things"), "{}", "no body"},
		"another kind":       {call(t, "PUT", "/things/id", "From: a@example.com", "Content-Type: text/plain"), `{"name":"x"}`, "text/plain"},
		"no From":            {call(t, "PUT", "/things/id"), `{"name":"x"}`, "From"},
		"a wrong From":       {call(t, "PUT", "/things/id", "From: a"), `{"name":"x"}`, "From"},
		"a wrong place":      {call(t, "PUT", "/things/odd", "From: a@example.com"), `{"name":"x"}`, "odd"},
		"an unknown path":    {call(t, "GET", "/thing"), "", "not described"},
		"an unknown verb":    {call(t, "POST", "/things"), "", "not described"},
		"an unknown address": {call(t, "GET", "/../things"), "", "not described"},
	} {
		expect(t, name, d.Request(tc.req, []byte(tc.body)), tc.fault)
	}
}

func TestAnswers(t *testing.T) {
	d := described(t)
	for name, tc := range map[string]struct {
		status              int
		header, body, fault string
	}{
		"as it should be":      {200, "1", `{"things":[{"name":"x"}]}`, ""},
		"an undeclared member": {200, "1", `{"things":[{"name":"x","more":1}]}`, "/things/0/more"},
		"a wrong type":         {200, "1", `{"things":{}}`, "/things"},
		"a wrong header":       {200, "x", `{"things":[]}`, "X-Rate"},
		"no body":              {200, "1", ``, "decoding"},
		"a class of answers":   {404, "", ``, ""},
		"a body too many":      {404, "", `{}`, "no body of the kind"},
		"a header too many":    {404, "1", ``, "not declared"},
		"an unknown status":    {500, "", ``, "500 is not declared"},
	} {
		resp := &http.Response{StatusCode: tc.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: http.NoBody}
		if tc.header != "" {
			resp.Header.Set("x-rate", tc.header)
		}
		expect(t, name, d.Answer(call(t, "GET", "/things"), resp, []byte(tc.body)), tc.fault)
	}
}

func TestADescriptionThatIsNone(t *testing.T) {
	if _, err := openapi.New(map[string]any{"paths": 1}, nil); err == nil {
		t.Error("it was taken up")
	}
}
