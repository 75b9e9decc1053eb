package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"

	"github.com/gravitational/teleport/api/types"
)

// explanation is what scripts read of the output of explain.
type explanation struct {
	Recipients []struct {
		Recipient, Address, Fault, Why, Due string
		Messages                            []struct{ Channel, ID string }
	}
	Fallback []string
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
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		w.Fatalf("%v: %v\n%s%s", cmd, err, out, &said)
	}
	return out
}

// route is a way in which recipients are chosen.
type route struct {
	name string
	// table is the table of recipients, where the service has one, for the places a and
	// b; annotate says that the annotation that the service itself reads names a.
	table    func(a, b string) map[string][]string
	annotate bool
	alone    bool                                 // suggested reviewers are not told beside
	further  func(a, b string) string             // more TOML
	prepare  func(w *world, a, b string)          // in the cluster
	request  func(p *cluster.CreateParams)        // what is asked for beside the role
	ask      []string                             // the same for explain
	want     func(a, b string, all bool) []string // who is told; all: the service reads annotations, and has no table
}

func table(pairs ...string) func(a, b string) map[string][]string {
	return func(a, b string) map[string][]string {
		t := make(map[string][]string)
		for i := 0; i < len(pairs); i += 2 {
			t[pairs[i]] = []string{map[string]string{"a": a, "b": b, "-": farend.Nowhere}[pairs[i+1]]}
		}
		return t
	}
}

func rule(condition string) func(*world, string, string) {
	return func(w *world, _, b string) {
		w.must(w.Cluster.PutRule(cluster.Rule{Name: "r", Condition: condition, Plugin: w.Plugin(), Recipients: []string{b}}))
	}
}

// node is a resource of the sandbox with the label env=prod.
const node = "6a1f0b0e-5d3c-4e7a-9c55-0d7c1f6a2b31"

func onNode(p *cluster.CreateParams) {
	p.Resources = []types.ResourceID{{ClusterName: cluster.DefaultName, Kind: types.KindNode, Name: node}}
}

func onlyA(a, _ string, _ bool) []string  { return []string{a} }
func onlyB(_, b string, _ bool) []string  { return []string{b} }
func bothAB(a, b string, _ bool) []string { return []string{a, b} }

func routes() []route {
	return []route{
		{name: "the table, or the service's annotation", table: table("*", "b", role, "a"), annotate: true, want: onlyA},
		{name: "everything else", table: table("*", "a", "other", "b"), annotate: true, want: onlyA},
		{name: "a rule", table: table("*", "a"), annotate: true, alone: true, prepare: rule(`contains_any(access_request.spec.roles, set("` + role + `"))`), want: onlyB},
		{name: "a rule that does not match", table: table("*", "a"), annotate: true, prepare: rule(`contains_any(access_request.spec.roles, set("x"))`), want: onlyA},
		{name: "a rule that is not understood", table: table("*", "a"), annotate: true, prepare: rule(`no_such_function(1)`), want: bothAB},
		{name: "an annotation", table: table("*", "a"), further: func(_, _ string) string { return "[routing]\nannotation = \"who\"\n" }, prepare: func(w *world, _, b string) {
			w.annotate(map[string][]string{"who": {b}})
		}, want: onlyB},
		{name: "a label", table: table("*", "a"), further: func(_, b string) string { return fmt.Sprintf("[routing.labels]\n\"env=prod\" = %q\n", b) }, request: onNode, ask: []string{"--resource", "node/" + node}, want: onlyB},
		{name: "a label that the resource lacks", table: table("*", "a"), annotate: true, further: func(_, b string) string { return fmt.Sprintf("[routing.labels]\n\"env=test\" = %q\n", b) }, request: onNode, ask: []string{"--resource", "node/" + node}, want: onlyA},
		{name: "a fallback where nobody is named", table: func(_, _ string) map[string][]string { return map[string][]string{"*": {}, role: {}} }, further: func(_, b string) string { return fmt.Sprintf("[routing]\nfallback = %q\n", b) }, want: func(_, b string, all bool) []string {
			if all {
				return []string{b}
			}
			return nil // the table says nobody
		}},
	}
}

// The recipients that explain names before a request is made are notified of it, and
// nobody else is; after that it finds their messages, and nothing that is due.
func TestExplainAgreesWithWhatIsTold(t *testing.T) {
	if testing.Short() {
		t.Skip("compares what is said with what is done, one after the other")
	}
	for _, service := range harness.Services() {
		for _, route := range routes() {
			t.Run(service+"/"+route.name, func(t *testing.T) {
				t.Parallel()
				w := start(t, harness.Options{Service: service, Halted: true})
				a, b := w.Service().Places()[0], w.Service().Places()[1]
				further := harness.ShortTimes
				if route.further != nil {
					further += "\n" + route.further(a, b)
				}
				w.must(w.Configure(route.table(a, b), further))
				if route.annotate {
					w.annotate(w.Annotations(a))
				}
				if route.prepare != nil {
					route.prepare(w, a, b)
				}
				want := route.want(a, b, len(w.Annotations(a)) > 0)
				w.agrees(route, want)
			})
		}
	}
}

