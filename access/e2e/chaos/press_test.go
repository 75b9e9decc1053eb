package main

import (
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

const pressedID = "0c0f9d5e-1111-7222-8333-444455556677"

// What a person hears must be an outcome, unless a fault of that time stood in the way.
func TestAnswersAreJudged(t *testing.T) {
	const failed, put, ours = "This interaction failed", "Please press again in a minute", "This message is not one that the plugin posted"
	now := time.Now()
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	moment := func(m mark, from, to int) mark {
		m.from, m.to = at(from), at(to)
		return m
	}
	killed := mark{class: ofProcess, down: true, crash: true}
	for name, tc := range map[string]struct {
		saw       string
		listeners int
		marks     []mark
		removed   map[spot][]time.Time
		want      kind
		allowed   bool
	}{
		"an outcome":                            {saw: "You approved this request.", listeners: 1},
		"nothing":                               {listeners: 1, want: unheard},
		"the service's own failure":             {saw: failed, listeners: 1, want: unheard},
		"nothing, while the cluster is away":    {listeners: 1, marks: []mark{moment(mark{class: ofCluster}, -1, 9)}, want: unheard},
		"nothing, when the answer failed":       {listeners: 1, marks: []mark{moment(mark{class: ofCall, back: true}, 1, 1)}, want: unheard, allowed: true},
		"nothing, when an edit failed":          {listeners: 1, marks: []mark{moment(mark{class: ofCall}, 1, 1)}, want: unheard},
		"nothing, when a replica was killed":    {listeners: 2, marks: []mark{moment(killed, 1, 2)}, want: unheard, allowed: true},
		"nothing, one replica being away":       {listeners: 1, marks: []mark{moment(killed, -9, 9)}, want: unheard},
		"nothing, the only replica being away":  {marks: []mark{moment(killed, -9, 9)}, want: unheard, allowed: true},
		"nothing, long after a kill":            {listeners: 1, marks: []mark{moment(killed, -9, -5)}, want: unheard},
		"nothing, when the connection was cut":  {listeners: 1, marks: []mark{moment(mark{class: ofListen}, 1, 1)}, want: unheard, allowed: true},
		"nothing, where another stays open":     {listeners: 1, marks: []mark{moment(mark{class: ofListen}, -1, 9)}, want: unheard},
		"nothing, no connection after a cut":    {marks: []mark{moment(mark{class: ofListen}, -20, -10)}, want: unheard, allowed: true},
		"nothing, no connection without cause":  {marks: []mark{moment(mark{class: ofListen}, -200, -190)}, want: unheard},
		"nothing, the machine standing still":   {listeners: 1, marks: []mark{moment(mark{class: ofMachine, stalled: true}, 1, 2)}, want: unheard, allowed: true},
		"put off":                               {saw: put, listeners: 1, want: undecided},
		"put off while the cluster is away":     {saw: put, listeners: 1, marks: []mark{moment(mark{class: ofCluster}, -3, -3)}, want: undecided, allowed: true},
		"put off long after that":               {saw: put, listeners: 1, marks: []mark{moment(mark{class: ofCluster}, -30, -30)}, want: undecided},
		"put off after the machine stood still": {saw: put, listeners: 1, marks: []mark{moment(mark{class: ofMachine, stalled: true}, -3, -2)}, want: undecided, allowed: true},
		"nothing after the machine stood still": {listeners: 1, marks: []mark{moment(mark{class: ofMachine, stalled: true}, -3, -2)}, want: unheard},
		"put off when pressed twice":            {saw: put, listeners: 1, marks: []mark{moment(mark{class: ofPress, request: pressedID}, 0, 0)}, want: undecided, allowed: true},
		"put off when another is pressed twice": {saw: put, listeners: 1, marks: []mark{moment(mark{class: ofPress, request: "another"}, 0, 0)}, want: undecided},
		"disowned":                              {saw: ours, listeners: 1, want: disowned},
		"disowned after a removal":              {saw: ours, listeners: 1, removed: map[spot][]time.Time{{"chat", "C1"}: {at(-3)}}, want: disowned, allowed: true},
		"disowned after a removal elsewhere":    {saw: ours, listeners: 1, removed: map[spot][]time.Time{{"board", "C1"}: {at(-3)}}, want: disowned},
		"disowned after a lost answer":          {saw: ours, listeners: 1, marks: []mark{moment(mark{class: ofCluster, unclear: true}, -3, -3)}, want: disowned},
	} {
		t.Run(name, func(t *testing.T) {
			p := &press{
				request: &request{id: pressedID, began: at(-5), removed: tc.removed}, side: &side{name: "chat"}, person: cluster.Bob, verdict: approve,
				from: at(0), to: at(3), listeners: tc.listeners,
			}
			if tc.saw != "" {
				p.saw = []string{tc.saw}
			}
			h := history{all: tc.marks, wide: tc.marks}
			o, bad := p.judge(h)
			if bad != (tc.want != "") || o.kind != tc.want || (o.excuse != "") != tc.allowed {
				t.Errorf("judged %q, excuse %q", o.kind, o.excuse)
			}
		})
	}
}

// Reviews by whom there must be none are found, also those that nobody has asked for.
func TestReviewsAreJudged(t *testing.T) {
	w := halted(t, newPlan(2, time.Second, harness.Services()))
	now := time.Now()
	by := func(author, plugin string) types.AccessReview {
		v := types.AccessReview{Author: author, ProposedState: types.RequestState_APPROVED, Created: now}
		if plugin != "" {
			v.XXX_unrecognized = append([]byte{11<<3 | 2, byte(len(plugin))}, plugin...)
		}
		return v
	}
	chat := w.side(slices.Max(harness.Services())) // any will do
	for name, tc := range map[string]struct {
		reviews []types.AccessReview
		pressed []*press
		want    int
	}{
		"of people":              {reviews: []types.AccessReview{by(cluster.Bob, ""), by(cluster.Carol, "")}},
		"of the requester":       {reviews: []types.AccessReview{by(cluster.Alice, "")}, want: 1},
		"two of one person":      {reviews: []types.AccessReview{by(cluster.Bob, ""), by(cluster.Bob, "")}, want: 1},
		"of a guest":             {reviews: []types.AccessReview{by(farend.Guest, "")}, want: 1},
		"of the plugin's user":   {reviews: []types.AccessReview{by(chat.User(), "")}, want: 1},
		"for which nobody asked": {reviews: []types.AccessReview{by(cluster.Bob, chat.User())}, want: 1},
		"for which somebody else asked": {
			reviews: []types.AccessReview{by(cluster.Bob, chat.User())},
			pressed: []*press{{side: chat, person: cluster.Carol, verdict: approve, from: now, to: now}}, want: 1,
		},
		"against what was asked": {
			reviews: []types.AccessReview{by(cluster.Bob, chat.User())},
			pressed: []*press{{side: chat, person: cluster.Bob, verdict: deny, from: now, to: now}}, want: 1,
		},
		"as it was asked": {
			reviews: []types.AccessReview{by(cluster.Bob, chat.User())},
			pressed: []*press{{side: chat, person: cluster.Bob, verdict: approve, from: now, to: now}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := &request{id: pressedID, user: cluster.Alice, presses: tc.pressed, last: truth{state: pending, reviews: tc.reviews}}
			if wrong := w.unlawful(q); len(wrong) != tc.want {
				t.Errorf("found %v", wrong)
			}
		})
	}
}

// An answer that reports a review is compared with the cluster.
func TestAnAnswerIsUntrue(t *testing.T) {
	p := newPlan(2, time.Second, harness.Services())
	q := &request{id: pressedID, user: cluster.Alice, role: roles()[1], state: pending}
	p.requests = []*request{q}
	w := halted(t, p)
	if err := w.create(q); err != nil {
		t.Fatal(err)
	}
	made := &press{request: q, side: w.sides[0], person: cluster.Bob, verdict: approve, saw: []string{"You approved this request."}}
	w.examine(made)
	if len(q.wrong) != 1 || q.wrong[0].kind != untrue {
		t.Errorf("found %v", q.wrong)
	}
	q.wrong = nil
	if err := w.cluster.Review(q.id, cluster.Bob, types.RequestState_APPROVED, ""); err != nil {
		t.Fatal(err)
	}
	if w.examine(made); len(q.wrong) > 0 {
		t.Errorf("found %v", q.wrong)
	}
}

func TestButtonsAreJudged(t *testing.T) {
	both := []string{"Approve", "Deny"}
	for name, tc := range map[string]struct {
		offered bool
		is      truth
		has     []string
		want    []kind
	}{
		"of a request that waits":     {true, truth{state: pending}, both, nil},
		"none of one that waits":      {true, truth{state: pending}, nil, []kind{noButton}},
		"one of one that waits":       {true, truth{state: pending}, both[:1], []kind{noButton}},
		"of one that is decided":      {true, truth{state: denied}, both, []kind{leftOver}},
		"one of one that is decided":  {true, truth{state: denied}, both[1:], []kind{leftOver}},
		"none of one that is decided": {true, truth{state: denied}, nil, nil},
		"none where none are offered": {false, truth{state: pending}, nil, nil},
		"where none are offered":      {false, truth{state: pending}, both, []kind{leftOver}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &court{side: &side{buttons: tc.offered}, spent: make(map[string]int)}
			c.buttons(&request{}, tc.is, harness.Sight{Status: tc.is.state, Buttons: tc.has})
			var got []kind
			for _, o := range c.offences {
				if got = append(got, o.kind); o.excuse != "" {
					t.Errorf("excused: %s", o.excuse)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("judged %v, want %v", got, tc.want)
			}
		})
	}
}

// People press less often than the plugins allow.
func TestNobodyPressesTooOften(t *testing.T) {
	p := newPlan(4, 3*time.Minute, harness.Services())
	for h, times := range p.pressed {
		if len(times) > manyPresses {
			t.Errorf("%v presses %d times within %v", h, len(times), personTime)
		}
	}
	if !p.mayPress(0, "somebody", []string{"chat", "chat"}) || p.mayPress(time.Second, "somebody", slices.Repeat([]string{"chat"}, manyPresses-1)) {
		t.Error("presses are not counted")
	}
}
