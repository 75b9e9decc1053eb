package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
)

// when notes the time of each step of a kind.
func (r *rig) when(step string, fault error) *[]time.Time {
	var times []time.Time
	r.desk.mu.Lock()
	defer r.desk.mu.Unlock()
	before := r.desk.fault
	r.desk.fault = func(s, address string) error {
		if s == step {
			times = append(times, time.Now())
			return fault
		}
		if before != nil {
			return before(s, address)
		}
		return nil
	}
	return &times
}

func gaps(times []time.Time) (list []time.Duration) {
	for i := 1; i < len(times); i++ {
		list = append(list, times[i].Sub(times[i-1]))
	}
	return list
}

// about reports whether a pause is a time, but for what the work takes.
func about(pause, want time.Duration) bool { return pause >= want && pause < want+100*time.Millisecond }

// A day after its end a request is given up, and who was left is named. One that is
// pending is not, however long that is.
func TestARequestIsGivenUpADayAfterItsEnd(t *testing.T) {
	const line = "A day after its end an access request is given up; some messages about it may not say how it ended"
	for name, c := range map[string]struct {
		fault error
		ended bool
	}{
		"it is refused":                    {fail(outbound.Refused), true},
		"the place is closed":              {failWith(outbound.Refused, outbound.ThePlace), true},
		"it fails in a way that passes":    {fail(outbound.Retry), true},
		"it is refused, but still pending": {fail(outbound.Refused), false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.recipients = []string{"ops", "sec"}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Second)
				r.desk.mu.Lock()
				r.desk.fault = func(step, address string) error {
					if step == "edit" && address == "ops" {
						return c.fault
					}
					return nil
				}
				r.desk.mu.Unlock()
				if c.ended {
					r.memory.decide("1", types.RequestState_DENIED)
				} else {
					r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				}
				r.settle(24*time.Hour - time.Minute)
				if n := len(r.fields(line)); n != 0 {
					t.Fatalf("given up too early")
				}
				r.settle(2 * time.Minute)
				list := r.fields(line)
				if !c.ended {
					if len(list) != 0 {
						t.Error("given up though it has not ended")
					}
					return
				}
				if len(list) != 1 || len(list[0]["recipients"].([]any)) != 1 || list[0]["recipients"].([]any)[0] != "ops" {
					t.Fatalf("logged %v", list)
				}
				n := r.desk.count("edit ops")
				r.settle(24 * time.Hour)
				if r.desk.count("edit ops") != n || x.Remembered() > 1 {
					t.Errorf("%d calls after that; %d things are remembered", r.desk.count("edit ops")-n, x.Remembered())
				}
			})
		})
	}
}

// The pause before something that failed is tried again, where it may have been done.
func TestWhatMayHaveBeenDoneTwiceIsGivenMoreTime(t *testing.T) {
	inTime(t, func(r *rig) {
		r.timing.RetryMax = 10 * time.Second
		posts := r.when("post", fail(outbound.Unclear))
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(10 * time.Minute)
		got := gaps(*posts)
		if len(got) < 5 || got[0] > 2*time.Second || !about(got[1], 10*time.Second) {
			t.Fatalf("pauses %v", got)
		}
		for _, pause := range got[2:] {
			if !about(pause, 20*time.Second) {
				t.Errorf("pauses %v", got)
			}
		}
	})
}

// A service that does not let us do one kind of thing lets us do the others.
func TestWhatTheServiceDoesNotAllowAtAll(t *testing.T) {
	for step, goesOn := range map[string]bool{"reply": true, "notice": true, "end": false, "post": false} {
		t.Run(step, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.desk.ends = true
				r.service, r.recipients = teller{finder{r.desk}}, []string{"alice"}
				steps := r.when(step, failWith(outbound.Refused, outbound.TheMethod))
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Second)
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.memory.decide("1", types.RequestState_APPROVED)
				r.settle(10 * time.Minute)
				if n := len(*steps); goesOn != (n == 1) {
					t.Errorf("tried %d times", n)
				}
				if done := r.record("1").Resolution == request.Approved; done != goesOn {
					t.Errorf("the record says that all is told: %v", done)
				}
			})
		})
	}
}

