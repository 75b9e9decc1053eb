package main

import (
	"context"
	"fmt"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// samples is how many there are of each figure, of which the median is told.
const samples = 7

// measureStart measures the start of both, and their memory at rest.
func measureStart(ctx context.Context, r *report, service string) error {
	p, err := newPair(ctx, setup{service: service, recipients: 1})
	if err != nil {
		return err
	}
	defer p.end()
	var took, rss [2][]float64
	for range samples {
		for i, s := range p.both() {
			if _, _, err := s.process.Stop(); err != nil {
				return err
			}
			if err := s.begin(ctx); err != nil {
				return err
			}
			took[i] = append(took[i], milliseconds(time.Since(s.process.Began())))
			if rss[i], err = sampled(rss[i], s.process.RSS); err != nil {
				return err
			}
		}
	}
	r.compare(service, "start to ready (floor: to watching)", "ms", median(took[0]), median(took[1]), limit{})
	r.compare(service, "memory at rest", "MB", median(rss[0]), median(rss[1]), limit{})
	return nil
}

// sampled adds a size in megabytes.
func sampled(to []float64, read func() (int64, error)) ([]float64, error) {
	bytes, err := read()
	return append(to, megabytes(bytes)), err
}

// measurePosts measures how long a request takes to be told.
func measurePosts(ctx context.Context, r *report, service string) error {
	for _, c := range []struct {
		name string
		setup
		latency time.Duration
		times   int // in each sample
		limit
	}{
		{"request to message", setup{service, 1, false}, 0, 31, limit{1, 0.5}},
		{"request to the last of 5 messages, the service takes 100 ms", setup{service, 5, false}, 100 * time.Millisecond, 3, limit{1.05, 0}},
		{"the same, without the right to look up", setup{service, 5, true}, 100 * time.Millisecond, 3, limit{1.15, 0}},
	} {
		if c.blind && !canBeBlind(service) {
			continue
		}
		p, err := newPair(ctx, c.setup)
		if err != nil {
			return err
		}
		figures, err := p.posts(ctx, c.times, c.latency)
		p.end()
		if err != nil {
			return err
		}
		r.compare(service, c.name, "ms", figures[0], figures[1], c.limit)
	}
	return nil
}

// canBeBlind reports whether a service may keep the plugin from looking up what it
// has posted.
func canBeBlind(service string) bool {
	return (&harness.Options{Service: service}).Blind()
}

// posts returns the median of samples, each of which is that of so many requests.
func (p pair) posts(ctx context.Context, times int, latency time.Duration) (figures [2]float64, err error) {
	for range 40 { // to warm up
		for _, s := range p.both() {
			if _, _, err := s.burst(ctx, 1); err != nil {
				return figures, err
			}
		}
	}
	p.latency(latency)
	var took [2][]time.Duration
	for range samples {
		var sample [2][]time.Duration
		for range times {
			for i, s := range p.both() {
				one, _, err := s.burst(ctx, 1)
				if err != nil {
					return figures, err
				}
				sample[i] = append(sample[i], one)
			}
		}
		for i := range took {
			took[i] = append(took[i], median(sample[i]))
		}
	}
	return [2]float64{milliseconds(median(took[0])), milliseconds(median(took[1]))}, nil
}

// latency sets how long a call to either service takes.
func (p pair) latency(d time.Duration) {
	for _, s := range p.both() {
		s.Service().SetLatency(d)
	}
}

// measureBursts measures many requests at once, and the memory after them.
func measureBursts(ctx context.Context, r *report, service string) error {
	const requests, latency = 500, 20 * time.Millisecond
	name := fmt.Sprintf("%d requests at once to 3 recipients, the service takes %v", requests, latency)
	for _, blind := range []bool{false, true} {
		if blind && !canBeBlind(service) {
			continue
		}
		p, err := newPair(ctx, setup{service, 3, blind})
		if err != nil {
			return err
		}
		p.latency(latency)
		took, cpu, err := p.bursts(ctx, requests)
		if err == nil && !blind {
			err = r.memory(p, service)
		}
		p.end()
		if err != nil {
			return err
		}
		if blind {
			r.compare(service, name+", without the right to look up (floor: a call and its record, one after another)", "ms",
				took[0], took[1], limit{1.1, 0})
			continue
		}
		r.compare(service, name, "ms", took[0], took[1], limit{1.15, 0})
		r.compare(service, "processor time for that", "ms", cpu[0], cpu[1], limit{1.3, 0})
	}
	return nil
}

// bursts returns the medians of time and processor time. The first burst of a
// process counts as any other.
func (p pair) bursts(ctx context.Context, requests int) (took, cpu [2]float64, err error) {
	var times, used [2][]float64
	for range samples {
		for i, s := range p.both() {
			before, err := s.process.CPU()
			if err != nil {
				return took, cpu, err
			}
			one, _, err := s.burst(ctx, requests)
			if err != nil {
				return took, cpu, err
			}
			after, err := s.process.CPU()
			if err != nil {
				return took, cpu, err
			}
			times[i], used[i] = append(times[i], milliseconds(one)), append(used[i], milliseconds(after-before))
		}
	}
	for i := range times {
		took[i], cpu[i] = median(times[i]), median(used[i])
	}
	return took, cpu, nil
}

// memory adds the memory of both after bursts.
func (r *report) memory(p pair, service string) error {
	ours, err := p.ours.process.RSS()
	if err != nil {
		return err
	}
	floor, err := p.floor.process.RSS()
	if err != nil {
		return err
	}
	r.compare(service, "memory after 7 such bursts", "MB", megabytes(ours), megabytes(floor), limit{})
	return nil
}
