// Package pace says how long to wait before something that failed is tried again.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pace holds the least and the longest pause before a failed step is tried again.
type Pace struct{ Min, Max time.Duration }

// Backoff is the pause after the n-th failure in a row: exponential, and jittered
// so that what failed together does not return together.
func (p Pace) Backoff(n int) time.Duration {
	d := p.Min << min(n-1, 20)
	if d > p.Max || d <= 0 {
		d = p.Max
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// Sleep waits, and reports whether the context lasted.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Probe is the pause after the n-th refusal in a row. Nothing is refused for ever,
// since people invite the bot, open a channel again, add a scope.
func (p Pace) Probe(n int) time.Duration {
	switch {
	case n <= 1:
		return min(2*p.Max, time.Minute)
	case n == 2:
		return min(10*p.Max, 5*time.Minute)
	}
	return min(30*p.Max, 15*time.Minute)
}

// LongestProbe is the pause after many refusals in a row.
func (p Pace) LongestProbe() time.Duration { return p.Probe(3) }

// Pause keeps somebody back after failures.
type Pause struct {
	Failures int
	Until    time.Time
	Refused  bool // waits for somebody to change something
}

// Set begins the pause now.
func (p *Pause) Set(d time.Duration, refused bool) { p.Until, p.Refused = time.Now().Add(d), refused }

// Pauses are those of many, by name. The zero value has none.
type Pauses struct{ by map[string]*Pause }

// Of is the pause of a name, to be set.
func (p *Pauses) Of(name string) *Pause {
	if p.by == nil {
		p.by = make(map[string]*Pause)
	}
	if p.by[name] == nil {
		p.by[name] = &Pause{}
	}
	return p.by[name]
}

// End drops the pause of a name and returns how often it had failed.
func (p *Pauses) End(name string) (failures int) {
	if was := p.by[name]; was != nil {
		failures = was.Failures
	}
	delete(p.by, name)
	return failures
}

// Left returns how long the pause of a name goes on, or zero, and whether it waits
// for somebody to change something.
func (p *Pauses) Left(name string) (left time.Duration, refused bool) {
	if is := p.by[name]; is != nil {
		if left = time.Until(is.Until); left > 0 {
			return left, is.Refused
		}
	}
	return 0, false
}
