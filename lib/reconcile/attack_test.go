package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/repeat"
	"teleport-plugins/lib/request"
)

// once returns a func that loses, or fails, the first call of a step.
func once(step string, err error) func(string, string) error {
	used := false
	return func(s, _ string) error {
		if s == step && !used {
			used = true
			return err
		}
		return nil
	}
}

// Teleport's own plugin writes two messages into one channel when the requester
// is a recipient too.
func TestSeveralMessagesInOnePlaceAreShownTheTruthAndOneGetsTheReplies(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.desk.posts = []*post{{id: "m1", address: "ops", request: "1"}, {id: "m2", address: "ops", request: "1"}}
		r.memory.put("1", nil)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"user": "alice", "messages": "ops/m1,ops/m2"}, nil)
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.settle(time.Hour)
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Hour)
		r.wantShown(version(request.Approved, 1))
		if n := len(r.desk.posts[0].replies) + len(r.desk.posts[1].replies); n != 1 {
			t.Errorf("%d replies, want 1", n)
		}
		if r.memory.writes > 10 || len(r.desk.taken()) > 10 {
			t.Errorf("%d writes, steps %q", r.memory.writes, r.desk.taken())
		}
	})
}

// A post whose answer was lost is found and corrected, whatever became of the
// request before it could be looked up.
func TestWhatIsInDoubtIsSettledThoughTheRequestHasEnded(t *testing.T) {
	ends := map[string]struct {
		happen func(r *rig)
		want   request.Status
	}{
		"expired or deleted": {func(r *rig) { r.memory.remove("1") }, request.Expired},
		"denied":             {func(r *rig) { r.memory.decide("1", types.RequestState_DENIED) }, request.Denied},
		"denied, then deleted": {func(r *rig) {
			r.memory.decide("1", types.RequestState_DENIED)
			r.memory.remove("1")
		}, request.Expired},
	}
	for name, end := range ends {
		t.Run("an answer is lost, then it is "+name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				r.desk.lost = once("post", fail(outbound.Unclear))
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(10 * time.Millisecond)
				end.happen(r)
				r.settle(5 * time.Minute)
				r.wantPosts(map[string]int{"ops": 1})
				r.wantShown(version(end.want, 0))
			})
		})
		t.Run("the process dies, then it is "+name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				x := r.start()
				r.desk.lost = func(step, _ string) error {
					if step == "post" {
						go x.crash()
						time.Sleep(time.Millisecond)
					}
					return nil
				}
				r.memory.put("1", nil)
				<-x.ended
				r.desk.lost = nil
				end.happen(r)
				y := r.start()
				defer y.stop()
				y.catchUp()
				r.settle(5 * time.Minute)
				r.wantPosts(map[string]int{"ops": 1})
				r.wantShown(version(end.want, 0))
			})
		})
	}
}

func TestABurstThatIsKilledAndDeletedLeavesNothingPending(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "db"}
		r.desk.latency = 20 * time.Millisecond
		x := r.start()
		for i := range 60 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(30 * time.Millisecond)
		x.crash()
		for i := range 60 {
			r.memory.remove(fmt.Sprint(i))
		}
		y := r.start()
		defer y.stop()
		y.catchUp()
		r.settle(10 * time.Minute)
		if len(r.desk.posts) == 0 {
			t.Fatal("nothing was posted before the crash")
		}
		r.wantShown(version(request.Expired, 0))
	})
}

// A recipient in its pause while the request ends is no sign that the cluster
// hides requests.
func TestALateTimerOfAFinishedRequestIsNothing(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "db"}
		until := time.Now().Add(40 * time.Second)
		r.desk.fault = func(_, address string) error {
			if address == "db" && time.Now().Before(until) {
				return fail(outbound.Retry)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		for i := range 20 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(10 * time.Second)
		for i := range 20 {
			r.memory.remove(fmt.Sprint(i))
		}
		r.settle(time.Hour)
		r.wantShown(version(request.Expired, 0))
		if lines := r.logged(zap.ErrorLevel); len(lines) > 0 {
			t.Errorf("errors: %q", lines)
		}
		if bad := r.health.conditions(); len(bad) > 0 {
			t.Errorf("bad conditions: %q", bad)
		}
		if since := x.Undelivered(); !since.IsZero() {
			t.Errorf("undelivered since %v", since)
		}
	})
}

// A message is removed by hand; the plugin posts again and dies before the record.
func TestARepostThatIsNotRecordedIsLookedUp(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.desk.posts[0].removed = true
		r.desk.lost = func(step, _ string) error {
			if step == "post" {
				go x.crash()
				time.Sleep(time.Millisecond)
			}
			return nil
		}
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		<-x.ended
		r.desk.lost = nil
		y := r.start()
		defer y.stop()
		y.catchUp()
		r.settle(5 * time.Minute)
		r.wantPosts(map[string]int{"ops": 2}) // the one that was removed among them
		r.wantShown(version(request.Pending, 1))
	})
}

// Whatever is told, a lost answer is no reason to tell it again where it can be
// looked up.
func TestALostAnswerDoublesNoEffect(t *testing.T) {
	for _, step := range []string{"post", "reply", "end", "notice"} {
		t.Run(step, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service, r.desk.fixed = teller{finder{r.desk}}, step == "end"
				r.recipients = []string{"ops", "alice"}
				r.desk.lost = func() func(string, string) error {
					left := map[string]int{"ops": 2, "alice": 2}
					return func(s, address string) error {
						if s == step && left[address] > 0 {
							left[address]--
							return fail(outbound.Unclear)
						}
						return nil
					}
				}()
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.settle(time.Minute)
				r.memory.decide("1", types.RequestState_APPROVED)
				r.settle(5 * time.Minute)
				r.wantPosts(map[string]int{"ops": 1, "alice": 1})
				for _, p := range r.desk.posts {
					if !slices.Equal(p.replies, []int{0}) || !slices.Equal(p.ended, []request.Status{request.Approved}) {
						t.Errorf("%s: replies %v, ends %v", p.address, p.replies, p.ended)
					}
				}
				if !slices.Equal(r.desk.notices, []string{"alice 1 APPROVED"}) {
					t.Errorf("notices: %q", r.desk.notices)
				}
			})
		})
	}
}

