package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/reconcile"
	"teleport-plugins/lib/request"
)

func TestARequestIsAnnouncedOnceToEachRecipientWithTwoWrites(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "db", "sec", "ops"}
		x := r.start()
		defer x.stop()
		r.memory.put("1", func(req types.AccessRequest) { req.SetRequestReason("why") })
		r.settle(time.Second)
		r.wantPosts(map[string]int{"ops": 1, "db": 1, "sec": 1})
		if r.memory.writes != 2 || r.memory.gets != 0 || r.memory.reads != 0 {
			t.Errorf("%d writes, %d reads of the record, %d reads of the request; want 2, 0, 0", r.memory.writes, r.memory.gets, r.memory.reads)
		}
		rec := r.record("1")
		if rec.User != "alice" || rec.Reason != "why" || len(rec.Messages) != 3 || !rec.Claim.Free() {
			t.Errorf("record: %+v", rec)
		}
		r.settle(time.Hour)
		if r.memory.writes != 2 {
			t.Errorf("%d writes after an hour in which nothing happened", r.memory.writes)
		}
	})
}

// A request that is heard of for the first time is claimed without reading it. That
// it is new is a guess, which the cluster refuses where it is wrong.
func TestARequestThatSeemsNew(t *testing.T) {
	t.Run("and has a record of Teleport's own plugin is not posted again", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.desk.posts = []*post{{id: "m1", address: "ops", request: "1", shown: version(request.Pending, 0)}}
			r.memory.put("1", nil)
			_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"user": "alice", "messages": "ops/m1"}, nil)
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1})
			if rec := r.record("1"); len(rec.Messages) != 1 {
				t.Errorf("record: %+v", rec)
			}
		})
	})
	t.Run("and that nobody is to hear of is looked up: others may have chosen somebody", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.service = finder{r.desk}
			r.desk.latency = 5 * time.Second
			x := r.start()
			r.memory.put("1", nil)
			r.settle(time.Second)
			x.crash()
			r.recipients = nil
			x = r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1})
		})
	})
	t.Run("and is gone by the time its event arrives is not told", func(t *testing.T) {
		inTime(t, func(r *rig) {
			x := r.start()
			defer x.stop()
			r.memory.late = func() bool { return r.memory.request("1") != nil }
			r.memory.put("1", nil)
			r.memory.remove("1")
			r.settle(time.Minute)
			r.wantPosts(nil)
		})
	})
	t.Run("among very many is read when it is its turn", func(t *testing.T) {
		for name, c := range map[string]struct {
			service func(*desk) integration.Service
			reads   int
		}{
			"where all are announced at once":    {func(d *desk) integration.Service { return finder{d} }, 2},
			"where they are announced in a line": {func(d *desk) integration.Service { return d }, 3},
		} {
			t.Run(name, func(t *testing.T) {
				inTime(t, func(r *rig) {
					r.service = c.service(r.desk)
					r.desk.latency = 5 * time.Millisecond
					x := r.start()
					defer x.stop()
					const most, requests = 24 << 20 / (64 << 10), 1000
					long := strings.Repeat("x", 63<<10)
					for i := range requests {
						r.memory.put(fmt.Sprint(i), func(req types.AccessRequest) { req.SetRequestReason(long) })
					}
					r.settle(5 * time.Minute)
					r.wantPosts(map[string]int{"ops": requests})
					if want := c.reads * (requests - most); r.memory.reads == 0 || r.memory.reads > want {
						t.Errorf("%d reads for %d requests, want at most %d and not none", r.memory.reads, requests, want)
					}
				})
			})
		}
	})
}

func TestEachReviewIsToldOnceInOrderAndEachStateShown(t *testing.T) {
	inTime(t, func(r *rig) {
		r.recipients = []string{"ops", "db"}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		for i := range 5 {
			r.memory.review("1", fmt.Sprint("reviewer", i), types.RequestState_APPROVED, "")
		}
		r.settle(time.Second)
		r.wantShown(version(request.Pending, 5))
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Second)
		r.wantShown(version(request.Approved, 5))
		for _, p := range r.desk.posts {
			if !slices.Equal(p.replies, []int{0, 1, 2, 3, 4}) {
				t.Errorf("%s was told the reviews %v", p.address, p.replies)
			}
		}
		if rec := r.record("1"); rec.ReviewsCount != 5 || rec.Resolution != request.Approved {
			t.Errorf("record: %d reviews, resolution %q", rec.ReviewsCount, rec.Resolution)
		}
	})
}

