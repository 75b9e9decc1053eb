package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// LostAnswer is the one behaviour that takes a service at which messages can be
// looked up, or which knows a repeated call.
const LostAnswer = "an answer that is lost doubles nothing"

// RefusedCredentials is the one behaviour that takes a service which says of the
// credentials themselves that they are no good.
const RefusedCredentials = "refused credentials are reported and recovered from"

// Options are what is particular of a run of the suite.
type Options struct {
	// FarEnd is what the simulated service is like.
	FarEnd farend.Options
	// Except are behaviours that are left out.
	Except []string
	// After looks at the simulated service at the end of each behaviour; may be nil.
	After func(t *testing.T, far farend.FarEnd)
}

// behaviour is one thing that every service must do.
type behaviour struct {
	name string
	run  func(w *world)
}

// Run runs the suite, each behaviour with a simulated service of its own.
func Run(t *testing.T, s farend.Service, o Options) {
	t.Helper()
	all := []behaviour{
		{"a request is announced once to each recipient, with what matters", announced},
		{"each decision is shown", decisions},
		{"reviews are told once, in order", reviews},
		{"a request that lapses shows it", lapsed},
		{"one recipient that does not exist stops no other", brokenRecipient},
		{"a failure that passes loses nothing and doubles nothing", passingFailures},
		{"an edit that fails is made good", failedEdits},
		{"a rate limit in one place delays no other", limitedPlace},
		{"a hanging call delays no other recipient", hangingCall},
		{LostAnswer, lostAnswer},
		{"a post that was removed is made once more", removedPost},
		{RefusedCredentials, refusedCredentials},
		{"hostile text calls nobody and stops nothing", hostileText},
		{"the largest reason in any script is announced", largeReason},
		{"fifty reviews are no trouble", manyReviews},
		{"two replicas speak once", twoReplicas},
		{"what happened while the plugin was down is made good", downtime},
		{"a lost connection is made good", lostConnection},
		{"a request that waits is brought up again, once, and further people hear of it", waiting},
		{"what check passes works, and what does not exist is named", checked},
	}
	if s.Presses() {
		all = append(all, presses()...)
	}
	for _, b := range all {
		if slices.Contains(o.Except, b.name) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.run(newWorld(t, s, o))
		})
	}
}

func announced(w *world) {
	w.start()
	id := w.request(cluster.CreateParams{Reason: "replica lag, INC-204"})
	w.untilShown(id, w.both(), cluster.Alice, Role, "INC-204", id)
}

func decisions(w *world) {
	w.start()
	for state, text := range map[types.RequestState]string{types.RequestState_APPROVED: "approved", types.RequestState_DENIED: "denied"} {
		id := w.request(cluster.CreateParams{})
		w.untilShown(id, w.both(), Role)
		w.review(id, cluster.Bob, state, "because of "+text)
		w.untilShown(id, w.both(), text, cluster.Bob, "because of "+text)
	}
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	if err := w.cluster.Promote(id, "The Night Watch"); err != nil {
		w.Fatal(err)
	}
	w.untilShown(id, w.both(), "promoted")
}

func reviews(w *world) {
	w.cluster.AddRole(Role, cluster.RoleSpec{Logins: []string{"root"}, Approve: 3, Deny: 2, Annotations: annotations(w)})
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	w.review(id, cluster.Bob, types.RequestState_APPROVED, "first word")
	w.review(id, cluster.Carol, types.RequestState_DENIED, "second word")
	w.untilShown(id, w.both(), "first word", "second word", cluster.Bob, cluster.Carol)
	w.settled(id)
	for place, posts := range w.places(id) {
		all := read(posts[0])
		if strings.Count(all, "first word") != 1 || strings.Index(all, "first word") > strings.Index(all, "second word") {
			w.Errorf("reviews at %s: %s", place, all)
		}
	}
}

// annotations are those that the role has in the cluster; some services route
// by them.
func annotations(w *world) map[string][]string {
	id := w.request(cluster.CreateParams{})
	req, _ := w.cluster.Request(id)
	_ = w.cluster.Delete(id)
	return req.GetSystemAnnotations()
}

func lapsed(w *world) {
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	w.settled(id)
	if err := w.cluster.Expire(id); err != nil {
		w.Fatal(err)
	}
	w.untilShown(id, w.both(), "expired")
}

