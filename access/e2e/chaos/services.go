package main

import (
	"fmt"
	"slices"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/fault"
)

// disturbServices plans the faults of services: single calls all the time, and
// beside them faults that last.
func (p *plan) disturbServices() {
	for _, service := range p.services {
		for at := p.between(0, 3*time.Second); at < p.length; at += p.between(500*time.Millisecond, 4*time.Second) {
			p.disturbCalls(at, service)
		}
		for at := p.between(2*time.Second, 8*time.Second); at < p.length; at += p.between(8*time.Second, 20*time.Second) {
			p.disturbFor(at, service)
		}
		p.closePlaces(service)
		for at := p.between(10*time.Second, time.Minute); at < p.length; at += p.between(time.Minute, 3*time.Minute) {
			p.refuseToken(at, service)
		}
	}
}

// effects are what may become of a call.
func (p *plan) effect() fault.Fault {
	f := one(p.rng, []fault.Fault{
		{Effect: fault.RateLimit},
		{Effect: fault.RateLimit, RetryAfterMS: 1000},
		{Effect: fault.RateLimit, RetryAfterMS: 3000},
		{Effect: fault.Status, HTTPStatus: 500},
		{Effect: fault.Status, HTTPStatus: 502},
		{Effect: fault.Status, HTTPStatus: 503},
		{Effect: fault.Gateway, HTTPStatus: 403},
		{Effect: fault.Gateway, HTTPStatus: 404},
		{Effect: fault.Gateway, HTTPStatus: 302},
		{Effect: fault.Gateway, HTTPStatus: 502},
		{Effect: fault.Gateway, HTTPStatus: 405},
		{Effect: fault.Garbage},
		{Effect: fault.Hang},
		{Effect: fault.Cut},
		{Effect: fault.Slow},
		{Effect: fault.DoneNotAnswered},
		{Effect: fault.DoneNotAnswered},
	})
	if f.Effect == fault.Slow {
		f.DelayMS = int(p.between(100*time.Millisecond, 2500*time.Millisecond).Milliseconds())
	}
	return f
}

// The calls that a fault is about, which each service names in its own way.
var methods = []string{"", "post", "post", "edit", "find"}

func (s *side) method(kind string) string {
	m := s.Methods()
	return map[string]string{"post": m.Post, "edit": m.Edit, "find": m.Find}[kind]
}

func (p *plan) disturbCalls(at time.Duration, service string) {
	f, kind := p.effect(), one(p.rng, methods)
	f.Times = 1 + p.rng.IntN(4)
	p.add(at, func(w *world) error {
		s := w.side(service)
		f := f
		f.Method = s.method(kind)
		s.Service().Faults().Add(f)
		return nil
	}, "%s: %s", service, describe(f, kind))
}

func describe(f fault.Fault, kind string) string {
	text := string(f.Effect)
	if f.HTTPStatus != 0 {
		text += fmt.Sprintf(" %d", f.HTTPStatus)
	}
	if f.Code != "" {
		text += " " + f.Code
	}
	if d := f.Delay() + f.RetryAfter(); d > 0 {
		text += fmt.Sprintf(" %v", d)
	}
	if f.Times > 0 {
		text += fmt.Sprintf(", %d times", f.Times)
	}
	if f.Content != "" {
		text += fmt.Sprintf(", where it says %q", f.Content)
	}
	if kind != "" {
		text += ", of " + kind
	}
	return text
}

// disturbFor plans a fault that lasts: of all calls, of one kind, of one place, or
// of what a firewall dislikes.
func (p *plan) disturbFor(at time.Duration, service string) {
	f, lasts, kind, channel := p.effect(), p.between(time.Second, 7*time.Second), "", -1
	switch p.rng.IntN(4) {
	case 0:
		kind = one(p.rng, methods)
	case 1:
		channel = p.rng.IntN(3)
	case 2:
		f = fault.Fault{Effect: fault.Gateway, HTTPStatus: 403, Content: firewalled}
		lasts *= 3
	}
	p.lasting(at, lasts, service, f, kind, channel)
}

// lasting plans a fault for a time; a channel below zero stands for all.
func (p *plan) lasting(at, lasts time.Duration, service string, f fault.Fault, kind string, channel int) {
	end := func() {}
	p.add(at, func(w *world) error {
		s := w.side(service)
		f := f
		f.Method = s.method(kind)
		m := mark{service: service, class: ofService, text: describe(f, kind)}
		switch {
		case f.Content != "":
			m.class = ofCall // each call that it hits is a mark of its own
		case channel >= 0:
			f.Target = s.Place(s.channels[channel])
			m.class, m.place = ofPlace, f.Target
		}
		remove, over := s.Service().Faults().Add(f), w.journal.add(m)
		end = func() { remove(); over() }
		return nil
	}, "%s: %s, channel %d, begins", service, describe(f, kind), channel)
	p.add(min(at+lasts, p.length), func(*world) error { end(); return nil }, "%s: %s, channel %d, ends", service, describe(f, kind), channel)
}

// closePlaces plans for each place that it is closed to us for a while, in the
// vendor's own words, once in a quarter of an hour: a place that was refused may
// be left alone for that long.
func (p *plan) closePlaces(service string) {
	for from := time.Duration(0); from < p.length; from += 15 * time.Minute {
		for channel := range 3 {
			at, code := from+p.between(0, min(p.length, 15*time.Minute)), p.rng.IntN(100)
			lasts := p.between(3*time.Second, 25*time.Second)
			if at >= p.length {
				continue
			}
			p.closePlace(at, lasts, service, channel, code)
		}
	}
}

func (p *plan) closePlace(at, lasts time.Duration, service string, channel, code int) {
	end := func() {}
	p.add(at, func(w *world) error {
		s := w.side(service)
		f := fault.Fault{Effect: fault.Refuse, Code: s.Refusals()[code%len(s.Refusals())], Target: s.Place(s.channels[channel])}
		over := w.journal.add(mark{service: service, class: ofPlace, place: f.Target, text: describe(f, "")})
		remove := s.Service().Faults().Add(f)
		end = func() { remove(); over() }
		return nil
	}, "%s: channel %d is closed, in words %d", service, channel, code)
	p.add(min(at+lasts, p.length), func(*world) error { end(); return nil }, "%s: channel %d is open", service, channel)
}

func (p *plan) refuseToken(at time.Duration, service string) {
	end := func() {}
	p.add(at, func(w *world) error {
		over := w.journal.add(mark{service: service, class: ofToken, text: "is refused"})
		accept := w.side(service).RefuseToken()
		end = func() { accept(); over() }
		return nil
	}, "%s: the token is refused", service)
	p.add(min(at+p.between(2*time.Second, 9*time.Second), p.length), func(*world) error { end(); return nil }, "%s: the token is accepted", service)
}

// observe marks each call that a fault hits.
func (w *world) observe(s *side) {
	presses := harness.Presses(s.name)
	s.Service().Faults().Observe(func(f fault.Fault, c fault.Call) {
		m := mark{
			service: s.name, place: c.Target, class: ofCall, unclear: f.Effect.Unclear(),
			text: c.Method + ": " + describe(fault.Fault{Effect: f.Effect, HTTPStatus: f.HTTPStatus, Code: f.Code}, ""),
		}
		known := s.Methods()
		// Faults on certain methods are about those that people do not wait for.
		m.back = presses && f.Method == "" && !slices.Contains([]string{known.Post, known.Edit, known.Find}, c.Method)
		m.content(c.Content)
		w.journal.lasts(f.RetryAfter(), m) // for so long such calls are held back
	})
}