// Where there is no message, and is to be none, nothing can be below it: that needs
// no look-up, which the service would refuse.
func TestNothingIsLookedUpBelowAMessageThatDoesNotExist(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.memory.put("1", nil)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"deliveries": fmt.Sprintf(
			`{"request":%d,"deliveries":[{"recipient":"ops","address":"ops","doubt":{"announce.0":{"tries":1},"review.0":{"tries":1},"end.3":{"tries":1}},"begun":3}]}`,
			time.Now().Unix())}, nil)
		r.memory.remove("1")
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.settle(25 * time.Hour)
		if n := r.desk.count("find ops"); n != 2 || len(r.logged(zap.WarnLevel)) > 0 {
			t.Errorf("looked up %d times, want twice, since the first may come too early; warned %q", n, r.logged(zap.WarnLevel))
		}
		if d := r.record("1").Progress.Delivery("ops"); d == nil || len(d.Doubt) > 0 || d.Begun > 0 {
			t.Errorf("recorded %+v", d)
		}
	})
}

// A look-up that is refused alone says nothing of others at the place.
func TestALookUpThatIsRefusedAloneBlindsNoOther(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.desk.lost = func(step, _ string) error {
			if step == "post" {
				r.desk.lost = nil
				return fail(outbound.Unclear)
			}
			return nil
		}
		r.desk.fault = once("find", fail(outbound.Refused))
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.desk.mu.Lock()
		r.desk.lost = once("post", fail(outbound.Unclear))
		r.desk.mu.Unlock()
		r.memory.put("2", nil)
		r.settle(time.Minute)
		posts := map[string]int{}
		for _, p := range r.desk.posts {
			posts[p.request]++
		}
		if posts["1"] != 2 || posts["2"] != 1 { // what cannot be looked up is made once more
			t.Errorf("announcements by request: %v", posts)
		}
	})
}

// A service that has not learned yet what it may read learns it from the look-up,
// which comes before anything is told again or given up.
func TestWhatMayBeReadIsFoundOutByALookUp(t *testing.T) {
	for name, c := range map[string]struct {
		may     bool
		ends    bool // while the announcement is in doubt
		posts   int
		lookups int
	}{
		"it may":                           {true, false, 1, 1},
		"it may, and the request ends":     {true, true, 1, 1},
		"it may not":                       {false, false, 2, 1},
		"it may not, and the request ends": {false, true, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = &unaware{finder: finder{r.desk}, may: c.may}
				r.desk.lost = once("post", fail(outbound.Unclear))
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(10 * time.Millisecond)
				if c.ends {
					r.memory.remove("1")
				}
				r.settle(time.Hour)
				r.wantPosts(map[string]int{"ops": c.posts})
				if n := r.desk.count("find ops"); n != c.lookups {
					t.Errorf("looked up %d times, want %d: %q", n, c.lookups, r.desk.taken())
				}
				if c.may && c.ends {
					r.wantShown(version(request.Expired, 0))
				}
			})
		})
	}
}

// A late answer to an edit must not have the last word.
func TestAShowWhoseAnswerWasLostIsShownAgainALeaseLater(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.desk.lost = once("edit", fail(outbound.Unclear))
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.settle(10 * time.Millisecond)
		r.memory.decide("1", types.RequestState_DENIED)
		r.settle(5 * time.Second)
		r.wantShown(version(request.Denied, 1))
		r.desk.mu.Lock()
		r.desk.posts[0].shown = version(request.Pending, 1) // the lost call arrives only now
		r.desk.mu.Unlock()
		r.settle(time.Minute)
		r.wantShown(version(request.Denied, 1))
	})
}

