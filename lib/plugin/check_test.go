package plugin

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	test "teleport-plugins/lib/sandbox/cluster"
)

// The command check names whatever is wrong, and its exit code says whether
// anything is.
func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(r *rig)
		code   int
		want   []string // patterns of lines
		never  string
	}{
		"all is well": {func(*rig) {}, 0, []string{
			`^ok\s.*config`, `^ok\s.*Desk.*credentials`, `^ok\s.*connect`,
			`^ok\s.*cluster ` + test.DefaultName + `.*version ` + test.DefaultVersion + `.*` + test.PluginUser,
		}, `^FAIL`},
		"a key that does not exist":       {func(r *rig) { r.write("first", "color = 1") }, 1, []string{`^FAIL.*color`}, `^ok`},
		"a service that cannot be set up": {func(r *rig) { r.write("broken") }, 1, []string{`^FAIL.*three legs`}, ``},
		"an identity that has expired":    {func(r *rig) { r.identity(-time.Minute) }, 1, []string{`^FAIL.*expired`}, ``},
		"refused credentials": {
			func(r *rig) { r.desk.check = func(context.Context) error { return refusedToken() } }, 1,
			[]string{`^FAIL.*invalid_auth`},
			`^ok.*Desk.*credentials`,
		},
		"a service out of reach": {
			func(r *rig) { r.desk.check = func(context.Context) error { return errors.New("no such host") } }, 1,
			[]string{`^FAIL.*no such host`, `^ok\s.*cluster ` + test.DefaultName},
			``,
		},
		"a note": {func(r *rig) { r.write("first", `note = "no carpet"`) }, 0, []string{`^note.*desk: no carpet`}, `^FAIL`},
		"a recipient that cannot be told": {
			func(r *rig) { r.desk.faults = []string{"The desk ops has no drawer."} }, 1,
			[]string{`^FAIL.*The desk ops has no drawer\.`},
			``,
		},
		"a cluster out of reach": {func(r *rig) {
			r.writeText("[teleport]\naddr = \"127.0.0.1:1\"\nidentity = \"" + r.beside("identity") + "\"\n")
		}, 1, []string{`^FAIL.*onnect.*Teleport`}, `^ok\s.*cluster `},
		"no right to watch": {
			func(r *rig) { r.cluster.Deny(test.PluginRole, types.KindAccessRequest) }, 1,
			[]string{`^FAIL.*access_request`, `^ok\s.*access_plugin_data`},
			``,
		},
		"no right to list": {
			func(r *rig) { r.cluster.Deny(test.PluginRole, types.KindAccessRequest, types.VerbList) }, 1,
			[]string{`^FAIL.*add the rule access_request: list, read`, `^ok\s.*access_plugin_data`},
			``,
		},
		"a plugin that is locked out": {
			func(r *rig) { r.cluster.Revoke(test.PluginUser) }, 1,
			[]string{`^FAIL.*locked the plugin out`},
			`add the rule`,
		},
		"no right to records": {
			func(r *rig) { r.cluster.Deny(test.PluginRole, types.KindAccessPluginData) }, 1,
			[]string{`^ok\s.*access_request`, `^FAIL.*access_plugin_data`},
			``,
		},
		"records that cannot be written now": {
			func(r *rig) { r.cluster.FailCalls("UpdatePluginData", codes.Unavailable, 0) }, 1,
			[]string{`^FAIL.*access_plugin_data`},
			``,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tc.change(r)
			code, out := command(integrationOf(r.desk), "check", "-d", "-c", r.config)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for _, line := range tc.want {
				if !regexp.MustCompile(`(?m)` + line).MatchString(out) {
					t.Errorf("no line %q", line)
				}
			}
			if tc.never != "" && regexp.MustCompile(`(?m)`+tc.never).MatchString(out) {
				t.Errorf("a line %q", tc.never)
			}
			if t.Failed() {
				t.Log(out)
			}
			if posts := r.posted(); len(posts) > 0 {
				t.Errorf("check posts %q", posts)
			}
		})
	}
}

// Check leaves nothing behind in the cluster, though it tries to write.
func TestCheckLeavesNoRecord(t *testing.T) {
	r := newRig(t)
	id, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"demo-role"}})
	if err != nil {
		t.Fatal(err)
	}
	if code, out := command(integrationOf(r.desk), "check", "-c", r.config); code != 0 {
		t.Fatal(out)
	}
	if got := r.cluster.PluginData(id, "desk"); len(got) > 0 {
		t.Errorf("the record of a request holds %v", got)
	}
}
