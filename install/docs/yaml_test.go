package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/install/resources"
	"teleport-plugins/lib/rules/predicate"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	machineidv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/machineid/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protojson"
)

func TestEveryResourceIsTeleports(t *testing.T) {
	kinds := map[string]int{}
	for _, b := range blocks(pages(t), "yaml") {
		for _, r := range resourcesOf(t, b.page, b.text) {
			kinds[r.Kind]++
			switch r.Kind {
			case types.KindRole:
				withinFiles(t, b, role(t, b.page, r))
			case types.KindUser:
				if err := r.Decode(&types.UserV2{}); err != nil {
					t.Errorf("%s: %v", b.page, err)
				}
			case types.KindBot:
				if err := protojson.Unmarshal(r.JSON, &machineidv1.Bot{}); err != nil {
					t.Errorf("%s: %v", b.page, err)
				}
			case types.KindAccessMonitoringRule:
				rule := &rulesv1.AccessMonitoringRule{}
				if err := protojson.Unmarshal(r.JSON, rule); err != nil {
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

// resourcesOf reads the resources of a text.
func resourcesOf(t *testing.T, where, text string) []resources.Resource {
	t.Helper()
	list, err := resources.Read(text)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	return list
}

func role(t *testing.T, where string, r resources.Resource) *types.RoleV6 {
	t.Helper()
	role, err := r.Role()
	if err != nil {
		t.Errorf("%s: %v", where, err)
	}
	return role
}

var folder = regexp.MustCompile(`^access/(\w+)/`)

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
	most := role(t, file, resourcesOf(t, file, resources.WithOptions(string(text)))[0])
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
