package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/rules/predicate"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	machineidv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/machineid/v1"
	"github.com/gravitational/teleport/api/types"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// resources are the documents of a YAML text, as JSON, each with its kind.
func resources(t *testing.T, text string) (list []resource) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var content map[string]any
		if err := d.Decode(&content); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		data, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		kind, _ := content["kind"].(string)
		list = append(list, resource{kind, data})
	}
}

// newerKeys are those of roles that are newer than the library.
var newerKeys = regexp.MustCompile(`,"submit_for_users":\[[^\]]*\]|"submit_for_users":\[[^\]]*\],?`)

type resource struct {
	kind string
	json []byte
}

// strict decodes into a type of Teleport's and takes no unknown key.
func (r resource) strict(t *testing.T, into interface{ CheckAndSetDefaults() error }) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(newerKeys.ReplaceAll(r.json, nil)))
	d.DisallowUnknownFields()
	if err := errors.Join(d.Decode(into), into.CheckAndSetDefaults()); err != nil {
		t.Errorf("%s: %v\n%s", r.kind, err, r.json)
	}
}

func TestEveryResourceIsTeleports(t *testing.T) {
	kinds := map[string]int{}
	for _, b := range blocks(pages(t), "yaml") {
		for _, r := range resources(t, b.text) {
			kinds[r.kind]++
			switch r.kind {
			case types.KindRole:
				role := &types.RoleV6{}
				r.strict(t, role)
				withinFiles(t, b, role)
			case types.KindUser:
				r.strict(t, &types.UserV2{})
			case types.KindBot:
				if err := protojson.Unmarshal(r.json, &machineidv1.Bot{}); err != nil {
					t.Errorf("%s: %v", b.page, err)
				}
			case types.KindAccessMonitoringRule:
				rule := &rulesv1.AccessMonitoringRule{}
				if err := protojson.Unmarshal(r.json, rule); err != nil {
					t.Errorf("%s: %v", b.page, err)
				}
				if _, err := predicate.Parse(rule.GetSpec().GetCondition()); err != nil {
					t.Errorf("%s: %v", b.page, err)
				}
			}
		}
	}
	for _, kind := range []string{types.KindRole, types.KindUser, types.KindBot, types.KindAccessMonitoringRule} {
		if kinds[kind] == 0 {
			t.Errorf("no page shows a %s", kind)
		}
	}
}

var (
	folder   = regexp.MustCompile(`^access/(\w+)/`)
	disabled = regexp.MustCompile(`(?m)^#( {4,}\S)`)
)

// withinFiles holds the rights that a guide gives its plugin against the role file
// of the plugin with all options.
func withinFiles(t *testing.T, b block, shown *types.RoleV6) {
	t.Helper()
	m := folder.FindStringSubmatch(b.page)
	if m == nil || !strings.HasPrefix(shown.GetName(), "access-plugin") {
		return
	}
	file := "access-plugin.yaml"
	if strings.HasSuffix(shown.GetName(), "-review") {
		file = "review.yaml"
	}
	text, err := os.ReadFile(filepath.Join(root, "access", m[1], "roles", file))
	if err != nil {
		t.Fatal(err)
	}
	most := &types.RoleV6{}
	resources(t, disabled.ReplaceAllString(string(text), "$1"))[0].strict(t, most)
	for _, right := range rights(shown) {
		if !slices.Contains(rights(most), right) {
			t.Errorf("%s gives the plugin %q, which its role file does not", b.page, right)
		}
	}
}

func rights(r *types.RoleV6) (list []string) {
	for _, rule := range r.GetRules(types.Allow) {
		for _, kind := range rule.Resources {
			for _, verb := range rule.Verbs {
				list = append(list, kind+": "+verb)
			}
		}
	}
	return list
}
