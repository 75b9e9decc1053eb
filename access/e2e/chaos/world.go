package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// world is what runs: a cluster, and for each service its far end with the
// replicas of its plugin.
type world struct {
	settings
	plan    *plan
	cluster *cluster.Cluster
	sides   []*side
	journal journal
	tally   tally // of presses that are not judged
	said    statements
	hands   map[hand]*sync.Mutex

	restarting sync.Mutex
	over       chan struct{} // closed when replicas may end
	background sync.WaitGroup
	began      time.Time
	healed     time.Time

	mu     sync.Mutex
	errors []error // of this program
}

// side is a service with its plugin.
type side struct {
	*harness.World
	name      string
	channels  []string
	blind     bool
	buttons   bool
	processes []*process
}

// start prepares a world and starts the replicas.
func start(s settings, p *plan) (*world, error) {
	w, err := prepare(s, p)
	if err != nil {
		return nil, err
	}
	for _, s := range w.sides {
		if err := s.StartReplicas(); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// prepare makes a world in which no replica runs.
func prepare(s settings, p *plan) (*world, error) {
	w := &world{settings: s, plan: p, over: make(chan struct{})}
	var err error
	if w.cluster, err = cluster.Start(cluster.Options{}); err != nil {
		return nil, err
	}
	w.cluster.AddUser(robot, nil, nil)
	w.admit()
	annotations := make(map[string]map[string][]string)
	for _, name := range p.services {
		if err := w.addSide(name, annotations); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	for _, r := range roles() {
		w.cluster.AddRole(r.name, cluster.RoleSpec{Approve: r.approve, Deny: 1, Annotations: annotations[r.name]})
	}
	return w, nil
}

// addSide makes a service, and notes what the roles must say for it.
func (w *world) addSide(name string, annotations map[string]map[string][]string) (err error) {
	s := &side{name: name, channels: harness.Channels(name), buttons: slices.Contains(w.plan.buttons, name)}
	recipients := map[string][]string{"*": s.channels[:1]}
	for _, r := range roles() {
		for _, i := range r.channels {
			recipients[r.name] = append(recipients[r.name], s.channels[i])
		}
	}
	o := harness.Options{
		Service: name, Replicas: replicas, Recipients: recipients, Config: config, Shared: w.cluster, Halted: true,
		Review: map[string]any{"reason": "deny"},
	}
	s.blind = w.plan.blind && o.Blind()
	o.KeepNoCalls()
	o.FarEnd.Outsiders, o.FarEnd.Guards = true, &farend.Guards{Roles: guarded(), Spare: s.channels[spare]}
	if slices.Contains(w.plan.deciders, name) {
		w.cluster.AddUser(cluster.PluginUserOf(name), []string{cluster.PluginRole, cluster.ReviewerRole}, nil)
	}
	if s.World, err = harness.Start(o); err != nil {
		return err
	}
	w.askPlaces(s)
	w.sides = append(w.sides, s)
	for role, to := range recipients {
		for key, values := range s.Annotations(to...) {
			if annotations[role] == nil {
				annotations[role] = make(map[string][]string)
			}
			annotations[role][key] = values
		}
	}
	for i := range replicas {
		s.processes = append(s.processes, &process{Replica: s.Replica(i), service: name, number: i})
	}
	return nil
}

func (w *world) side(name string) *side {
	return w.sides[slices.IndexFunc(w.sides, func(s *side) bool { return s.name == name })]
}

func (w *world) processes() (all []*process) {
	for _, s := range w.sides {
		all = append(all, s.processes...)
	}
	return all
}

// must keeps what went wrong with this program itself.
func (w *world) must(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errors = append(w.errors, err)
}

// beside does something while others go on.
func (w *world) beside(do func() error) {
	w.background.Go(func() { w.must(do()) })
}

// everything runs the plan, lets the plugins rest, and judges.
func (w *world) everything(ctx context.Context) report {
	for _, s := range w.sides {
		w.observe(s)
	}
	w.observeCluster()
	w.began = time.Now()
	var keepers sync.WaitGroup
	watching, rest := context.WithCancel(ctx)
	defer rest()
	keepers.Go(func() { harness.WatchMachine(watching, stall, w.stalled) })
	for _, p := range w.processes() {
		keepers.Go(func() { w.keep(p) })
		keepers.Go(func() { w.feel(p) })
	}
	w.run(ctx)
	w.heal()
	w.restUntilQuiet(ctx)
	r := w.judge()
	w.judgePresses(&r)
	r.memory, r.grown = w.growth(ctx)
	r.unready = w.unready(ctx)
	r.lines = w.unexplained()
	w.tell(&r)
	r.ends = w.ends()
	r.slow = w.slowness(w.began)
	close(w.over)
	rest()
	keepers.Wait()
	w.must(w.writeLogs(r.presses.lines))
	r.errors = w.errors
	return r
}

// run does what is planned.
func (w *world) run(ctx context.Context) {
	for _, step := range w.plan.steps {
		select {
		case <-time.After(time.Until(w.began.Add(step.at))):
		case <-ctx.Done():
			return
		}
		if err := step.do(w); err != nil {
			w.must(fmt.Errorf("%s: %w", step.text, err))
		}
	}
}

// heal ends what faults are left, and waits for what goes on beside.
func (w *world) heal() {
	w.background.Wait()
	w.cluster.ClearFailures()
	for _, s := range w.sides {
		s.Service().Faults().Clear()
	}
	w.healed = time.Now()
	fmt.Printf("all faults have ended after %v; %d requests, %d faults hit\n",
		w.healed.Sub(w.began).Round(time.Second), len(w.plan.requests), len(w.journal.marks))
}

// calm is how long nothing must be amiss for the plugins to count as quiet.
const calm = 15 * time.Second

// look is the least time between two looks at what people see. To look takes time,
// which the plugins need as well: they have at least rarely times as much.
const look, rarely = 3 * time.Second, 4

// maxRest is how long the plugins may take on a machine on which they go on, ever
// so slowly.
const maxRest = time.Hour

// restUntilQuiet waits until people see what they should and go on seeing it, or
// nothing has become better or worse for the time that there is for that.
func (w *world) restUntilQuiet(ctx context.Context) {
	var since time.Time
	amiss, changed := -1, w.healed
	for time.Since(changed) < w.rest && time.Since(w.healed) < maxRest && ctx.Err() == nil {
		began := time.Now()
		n := w.amiss(ctx)
		if n != amiss {
			amiss, changed = n, time.Now()
		}
		switch {
		case n > 0:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > calm:
			fmt.Printf("all is quiet %v after the last fault\n", since.Sub(w.healed).Round(100*time.Millisecond))
			return
		}
		select {
		case <-time.After(max(look, rarely*time.Since(began))):
		case <-ctx.Done():
		}
	}
	fmt.Printf("all is not quiet %v after the last fault; nothing has changed for %v\n",
		time.Since(w.healed).Round(time.Second), time.Since(changed).Round(time.Second))
}

// amiss counts what is not as it should be. What people see is looked at only once
// no replica says that anything is left to be done; until then each write to a
// record counts as a change.
func (w *world) amiss(ctx context.Context) int {
	if n := len(w.unready(ctx)); n > 0 {
		return n + w.cluster.Calls()["UpdatePluginData"]
	}
	r := w.judge()
	return r.beyond()
}

func (w *world) close() error {
	var errs []error
	for _, s := range w.sides {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.cluster.Close())...)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
