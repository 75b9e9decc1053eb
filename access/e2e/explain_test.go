package e2e_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
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
	w.must(json.Unmarshal(w.output(append([]string{"explain", "--json"}, args...)...), &e))
	return e
}

// output runs a command of the service's plugin with the config.
func (w *world) output(args ...string) []byte {
	w.Helper()
	path, err := harness.Binary(w.Plugin())
	w.must(err)
	cmd := exec.CommandContext(w.Context(), path, append(args, "-c", w.ConfigPath)...)
	out, err := cmd.Output()
	if err != nil {
		w.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return out
}

// The recipients that explain names before a request is made are notified of it, and
// nobody else is; after that it finds their messages, and nothing that is due.
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

// What preview shows is what is posted, and nothing is posted for it.
func TestPreviewIsWhatIsPosted(t *testing.T) {
	for _, service := range harness.Services() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			w := start(t, harness.Options{Service: service, Halted: true})
			place := w.Service().Places()[0]
			w.Cluster.Annotate(role, w.Annotations(place))
			id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{role}, Reason: "INC-1 <@everyone> *bold*"})
			w.must(err)
			text := string(w.output("preview", "--request", id))
			if strings.Contains(text, w.Service().Token()) {
				t.Error("preview prints a secret")
			}
			if n := w.Service().Calls(w.Methods().Post); n > 0 {
				t.Errorf("preview makes %d calls that post", n)
			}
			for _, part := range []string{"INC-1", cluster.Alice, role, "POST "} {
				if !strings.Contains(text, part) {
					t.Errorf("no %q in\n%s", part, text)
				}
			}
			t.Log(text)
		})
	}
}
