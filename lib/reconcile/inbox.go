package reconcile

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/queue"
	"teleport-plugins/lib/teleport"
)

// inbox is what was heard of requests and not yet dealt with, and what is known of
// those that need nothing more.
type inbox struct {
	mu     sync.Mutex
	tracks map[string]*track          // requests that are to be worked on
	done   map[string]message.Version // requests that need nothing more: the state that is shown
	gone   map[string]bool            // requests that the cluster deleted, or does not list any more
	fresh  map[string]types.AccessRequest
	bytes  int  // size of what is in fresh
	listed bool // a list has ended
}

// track is what this process knows beyond the record of a request that it works
// on. But for since, parked and heard it belongs to the round.
type track struct {
	since    time.Time // since when there is something to do about it
	parked   bool      // all that is missing waits for somebody to change something at the service
	heard    int       // how often something was heard of it
	failures int       // of reading or writing, in a row
	unseen   int       // rounds in a row in which the cluster did not show it
	idle     int       // rounds in a row without progress
	ended    time.Time // when its end was first seen
	chosen   []string  // its recipients, not recorded yet
	reused   time.Time // since when its id is known to name another request than the record
	crashed  bool      // the last round broke off in the middle of a step
	// unrecorded holds results that could not be written yet, by recipient, of
	// the request that was created at that time, under a claim of that generation.
	unrecorded      map[string]plugindata.Delivery
	unrecordedOf    int64
	unrecordedUnder int
	pauses          map[string]*pause              // after failed steps, by recipient or decider
	doubts          map[doubt]time.Time            // since when effects are in doubt
	verdicts        map[string]integration.Verdict // reviews that may or may not have been submitted, by decider
	unsure          time.Time                      // since when a late call may still change messages back
	once            map[string]bool                // what was logged once
}

// doubt tells one doubt about an effect at a recipient from a later one.
type doubt struct {
	recipient, effect string
	plugindata.Doubt
}

// said reports whether something was logged before, and notes that it is now.
func (t *track) said(what string) bool {
	if t.once[what] {
		return true
	}
	if t.once == nil {
		t.once = make(map[string]bool)
	}
	t.once[what] = true
	return false
}

// Bounds of what is held of requests that nobody seems to have worked on yet. Any
// beyond are read when it is their turn.
const (
	maxFresh      = 16_384
	maxFreshBytes = 24 << 20
)

func newInbox() inbox {
	return inbox{
		tracks: make(map[string]*track), done: make(map[string]message.Version),
		gone: make(map[string]bool), fresh: make(map[string]types.AccessRequest),
	}
}

// open begins to track a request of which something was heard, unless it is tracked. The caller holds mu.
func (b *inbox) open(id string) {
	if b.tracks[id] == nil {
		b.tracks[id] = &track{since: time.Now()}
	}
	b.tracks[id].heard++
}

// keep holds a request that seems to be new, as it was shown. The caller holds mu.
func (b *inbox) keep(id string, req types.AccessRequest) {
	b.drop(id)
	r, ok := req.(*types.AccessRequestV3)
	if !ok || req.GetState() != types.RequestState_PENDING || len(req.GetReviews()) > 0 {
		return
	}
	if n := r.Size(); len(b.fresh) < maxFresh && b.bytes+n <= maxFreshBytes {
		b.fresh[id] = req
		b.bytes += n
	}
}

// drop lets go of what is held of a request. The caller holds mu.
func (b *inbox) drop(id string) (req types.AccessRequest) {
	if req = b.fresh[id]; req != nil {
		b.bytes -= req.(*types.AccessRequestV3).Size() //nolint:forcetypeassert // keep takes no other
		delete(b.fresh, id)
	}
	return req
}

// take begins a round: it returns what is known of the request, or nil if it needs
// nothing more, and what is held of it if it seems to be new.
func (b *inbox) take(id string) (t *track, fresh types.AccessRequest, heard int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t = b.tracks[id]; t == nil {
		return nil, nil, 0
	}
	return t, b.drop(id), t.heard
}

// giveBack holds a request again that seems to be new, unless more was heard of it.
func (b *inbox) giveBack(id string, req types.AccessRequest, heard int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.tracks[id]; t != nil && t.heard == heard {
		b.keep(id, req)
	}
}

// renew forgets what is known of an earlier request with the same id.
func (b *inbox) renew(t *track) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*t = track{since: t.since, heard: t.heard}
}

// unrecorded are the requests of which results could not be recorded. No round may be
// under way.
func (b *inbox) unrecorded() map[string]*track {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := make(map[string]*track)
	for id, t := range b.tracks {
		if len(t.unrecorded) > 0 {
			found[id] = t
		}
	}
	return found
}

// park notes whether all that is missing of a request waits for somebody to change
// something at the service.
func (b *inbox) park(id string, parked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tracks[id]
	if t == nil {
		return
	}
	if t.parked && !parked {
		t.since = time.Now() // there is something to do again since now
	}
	t.parked = parked
}

func (b *inbox) isGone(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone[id]
}

// forget ends the work on a request, and all memory of one that is over, unless
// more was heard of it meanwhile.
func (b *inbox) forget(id string, heard int, shown message.Version, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.tracks[id]; t == nil || t.heard != heard {
		return
	}
	delete(b.tracks, id)
	delete(b.done, id)
	if over {
		delete(b.gone, id)
		return
	}
	b.done[id] = shown
}

