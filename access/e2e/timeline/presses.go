package timeline

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// Presses is what came of what people pressed.
type Presses struct {
	// Made is how many presses there were, and Reviews how many reviews came of them.
	Made    int `json:"made"`
	Reviews int `json:"reviews"`
	// TooMany is how many of those reviews there should not be: a second one of the same
	// person, one that the person did not press or must not make.
	TooMany int `json:"too_many"`
	// Unheard is how many presses there were whose outcome the person did not see, and
	// Excused how many of those met a process that was killed or that the service had cut
	// off.
	Unheard int `json:"unheard"`
	Excused int `json:"excused"`
	// Late is how many presses were not acknowledged within the service's time, without
	// such an excuse.
	Late int `json:"late"`
}

// Add adds what came of others; there may be none.
func (p *Presses) Add(others *Presses) {
	if others == nil {
		return
	}
	p.Made += others.Made
	p.Reviews += others.Reviews
	p.TooMany += others.TooMany
	p.Unheard += others.Unheard
	p.Excused += others.Excused
	p.Late += others.Late
}

// kept reports whether nothing went wrong.
func (p *Presses) kept() bool {
	return p == nil || p.TooMany == 0 && p.Late == 0 && p.Unheard == p.Excused
}

// presser is a service at which people press buttons; nil where nobody can.
func presser(s farend.Service) farend.PressFaults {
	far, _ := s.Simulate(farend.Options{}).(farend.PressFaults)
	return far
}

// pressers are all of them.
func pressers() (all []farend.PressFaults) {
	for _, name := range harness.Services() {
		if s, err := harness.Find(name); err == nil && presser(s) != nil {
			all = append(all, presser(s))
		}
	}
	return all
}

// hookable are services that can deliver presses by HTTP.
func hookable(s farend.Service) bool { return s.CanHook }

func hook(_ *World, o *harness.Options) { o.FarEnd.Hook = true }

// presses are rows in which people press buttons.
func presses() []Row {
	return slices.Concat(disturbances(), standings(), []Row{
		{
			Name: "press by the requester", Promise: "refused before the cluster is asked", Run: func(w *World) {
				id := w.pressable(1)[0]
				w.refused(farend.Press{Person: cluster.Alice, Request: id, Verdict: "approve"}, "their own request")
				w.askedFor(0)
				w.becomes(id, reviewers...)
			},
		},
		{
			Name: "press by one whom the cluster does not let review", Promise: "the cluster refuses the review, and the person hears that", Run: func(w *World) {
				w.Cluster.AddUser(cluster.Dave, []string{"requester"}, nil)
				w.people.barred[cluster.Dave] = true
				id := w.pressable(1)[0]
				w.refused(farend.Press{Person: cluster.Dave, Request: id, Verdict: "deny"}, "does not let "+cluster.Dave)
				w.becomes(id, cluster.Bob, cluster.Carol)
			},
		},
		{Name: "press on a request that has ended, before its message says so", Promise: "the person hears how it ended; nothing is submitted", Run: endedRequests},
		{Name: "press on another request's message", Promise: "refused before the cluster is asked", Run: othersMessage},
		{Name: "forged presses", Promise: "none becomes a review, or reaches the cluster as one", Setup: askReasons, Run: forged},
		{Name: "presses by HTTP: forged, signed wrongly, old", Promise: "as before", Only: hookable, Setup: hookAsking, Run: forged},
		{
			Name: "presses sent again, at once and after a restart, with 2 replicas", Promise: "one review for each, and one submission",
			Setup: func(_ *World, o *harness.Options) { o.Replicas = 2 }, Run: replayed,
		},
		{Name: "presses by HTTP, recorded and sent again", Promise: "as before", Only: hookable, Setup: hook, Run: replayed},
		{
			Name: "2 replicas, everybody presses twice at the same moment", Promise: "one review of each person",
			Setup: func(_ *World, o *harness.Options) { o.Replicas = 2 }, Run: twiceAtOnce,
		},
		{Name: "Auth Service away during presses", Promise: "people hear that within 12 s, and the same press counts when it is back", Run: clusterStopped},
		{Name: "black hole to the cluster during presses", Promise: "as before", Run: clusterSilent},
		{Name: "Auth Service goes away in the midst of presses", Promise: "as before; a review that was taken is not made twice", Repeat: 5, Run: clusterLeaves},
		{Name: "answer to the review lost, 3 times", Promise: "looked up: the person hears that it was taken, and it is there once", Run: lostReviews},
		{Name: "flood of presses during a burst of requests", Promise: "each request is announced within 3 s; everybody hears", Run: flood},
		{Name: "presses by HTTP: a flood", Promise: "as before", Only: hookable, Setup: hook, Run: flood},
		{Name: "kill -9 between press and review, and restart", Promise: "at most one review; pressed again, it is there", Repeat: 3, Run: killedAmid},
		{Name: "presses by HTTP: kill -9 between press and review, and restart", Promise: "as before", Only: hookable, Setup: hook, Repeat: 3, Run: killedAmid},
		{Name: "SIGTERM between press and review, and restart", Promise: "what was acknowledged is answered before the end", Repeat: 3, Run: stoppedAmid},
	})
}

// askReasons has the plugin ask for the reason of a denial in a dialog.
func askReasons(_ *World, o *harness.Options) { o.Review["reason"] = "deny" }

