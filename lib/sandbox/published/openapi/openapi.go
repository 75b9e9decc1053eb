// Package openapi holds calls and answers against a vendor's OpenAPI description, more
// strictly than OpenAPI itself: what is not declared is a fault.
//
// Where a part of a value is wrong, JSON Schema takes all that stands beside it for
// undeclared too ("false schema"). What is wrong is said in the innermost line.
package openapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Formats are the checks of the formats of strings that are a vendor's own, by name.
type Formats map[string]func(string) error

// Description is what a vendor's API is described to take and to answer. It may be
// used from several goroutines.
type Description struct {
	router  routers.Router
	options openapi3filter.Options

	mu      sync.Mutex
	schemas *jsonschema.Compiler
}

// New takes up the decoded text of a description, of OpenAPI 3.0 or 3.1. It changes it:
// see tighten and nullable.
func New(tree map[string]any, own Formats) (*Description, error) {
	tighten(tree)
	tree["openapi"] = "3.1.0"
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	router, err := legacy.NewRouter(doc, openapi3.DisableExamplesValidation(), openapi3.DisableSchemaDefaultsValidation())
	if err != nil {
		return nil, fmt.Errorf("finding its paths: %w", err)
	}
	d := &Description{router: router, schemas: jsonschema.NewCompiler()}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	// Formats in parameters are up to the router's library, which knows no addresses.
	formats := map[string]openapi3.StringFormatValidator{
		"email": openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail),
	}
	for name, check := range own {
		formats[name] = openapi3.NewCallbackValidator(check)
		d.schemas.RegisterFormat(&jsonschema.Format{Name: name, Validate: ofStrings(check)})
	}
	d.options = openapi3filter.Options{
		ExcludeRequestBody:      true,
		ExcludeResponseBody:     true,
		SkipSettingDefaults:     true,
		MultiError:              true,
		AuthenticationFunc:      authenticated,
		SchemaValidationOptions: []openapi3.SchemaValidationOption{openapi3.WithStringFormatValidators(formats)},
	}
	if err := d.schemas.AddResource(location, tree); err != nil {
		return nil, fmt.Errorf("finding its schemas: %w", err)
	}
	return d, nil
}

// location is where the schemas find each other.
const location = "openapi:description"

func ofStrings(check func(string) error) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); ok {
			return check(s)
		}
		return nil
	}
}

// authenticated asks of a token only that it is there.
func authenticated(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	scheme := in.SecurityScheme
	if scheme.In == openapi3.ParameterInHeader && in.RequestValidationInput.Request.Header.Get(scheme.Name) == "" {
		return fmt.Errorf("the header %s is missing", scheme.Name)
	}
	return nil
}

// Request checks a call, which is addressed as the description says.
func (d *Description) Request(req *http.Request, body []byte) error {
	in, err := d.input(req)
	if err != nil {
		return err
	}
	declared := slices.Concat(in.Route.PathItem.Parameters, in.Route.Operation.Parameters)
	faults := []error{openapi3filter.ValidateRequest(req.Context(), in)}
	for pair := range strings.SplitSeq(req.URL.RawQuery, "&") {
		faults = append(faults, query(req.Context(), *in, declared, pair))
	}
	names := plain()
	for _, p := range declared {
		if p.Value.In == openapi3.ParameterInHeader {
			names = append(names, p.Value.Name)
		}
	}
	faults = append(faults, headers(req.Header, names))
	takes := in.Route.Operation.RequestBody
	switch {
	case takes == nil && len(body) > 0:
		faults = append(faults, errors.New("no body is declared"))
	case takes != nil && (takes.Value.Required || len(body) > 0):
		at := cmp.Or(takes.Ref, place(in.Route)+"/requestBody")
		faults = append(faults, d.body(at, takes.Value.Content, req.Header, body))
	}
	return errors.Join(faults...)
}

// Answer checks the answer to a call.
func (d *Description) Answer(req *http.Request, resp *http.Response, body []byte) error {
	in, err := d.input(req)
	if err != nil {
		return err
	}
	declared := in.Route.Operation.Responses
	status := strconv.Itoa(resp.StatusCode)
	for _, wider := range []string{status[:1] + "XX", "default"} {
		if declared.Value(status) == nil {
			status = wider
		}
	}
	answer := declared.Value(status)
	if answer == nil {
		return fmt.Errorf("the answer %d is not declared", resp.StatusCode)
	}
	faults := []error{
		openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: &d.options,
		}),
		headers(resp.Header, slices.AppendSeq(plain(), maps.Keys(answer.Value.Headers))),
	}
	if len(answer.Value.Content) > 0 || len(body) > 0 {
		at := cmp.Or(answer.Ref, place(in.Route)+"/responses/"+status)
		faults = append(faults, d.body(at, answer.Value.Content, resp.Header, body))
	}
	return errors.Join(faults...)
}

func (d *Description) input(req *http.Request) (*openapi3filter.RequestValidationInput, error) {
	route, values, err := d.router.FindRoute(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s is not described: %w", req.Method, req.URL.Path, err)
	}
	return &openapi3filter.RequestValidationInput{Request: req, PathParams: values, Route: route, Options: &d.options}, nil
}

// query checks one part of a query by itself: where one value is declared, the library
// looks at no more than the first.
func query(ctx context.Context, in openapi3filter.RequestValidationInput, declared openapi3.Parameters, pair string) error {
	values, err := url.ParseQuery(pair)
	if err != nil {
		return fmt.Errorf("the query %s: %w", pair, err)
	}
	for name := range values {
		p := declared.GetByInAndName(openapi3.ParameterInQuery, name)
		if p == nil {
			return fmt.Errorf("the query parameter %s is not declared", name)
		}
		if _, value, _ := strings.Cut(pair, "="); !p.AllowReserved && strings.ContainsAny(value, ":/?#[]@!$'()*,;=") {
			return fmt.Errorf("the query parameter %s has reserved characters that are not escaped", name)
		}
		in.QueryParams = values
		return openapi3filter.ValidateParameter(ctx, &in, p)
	}
	return nil
}

// body checks a body by the schema that is declared for its kind of content. The
// router's library could do that too, but it compiles the schema anew for each body,
// follows only some references, and where it cannot compile a schema it makes do with
// checks that know nothing of undeclared members.
func (d *Description) body(at string, declared openapi3.Content, header http.Header, body []byte) error {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || declared[kind] == nil {
		return fmt.Errorf("no body of the kind %q is declared", header.Get("Content-Type"))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("decoding the body: %w", err)
	}
	d.mu.Lock()
	schema, err := d.schemas.Compile(location + at + "/content/" + escaped(kind) + "/schema")
	d.mu.Unlock()
	if err != nil {
		return fmt.Errorf("reading the schema of a body: %w", err)
	}
	return schema.Validate(value)
}

// place is where an operation stands in the description.
func place(route *routers.Route) string {
	return "#/paths/" + escaped(route.Path) + "/" + strings.ToLower(route.Method)
}

// escaped is a step of a JSON pointer in a URL.
func escaped(step string) string {
	return url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
}

// headers checks that there are only those of some names.
func headers(given http.Header, names []string) error {
	for name := range given {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			return fmt.Errorf("the header %s is not declared", name)
		}
	}
	return nil
}

// plain are the names of the headers of HTTP itself, which nobody declares.
func plain() []string {
	return []string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "Date", "User-Agent"}
}
