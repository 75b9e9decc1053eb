package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

// somebody is what scripts read of the output of check user.
type somebody struct {
	User, Recipient, Address, Fault string
	Steps, Decides                  []struct {
		Source, Says string
		Found        bool
	}
}

func (w *world) somebody(user string) (s somebody) {
	w.Helper()
	w.must(json.Unmarshal(w.output("check", "user", user, "--json"), &s))
	return s
}

// One section says who a Teleport user is at the service: for notifications, and for
// people who press. The command check user shows each step of it.
func TestATraitSaysWhoAUserIs(t *testing.T) {
	for _, service := range harness.Services() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			known, err := harness.Find(service)
			if err != nil {
				t.Fatal(err)
			}
			if parts, err := known.Parts(t.TempDir()); err != nil || parts.People == nil {
				t.Skip("it knows no people: ", err)
			}
			w := start(t, harness.Options{Service: service, Halted: true, Review: map[string]any{"users": map[string]any{}, "identity": "trait"}})
			person := w.Person(cluster.Alice)
			id := cmp.Or(strings.TrimPrefix(person, "user:"), cluster.Alice) // the e-mail address, where the service tells nobody
			w.Cluster.AddUser("zed", []string{"requester", cluster.ReviewerRole}, map[string][]string{"chat": {id}})
			w.Cluster.AddUser("two", []string{"requester"}, map[string][]string{"chat": {id + "1", id + "0"}})
			w.must(w.Configure(map[string][]string{"*": {w.channel()}}, harness.ShortTimes+"\n[identity]\ntrait = \"chat\"\n"))
			w.annotate(w.Annotations(w.channel()))

			zed := w.somebody("zed")
			if last := zed.Steps[len(zed.Steps)-1]; zed.Recipient == "" || !last.Found || last.Source != `the trait "chat"` || zed.Fault != "" || person != "" && zed.Address == "" {
				t.Errorf("zed is %+v", zed)
			}
			for i, s := range zed.Decides {
				if !s.Found {
					t.Errorf("zed decides? %d: %+v", i, s)
				}
			}
			if two := w.somebody("two"); two.Recipient != "" || !strings.Contains(two.Steps[len(two.Steps)-1].Says, "2 values") {
				t.Errorf("two is %+v", two)
			}
			nobody := w.somebody("nobody")
			if nobody.Recipient != "" || len(nobody.Steps) == 0 {
				t.Errorf("nobody is %+v", nobody)
			}
			for _, s := range nobody.Decides {
				if s.Found {
					t.Errorf("nobody decides? %+v", s)
				}
			}
			text := string(w.output("check", "user", "zed"))
			if !strings.Contains(text, "Teleport user zed\n") || !strings.Contains(text, fmt.Sprintf("%s\n", zed.Recipient)) {
				t.Error(text)
			}

			w.must(w.StartReplicas())
			request, err := w.Cluster.CreateRequest(cluster.CreateParams{User: "zed", Roles: []string{role}})
			w.must(err)
			told := []string{w.channel()}
			if person != "" {
				told = append(told, person)
			}
			w.shows(harness.Expected{ID: request, Recipients: told})
		})
	}
}
