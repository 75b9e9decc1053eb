package main

import (
	"context"
	"errors"
	"fmt"

	"teleport-plugins/lib/sandbox/cluster"
)

// measureCalls counts the calls to the cluster for requests that nobody has
// announced, which are all there when the plugin starts.
func measureCalls(ctx context.Context, r *report, service string) error {
	const requests = 10_000
	s, err := newSubject(setup{service, 1, atOnce})
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
	r.add(row{Measure: name + "calls to the cluster for each, with the list of all", Service: service, Unit: "calls", Ours: float64(calls) / requests}, 0, 2.02)
	r.add(row{Measure: name + "start to the last message", Service: service, Unit: "ms", Ours: milliseconds(took)}, 0, 0)
	r.add(row{Measure: name + "memory at the most", Service: service, Unit: "MB", Ours: float64(peak) / 1e6}, 0, 0)
	return nil
}

// measureCatchUp measures starts on a cluster full of requests that were announced
// before, beside a floor that reads the message with all records and nothing else.
func measureCatchUp(ctx context.Context, r *report, service string) error {
	const requests = 50_000
	p, err := newFull(ctx, setup{service, 1, reading}, requests)
	if err != nil {
		return err
	}
	defer p.end()
	calls := func() int { return p.ours.posts() + p.ours.Cluster.Calls()["UpdatePluginData"] }
	before := calls()
	took, rss, peak, err := p.starts(ctx)
	if err == nil && calls() != before {
		err = errors.New("the plugin worked on requests that were announced before")
	}
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d announced before: ", requests)
	r.add(took.row(name+"start to caught up (floor: to have read all records)", service, "ms"), 0, 0)
	r.add(rss.row(name+"memory when caught up", service, "MB"), 0, 90)
	r.add(peak.row(name+"memory at the most", service, "MB"), 0, 90)
	return nil
}

// newFull makes two worlds full of requests that were announced before.
func newFull(ctx context.Context, c setup, requests int) (pair, error) {
	p, err := newPair(ctx, c)
	if err != nil {
		return p, err
	}
	_, _, err = p.ours.burst(ctx, 1)
	for _, s := range p.both() {
		if err == nil {
			_, _, err = s.process.Stop()
		}
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
