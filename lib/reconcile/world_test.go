package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/request"
)

// setting is what stands before a world begins.
type setting struct {
	places   []placeKind // named A, B, …
	notify   bool        // the requester has a place of the kind of the last one
	shows    bool        // messages can be changed
	keyed    bool        // repeated calls are known
	ends     bool        // the service tells the end below messages that can be changed, too
	waits    bool        // requests that wait are brought up again
	replicas int
	opening  time.Duration // when the replicas start
	story    []happening
}

// happening is one thing that people do.
type happening struct {
	at      time.Duration
	request string
	what    string // create, review, approve, deny, promote, expire, remove
}

// placeKind says what can be found out about a place.
type placeKind string

const (
	searchable placeKind = "S"
	blind      placeKind = "B"
	refusing   placeKind = "R" // it offers to be searched, and refuses
)

// reminders are when it is said again that a request is pending, where requests that
// wait are brought up again.
var reminders = []time.Duration{30 * time.Second, 90 * time.Second}

func (s setting) agenda() *agenda.Agenda {
	if !s.waits {
		return nil
	}
	return agendaOf(reminders, nil)
}

// world is a cluster, a service and replicas, all of which live in virtual time.
type world struct {
	setting
	mu       sync.Mutex
	start    time.Time
	requests map[string]*types.AccessRequestV3
	lives    map[string]*life
	records  map[string]types.PluginData
	past     []snapshot
	nodes    []*node
	office   *office
	helpers  sync.WaitGroup

	faults  func(point string) faultKind
	seen    map[string]int // how often each step was reached
	trace   []string       // the points, in the order in which they were reached
	fired   []fault
	lastHit time.Time
	crashes int
	held    time.Time // events wait until then
	deaf    time.Time // events are lost until then

	calls, writes int
	wrong         []string // what was seen to be wrong on the way
}

// life is what the judge knows of a request.
type life struct {
	created, changed, gone time.Time
	decided                request.Status // empty while it is pending
	reviews                int
	alive                  bool // pending or decided, and to be read
	ended                  time.Time
}

// snapshot is what a list showed from a time on.
type snapshot struct {
	since    time.Time
	requests map[string]*types.AccessRequestV3
}

const (
	resync  = 10 * time.Minute
	restart = 5 * time.Second
	lag     = 20 * time.Second
	healing = 20 * time.Minute
	resting = 3 * time.Hour
)

func newWorld(s setting, faults func(point string) faultKind) *world {
	w := &world{
		setting: s, start: time.Now(), faults: faults, seen: map[string]int{},
		requests: map[string]*types.AccessRequestV3{}, records: map[string]types.PluginData{}, lives: map[string]*life{},
	}
	w.past = []snapshot{{w.start, nil}}
	w.office = newOffice(w)
	return w
}

// live lets the story happen, and time pass until everything should have come to
// rest.
func (w *world) live() {
	w.helpers.Go(func() {
		time.Sleep(w.opening)
		for range w.replicas {
			w.enter()
		}
	})
	for _, h := range w.story {
		time.Sleep(time.Until(w.start.Add(h.at)))
		w.happen(h.request, h.what, "")
	}
	for end := time.Now().Add(resting); time.Now().Before(end); {
		time.Sleep(time.Until(end))
		w.mu.Lock()
		if hit := w.lastHit.Add(resting); hit.After(end) {
			end = hit
		}
		w.mu.Unlock()
	}
}

// close ends what is alive; the world has been judged.
func (w *world) close() {
	w.mu.Lock()
	nodes := slices.Clone(w.nodes)
	w.mu.Unlock()
	for _, n := range nodes {
		n.die()
	}
	w.helpers.Wait()
}

// happen is what somebody does. What makes no sense any more is left out.
func (w *world) happen(id, what, place string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if what == "create" {
		req, _ := types.NewAccessRequest(id, "alice", "editor")
		req.SetCreationTime(time.Now())
		w.lives[id] = &life{created: time.Now(), alive: true}
		w.put(req.(*types.AccessRequestV3))
		return
	}
	l := w.lives[id]
	if what == "remove" {
		w.office.remove(id, place)
		return
	}
	if l == nil || !l.alive || what != "expire" && l.decided != "" {
		return
	}
	req := w.requests[id].Copy().(*types.AccessRequestV3)
	switch what {
	case "review":
		l.reviews++
		req.SetReviews(append(req.GetReviews(), types.AccessReview{
			Author: fmt.Sprint("r", l.reviews), ProposedState: types.RequestState_APPROVED, Created: time.Now(),
		}))
	case "approve":
		_ = req.SetState(types.RequestState_APPROVED)
		l.decided, l.ended = request.Approved, time.Now()
	case "deny":
		_ = req.SetState(types.RequestState_DENIED)
		l.decided, l.ended = request.Denied, time.Now()
	case "promote":
		_ = req.SetState(types.RequestState_PROMOTED)
		l.decided, l.ended = request.Promoted, time.Now()
	case "expire":
		l.alive, l.gone = false, time.Now()
		if l.decided == "" {
			l.ended = time.Now()
		}
		w.change(id, nil)
		w.event(func(r *reconcile.Reconciler) { r.Deleted(id) })
		return
	}
	w.put(req)
}

func (w *world) put(req *types.AccessRequestV3) {
	w.lives[req.GetName()].changed = time.Now()
	w.change(req.GetName(), req)
	w.event(func(r *reconcile.Reconciler) { r.Changed(req.Copy()) })
}

func (w *world) change(id string, req *types.AccessRequestV3) {
	next := maps.Clone(w.requests)
	if req == nil {
		delete(next, id)
	} else {
		next[id] = req
	}
	w.requests = next
	w.past = append(w.past, snapshot{time.Now(), next})
}

// event tells every replica, in order, as soon as events come through.
func (w *world) event(tell func(*reconcile.Reconciler)) {
	if time.Now().Before(w.deaf) {
		return
	}
	for i, n := range w.nodes {
		due := time.Now().Add(time.Millisecond + 3*time.Millisecond*time.Duration(i))
		if due.Before(w.held) {
			due = w.held
		}
		n.send(due, tell)
	}
}

// list tells a replica all requests as they were a while ago.
func (w *world) list(n *node, behind time.Duration) {
	i := len(w.past) - 1
	for i > 0 && w.past[i].since.After(time.Now().Add(-behind)) {
		i--
	}
	page := slices.Collect(maps.Values(w.past[i].requests))
	slices.SortFunc(page, func(a, b *types.AccessRequestV3) int { return a.GetCreationTime().Compare(b.GetCreationTime()) })
	var records map[string]map[string]string
	if !n.listed {
		records = map[string]map[string]string{}
		for id := range w.records {
			records[id] = w.data(id)
		}
	}
	n.listed = true
	due := time.Now().Add(2 * time.Millisecond)
	n.send(due, func(r *reconcile.Reconciler) {
		l := r.List()
		for id, data := range records {
			l.Record(id, data)
		}
		for _, req := range page {
			l.Requests([]*types.AccessRequestV3{req.Copy().(*types.AccessRequestV3)})
		}
		l.End()
	})
}

func (w *world) data(id string) map[string]string {
	if d, ok := w.records[id]; ok && d.Entries()["test"] != nil {
		return maps.Clone(d.Entries()["test"].Data)
	}
	return nil
}