func TestWhatHappensToARecipientThatFails(t *testing.T) {
	broken := func(kind outbound.Kind, times int) func(step, address string) error {
		return func(step, address string) error {
			if step == "post" && address == "db" && times > 0 {
				times--
				return fail(kind)
			}
			return nil
		}
	}
	for _, tc := range []struct {
		name  string
		fault func(step, address string) error
		after time.Duration
		want  map[string]int
	}{
		{"a passing failure is tried again until it succeeds", broken(outbound.Retry, 12), time.Hour, map[string]int{"ops": 1, "db": 1}},
		{"a failure of unknown outcome as well, with more and more time", broken(outbound.Unclear, 3), 2 * time.Minute, map[string]int{"ops": 1, "db": 1}},
		{"a rate limit is waited for", broken(outbound.Wait, 1), time.Minute, map[string]int{"ops": 1, "db": 1}},
		{"a refusal is tried again now and then", broken(outbound.Refused, 3), time.Hour, map[string]int{"ops": 1, "db": 1}},
		{"a refusal that lasts concerns this recipient alone", broken(outbound.Refused, 1000), time.Hour, map[string]int{"ops": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.recipients = []string{"ops", "db"}
				r.desk.fault = tc.fault
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(10 * time.Millisecond)
				if r.posts()["ops"] != 1 {
					t.Error("the healthy recipient had to wait")
				}
				r.settle(tc.after)
				r.wantPosts(tc.want)
				r.memory.decide("1", types.RequestState_DENIED)
				r.settle(time.Minute)
				r.wantShown(version(request.Denied, 0))
			})
		})
	}
}

// A rate limit is no trouble, even where it leaves open what was done.
func TestATimeToWaitIsNoReasonToWarn(t *testing.T) {
	for _, kind := range []outbound.Kind{outbound.Wait, outbound.Unclear} {
		t.Run(string(kind), func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				r.desk.lost = once("post", &outbound.Error{Kind: kind, Op: "test", After: 20 * time.Second, Err: errors.New("limited")})
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(19 * time.Second)
				if n := len(r.desk.taken()); n != 2 { // resolve, post
					t.Errorf("before the time is over: %q", r.desk.taken())
				}
				r.settle(time.Minute)
				if lines := r.logged(zap.WarnLevel); len(lines) > 0 {
					t.Errorf("warned %q", lines)
				}
				if kind == outbound.Unclear {
					r.wantPosts(map[string]int{"ops": 1})
				}
			})
		})
	}
}

func TestARefusedTokenSilencesTheServiceUntilItsCheckSucceeds(t *testing.T) {
	inTime(t, func(r *rig) {
		good := false
		r.desk.fault = func(string, string) error {
			if good {
				return nil
			}
			return failWith(outbound.Refused, outbound.TheToken)
		}
		x := r.start()
		defer x.stop()
		for i := range 50 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(time.Hour)
		if n := len(r.desk.taken()); n > 50 {
			t.Errorf("%d calls in an hour with a token that is no good", n)
		}
		if r.memory.writes > 100 {
			t.Errorf("%d writes for requests that wait", r.memory.writes)
		}
		if c := r.health.conditions(); !slices.Equal(c, []string{reconcile.ConditionService}) {
			t.Errorf("bad conditions: %q", c)
		}
		r.desk.mu.Lock()
		good = true
		r.desk.mu.Unlock()
		x.Checked(nil)
		r.settle(time.Second)
		r.wantPosts(map[string]int{"ops": 50})
		if c := r.health.conditions(); len(c) != 0 {
			t.Errorf("bad conditions after recovery: %q", c)
		}
	})
}

func TestOfManyReplicasOneSpeaks(t *testing.T) {
	inTime(t, func(r *rig) {
		r.recipients = []string{"ops", "db"}
		r.desk.latency = 30 * time.Millisecond
		for range 3 {
			defer r.start().stop()
		}
		for i := range 40 {
			id := fmt.Sprint(i)
			r.memory.put(id, nil)
			r.memory.review(id, "bob", types.RequestState_APPROVED, "")
			time.Sleep(7 * time.Millisecond)
			r.memory.decide(id, types.RequestState_APPROVED)
		}
		r.settle(5 * time.Minute)
		r.wantPosts(map[string]int{"ops": 40, "db": 40})
		r.wantShown(version(request.Approved, 1))
		for _, p := range r.desk.posts {
			if len(p.replies) != 1 {
				t.Errorf("request %s: review told %d times at %s", p.request, len(p.replies), p.address)
			}
		}
	})
}

