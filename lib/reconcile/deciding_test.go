package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

const (
	byRule   = "An access request was reviewed by rule"
	toPeople = "An access request is left to people"
	undone   = "A rule could not decide an access request; it is tried again"
)

var onCall = integration.Verdict{Propose: request.Approved, Reason: "on call", Evidence: "the rota"}

func TestWhenADeciderIsAskedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		verdict     integration.Verdict
		err         error
		during      time.Duration
		least, most int
	}{
		"it has finished":               {integration.Verdict{}, nil, time.Hour, 1, 1},
		"it has finished with evidence": {integration.Verdict{Evidence: "nobody is on call"}, nil, time.Hour, 1, 1},
		"it wants to be asked":          {integration.Verdict{Again: 10 * time.Minute}, nil, time.Hour - time.Minute, 6, 6},
		"it has decided and would be":   {integration.Verdict{Propose: request.Approved, Again: time.Minute}, nil, time.Hour, 1, 1},
		"it fails":                      {integration.Verdict{}, errors.New("hung up"), 10 * time.Minute, 15, 30},
		"it is refused":                 {integration.Verdict{}, fail(outbound.Refused), 40 * time.Minute, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &decider{verdict: c.verdict, err: c.err}
				r.deciders = []integration.Decider{d}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(c.during)
				if n := d.times(); n < c.least || n > c.most {
					t.Errorf("asked %d times in %v, want %d to %d", n, c.during, c.least, c.most)
				}
			})
		})
	}
}

func TestWhatIsLoggedOfAVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		verdict integration.Verdict
		err     error
		line    string
	}{
		"a review":                     {onCall, nil, byRule},
		"an abstention with evidence":  {integration.Verdict{Evidence: "nobody is on call"}, nil, toPeople},
		"an abstention without a word": {integration.Verdict{}, nil, ""},
		"a failure":                    {integration.Verdict{}, fail(outbound.Refused), undone},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				r.deciders = []integration.Decider{&decider{verdict: c.verdict, err: c.err}}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(30 * time.Second)
				for _, line := range []string{byRule, toPeople, undone} {
					if n := len(r.fields(line)); n > 0 != (line == c.line) || n > 1 {
						t.Errorf("%q was logged %d times", line, n)
					}
				}
			})
		})
	}
}

// A review of ours that is there already is not submitted again; what only looks
// like it is no review of ours.
func TestWhichReviewCountsAsOurs(t *testing.T) {
	for name, c := range map[string]struct {
		author string
		state  types.RequestState
		reason string
		ours   bool
	}{
		"the same":             {"plugin", types.RequestState_APPROVED, "on call", true},
		"somebody else's":      {"bob", types.RequestState_APPROVED, "on call", false},
		"a denial":             {"plugin", types.RequestState_DENIED, "on call", false},
		"for another reason":   {"plugin", types.RequestState_APPROVED, "a favour", false},
		"nothing of all these": {"bob", types.RequestState_DENIED, "no", false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				r.deciders = []integration.Decider{&decider{verdict: onCall}}
				r.memory.put("1", nil)
				r.memory.review("1", c.author, c.state, c.reason)
				want := 2
				if c.ours {
					want = 1
				}
				x := r.start()
				defer x.stop()
				x.catchUp()
				r.settle(time.Minute)
				if n := len(r.memory.request("1").GetReviews()); n != want {
					t.Errorf("%d reviews, want %d", n, want)
				}
				if n := len(r.fields(byRule)); n != 1 {
					t.Errorf("logged %d times", n)
				}
			})
		})
	}
}

func TestAReviewIsOfTheRequestThatWasDecidedAbout(t *testing.T) {
	for name, change := range map[string]func(req types.AccessRequest){
		"another user": func(req types.AccessRequest) { req.(*types.AccessRequestV3).Spec.User = "eve" },
		"other roles":  func(req types.AccessRequest) { req.SetRoles([]string{"editor", "root"}) },
		"another time": func(req types.AccessRequest) { req.SetCreationTime(req.GetCreationTime().Add(time.Nanosecond)) },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &slowDecider{happen: func() { r.memory.put("1", change) }}
				r.deciders = []integration.Decider{d}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(500 * time.Millisecond) // before it is asked again
				if n := len(r.memory.request("1").GetReviews()); n != 0 {
					t.Errorf("%d reviews", n)
				}
				if n := len(r.fields(undone)); n != 1 {
					t.Errorf("logged %d times", n)
				}
			})
		})
	}
}

