// Package contract holds the calls of a Slack client against what Slack itself
// publishes: its method reference (which methods there are, and their
// arguments) and the JSON schema of Block Kit.
//
// The publications are not part of this repository. The environment variable
// named by published.EnvDir points at a folder that holds them, in
// slack/method-reference (one JSON file for each method) and
// slack/block-kit/blocks.schema.json; tests that need them are skipped without it.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/published"
)

// ErrUnknownMethod says that no method of that name is described.
var ErrUnknownMethod = errors.New("no such method in Slack's reference")

// Checker checks calls. It may be used from several goroutines.
type Checker struct {
	methods map[string]reference
	blocks  *jsonschema.Schema
}

// given are Slack's published descriptions; nil where there are none.
var given = sync.OnceValues(func() (*Checker, error) {
	if dir := os.Getenv(published.EnvDir); dir != "" {
		return Load(dir)
	}
	return nil, nil
})

// Keep holds calls against Slack's published descriptions, where they are given.
func Keep(t testing.TB, calls []slackapi.Request) {
	t.Helper()
	checker, err := given()
	if err != nil {
		t.Error(err)
	}
	if checker == nil {
		return
	}
	for _, r := range calls {
		if r.Method == slackapi.ResponseURL || r.Method == slackapi.Socket {
			continue // They are no methods, and no reference describes them.
		}
		for _, err := range checker.CheckRequest(r) {
			t.Error(err)
		}
	}
}

// reference is what is used of a method's description.
type reference struct {
	JSON bool `json:"json_input_supported"`
	Args struct {
		Required   []string            `json:"required"`
		Properties map[string]property `json:"properties"`
	} `json:"args"`
}

// property is the description of an argument: one type or a choice of types.
type property struct {
	Type  string     `json:"type"`
	AnyOf []property `json:"anyOf"`
}

// types lists the names of the types that an argument may have.
func (p property) types() []string {
	if p.Type != "" {
		return []string{p.Type}
	}
	var out []string
	for _, alternative := range p.AnyOf {
		out = append(out, alternative.types()...)
	}
	return out
}

// Load reads the descriptions below dir, laid out as the package says.
func Load(dir string) (*Checker, error) {
	c := &Checker{methods: supplement()}
	files, err := filepath.Glob(filepath.Join(dir, "slack", "method-reference", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing Slack's method reference: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("listing Slack's method reference: no JSON files below %s", dir)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading Slack's method reference: %w", err)
		}
		var r reference
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("reading Slack's method reference %s: %w", file, err)
		}
		c.methods[strings.TrimSuffix(filepath.Base(file), ".json")] = r
	}
	c.blocks, err = jsonschema.NewCompiler().Compile(filepath.Join(dir, "slack", "block-kit", "blocks.schema.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the schema of Block Kit: %w", err)
	}
	return c, nil
}

// ForTest loads the descriptions from the folder named by published.EnvDir. It skips the
// test when the variable is not set and fails it when they cannot be read.
func ForTest(t testing.TB) *Checker {
	t.Helper()
	return published.Load(t, Load)
}

// Methods lists the described methods in alphabetical order.
func (c *Checker) Methods() []string { return slices.Sorted(maps.Keys(c.methods)) }

// CheckRequest checks a call from the simulated server's log.
func (c *Checker) CheckRequest(r slackapi.Request) []error {
	if r.JSON != nil {
		return c.CheckJSON(r.Method, r.JSON)
	}
	return c.Check(r.Method, r.Form)
}

// Check checks a call whose arguments came as a form or in the query. The token
// may be among them but need not be, since it may be in a header.
func (c *Checker) Check(method string, form url.Values) []error {
	args := make(map[string]any, len(form))
	for k, v := range form {
		if len(v) != 1 {
			return []error{fmt.Errorf("%s: argument %s is given %d times", method, k, len(v))}
		}
		args[k] = v[0]
	}
	return c.check(method, args, formValue)
}

// CheckJSON checks a call whose arguments came as a JSON object.
func (c *Checker) CheckJSON(method string, body []byte) []error {
	if r, ok := c.methods[method]; ok && !r.JSON {
		return []error{fmt.Errorf("%s: the method does not take JSON", method)}
	}
	var args map[string]any
	if err := decodeJSON(body, &args); err != nil {
		return []error{fmt.Errorf("%s: the body is not a JSON object: %w", method, err)}
	}
	return c.check(method, args, jsonValue)
}

