package main

import (
	"context"
	"fmt"
	"time"

	"teleport-plugins/lib/sandbox/cluster"
)

// caughtUp is what the plugin logs when it has compared every request with its
// record for the first time, and let go of what it needed for that.
const caughtUp = "Plugin is ready"

// measureCalls counts the calls to the cluster for requests that nobody has
// announced, which are all there when the plugin starts.
func measureCalls(ctx context.Context, r *report, service string) error {
	const requests = 10_000
	s, err := newSubject(setup{service: service, recipients: 1})
	if err != nil {
		return err
	}
	defer s.end()
	var ids []string
	for range requests {
		id, err := s.create(cluster.CreateParams{})
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	err = s.told(ctx, requests)
	took := s.Service().Last(s.Methods().Post).Sub(s.process.Began())
	if err == nil {
		err = s.Settled(ctx, ids...)
	}
	if err != nil {
		return err
	}
	peak, err := s.process.PeakRSS()
	if err != nil {
		return err
	}
	calls := 0
	for method, n := range s.Cluster.Calls() {
		if method != "Ping" { // the heartbeat, whatever happens
			calls += n
		}
	}
	name := fmt.Sprintf("%d pending, never announced: ", requests)
	r.bound(service, name+"calls to the cluster for each, with the list of all", "calls", float64(calls)/requests, 2.02)
	r.note(service, name+"start to the last message", "ms", milliseconds(took))
	r.note(service, name+"memory at the most", "MB", megabytes(peak))
	return nil
}

// measureCatchUp measures starts on a cluster full of requests that were announced
// before, beside a floor that reads the message with all records and nothing else.
func measureCatchUp(ctx context.Context, r *report, service string) error {
	const requests = 50_000
	p, err := newFull(ctx, setup{service: service, recipients: 1}, requests)
	if err != nil {
		return err
	}
	defer p.end()
	var took []float64
	var rss, peak [2][]float64
	for range samples {
		for i, s := range p.both() {
			one, err := s.restart(ctx)
			if err != nil {
				return err
			}
			if !s.floor {
				took = append(took, milliseconds(one))
			}
			if rss[i], err = sampled(rss[i], s.process.RSS); err != nil {
				return err
			}
			if peak[i], err = sampled(peak[i], s.process.PeakRSS); err != nil {
				return err
			}
			if _, _, err := s.process.Stop(); err != nil {
				return err
			}
		}
	}
	name := fmt.Sprintf("%d announced before: ", requests)
	r.note(service, name+"start to caught up", "ms", median(took))
	r.bound(service, name+"memory when caught up", "MB", median(rss[0]), 90)
	r.compare(service, name+"memory at the most (floor: to read the one message of all records)", "MB", median(peak[0]), median(peak[1]), limit{})
	return nil
}

// newFull makes two worlds full of requests that were announced before.
func newFull(ctx context.Context, c setup, requests int) (p pair, err error) {
	p.ours, err = newSubject(c)
	if err != nil {
		return p, err
	}
	if p.floor, err = floorOf(ctx, c, reading); err == nil {
		err = p.ours.begin(ctx)
	}
	if err == nil {
		_, _, err = p.ours.burst(ctx, 1)
	}
	if err == nil {
		_, _, err = p.ours.process.Stop()
	}
	for _, s := range p.both() {
		if err == nil {
			err = s.fill(requests)
		}
	}
	if err != nil {
		p.end()
	}
	return p, err
}

// fill adds requests that have the record of one that was announced.
func (s *subject) fill(requests int) error {
	first := s.Cluster.Requests()[0]
	records := map[string]map[string]string{s.Plugin(): s.Cluster.PluginData(first.GetName(), s.Plugin())}
	for range requests - len(s.Cluster.Requests()) {
		if _, err := s.create(cluster.CreateParams{Created: first.GetCreationTime(), Records: records}); err != nil {
			return err
		}
	}
	return nil
}

// restart starts the program and returns how long it took to catch up, as it says.
// One that works on requests that were announced before is an error.
func (s *subject) restart(ctx context.Context) (took time.Duration, err error) {
	posts, writes := s.posts(), s.Cluster.Calls()["UpdatePluginData"]
	if err := s.begin(ctx); err != nil || s.floor {
		return 0, err
	}
	line, err := s.process.Logged(ctx, caughtUp, s.process.Began())
	if err != nil {
		return 0, err
	}
	if s.posts() != posts || s.Cluster.Calls()["UpdatePluginData"] != writes {
		return 0, fmt.Errorf("the plugin worked on requests that were announced before:\n%s", s.process.LogText())
	}
	return line.Time.Sub(s.process.Began()), nil
}
