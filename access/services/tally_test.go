package services_test

import (
	"context"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/sandbox/panel"
	"teleport-plugins/lib/sandbox/tally"
)

// counted waits until the counters of the only service are as wanted.
func counted(t *testing.T, sb *sandbox.Sandbox, what string, wanted func(tally.Tally) bool) tally.Tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := sb.Wait(ctx, func() bool { return wanted(sb.Tally().Total) }); err != nil {
		t.Fatalf("%s: the counters are %+v", what, sb.Tally().Total)
	}
	return sb.Tally().Total
}

func ask(t *testing.T, sb *sandbox.Sandbox, role string) string {
	t.Helper()
	id, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{role}, SuggestedReviewers: []string{cluster.Dave}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// The counters are computed: each sabotage is seen in its own counter, as much as there
// is, and what the plugin can heal it heals, until nothing is wrong.
func TestCountersAreTrue(t *testing.T) {
	clean := func(c tally.Tally) bool { return c.Clean() }
	for _, s := range services.All() {
		t.Run(s.Name, func(t *testing.T) {
			sb := withPlugin(t, s)
			far, err := sb.FarEnd(s.Name)
			if err != nil {
				t.Fatal(err)
			}
			id := ask(t, sb, "prod-admin")
			if c := counted(t, sb, "a request", clean); c.Expected == 0 || c.InPlace != len(seen(far.Panel(0), id)) {
				t.Errorf("of %d announcements the counters say %+v", len(seen(far.Panel(0), id)), c)
			}
			far.Faults().Add(fault.Fault{Effect: fault.Status, HTTPStatus: 503})
			review(t, sb, id, cluster.Bob)
			review(t, sb, id, cluster.Carol)
			counted(t, sb, "a service that takes no corrections", func(c tally.Tally) bool { return c.Stale > 0 && c.Lost > 0 && c.Doubled == 0 })
			far.Faults().Clear()
			counted(t, sb, "after the service is well again", clean)
			double(t, sb, s.Name, id)
			id = ask(t, sb, "prod-admin")
			counted(t, sb, "another request", clean)
			removed := seen(far.Panel(0), id)[0]
			if err := far.Remove(removed.Place, removed.ID); err != nil {
				t.Error(err)
			}
			counted(t, sb, "an announcement that is removed", func(c tally.Tally) bool { return c.Lost > 0 && c.Doubled+c.Stale+c.Stray == 0 })
		})
	}
}

// double makes a second announcement by hand where the service lets one, and removes it.
func double(t *testing.T, sb *sandbox.Sandbox, service, id string) {
	t.Helper()
	far, _ := sb.FarEnd(service)
	before := seen(far.Panel(0), id)
	if _, err := far.Adopt(before[0].Place, id, "*ID*: "+id+"\n*Status*: PENDING", 1); err != nil {
		t.Fatal(err)
	}
	after := seen(far.Panel(0), id)
	counted(t, sb, "a second announcement", func(c tally.Tally) bool { return c.Doubled == len(after)-len(before) })
	known := make(map[string]bool)
	for _, s := range before {
		known[s.Place+"/"+s.ID] = true
	}
	for _, s := range after {
		if !known[s.Place+"/"+s.ID] {
			if err := far.Remove(s.Place, s.ID); err != nil {
				t.Error(err)
			}
		}
	}
	counted(t, sb, "after the second one is removed", func(c tally.Tally) bool { return c.Clean() })
}

func seen(p panel.Panel, id string) (list []panel.Sight) {
	for _, s := range p.Sights() {
		if s.Request == id && !s.Deleted {
			list = append(list, s)
		}
	}
	return list
}

func review(t *testing.T, sb *sandbox.Sandbox, id, author string) {
	t.Helper()
	if err := sb.Cluster().Review(id, author, types.RequestState_APPROVED, "by all means"); err != nil {
		t.Fatal(err)
	}
}