func (c *Checker) check(method string, args map[string]any, fits func(any, string) bool) []error {
	r, ok := c.methods[method]
	if !ok {
		return []error{fmt.Errorf("%s: %w", method, ErrUnknownMethod)}
	}
	var errs []error
	for _, name := range r.Args.Required {
		if v := args[name]; name != "token" && (v == nil || v == "") {
			errs = append(errs, fmt.Errorf("%s: required argument %s is missing", method, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		p, ok := r.Args.Properties[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: there is no argument %s", method, name))
			continue
		}
		if err := c.checkValue(name, args[name], p, fits); err != nil {
			errs = append(errs, fmt.Errorf("%s: argument %s: %w", method, name, err))
		}
	}
	return errs
}

// checkValue checks one argument. The reference describes the structured
// arguments as strings that hold JSON; Slack's guide to the Web API says that a
// JSON body gives them as JSON, so both are taken.
func (c *Checker) checkValue(name string, v any, p property, fits func(any, string) bool) error {
	switch name {
	case "blocks":
		return c.checkBlocks(v)
	case "metadata":
		return checkMetadata(v)
	case "view":
		_, err := structured[map[string]any](v)
		return err
	case "attachments", "unfurled_attachments":
		_, err := structured[[]any](v)
		return err
	}
	types := p.types()
	if slices.ContainsFunc(types, func(t string) bool { return fits(v, t) }) {
		return nil
	}
	return fmt.Errorf("%v is none of %s", v, strings.Join(types, ", "))
}

// checkBlocks holds blocks against the schema of Block Kit. The schema has no
// lengths: the limits are the simulated server's to check.
func (c *Checker) checkBlocks(v any) error {
	blocks, err := structured[[]any](v)
	if err != nil {
		return err
	}
	if err := c.blocks.Validate(blocks); err != nil {
		return fmt.Errorf("against the schema of Block Kit: %w", err)
	}
	return nil
}

// checkMetadata checks the two members that the description of the argument
// names; an empty object is how chat.update is told to remove metadata.
func checkMetadata(v any) error {
	fields, err := structured[map[string]any](v)
	if err != nil || len(fields) == 0 {
		return err
	}
	if s, ok := fields["event_type"].(string); !ok || s == "" {
		return errors.New("event_type is not a name")
	}
	if _, ok := fields["event_payload"].(map[string]any); !ok {
		return errors.New("event_payload is not an object")
	}
	for name := range fields {
		if name != "event_type" && name != "event_payload" && name != "entities" {
			return fmt.Errorf("there is no member %s", name)
		}
	}
	return nil
}

// structured returns a list or object that is given as such or as JSON text.
// Nothing and an empty text stand for an empty one.
func structured[T any](v any) (T, error) {
	var out T
	switch v := v.(type) {
	case T:
		return v, nil
	case nil:
		return out, nil
	case string:
		if v == "" {
			return out, nil
		}
		if err := decodeJSON([]byte(v), &out); err != nil {
			return out, fmt.Errorf("the text is not JSON of the right kind: %w", err)
		}
		return out, nil
	}
	return out, fmt.Errorf("%T is the wrong kind of value", v)
}

// decodeJSON decodes one value and keeps numbers as they are written, as the
// schema validator wants them.
func decodeJSON(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value")
	}
	return nil
}

// formValue says whether the text of a form's field can be read as the type.
func formValue(v any, kind string) bool {
	s, _ := v.(string)
	switch kind {
	case "boolean":
		return s == "0" || s == "1" || s == "true" || s == "false"
	case "number", "integer":
		_, err := strconv.ParseFloat(s, 64)
		return err == nil
	case "null":
		return s == ""
	}
	return true // Strings are strings, and a list may be written with commas.
}

// jsonValue says whether a decoded JSON value has the type.
func jsonValue(v any, kind string) bool {
	switch v := v.(type) {
	case string:
		return kind == "string"
	case bool:
		return kind == "boolean"
	case json.Number:
		return kind == "number" || kind == "integer" && !strings.ContainsAny(v.String(), ".eE")
	case nil:
		return kind == "null"
	case []any:
		return kind == "array"
	}
	return kind == "object"
}