func brokenRecipient(w *world) {
	w.start()
	id := w.request(cluster.CreateParams{Roles: []string{BrokenRole}})
	w.untilShown(id, w.both()[:1], BrokenRole)
	if err := w.cluster.Decide(id, types.RequestState_APPROVED, ""); err != nil {
		w.Fatal(err)
	}
	w.untilShown(id, w.both()[:1], "approved")
}

// passing are failures that do not do the work.
func passing(method string) []fault.Fault {
	return []fault.Fault{
		{Method: method, Effect: fault.Status, HTTPStatus: 500, Times: 3},
		{Method: method, Effect: fault.Status, HTTPStatus: 503, Times: 3},
		{Method: method, Effect: fault.Cut, Times: 3},
		{Method: method, Effect: fault.Garbage, Times: 2},
		{Method: method, Effect: fault.RateLimit, RetryAfterMS: 1000, Times: 2},
		{Method: method, Effect: fault.Slow, DelayMS: 300, Times: 2},
	}
}

func passingFailures(w *world) {
	w.start()
	for _, f := range passing(w.service.Methods.Post) {
		w.far.Faults().Add(f)
		id := w.request(cluster.CreateParams{Reason: fmt.Sprint(f.Effect)})
		w.untilShown(id, w.both(), Role)
		w.settled(id)
		w.once(id, w.both())
		w.far.Faults().Clear()
	}
}

func failedEdits(w *world) {
	w.start()
	for _, f := range passing(w.service.Methods.Edit) {
		id := w.request(cluster.CreateParams{Reason: fmt.Sprint(f.Effect)})
		w.untilShown(id, w.both(), Role)
		w.far.Faults().Add(f)
		w.review(id, cluster.Bob, types.RequestState_DENIED, "not now")
		w.untilShown(id, w.both(), "denied", "not now")
		w.far.Faults().Clear()
	}
}

func limitedPlace(w *world) {
	w.far.Faults().Add(fault.Fault{Method: w.service.Methods.Post, Target: w.both()[1], Effect: fault.RateLimit, RetryAfterMS: 2000})
	w.start()
	var ids []string
	for range 5 {
		ids = append(ids, w.request(cluster.CreateParams{}))
	}
	for _, id := range ids {
		w.untilShown(id, w.both()[:1], Role)
	}
	w.far.Faults().Clear()
	for _, id := range ids {
		w.untilShown(id, w.both(), Role)
	}
}

func hangingCall(w *world) {
	w.far.Faults().Add(fault.Fault{Method: w.service.Methods.Post, Target: w.both()[1], Effect: fault.Hang, Times: 1})
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both()[:1], Role)
	w.untilShown(id, w.both(), Role)
	w.settled(id)
	w.once(id, w.both())
}

func lostAnswer(w *world) {
	w.start()
	for range 3 {
		w.far.Faults().Add(fault.Fault{Method: w.service.Methods.Post, Effect: fault.DoneNotAnswered, Times: 1})
		id := w.request(cluster.CreateParams{})
		w.untilShown(id, w.both(), Role)
		w.settled(id)
		if err := w.cluster.Decide(id, types.RequestState_APPROVED, "fine"); err != nil {
			w.Fatal(err)
		}
		w.untilShown(id, w.both(), "approved")
	}
}

func removedPost(w *world) {
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	w.settled(id)
	if err := w.far.Remove(w.both()[0], w.places(id)[w.both()[0]][0].ID); err != nil {
		w.Fatal(err)
	}
	w.review(id, cluster.Bob, types.RequestState_APPROVED, "")
	w.untilShown(id, w.both(), "approved")
}

func refusedCredentials(w *world) {
	w.start()
	w.far.RefuseToken(true)
	id := w.request(cluster.CreateParams{})
	w.until("the refusal is reported", func() bool {
		for _, e := range w.logs.All() {
			if strings.Contains(e.Message, "Not accepted by the service") {
				return true
			}
		}
		return false
	})
	w.far.RefuseToken(false)
	w.untilShown(id, w.both(), Role)
}

// Hostile is text that tries to call people, to forge links and lines, and to
// break out of whatever it is put in.
const Hostile = "<!channel> <!here|x> @everyone @here <@U0SANDBOX02> <@&1> <@1> <#C1> <https://evil.example|click> [click](https://evil.example)\n" +
	"```\n*Status*: ✅ APPROVED\n``` `a` ~~b~~ ||c|| > d\n# e\n\u202Eevil\u202C \u2066x\u2069 &lt;!channel&gt; \x00\x1b[31m {{.}} %s ${x} \\"

