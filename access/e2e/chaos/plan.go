package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// pace is how many operations there are in a second, and most how many there are in a
// run: all requests stay in the cluster, every replica that comes back reads them all,
// and a longer run is to have more faults and not more of that.
const pace, most = 20, 5000

// step is one thing that happens.
type step struct {
	at   time.Duration
	text string // says all of it: two plans are the same if their texts are
	// do carries it out. It must not wait; what lasts goes on in the background.
	do func(r *world) error
}

// plan is all that happens, in order.
type plan struct {
	rng      *rand.Rand
	length   time.Duration
	requests []*request
	steps    []step
	services []string
	// buttons are the services at which people press, and pressed is when each person
	// did there.
	buttons []string
	pressed map[hand][]time.Duration
	// deciders are the services whose places decide.
	deciders []string
	blind    bool // where a service has a variant in which nothing can be looked up
}

func newPlan(seed uint64, length time.Duration, services []string) *plan {
	p := &plan{
		rng: rand.New(rand.NewPCG(seed, 0xc4a05)), length: length, services: services, blind: seed%2 == 1,
		pressed: make(map[hand][]time.Duration),
	}
	for _, service := range services {
		if harness.Presses(service) {
			p.buttons = append(p.buttons, service)
		}
		if harness.Decides(service) {
			p.deciders = append(p.deciders, service)
		}
	}
	for at := time.Duration(0); at < length; at += p.between(0, 2*max(time.Second/pace, length/most)) {
		p.operate(at)
	}
	p.disturbServices()
	p.disturbCluster()
	p.disturbProcesses()
	p.disturbListeners()
	slices.SortStableFunc(p.steps, func(a, b step) int { return int(a.at - b.at) })
	return p
}

func (p *plan) between(from, to time.Duration) time.Duration {
	return from + time.Duration(p.rng.Int64N(int64(to-from))).Truncate(time.Millisecond)
}

func one[T any](rng *rand.Rand, of []T) T { return of[rng.IntN(len(of))] }

func (p *plan) add(at time.Duration, do func(r *world) error, format string, args ...any) {
	p.steps = append(p.steps, step{at, fmt.Sprintf(format, args...), do})
}

// operate plans the next thing that people or other programs do.
func (p *plan) operate(at time.Duration) {
	kinds := []struct {
		weight int
		plan   func(at time.Duration)
	}{
		{38, p.create},
		{30, p.reviewOne},
		{8, p.decide},
		{3, p.promote},
		{6, p.delete},
		{5, p.remove},
		{4, p.meddle},
		{2, p.garble},
		{14, p.press},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := p.rng.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			k.plan(at)
			return
		}
	}
}

// pick is a request for which something holds, mostly a new one.
func (p *plan) pick(holds func(*request) bool) *request {
	for range 20 {
		from := 0
		if p.rng.IntN(10) < 7 {
			from = max(0, len(p.requests)-30)
		}
		if from == len(p.requests) {
			return nil
		}
		if r := p.requests[from+p.rng.IntN(len(p.requests)-from)]; holds(r) {
			return r
		}
	}
	return nil
}

// id makes up an ID that looks like those of a cluster.
func (p *plan) id() string {
	a, b := p.rng.Uint64(), p.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

func (p *plan) create(at time.Duration) {
	r := &request{
		id: p.id(), planned: at, role: one(p.rng, roles()), user: one(p.rng, append(people(), robot)), state: pending,
		removed: make(map[spot][]time.Time), garbled: make(map[string]int),
	}
	other := r.id
	if o := p.pick(func(*request) bool { return true }); o != nil {
		other = o.id
	}
	r.reason = reason(p.rng, other)
	for range max(0, p.rng.IntN(6)-3) {
		r.suggest = append(r.suggest, one(p.rng, append(people(), stranger)))
	}
	switch n := p.rng.IntN(100); {
	case n < 8:
		r.ttl = p.between(2*time.Second, 20*time.Second)
	case n < 15:
		r.adopted = 1 + p.rng.IntN(2)
		r.suggest = nil
	}
	r.put = p.isPut(r)
	p.requests = append(p.requests, r)
	p.add(at, func(w *world) error { return w.create(r) }, "create %s for %s by %s, suggests %s, ttl %v, adopted %d, put to places %v, reason %q",
		r.id, r.role.name, r.user, r.suggest, r.ttl, r.adopted, r.put, r.reason)
}

func (p *plan) reviewOne(at time.Duration) {
	r := p.pick((*request).open)
	if r == nil {
		return
	}
	var may []string
	for _, a := range people() {
		if a != r.user && !slices.Contains(r.authors, a) {
			may = append(may, a)
		}
	}
	author, state := one(p.rng, may), approved
	if p.rng.IntN(6) == 0 {
		state = denied
	}
	text := r.review(author, state)
	p.add(at, func(w *world) error { return w.review(r, author, state, text) }, "review %s by %s: %s, %s", r.id, author, state, text)
}

func (p *plan) decide(at time.Duration) {
	if r := p.pick((*request).open); r != nil {
		r.state = one(p.rng, []string{approved, denied})
		state := r.state
		p.add(at, func(w *world) error { return w.decide(r, state) }, "decide %s: %s", r.id, state)
	}
}

func (p *plan) promote(at time.Duration) {
	if r := p.pick((*request).open); r != nil {
		r.state = promoted
		p.add(at, func(w *world) error { return w.promote(r) }, "promote %s", r.id)
	}
}

func (p *plan) delete(at time.Duration) {
	if r := p.pick(func(r *request) bool { return !r.gone && r.ttl == 0 }); r != nil {
		r.gone = true
		p.add(at, func(w *world) error { return w.delete(r) }, "delete %s", r.id)
	}
}

func (p *plan) remove(at time.Duration) {
	if r := p.pick(func(r *request) bool { return !r.gone && r.ttl == 0 }); r != nil {
		service, channel := one(p.rng, p.services), one(p.rng, r.role.channels)
		p.add(at, func(w *world) error { return w.remove(r, service, channel) }, "remove the message of %s at %s, channel %d", r.id, service, channel)
	}
}

// meddle lets another program write into a record.
func (p *plan) meddle(at time.Duration) {
	if r := p.pick(func(r *request) bool { return !r.gone && r.ttl == 0 }); r != nil {
		service, n := one(p.rng, p.services), p.rng.IntN(1000)
		p.add(at, func(w *world) error { return w.write(r, service, map[string]string{"foreign": fmt.Sprint(n)}, false) },
			"write %d into the record of %s at %s", n, r.id, service)
	}
}

// garble spoils a part of a record, which is not one that names messages: what
// they are is then known to nobody.
func (p *plan) garble(at time.Duration) {
	if r := p.pick(func(r *request) bool { return !r.gone && r.ttl == 0 }); r != nil {
		service, n := one(p.rng, p.services), p.rng.IntN(1000)
		value := one(p.rng, []string{`{"deliveries":[{"recipient":`, "…", "-1", "2147483647", "many", `{"replies":-1}`, strings.Repeat("[", 5000)})
		p.add(at, func(w *world) error { return w.garble(r, service, n, value) }, "garble %d in the record of %s at %s: %.40q", n, r.id, service, value)
	}
}
