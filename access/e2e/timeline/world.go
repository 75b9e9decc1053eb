package timeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
)

// World is a harness.World that keeps count of what people should see. Its
// methods do nothing once one of them has failed, so that rows read as what
// happens; the first failure is the row's.
type World struct {
	*harness.World

	ctx     context.Context
	service string
	full    bool
	halted  bool // the row starts the replicas by itself
	role    string
	people  *people  // who press buttons, if anybody does
	places  []string // where requests are announced, as the config names them
	rng     *rand.Rand

	expected  []harness.Expected
	index     map[string]int // of a request in expected
	requests  int
	mayDouble int
	healed    time.Time // when the last fault ended
	took      time.Duration
	verdict   harness.Verdict
	broken    []string
	logs      string

	mu  sync.Mutex // guards err and broken, which disturbances look at beside the work
	err error
}

// must notes the first failure.
func (w *World) must(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// failed is the first failure, or nil.
func (w *World) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// promise notes what was promised and does not hold.
func (w *World) promise(holds bool, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !holds && w.err == nil {
		w.broken = append(w.broken, fmt.Sprintf(format, args...))
	}
}

// of chooses between the value of a quick run and of a full one.
func of[T any](w *World, quick, full T) T {
	if w.full {
		return full
	}
	return quick
}

// patient is a context for what must come.
func (w *World) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.ctx, patience)
}

// patience is how long what must come may take. It is a bound for broken code
// and no measure of speed.
const patience = 2 * time.Minute

// until waits for something that nobody announces.
func (w *World) until(what string, done func() bool) {
	if w.failed() != nil {
		return
	}
	ctx, cancel := w.patient()
	defer cancel()
	for !done() {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			w.must(fmt.Errorf("waiting until %s: %w", what, ctx.Err()))
			return
		}
	}
}

// pass lets time pass.
func (w *World) pass(d time.Duration) {
	if w.failed() != nil {
		return
	}
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
		w.must(w.ctx.Err())
	}
}

// heal marks the end of the last fault.
func (w *World) heal() { w.healed = time.Now() }

// everyone are all who hold a post of a request of alice's.
func (w *World) everyone() []string {
	if requester := w.Person(cluster.Alice); requester != "" {
		return append(slices.Clone(w.places), requester)
	}
	return w.places
}

// create makes requests of alice's, which are to be announced to everyone.
func (w *World) create(n int) (ids []string) {
	for range n {
		ids = append(ids, w.request(cluster.CreateParams{}))
	}
	return ids
}

func (w *World) request(p cluster.CreateParams) (id string) {
	if w.failed() != nil {
		return ""
	}
	recipients := w.places
	if p.User == "" {
		p.User, recipients = cluster.Alice, w.everyone()
	}
	if p.Roles == nil {
		p.Roles = []string{w.role}
	}
	if p.Reason == "" {
		p.Reason = "INC-204, replica lag"
	}
	id, err := w.Cluster.CreateRequest(p)
	w.must(err)
	w.requests++
	w.expect(harness.Expected{ID: id, Recipients: recipients})
	return id
}

func (w *World) expect(e harness.Expected) {
	w.index[e.ID] = len(w.expected)
	w.expected = append(w.expected, e)
}

// expectation is what is expected of a request, to be changed.
func (w *World) expectation(id string) *harness.Expected { return &w.expected[w.index[id]] }

// review reviews a request.
func (w *World) review(id, author string, state types.RequestState) {
	if w.failed() != nil {
		return
	}
	w.must(w.Cluster.Review(id, author, state, "in the name of "+author))
	w.expectation(id).Reviews++
	w.follow(id)
}

// follow takes the state of a request over from the cluster.
func (w *World) follow(id string) {
	if req, ok := w.Cluster.Request(id); ok {
		w.expectation(id).Status = request.Status(req.GetState().String())
	}
}

// approve decides a request by two reviews, deny by one.
func (w *World) approve(ids ...string) {
	for _, id := range ids {
		w.review(id, cluster.Bob, types.RequestState_APPROVED)
		w.review(id, cluster.Carol, types.RequestState_APPROVED)
	}
}

func (w *World) deny(ids ...string) {
	for _, id := range ids {
		w.review(id, cluster.Dave, types.RequestState_DENIED)
	}
}

