// Package inbox holds what was heard of access requests and not yet dealt with, in
// the order in which they are to be worked on, and what is known of those that need
// nothing more.
package inbox

import (
	"context"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/queue"
	"teleport-plugins/lib/request"
)

// Inbox is an inbox whose worker keeps a memory M of each request that is worked
// on. Make one with New; it may be used by several goroutines.
type Inbox[M any] struct {
	diag.Crashes
	queue *queue.Queue[string]
	// shown says what a record says is shown of its request; finished says that
	// nothing is missing in that state.
	shown func(data map[string]string) (r Rest, finished bool)
	// awaited is how long it takes until time brings more for a finished request than
	// what was reached: less than zero if it is due, zero if nothing is to come.
	awaited func(req types.AccessRequest, reached int) time.Duration

	mu     sync.Mutex
	open   map[string]*Item[M] // requests that are to be worked on
	done   map[string]Rest     // requests that need nothing more for now
	gone   map[string]bool     // requests that the cluster deleted, or does not list any more
	fresh  map[string]types.AccessRequest
	bytes  int  // size of what is in fresh
	listed bool // a list has ended
}

// Rest is what is known of a request that needs nothing more for now.
type Rest struct {
	// Shown is the state that is shown.
	Shown request.Version
	// Reached is the newest that became due by time, as an index of its agenda.
	Reached int
	// Wait is how long it takes until more becomes due; zero stands for ever.
	Wait time.Duration
}

// Item is a request that is to be worked on.
type Item[M any] struct {
	// Memory is what the worker keeps of the request, beyond its record. Only the
	// worker that took the item may use it.
	Memory M

	since  time.Time // since when there is something to do about it
	parked bool      // all that is missing waits in a line, or for somebody to change something
	calm   bool      // nobody misses what is missing: it is only said again
	heard  int       // how often something was heard of it
}

// Turn is a request whose turn it is.
type Turn[M any] struct {
	*Item[M]
	ID string
	// Fresh is the request as it was shown, if it seems to be new.
	Fresh types.AccessRequest
	heard int // of the item, when the turn began
}

// Bounds of what is held of requests that nobody seems to have worked on yet. Any
// beyond are read when it is their turn.
const (
	maxFresh      = 16_384
	maxFreshBytes = 24 << 20
)

// New returns an empty inbox. shown says what a stored record says is shown of its
// request, and whether nothing is missing in that state. awaited is how long it takes
// until time brings more for a finished request than what was reached: less than zero if
// it is due, zero if nothing is to come.
func New[M any](
	c diag.Crashes, shown func(data map[string]string) (r Rest, finished bool),
	awaited func(req types.AccessRequest, reached int) time.Duration,
) *Inbox[M] {
	return &Inbox[M]{
		Crashes: c, shown: shown, awaited: awaited, queue: queue.New[string](),
		open: make(map[string]*Item[M]), done: make(map[string]Rest),
		gone: make(map[string]bool), fresh: make(map[string]types.AccessRequest),
	}
}

// Next waits for a request whose turn it is. ok is false when the context or the
// inbox has ended. The caller must call Done with each request that it gets.
func (b *Inbox[M]) Next(ctx context.Context) (id string, ok bool) { return b.queue.Get(ctx) }

// Done ends the turn of a request. It comes again after a while, unless that is
// zero.
func (b *Inbox[M]) Done(id string, again time.Duration) {
	b.queue.Done(id)
	if again > 0 {
		b.queue.AddAfter(id, again)
	}
}

// Wake gives a request its turn soon.
func (b *Inbox[M]) Wake(id string) { b.queue.Add(id, queue.Live) }

// Close ends the turns.
func (b *Inbox[M]) Close() { b.queue.Close() }

// Waiting is how many requests wait for their turn.
func (b *Inbox[M]) Waiting() int { return b.queue.Len() }

// Take begins a turn. ok is false for a request that needs nothing more.
func (b *Inbox[M]) Take(id string) (t Turn[M], ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rest, finished := b.done[id]; finished && rest.Wait > 0 {
		b.heard(id) // what it waited for
	}
	item := b.open[id]
	if item == nil {
		return t, false
	}
	return Turn[M]{Item: item, ID: id, Fresh: b.drop(id), heard: item.heard}, true
}

// GiveBack keeps a request that seems to be new for its next turn, unless more was
// heard of it.
func (b *Inbox[M]) GiveBack(t Turn[M]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.open[t.ID]; now == t.Item && now.heard == t.heard {
		b.keep(t.ID, t.Fresh)
	}
}

// Finish ends the work on a request until more becomes due, and all memory of one that
// is over, unless more was heard of it since its turn began.
func (b *Inbox[M]) Finish(t Turn[M], r Rest, over bool) {
	b.queue.Forget(t.ID)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open[t.ID] != t.Item || t.Item.heard != t.heard {
		return
	}
	delete(b.open, t.ID)
	delete(b.done, t.ID)
	if over {
		delete(b.gone, t.ID)
		return
	}
	b.rest(t.ID, r)
}

// rest notes that a request needs nothing more for now. The caller holds mu.
func (b *Inbox[M]) rest(id string, r Rest) {
	b.done[id] = r
	if r.Wait > 0 {
		b.queue.AddAfter(id, r.Wait)
	}
}

// Park notes whether all that is missing of a request waits in a line, or for
// somebody to change something at the service; and whether it is calm: all of it only
// says again what is known.
func (b *Inbox[M]) Park(t Turn[M], parked, calm bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.parked, t.calm = parked, calm
}

// Gone reports whether the cluster has said that a request is gone.
func (b *Inbox[M]) Gone(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone[id]
}

// Items are the requests that are to be worked on. Their memory may be looked at
// when no turn is under way.
func (b *Inbox[M]) Items() map[string]*Item[M] {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := make(map[string]*Item[M], len(b.open))
	for id, item := range b.open {
		items[id] = item
	}
	return items
}

// Undelivered returns since when the oldest request is waiting that this plugin
// could do something about; the zero time means that there is none. shut says of a
// parked request that every line in which it waits is closed. While it is, there is
// nothing to do about the request, as seen by whoever asks now and then.
func (b *Inbox[M]) Undelivered(shut func(id string) bool) (oldest time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, item := range b.open {
		switch {
		case item.calm, item.parked && shut(id):
			item.since = time.Now()
		case oldest.IsZero() || item.since.Before(oldest):
			oldest = item.since
		}
	}
	return oldest
}

// Len counts what is held of requests.
func (b *Inbox[M]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open) + len(b.done) + len(b.gone) + len(b.fresh)
}