func TestADeadReplicasClaimIsTakenOverAfterTheLease(t *testing.T) {
	for _, finds := range []bool{true, false} {
		t.Run(fmt.Sprint("posts can be looked up: ", finds), func(t *testing.T) {
			inTime(t, func(r *rig) {
				if finds {
					r.service = finder{r.desk}
				}
				first := r.start()
				r.desk.lost = func(step, _ string) error {
					if step == "post" { // the process dies between the answer and the record
						go first.crash()
						time.Sleep(time.Millisecond)
					}
					return nil
				}
				r.memory.put("1", nil)
				<-first.ended
				r.desk.lost = nil
				r.wantPosts(map[string]int{"ops": 1})

				second := r.start()
				defer second.stop()
				second.catchUp()
				r.settle(29 * time.Second)
				r.wantPosts(map[string]int{"ops": 1})
				if r.record("1").Claim.Owner != "replica1" {
					t.Fatal("the claim of the dead replica was not respected for the lease")
				}
				r.settle(2 * time.Second)
				want := map[string]int{"ops": 2} // the one call that no service can undo
				if finds {
					want["ops"] = 1
				}
				r.wantPosts(want)
				if rec := r.record("1"); !rec.Claim.Free() || len(rec.Messages) != 1 {
					t.Errorf("record: %+v", rec)
				}
			})
		})
	}
}

func TestAResultThatCannotBeRecordedIsKeptAndNotPostedAgain(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		writes := 0
		r.memory.beforeWrite = func(string) error {
			if writes++; writes > 1 && writes < 20 {
				return errors.New("the cluster is away")
			}
			return nil
		}
		r.memory.put("1", nil)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 1})
		if rec := r.record("1"); len(rec.Messages) != 1 || !rec.Claim.Free() {
			t.Errorf("record: %+v", rec)
		}
	})
}

// A claim that its owner left behind is given up also when nothing is left to be
// done under it, or the next change would wait for the lease.
func TestADeadReplicasClaimIsGivenUpWhenNothingIsLeftToDo(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		var writes atomic.Int32
		r.memory.beforeWrite = func(string) error {
			if writes.Add(1) == 2 { // the claim is written, the result is not
				_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"claim": "ghost.7"}, nil)
				return errors.New("the cluster is away")
			}
			return nil
		}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(5 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		rec := r.record("1")
		if !rec.Claim.Free() || rec.Claim.Generation <= 7 {
			t.Errorf("the claim is %v", rec.Claim)
		}
		if len(rec.Messages) != 1 {
			t.Errorf("the result is not recorded: %+v", rec)
		}
		x.stop()
	})
}

func TestAWriteWhoseAnswerIsLostIsNoReasonToPostAgain(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		writes := 0
		r.memory.afterWrite = func(string) error {
			if writes++; writes <= 5 {
				return errors.New("the connection broke")
			}
			return nil
		}
		r.memory.put("1", nil)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 1})
	})
}

// A service that takes a call once gives back what the first call left, which may
// show a state that is past.
func TestARepeatedPostMayBeTheFirstAsItWas(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.desk.keyed = r.desk, true
		lost := true
		r.desk.lost = func(step, _ string) error {
			if step == "post" && lost {
				lost = false
				return fail(outbound.Unclear)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Millisecond)
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		r.wantShown(version(request.Approved, 0))
	})
}

func TestAForeignWriterInTheMiddleIsNoReasonToPostAgain(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		writes := 0
		r.memory.foreign = func(string) map[string]string {
			if writes++; writes <= 4 {
				return map[string]string{"reviews_count": fmt.Sprint(writes)}
			}
			return nil
		}
		r.memory.put("1", nil)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 1})
		if rec := r.record("1"); len(rec.Messages) != 1 || rec.ReviewsCount != 0 {
			t.Errorf("record: %+v", rec)
		}
	})
}

