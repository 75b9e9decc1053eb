// Package resources reads the resources of Teleport that guides show and files hold,
// as strictly as tctl does, for the tests that keep them true.
package resources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/gravitational/teleport/api/types"
	"go.yaml.in/yaml/v3"
)

// Resource is a document of a YAML text.
type Resource struct {
	Kind string
	JSON []byte
}

// Read reads the documents of a YAML text, one after another.
func Read(text string) (list []Resource, err error) {
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var content map[string]any
		if err := d.Decode(&content); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading resources: %w in\n%s", err, text)
		}
		data, err := json.Marshal(content)
		if err != nil {
			return nil, fmt.Errorf("reading resources: %w", err)
		}
		kind, _ := content["kind"].(string)
		list = append(list, Resource{kind, data})
	}
}

// disabled is a line of YAML that is switched off: a # in the first column. A
// comment that is meant to be read is indented, or stands at the head of the file.
var disabled = regexp.MustCompile(`(?m)^#( {4,}\S)`)

// WithOptions switches on in a YAML text what is optional.
func WithOptions(text string) string { return disabled.ReplaceAllString(text, "$1") }

// newerKeys are those of roles that are newer than the library.
var newerKeys = regexp.MustCompile(`,"submit_for_users":\[[^\]]*\]|"submit_for_users":\[[^\]]*\],?`)

// Decode decodes a resource into its type, and takes no key that the type does not
// have, and no value that it cannot have.
func (r Resource) Decode(into interface{ CheckAndSetDefaults() error }) error {
	d := json.NewDecoder(bytes.NewReader(newerKeys.ReplaceAll(r.JSON, nil)))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		err = into.CheckAndSetDefaults()
	}
	if err != nil {
		return fmt.Errorf("reading a %s: %w\n%s", r.Kind, err, r.JSON)
	}
	return nil
}

// Role decodes a role.
func (r Resource) Role() (*types.RoleV6, error) {
	role := &types.RoleV6{}
	return role, r.Decode(role)
}