// annotate annotates the role that is asked for, and the one that lets people ask.
func (w *world) annotate(annotations map[string][]string) {
	for _, name := range []string{role, "requester"} {
		w.Cluster.Annotate(name, annotations)
	}
}

// agrees makes a request, and compares what explain says before and after with what is
// told.
func (w *world) agrees(route route, want []string) {
	w.Helper()
	people := []string{cluster.Alice, cluster.Bob} // who asks, and who is suggested
	if route.alone {
		people = people[:1]
	}
	for _, user := range people {
		if person := w.Person(user); person != "" && !slices.Contains(want, person) {
			want = append(want, person)
		}
	}
	before := w.explain(append([]string{"--user", cluster.Alice, "--role", role, "--reviewer", cluster.Bob}, route.ask...)...)
	foreseen := make([]string, 0, len(before.Recipients))
	for _, r := range before.Recipients {
		if r.Fault != "" || r.Why == "" || r.Due != "tell announce.0" {
			w.Errorf("before: %+v", r)
		}
		foreseen = append(foreseen, cmp.Or(w.Person(r.Recipient), r.Recipient)) // of an e-mail address
	}
	w.must(w.StartReplicas())
	params := cluster.CreateParams{User: cluster.Alice, Roles: []string{role}, SuggestedReviewers: []string{cluster.Bob}}
	if route.request != nil {
		route.request(&params)
	}
	id, err := w.Cluster.CreateRequest(params)
	w.must(err)
	if len(want) > 0 {
		w.must(w.Settled(w.Context(), id))
	} else { // nothing says that nobody is told: stopping finishes what is under way
		w.must(w.Replica(0).Ready(w.Context()))
		_, _, err := w.Replica(0).Stop()
		w.must(err)
	}
	var told []string
	for _, s := range w.Sights() {
		if s.Request == id && !slices.Contains(told, s.Place) {
			told = append(told, s.Place)
		}
	}
	slices.Sort(want)
	slices.Sort(foreseen)
	if !slices.Equal(foreseen, want) || len(told) != len(want) {
		w.Errorf("wanted are %q, explain names %q, told are %q", want, foreseen, told)
	}
	after := w.explain("--request", id)
	for _, r := range after.Recipients {
		if len(r.Messages) != 1 || r.Due != "" || !slices.Contains(told, r.Messages[0].Channel) {
			w.Errorf("after: %+v", r)
		}
	}
	if len(after.Recipients) != len(want) {
		w.Errorf("after it names %+v", after.Recipients)
	}
}

// A recipient that the service does not know is no way to lose a request: the fallback
// hears of it within seconds, and explain names it beforehand.
func TestTheFallbackIsToldWhereNobodyElseCanBe(t *testing.T) {
	for _, service := range harness.Services() {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			w := start(t, harness.Options{Service: service, Halted: true})
			b := w.Service().Places()[1]
			w.must(w.Configure(map[string][]string{"*": {farend.Nowhere}}, harness.ShortTimes+fmt.Sprintf("\n[routing]\nfallback = %q\n", b)))
			w.annotate(w.Annotations(farend.Nowhere))
			if e := w.explain("--user", cluster.Dave, "--role", role); !slices.Equal(e.Fallback, []string{b}) || e.Recipients[0].Recipient != farend.Nowhere {
				t.Errorf("%+v", e)
			}
			w.must(w.StartReplicas())
			id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Dave, Roles: []string{role}})
			w.must(err)
			told := []string{b}
			if person := w.Person(cluster.Dave); person != "" {
				told = append(told, person)
			}
			w.shows(harness.Expected{ID: id, Recipients: told})
			if _, err := w.Replica(0).Logged(t.Context(), "those of the fallback are notified", time.Time{}); err != nil {
				t.Error(err)
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
			id, err := w.Cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{role}, Reason: "INC-1 <@everyone> *bold*", SuggestedReviewers: []string{"ivan@example.com"}})
			w.must(err)
			text := string(w.output("preview", "--request", id))
			if strings.Contains(text, w.Service().Token()) {
				t.Error("preview prints a secret")
			}
			if n := w.Service().Calls(w.Methods().Post); n > 0 {
				t.Errorf("preview makes %d calls that post", n)
			}
			call := "MAIL "
			if strings.HasPrefix(w.Service().URL(), "http") {
				call = "POST "
			}
			for _, part := range []string{"INC-1", cluster.Alice, role, call, "ivan"} {
				if !strings.Contains(text, part) {
					t.Errorf("no %q in\n%s", part, text)
				}
			}
			t.Log(text)
		})
	}
}