func TestNotFoundCountsOnlyOnceTheLostCallMustHaveEnded(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		var late func()
		r.desk.fault = func(step, address string) error {
			if step == "post" && late == nil { // the service takes the call and works on it for a while
				late = func() {
					r.desk.mu.Lock()
					defer r.desk.mu.Unlock()
					r.desk.add(address, request.View{ID: "1", Status: request.Pending})
				}
				time.AfterFunc(8*time.Second, late)
				return fail(outbound.Unclear)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(5 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		if rec := r.record("1"); len(rec.Messages) != 1 || len(rec.Progress.Deliveries[0].Doubt) > 0 {
			t.Errorf("record: %+v", rec.Progress)
		}
	})
}

// Anybody who may write plugin data can write our records.
func TestAHostileRecordHarmsNobody(t *testing.T) {
	for _, data := range []map[string]string{
		{"deliveries": `{"request":1,"deliveries":[{"recipient":"ops","address":"ops","reviews":-1,"posts":[{"channel":"ops","id":"m1"}]}]}`, "claim": ".1"},
		{"deliveries": `{"deliveries":[{"recipient":"ops","reviews":2147483647,"begun":2147483647}]}`, "reviews_count": "2147483647"},
		{"deliveries": `{"aim":{"status":"DENIED","reviews":9223372036854775807},"deliveries":[{"recipient":"ops","address":"ops"}]}`, "claim": "x.9223372036854775807"},
		{"deliveries": `{"deliveries":[{"recipient":"ops","address":"ops","doubt":{"review.49":{"tries":1},"nonsense":{"tries":-7},"announce.1":{"tries":3,"claim":-1},"notice.9":{"tries":1}}}]}`},
		{"deliveries": `{"deliveries":null,"decided":["a",""]}`, "reviews_count": "-1", "messages": ",,,/"},
		{"deliveries": `[]`, "resolution": "\x00"},
	} {
		t.Run(fmt.Sprint(data), func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = teller{finder{r.desk}}
				r.memory.put("1", nil)
				_ = r.memory.update(types.KindAccessRequest, "1", "test", data, nil)
				x := r.start()
				defer x.stop()
				x.catchUp()
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.memory.put("2", nil)
				r.settle(time.Hour)
				r.memory.decide("1", types.RequestState_DENIED)
				r.memory.decide("2", types.RequestState_DENIED)
				r.settle(time.Hour)
				r.wantShown(version(request.Denied, 1), "2")
				if n := len(r.desk.taken()); n > 40 {
					t.Errorf("%d steps: %q", n, r.desk.taken())
				}
				if n := r.posts()["ops"]; n == 0 || n > 2 {
					t.Errorf("%d messages", n)
				}
			})
		})
	}
}

// What somebody has written in the place of the state is not shown as one.
func TestAHostileStateIsNotShown(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		record := r.memory.data("1", "test")
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"resolution": "[[[[", "deliveries": record["deliveries"], "messages": record["messages"]}, nil)
		r.memory.remove("1")
		r.settle(time.Hour)
		r.wantShown(version(request.Expired, 0))
	})
}

func TestOneRequestHasNoMoreThanAHundredRecipients(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = nil
		for i := range 3000 {
			r.recipients = append(r.recipients, fmt.Sprintf("reviewer-%04d@example.com", i))
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", func(req types.AccessRequest) {
			req.SetSystemAnnotations(map[string][]string{"a": {strings.Repeat("y", 100_000)}})
		})
		r.settle(time.Minute)
		if n := len(r.desk.posts); n != 100 {
			t.Errorf("%d recipients were told, want 100", n)
		}
		size := 0
		for key, value := range r.memory.data("1", "test") {
			size += len(key) + len(value)
		}
		if size > 64<<10 {
			t.Errorf("the record has %d bytes", size)
		}
		if lines := r.logged(zap.WarnLevel); len(lines) != 1 {
			t.Errorf("warnings: %q", lines)
		}
	})
}

func TestOneRecipientThatNobodyKnowsIsAskedForOnce(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = teller{finder{r.desk}}
		r.desk.fault = func(step, address string) error {
			if step == "resolve" && address == "alice" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		for i := range 500 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(30 * time.Second)
		r.wantPosts(map[string]int{"ops": 500})
		if n := r.desk.count("resolve alice"); n != 1 {
			t.Errorf("%d look-ups of somebody whom the service does not know, want 1", n)
		}
		if n := r.desk.count("resolve ops"); n != 1 {
			t.Errorf("%d look-ups of one recipient, want 1", n)
		}
		if since := x.Undelivered(); !since.IsZero() {
			t.Errorf("undelivered since %v: what only others can change is no fault of the plugin", since)
		}
		r.settle(time.Hour)
		if n := r.desk.count("resolve alice"); n > 8 {
			t.Errorf("%d look-ups in an hour", n)
		}
		// Somebody adds the user: all are told without another word from the cluster.
		r.desk.mu.Lock()
		r.desk.fault = nil
		r.desk.mu.Unlock()
		r.settle(16 * time.Minute)
		r.wantPosts(map[string]int{"ops": 500, "alice": 500})
	})
}

func TestManyPendingRequestsAtTheStartTakeTwoWritesEach(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		const many = 2000
		for i := range many {
			r.memory.put(fmt.Sprint(i), nil)
		}
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": many})
		if r.memory.writes != 2*many || r.memory.reads+r.memory.gets != 0 {
			t.Errorf("%d writes, %d and %d reads", r.memory.writes, r.memory.reads, r.memory.gets)
		}
	})
}

// A refusal of one place is that place's alone, and is forgotten once it is over.
func TestARefusedPlaceDelaysNoOther(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "db"}
		refused := true
		r.desk.fault = func(_, address string) error {
			if address == "db" && refused {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		for i := range 12 {
			r.memory.put(fmt.Sprint(i), nil)
			r.settle(10 * time.Millisecond)
			if n := r.posts()["ops"]; n != i+1 {
				t.Fatalf("request %d: %d messages at the other place", i, n)
			}
		}
		if bad := r.health.conditions(); len(bad) > 0 {
			t.Errorf("bad conditions: %q", bad)
		}
		r.settle(20 * time.Minute)
		if n := r.desk.count("post db"); n > 5 {
			t.Errorf("%d calls to the refused place in 20 minutes", n)
		}
		r.desk.mu.Lock()
		refused = false
		r.desk.mu.Unlock()
		r.settle(16 * time.Minute)
		r.wantPosts(map[string]int{"ops": 12, "db": 12})
	})
}

func TestAnEditThatIsRefusedForAWhileIsMadeGood(t *testing.T) {
	for name, err := range map[string]error{
		"an unknown code": fail(outbound.Refused), "the place": failWith(outbound.Refused, outbound.ThePlace), "the method": failWith(outbound.Refused, outbound.TheMethod),
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Second)
				until := time.Now().Add(3 * time.Minute)
				r.desk.fault = func(step, _ string) error {
					if step == "edit" && time.Now().Before(until) {
						return err
					}
					return nil
				}
				r.memory.decide("1", types.RequestState_DENIED)
				r.settle(time.Hour)
				r.wantShown(version(request.Denied, 0))
			})
		})
	}
}