func TestARecordOfTeleportsOwnPlugin(t *testing.T) {
	own := map[string]string{"user": "alice", "roles": "editor", "messages": "ops/m1"}
	seed := func(r *rig, data map[string]string) {
		r.memory.put("1", nil)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", data, nil)
	}
	t.Run("is continued: the message is edited, and nobody told again", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.desk.posts = []*post{{id: "m1", address: "ops", request: "1", shown: version(request.Pending, 0)}}
			seed(r, own)
			r.memory.decide("1", types.RequestState_APPROVED)
			x := r.start()
			defer x.stop()
			x.catchUp()
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1})
			r.wantShown(version(request.Approved, 0))
			if rec := r.record("1"); rec.Resolution != request.Approved || len(rec.Messages) != 1 {
				t.Errorf("record: %+v", rec)
			}
		})
	})
	t.Run("stays one when what we added is garbled: nobody else is told", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.service = finder{r.desk}
			r.recipients = []string{"ops", "db"}
			r.desk.posts = []*post{{id: "m1", address: "ops", request: "1", shown: version(request.Pending, 0)}}
			seed(r, own)
			x := r.start()
			defer x.stop()
			x.catchUp()
			r.settle(time.Minute)
			r.memory.review("1", "bob", types.RequestState_APPROVED, "")
			r.settle(time.Minute)
			_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"deliveries": "{nonsense"}, nil)
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(time.Hour)
			r.wantPosts(map[string]int{"ops": 1})
			r.wantShown(version(request.Approved, 1))
			if p := r.desk.posts[0]; !slices.Equal(p.replies, []int{0}) {
				t.Errorf("replies %v", p.replies)
			}
		})
	})
	t.Run("without messages is a send under way, and left alone for the lease", func(t *testing.T) {
		inTime(t, func(r *rig) {
			seed(r, map[string]string{"user": "alice", "roles": "editor"})
			x := r.start()
			defer x.stop()
			x.catchUp()
			r.settle(29 * time.Second)
			r.wantPosts(nil)
			r.settle(2 * time.Second)
			r.wantPosts(map[string]int{"ops": 1})
		})
	})
	t.Run("is not posted when the other plugin finishes meanwhile", func(t *testing.T) {
		inTime(t, func(r *rig) {
			seed(r, map[string]string{"user": "alice", "roles": "editor"})
			x := r.start()
			defer x.stop()
			x.catchUp()
			r.settle(10 * time.Second)
			r.desk.posts = []*post{{id: "m1", address: "ops", request: "1", shown: version(request.Pending, 0)}}
			_ = r.memory.update(types.KindAccessRequest, "1", "test", own, nil)
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1})
		})
	})
}

func TestAGarbledRecordIsToldOfAndTheRequestHandled(t *testing.T) {
	inTime(t, func(r *rig) {
		r.memory.put("1", nil)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"deliveries": "{nonsense", "claim": "x", "reviews_count": "many"}, nil)
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		n := 0
		for _, line := range r.logged(zap.WarnLevel) {
			if strings.Contains(line, "cannot be read") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("told %d times of the garbled record: %q", n, r.logged(zap.WarnLevel))
		}
	})
}

func TestRequestsThatEndedBeforeTheyWereAnnounced(t *testing.T) {
	for _, tc := range []struct {
		name  string
		state types.RequestState
		age   time.Duration
		want  map[string]int
	}{
		{"pending, of any age, are announced", types.RequestState_PENDING, 100 * time.Hour, map[string]int{"ops": 1}},
		{"decided a while ago are announced in their final state", types.RequestState_APPROVED, 50 * time.Minute, map[string]int{"ops": 1}},
		{"promoted as well", types.RequestState_PROMOTED, 50 * time.Minute, map[string]int{"ops": 1}},
		{"decided long ago are not", types.RequestState_DENIED, 70 * time.Minute, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.memory.put("1", func(req types.AccessRequest) { _ = req.SetState(tc.state) })
				time.Sleep(tc.age)
				x := r.start()
				defer x.stop()
				x.catchUp()
				r.settle(time.Minute)
				r.wantPosts(tc.want)
				r.wantShown(version(request.Status(tc.state.String()), 0))
			})
		})
	}
	t.Run("expired are not", func(t *testing.T) {
		inTime(t, func(r *rig) {
			x := r.start()
			defer x.stop()
			r.memory.remove("1")
			r.settle(time.Minute)
			r.wantPosts(nil)
		})
	})
}