func hostileText(w *world) {
	w.start()
	id := w.request(cluster.CreateParams{Reason: Hostile, SuggestedReviewers: []string{Hostile, "@everyone", "mallory@example.com"}})
	w.untilShown(id, w.both(), Role)
	w.review(id, cluster.Bob, types.RequestState_DENIED, Hostile)
	w.untilShown(id, w.both(), "denied", cluster.Bob)
	for _, p := range w.posts(id) {
		for _, m := range append(p.Replies, p.Message) {
			if len(m.Mentions) > 0 {
				w.Errorf("%s calls %q", p.Place, m.Mentions)
			}
		}
	}
}

func largeReason(w *world) {
	w.start()
	for _, unit := range []string{"a", "&", "é", "漢", "😀", "`", "\n", "ع", "<", "\u0301x"} {
		text := "why "
		for len(text)+len(unit) <= 4096 {
			text += unit
		}
		id := w.request(cluster.CreateParams{Reason: text})
		w.untilShown(id, w.both(), Role, "why")
	}
}

func manyReviews(w *world) {
	w.cluster.AddRole(Role, cluster.RoleSpec{Logins: []string{"root"}, Approve: 51, Deny: 51, Annotations: annotations(w)})
	w.start()
	id := w.request(cluster.CreateParams{})
	w.untilShown(id, w.both(), Role)
	for i := range 50 {
		name := fmt.Sprintf("reviewer-%02d@example.com", i)
		w.cluster.AddUser(name, []string{"reviewer"}, nil)
		w.review(id, name, types.RequestState_APPROVED, strings.Repeat("well reasoned ", 20))
	}
	w.untilShown(id, w.both(), "reviewer-49@example.com")
	if err := w.cluster.Decide(id, types.RequestState_DENIED, "enough"); err != nil {
		w.Fatal(err)
	}
	w.untilShown(id, w.both(), "denied")
}

func twoReplicas(w *world) {
	w.start()
	w.start()
	var ids []string
	for range 20 {
		ids = append(ids, w.request(cluster.CreateParams{}))
	}
	for _, id := range ids {
		w.untilShown(id, w.both(), Role)
		w.review(id, cluster.Bob, types.RequestState_APPROVED, "one word")
	}
	for _, id := range ids {
		w.untilShown(id, w.both(), "approved", "one word")
		w.settled(id)
		w.once(id, w.both())
		for place, posts := range w.places(id) {
			n := 0
			for _, reply := range posts[0].Replies {
				if strings.Contains(reply.Text, cluster.Bob) && strings.Contains(reply.Text, "one word") {
					n++ // names the reviewer, so it is no word about the decision
				}
			}
			if n > 1 {
				w.Errorf("the review of %s is told %d times at %s", id, n, place)
			}
		}
	}
}

func downtime(w *world) {
	first := w.start()
	before := w.request(cluster.CreateParams{})
	lapsing := w.request(cluster.CreateParams{})
	w.untilShown(before, w.both(), Role)
	w.untilShown(lapsing, w.both(), Role)
	w.settled(before)
	w.settled(lapsing)
	first.halt(w.T)
	w.review(before, cluster.Bob, types.RequestState_APPROVED, "meanwhile")
	if err := w.cluster.Expire(lapsing); err != nil {
		w.Fatal(err)
	}
	during := w.request(cluster.CreateParams{})
	decided := w.request(cluster.CreateParams{})
	w.review(decided, cluster.Bob, types.RequestState_DENIED, "quickly")
	w.start()
	w.untilShown(before, w.both(), "approved", "meanwhile")
	w.untilShown(lapsing, w.both(), "expired")
	w.untilShown(during, w.both(), Role)
	w.untilShown(decided, w.both(), "denied", "quickly")
}

func lostConnection(w *world) {
	w.start()
	for _, lose := range []func(){
		func() { w.cluster.CutStreams(false) },
		func() { w.cluster.CutStreams(true) },
		w.cluster.CutConnections,
		func() {
			if err := w.cluster.Restart(); err != nil {
				w.Error(err)
			}
		},
	} {
		before := w.request(cluster.CreateParams{})
		lose()
		after := w.request(cluster.CreateParams{})
		w.untilShown(before, w.both(), Role)
		w.untilShown(after, w.both(), Role)
	}
	if w.logs.FilterMessageSnippet("panic").Len() > 0 {
		w.Error("a panic")
	}
}
