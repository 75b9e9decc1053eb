package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func texts(p *plan) (all []string) {
	for _, s := range p.steps {
		all = append(all, fmt.Sprint(s.at, s.text))
	}
	return all
}

func TestASeedMakesThePlan(t *testing.T) {
	one, same, other := newPlan(7, time.Minute, harness.Services()), newPlan(7, time.Minute, harness.Services()), newPlan(8, time.Minute, harness.Services())
	if !slices.Equal(texts(one), texts(same)) {
		t.Error("one seed, two plans")
	}
	if slices.Equal(texts(one), texts(other)) {
		t.Error("two seeds, one plan")
	}
	if n := len(one.steps); n < 60*pace {
		t.Errorf("%d steps in a minute", n)
	}
}

// halted is a world in which nothing but the cluster and the services runs.
func halted(t *testing.T, p *plan) *world {
	w, err := prepare(settings{}, p)
	if errors.Is(err, harness.ErrNotBuilt) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// What the plan takes for the state of a request is the cluster's.
func TestThePlanIsWhatTheClusterMakesOfIt(t *testing.T) {
	p := newPlan(3, 40*time.Second, harness.Services())
	p.steps = slices.DeleteFunc(p.steps, func(s step) bool { // faults
		return strings.Contains(strings.SplitN(s.text, " ", 2)[0], ":") || strings.Contains(s.text, "/0: ") || strings.Contains(s.text, "/1: ")
	})
	for _, r := range p.requests {
		r.ttl *= 1000 // none expires while the test runs
	}
	w := halted(t, p)
	for _, s := range p.steps {
		if err := s.do(w); err != nil {
			t.Errorf("%s: %v", s.text, err)
		}
	}
	for _, r := range p.requests {
		got, exists := w.cluster.Request(r.id)
		if exists == r.gone || exists && got.GetState().String() != r.state {
			t.Errorf("%s: exists %v, state %v, want %s, gone %v", r.id, exists, got.GetState(), r.state, r.gone)
		}
	}
}

func TestJudgement(t *testing.T) {
	const id = "0c0f9d5e-1111-7222-8333-444455556677"
	for name, tc := range map[string]struct {
		adopted int
		happens func(w *world, r *request, s *side) error
		want    []kind
	}{
		"all is well": {1, func(*world, *request, *side) error { return nil }, nil},
		"nobody was told": {0, func(*world, *request, *side) error {
			return nil
		}, []kind{lost, lost}},
		"told twice": {1, func(_ *world, r *request, s *side) error {
			_, err := s.Adopt(r.id, s.channels[0], 1)
			return err
		}, []kind{doubled}},
		"two messages of Teleport's own plugin": {2, func(*world, *request, *side) error { return nil }, nil},
		"at another place": {1, func(_ *world, r *request, s *side) error {
			_, err := s.Adopt(r.id, s.channels[1], 1)
			return err
		}, []kind{stray}},
		"a review is not told": {1, func(w *world, r *request, _ *side) error {
			return w.review(r, cluster.Bob, approved, r.review(cluster.Bob, approved))
		}, []kind{missing}},
		"decided and not shown": {1, func(w *world, r *request, _ *side) error {
			r.state = denied
			return w.decide(r, denied)
		}, []kind{stale}},
		"gone and not shown": {1, func(w *world, r *request, _ *side) error {
			r.gone = true
			return w.delete(r)
		}, []kind{stale}},
		"gone and not shown, after an outage": {1, func(w *world, r *request, _ *side) error {
			w.journal.add(mark{class: ofCluster})()
			r.gone = true
			return w.delete(r)
		}, []kind{stale}},
		"gone before anybody was told": {0, func(w *world, r *request, _ *side) error {
			r.gone = true
			return w.delete(r)
		}, nil},
		"removed by hand": {1, func(w *world, r *request, s *side) error {
			return w.remove(r, s.name, 0)
		}, nil},
		"removed by hand, then decided": {1, func(w *world, r *request, s *side) error {
			r.state = denied
			return errors.Join(w.remove(r, s.name, 0), w.decide(r, denied))
		}, []kind{lost}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(2, time.Second, harness.Services())
			r := &request{
				id: id, user: robot, role: roles()[1], state: pending, adopted: tc.adopted,
				removed: make(map[spot][]time.Time), garbled: make(map[string]int),
			}
			p.requests = []*request{r}
			w := halted(t, p)
			s := w.sides[0]
			s.buttons = false // messages of Teleport's own plugin have none
			if err := errors.Join(w.create(r), tc.happens(w, r, s)); err != nil {
				t.Fatal(err)
			}
			report := w.judge()
			var got []kind
			for _, o := range report.offences {
				if o.side == s {
					got = append(got, o.kind)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("judged %v, want %v", got, tc.want)
			}
		})
	}
}

// What came and went while the cluster was away cannot be known to a plugin; what lasted
// for longer can.
func TestAnOutageExcusesWhatNobodyCouldSee(t *testing.T) {
	now := time.Now()
	for name, tc := range map[string]struct {
		from, to time.Duration
		adopted  int
		want     bool
	}{
		"all of its life":               {-time.Second, 2 * time.Second, 1, true},
		"its beginning":                 {-time.Second, time.Second / 2, 1, false},
		"its end":                       {time.Second / 2, 2 * time.Second, 1, false},
		"all of its life, told by ours": {-time.Second, 2 * time.Second, 0, false},
	} {
		r := &request{began: now, changed: now.Add(time.Second), gone: true, adopted: tc.adopted}
		c := &court{marks: history{wide: []mark{{class: ofCluster, from: now.Add(tc.from), to: now.Add(tc.to)}}}}
		if got := c.unseen(r); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Lines are explained by a fault that touched what they name, and by no other.
func TestLinesAreExplainedByFaults(t *testing.T) {
	const one, other = "0c0f9d5e-1111-7222-8333-444455556677", "0c0f9d5e-1111-7222-8333-444455556688"
	call := mark{class: ofCall, request: one, place: "C1"}
	for name, tc := range map[string]struct {
		mark mark
		line string
		want bool
	}{
		"a request that was touched":                                 {call, "WARN  Not told request_id:" + one, true},
		"another request":                                            {call, "WARN  Not told request_id:" + other, false},
		"a request, while the cluster failed":                        {mark{class: ofCluster}, "WARN  Not told request_id:" + other, true},
		"its place":                                                  {mark{class: ofPlace, place: "C1"}, "WARN  Not told request_id:" + other + " channel:C1", true},
		"another place":                                              {mark{class: ofPlace, place: "C1"}, "WARN  Not told channel:C2", false},
		"a right that was denied":                                    {mark{class: ofRight, text: "access_request"}, "ERROR Not readable; add the rule access_request: list", true},
		"another right":                                              {mark{class: ofRight, text: "role"}, "ERROR Not readable; add the rule access_request: list", false},
		"a right that nobody denied":                                 {call, "ERROR Not readable; add the rule access_request: list", false},
		"a right at the service":                                     {call, "WARN  Not in channel:C1; give the bot the permission", true},
		"a request, while the machine was slow":                      {mark{class: ofMachine, slow: true}, "WARN  Not told request_id:" + other, true},
		"a press whose answer failed":                                {mark{class: ofCall, back: true}, "WARN  A person could not be told what came of their press request_id:" + other, true},
		"a request, when the answer to a press failed":               {mark{class: ofCall, back: true}, "WARN  Not told request_id:" + other, false},
		"buttons, when the connection was cut":                       {mark{class: ofListen}, "ERROR Buttons are not answered until this is corrected", true},
		"a request, when the connection was cut":                     {mark{class: ofListen}, "WARN  Not told request_id:" + other, false},
		"a press that was made twice":                                {mark{class: ofPress, request: one}, "WARN  A press could not become a review yet request_id:" + one, true},
		"another press":                                              {mark{class: ofPress, request: one}, "WARN  A press could not become a review yet request_id:" + other, false},
		"a request, while the machine stood still":                   {mark{class: ofMachine, stalled: true}, "WARN  Not told request_id:" + other, false},
		"a request, when a conversation had not said whom it is for": {mark{class: ofCall}, "WARN  Not told request_id:" + other, true},
		"a request, when a call there did not say what it is for":    {mark{class: ofCall, place: "C1"}, "WARN  Not told request_id:" + other + " recipient:C1", true},
		"a request, when one elsewhere did not":                      {mark{class: ofCall, place: "C2"}, "WARN  Not told request_id:" + other + " recipient:C1", false},
		"a panic":                                                    {mark{class: ofCluster}, "panic: index out of range", false},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			tc.mark.from, tc.mark.to = now, now
			l := &listener{side: &side{}, marks: []mark{tc.mark}, places: map[string][]string{"C1": {"C1"}, "C2": {"C2"}}}
			if got := l.explained(now.Add(time.Second), tc.line); got != tc.want {
				t.Errorf("explained: %v", got)
			}
			late := now.Add(grace + time.Second)
			if l.explained(late, tc.line) {
				t.Error("explained after more than a minute")
			}
			if got := l.explained(late, tc.line+" (others of the last minute)"); got != tc.want {
				t.Errorf("of a line about the minute before it, explained: %v", got)
			}
		})
	}
}

// What deadlines and leases do on a machine that is slow is no fault of the plugins,
// as often as it was slow; what has nothing to do with time is. A record that was
// garbled excuses one more.
func TestASlowMachineExcusesWhatTimeDecides(t *testing.T) {
	const id = "0c0f9d5e-1111-7222-8333-444455556677"
	for name, tc := range map[string]struct {
		slow    int
		garbled int
		twice   int // announcements too many
		decided bool
		beyond  int
	}{
		"doubled":                                {0, 0, 1, false, 1},
		"doubled while slow":                     {1, 0, 1, false, 0},
		"doubled more often than slow":           {1, 0, 2, false, 1},
		"doubled by a garbled record":            {0, 1, 1, false, 0},
		"doubled by that, and while slow":        {1, 1, 2, false, 0},
		"doubled more often than both allow":     {1, 1, 3, false, 1},
		"decided and not shown while slow":       {1, 0, 0, true, 1},
		"decided, not shown, the record garbled": {0, 1, 0, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := &request{
				id: id, user: robot, role: roles()[0], state: pending, adopted: 1,
				removed: make(map[spot][]time.Time), garbled: make(map[string]int),
			}
			p := newPlan(2, time.Second, harness.Services()[:1])
			p.requests = []*request{r}
			w := halted(t, p)
			s := w.sides[0]
			r.garbled[s.name] = tc.garbled
			s.buttons = false // messages of Teleport's own plugin have none
			if err := w.create(r); err != nil {
				t.Fatal(err)
			}
			for range tc.slow {
				w.journal.since(time.Now().Add(-time.Second), mark{service: s.name, class: ofMachine, slow: true})
			}
			if _, err := s.Adopt(r.id, s.channels[0], tc.twice); err != nil {
				t.Fatal(err)
			}
			if tc.decided {
				r.state = denied
				if err := w.decide(r, denied); err != nil {
					t.Fatal(err)
				}
			}
			report := w.judge()
			if n := report.beyond(); n != tc.beyond {
				t.Errorf("%d beyond the promise, want %d: %+v", n, tc.beyond, report.offences)
			}
		})
	}
}

