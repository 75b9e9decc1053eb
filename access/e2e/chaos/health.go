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

// atLeast is the larger of two sizes in each respect.
func (s size) atLeast(t size) size {
	return size{max(s.bytes, t.bytes), max(s.descriptors, t.descriptors)}
}

// grownFrom reports whether a size is more than half as much again as an earlier one.
func (s size) grownFrom(earlier size) bool {
	return earlier.bytes > 0 && (s.bytes*2 > earlier.bytes*3 || s.descriptors*2 > earlier.descriptors*3)
}

// size is what a replica takes now; zero for one that does not run.
func (p *process) size() (s size) {
	s.bytes, _ = p.RSS()
	s.descriptors, _ = p.Descriptors()
	return s
}

// weigh notes what a replica takes in the second minute.
func (p *process) weigh() {
	s := p.size()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.early = p.early.atLeast(s)
}

func (p *process) weighed() size {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.early
}

const (
	// longRun is from which length on a replica must not have grown.
	longRun = 5 * time.Minute
	// release is how long a replica may take to give back what it needs no more: Go
	// collects garbage every two minutes where there is nothing to do.
	release = 4 * time.Minute
)

// growth tells the sizes, and which replicas take more than half as much again as
// in the second minute of a long run.
func (w *world) growth(ctx context.Context) (all, grown []string) {
	until := time.Now().Add(release)
	for _, p := range w.processes() {
		then, now := p.weighed(), p.size()
		for ; w.length >= longRun && now.grownFrom(then) && time.Now().Before(until) && ctx.Err() == nil; now = p.size() {
			time.Sleep(look)
		}
		text := fmt.Sprintf("%v: %v at most in the second minute, at the end %v", p, then, now)
		all = append(all, text)
		if w.length >= longRun && now.grownFrom(then) {
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
