// Package schema holds JSON against a JSON Schema, for far ends and tests.
package schema

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a compiled JSON Schema.
type Schema struct{ compiled *jsonschema.Schema }

// Compile reads a schema. Its formats, such as date-time, are asserted.
func Compile(text string) (Schema, error) {
	const name = "schema.json"
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return Schema{}, fmt.Errorf("reading the schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, parsed); err != nil {
		return Schema{}, fmt.Errorf("taking in the schema: %w", err)
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return Schema{}, fmt.Errorf("compiling the schema: %w", err)
	}
	return Schema{compiled}, nil
}

// Check says how a text is not as the schema says.
func (s Schema) Check(text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("this is no JSON: %w", err)
	}
	if err := s.compiled.Validate(value); err != nil {
		return fmt.Errorf("this is not as the schema says: %w", err)
	}
	return nil
}
