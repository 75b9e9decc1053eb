package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

// soon makes reminders that a test need not wait for.
const soon = harness.ShortTimes + `[access_list_reminders]
enabled = true
delay = "100ms"
interval = "300ms"
`

// reminded is how often each owner was reminded of a list, in direct messages.
func (w *world) reminded(title string) map[string]int {
	told := map[string]int{}
	for _, owner := range []string{cluster.Alice, cluster.Bob, cluster.Carol} {
		for _, m := range w.said(w.dm(owner)) {
			told[owner] += strings.Count(m.Text, title)
		}
	}
	return told
}

func (w *world) until(what string, done func() bool) {
	w.Helper()
	ctx := w.patient()
	for !done() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			w.Fatalf("it never came to pass that %s", what)
		}
	}
}

// Each owner of an access list, inherited ones too, is told once that it is to be
// reviewed, however many replicas there are and however often they are started.
func TestOwnersOfAccessListsAreReminded(t *testing.T) {
	w := start(t, harness.Options{Replicas: 2, Config: soon, Halted: true, Cluster: cluster.Options{AdvancedWorkflows: true}})
	w.must(w.Cluster.PutAccessList(cluster.AccessList{
		Name: "payments", Title: "Payments team", Owners: []string{cluster.Alice, "nobody"},
		InheritedOwners: []string{cluster.Bob}, NextAudit: time.Now().Add(3 * 24 * time.Hour),
	}))
	w.must(w.Cluster.PutAccessList(cluster.AccessList{
		Name: "next-year", Title: "Night watch", Owners: []string{cluster.Carol}, NextAudit: time.Now().Add(300 * 24 * time.Hour),
	}))
	w.must(w.StartReplicas())
	recorded := func() map[string]time.Time {
		told := map[string]time.Time{}
		if text := w.Cluster.AccessListData("payments", w.Plugin())["user_notifications"]; text != "" {
			w.must(json.Unmarshal([]byte(text), &told))
		}
		return told
	}
	w.until("both owners are recorded", func() bool { return len(recorded()) == 2 })
	w.must(w.Replica(0).Kill())
	w.must(w.Replica(0).Start())
	w.must(w.Replica(0).Ready(w.patient()))
	w.must(w.Cluster.PutAccessList(cluster.AccessList{
		Name: "ops", Title: "Operators", Owners: []string{cluster.Carol}, NextAudit: time.Now().Add(-time.Hour),
	}))
	w.until("owners are reminded of a later list", func() bool { return w.reminded("Operators")[cluster.Carol] > 0 })
	for i := range 2 {
		if code, _, err := w.Replica(i).Stop(); code != 0 || err != nil {
			t.Errorf("exit code %d, %v", code, err)
		}
	}
	if told := w.reminded("Payments team"); told[cluster.Alice] != 1 || told[cluster.Bob] != 1 || told[cluster.Carol] != 0 {
		t.Errorf("told %v of the payments team", told)
	}
	if told := w.reminded("Operators"); told[cluster.Carol] != 1 || told[cluster.Alice] != 0 {
		t.Errorf("told %v of the operators", told)
	}
	if told := w.reminded("Night watch"); told[cluster.Carol] != 0 {
		t.Errorf("told %v of a list that is not to be reviewed", told)
	}
	if got := recorded(); got[cluster.Alice].IsZero() || got[cluster.Bob].IsZero() || len(got) != 2 {
		t.Errorf("recorded %v", got)
	}
}

// Owners are reminded wherever users can be told.
func TestOwnersAreRemindedEverywhere(t *testing.T) {
	for _, name := range harness.Services() {
		t.Run(name, func(t *testing.T) {
			w := start(t, harness.Options{Service: name, Config: soon, Halted: true, Cluster: cluster.Options{AdvancedWorkflows: true}})
			if w.Person(cluster.Alice) == "" {
				t.Skip("users are not told here")
			}
			w.must(w.Cluster.PutAccessList(cluster.AccessList{
				Name: "payments", Title: "Payments team", Owners: []string{cluster.Alice, "nobody"}, NextAudit: time.Now().Add(-time.Hour),
			}))
			w.must(w.StartReplicas())
			w.until("the reminder is recorded", func() bool {
				return strings.Contains(w.Cluster.AccessListData("payments", name)["user_notifications"], cluster.Alice)
			})
			code, _, err := w.Replica(0).Stop()
			if code != 0 || err != nil {
				t.Errorf("exit code %d, %v", code, err)
			}
			if told := w.reminded("Payments team"); told[cluster.Alice] != 1 {
				t.Errorf("told %v", told)
			}
		})
	}
}

// What stands in the way of reminders stands in the way of nothing else.
func TestWithoutAccessListsRequestsAreToldAllTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		cluster cluster.Options
		deny    bool
		note    string
	}{
		"the community edition":  {cluster.Options{}, false, "the cluster has no access lists"},
		"an old cluster":         {cluster.Options{Old: true, AdvancedWorkflows: true}, false, "the cluster has no access lists"},
		"without the permission": {cluster.Options{AdvancedWorkflows: true}, true, "add the rule access_list: list, read"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, harness.Options{Config: soon, Halted: true, Cluster: c.cluster})
			if c.deny {
				w.Cluster.Deny(cluster.PluginRole, types.KindAccessList)
			}
			w.must(w.StartReplicas())
			w.until("readiness holds and tells why nobody is reminded", func() bool {
				ready, words, err := w.Replica(0).Readiness(w.patient())
				return err == nil && ready && strings.Contains(words, c.note)
			})
			w.untilPosted(w.request())
		})
	}
}