func TestARequestThatExpiresShowsIt(t *testing.T) {
	t.Run("while the plugin runs", func(t *testing.T) {
		inTime(t, func(r *rig) {
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.settle(time.Minute)
			r.memory.remove("1")
			r.settle(time.Minute)
			r.wantShown(version(request.Expired, 0))
		})
	})
	t.Run("while it is being announced", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.desk.latency = 100 * time.Millisecond
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.settle(150 * time.Millisecond)
			r.memory.remove("1")
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1})
			r.wantShown(version(request.Expired, 0))
			if c := r.health.conditions(); len(c) != 0 {
				t.Errorf("bad conditions: %q", c)
			}
		})
	})
	t.Run("while it was down", func(t *testing.T) {
		inTime(t, func(r *rig) {
			x := r.start()
			r.memory.put("1", nil)
			r.settle(time.Minute)
			x.stop()
			r.memory.remove("1")
			x = r.start()
			defer x.stop()
			x.catchUp()
			r.settle(time.Minute)
			r.wantShown(version(request.Expired, 0))
		})
	})
	t.Run("but not after it was approved", func(t *testing.T) {
		inTime(t, func(r *rig) {
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(time.Minute)
			edits := len(r.desk.taken())
			r.memory.remove("1")
			r.settle(time.Minute)
			r.wantShown(version(request.Approved, 0))
			if len(r.desk.taken()) != edits {
				t.Errorf("steps after the end: %q", r.desk.taken()[edits:])
			}
		})
	})
}

// That one id is not found says neither that the request is gone nor that the
// cluster hides all of them: events and complete lists do.
func TestARequestThatIsNotFoundIsNotTakenForGone(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.memory.with(func() { r.memory.hidden = true })
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.settle(time.Minute)
		r.wantShown(version(request.Pending, 0))
		if c := r.health.conditions(); len(c) > 0 {
			t.Errorf("bad conditions: %q", c)
		}
		reads := r.reads()
		r.settle(time.Hour)
		if n := r.reads() - reads; n > 10 {
			t.Errorf("%d reads in an hour of a request that is not shown", n)
		}
		r.memory.with(func() { r.memory.hidden = false })
		r.settle(15 * time.Minute)
		r.wantShown(version(request.Pending, 1))
	})
}

func TestWithoutThePermissionToWriteRecordsNothingIsPosted(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		r.memory.with(func() { r.memory.beforeWrite = func(string) error { return errDenied } })
		for i := range 200 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(time.Hour)
		r.wantPosts(nil)
		if c := r.health.conditions(); !slices.Equal(c, []string{reconcile.ConditionRecords}) {
			t.Errorf("bad conditions: %q", c)
		}
		if n := len(r.logged(zap.WarnLevel)); n > 600 {
			t.Errorf("%d lines in an hour", n)
		}
		r.memory.with(func() { r.memory.beforeWrite = nil })
		r.settle(5 * time.Minute)
		r.wantPosts(map[string]int{"ops": 200})
	})
}

func TestAMessageRemovedAtTheServiceIsPostedOnceMore(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.desk.posts[0].removed = true
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Second)
		r.wantPosts(map[string]int{"ops": 2})
		r.wantShown(version(request.Approved, 0))
		r.desk.posts[1].removed = true
		r.memory.review("1", "late", types.RequestState_DENIED, "")
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 2})
	})
}

func TestTheRequester(t *testing.T) {
	t.Run("gets a copy and is notified of the decision", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.service = teller{finder{r.desk}}
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.settle(time.Second)
			r.wantPosts(map[string]int{"ops": 1, "alice": 1})
			r.memory.review("1", "bob", types.RequestState_APPROVED, "")
			r.settle(time.Second)
			r.memory.decide("1", types.RequestState_APPROVED)
			r.settle(time.Second)
			r.memory.remove("1")
			r.settle(time.Minute)
			if !slices.Equal(r.desk.notices, []string{"alice 1 APPROVED"}) {
				t.Errorf("notices: %q", r.desk.notices)
			}
		})
	})
	t.Run("never gets the same message twice", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.service = teller{finder{r.desk}}
			r.recipients = []string{"alice", "ops", "also-ops"}
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1, "alice": 1})
		})
	})
	t.Run("that cannot be reached stops nobody", func(t *testing.T) {
		inTime(t, func(r *rig) {
			r.service = teller{finder{r.desk}}
			r.desk.fault = func(_, address string) error {
				if address == "alice" {
					return fail(outbound.Refused)
				}
				return nil
			}
			x := r.start()
			defer x.stop()
			r.memory.put("1", nil)
			r.memory.decide("1", types.RequestState_DENIED)
			r.settle(time.Minute)
			r.wantPosts(map[string]int{"ops": 1})
			if lines := r.logged(zap.ErrorLevel); len(lines) != 0 {
				t.Errorf("error lines: %q", lines)
			}
		})
	})
}

