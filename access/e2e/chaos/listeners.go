package main

import (
	"slices"
	"time"

	"teleport-plugins/lib/sandbox/farend"
)

// disturbListeners plans the faults of the connections on which presses come.
func (p *plan) disturbListeners() {
	for _, service := range p.buttons {
		for at := p.between(5*time.Second, 30*time.Second); at < p.length; at += p.between(20*time.Second, 80*time.Second) {
			p.disturbListener(at, service)
		}
	}
}

// disturbListener plans one of the service's own disturbances. One that has an end
// lasts longer or shorter than in the fault table.
func (p *plan) disturbListener(at time.Duration, service string) {
	which, lasts, end := p.rng.IntN(1000), p.between(2*time.Second, 12*time.Second), func() {}
	p.add(at, func(w *world) error {
		far, ok := w.side(service).Service().(farend.PressFaults)
		if !ok {
			return nil
		}
		all := slices.DeleteFunc(far.Disturbances(), func(d farend.Disturbance) bool { return d.Slow })
		d := all[which%len(all)]
		if d.End != nil {
			over := w.journal.add(mark{service: service, class: ofListen, text: d.Name + ", or longer"})
			end = func() { d.End(); over() }
		}
		// This ends connections that are there; the rest of a fault that lasts does not.
		w.journal.add(mark{service: service, class: ofListen, text: d.Name})
		d.Begin()
		return nil
	}, "%s: disturbance %d of the connections on which presses come", service, which)
	p.add(min(at+lasts, p.length), func(*world) error { end(); return nil }, "%s: a disturbance that lasts ends", service)
}

// stall is how late the machine may be that leaves time to everybody.
const stall = 300 * time.Millisecond

// stalled marks a time in which the machine, or this program, stood still.
func (w *world) stalled(from, _ time.Time) {
	w.journal.since(from, mark{class: ofMachine, stalled: true, text: "stood still"})
}
