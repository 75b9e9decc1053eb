package main

import (
	"context"
	"fmt"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

const (
	role = "editor"
	// requester is known to no service, so that a request is told to its recipients
	// alone.
	requester = "erin"
)

// setup is a world to measure in.
type setup struct {
	service    string
	recipients int
	// way is how the floor works. In line, the plugin may not look up what it has
	// posted.
	way string
}

// options describe the world, with the recipients that its requests are told to.
func (c setup) options() (o harness.Options, names []string) {
	o = harness.Options{
		Service: c.service, Halted: true, Config: "# the defaults of everything else\n",
		FarEnd: farend.Options{Places: c.recipients},
	}
	if service, err := harness.Find(c.service); err == nil { // else the world says so
		names = service.Simulate(o.FarEnd).Places()[3:]
	}
	o.Recipients = map[string][]string{"*": names}
	o.KeepNoCalls()
	if c.way == inLine {
		o.Blind()
	}
	return o, names
}

// subject is a program that tells requests, in a world of its own.
type subject struct {
	*harness.World
	setup
	names   []string
	process *harness.Replica
	floor   bool
}

// newSubject makes a world, with the plugin in it, which is not started.
func newSubject(c setup) (*subject, error) {
	o, names := c.options()
	w, err := harness.Start(o)
	if err != nil {
		return nil, err
	}
	return &subject{World: w, setup: c, names: names, process: w.Replica(0)}, nil
}

// begin starts the program and returns how long it took to be ready: to have compared
// every request with its record, and let go of what it needed for that.
func (s *subject) begin(ctx context.Context) (took time.Duration, err error) {
	if err := s.process.Start(); err != nil {
		return 0, err
	}
	ready := "Plugin is ready"
	if s.floor {
		ready = floorWatching
	}
	line, err := s.process.Logged(ctx, ready, s.process.Began())
	return line.Time.Sub(s.process.Began()), err
}

// end ends the program and its world.
func (s *subject) end() {
	if s.process.Running() {
		_, _, _ = s.process.Stop()
	}
	_ = s.Close()
}

// create makes a request.
func (s *subject) create(p cluster.CreateParams) (id string, err error) {
	p.User, p.Roles, p.Reason = requester, []string{role}, "replica lag on db-3, INC-204"
	p.Annotations = s.Annotations(s.names...)
	return s.Cluster.CreateRequest(p)
}

// posts is how many announcements were made so far.
func (s *subject) posts() int { return s.Service().Calls(s.Methods().Post) }

// patience is how long it may take to tell any number of requests.
const patience = 5 * time.Minute

// told waits until so many announcements have been made.
func (s *subject) told(ctx context.Context, posts int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.Service().Wait(ctx, func() bool { return s.posts() >= posts }); err != nil {
		logs := s.process.Logs()
		return fmt.Errorf("%w; there are %d of %d; the program said last: %v", err, s.posts(), posts, logs[max(len(logs)-3, 0):])
	}
	return nil
}

// burst makes requests as fast as it can, and returns how long it took from the
// first of them until all had been announced. It waits until that is recorded.
func (s *subject) burst(ctx context.Context, requests int) (took time.Duration, ids []string, err error) {
	before, start := s.posts(), time.Now()
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
	took = s.Service().Last(s.Methods().Post).Sub(start)
	return took, ids, s.Settled(ctx, ids...)
}

// pair is the plugin and the floor, which are measured in turn.
type pair struct{ ours, floor *subject }

// newPair starts both.
func newPair(ctx context.Context, c setup) (p pair, err error) {
	if p.ours, err = newSubject(c); err != nil {
		return p, err
	}
	p.floor, err = floorOf(ctx, c)
	if err == nil {
		_, err = p.ours.begin(ctx)
	}
	if err == nil {
		_, err = p.floor.begin(ctx)
	}
	if err != nil {
		p.end()
	}
	return p, err
}

// floorOf makes a world with the floor in it, which is not started.
func floorOf(ctx context.Context, c setup) (*subject, error) {
	s, err := newSubject(c)
	if err != nil {
		return nil, err
	}
	script, err := s.learn(ctx)
	if err == nil {
		s.floor = true
		s.process, err = newFloor(s.World, script, c.way)
	}
	if err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (p pair) end() {
	p.ours.end()
	if p.floor != nil {
		p.floor.end()
	}
}

// both returns the plugin and the floor, in the order of figures.
func (p pair) both() [2]*subject { return [2]*subject{p.ours, p.floor} }
