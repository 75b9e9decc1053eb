package main

import (
	"context"
	"slices"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

const (
	role = "editor"
	// requester is nobody whom the service knows, so that a request is told to the
	// channels alone.
	requester = "erin"
)

// subject is a program that tells requests, in a world of its own.
type subject struct {
	*harness.World
	process    *harness.Replica
	recipients int
	// records says that the program writes records, which it is to complete
	// before the next request.
	records bool
}

// service is the one that is measured: the first that has a floor.
func service() farend.Service {
	all := services.All()
	return all[slices.IndexFunc(all, func(s farend.Service) bool { return s.Bare != nil })]
}

// newSubject makes a world whose requests are told to so many recipients, and the
// plugin or the floor in it, which is not started.
func newSubject(recipients int, plugin bool, further ...func(*harness.Options)) (*subject, error) {
	o := harness.Options{
		Service: service().Name, Halted: true, Config: "# the defaults of everything else\n",
		FarEnd: farend.Options{Places: recipients},
	}
	o.Recipients = map[string][]string{"*": service().Simulate(o.FarEnd).Places()[3:]}
	for _, f := range further {
		f(&o)
	}
	w, err := harness.Start(o)
	if err != nil {
		return nil, err
	}
	s := &subject{World: w, process: w.Replica(0), recipients: recipients, records: plugin}
	if !plugin {
		s.process, err = newFloor(w, o.Recipients["*"])
	}
	return s, err
}

// begin starts the program and waits until it sees requests.
func (s *subject) begin(ctx context.Context) error {
	if err := s.process.Start(); err != nil {
		return err
	}
	if s.records {
		return s.process.Ready(ctx)
	}
	_, err := s.process.Logged(ctx, floorWatching, s.process.Began())
	return err
}

// end ends the program and its world.
func (s *subject) end() {
	if s.process.Running() {
		_ = s.process.Kill()
	}
	_ = s.Close()
}

// create makes a request.
func (s *subject) create(p cluster.CreateParams) (id string, err error) {
	p.User, p.Roles, p.Reason = requester, []string{role}, "replica lag on db-3, INC-204"
	return s.Cluster.CreateRequest(p)
}

// told waits until so many posts have arrived since the start.
func (s *subject) told(ctx context.Context, posts int) error {
	return s.Service().Wait(ctx, func() bool { return s.Service().Calls(s.Methods().Post) >= posts })
}

// last is when the newest post was answered.
func (s *subject) last() time.Time {
	var last time.Time
	for _, r := range s.Service().Requests() {
		if r.Method == s.Methods().Post && r.Time.After(last) {
			last = r.Time
		}
	}
	return last
}

// burst makes requests as fast as it can, and returns how long it took from the
// first of them until all posts had arrived.
func (s *subject) burst(ctx context.Context, requests int) (time.Duration, []string, error) {
	before, start := s.Service().Calls(s.Methods().Post), time.Now()
	var ids []string
	for range requests {
		id, err := s.create(cluster.CreateParams{})
		if err != nil {
			return 0, nil, err
		}
		ids = append(ids, id)
	}
	if err := s.told(ctx, before+requests*s.recipients); err != nil {
		return 0, nil, err
	}
	took := s.last().Sub(start)
	if !s.records {
		return took, ids, nil
	}
	return took, ids, s.Settled(ctx, ids...)
}

// pair is the plugin and the floor, which are measured in turns.
type pair struct{ ours, floor *subject }

// newPair starts both.
func newPair(ctx context.Context, recipients int) (p pair, err error) {
	if p.ours, err = newSubject(recipients, true); err != nil {
		return p, err
	}
	if p.floor, err = newSubject(recipients, false); err != nil {
		p.ours.end()
		return p, err
	}
	for _, s := range []*subject{p.ours, p.floor} {
		if err := s.begin(ctx); err != nil {
			p.end()
			return p, err
		}
	}
	return p, nil
}

func (p pair) end() {
	p.ours.end()
	p.floor.end()
}

// latency sets how long a call to either service takes.
func (p pair) latency(d time.Duration) {
	p.ours.Service().SetLatency(d)
	p.floor.Service().SetLatency(d)
}

// bursts measures bursts of both in turns.
func (p pair) bursts(ctx context.Context, times, requests int) (ours, floor []time.Duration, err error) {
	for range times {
		took, _, err := p.ours.burst(ctx, requests)
		if err != nil {
			return nil, nil, err
		}
		ours = append(ours, took)
		if took, _, err = p.floor.burst(ctx, requests); err != nil {
			return nil, nil, err
		}
		floor = append(floor, took)
	}
	return ours, floor, nil
}
