package timeline

import (
	"time"

	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// places3 are rows about one recipient of several.
func places3() []Row {
	return []Row{
		{
			Name:    "one recipient of three permanently gone, another for a while",
			Promise: "the third is told at once, the second when it is back; the first is recorded and logged with its reason",
			Places:  2,
			Setup:   nil,
			Run:     goneRecipients,
		},
		{
			Name:    "message deleted by hand, then the request is approved",
			Promise: "posted once more, in its final state",
			Run:     deletedByHand,
		},
	}
}

func goneRecipients(w *World) {
	there := w.places
	all := append([]string{farend.Nowhere}, there...)
	w.route(all)
	w.must(w.Configure(map[string][]string{"*": all}, usualTimes))
	w.must(w.Replica(0).Kill())
	w.again(0)
	w.fault(fault.Fault{Method: w.Methods().Post, Target: w.Place(there[1]), Effect: fault.Status, HTTPStatus: 503})
	ids := w.create(of(w, 5, 50))
	w.otherwise(there[1])
	w.pass(of(w, 500*time.Millisecond, 10*time.Second))
	w.approve(ids[:len(ids)/2]...)
	w.clearFaults()
	w.logged(0, farend.Nowhere, time.Time{})
}

func deletedByHand(w *World) {
	ids := w.create(of(w, 5, 50))
	w.settle()
	for _, id := range ids {
		if w.failed() != nil {
			return
		}
		n, err := w.Remove(id, w.places[0])
		w.must(err)
		w.promise(n == 1, "%d posts of %s were there to be deleted", n, id)
	}
	for _, id := range ids {
		w.must(w.Cluster.Decide(id, approved, "fine"))
		w.expectation(id).Status = request.Approved
	}
	w.heal()
}
