package main

import (
	"context"
	"fmt"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// samples is how many there are of each figure, of which the median is told.
const samples = 7

// sampled holds the samples of both, in the order of pair.both.
type sampled [2][]float64

// add adds a size of one of them, in megabytes.
func (s *sampled) add(i int, read func() (int64, error)) error {
	bytes, err := read()
	s[i] = append(s[i], float64(bytes)/1e6)
	return err
}

// row is the figure that the samples come to.
func (s *sampled) row(measure, service, unit string) row {
	floor := median(s[1])
	return row{Measure: measure, Service: service, Unit: unit, Ours: median(s[0]), Floor: &floor}
}

// measureStart measures the start of both, and their memory at rest.
func measureStart(ctx context.Context, r *report, service string) error {
	p, err := newPair(ctx, setup{service, 1, atOnce})
	if err != nil {
		return err
	}
	defer p.end()
	took, rss, _, err := p.starts(ctx)
	if err != nil {
		return err
	}
	r.add(took.row("start to ready (floor: to watching)", service, "ms"), 0, 0)
	r.add(rss.row("memory at rest", service, "MB"), 0, 0)
	return nil
}

// starts starts both again and again, and returns how long that took, the memory then
// and the most that it was.
func (p pair) starts(ctx context.Context) (took, rss, peak sampled, err error) {
	for range samples {
		for i, s := range p.both() {
			if s.process.Running() {
				if _, _, err := s.process.Stop(); err != nil {
					return took, rss, peak, err
				}
			}
			one, err := s.begin(ctx)
			if err == nil {
				took[i], err = append(took[i], milliseconds(one)), rss.add(i, s.process.RSS)
			}
			if err == nil {
				err = peak.add(i, s.process.PeakRSS)
			}
			if err != nil {
				return took, rss, peak, err
			}
		}
	}
	return took, rss, peak, nil
}

// measurePosts measures how long a request takes to be told.
func measurePosts(ctx context.Context, r *report, service string) error {
	for _, c := range []struct {
		name string
		setup
		latency     time.Duration
		requests    int // in each sample
		times, more float64
	}{
		{"request to message", setup{service, 1, atOnce}, 0, 31, 1, 0.5},
		{"request to the last of 5 messages, the service takes 100 ms", setup{service, 5, atOnce}, 100 * time.Millisecond, 3, 1.05, 0},
		{"the same, without the right to look up", setup{service, 5, inLine}, 100 * time.Millisecond, 3, 1.15, 0},
	} {
		if c.way == inLine && !canBeBlind(service) {
			continue
		}
		p, err := newPair(ctx, c.setup)
		if err != nil {
			return err
		}
		_, err = p.posts(ctx, 41) // to warm up
		p.latency(c.latency)
		var took sampled
		for range samples {
			var one [2]float64
			if err == nil {
				one, err = p.posts(ctx, c.requests)
			}
			took[0], took[1] = append(took[0], one[0]), append(took[1], one[1])
		}
		p.end()
		if err != nil {
			return err
		}
		r.add(took.row(c.name, service, "ms"), c.times, c.more)
	}
	return nil
}

// canBeBlind reports whether a service may keep the plugin from looking up what it
// has posted.
func canBeBlind(service string) bool { return (&harness.Options{Service: service}).Blind() }

// posts makes so many requests, one after another, and returns the median of both.
func (p pair) posts(ctx context.Context, requests int) ([2]float64, error) {
	var took sampled
	for range requests {
		for i, s := range p.both() {
			one, _, err := s.burst(ctx, 1)
			if err != nil {
				return [2]float64{}, err
			}
			took[i] = append(took[i], milliseconds(one))
		}
	}
	return [2]float64{median(took[0]), median(took[1])}, nil
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
	for _, way := range []string{atOnce, inLine} {
		if way == inLine && !canBeBlind(service) {
			continue
		}
		p, err := newPair(ctx, setup{service, 3, way})
		if err != nil {
			return err
		}
		p.latency(latency)
		took, cpu, rss, err := p.bursts(ctx, requests)
		p.end()
		if err != nil {
			return err
		}
		if way == inLine {
			r.add(took.row(name+", without the right to look up (floor: a call and its record, one after another)", service, "ms"), 1.1, 0)
			continue
		}
		r.add(took.row(name, service, "ms"), 1.15, 0)
		r.add(cpu.row("processor time for that", service, "ms"), 1.3, 0)
		r.add(rss.row("memory after that", service, "MB"), 0, 0)
	}
	return nil
}

// bursts returns time, processor time and memory of bursts. The first one of a
// process counts as any other.
func (p pair) bursts(ctx context.Context, requests int) (took, cpu, rss sampled, err error) {
	for range samples {
		for i, s := range p.both() {
			before, err := s.process.CPU()
			if err != nil {
				return took, cpu, rss, err
			}
			one, _, err := s.burst(ctx, requests)
			if err != nil {
				return took, cpu, rss, err
			}
			after, err := s.process.CPU()
			if err != nil {
				return took, cpu, rss, err
			}
			took[i], cpu[i] = append(took[i], milliseconds(one)), append(cpu[i], milliseconds(after-before))
			if err := rss.add(i, s.process.RSS); err != nil {
				return took, cpu, rss, err
			}
		}
	}
	return took, cpu, rss, nil
}
