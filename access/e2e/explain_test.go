package e2e_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

// explanation is what scripts read of the output of explain.
type explanation struct {
	Recipients []struct {
		Recipient, Address, Fault, Why, Due string
		Messages                            []struct{ Channel, ID string }
	}
}

func (w *world) explain(args ...string) (e explanation) {
	w.Helper()
	path, err := harness.Binary(w.Plugin())
	w.must(err)
	cmd := exec.CommandContext(w.Context(), path, append([]string{"explain", "-c", w.ConfigPath, "--json"}, args...)...)
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &e)
	}
	if err != nil {
		w.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return e
}

// Whom explain names before a request is made, and no others, are told of it then;
// after that it finds their messages and nothing that is due.
func TestExplainAgreesWithWhatIsTold(t *testing.T) {
	for _, service := range harness.Services() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			w := start(t, harness.Options{Service: service, Halted: true})
			places := w.Service().Places()
			w.must(w.Configure(map[string][]string{"*": places[:1], role: places[1:2]}, harness.ShortTimes))
			for _, name := range []string{role, "requester"} { // where recipients are named by annotations
				w.Cluster.Annotate(name, w.Annotations(places[1]))
			}
			before := w.explain("--user", cluster.Alice, "--role", role, "--reviewer", cluster.Bob)
			var want []string
			for _, r := range before.Recipients {
				if r.Fault != "" || r.Why == "" || r.Due != "tell announce.0" {
					t.Errorf("before: %+v", r)
				}
				want = append(want, w.Place(r.Recipient))
			}
			w.must(w.StartReplicas())
			id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{role}, SuggestedReviewers: []string{cluster.Bob}})
			w.must(err)
			w.must(w.Settled(t.Context(), id))
			var told []string
			for _, s := range w.Sights() {
				if s.Request == id && !slices.Contains(told, s.Place) {
					told = append(told, s.Place)
				}
			}
			after := w.explain("--request", id)
			for _, r := range after.Recipients {
				if len(r.Messages) != 1 || r.Due != "" || !slices.Contains(told, r.Messages[0].Channel) {
					t.Errorf("after: %+v", r)
				}
			}
			if len(want) == 0 || len(want) != len(told) || len(after.Recipients) != len(want) || !slices.Contains(told, w.Place(places[1])) {
				t.Errorf("explain names %q before and %+v after; told were %q", want, after.Recipients, told)
			}
		})
	}
}