func TestEveryRecipientWhoWasNotToldIsNamed(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = nil
		for i := range 30 {
			r.recipients = append(r.recipients, fmt.Sprintf("channel-%02d", i))
		}
		r.desk.fault = func(step, _ string) error {
			if step == "post" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(2 * time.Minute)
		text := ""
		for _, e := range r.logs.All() {
			text += fmt.Sprintln(e.Message, e.ContextMap())
		}
		for _, name := range r.recipients {
			if !strings.Contains(text, name) {
				t.Errorf("%s is not named", name)
			}
		}
		if n := len(r.logged(zap.WarnLevel)); n > 15 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestTheOldestThatWaitsCountsWhatIsQueued(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.desk.latency = 9 * time.Second
		begun := time.Now()
		x := r.start()
		defer x.abort()
		for i := range 500 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(30 * time.Second)
		if since := x.Undelivered(); !since.Equal(begun) {
			t.Errorf("undelivered since %v, want %v", since, begun)
		}
	})
}

// panicking is a service with a fault.
type panicking struct{ finder }

func (d panicking) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	if v.ID == "bad" {
		panic("index out of range")
	}
	return d.finder.Tell(ctx, to, e, v)
}

func TestAFaultOfOursConcernsOneRequest(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = panicking{finder{r.desk}}
		x := r.start()
		defer x.stop()
		r.memory.put("bad", nil)
		r.memory.put("1", nil)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 1})
		if n := len(r.logged(zap.ErrorLevel)); n == 0 || n > 130 {
			t.Errorf("%d errors in an hour", n)
		}
	})
}

// A service that always says something new to do is held by the brakes.
type endless struct{ finder }

func (d endless) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	_ = d.finder.Show(ctx, m, v)
	return fail(outbound.Gone)
}

func TestARunawayIsBraked(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = endless{finder{r.desk}}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		for i := range 5 {
			r.memory.review("1", fmt.Sprint(i), types.RequestState_APPROVED, "")
			r.settle(time.Minute)
		}
		if n := len(r.desk.posts); n > 2 {
			t.Errorf("%d messages", n)
		}
		if r.memory.writes > 100 {
			t.Errorf("%d writes", r.memory.writes)
		}
	})
}

// A pause that is over by the time that the round ends is over.
func TestAPauseOfNoTimeIsNoReasonToWaitForEver(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "db"}
		r.desk.fault = func() func(string, string) error {
			left := 3
			return func(step, address string) error {
				if step == "post" && address == "db" && left > 0 {
					left--
					return &outbound.Error{Kind: outbound.Wait, Op: "post", After: time.Microsecond}
				}
				return nil
			}
		}()
		r.writing = time.Millisecond
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 1, "db": 1})
	})
}

// What is finished or over is not remembered for ever.
func TestMemoryIsGivenBack(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		defer x.stop()
		for i := range 100 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(time.Second)
		for i := range 50 {
			r.memory.decide(fmt.Sprint(i), types.RequestState_DENIED)
		}
		r.settle(time.Second)
		r.memory.with(func() { // deleted while nobody listened
			for i := range 100 {
				delete(r.memory.requests, fmt.Sprint(i))
			}
		})
		x.catchUp()
		r.settle(time.Hour)
		for _, p := range r.desk.posts {
			if want := request.Expired; p.shown.Status != want && p.shown.Status != request.Denied {
				t.Errorf("%s shows %v", p.request, p.shown)
			}
		}
		if n := x.Remembered(); n != 0 {
			t.Errorf("%d things are remembered of requests that are over", n)
		}
	})
}

func TestAFailedListSaysNothingOfWhatItDoesNotShow(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		l := x.List()
		l.Requests(nil) // and breaks off
		r.settle(time.Hour)
		r.wantShown(version(request.Pending, 0))
	})
}

// What is heard of a request while a round on it ends is not forgotten with it.
func TestWhatIsHeardDuringARoundIsNotForgotten(t *testing.T) {
	for name, happen := range map[string]func(r *rig){
		"deleted": func(r *rig) { r.memory.remove("1") },
		"denied":  func(r *rig) { r.memory.decide("1", types.RequestState_DENIED) },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				var writes atomic.Int32
				r.memory.afterWrite = func(string) error {
					if writes.Add(1) == 2 { // the last thing that the round does
						happen(r)
					}
					return nil
				}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				if p := r.desk.posts[0]; p.shown.Status == request.Pending {
					t.Errorf("the message shows %v", p.shown)
				}
			})
		})
	}
}

// A record of ours that cannot be read any more is no record of Teleport's own
// plugin: what it has forgotten is looked up.
func TestARecordOfOursThatIsGarbledLosesNobody(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "db", "sec"}
		closed := true
		r.desk.fault = func(_, address string) error {
			if address == "sec" && closed {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"deliveries": "many"}, nil)
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.desk.mu.Lock()
		closed = false
		r.desk.mu.Unlock()
		r.settle(time.Hour)
		r.memory.decide("1", types.RequestState_DENIED)
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 1, "db": 1, "sec": 1})
		r.wantShown(version(request.Denied, 1))
		for _, p := range r.desk.posts {
			if !slices.Equal(p.replies, []int{0}) {
				t.Errorf("%s: replies %v", p.address, p.replies)
			}
		}
	})
}

