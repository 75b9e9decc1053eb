package reconcile

import (
	"math/rand/v2"
	"time"
)

// pause keeps one recipient of one request, or a decider, back after a failure.
type pause struct {
	failures int
	until    time.Time
	refused  bool // waits for somebody to change something
}

func (p *pause) set(d time.Duration, refused bool) { p.until, p.refused = time.Now().Add(d), refused }

// pauseOf is the pause of a recipient or decider.
func (x *round) pauseOf(name string) *pause {
	p := x.t.pauses[name]
	if p == nil {
		if x.t.pauses == nil {
			x.t.pauses = make(map[string]*pause)
		}
		p = &pause{}
		x.t.pauses[name] = p
	}
	return p
}

func (x *round) paused(name string) bool {
	p := x.t.pauses[name]
	return p != nil && time.Now().Before(p.until)
}

// backoff is the pause after the n-th failure in a row: exponential, and jittered
// so that what failed together does not return together.
func (r *Reconciler) backoff(n int) time.Duration {
	d := r.Timing.RetryMin << min(n-1, 20)
	if d > r.Timing.RetryMax || d <= 0 {
		d = r.Timing.RetryMax
	}
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// probes are the pauses before something that was refused is tried again: nothing
// is refused for ever, since people invite the bot, open a channel again, add a
// scope.
func (t Timing) probes() [3]time.Duration {
	return [3]time.Duration{
		min(2*t.RetryMax, time.Minute), min(10*t.RetryMax, 5*time.Minute), min(30*t.RetryMax, 15*time.Minute),
	}
}

// probe is the pause after the n-th refusal in a row.
func (r *Reconciler) probe(n int) time.Duration {
	probes := r.Timing.probes()
	return probes[min(max(n, 1), len(probes))-1]
}
