package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/integration"
)

// faultKind is what goes wrong at a point.
type faultKind string

// The kinds of fault. A point is a call to the service or a write to a record.
const (
	// The replica dies: before the call is taken; after it was done; and at once,
	// while the service takes its time with it.
	crashBefore faultKind = "crash before"
	crashAfter  faultKind = "crash after"
	crashLate   faultKind = "crash, done late"
	// The answer is lost: the work was done, was not, or is done later; or there
	// is no answer until the caller's patience ends.
	lostDone   faultKind = "lost, done"
	lostUndone faultKind = "lost, not done"
	lostLate   faultKind = "lost, done late"
	hang       faultKind = "hangs, done"
	// The service refuses, for a while or for the message.
	refuse      faultKind = "place refuses"
	unavailable faultKind = "unavailable"
	limited     faultKind = "429"
	fixed       faultKind = "message fixed"
	// foreign: somebody else writes to the record first.
	foreign faultKind = "foreign write"
	// What people do, just before the point.
	removal   faultKind = "remove"
	approval  faultKind = "approve"
	denial    faultKind = "deny"
	expiry    faultKind = "expire"
	promotion faultKind = "promote"
	review    faultKind = "review"
	// What replicas hear: a list with a lag; events late, in a batch; events lost
	// and then a list.
	lagging faultKind = "lagging list"
	holding faultKind = "events late"
	cutting faultKind = "stream cut"
)

var (
	deeds  = []faultKind{removal, approval, denial, expiry, promotion, review}
	rumors = []faultKind{lagging, holding, cutting}
	atTell = []faultKind{crashBefore, crashAfter, crashLate, lostDone, lostUndone, lostLate, hang, refuse, unavailable, limited}
	atFind = []faultKind{crashBefore, crashAfter, lostUndone, refuse, unavailable, limited}
	// atWrite: a write that hangs is one whose answer is lost.
	atWrite = []faultKind{crashBefore, crashAfter, lostDone, lostUndone, lostLate, foreign}
)

// kindsAt are the faults that can happen at a point.
func kindsAt(point string) []faultKind {
	kinds := atTell
	switch {
	case strings.Contains(point, " write"):
		kinds = atWrite
	case strings.Contains(point, " find "):
		kinds = atFind
	case strings.Contains(point, " show "):
		kinds = append(slices.Clone(atTell), fixed)
	}
	return slices.Concat(kinds, deeds, rumors)
}

// fault is a fault in its place.
type fault struct {
	point string
	kind  faultKind
}

func (f fault) String() string { return fmt.Sprintf("{%s @ %s}", f.kind, f.point) }

// placed are faults at given points.
func placed(faults []fault) func(string) faultKind {
	return func(point string) faultKind {
		for _, f := range faults {
			if f.point == point {
				return f.kind
			}
		}
		return ""
	}
}

// reach says that a replica has come to a step. It does what happens to the
// world there, and returns what happens to the call itself. The world is locked,
// and is unlocked for a moment.
func (w *world) reach(n *node, step, request, place string) faultKind {
	step = strings.TrimSpace(step)
	w.seen[step]++
	point := fmt.Sprintf("%s #%d", step, w.seen[step])
	w.trace = append(w.trace, point)
	kind := w.faults(point)
	if kind == "" {
		return ""
	}
	w.fired = append(w.fired, fault{point, kind})
	w.lastHit = time.Now()
	switch kind {
	case removal, approval, denial, expiry, promotion, review:
		w.mu.Unlock()
		w.happen(request, string(kind), place)
		w.mu.Lock()
	case refuse:
		w.office.shut[place] = time.Now().Add(healing)
		w.lastHit = w.office.shut[place]
	case lagging:
		for _, n := range w.nodes {
			if !n.dead() {
				w.list(n, lag)
			}
		}
	case holding:
		w.held = time.Now().Add(45 * time.Second)
	case cutting:
		w.deaf = time.Now().Add(30 * time.Second)
		w.helpers.Go(func() {
			time.Sleep(30 * time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, n := range w.nodes {
				if !n.dead() {
					w.list(n, 0)
				}
			}
		})
	default:
		return kind
	}
	return ""
}

// count is how many faults of the given kinds have happened.
func (w *world) count(kinds ...faultKind) (n int) {
	for _, f := range w.fired {
		if slices.Contains(kinds, f.kind) {
			n++
		}
	}
	return n
}

var _ integration.Finder = clerk{}