// A message that does not show the end of a request is made to, if it is made
// late.
func TestALateAnnouncementIsShownTheEndWhereItDoesNotShowIt(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.desk.ends = finder{r.desk}, true
		r.memory.put("1", nil)
		r.memory.decide("1", types.RequestState_DENIED)
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Minute)
		if r.desk.count("edit ops") != 1 || r.desk.count("end ops") != 1 {
			t.Errorf("steps: %q", r.desk.taken())
		}
	})
}

// Where nothing can be looked up, a death doubles one message in each place at
// most: effects there go one after another, each recorded before the next.
func TestADeathDoublesAtMostOneMessageInEachBlindPlace(t *testing.T) {
	for ms := range 60 {
		t.Run(fmt.Sprint("after ", 20*ms, " ms"), func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = stubborn{r.desk}
				r.recipients = []string{"ops", "db", "sec"}
				r.desk.latency, r.writing = 20*time.Millisecond, time.Millisecond
				x := r.start()
				for i := range 12 {
					r.memory.put(fmt.Sprint(i), nil)
					r.memory.review(fmt.Sprint(i), "bob", types.RequestState_APPROVED, "")
				}
				r.settle(time.Duration(20*ms) * time.Millisecond)
				x.crash()
				r.settle(time.Second) // what was taken is done
				y := r.start()
				defer y.stop()
				y.catchUp()
				r.settle(time.Hour)
				doubled := map[string]int{}
				posts := map[string]int{}
				for _, p := range r.desk.posts {
					if key := p.address + " " + p.request; posts[key] > 0 {
						doubled[p.address]++
					} else {
						posts[key]++
					}
					doubled[p.address] += max(len(p.replies)-1, 0)
				}
				if len(posts) != 36 {
					t.Errorf("%d of 36 were announced", len(posts))
				}
				for address, n := range doubled {
					if n > 1 {
						t.Errorf("%d doubled at %s", n, address)
					}
				}
			})
		})
	}
}

// An approved request is deleted at the end of the access that it gave: that says
// nothing new about it.
func TestADecisionOutlivesItsRequest(t *testing.T) {
	for name, service := range map[string]func(r *rig) integration.Service{
		"messages can be changed":    func(r *rig) integration.Service { return teller{finder{r.desk}} },
		"messages cannot be changed": func(r *rig) integration.Service { return unchanging{r.desk} },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = service(r)
				r.recipients = []string{"ops", "db"}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(2 * time.Minute)
				r.memory.decide("1", types.RequestState_APPROVED)
				r.settle(2 * time.Minute)
				before := len(r.desk.taken())
				r.memory.remove("1")
				r.settle(time.Hour)
				if after := r.desk.taken()[before:]; len(after) > 0 {
					t.Errorf("after the end: %q", after)
				}
			})
		})
	}
}

// unchanging is a desk whose messages cannot be changed: their end is told below
// them.
type unchanging struct{ desk *desk }

func (d unchanging) Tells(k integration.Kind) bool { return k != integration.Notice }

func (d unchanging) Resolve(ctx context.Context, name string) (string, error) {
	return d.desk.Resolve(ctx, name)
}

func (d unchanging) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	return d.desk.Tell(ctx, to, e, v)
}

func (d unchanging) Check(context.Context) error { return nil }

func TestARateLimitIsWaitedForByAll(t *testing.T) {
	for seed := range 30 {
		inTime(t, func(r *rig) {
			r.service = finder{r.desk}
			r.recipients = []string{"ops", "db", "sec"}
			r.desk.latency = time.Duration(seed) * time.Millisecond
			left, until := 200, map[string]time.Time{}
			r.desk.fault = func(step, address string) error {
				switch wait := time.Until(until[address]); {
				case step != "post":
					return nil
				case wait > 0:
					return &outbound.Error{Kind: outbound.Wait, Scope: outbound.ThePlace, Op: "post", After: wait}
				case left > 0:
					left--
					until[address] = time.Now().Add(time.Second)
					return &outbound.Error{Kind: outbound.Wait, Scope: outbound.ThePlace, Op: "post", Status: 429, After: time.Second}
				}
				return nil
			}
			x := r.start()
			defer x.stop()
			for i := range 30 {
				r.memory.put(fmt.Sprint(i), nil)
				r.settle(time.Millisecond)
				if i%3 == 0 {
					r.memory.review(fmt.Sprint(i), "bob", types.RequestState_APPROVED, "")
				}
				if i%5 == 0 {
					r.memory.decide(fmt.Sprint(i), types.RequestState_APPROVED)
				}
			}
			r.settle(5 * time.Minute)
			if got := r.posts(); got["ops"] != 30 || got["db"] != 30 || got["sec"] != 30 {
				t.Fatalf("seed %d: %v", seed, got)
			}
		})
	}
}

// A place that lets nobody in for a while is not one where nothing can be looked
// up: what is in doubt there is settled once it lets us in again.
func TestWhatIsInDoubtAtAPlaceThatIsClosedIsSettledLater(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		var closed bool
		r.desk.fault = func(string, string) error {
			if closed {
				return fail(outbound.Refused)
			}
			return nil
		}
		r.desk.lost = once("post", fail(outbound.Unclear))
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(10 * time.Millisecond)
		r.desk.mu.Lock()
		closed = true
		r.desk.mu.Unlock()
		r.settle(5 * time.Second)
		r.memory.remove("1")
		r.settle(15 * time.Second)
		r.desk.mu.Lock()
		closed = false
		r.desk.mu.Unlock()
		r.settle(20 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		r.wantShown(version(request.Expired, 0))
	})
}

