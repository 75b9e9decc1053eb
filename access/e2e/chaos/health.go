package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// size is what a replica takes.
type size struct {
	bytes       int64
	descriptors int
}

func (s size) String() string {
	return fmt.Sprintf("%d MB, %d descriptors", s.bytes>>20, s.descriptors)
}

// sizes are those of all replicas; zero for one that does not run.
func (w *world) sizes() (all []size) {
	for _, p := range w.processes() {
		var s size
		s.bytes, _ = p.RSS()
		s.descriptors, _ = p.Descriptors()
		all = append(all, s)
	}
	return all
}

// longRun is from which length on a replica must not have grown.
const longRun = 5 * time.Minute

// growth tells the sizes, and which replicas take more than half as much again as
// earlier in a long run.
func (w *world) growth(earlier []size) (all, grown []string) {
	if earlier == nil {
		return nil, nil
	}
	for i, now := range w.sizes() {
		then := earlier[i]
		text := fmt.Sprintf("%v: %v, at the end %v", w.processes()[i], then, now)
		all = append(all, text)
		if w.length >= longRun && then.bytes > 0 && (now.bytes*2 > then.bytes*3 || now.descriptors*2 > then.descriptors*3) {
			grown = append(grown, text)
		}
	}
	return all, grown
}

// unready are the replicas that say that they are not ready, in their words, or
// that somebody still waits.
func (w *world) unready(ctx context.Context) (all []string) {
	for _, p := range w.processes() {
		ctx, cancel := context.WithTimeout(ctx, harness.Patience)
		defer cancel()
		if ready, words, err := p.Readiness(ctx); !ready {
			all = append(all, fmt.Sprintf("%v: %s %v", p, strings.TrimSpace(words), err))
			continue
		}
		if waits := p.waits(ctx); waits > calm {
			all = append(all, fmt.Sprintf("%v: is ready, and says that a request has waited for %v", p, waits))
		}
	}
	return all
}

// waits is how long the oldest request has waited to be told to everybody, by the
// replica's own metrics.
func (p *process) waits(ctx context.Context) time.Duration {
	metrics, err := p.Metrics(ctx)
	if err != nil {
		return 0 // a replica that does not answer is not ready either
	}
	for name, seconds := range metrics {
		if strings.HasSuffix(name, "oldest_undelivered_seconds") {
			return time.Duration(seconds * float64(time.Second)).Round(time.Second)
		}
	}
	return 0
}

// startTime is how long a start takes at most, on a machine that is not slow.
const startTime = 5 * time.Second

// ends are those of replicas that nobody asked for. To end is right where the
// service says at the start that the token is no good.
func (w *world) ends() (all []string) {
	marks := w.journal.all(nil)
	for _, p := range w.processes() {
		p.busy.Lock()
		for _, e := range p.ends {
			from := e.at.Add(-startTime)
			if w.slowness(e.began) > 0 {
				from = e.began
			}
			if !slices.ContainsFunc(marks, func(m mark) bool {
				return m.class == ofToken && m.service == p.service && m.overlaps(from, e.at)
			}) {
				all = append(all, clock(e.at)+" "+e.text)
			}
		}
		p.busy.Unlock()
	}
	return all
}
