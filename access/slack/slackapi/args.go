package slackapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"teleport-plugins/lib/sandbox/apiserver"
)

// Args are the arguments of one call. A string argument is kept as it is, any
// other value of a JSON body is kept as its JSON text; a JSON null is left out.
type Args map[string]string

// text is all arguments in one text, in the order of their names.
func (a Args) text() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a)) {
		b.WriteString(name + "=" + a[name] + "\n")
	}
	return b.String()
}

// decoded is what the body and query of a request held.
type decoded struct {
	args Args
	// form and json hold the arguments as they were sent, without the token;
	// one of them is nil.
	form url.Values
	json json.RawMessage
	// bodyToken is the token given as an argument.
	bodyToken string
	// err is what is wrong with the request's form.
	err error
	// warning is what Slack adds to the answer about the request's form.
	warning string
}

// decode reads the arguments of a call. Slack takes them from the query, from a
// form and from a JSON object; a JSON body is only looked at by methods that
// accept one, and elsewhere the arguments in it count as not given.
func decode(c *apiserver.Call, jsonAllowed bool) decoded {
	form, err := url.ParseQuery(c.R.URL.RawQuery)
	if err != nil || c.TooLarge {
		return decoded{err: failure("invalid_form_data")}
	}
	// A token in the query is refused for newer apps; it counts as not given.
	form.Del("token")
	if c.R.Method != http.MethodPost {
		return fromForm(form)
	}
	d, err := decodeBody(c.R.Header.Get("Content-Type"), c.Body, form, jsonAllowed)
	d.err = err
	return d
}

// decodeBody adds the arguments in body to those of the query.
func decodeBody(contentType string, body []byte, form url.Values, jsonAllowed bool) (decoded, error) {
	if contentType == "" && len(body) == 0 {
		return fromForm(form), nil
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if contentType == "" || err != nil {
		return decoded{}, failure("missing_post_type")
	}
	switch kind {
	case "application/x-www-form-urlencoded":
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return decoded{}, failure("invalid_form_data")
		}
		for k, v := range posted {
			form[k] = v
		}
		return fromForm(form), nil
	case "application/json":
		return decodeJSON(body, params["charset"], jsonAllowed)
	default:
		return decoded{}, failure("invalid_post_type")
	}
}

func fromForm(form url.Values) decoded {
	d := decoded{args: make(Args, len(form)), bodyToken: form.Get("token"), form: form}
	form.Del("token")
	for k, v := range form {
		if len(v) > 0 {
			d.args[k] = v[0]
		}
	}
	return d
}

func decodeJSON(body []byte, charset string, allowed bool) (decoded, error) {
	d := decoded{args: Args{}, json: json.RawMessage(body)}
	if charset == "" {
		d.warning = "missing_charset"
	}
	if len(body) == 0 {
		return d, nil // as slack-go asks for a connection of Socket Mode
	}
	var fields map[string]json.RawMessage
	err := json.Unmarshal(body, &fields)
	if _, ok := fields["token"]; ok {
		// With a JSON body only the header's token counts.
		delete(fields, "token")
		d.json, _ = json.Marshal(fields)
	}
	if !allowed {
		return d, nil
	}
	if err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return decoded{}, failure("json_not_object")
		}
		return decoded{}, failure("invalid_json")
	}
	if fields == nil {
		return decoded{}, failure("json_not_object")
	}
	for k, v := range fields {
		if s, ok := scalar(v); ok {
			d.args[k] = s
		}
	}
	return d, nil
}

// scalar returns a JSON string's value or any other value's JSON text; a null
// is not a value.
func scalar(v json.RawMessage) (string, bool) {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || string(v) == "null" {
		return "", false
	}
	if v[0] != '"' {
		return string(v), true
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", false
	}
	return s, true
}

// truth reads a boolean in the spellings that Slack takes.
func (a Args) truth(name string) bool {
	switch strings.ToLower(a[name]) {
	case "1", "true":
		return true
	}
	return false
}

// limit reads the argument limit. Slack documents "under 1000" for most lists
// and 1000 for some; max says which.
func (a Args) limit(standard, largest int) (int, error) {
	text := a["limit"]
	if text == "" || text == "0" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > largest {
		return 0, failure("invalid_limit")
	}
	return n, nil
}