func TestAReplyThatIsRefusedDoesNotStopTheEdit(t *testing.T) {
	inTime(t, func(r *rig) {
		r.desk.fault = func(step, _ string) error {
			if step == "reply" {
				return fail(outbound.Refused)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.wantShown(version(request.Pending, 0))
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Minute)
		r.wantShown(version(request.Approved, 1))
	})
}

func TestASlowServiceOutlivesTheLeaseWithoutASecondPost(t *testing.T) {
	inTime(t, func(r *rig) {
		for i := range 40 {
			r.recipients = append(r.recipients, fmt.Sprint("channel", i))
		}
		r.desk.latency = 9 * time.Second
		for range 2 {
			defer r.start().stop()
		}
		r.memory.put("1", nil)
		for i := range 6 {
			r.memory.review("1", fmt.Sprint(i), types.RequestState_APPROVED, "")
		}
		r.settle(time.Hour)
		for address, n := range r.posts() {
			if n != 1 {
				t.Errorf("%d posts at %s", n, address)
			}
		}
		for _, p := range r.desk.posts {
			if !slices.Equal(p.replies, []int{0, 1, 2, 3, 4, 5}) {
				t.Errorf("%s was told the reviews %v", p.address, p.replies)
			}
		}
		r.wantShown(version(request.Pending, 6))
	})
}

func TestAHangingCallDelaysNoOtherRecipientsRecord(t *testing.T) {
	inTime(t, func(r *rig) {
		r.recipients = []string{"ops", "stuck"}
		r.service = hanging{finder{r.desk}}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(2 * time.Second)
		if rec := r.record("1"); len(rec.Messages) != 1 {
			t.Errorf("after two seconds the record holds %d messages", len(rec.Messages))
		}
		r.settle(time.Minute)
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Minute)
		r.wantShown(version(request.Approved, 0))
	})
}

func TestAnIDThatIsUsedAgainIsAnotherRequest(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.memory.remove("1")
		r.settle(time.Minute)
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 2})
		if r.desk.posts[0].shown != version(request.Expired, 0) || r.desk.posts[1].shown != version(request.Pending, 0) {
			t.Errorf("shown: %v, %v", r.desk.posts[0].shown, r.desk.posts[1].shown)
		}
	})
}

// Deleted and made again at the same moment, nobody has seen the time between.
func TestAnIDThatIsUsedAgainAtOnceIsAnotherRequest(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(step, address string) error
		first request.Version // what the first post shows at last
	}{
		"the old post says that it ended": {nil, version(request.Expired, 0)},
		"trouble with the old post does not keep the new one back": {func(step, _ string) error {
			if step == "edit" {
				return fail(outbound.Retry)
			}
			return nil
		}, version(request.Pending, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				x, y := r.start(), r.start()
				defer x.stop()
				defer y.stop()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				r.desk.fault = c.fault
				r.memory.remove("1")
				r.memory.put("1", nil)
				r.settle(time.Minute)
				r.wantPosts(map[string]int{"ops": 2})
				if r.desk.posts[0].shown != c.first || r.desk.posts[1].shown != version(request.Pending, 0) {
					t.Errorf("shown: %v, %v", r.desk.posts[0].shown, r.desk.posts[1].shown)
				}
				r.desk.fault = nil
				r.memory.decide("1", types.RequestState_APPROVED)
				r.settle(time.Minute)
				if r.desk.posts[0].shown != c.first || r.desk.posts[1].shown != version(request.Approved, 0) {
					t.Errorf("shown after the decision: %v, %v", r.desk.posts[0].shown, r.desk.posts[1].shown)
				}
			})
		})
	}
}

