package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// The verdicts of a press.
const (
	approve = "approve"
	deny    = "deny"
)

const (
	// seen is how old a request is at least that somebody presses about, and fresh how
	// old most of those are at most.
	seen, fresh = 3 * time.Second, 40 * time.Second
	// often is how many presses there are about one that waits: after some of them it
	// will be decided.
	often = 4
	// manyPresses is how often somebody presses within personTime at most at a service:
	// less often than the plugins allow, whose count begins anew with each start.
	manyPresses, personTime = 15, 65 * time.Second
	// patience is how long somebody looks for an answer: longer than the plugins take.
	patience = 20 * time.Second
)

// hand is what a person presses with at a service: one button at a time.
type hand struct{ service, person string }

// press is one press of a button, and what came of it.
type press struct {
	request                 *request
	side                    *side
	person, verdict, reason string
	from, to                time.Time
	// listeners is how many connections the plugin had when it began.
	listeners int
	saw       []string
	err       error
}

func (p *press) String() string {
	return fmt.Sprintf("%s by %s at %s, %q", p.verdict, p.person, p.side.name, p.reason)
}

func outsiders() []string { return []string{farend.Guest, farend.Unknown, farend.Former} }

// press plans that somebody presses a button: mostly of a request that waits, at times
// of one that is decided or gone, twice at once, or at all services at once.
func (p *plan) press(at time.Duration) {
	r := p.announced(at)
	if r == nil || len(p.buttons) == 0 {
		return
	}
	person, verdict, where := one(p.rng, people()), approve, []string{one(p.rng, p.buttons)}
	if p.rng.IntN(6) == 0 {
		person = one(p.rng, outsiders())
	}
	if p.rng.IntN(4) == 0 {
		verdict = deny
	}
	switch p.rng.IntN(12) {
	case 0:
		where = append(where, where[0])
	case 1:
		where = p.buttons
	}
	stale, reason := p.rng.IntN(3) == 0, fmt.Sprintf("pr-%s-%d", r.id[:13], p.rng.IntN(1000))
	if !p.mayPress(at, person, where) {
		return
	}
	r.tried++
	p.add(at, func(w *world) error {
		w.press(r, where, press{person: person, verdict: verdict, reason: reason}, stale)
		return nil
	},
		"press %s of %s by %s at %s, stale %v, reason %s", verdict, r.id, person, where, stale, reason)
}

// announced picks a request whose messages people may have seen: most often one that
// waits for a decision.
func (p *plan) announced(at time.Duration) *request {
	waits := p.rng.IntN(10) < 8
	var from []*request
	for _, r := range p.requests {
		if r.planned < at-seen && (!waits || r.open() && r.planned > at-fresh && r.tried < often) {
			from = append(from, r)
		}
	}
	if len(from) == 0 {
		return nil
	}
	return one(p.rng, from)
}

// mayPress reports whether a person has not pressed too often, and counts it.
func (p *plan) mayPress(at time.Duration, person string, where []string) bool {
	for _, service := range where {
		h := hand{service, person}
		p.pressed[h] = slices.DeleteFunc(p.pressed[h], func(t time.Duration) bool { return t < at-personTime })
		if len(p.pressed[h]) > manyPresses-len(where) {
			return false
		}
	}
	for _, service := range where {
		h := hand{service, person}
		p.pressed[h] = append(p.pressed[h], at)
	}
	return true
}

// press has a person press at the services, in the background, unless they still wait
// for the answer to an earlier press there.
func (w *world) press(r *request, where []string, made press, stale bool) {
	var free []func()
	for _, service := range slices.Compact(slices.Clone(where)) {
		busy := w.hands[hand{service, made.person}]
		if !busy.TryLock() {
			w.tally.add("waited still for an earlier answer")
			for _, let := range free {
				let()
			}
			return
		}
		free = append(free, busy.Unlock)
	}
	if len(where) > 1 {
		w.journal.add(mark{request: r.id, class: ofPress, text: fmt.Sprintf("%s presses at %s at once", made.person, where)})
	}
	w.background.Go(func() {
		var all sync.WaitGroup
		for _, service := range where {
			all.Go(func() {
				p := made
				p.request, p.side = r, w.side(service)
				w.pressOne(&p, stale)
			})
		}
		all.Wait()
		for _, let := range free {
			let()
		}
	})
}

// pressOne presses once, and keeps what came of it.
func (w *world) pressOne(p *press, stale bool) {
	far := p.side.Service().(farend.PressFaults)
	p.listeners, _ = far.Connected()
	p.request.work(1)
	defer p.request.work(-1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.from = time.Now()
	heard, err := far.Try(ctx, farend.Press{Person: p.person, Request: p.request.id, Verdict: p.verdict, Reason: p.reason, Stale: stale})
	p.saw, p.err, p.to = heard.Saw, err, time.Now()
	if errors.Is(p.err, farend.ErrNoButton) {
		w.tally.add("saw no button")
		return
	}
	p.request.note(false, "press: %v, begun %s, saw %q, %v", p, clock(p.from), p.saw, p.err)
	w.ask(p.request)
	p.request.mu.Lock()
	p.request.presses = append(p.request.presses, p)
	p.request.mu.Unlock()
	w.examine(p)
}

// work counts the presses that are on their way.
func (r *request) work(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.working += n
	r.touched = r.touched || n > 0
}

// pressedBy reports whether somebody has ever pressed a button of the request, or places
// may have decided it.
func (r *request) pressedBy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.touched || r.put
}

// truth is what the cluster says of a request, or has said last.
type truth struct {
	gone    bool
	state   string
	reviews []types.AccessReview
	// maybe says that a press was on its way when the request was deleted, or an answer of
	// a place, which may have decided it before.
	maybe bool
}

// authors are those of the reviews, in their order.
func (t truth) authors() (names []string) {
	for _, r := range t.reviews {
		names = append(names, r.Author)
	}
	return names
}

// ask asks the cluster for a request, and remembers the answer.
func (w *world) ask(r *request) truth {
	r.mu.Lock()
	defer r.mu.Unlock()
	return w.askLocked(r)
}

func (w *world) askLocked(r *request) truth {
	req, ok := w.cluster.Request(r.id)
	if ok {
		r.last = truth{state: req.GetState().String(), reviews: req.GetReviews()}
		return r.last
	}
	t := r.last
	if t.gone = true; t.state == "" {
		t.state = pending
	}
	return t
}

// preempted reports whether a step cannot be taken any more because somebody has
// pressed a button before.
func (w *world) preempted(r *request) bool {
	req, ok := w.cluster.Request(r.id)
	if !r.pressedBy() || ok && req.GetState().IsPending() {
		return false
	}
	r.note(false, "what was planned is not done: a press came first")
	return true
}

// tally counts things by their names.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[string]int)
	}
	t.counts[name]++
}

// admit makes the outsiders whom Teleport knows, and gives everybody their hands.
func (w *world) admit() {
	for _, user := range []string{farend.Guest, farend.Unknown} {
		w.cluster.AddUser(user, []string{"requester", cluster.ReviewerRole}, nil)
	}
	w.hands = make(map[hand]*sync.Mutex)
	for _, service := range w.plan.buttons {
		for _, person := range slices.Concat(people(), outsiders()) {
			w.hands[hand{service, person}] = new(sync.Mutex)
		}
	}
}
