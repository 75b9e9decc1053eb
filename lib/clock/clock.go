// Package clock provides the cluster's time, as far as it can be known. The cluster has
// no call that tells it, but what it reports as new bears the time at which it was made:
// the shortest time after which something was heard that was just made is how far this
// machine's clock is ahead, give or take the time on the way.
package clock

import (
	"slices"
	"sync"
	"time"
)

const (
	// tolerance is the difference that may be time on the way, and counts for nothing;
	// what differs by more than most is no clock.
	tolerance, most = 5 * time.Second, 24 * time.Hour
	// enough is how many new things have to be heard before they count: one alone may
	// have been long on the way. Of more than the window the oldest are forgotten, since
	// a clock may be set.
	enough, window = 3, 20
)

// Clock knows the difference between this machine's clock and the cluster's. The zero
// value knows none; it may be used by several goroutines.
type Clock struct {
	mu    sync.Mutex
	ahead []time.Duration // of the newest things that were heard
}

// Heard says that something was heard that was made just then, in the cluster's time.
func (c *Clock) Heard(made time.Time) {
	ahead := time.Since(made)
	if made.IsZero() || ahead.Abs() > most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead = append(c.ahead, ahead); len(c.ahead) > window {
		c.ahead = slices.Clone(c.ahead[1:])
	}
}

// Ahead is how far this machine's clock is ahead of the cluster's; less than zero if it
// is behind, and zero if the two agree or nothing is known.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ahead) < enough {
		return 0
	}
	if ahead := slices.Min(c.ahead); ahead.Abs() > tolerance {
		return ahead
	}
	return 0
}

// Now is the time in the cluster.
func (c *Clock) Now() time.Time { return time.Now().Add(-c.Ahead()) }
