package reconcile_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// attentive is a decider that notes what it is told, and what is refused.
type attentive struct {
	decider
	told, meant [][]string
	reviews     map[string]int
	refused     int
}

func (d *attentive) Decide(ctx context.Context, v request.View, told integration.Told) (integration.Verdict, error) {
	var channels []string
	for _, m := range told.Posts {
		channels = append(channels, m.Channel)
	}
	slices.Sort(channels)
	d.reviews = told.Reviews
	names, _ := told.Recipients(ctx)
	d.told, d.meant = append(d.told, channels), append(d.meant, names)
	return d.decider.Decide(ctx, v, told)
}

func (d *attentive) Refused(context.Context, request.View, []plugindata.Message, integration.Verdict, error) {
	d.refused++
}

// A decider that had nothing to say yet is asked again as soon as it may have: once
// somebody more was told, or somebody has reviewed the request. Nothing else wakes it.
func TestADeciderIsAskedAgainWhenThereIsNews(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.recipients = finder{r.desk}, []string{"attic", "ops"}
		d := &attentive{decider: decider{verdict: integration.Verdict{Again: 24 * time.Hour}}}
		r.deciders = []integration.Decider{d}
		closed := true
		r.desk.fault = func(step, address string) error {
			if step == "post" && address == "attic" && closed {
				return fail(outbound.Retry)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(10 * time.Second)
		all := slices.Clone(d.meant[0])
		if len(d.told) != 1 || len(d.told[0]) != len(all)-1 || !slices.Contains(all, "attic") {
			t.Fatalf("told %q of %q", d.told, d.meant)
		}
		r.desk.mu.Lock()
		closed = false
		r.desk.mu.Unlock()
		r.settle(time.Minute)
		if len(d.told) != 2 || len(d.told[1]) != len(all) {
			t.Fatalf("told %q of %q", d.told, d.meant)
		}
		r.memory.review("1", "bob", types.RequestState_APPROVED, "fine")
		r.settle(10 * time.Second)
		if d.times() != 3 || d.reviews["attic"] != 1 || d.reviews["ops"] != 1 {
			t.Errorf("asked %d times, with reviews told %v", d.times(), d.reviews)
		}
		r.settle(20 * time.Hour)
		if d.times() != 3 {
			t.Errorf("asked %d times, without news", d.times())
		}
	})
}

// What the record does not name any more, since others can write to it, is to be told
// all the same.
func TestRecipientsAreNotBelievedToTheRecord(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.recipients = finder{r.desk}, []string{"attic", "ops"}
		d := &attentive{decider: decider{verdict: integration.Verdict{Again: 24 * time.Hour}}}
		r.deciders = []integration.Decider{d}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(10 * time.Second)
		x.stop()
		all := d.meant[0]
		rec := r.record("1")
		rec.Progress.Deliveries = rec.Progress.Deliveries[:1]
		set, _ := rec.Changes()
		if err := r.memory.update(types.KindAccessRequest, "1", "test", set, nil); err != nil {
			t.Fatal(err)
		}
		x = r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		if last := d.meant[len(d.meant)-1]; len(d.meant) < 2 || !slices.Equal(last, all) {
			t.Errorf("it is to be told to %q, and was to %q", last, all)
		}
	})
}

// A refusal is told while the request is pending, unless our one review is there.
func TestADeciderHearsOfARefusal(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(r *rig)
		heard   int
	}{
		"the cluster refuses":      {func(*rig) {}, 1},
		"we have reviewed before":  {func(r *rig) { r.memory.review("1", "plugin", types.RequestState_APPROVED, "otherwise") }, 0},
		"others were faster":       {func(r *rig) { r.memory.decide("1", types.RequestState_DENIED) }, 0},
		"the request is not there": {func(r *rig) { r.memory.remove("1") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &attentive{decider: decider{verdict: onCall}}
				r.deciders = []integration.Decider{d}
				r.memory.beforeReview = func(string) error {
					c.happens(r)
					return errDenied
				}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(30 * time.Second)
				if d.refused != c.heard || d.times() != 1 || (len(r.fields(undone)) > 0) != (c.heard > 0) {
					t.Errorf("heard of it %d times, asked %d times", d.refused, d.times())
				}
			})
		})
	}
}

// A decider that has not finished with a pending request is asked after a start, though
// everybody was told; one that has is not, nor about requests that have ended.
func TestADeciderIsAskedAfterAStart(t *testing.T) {
	for name, c := range map[string]struct {
		verdict integration.Verdict
		ends    bool
		asked   int
	}{
		"it waits":              {integration.Verdict{Again: 24 * time.Hour}, false, 2},
		"it has finished":       {integration.Verdict{}, false, 1},
		"the request has ended": {integration.Verdict{Again: 24 * time.Hour}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &attentive{decider: decider{verdict: c.verdict}}
				r.deciders = []integration.Decider{d}
				x := r.start()
				r.memory.put("1", nil)
				r.settle(10 * time.Second)
				x.stop()
				if c.ends {
					r.memory.decide("1", types.RequestState_APPROVED)
				}
				x = r.start()
				defer x.stop()
				x.catchUp()
				r.settle(time.Minute)
				if d.times() != c.asked {
					t.Errorf("asked %d times, want %d", d.times(), c.asked)
				}
			})
		})
	}
}