func TestRecipientsAreChosenOnceThoughTheRequestHasToWait(t *testing.T) {
	inTime(t, func(r *rig) {
		r.desk.latency = time.Second
		x := r.start()
		defer x.stop()
		for i := range 20 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(time.Minute)
		if r.chosen != 20 {
			t.Errorf("recipients were chosen %d times for 20 requests", r.chosen)
		}
	})
}

// What an event showed is past once a list, or another event, has shown more.
func TestARequestThatHadToWaitIsAnnouncedAsItIs(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		closed := true
		r.desk.fault = func(string, string) error {
			if closed {
				return failWith(outbound.Refused, outbound.TheToken)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.memory.put("2", nil)
		r.settle(time.Second)
		r.memory.with(func() { r.memory.late = func() bool { return true } }) // nobody hears of it
		r.memory.decide("2", types.RequestState_APPROVED)
		x.catchUp()
		r.desk.mu.Lock()
		closed = false
		r.desk.mu.Unlock()
		x.Checked(nil)
		r.settle(time.Second)
		for _, p := range r.desk.posts {
			if want := map[string]request.Status{"1": request.Pending, "2": request.Approved}[p.request]; p.shown.Status != want {
				t.Errorf("%s shows %v, want %v", p.request, p.shown, want)
			}
		}
	})
}

func TestNothingIsTriedAgainAtOnceForEver(t *testing.T) {
	for name, trouble := range map[string]func(r *rig){
		"the token is refused, and the id is used again": func(r *rig) {
			r.desk.fault = func(string, string) error { return failWith(outbound.Refused, outbound.TheToken) }
			r.memory.remove("1")
			r.memory.put("1", nil)
		},
		"every write is a conflict": func(r *rig) {
			r.memory.beforeWrite = func(string) error { return errConflict }
			r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		},
		"every read fails": func(r *rig) {
			r.memory.beforeRead = func(string) error { return errDenied }
			r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Second)
				r.memory.mu.Lock()
				r.memory.tries = 0
				r.memory.mu.Unlock()
				trouble(r)
				r.settle(5 * time.Minute)
				r.memory.mu.Lock()
				defer r.memory.mu.Unlock()
				if r.memory.tries > 150 || len(r.desk.taken()) > 50 {
					t.Errorf("%d calls to the cluster and %d to the service in five minutes", r.memory.tries, len(r.desk.taken()))
				}
			})
		})
	}
}

// decider approves everything, and remembers what was reported to it.
type decider struct {
	// aloof says that no request is its business.
	aloof   bool
	mu      sync.Mutex
	verdict integration.Verdict
	err     error
	asked   int
	reports []request.Status
}

func (*decider) Name() string { return "test" }

func (d *decider) Concerns(request.View) bool { return !d.aloof }

func (d *decider) Decide(context.Context, request.View, integration.Told) (integration.Verdict, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.verdict, d.err
}

// times is how often it was asked.
func (d *decider) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *decider) reported() []request.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.reports)
}

func (d *decider) Report(_ context.Context, v request.View, _ []plugindata.Message, _ integration.Verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reports = append(d.reports, v.Status)
}

func TestDecisions(t *testing.T) {
	approve := integration.Verdict{Propose: request.Approved, Reason: "on call", Evidence: "the rota"}
	lost := func(r *rig, state types.RequestState) {
		r.memory.beforeReview = func(id string) error { // the review is taken, the answer lost
			r.memory.with(func() { r.memory.beforeReview = nil })
			r.memory.review(id, "plugin", types.RequestState_APPROVED, "on call")
			if state != types.RequestState_PENDING {
				r.memory.decide(id, state)
			}
			return errors.New("the answer is lost")
		}
	}
	for name, c := range map[string]struct {
		verdict integration.Verdict
		happens func(r *rig)
		reviews int
		reports []request.Status
		asked   int
	}{
		"an approval is submitted once and reported afterwards":           {approve, func(*rig) {}, 1, []request.Status{request.Pending}, 1},
		"a lost answer is looked up":                                      {approve, func(r *rig) { lost(r, types.RequestState_PENDING) }, 1, []request.Status{request.Pending}, 2},
		"a lost answer is looked up though the request was decided by it": {approve, func(r *rig) { lost(r, types.RequestState_APPROVED) }, 1, []request.Status{request.Approved}, 1},
		"an abstention with evidence is reported":                         {integration.Verdict{Evidence: "not on call"}, func(*rig) {}, 0, []request.Status{request.Pending}, 1},
		"one without is not":                                              {integration.Verdict{}, func(*rig) {}, 0, nil, 1},
		"who wants to be asked again is, after a minute at the earliest":  {integration.Verdict{Again: time.Second}, func(*rig) {}, 0, nil, 10},
		"what Teleport's own plugin left to people stays with them": {approve, func(r *rig) {
			r.memory.put("1", nil)
			_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"user": "alice", "messages": "ops/m1"}, nil)
		}, 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &decider{verdict: c.verdict}
				r.deciders = []integration.Decider{d}
				c.happens(r)
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(10*time.Minute - time.Second)
				if n := len(r.memory.request("1").GetReviews()); n != c.reviews {
					t.Errorf("%d reviews, want %d", n, c.reviews)
				}
				if reports := d.reported(); !slices.Equal(reports, c.reports) {
					t.Errorf("reported %v, want %v", reports, c.reports)
				}
				if n := d.times(); n != c.asked {
					t.Errorf("asked %d times, want %d", n, c.asked)
				}
			})
		})
	}
}