// What was done for a request but could not be recorded is not taken for what
// was done for the next one with its id.
func TestUnrecordedResultsOfAnIDThatIsUsedAgainAreDropped(t *testing.T) {
	inTime(t, func(r *rig) {
		var writes atomic.Int64
		var back atomic.Bool
		r.memory.beforeWrite = func(string) error {
			if writes.Add(1) > 1 && !back.Load() { // the claim is written, its result is not
				return errors.New("the cluster is away")
			}
			return nil
		}
		x, y := r.start(), r.start()
		defer x.stop()
		defer y.stop()
		r.memory.put("1", nil)
		r.settle(5 * time.Second)
		r.memory.remove("1")
		r.memory.put("1", nil)
		back.Store(true)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 2})
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Minute)
		if r.desk.posts[0].shown != version(request.Expired, 0) || r.desk.posts[1].shown != version(request.Approved, 0) {
			t.Errorf("shown: %v, %v", r.desk.posts[0].shown, r.desk.posts[1].shown)
		}
	})
}

// The same where another replica has begun with the next request and could not
// announce it yet.
func TestUnrecordedResultsAreNotTakenForThoseOfARequestThatOthersBegan(t *testing.T) {
	inTime(t, func(r *rig) {
		var cut, down atomic.Bool
		r.memory.beforeWrite = func(string) error {
			if cut.Load() {
				return errors.New("the cluster is away")
			}
			return nil
		}
		r.desk.fault = func(step, _ string) error {
			if step != "post" {
				return nil
			}
			if down.Load() {
				return fail(outbound.Retry)
			}
			cut.Store(true) // the claim is written, its result is not
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.wantPosts(map[string]int{"ops": 1})

		r.deafen(x.Reconciler)
		y := r.start()
		down.Store(true)
		cut.Store(false)
		r.memory.remove("1")
		r.memory.with(func() { delete(r.memory.records, "1") })
		r.memory.put("1", nil)
		r.settle(time.Second)
		y.crash()
		x.Changed(r.memory.request("1"))
		r.settle(time.Minute)
		down.Store(false)
		r.settle(time.Hour)
		cut.Store(false)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 2})
	})
}

// The same where others began with the next request while the call for the one
// before was under way.
func TestTheResultOfACallIsNotTakenForThatOfTheNextRequestWithTheID(t *testing.T) {
	inTime(t, func(r *rig) {
		r.desk.latency = 5 * time.Second
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(2 * time.Second) // the post is on its way
		r.deafen(x.Reconciler)
		y := r.start()
		r.memory.remove("1")
		r.memory.with(func() { delete(r.memory.records, "1") })
		r.memory.put("1", nil)
		r.settle(4 * time.Second) // x has its answer, y does not
		y.crash()
		x.Changed(r.memory.request("1"))
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 2})
		r.memory.decide("1", types.RequestState_APPROVED)
		x.Changed(r.memory.request("1"))
		r.settle(time.Hour)
		if r.desk.posts[1].shown != version(request.Approved, 0) {
			t.Errorf("the second post shows %v", r.desk.posts[1].shown)
		}
	})
}

func TestFinishedRequestsAreNotReadAgainAfterARestart(t *testing.T) {
	inTime(t, func(r *rig) {
		x := r.start()
		for i := range 100 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(time.Minute)
		x.stop()
		r.memory.put("new", nil)
		reads := r.memory.gets
		x = r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 101})
		if n := r.memory.gets - reads; n != 0 {
			t.Errorf("%d records were read one by one, want none", n)
		}
	})
}

func TestStoppingLetsStepsFinish(t *testing.T) {
	inTime(t, func(r *rig) {
		r.desk.latency = 5 * time.Second
		x := r.start()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.memory.put("2", nil)
		x.stop()
		if rec := r.record("1"); len(rec.Messages) != 1 || !rec.Claim.Free() {
			t.Errorf("record after the stop: %+v", rec)
		}
		x = r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 2})
	})
}

// What a call has done is written down even when the patience with the running
// rounds is over.
func TestAnAbortedRoundStillRecordsWhatItDid(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = stubborn{r.desk}
		r.desk.latency = 5 * time.Second
		x := r.start()
		r.memory.put("1", nil)
		r.settle(2 * time.Second) // the post is on its way
		x.abort()
		if rec := r.record("1"); len(rec.Progress.Deliveries) != 1 || rec.Progress.Deliveries[0].Doubt["announce.0"].Tries == 0 || !rec.Claim.Free() {
			t.Errorf("record after the end: %+v, claim %v", rec.Progress.Deliveries, rec.Claim)
		}
	})
}

func version(s request.Status, reviews int) request.Version {
	return request.Version{Status: s, Reviews: reviews}
}