func TestAFailureThatIsOverIsNoReasonToWaitLonger(t *testing.T) {
	for name, c := range map[string]struct {
		trouble func(r *rig, broken bool)
		most    time.Duration // the first pause after it was well
	}{
		"of the cluster": {func(r *rig, broken bool) {
			r.memory.with(func() {
				r.memory.beforeRead = nil
				if broken {
					r.memory.beforeRead = func(string) error { return errors.New("too busy") }
				}
			})
		}, 1300 * time.Millisecond},
		"of a request that is not shown": {func(r *rig, broken bool) {
			r.memory.with(func() { r.memory.hidden = broken })
		}, time.Minute + 100*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				r.deciders = []integration.Decider{&decider{verdict: integration.Verdict{Again: 100 * time.Hour}}} // keeps it in mind
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				again := func(d time.Duration) (reads int) {
					c.trouble(r, true)
					before := r.reads()
					r.memory.review("1", "bob", types.RequestState_APPROVED, "")
					r.settle(d)
					reads = r.reads() - before
					c.trouble(r, false)
					r.settle(time.Hour)
					return reads
				}
				first := again(c.most)
				again(30 * time.Minute)
				if second := again(c.most); first < 2 || second != first {
					t.Errorf("%d reads within %v, and after trouble that was over %d", first, c.most, second)
				}
			})
		})
	}
}

// The messages about an earlier request with the same id are corrected, but the new
// one does not wait for that longer than for any failure.
func TestAnEarlierRequestWithTheIDIsNotWaitedForForLong(t *testing.T) {
	const line = "An access request was made again under its id; messages about the earlier one may not say how it ended"
	inTime(t, func(r *rig) {
		r.recipients = []string{"ops", "sec"}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.desk.mu.Lock()
		r.desk.fault = func(step, address string) error {
			if step == "edit" && address == "ops" {
				return fail(outbound.Retry)
			}
			return nil
		}
		r.desk.mu.Unlock()
		r.memory.remove("1")
		r.memory.put("1", nil)
		r.settle(29 * time.Second)
		r.wantPosts(map[string]int{"ops": 1, "sec": 1})
		r.desk.mu.Lock()
		for _, p := range r.desk.posts {
			if p.address == "sec" && p.shown.Status != request.Expired {
				t.Errorf("the place that takes it shows %v", p.shown)
			}
		}
		r.desk.mu.Unlock()
		r.settle(3 * time.Second)
		r.wantPosts(map[string]int{"ops": 2, "sec": 2})
		list := r.fields(line)
		if len(list) != 1 || len(list[0]["recipients"].([]any)) != 1 || list[0]["recipients"].([]any)[0] != "ops" {
			t.Errorf("logged %v", list)
		}
	})
}

func TestAnEarlierRequestWithTheIDThatCannotBeRecordedIsLogged(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.memory.with(func() { r.memory.beforeWrite = func(string) error { return errors.New("too busy") } })
		r.memory.remove("1")
		r.memory.put("1", nil)
		r.settle(10 * time.Second)
		if n := r.tally.retried.Load(); n == 0 || !slices.Contains(r.logged(zap.WarnLevel), "Could not work on an access request; it will be tried again") {
			t.Errorf("%d retries, logged %q", n, r.logged(zap.WarnLevel))
		}
	})
}

// Whoever could be told again after failures is no longer one who fails.
func TestAFailureOfARecipientIsForgottenOnceTold(t *testing.T) {
	inTime(t, func(r *rig) {
		r.deciders = []integration.Decider{&decider{verdict: integration.Verdict{Again: 100 * time.Hour}}} // keeps it in mind
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		author := 'a'
		failing := func(d time.Duration) []time.Duration {
			edits := r.when("edit", fail(outbound.Retry))
			author++
			r.memory.review("1", string(author), types.RequestState_APPROVED, "")
			r.settle(d)
			r.desk.mu.Lock()
			r.desk.fault = nil
			r.desk.mu.Unlock()
			r.settle(time.Hour)
			return gaps(*edits)
		}
		if got := failing(10 * time.Minute); len(got) < 5 || got[0] > 1300*time.Millisecond {
			t.Fatalf("pauses %v", got)
		}
		if got := failing(10 * time.Second); len(got) < 2 || got[0] > 1300*time.Millisecond {
			t.Errorf("pauses after all was well: %v", got)
		}
		lines := strings.Join(r.logged(zap.InfoLevel), "\n")
		if !strings.Contains(lines, "A recipient was told after failures before") {
			t.Errorf("logged %s", lines)
		}
	})
}