func TestADenialIsADenialAndAFailureNeverApproves(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		failing := &decider{verdict: integration.Verdict{Propose: request.Approved}, err: errors.New("no answer")}
		r.deciders = []integration.Decider{failing}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(10 * time.Minute)
		if n := len(r.memory.request("1").GetReviews()); n != 0 {
			t.Errorf("%d reviews after failures", n)
		}
		if n := failing.times(); n < 5 {
			t.Errorf("asked %d times in ten minutes", n)
		}
		failing.mu.Lock()
		failing.err, failing.verdict.Propose = nil, request.Denied
		failing.mu.Unlock()
		r.settle(time.Minute)
		if reviews := r.memory.request("1").GetReviews(); len(reviews) != 1 || reviews[0].ProposedState != types.RequestState_DENIED {
			t.Errorf("reviews: %v", reviews)
		}
	})
}

// Somebody forges a record that forgets recipients who are being told.
func TestARecordThatIsForgedUnderARoundLosesNobody(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"a", "b", "c", "d"}
		slow := map[string]time.Duration{"a": 10 * time.Millisecond, "b": time.Second, "c": 2 * time.Second, "d": 3 * time.Second}
		r.service = slowly{finder{r.desk}, slow}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(600 * time.Millisecond)
		rec := r.record("1")
		forged := fmt.Sprintf(`{"request":%d,"deliveries":[{"recipient":"a","address":"a"}]}`, rec.Progress.Request)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"deliveries": forged}, nil)
		r.settle(time.Minute)
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(5 * time.Minute)
		// The forger says that the first has not been told: it may be told again.
		if got := r.posts(); got["a"] > 2 || got["b"] != 1 || got["c"] != 1 || got["d"] != 1 {
			t.Errorf("posts by address: %v", got)
		}
		for _, p := range r.desk.posts {
			if p.address != "a" && p.shown != version(request.Approved, 0) {
				t.Errorf("%s shows %v", p.address, p.shown)
			}
		}
		if lines := r.logged(zap.ErrorLevel); len(lines) > 0 {
			t.Errorf("errors: %q", lines)
		}
		x.stop()
	})
}

// slowly is a desk at which each address takes its own time.
type slowly struct {
	finder
	latency map[string]time.Duration
}

func (d slowly) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	time.Sleep(d.latency[to.Address])
	return d.finder.Tell(ctx, to, e, v)
}

// One recipient that is refused makes nobody wait for too long, however busy the
// others are.
func TestARefusedRecipientIsNoRequestThatWaits(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.recipients = []string{"ops", "archived"}
		r.desk.latency = 300 * time.Millisecond
		r.desk.fault = func(_, address string) error {
			if address == "archived" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		for i := range 40 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		for range 120 {
			r.settle(5 * time.Second)
			x.Undelivered() // as a session asks
		}
		for i := range 40 {
			r.memory.review(fmt.Sprint(i), "bob", types.RequestState_APPROVED, "")
			for range 10 {
				r.settle(50 * time.Millisecond)
				if since := x.Undelivered(); !since.IsZero() && time.Since(since) > 10*time.Second {
					t.Fatalf("a request has waited for %v", time.Since(since))
				}
			}
		}
	})
}

// What happens to a request that waits for others is something to do again, also while
// the cluster lets nobody read its record.
func TestNewsOfARefusedRequestWaits(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		r.desk.fault = func(string, string) error { return failWith(outbound.Refused, outbound.ThePlace) }
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		for range 12 {
			r.settle(5 * time.Second)
			if since := x.Undelivered(); !since.IsZero() && time.Since(since) > 10*time.Second {
				t.Fatalf("a refused request has waited for %v", time.Since(since))
			}
		}
		r.memory.with(func() { r.memory.beforeRead = func(string) error { return errors.New("the cluster is away") } })
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		for range 36 {
			r.settle(5 * time.Second)
			x.Undelivered()
		}
		if since := x.Undelivered(); since.IsZero() || time.Since(since) < 2*time.Minute {
			t.Errorf("undelivered since %v, and the news waits for three minutes", since)
		}
	})
}

// While a rule was asked, the request was decided by others, or is another one by
// now: nothing was submitted, and nothing is reported.
func TestADecisionThatComesTooLate(t *testing.T) {
	for name, happen := range map[string]func(r *rig){
		"denied by a person": func(r *rig) { r.memory.decide("1", types.RequestState_DENIED) },
		"made again for more": func(r *rig) {
			r.memory.remove("1")
			r.memory.put("1", func(req types.AccessRequest) { req.SetRoles([]string{"root"}) })
		},
		"deleted": func(r *rig) { r.memory.remove("1") },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &slowDecider{happen: func() { happen(r) }}
				r.deciders = []integration.Decider{d}
				r.memory.beforeReview = func(id string) error {
					if req := r.memory.request(id); req == nil || req.GetState() != types.RequestState_PENDING {
						return errDenied
					}
					return nil
				}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				if req := r.memory.request("1"); req != nil && len(req.GetReviews()) > 0 {
					t.Errorf("reviews: %v", req.GetReviews())
				}
				for _, e := range r.logs.All() {
					if strings.Contains(e.Message, "reviewed by rule") {
						t.Errorf("logged: %s", e.Message)
					}
				}
			})
		})
	}
}

// slowDecider approves requests of one role, and something happens while it is
// asked for the first time.
type slowDecider struct {
	decider
	happen func()
}

func (d *slowDecider) Decide(_ context.Context, v request.View, _ integration.Told) (integration.Verdict, error) {
	if happen := d.happen; happen != nil {
		d.happen = nil
		happen()
	}
	if !slices.Contains(v.Roles, "editor") {
		return integration.Verdict{}, nil
	}
	return integration.Verdict{Propose: request.Approved, Reason: "on call", Evidence: "the rota"}, nil
}

