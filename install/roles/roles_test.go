package roles_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	machineidv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/machineid/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protojson"

	"teleport-plugins/access/services"
	"teleport-plugins/install/resources"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox"
)

// document is a resource of a file.
type document struct {
	resources.Resource
	path string
}

// documents are the resources of a file, with what is optional switched on or off.
func documents(t *testing.T, path string, optional bool) (docs []document) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if optional {
		text = resources.WithOptions(text)
	}
	list, err := resources.Read(text)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, r := range list {
		docs = append(docs, document{r, path})
	}
	return docs
}

func (d document) decode(t *testing.T, into interface{ CheckAndSetDefaults() error }) {
	t.Helper()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", d.path, err)
	}
}

func (d document) role(t *testing.T) *types.RoleV6 {
	t.Helper()
	r, err := d.Role()
	if err != nil {
		t.Fatalf("%s: %v", d.path, err)
	}
	return r
}

// pluginRole is the role that the plugin holds.
func pluginRole(t *testing.T, service string, optional bool) *types.RoleV6 {
	t.Helper()
	return documents(t, filepath.Join(folder(service), "access-plugin.yaml"), optional)[0].role(t)
}

// folder is where the roles of a plugin are.
func folder(service string) string { return filepath.Join("..", "..", "access", service, "roles") }

// names are those of the services.
func names() (list []string) {
	for _, s := range services.All() {
		list = append(list, s.Name)
	}
	return list
}

