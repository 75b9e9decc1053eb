package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/sandbox/cluster"
)

// measureStart measures the binary, its start, and its memory at rest.
func measureStart(ctx context.Context, r *report) error {
	path, err := harness.Binary(service().Name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("measuring the binary: %w", err)
	}
	r.add(row{Name: "binary", Unit: "MB", Ours: megabytes(info.Size()), Existing: some(70), Goal: some(40)})
	p, err := newPair(ctx, 1)
	if err != nil {
		return err
	}
	defer p.end()
	var ours, floor []time.Duration
	for range 20 {
		if err := again(ctx, p.ours, &ours); err != nil {
			return err
		}
		if err := again(ctx, p.floor, &floor); err != nil {
			return err
		}
	}
	r.add(row{Name: "exec to ready, median of 20", Unit: "ms", Ours: median(ours), Floor: some(median(floor)), Existing: some(45)})
	return r.memory(p, "memory at rest", some(63), some(40))
}

// again ends a program, starts it and notes how long that start took.
func again(ctx context.Context, s *subject, took *[]time.Duration) error {
	if _, _, err := s.process.Stop(); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	*took = append(*took, time.Since(s.process.Began()))
	return nil
}

// memory adds the memory of both as it is now.
func (r *report) memory(p pair, name string, existing, goal *float64) error {
	all := row{Name: name, Existing: existing, Goal: goal}
	if err := r.size(p, all, (*harness.Replica).RSS); err != nil {
		return err
	}
	return r.size(p, row{Name: name + ", without the pages of the binary"}, (*harness.Replica).AnonymousRSS)
}

// size completes a row with a size of both, and adds it.
func (r *report) size(p pair, of row, read func(*harness.Replica) (int64, error)) error {
	ours, err := read(p.ours.process)
	if err != nil {
		return err
	}
	floor, err := read(p.floor.process)
	if err != nil {
		return err
	}
	of.Unit, of.Ours, of.Floor = "MB", megabytes(ours), some(megabytes(floor))
	r.add(of)
	return nil
}

// measurePosts measures how long a request takes to be told, one after another.
func measurePosts(ctx context.Context, r *report) error {
	for _, c := range []struct {
		recipients, times int
		latency           time.Duration
		existing          *float64
		goal              func(floor float64) *float64
	}{
		{1, 200, 0, some(3.3), func(floor float64) *float64 { return some(floor + 2) }},
		{5, 200, 0, nil, func(float64) *float64 { return nil }},
		{1, 50, 100 * time.Millisecond, nil, func(floor float64) *float64 { return some(floor + 2) }},
		{5, 50, 100 * time.Millisecond, some(510), func(float64) *float64 { return some(115) }},
	} {
		p, err := newPair(ctx, c.recipients)
		if err != nil {
			return err
		}
		ours, floor, err := latencies(ctx, p, c.times, c.latency)
		p.end()
		if err != nil {
			return err
		}
		name := fmt.Sprintf("create to the last of %d posts, %s takes %v, ", c.recipients, service().Title, c.latency)
		r.add(
			row{Name: name + "p50", Unit: "ms", Ours: median(ours), Floor: some(median(floor)), Existing: c.existing, Goal: c.goal(median(floor))},
			row{Name: name + "p99", Unit: "ms", Ours: percentile(ours, 99), Floor: some(percentile(floor, 99))},
		)
	}
	return nil
}

func latencies(ctx context.Context, p pair, times int, latency time.Duration) (ours, floor []time.Duration, err error) {
	if _, _, err := p.bursts(ctx, 40, 1); err != nil { // to warm up
		return nil, nil, err
	}
	p.latency(latency)
	return p.bursts(ctx, times, 1)
}

// measureBurst measures many requests at once, and the memory after them.
func measureBurst(ctx context.Context, r *report) error {
	const requests, recipients, latency = 500, 3, 20 * time.Millisecond
	p, err := newPair(ctx, recipients)
	if err != nil {
		return err
	}
	defer p.end()
	p.latency(latency)
	before, err := p.cpu()
	if err != nil {
		return err
	}
	const times = 5
	ours, floor, err := p.bursts(ctx, times, requests)
	if err != nil {
		return err
	}
	after, err := p.cpu()
	if err != nil {
		return err
	}
	bare, err := measureBare(ctx, requests*recipients, latency)
	if err != nil {
		return err
	}
	used := func(i int) float64 { return milliseconds((after[i] - before[i]) / times) }
	r.add(
		row{
			Name: fmt.Sprintf("%d requests for %d recipients at once, %s takes %v: first of the process", requests, recipients, service().Title, latency), Unit: "ms",
			Ours: milliseconds(ours[0]), Floor: some(milliseconds(floor[0])), Existing: some(650), Goal: some(325),
		},
		row{Name: "the same, median of 5", Unit: "ms", Ours: median(ours), Floor: some(median(floor)), Existing: some(650), Goal: some(325)},
		row{
			Name: fmt.Sprintf("%d calls of %v over %d connections, with nothing else to do (floor), median of 5", requests*recipients, latency, outbound.ConnectionsPerHost),
			Unit: "ms", Ours: median(ours), Floor: some(median(bare)),
		},
		row{Name: "processor time for that", Unit: "ms", Ours: used(0), Floor: some(used(1))},
		row{Name: "processor time of the cluster and the service in memory, for ours and the floor together", Unit: "ms", Ours: used(2)},
	)
	return r.memory(p, "memory after that", some(73), nil)
}

