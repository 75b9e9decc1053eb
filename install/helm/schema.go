package helm

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"teleport-plugins/lib/config"
)

var (
	//go:embed values.yaml
	commonValues string
	//go:embed schema.json
	commonSchema []byte
)

// first is how the common values begin.
const first = "log:\n"

// Values are those of a chart: its own, which are what goes before the common ones in the
// text that it has, and then those.
func Values(text, service string) (string, error) {
	own, _, ok := strings.Cut(text, "\n"+first)
	if !ok {
		return "", errors.New("there is no line log:, with which the common values begin")
	}
	return own + "\n" + strings.ReplaceAll(commonValues, "KIND", service), nil
}

// schema is a JSON schema, with what is used of it here.
type schema struct {
	Version    string          `json:"$schema,omitempty"`
	Type       any             `json:"type,omitempty"` // a name, or a list of them
	Properties properties      `json:"properties,omitempty"`
	Items      *schema         `json:"items,omitempty"`
	AnyOf      []*schema       `json:"anyOf,omitempty"`
	Enum       []any           `json:"enum,omitempty"`
	Pattern    string          `json:"pattern,omitempty"`
	MinLength  int             `json:"minLength,omitempty"`
	Minimum    *int            `json:"minimum,omitempty"`
	Maximum    *int            `json:"maximum,omitempty"`
	Required   []string        `json:"required,omitempty"`
	Additional json.RawMessage `json:"additionalProperties,omitempty"` // false, or a schema
}

type properties map[string]*schema

var closed = json.RawMessage("false")

// Schema is that of a chart's values: what is said of its own ones in the schema that it
// has, of those that all charts have, and of the value config.
func Schema(text []byte, keys []config.Key) ([]byte, error) {
	var own, common schema
	for what, into := range map[*schema][]byte{&own: text, &common: commonSchema} {
		d := json.NewDecoder(bytes.NewReader(into))
		d.DisallowUnknownFields() // or it would be lost
		if err := d.Decode(what); err != nil {
			return nil, fmt.Errorf("reading a schema: %w", err)
		}
	}
	maps.Copy(own.Properties, common.Properties)
	of := &schema{}
	for _, k := range keys {
		of.add(strings.Split(k.Path, "."), k)
	}
	own.Properties["config"] = of
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(own)
	return out.Bytes(), err
}

// add puts a setting at its path below a table.
func (s *schema) add(path []string, k config.Key) {
	s.Type = "object"
	if path[0] == config.AnyName {
		inner := &schema{}
		if s.Additional != nil {
			_ = json.Unmarshal(s.Additional, inner) // what was marshalled here
		}
		inner.add(path[1:], k)
		s.Additional, _ = json.Marshal(inner) // has nothing that cannot be
		return
	}
	if s.Properties == nil {
		s.Properties = make(properties)
	}
	s.Additional = closed
	if len(path) > 1 {
		if s.Properties[path[0]] == nil {
			s.Properties[path[0]] = &schema{}
		}
		s.Properties[path[0]].add(path[1:], k)
		return
	}
	for _, name := range append([]string{path[0]}, k.Aliases...) {
		s.Properties[name] = ofType(k.Type)
	}
}

// ofType is the schema of a setting whose type has a name in the reference.
func ofType(name string) *schema {
	if inner, ok := strings.CutPrefix(name, "list of "); ok {
		return &schema{Type: "array", Items: ofType(inner)}
	}
	if inner, ok := strings.CutPrefix(name, "table of "); ok {
		of, _ := json.Marshal(ofType(inner)) // has nothing that cannot be
		return &schema{Type: "object", Additional: of}
	}
	if one, many, ok := strings.Cut(name, " or list of "); ok {
		return &schema{AnyOf: []*schema{ofType(one), {Type: "array", Items: ofType(strings.TrimSuffix(many, "s"))}}}
	}
	text := []string{"string", "path", "secret", "duration", "moment"}
	switch {
	case name == "true or false":
		return &schema{Type: "boolean"}
	case name == "whole number":
		return &schema{Type: "integer"}
	case name == "recipients":
		return ofType("string or list of strings")
	case slices.Contains(text, name):
		return &schema{Type: "string"}
	}
	return &schema{}
}
