package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// A request that is heard of for the first time, pending and without a review, needs
// no reading. Any other may have been told by somebody.
func TestWhichRequestsAreTakenForNew(t *testing.T) {
	for name, c := range map[string]struct {
		before, change func(req types.AccessRequest)
		read           bool
	}{
		"pending, no review": {nil, nil, false},
		"reviewed already": {nil, func(req types.AccessRequest) {
			req.SetReviews([]types.AccessReview{{Author: "bob", ProposedState: types.RequestState_APPROVED}})
		}, true},
		"decided already":     {nil, func(req types.AccessRequest) { _ = req.SetState(types.RequestState_APPROVED) }, true},
		"heard of once more":  {func(types.AccessRequest) {}, nil, true},
		"reviewed since then": {func(types.AccessRequest) {}, func(req types.AccessRequest) { req.SetReviews(make([]types.AccessReview, 1)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				x := r.start()
				defer x.stop()
				if c.before != nil {
					r.memory.put("1", c.before)
					r.settle(time.Minute)
				}
				before := r.reads()
				r.memory.put("1", c.change)
				r.settle(time.Minute)
				if read := r.reads() > before; read != c.read {
					t.Errorf("it was read: %v, want %v", read, c.read)
				}
				r.wantPosts(map[string]int{"ops": 1})
			})
		})
	}
}

// A request that concerns nobody is none that waits.
func TestARequestOfNobodyDoesNotWait(t *testing.T) {
	inTime(t, func(r *rig) {
		r.recipients = nil
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		if since := x.Undelivered(); !since.IsZero() {
			t.Errorf("undelivered since %v", since)
		}
		r.memory.remove("1")
		r.settle(time.Minute)
		if n := x.Remembered(); n != 0 {
			t.Errorf("%d things are remembered", n)
		}
	})
}

// A message that a late call may change back is shown once more a lease after the
// last such call, and not after the first.
func TestTheLastLostCallCounts(t *testing.T) {
	inTime(t, func(r *rig) {
		lose := false
		var edits []time.Time
		r.desk.lost = func(step, _ string) error {
			if step != "edit" {
				return nil
			}
			edits = append(edits, time.Now())
			if lose {
				lose = false
				return fail(outbound.Unclear)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		for _, author := range []string{"bob", "eve"} {
			r.desk.mu.Lock()
			lose = true
			r.desk.mu.Unlock()
			r.memory.review("1", author, types.RequestState_APPROVED, "")
			r.settle(20 * time.Second)
		}
		second := time.Now().Add(-20 * time.Second)
		r.settle(time.Hour)
		if len(edits) != 5 || !about(edits[4].Sub(second), 30*time.Second) {
			t.Errorf("shown at %v; the second answer was lost at %v", edits, second)
		}
	})
}

// A call that was quick says nothing against its place, however long ago it was.
func TestAQuickCallDoesNotMakeItsPlaceSlow(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		defer x.stop()
		r.memory.put("first", nil)
		r.settle(time.Minute)
		r.desk.mu.Lock()
		r.desk.latency = 400 * time.Millisecond
		r.desk.mu.Unlock()
		for i := range workers {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(500 * time.Millisecond)
		r.wantPosts(map[string]int{"ops": workers + 1})
	})
}

// While the service answers nothing one call at a time is made; with the first
// answer all recipients of a request are told.
func TestAServiceThatAnswersAgainIsToldAll(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"a", "b", "c", "d"}
		x := r.start()
		defer x.stop()
		for range 5 {
			x.Checked(fail(outbound.Retry))
		}
		if !x.Unwell() {
			t.Fatal("it is well")
		}
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.wantPosts(map[string]int{"a": 1, "b": 1, "c": 1, "d": 1})
		if x.Unwell() || !x.Undelivered().IsZero() {
			t.Errorf("unwell: %v, undelivered since %v", x.Unwell(), x.Undelivered())
		}
	})
}

// A check that was not made, since a rate limit forbids it for now, says nothing of the
// service.
func TestAServiceThatIsNotAskedIsNotUnwell(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		for range 5 {
			x.Checked(fail(outbound.Wait))
		}
		if x.Unwell() {
			t.Error("it is unwell")
		}
	})
}

// A doubt about an effect that nobody would ask for now is looked up all the same:
// what happened is to be known.
func TestADoubtAboutWhatIsNotWantedIsLookedUp(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		x.stop()
		rec := r.record("1")
		rec.Progress.Deliveries[0].Doubt = map[string]plugindata.Doubt{"review.3": {Tries: 1}}
		set, _ := rec.Changes()
		if err := r.memory.update(types.KindAccessRequest, "1", "test", set, nil); err != nil {
			t.Fatal(err)
		}
		x = r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Minute)
		if n := r.desk.count("find ops"); n == 0 || len(r.record("1").Progress.Deliveries[0].Doubt) > 0 {
			t.Errorf("looked up %d times; in doubt: %v", n, r.record("1").Progress.Deliveries[0].Doubt)
		}
	})
}
