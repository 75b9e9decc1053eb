package plugin

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/request"
	test "teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/teleport"
)

// burst decorates n requests at once and returns the views.
func (r *rig) burst(d *decorator, req types.AccessRequest, n int) []request.View {
	views := make([]request.View, n)
	var all sync.WaitGroup
	for i := range views {
		views[i].Roles = req.GetRoles()
		all.Go(func() { d.Decorate(r.Context(), &views[i], req) })
	}
	all.Wait()
	return views
}

func (r *rig) ask(p test.CreateParams) types.AccessRequest {
	r.Helper()
	p.User = test.Alice
	id, err := r.cluster.CreateRequest(p)
	if err != nil {
		r.Fatal(err)
	}
	req, _ := r.cluster.Request(id)
	return req
}

func TestABurstLooksUpOnce(t *testing.T) {
	first, second := "/"+test.DefaultName+"/node/4f1c (logins: root)", "/"+test.DefaultName+"/node/gone"
	named := []string{second, "node/web-1 (logins: root)"}
	for name, tc := range map[string]struct {
		role      string
		change    func(*test.Cluster)
		logins    map[string][]string
		resources []string
		notes     int
	}{
		"what is there":      {"editor", func(*test.Cluster) {}, map[string][]string{"editor": {"root"}}, named, 0},
		"a role that is not": {"none", func(*test.Cluster) {}, nil, named, 0},
		"what is refused": {"editor", func(c *test.Cluster) {
			c.Deny(test.PluginRole, types.KindRole)
			c.Deny(test.PluginRole, types.KindNode)
		}, nil, []string{first, second}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if err := r.cluster.AddResource(test.ResourceSpec{Kind: types.KindNode, Name: "4f1c", Friendly: "web-1"}); err != nil {
				t.Fatal(err)
			}
			d := newDecorator(r.connected())
			req := r.ask(test.CreateParams{
				Roles: []string{tc.role}, Resources: []types.ResourceID{node("gone")},
				Confined: []test.Confined{{ID: node("4f1c"), Logins: []string{"root"}}},
			})
			tc.change(r.cluster)
			r.cluster.ResetCalls()
			for _, v := range append(r.burst(d, req, 500), r.burst(d, req, 1)...) {
				if !reflect.DeepEqual(v.Logins, tc.logins) || !slices.Equal(v.Resources, tc.resources) {
					t.Fatalf("logins %v, resources %q; want %v, %q", v.Logins, v.Resources, tc.logins, tc.resources)
				}
			}
			if calls := r.cluster.Calls(); calls["GetRole"] != 1 || calls["ListResources"] != 1 {
				t.Errorf("calls: %v", calls)
			}
			if notes := r.daemon.health.Status().Notes; len(notes) != tc.notes {
				t.Errorf("notes: %v", notes)
			}
		})
	}
}

// Many roles at once that may not be read: a few calls notice it.
func TestARefusalHoldsForAllRoles(t *testing.T) {
	r := newRig(t)
	d := newDecorator(r.connected())
	r.cluster.Deny(test.PluginRole, types.KindRole)
	r.cluster.ResetCalls()
	var all sync.WaitGroup
	for i := range 200 {
		req := r.ask(test.CreateParams{Roles: []string{fmt.Sprint("role-", i)}})
		all.Go(func() { r.burst(d, req, 1) })
	}
	all.Wait()
	if n := r.cluster.Calls()["GetRole"]; n < 1 || n > lookupsAtOnce {
		t.Errorf("%d roles were read", n)
	}
}

func TestANoteIsWithdrawnWhenTheRightIsThere(t *testing.T) {
	r := newRig(t)
	d := newDecorator(r.connected())
	denied := fmt.Errorf("reading: %w", teleport.ErrDenied)
	d.note("logins", "role: read", denied)
	d.note("logins", "role: read", denied)
	if notes := r.daemon.health.Status().Notes; len(notes) != 1 || notes[0].Text != "not shown in messages; add the rule role: read" {
		t.Errorf("notes: %v", notes)
	}
	d.note("logins", "role: read", nil)
	if notes := r.daemon.health.Status().Notes; len(notes) != 0 {
		t.Errorf("notes: %v", notes)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var m memory[int]
	for i := range 3 * memoryLimit {
		m.put(fmt.Sprint(i), i, lookupAge)
		if len(m.known) > memoryLimit {
			t.Fatalf("%d answers are remembered", len(m.known))
		}
	}
	if v, ok := m.get(fmt.Sprint(3*memoryLimit - 1)); !ok || v != 3*memoryLimit-1 {
		t.Error("the last answer is forgotten")
	}
}