// Changed says that something happened to a request just now, and how it looks
// since. A request that seems to be new needs no reading: should it have a record
// after all, the claim is refused, and the next round reads both.
func (r *Reconciler) Changed(req types.AccessRequest) {
	id := req.GetName()
	defer r.survive(id, "an event")
	r.inbox.mu.Lock()
	_, finished := r.inbox.done[id]
	known := finished || r.inbox.tracks[id] != nil
	r.inbox.open(id)
	delete(r.inbox.gone, id)
	delete(r.inbox.done, id)
	if r.inbox.drop(id); !known {
		r.inbox.keep(id, req)
	}
	r.inbox.mu.Unlock()
	r.queue.Add(id, queue.Live)
}

// Deleted says that the cluster reported the end of a request: it was deleted,
// or it expired.
func (r *Reconciler) Deleted(id string) {
	defer r.survive(id, "an event")
	r.inbox.mu.Lock()
	r.inbox.open(id)
	r.inbox.gone[id] = true
	delete(r.inbox.done, id)
	r.inbox.drop(id)
	r.inbox.mu.Unlock()
	r.queue.Add(id, queue.Live)
}

// List begins a list of all requests. What the reconciler knows now and the list
// does not show is taken for gone, once the list has ended.
func (r *Reconciler) List() *List {
	l := &List{r: r, missing: make(map[string]bool), recorded: make(map[string]bool)}
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	l.first = !r.inbox.listed
	for id := range r.inbox.tracks {
		l.missing[id] = true
	}
	for id := range r.inbox.done {
		l.missing[id] = true
	}
	return l
}

// List takes in a list of all requests as it is read. A list that is not ended
// says nothing of what it does not show. Its methods are called by one goroutine.
type List struct {
	r        *Reconciler
	missing  map[string]bool // known when the list began, and not shown by it so far
	recorded map[string]bool // have a record
	first    bool            // comes with all records
}

// Record takes in a record. In the first lists, until one has ended, all of them
// come before the requests; in later ones none. What it
// says to be finished is not read again.
func (l *List) Record(id string, data map[string]string) {
	r := l.r
	defer r.survive(id, "a stored record")
	l.recorded[id], l.missing[id] = true, true
	rec, err := plugindata.Decode(r.Codec, data)
	if err != nil || !rec.Claim.Free() || !rec.Ours() {
		return
	}
	v := message.View{
		Status: cmp.Or(rec.Resolution, message.Pending), Created: time.Unix(rec.Progress.Request, 0),
		Reviews: make([]message.Review, rec.ReviewsCount),
	}
	w := r.want(v)
	for i := range rec.Progress.Deliveries {
		if w.left(&rec.Progress.Deliveries[i]) > 0 {
			return
		}
	}
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	if r.inbox.tracks[id] == nil {
		r.inbox.done[id] = v.Version()
	}
}

// Requests takes in a page of requests. One is worked on unless it is known to be
// finished in its state.
func (l *List) Requests(page []*types.AccessRequestV3) {
	for _, req := range page {
		l.request(req)
	}
}

func (l *List) request(req *types.AccessRequestV3) {
	r, id := l.r, req.GetName()
	defer r.survive(id, "a list of requests")
	delete(l.missing, id)
	version := message.Version{Status: teleport.StatusOf(req.GetState()), Reviews: len(req.GetReviews())}
	r.inbox.mu.Lock()
	shown, finished := r.inbox.done[id]
	tracked := r.inbox.tracks[id] != nil
	if finished && shown == version {
		r.inbox.mu.Unlock()
		return
	}
	r.inbox.open(id)
	delete(r.inbox.done, id)
	r.inbox.drop(id) // what an event showed may be past by now
	if l.first && !l.recorded[id] && !finished && !tracked {
		r.inbox.keep(id, req)
	}
	r.inbox.mu.Unlock()
	r.queue.Add(id, queue.Background)
}

// End says that every request was shown, by a cluster that has shown that it lets
// us see them. It returns how many are gone.
func (l *List) End() (gone int) {
	r := l.r
	r.inbox.mu.Lock()
	r.inbox.listed = true
	r.inbox.mu.Unlock()
	for id := range l.missing {
		r.inbox.mu.Lock()
		if shown, finished := r.inbox.done[id]; finished && shown.Status.Ended() {
			delete(r.inbox.done, id)
			r.inbox.mu.Unlock()
			continue
		}
		r.inbox.open(id)
		r.inbox.gone[id] = true
		delete(r.inbox.done, id)
		r.inbox.drop(id)
		r.inbox.mu.Unlock()
		r.queue.Add(id, queue.Background)
		gone++
	}
	return gone
}

// Undelivered returns since when the oldest request is waiting that this plugin
// could do something about; the zero time means that there is none.
func (r *Reconciler) Undelivered() (oldest time.Time) {
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	for _, t := range r.inbox.tracks {
		if !t.parked && (oldest.IsZero() || t.since.Before(oldest)) {
			oldest = t.since
		}
	}
	return oldest
}

// survive keeps a fault of this program, or a record that nobody thought of, from
// ending the process.
func (r *Reconciler) survive(id, what string) {
	if fault := recover(); fault != nil {
		r.crashed(id, what, fault)
	}
}

func (r *Reconciler) crashed(id, what string, fault any) {
	r.Observer.Panicked()
	r.Log.Error("A fault in this program while it worked on "+what+"; please report it with this line",
		zap.String("request_id", id), zap.String("fault", message.Cut(fmt.Sprint(fault), 500)), zap.ByteString("stack", debug.Stack()))
}