// The cluster is away while messages are made; it comes back while the service
// refuses the token, and the process is asked to end.
func TestWhatCouldNotBeRecordedIsRecordedBeforeAnythingElse(t *testing.T) {
	for name, stop := range map[string]func(r *rig, x *replica){
		"while the request waits": func(r *rig, x *replica) { r.settle(time.Minute); x.crash() },
		"when the process ends":   func(_ *rig, x *replica) { x.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				var away, refused atomic.Bool
				r.memory.beforeWrite = func(string) error {
					if away.Load() {
						return errors.New("the cluster is away")
					}
					return nil
				}
				r.desk.fault = func(step, _ string) error {
					if refused.Load() {
						return failWith(outbound.Refused, outbound.TheToken)
					}
					away.Store(step == "post")
					return nil
				}
				x := r.start()
				r.memory.put("1", nil)
				r.settle(100 * time.Millisecond)
				refused.Store(true)
				r.memory.put("2", nil)
				x.Checked(failWith(outbound.Refused, outbound.TheToken))
				away.Store(false)
				stop(r, x)
				if rec := r.record("1"); len(rec.Messages) != 1 || !rec.Claim.Free() {
					t.Errorf("record: %+v, claim %v", rec.Progress, rec.Claim)
				}
			})
		})
	}
}

func TestADeciderThatIsToldToWaitIsNotAskedBefore(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		d := &decider{err: &outbound.Error{Kind: outbound.Wait, Op: "ask", Status: 429, After: 5 * time.Minute}}
		r.deciders = []integration.Decider{d}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(4 * time.Minute)
		if n := d.times(); n != 1 {
			t.Errorf("asked %d times before the told time", n)
		}
		r.settle(2 * time.Minute)
		if n := d.times(); n != 2 {
			t.Errorf("asked %d times after it", n)
		}
	})
}

// repeater is a desk at which nothing can be looked up, and that takes each call once.
type repeater struct{ *desk }

func (repeater) CanFind(string) bool { return true }

func (repeater) Repeats() {}

func (d repeater) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	return repeat.Find(ctx, d, to, e, v)
}

// What may have been taken by somebody who is refused now is neither forgotten nor taken
// for an outage: as any refusal it is tried now and then, and who has heard of a request
// hears how it ended.
func TestWhatMayHaveBeenTakenIsRefusedForAWhile(t *testing.T) {
	for name, scope := range map[string]outbound.Scope{"the place": outbound.ThePlace, "the call": outbound.OneCall} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.desk.keyed, r.desk.ends, r.service = true, true, repeater{r.desk}
				r.recipients = []string{"ops", "db"}
				refused := false
				r.desk.lost = func(step, address string) error {
					if step != "post" || address != "db" || refused {
						return nil
					}
					refused = true
					return fail(outbound.Unclear)
				}
				r.desk.fault = func(_, address string) error {
					if address == "db" && refused {
						return failWith(outbound.Refused, scope)
					}
					return nil
				}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Minute)
				r.memory.decide("1", types.RequestState_APPROVED)
				for range 60 {
					r.settle(time.Minute)
					if since := x.Undelivered(); !since.IsZero() && time.Since(since) > time.Minute {
						t.Fatalf("a refused request has waited for %v", time.Since(since))
					}
				}
				if bad := r.health.conditions(); len(bad) > 0 {
					t.Errorf("bad conditions: %q", bad)
				}
				if n := r.desk.count("post db"); n > 9 {
					t.Errorf("%d calls to the refused place in an hour", n)
				}
				r.desk.mu.Lock()
				r.desk.fault = nil
				r.desk.mu.Unlock()
				r.settle(16 * time.Minute)
				r.wantPosts(map[string]int{"ops": 1, "db": 1})
				for _, p := range r.desk.posts {
					if len(p.ended) != 1 {
						t.Errorf("%s heard of the end %d times", p.address, len(p.ended))
					}
				}
			})
		})
	}
}

// tardy takes its time to tell.
type tardy struct {
	finder
	takes time.Duration
}

func (s tardy) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	select {
	case <-time.After(s.takes):
		return s.finder.Tell(ctx, to, e, v)
	case <-ctx.Done():
		return plugindata.Message{}, &outbound.Error{Kind: outbound.Unclear, Op: string(e.Kind), Err: ctx.Err()}
	}
}

// Where another program garbles the claim of a replica at work, whoever finds the record
// cannot know how long that replica may go on: what it does not find yet may come until a
// lease has passed.
func TestWhoseClaimIsGarbledMayGoOnForALease(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = tardy{finder{r.desk}, 9900 * time.Millisecond}
		x := r.start()
		defer x.stop()
		want := make(map[string]int)
		for _, id := range []string{"1", "2"} { // more calls than are under way at once
			r.recipients = nil
			for i := range 60 {
				r.recipients = append(r.recipients, fmt.Sprint(id, " at ", i))
				want[r.recipients[i]] = 1
			}
			r.memory.put(id, nil)
			r.settle(time.Millisecond)
		}
		x.slow(time.Minute) // it does not notice
		y := r.start()
		defer y.stop()
		_ = r.memory.update(types.KindAccessRequest, "2", "test", map[string]string{"claim": "many", "deliveries": "many"}, nil)
		r.memory.review("2", "bob", types.RequestState_APPROVED, "")
		r.settle(25 * time.Second)
		x.slow(0)
		r.settle(time.Hour)
		r.wantPosts(want)
		r.wantShown(version(request.Pending, 1), "1")
	})
}
