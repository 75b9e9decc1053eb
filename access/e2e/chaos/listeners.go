package main

import (
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

func (p *plan) disturbListener(at time.Duration, service string) {
	cut := func(l farend.Listened) { l.CutListeners() }
	renew := func(l farend.Listened) { l.RenewListeners() }
	switch p.rng.IntN(4) {
	case 0:
		p.listenerFault(at, service, "the connections are cut", cut)
	case 1:
		p.listenerFault(at, service, "new connections are asked for", renew)
	case 2:
		p.closeListener(at, service, cut)
	case 3:
		p.closeListener(at, service, renew)
	}
}

func (p *plan) listenerFault(at time.Duration, service, text string, do func(farend.Listened)) {
	p.add(at, func(w *world) error {
		if l, ok := w.side(service).Service().(farend.Listened); ok {
			w.journal.add(mark{service: service, class: ofListen, text: text})
			do(l)
		}
		return nil
	}, "%s: %s", service, text)
}

// closeListener plans that for a while no connection can be opened in place of those
// that end.
func (p *plan) closeListener(at time.Duration, service string, then func(farend.Listened)) {
	lasts, end := p.between(2*time.Second, 12*time.Second), func() {}
	p.add(at, func(w *world) error {
		if l, ok := w.side(service).Service().(farend.Listened); ok {
			over := w.journal.add(mark{service: service, class: ofListen, text: "no connection can be opened"})
			accept := l.RefuseListeners()
			end = func() { accept(); over() }
			// This ends connections that are there; the rest of the fault does not.
			w.journal.add(mark{service: service, class: ofListen, text: "the connections end"})
			then(l)
		}
		return nil
	}, "%s: no connection can be opened in place of those that end, begins", service)
	p.add(min(at+lasts, p.length), func(*world) error { end(); return nil }, "%s: connections can be opened", service)
}

const (
	// glance is the time between two looks at the clock, and stall how late one may come
	// on a machine that leaves time to everybody.
	glance, stall = 50 * time.Millisecond, 300 * time.Millisecond
)

// watch marks the times in which the machine, or this program, stood still.
func (w *world) watch() {
	for {
		began := time.Now()
		select {
		case <-w.over:
			return
		case <-time.After(glance):
		}
		if late := time.Since(began) - glance; late > stall {
			w.journal.since(began, mark{class: ofMachine, stalled: true, text: "stood still"})
		}
	}
}
