package timeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/fault"
)

// requests are rows about requests out of the ordinary.
func requests() []Row {
	return []Row{
		{
			Name:    "request deleted, and made again under the same id",
			Promise: "the old posts say that it expired, new ones announce the new one",
			Run:     recreated,
		},
		{
			Name:    "decided before it could be posted",
			Promise: "posted once, in its final state",
			Run: func(w *World) {
				w.fault(fault.Fault{Method: w.Methods().Post, Effect: fault.Status, HTTPStatus: 503})
				ids := w.create(of(w, 6, 60))
				w.approve(ids[:len(ids)/2]...)
				w.deny(ids[len(ids)/2:]...)
				w.pass(300 * time.Millisecond)
				w.clearFaults()
			},
		},
		{
			Name:    "promoted to an access list",
			Promise: "shown as promoted",
			Run: func(w *World) {
				ids := w.create(of(w, 5, 50))
				w.settle()
				for _, id := range ids {
					w.must(w.Cluster.Promote(id, "The Night Watch"))
					w.follow(id)
				}
				w.heal()
			},
		},
		{
			Name:    "50 reviews",
			Promise: "each told once",
			Run:     fiftyReviews,
		},
		{
			Name:    "100 recipients",
			Promise: "each told once, and corrected",
			Places:  -1,
			Setup:   manyPlaces,
			Run: func(w *World) {
				ids := w.create(of(w, 1, 3))
				w.settle()
				w.approve(ids...)
				w.heal()
			},
		},
		{
			Name:    "reason of 4,096 bytes in any script",
			Promise: "announced, cut where it must be",
			Run:     longReasons,
		},
	}
}

func recreated(w *World) {
	for range of(w, 3, 30) {
		if w.failed() != nil {
			return
		}
		w.request(cluster.CreateParams{Created: time.Now().Add(-time.Minute)})
	}
	w.settle()
	old := w.expected
	w.expected = nil
	for _, e := range old {
		w.must(w.Cluster.Delete(e.ID))
		w.request(cluster.CreateParams{ID: e.ID})
		w.expectation(e.ID).Earlier = request.Expired
	}
	w.heal()
}

func fiftyReviews(w *World) {
	const reviewers = 50
	w.Cluster.AddRole(w.role, cluster.RoleSpec{Approve: reviewers + 1, Deny: reviewers + 1, Annotations: w.Annotations(w.places...)})
	id := w.create(1)[0]
	w.settle()
	for i := range reviewers {
		name := fmt.Sprintf("reviewer-%02d@example.com", i)
		w.Cluster.AddUser(name, []string{cluster.ReviewerRole}, nil)
		w.review(id, name, types.RequestState_APPROVED)
	}
	w.must(w.Cluster.Decide(id, types.RequestState_DENIED, "enough"))
	w.follow(id)
	w.heal()
}

// manyPlaces makes as many places as one request is carried to.
func manyPlaces(w *World, o *harness.Options) {
	o.FarEnd.Places = 100
	service, err := harness.Find(w.service)
	w.must(err)
	if err == nil {
		w.places = service.Simulate(o.FarEnd).Places()[3:]
	}
	o.Recipients = map[string][]string{"*": w.places}
}

func longReasons(w *World) {
	for _, unit := range []string{"a", "&", "é", "漢", "😀", "`", "\n", "ع", "<", "\u0301x", "@everyone "} {
		w.request(cluster.CreateParams{Reason: strings.Repeat(unit, cluster.MaxReason/len(unit))})
	}
	w.settle()
	for _, e := range w.expected {
		w.must(w.Cluster.Decide(e.ID, approved, "fine"))
		w.follow(e.ID)
	}
	w.heal()
}
