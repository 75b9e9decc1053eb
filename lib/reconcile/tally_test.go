package reconcile_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// A retry is a request that is put back after a failure that passes, once for all
// of its recipients, and nothing else.
func TestWhatCountsAsARetry(t *testing.T) {
	// each fails the first post to each recipient.
	each := func(kind outbound.Kind, scope outbound.Scope) func(r *rig) {
		return func(r *rig) {
			failed := map[string]bool{}
			r.desk.fault = func(step, address string) error {
				if step != "post" || failed[address] {
					return nil
				}
				failed[address] = true
				return failWith(kind, scope)
			}
		}
	}
	for name, tc := range map[string]struct {
		prepare            func(r *rig)
		retries            int64
		panicked, exceeded bool
	}{
		"nothing fails":         {prepare: func(*rig) {}},
		"a failure that passes": {prepare: each(outbound.Retry, outbound.OneCall), retries: 1},
		"a refused call":        {prepare: each(outbound.Refused, outbound.OneCall)},
		"a refused place":       {prepare: each(outbound.Refused, outbound.ThePlace)},
		"a refused token":       {prepare: each(outbound.Refused, outbound.TheToken)},
		"a record that cannot be written now": {prepare: func(r *rig) {
			var once atomic.Bool
			r.memory.beforeWrite = func(string) error {
				if once.CompareAndSwap(false, true) {
					return errors.New("unavailable")
				}
				return nil
			}
		}, retries: 1},
		"a fault of ours": {prepare: func(r *rig) {
			var once atomic.Bool
			r.desk.fault = func(step, _ string) error {
				if step == "post" && once.CompareAndSwap(false, true) {
					panic("out of order")
				}
				return nil
			}
		}, panicked: true},
		"a recipient for whom too much was begun": {prepare: func(r *rig) {
			r.memory.put("1", nil)
			_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{
				plugindata.ProgressKey: `{"deliveries":[{"recipient":"ops","address":"ops","begun":99}]}`,
			}, nil)
		}, exceeded: true},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.recipients = []string{"ops", "db", "web"}
				tc.prepare(r)
				x := r.start()
				defer x.stop()
				x.catchUp()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.settle(time.Minute)
				if n := r.tally.retried.Load(); n != tc.retries {
					t.Errorf("%d retries, want %d", n, tc.retries)
				}
				if n := r.tally.panicked.Load(); (n > 0) != tc.panicked {
					t.Errorf("%d faults", n)
				}
				if n := r.tally.exceeded.Load(); (n > 0) != tc.exceeded {
					t.Errorf("%d budgets exceeded", n)
				}
			})
		})
	}
}
