package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"teleport-plugins/lib/integration"
)

// Requests wait in line for a place that takes one at a time.
func TestADeciderIsAskedBeforeItsTurnOnlyIfTheRequestIsItsBusiness(t *testing.T) {
	const requests = 10
	for name, c := range map[string]struct {
		aloof  bool
		early  int // asked when one of them can have been announced
		writes int // at most
	}{
		// One that has to wait for its turn is claimed twice, and read before the second time.
		"its business":     {aloof: false, early: requests, writes: 4 * requests},
		"not its business": {aloof: true, early: 1, writes: 2 * requests},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.desk.latency = time.Second
				d := &decider{aloof: c.aloof}
				r.deciders = []integration.Decider{d}
				x := r.start()
				defer x.stop()
				for i := range requests {
					r.memory.put(fmt.Sprint(i), nil)
				}
				r.settle(1500 * time.Millisecond)
				if n := d.times(); n != c.early {
					t.Errorf("asked about %d of %d requests while they waited, want %d", n, requests, c.early)
				}
				r.settle(time.Minute)
				if n := d.times(); n != requests {
					t.Errorf("asked %d times about %d requests", n, requests)
				}
				r.memory.with(func() {
					reads := r.memory.reads + r.memory.gets
					if r.memory.writes > c.writes || c.aloof && reads > 0 {
						t.Errorf("%d writes and %d reads, want at most %d writes", r.memory.writes, reads, c.writes)
					}
				})
				for i := range requests {
					if rec := r.record(fmt.Sprint(i)); len(rec.Progress.Decided) != 1 || len(rec.Messages) != 1 {
						t.Errorf("request %d: decided by %v, announced %d times", i, rec.Progress.Decided, len(rec.Messages))
					}
				}
			})
		})
	}
}