func hookAsking(w *World, o *harness.Options) {
	hook(w, o)
	askReasons(w, o)
}

func endedRequests(w *World) {
	ids := w.pressable(4)
	w.fault(fault.Fault{Method: w.Methods().Edit, Effect: fault.Status, HTTPStatus: 503})
	w.must(w.Cluster.Decide(ids[0], approved, "fine"))
	w.must(w.Cluster.Decide(ids[1], types.RequestState_DENIED, "no"))
	w.must(w.Cluster.Promote(ids[2], "The Night Watch"))
	w.expire(true, ids[3])
	for i, text := range []string{"already approved", "already denied", "already promoted", "has expired"} {
		for _, person := range []string{cluster.Bob, cluster.Carol} {
			w.refused(farend.Press{Person: person, Request: ids[i], Verdict: "approve"}, text)
		}
	}
	w.askedFor(0)
	w.clearFaults()
}

func othersMessage(w *World) {
	ids := w.pressable(2)
	for _, verdict := range []string{"approve", "deny"} {
		w.refused(farend.Press{Person: cluster.Bob, Request: ids[1], On: ids[0], Verdict: verdict}, "not one that the plugin posted")
	}
	w.askedFor(0)
	w.becomes(ids[0], reviewers...)
	w.becomes(ids[1], cluster.Carol, cluster.Dave)
}

func forged(w *World) {
	id := w.pressable(1)[0]
	for _, f := range w.people.far.Forgeries() {
		ctx, cancel := w.patient()
		if err := f.Send(ctx, farend.Press{Person: cluster.Bob, Request: id, Verdict: "approve", Reason: "forged"}); err != nil {
			w.promise(false, "%s: %v", f.Name, err)
		}
		cancel()
	}
	w.pass(lingering)
	w.askedFor(0)
	w.becomes(id, cluster.Carol, cluster.Dave)
}

func replayed(w *World) {
	ids := w.pressable(of(w, 2, 4))
	var again []func(context.Context) error
	resend := func() {
		var all sync.WaitGroup
		for _, send := range slices.Concat(again, again) {
			all.Go(func() { w.must(send(w.ctx)) })
		}
		all.Wait()
		w.pass(lingering)
	}
	for _, id := range ids {
		for _, person := range reviewers {
			if heard := w.press(farend.Press{Person: person, Request: id, Verdict: "approve"}); heard.Again != nil {
				again = append(again, heard.Again)
			}
		}
	}
	resend()
	w.restart(0, func() error { _, _, err := w.Replica(0).Stop(); return err }, &w.people.deaf)
	resend()
	w.promise(len(again) == len(ids)*len(reviewers), "%d presses were sent again", len(again))
	w.askedFor(len(again))
	w.heal()
}

func twiceAtOnce(w *World) {
	ids := w.pressable(of(w, 3, 4))
	for _, id := range ids {
		var all sync.WaitGroup
		for _, person := range slices.Concat(everybody, everybody) {
			all.Go(func() { w.press(farend.Press{Person: person, Request: id, Verdict: "approve"}) })
		}
		all.Wait()
		for _, person := range reviewers {
			w.promise(w.reviewed(id, person), "%s pressed twice, and there is no review", person)
		}
	}
	w.heal()
}

// lostReviews has the cluster take reviews without an answer, and then not take some.
func lostReviews(w *World) {
	id := w.pressable(1)[0]
	for _, person := range reviewers {
		w.Cluster.AddFailure(cluster.Failure{Method: "SubmitAccessReview", Code: codes.Unavailable, Times: 1, AfterWork: true})
		w.refused(farend.Press{Person: person, Request: id, Verdict: "approve"}, "You approved this request")
	}
	w.Cluster.ClearFailures()
	id = w.pressable(1)[0]
	w.Cluster.AddFailure(cluster.Failure{Method: "SubmitAccessReview", Code: codes.Unavailable, Times: 1})
	w.refused(farend.Press{Person: cluster.Bob, Request: id, Verdict: "approve"}, "press again")
	w.promise(!w.reviewed(id, cluster.Bob), "there is a review that the cluster did not take")
	w.becomes(id, reviewers...)
	w.heal()
}

// flood has everybody press as fast as a script does.
func flood(w *World) {
	ids := w.pressable(4)
	calm := w.slowest(5)
	var all sync.WaitGroup
	each, times := of(w, 20, 40), of(w, 4, 20)
	for i := range each * len(everybody) {
		person := everybody[i%len(everybody)]
		all.Go(func() {
			for n := range times {
				w.press(farend.Press{Person: person, Request: ids[(i+n)%len(ids)], Verdict: "approve"})
			}
		})
	}
	busy := w.slowest(of(w, 10, 40))
	all.Wait()
	w.promise(busy < 3*time.Second, "a request waited for %v, and for %v without the flood", busy.Round(time.Millisecond), calm.Round(time.Millisecond))
	w.heal()
}

// slowest makes requests, one after the other, and returns how long one waited at most
// until it was announced everywhere.
func (w *World) slowest(n int) (most time.Duration) {
	for range n {
		id, began := w.create(1)[0], time.Now()
		w.until("the request is announced", func() bool {
			time.Sleep(10 * time.Millisecond)
			return w.failed() != nil || w.Judge(harness.Expected{ID: id, Recipients: w.everyone()}).Lost == 0
		})
		most = max(most, time.Since(began))
	}
	return most
}