// cpu is the processor time used so far by the plugin, by the floor, and by this
// process, which is the cluster and the service.
func (p pair) cpu() (used [3]time.Duration, err error) {
	if used[0], err = p.ours.process.CPU(); err != nil {
		return used, err
	}
	if used[1], err = p.floor.process.CPU(); err != nil {
		return used, err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return used, fmt.Errorf("reading the processor time of this process: %w", err)
	}
	used[2] = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return used, nil
}

// measureInLine measures what it costs that an app may not read its conversations:
// messages are made one by one.
func measureInLine(ctx context.Context, r *report) error {
	for _, c := range []struct {
		recipients, requests, times int
		latency                     time.Duration
		existing                    *float64
	}{
		{5, 1, 20, 100 * time.Millisecond, some(510)},
		{3, 500, 1, 20 * time.Millisecond, some(650)},
	} {
		s, err := newSubject(c.recipients, true, func(o *harness.Options) { o.Blind() })
		if err != nil {
			return err
		}
		defer s.end()
		if err := s.begin(ctx); err != nil {
			return err
		}
		s.Service().SetLatency(c.latency)
		var took []time.Duration
		for range c.times {
			one, _, err := s.burst(ctx, c.requests)
			if err != nil {
				return err
			}
			took = append(took, one)
		}
		r.add(row{
			Name: fmt.Sprintf("%d at once for %d recipients, %s takes %v, without the right to look up", c.requests, c.recipients, service().Title, c.latency),
			Unit: "ms", Ours: median(took), Existing: c.existing,
		})
	}
	return nil
}

// measureCalls counts the calls for one request of one recipient, from its
// creation to its record, and from its approval to its record.
func measureCalls(ctx context.Context, r *report) error {
	s, err := newSubject(1, true)
	if err != nil {
		return err
	}
	defer s.end()
	if err := s.begin(ctx); err != nil {
		return err
	}
	if _, _, err := s.burst(ctx, 1); err != nil { // what is looked up once
		return err
	}
	const times = 20
	c := s.count()
	var ids []string
	for range times {
		_, id, err := s.burst(ctx, 1)
		if err != nil {
			return err
		}
		ids = append(ids, id...)
	}
	c.add(r, "announced", times)
	c = s.count()
	for _, id := range ids {
		if err := s.approved(ctx, id); err != nil {
			return err
		}
	}
	c.add(r, "approved by one review", times)
	return nil
}

// approved approves a request and waits until that is recorded.
func (s *subject) approved(ctx context.Context, id string) error {
	if err := s.Cluster.Review(id, cluster.Bob, types.RequestState_APPROVED, "fine"); err != nil {
		return err
	}
	if v := s.Outcome(ctx, harness.Expected{ID: id, Recipients: s.Service().Places()[3:4], Reviews: 1, Status: "APPROVED"}); !v.Good() {
		return fmt.Errorf("the approval was not told: %v", v)
	}
	changes, stop := s.Cluster.OnChange()
	defer stop()
	for s.Cluster.PluginData(id, s.Plugin())["resolution"] == "" {
		select {
		case <-changes:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the record of %s: %w", id, ctx.Err())
		}
	}
	return nil
}

// calls are the numbers of calls at one moment.
type calls struct {
	s                *subject
	cluster, service map[string]int
}

func (s *subject) count() calls { return calls{s, s.Cluster.Calls(), s.Service().Counts()} }

// add reports what was called since, for each request.
func (c calls) add(r *report, what string, requests int) {
	for _, side := range []struct {
		name        string
		before, now map[string]int
	}{{"the cluster", c.cluster, c.s.Cluster.Calls()}, {service().Title, c.service, c.s.Service().Counts()}} {
		total, names := 0, []string{}
		for _, method := range slices.Sorted(maps.Keys(side.now)) {
			n := side.now[method] - side.before[method]
			if n == 0 || method == "Ping" { // Ping is the heartbeat, whatever happens
				continue
			}
			total += n
			names = append(names, fmt.Sprintf("%s %.3g", method, float64(n)/float64(requests)))
			if method == "UpdatePluginData" {
				r.add(row{Name: "record writes, request " + what, Unit: "each", Ours: float64(n) / float64(requests), Goal: some(2)})
			}
		}
		r.add(row{Name: fmt.Sprintf("calls to %s, request %s (%s)", side.name, what, strings.Join(names, ", ")), Unit: "each", Ours: float64(total) / float64(requests)})
	}
}