func TestWhenACallThatFailedIsTriedAgain(t *testing.T) {
	const ms, sec, min = time.Millisecond, time.Second, time.Minute
	wait := func(after time.Duration, scope outbound.Scope) error {
		return &outbound.Error{Kind: outbound.Wait, Scope: scope, Op: "test", Status: 429, After: after}
	}
	for name, c := range map[string]struct {
		fault   error
		pauses  []time.Duration // the first of them
		vary    float64
		retried bool
	}{
		"a failure that passes":           {fail(outbound.Retry), []time.Duration{sec, 2 * sec, 4 * sec, 8 * sec, 16 * sec, 30 * sec, 30 * sec}, 0.2, true},
		"a wait of which nobody says how": {wait(0, outbound.OneCall), []time.Duration{sec, 2 * sec, 4 * sec}, 0.2, true},
		"a wait":                          {wait(10*sec, outbound.OneCall), []time.Duration{10 * sec, 10 * sec, 10 * sec}, 0, false},
		"a wait of the whole place":       {wait(10*sec, outbound.ThePlace), []time.Duration{10 * sec, 10 * sec, 10 * sec}, 0, false},
		"a wait of hardly any time":       {wait(ms, outbound.OneCall), []time.Duration{20 * ms, 20 * ms, 20 * ms}, 0, false},
		"a call that is refused":          {fail(outbound.Refused), []time.Duration{min, 5 * min, 15 * min, 15 * min}, 0, false},
		"a place that refuses":            {failWith(outbound.Refused, outbound.ThePlace), []time.Duration{min, 5 * min, 15 * min, 15 * min}, 0, false},
		"a place that is gone":            {fail(outbound.Gone), []time.Duration{min, 5 * min, 15 * min, 15 * min}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				posts := r.when("post", c.fault)
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				during := sec
				for _, pause := range c.pauses {
					during += pause * 6 / 5
				}
				r.settle(during)
				got := gaps(*posts)
				if len(got) < len(c.pauses) {
					t.Fatalf("pauses %v", got)
				}
				for i, want := range c.pauses {
					spread := time.Duration(c.vary * float64(want))
					if got[i] < want-spread || got[i] > want+spread+10*ms {
						t.Errorf("pause %d is %v, want %v", i, got[i], want)
					}
				}
				if n := r.tally.retried.Load(); n > 0 != c.retried {
					t.Errorf("%d retries", n)
				}
			})
		})
	}
}

// Results that are recorded late meet a claim that somebody else has made meanwhile:
// they are put into the record, and the claim is respected.
func TestAClaimThatLateResultsMeetIsRespected(t *testing.T) {
	inTime(t, func(r *rig) {
		// Told, and not recorded until the cluster is back.
		away, met := false, false
		r.desk.lost = func(step, _ string) error {
			away = step == "post"
			return nil
		}
		r.memory.beforeWrite = func(string) error {
			if away {
				return errors.New("the cluster is away")
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(100 * time.Millisecond)
		r.wantPosts(map[string]int{"ops": 1})
		// A review comes, and the very write of the late results finds another's claim.
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.memory.with(func() {
			r.memory.foreign = func(string) map[string]string {
				if met {
					return nil
				}
				met = true
				return map[string]string{ledger.Key: "another.7"}
			}
			away = false
		})
		r.settle(2 * time.Second)
		if !met {
			t.Fatal("there was no claim to meet")
		}
		if n := r.desk.count("reply ops"); n > 0 {
			t.Errorf("%d calls were made while another had the claim", n)
		}
		if rec := r.record("1"); rec.Claim.String() != "another.7" || len(rec.Messages) != 1 {
			t.Errorf("the claim is %v, and the messages are %v", rec.Claim, rec.Messages)
		}
		r.settle(time.Minute) // it was dead
		if n := r.desk.count("reply ops"); n != 1 {
			t.Errorf("%d replies in the end", n)
		}
	})
}
