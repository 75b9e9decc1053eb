package inbox

import (
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/queue"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// heard notes that something was heard of a request, which is to be worked on. What
// was held of it may be past by now. The caller holds mu.
func (b *Inbox[M]) heard(id string) {
	if b.open[id] == nil {
		b.open[id] = &Item[M]{since: time.Now()}
	}
	b.open[id].heard++
	b.open[id].parked, b.open[id].calm = false, false // there may be something to do
	delete(b.done, id)
	b.drop(id)
}

// keep holds a request that seems to be new, as it was shown. The caller holds mu.
func (b *Inbox[M]) keep(id string, req types.AccessRequest) {
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
func (b *Inbox[M]) drop(id string) (req types.AccessRequest) {
	if req = b.fresh[id]; req != nil {
		b.bytes -= req.(*types.AccessRequestV3).Size() //nolint:forcetypeassert // keep takes no other
		delete(b.fresh, id)
	}
	return req
}

// Changed says that something happened to a request just now, and how it looks
// since. A request that seems to be new needs no reading: should it have a record
// after all, the claim is refused, and the next turn reads both.
func (b *Inbox[M]) Changed(req types.AccessRequest) {
	id := req.GetName()
	defer b.Catch(id, "an event")
	b.mu.Lock()
	_, known := b.done[id]
	known = known || b.open[id] != nil
	b.heard(id)
	delete(b.gone, id)
	if !known {
		b.keep(id, req)
	}
	b.mu.Unlock()
	b.Wake(id)
}

// Deleted says that the cluster reported the end of a request: it was deleted,
// or it expired.
func (b *Inbox[M]) Deleted(id string) {
	defer b.Catch(id, "an event")
	b.mu.Lock()
	b.heard(id)
	b.gone[id] = true
	b.mu.Unlock()
	b.Wake(id)
}

// List begins a list of all requests. What the inbox knows now and the list does
// not show is taken for gone, once the list has ended.
func (b *Inbox[M]) List() *List[M] {
	l := &List[M]{b: b, missing: make(map[string]bool), recorded: make(map[string]bool)}
	b.mu.Lock()
	defer b.mu.Unlock()
	l.first = !b.listed
	for id := range b.open {
		l.missing[id] = true
	}
	for id := range b.done {
		l.missing[id] = true
	}
	return l
}

// List takes in a list of all requests as it is read. A list that is not ended
// says nothing of what it does not show. Its methods are called by one goroutine.
type List[M any] struct {
	b        *Inbox[M]
	missing  map[string]bool // known when the list began, and not shown by it so far
	recorded map[string]bool // have a record
	first    bool            // comes with all records
}

// Record takes in a record. In the first lists, until one has ended, all of them
// come before the requests; in later ones none. What it says to be finished is not
// read again.
func (l *List[M]) Record(id string, data map[string]string) {
	b := l.b
	defer b.Catch(id, "a stored record")
	l.recorded[id], l.missing[id] = true, true
	rest, finished := b.shown(data)
	b.mu.Lock()
	defer b.mu.Unlock()
	if finished && b.open[id] == nil {
		b.done[id] = rest
	}
}

// Requests takes in a page of requests. One is worked on unless it is known to be
// finished in its state.
func (l *List[M]) Requests(page []*types.AccessRequestV3) {
	for _, req := range page {
		l.request(req)
	}
}

func (l *List[M]) request(req *types.AccessRequestV3) {
	b, id := l.b, req.GetName()
	defer b.Catch(id, "a list of requests")
	delete(l.missing, id)
	if b.shows(id, req, l.first && !l.recorded[id]) {
		b.queue.Add(id, queue.Background)
	}
}

// shows takes in a request that a list shows, which seems to be new if nothing is known of
// it. It reports whether it is to be worked on.
func (b *Inbox[M]) shows(id string, req *types.AccessRequestV3, fresh bool) bool {
	version := request.Version{Status: teleport.StatusOf(req.GetState()), Reviews: len(req.GetReviews())}
	b.mu.Lock()
	defer b.mu.Unlock()
	rest, finished := b.done[id]
	if finished && rest.Shown == version {
		if rest.Wait = b.awaited(req, rest.Reached); rest.Wait >= 0 {
			b.rest(id, rest)
			return false
		}
	}
	fresh = fresh && !finished && b.open[id] == nil
	b.heard(id)
	if fresh {
		b.keep(id, req)
	}
	return true
}

// End says that every request was shown, by a cluster that has shown that it lets
// us see them. It returns how many are gone.
func (l *List[M]) End() (gone int) {
	b := l.b
	b.mu.Lock()
	b.listed = true
	b.mu.Unlock()
	for id := range l.missing {
		if b.absent(id) {
			b.queue.Add(id, queue.Background)
			gone++
		}
	}
	return gone
}

// absent takes in that a list does not show a request. It reports whether anything
// is to be done about that.
func (b *Inbox[M]) absent(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rest, finished := b.done[id]; finished && rest.Shown.Status.Ended() {
		delete(b.done, id)
		return false
	}
	b.heard(id)
	b.gone[id] = true
	return true
}