func TestARefusedReview(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(r *rig) // before it is refused
		line    string
		asked   int // within ten minutes
	}{
		"is tried again now and then": {func(*rig) {}, undone, 3},
		"counts if it is there all the same": {func(r *rig) {
			r.memory.review("1", "plugin", types.RequestState_APPROVED, "on call")
		}, byRule, 1},
		"is of no interest once others have decided": {func(r *rig) { r.memory.decide("1", types.RequestState_DENIED) }, "", 1},
		"is of no interest once the request is gone": {func(r *rig) { r.memory.remove("1") }, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				d := &decider{verdict: onCall}
				r.deciders = []integration.Decider{d}
				happened := false
				r.memory.beforeReview = func(string) error {
					if !happened {
						happened = true
						c.happens(r)
					}
					return errDenied
				}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(10 * time.Minute)
				if n := d.times(); n != c.asked || r.tally.panicked.Load() > 0 {
					t.Errorf("asked %d times, want %d; %d faults", n, c.asked, r.tally.panicked.Load())
				}
				for _, line := range []string{byRule, undone} {
					if n := len(r.fields(line)); n > 0 != (line == c.line) {
						t.Errorf("%q was logged %d times", line, n)
					}
				}
			})
		})
	}
}

// What others have to wait for may take so long that the claim is too old for a
// review. The decider is asked under the next one then.
func TestADeciderIsAskedAfterARoundThatTookLong(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.desk.latency = finder{r.desk}, 9*time.Second
		d := &decider{verdict: onCall}
		r.deciders = []integration.Decider{d}
		r.memory.put("1", nil)
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.memory.review("1", "eve", types.RequestState_APPROVED, "")
		x := r.start()
		defer x.stop()
		x.catchUp()
		r.settle(25 * time.Second) // an announcement and two replies
		if n := d.times(); n != 0 {
			t.Fatalf("asked %d times before", n)
		}
		r.settle(15 * time.Second)
		if n := d.times(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// slowReporter takes as long to report as it may.
type slowReporter struct {
	decider
	took time.Duration
}

func (d *slowReporter) Report(ctx context.Context, _ request.View, _ []plugindata.Message, _ integration.Verdict) {
	begun := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(time.Hour):
	}
	d.took = time.Since(begun)
}

func TestAReportTakesNoLongerThanACall(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.timing.Call = finder{r.desk}, 5*time.Second
		d := &slowReporter{decider: decider{verdict: onCall}}
		r.deciders = []integration.Decider{d}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		x.stop()
		if d.took != 5*time.Second {
			t.Errorf("it took %v", d.took)
		}
	})
}

// What Teleport's own plugin left to people stays with them; another request with the
// same id is not that one.
func TestAnIDThatIsUsedAgainIsDecidedAboutThoughTheEarlierRequestWasAdopted(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = finder{r.desk}
		d := &decider{verdict: integration.Verdict{Propose: request.Approved, Reason: "on call"}}
		r.deciders = []integration.Decider{d}
		r.desk.posts = append(r.desk.posts, &post{address: "ops", id: "m1", request: "1"})
		r.memory.put("1", nil)
		_ = r.memory.update(types.KindAccessRequest, "1", "test", map[string]string{"user": "alice", "messages": "ops/m1"}, nil)
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		if n := d.times(); n != 0 {
			t.Fatalf("asked %d times about what was adopted", n)
		}
		r.memory.review("1", "bob", types.RequestState_APPROVED, "fine") // is shown, and recorded
		r.settle(time.Minute)
		r.memory.remove("1")
		r.memory.put("1", nil)
		r.settle(5 * time.Minute)
		if n := d.times(); n != 1 {
			t.Errorf("asked %d times about the new request, want 1", n)
		}
		if r.record("1").Adopted {
			t.Error("the record of the new request is taken for one of Teleport's own plugin")
		}
	})
}