// expire ends requests; announced says that people have heard of them.
func (w *World) expire(announced bool, ids ...string) {
	for _, id := range ids {
		if w.failed() != nil {
			return
		}
		w.must(w.Cluster.Expire(id))
		w.expectation(id).Status = request.Expired
		if !announced {
			w.expectation(id).Recipients = nil
		}
	}
}

// burst makes n requests in a time, and reviews and decides some of them while
// others are made.
func (w *World) burst(n int, over time.Duration) {
	began, first := time.Now(), len(w.expected)
	for i := range n {
		w.create(1)
		w.act(w.rng.IntN(i+1) + first)
		if due := began.Add(over * time.Duration(i+1) / time.Duration(n)); over > 0 && time.Until(due) > 0 {
			w.pass(time.Until(due))
		}
	}
}

// act does the next thing to a request, or nothing.
func (w *World) act(i int) {
	if w.failed() != nil {
		return
	}
	e := w.expected[i]
	if e.Status != "" && e.Status != request.Pending {
		return
	}
	switch choice := w.rng.IntN(10); {
	case choice < 4 && e.Reviews == 0:
		w.review(e.ID, cluster.Bob, types.RequestState_APPROVED)
	case choice < 4:
		w.review(e.ID, cluster.Carol, types.RequestState_APPROVED)
	case choice == 4:
		w.deny(e.ID)
	case choice == 5:
		w.must(w.Cluster.Decide(e.ID, types.RequestState_DENIED, "not today"))
		w.follow(e.ID)
	}
}

// settle waits until people see all that they should by now, and that is
// recorded. It is a station on the way, and not the end.
func (w *World) settle() {
	if w.failed() != nil {
		return
	}
	if v := w.look(); v.Lost > 0 || v.Wrong > 0 || v.Doubled > w.mayDouble {
		w.must(fmt.Errorf("before the fault: %s", v))
	}
}

// look waits for what is expected, and judges.
func (w *World) look() harness.Verdict {
	ctx, cancel := w.patient()
	defer cancel()
	for {
		began := time.Now()
		v := w.Judge(w.expected...)
		good := v.Lost == 0 && v.Wrong == 0
		if good || ctx.Err() != nil {
			if good {
				w.took = began.Sub(w.healed)
				w.must(w.recorded(ctx))
			}
			return w.Judge(w.expected...)
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(20*time.Millisecond, 2*time.Since(began))): // the plugin needs the time more
		}
	}
}

// recorded waits until the plugin has recorded all that it did.
func (w *World) recorded(ctx context.Context) error {
	for _, e := range w.expected {
		if _, exists := w.Cluster.Request(e.ID); !exists || len(e.Recipients) == 0 {
			continue
		}
		if err := w.Settled(ctx, e.ID); err != nil {
			return err
		}
	}
	return nil
}

// converge is the end of a row: people see what they should, and go on seeing
// just that.
func (w *World) converge() {
	if w.World == nil || w.failed() != nil {
		return
	}
	w.verdict = w.look()
	if w.Replicas() > 1 {
		w.pass(lingering)
	}
	for i := range w.Replicas() {
		r := w.Replica(i)
		text := r.LogText()
		w.promise(!strings.Contains(text, "panic:"), "replica %d panicked", i)
		w.promise(!strings.Contains(text, w.Service().Token()), "replica %d logged a secret", i)
		if r.Running() {
			code, _, err := r.Stop()
			w.must(err)
			w.promise(code == 0, "replica %d ended with code %d", i, code)
		}
	}
	w.verdict = w.Judge(w.expected...)
}

// lingering is how long replicas are given to do what they should not.
const lingering = 500 * time.Millisecond

// logged waits for a line of a replica's log.
func (w *World) logged(replica int, text string, since time.Time) {
	if w.failed() != nil {
		return
	}
	ctx, cancel := w.patient()
	defer cancel()
	_, err := w.Replica(replica).Logged(ctx, text, since)
	w.must(err)
}

// says waits until the readiness of the first replica is as wanted, and its
// words contain the text.
func (w *World) says(ready bool, text string) {
	var got bool
	var words string
	w.until(fmt.Sprintf("readiness is %v and says %q", ready, text), func() bool {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		defer cancel()
		var err error
		got, words, err = w.Replica(0).Readiness(ctx)
		return err == nil && got == ready && strings.Contains(words, text)
	})
	if w.failed() != nil {
		w.must(fmt.Errorf("%w; it says:\n%s", w.failed(), words))
	}
}

// posts is how many announcements the service was asked to make.
func (w *World) posts() int { return w.Service().Calls(w.Methods().Post) }