func TestEveryFileIsTeleports(t *testing.T) {
	for _, s := range services.All() {
		service := s.Name
		parts, err := s.Parts(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		want := 4
		if parts.Decisions != nil {
			want++ // review.yaml
		}
		files, err := filepath.Glob(filepath.Join(folder(service), "*.yaml"))
		if err != nil || len(files) != want {
			t.Fatalf("%s has %d files, error %v", service, len(files), err)
		}
		for _, file := range files {
			for _, optional := range []bool{false, true} {
				for _, d := range documents(t, file, optional) {
					checkDocument(t, service, d)
				}
			}
		}
	}
}

func checkDocument(t *testing.T, service string, d document) {
	t.Helper()
	var name string
	switch d.Kind {
	case types.KindRole:
		name = d.role(t).GetName()
	case types.KindUser:
		u := &types.UserV2{}
		if err := d.Decode(u); err != nil {
			t.Errorf("%s: %v", d.path, err)
		}
		name = u.GetName()
	case types.KindBot:
		b := &machineidv1.Bot{}
		if err := protojson.Unmarshal(d.JSON, b); err != nil {
			t.Errorf("%s: %v", d.path, err)
		}
		name = b.GetMetadata().GetName()
	default:
		t.Errorf("%s has a resource of kind %q", d.path, d.Kind)
	}
	if !strings.HasPrefix(name, "access-plugin-"+service) {
		t.Errorf("%s names %q, which another plugin may use", d.path, name)
	}
}

// What every plugin holds and, beyond that, may be given.
func TestRights(t *testing.T) {
	required := []string{"access_plugin_data: read update", "access_request: list read"}
	for _, s := range services.All() {
		service := s.Name
		parts, err := s.Parts(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		optional := []string{"access_monitoring_rule: list read", "role: read", "user: read"}
		if parts.Reminders != nil {
			optional = append(optional, "access_list: list read")
		}
		t.Run(service, func(t *testing.T) {
			if got := rights(pluginRole(t, service, false)); !slices.Equal(got, required) {
				t.Errorf("without options: %q, want %q", got, required)
			}
			want := slices.Concat(required, optional)
			slices.Sort(want)
			role := pluginRole(t, service, true)
			if got := rights(role); !slices.Equal(got, want) {
				t.Errorf("with options: %q, want %q", got, want)
			}
			review := role.GetAccessReviewConditions(types.Allow)
			preview := documents(t, filepath.Join(folder(service), "preview-role.yaml"), true)[0].role(t)
			if !slices.Equal(review.PreviewAsRoles, []string{preview.GetName()}) {
				t.Errorf("previews as %q, want %q", review.PreviewAsRoles, preview.GetName())
			}
			if mayReview := len(review.Roles) > 0; mayReview != (len(parts.Deciders) > 0) {
				t.Errorf("may review requests for %q", review.Roles)
			}
		})
	}
}

// rights are the rules of a role as sorted lines of a kind and its verbs.
func rights(r types.Role) []string {
	var lines []string
	for _, rule := range r.GetRules(types.Allow) {
		for _, kind := range rule.Resources {
			lines = append(lines, kind+": "+strings.Join(rule.Verbs, " "))
		}
	}
	slices.Sort(lines)
	return lines
}

// The user, the bot and the impersonator are about the role of the same plugin.
func TestIdentitiesHoldThePluginRole(t *testing.T) {
	for _, service := range names() {
		want := []string{pluginRole(t, service, false).GetName()}
		user := &types.UserV2{}
		documents(t, filepath.Join(folder(service), "access-plugin.yaml"), false)[1].decode(t, user)
		if !slices.Equal(user.GetRoles(), want) {
			t.Errorf("the user of %s holds %q, want %q", service, user.GetRoles(), want)
		}
		bot := &machineidv1.Bot{}
		if err := protojson.Unmarshal(documents(t, filepath.Join(folder(service), "bot.yaml"), false)[0].JSON, bot); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(bot.GetSpec().GetRoles(), want) {
			t.Errorf("the bot of %s holds %q, want %q", service, bot.GetSpec().GetRoles(), want)
		}
		impersonate := documents(t, filepath.Join(folder(service), "impersonator.yaml"), false)[0].role(t).GetImpersonateConditions(types.Allow)
		if !slices.Equal(impersonate.Users, []string{user.GetName()}) || !slices.Equal(impersonate.Roles, want) {
			t.Errorf("the impersonator of %s may be %q with %q", service, impersonate.Users, impersonate.Roles)
		}
	}
}

// The command check, which tries every call that is needed, is content with the
// roles as they are, and with no less.
func TestPluginWorksWithItsRoles(t *testing.T) {
	for _, s := range services.All() {
		i := s.Integration
		t.Run(i.Name, func(t *testing.T) {
			roles := documents(t, filepath.Join(folder(i.Name), "access-plugin.yaml"), false)[:1]
			if _, err := os.Stat(filepath.Join(folder(i.Name), "review.yaml")); err == nil {
				roles = append(roles, documents(t, filepath.Join(folder(i.Name), "review.yaml"), false)...)
			}
			if out, code := check(t, i, "", roles...); code != 0 {
				t.Errorf("check gave %d:\n%s", code, out)
			}
			missing := []string{"access_request", "access_plugin_data"}
			if len(roles) > 1 {
				missing = append(missing, "user", "submit_for_users")
			}
			for _, right := range missing {
				if out, code := check(t, i, right, roles...); code == 0 || !strings.Contains(out, right) {
					t.Errorf("check is content without the right to %s:\n%s", right, out)
				}
			}
		})
	}
}

// check runs the command check of a plugin whose user holds just the roles, without
// one of their rights.
func check(t *testing.T, i plugin.Integration, without string, roles ...document) (output string, code int) {
	t.Helper()
	sb, err := sandbox.Start(sandbox.Options{Services: services.All()})
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	config, err := sb.WriteConfig(t.TempDir(), i.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := sb.Cluster()
	var names []string
	for _, d := range roles {
		role := d.role(t)
		names = append(names, role.GetName())
		for _, rule := range role.GetRules(types.Allow) {
			for _, kind := range rule.Resources {
				if kind != without {
					c.Allow(role.GetName(), kind, rule.Verbs...)
				}
			}
		}
		if without != "submit_for_users" {
			c.AllowSubmitFor(role.GetName(), d.submitsFor(t)...)
		}
	}
	c.AddUser("access-plugin-"+i.Name, names, nil)
	var out bytes.Buffer
	code = plugin.Run(i, []string{"check", "-c", config}, &out, &out)
	return out.String(), code
}

// submitsFor are those in whose name the holder of a role may submit reviews.
func (d document) submitsFor(t *testing.T) []string {
	t.Helper()
	var role struct {
		Spec struct {
			Allow struct {
				Review struct {
					For []string `json:"submit_for_users"`
				} `json:"review_requests"`
			}
		}
	}
	if err := json.Unmarshal(d.JSON, &role); err != nil {
		t.Fatal(err)
	}
	return role.Spec.Allow.Review.For
}
