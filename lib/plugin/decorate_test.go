package plugin

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/request"
	test "teleport-plugins/lib/sandbox/cluster"
)

// decorated gives what a decorator adds for a request of roles and resources.
func (r *rig) decorated(d *decorator, roles []string, resources ...types.ResourceID) request.View {
	r.Helper()
	req := &types.AccessRequestV3{Spec: types.AccessRequestSpecV3{User: test.Alice, Roles: roles, RequestedResourceIDs: resources}}
	v := request.View{Roles: roles}
	d.Decorate(r.Context(), &v, req)
	return v
}

// calls counts how often the cluster is called by a method while something is done.
func (r *rig) calls(method string, do func()) int {
	before := r.cluster.Calls()[method]
	do()
	return r.cluster.Calls()[method] - before
}

func node(name string) types.ResourceID {
	return types.ResourceID{ClusterName: test.DefaultName, Kind: types.KindNode, Name: name}
}

func TestLoginsOfRoles(t *testing.T) {
	for name, tc := range map[string]struct {
		roles []string
		want  string
	}{
		"of each role":   {[]string{"db-admin", "demo-role"}, "db-admin=postgres,dba demo-role=ubuntu,ec2-user"},
		"of those known": {[]string{"db-admin", "no-such-role"}, "db-admin=postgres,dba"},
		"of none known":  {[]string{"no-such-role"}, ""},
		"without logins": {[]string{"requester"}, "requester="},
		"without roles":  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			got := r.decorated(newDecorator(r.connected()), tc.roles).Logins
			var text []string
			for _, role := range slices.Sorted(maps.Keys(got)) {
				text = append(text, role+"="+strings.Join(got[role], ","))
			}
			if strings.Join(text, " ") != tc.want {
				t.Errorf("got %q, want %q", text, tc.want)
			}
		})
	}
}

// What is known is not asked for again.
func TestLoginsAreRemembered(t *testing.T) {
	r := newRig(t)
	d := newDecorator(r.connected())
	if n := r.calls("GetRole", func() { r.decorated(d, []string{"demo-role"}) }); n != 1 {
		t.Errorf("%d calls for the first request", n)
	}
	var second request.View
	if n := r.calls("GetRole", func() { second = r.decorated(d, []string{"demo-role"}) }); n != 0 {
		t.Errorf("%d calls for the second request", n)
	}
	if len(second.Logins["demo-role"]) != 2 {
		t.Errorf("the second request shows %v", second.Logins)
	}
}

// What the plugin's role may not read is left out, named once and not asked for by
// each request.
func TestWhatIsDeniedIsLeftOut(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, note string
		method     string
		shown      func(v request.View) string
		want       string
	}{
		"logins": {types.KindRole, "logins", "GetRole", func(v request.View) string { return strings.Join(v.Logins["demo-role"], ",") }, ""},
		"names": {
			types.KindNode, "names of resources of kind node", "ListResources", func(v request.View) string { return strings.Join(v.Resources, ",") },
			"/" + test.DefaultName + "/node/n-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			d := newDecorator(r.connected())
			r.cluster.Deny(test.PluginRole, tc.kind)
			shown := func() string { return tc.shown(r.decorated(d, []string{"demo-role"}, node("n-1"))) }
			for i := range 3 {
				var got string
				if n := r.calls(tc.method, func() { got = shown() }); got != tc.want || (n > 0) != (i == 0) {
					t.Errorf("request %d shows %q after %d calls, want %q", i, got, n, tc.want)
				}
			}
			notes := r.daemon.health.Status().Notes
			if len(notes) != 1 || notes[0].Name != tc.note || !strings.Contains(notes[0].Text, "add the rule") {
				t.Errorf("the notes are %v", notes)
			}
			if n := strings.Count(r.log(), "Messages go out without "+tc.note); n != 1 {
				t.Errorf("logged %d times:\n%s", n, r.log())
			}
		})
	}
}

// A failure that passes costs this message its names, and no later one.
func TestAFailureOfALookUpIsForgotten(t *testing.T) {
	r := newRig(t)
	d := newDecorator(r.connected())
	r.cluster.FailCalls("GetRole", codes.Unavailable, 1)
	if got := r.decorated(d, []string{"demo-role"}).Logins; got != nil {
		t.Errorf("logins that could not be read: %v", got)
	}
	if got := r.decorated(d, []string{"demo-role"}).Logins; len(got["demo-role"]) != 2 {
		t.Errorf("the next request shows %v", got)
	}
	if notes := r.daemon.health.Status().Notes; len(notes) != 0 {
		t.Errorf("the notes are %v", notes)
	}
}

func TestResourcesGoByTheirNames(t *testing.T) {
	r := newRig(t)
	if err := r.cluster.AddResource(test.ResourceSpec{Kind: types.KindNode, Name: "n-1", Friendly: "web-1"}); err != nil {
		t.Fatal(err)
	}
	got := r.decorated(newDecorator(r.connected()), []string{"demo-role"}, node("n-2"), node("n-1")).Resources
	want := []string{"/" + test.DefaultName + "/node/n-2", "node/web-1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWithoutAConnectionNothingIsAdded(t *testing.T) {
	r := newRig(t)
	if v := r.decorated(newDecorator(r.session()), []string{"demo-role"}, node("n-1")); v.Logins != nil || v.Resources != nil {
		t.Errorf("got %v, %v", v.Logins, v.Resources)
	}
}

// What was refused is asked for again after a while, since somebody may have added
// the rule.
func TestARefusalIsNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDecorator(nil)
		d.denied.put("logins", struct{}{}, lookupAge)
		if !d.refused("logins") {
			t.Error("not refused")
		}
		time.Sleep(lookupAge)
		if d.refused("logins") {
			t.Error("refused for ever")
		}
	})
}
