package timeline

import (
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// outages are rows in which the service does not do what it should.
func outages() []Row {
	return []Row{
		{
			Name:    "429 for the first 200 calls of a burst",
			Promise: "waits the told time",
			Run: func(w *World) {
				w.fault(fault.Fault{Method: w.Methods().Post, Effect: fault.RateLimit, RetryAfterMS: 1000, Times: of(w, 20, 200)})
				w.burst(of(w, 30, 200), 0)
				w.heal()
			},
		},
		{
			Name:    "429 on one channel only",
			Promise: "the others are not delayed: they have all their posts before it has one",
			Only:    func(s farend.Service) bool { return !s.OneLimit },
			Run:     limitedPlace,
		},
		{
			Name:    "500 for 30 s of a burst",
			Promise: "tried again with growing pauses",
			Run: func(w *World) {
				w.fault(fault.Fault{Effect: fault.Status, HTTPStatus: 500})
				w.burst(of(w, 30, 200), of(w, 2*time.Second, 30*time.Second))
				w.clearFaults()
			},
		},
		{
			Name:    "hang of one call",
			Promise: "no other recipient and no other request waits for it",
			Run:     hang,
		},
		{
			Name:    "one channel does not answer in a burst, without the scope to read history",
			Promise: "the others have all their posts before it has one",
			Only:    blindable,
			Setup:   func(_ *World, o *harness.Options) { o.FarEnd.Blind = true },
			Run:     deadPlace,
		},
		{
			Name:    "answer lost after the post was accepted, 20 times",
			Promise: "0 doubled: found by metadata, nonce or key",
			Run:     func(w *World) { lostAnswers(w, 0) },
		},
		{
			Name:    "the same without the scope to read history",
			Promise: "doubled at most once for each lost answer",
			Only:    blindable,
			Setup:   func(_ *World, o *harness.Options) { o.FarEnd.Blind = true },
			Run:     func(w *World) { lostAnswers(w, 1) },
		},
	}
}

func limitedPlace(w *World) {
	limited := w.Place(w.places[1])
	w.fault(fault.Fault{Method: w.Methods().Post, Target: limited, Effect: fault.RateLimit, RetryAfterMS: 1000})
	w.create(of(w, 10, 100))
	w.otherwise(w.places[1])
	w.clearFaults()
}

// otherwise waits until all have their posts but one place.
func (w *World) otherwise(without string) {
	others := w.without(without)
	w.until("all others are told", func() bool { return w.Judge(others...).Lost == 0 })
}

// without is what is expected of all places but one.
func (w *World) without(place string) (others []harness.Expected) {
	for _, e := range w.expected {
		var recipients []string
		for _, r := range e.Recipients {
			if r != place {
				recipients = append(recipients, r)
			}
		}
		e.Recipients = recipients
		others = append(others, e)
	}
	return others
}

func hang(w *World) {
	w.fault(fault.Fault{Method: w.Methods().Post, Target: w.Place(w.places[1]), Effect: fault.Hang, Times: 1})
	first := w.create(1)
	w.until("the call hangs", func() bool { return len(w.Service().Faults().List()) == 0 })
	began := time.Now()
	w.burst(of(w, 10, 50), 0)
	e := w.expected[w.index[first[0]]]
	w.expected[w.index[first[0]]].Recipients = []string{w.places[0]}
	w.otherwise(w.places[1])
	w.promise(time.Since(began) < 30*time.Second, "the others waited for %v", time.Since(began).Round(time.Second))
	if w.failed() == nil {
		w.expected[w.index[first[0]]].Recipients = e.Recipients
	}
	w.heal()
}

func deadPlace(w *World) {
	w.fault(fault.Fault{Method: w.Methods().Post, Target: w.Place(w.places[1]), Effect: fault.Hang})
	w.create(of(w, 10, 100))
	w.otherwise(w.places[1])
	w.clearFaults()
}

func lostAnswers(w *World, mayDouble int) {
	n := of(w, 5, 20)
	w.mayDouble = n * mayDouble
	w.fault(fault.Fault{Method: w.Methods().Post, Effect: fault.DoneNotAnswered, Times: n})
	ids := w.create(of(w, 10, 40))
	w.heal()
	w.settle()
	w.approve(ids...)
	w.heal()
}
