package clock_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/clock"
)

// The clock follows the least delay, once enough was heard; what comes from the future
// proves itself.
func TestClock(t *testing.T) {
	for name, c := range map[string]struct {
		delays []time.Duration
		want   time.Duration
	}{
		"nothing was heard":                   {nil, 0},
		"both agree":                          {[]time.Duration{time.Second, 100 * time.Millisecond, 2 * time.Second}, 0},
		"one slow event proves nothing":       {[]time.Duration{40 * time.Minute}, 0},
		"two of them neither":                 {[]time.Duration{40 * time.Minute, 40 * time.Minute}, 0},
		"one fast event among slow ones":      {[]time.Duration{40 * time.Minute, time.Second, 40 * time.Minute}, 0},
		"this machine is ahead":               {[]time.Duration{3*time.Minute + time.Second, 3 * time.Minute, 4 * time.Minute}, 3 * time.Minute},
		"this machine is behind":              {[]time.Duration{-3 * time.Minute, -3 * time.Minute, -2 * time.Minute}, -3 * time.Minute},
		"one event from the future":           {[]time.Duration{-3 * time.Minute}, 0},
		"an event of another age":             {[]time.Duration{time.Second, time.Second, time.Second, -74 * 365 * 24 * time.Hour}, 0},
		"the clock was set":                   {append(slices.Repeat([]time.Duration{-10 * time.Minute}, 30), slices.Repeat([]time.Duration{time.Second}, 20)...), 0},
		"behind, and some are on their way":   {[]time.Duration{-2 * time.Minute, -3 * time.Minute, time.Minute}, -3 * time.Minute},
		"a little behind is time on the way":  {[]time.Duration{-time.Second}, 0},
		"a request whose time is not known":   {[]time.Duration{1 << 62}, 0},
		"far behind after much that was slow": {[]time.Duration{time.Hour, time.Hour, time.Hour, -time.Hour}, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var k clock.Clock
				for _, d := range c.delays {
					if d == 1<<62 {
						k.Heard(time.Time{})
						continue
					}
					k.Heard(time.Now().Add(-d))
				}
				if got := k.Ahead(); got != c.want {
					t.Errorf("ahead by %v, want %v", got, c.want)
				}
				if got := time.Since(k.Now()); got != c.want {
					t.Errorf("the time is off by %v, want %v", got, c.want)
				}
			})
		})
	}
}