// Of replicas that are late at the same time one counts.
func TestHowLongTheMachineWasSlow(t *testing.T) {
	began := time.Now()
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	w := &world{}
	for _, m := range []mark{
		{from: at(0), to: at(2), slow: true},
		{from: at(1), to: at(3), slow: true},
		{from: at(1), to: at(2), slow: true},
		{from: at(4), to: at(9)},
		{from: at(6), to: at(7), slow: true},
	} {
		w.journal.marks = append(w.journal.marks, &m)
	}
	for since, want := range map[int]time.Duration{0: 4 * time.Second, 2: 2 * time.Second, 7: 0} {
		if total := w.slowness(at(since)); total != want {
			t.Errorf("slow for %v since %d s, want %v", total, since, want)
		}
	}
}

func TestAReplicaHasGrownByHalf(t *testing.T) {
	for name, tc := range map[string]struct {
		then, now size
		want      bool
	}{
		"as before":               {size{60 << 20, 20}, size{60 << 20, 20}, false},
		"by half":                 {size{60 << 20, 20}, size{90 << 20, 30}, false},
		"by more, in memory":      {size{60 << 20, 20}, size{91 << 20, 20}, true},
		"by more, in descriptors": {size{60 << 20, 20}, size{60 << 20, 31}, true},
		"was never seen":          {size{}, size{60 << 20, 20}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.now.grownFrom(tc.then); got != tc.want {
				t.Errorf("grown: %v", got)
			}
		})
	}
}
