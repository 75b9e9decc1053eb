package main

import (
	"slices"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/vote"
)

// decided is a world with a service whose places decide, and a request for a role that
// goes to all of its places.
func decided(t *testing.T) (*world, *side, *request) {
	t.Helper()
	p := newPlan(2, time.Second, harness.Services())
	if len(p.deciders) == 0 {
		t.Fatal("there is no service whose places decide")
	}
	r := &request{id: pressedID, user: cluster.Alice, role: roles()[2], state: pending, put: true, garbled: make(map[string]int)}
	p.requests = []*request{r}
	w := halted(t, p)
	return w, w.side(p.deciders[0]), r
}

func TestReviewsByPlugins(t *testing.T) {
	w, s, r := decided(t)
	needed := s.channels[:2]
	both := wording(r, needed[0], vote.Approve) + "; " + wording(r, needed[1], vote.Approve)
	if needed[1] < needed[0] {
		both = wording(r, needed[1], vote.Approve) + "; " + wording(r, needed[0], vote.Approve)
	}
	for name, tc := range map[string]struct {
		says   map[string]string // by place
		change func(*request)
		state  types.RequestState
		reason string
		early  time.Duration
		lawful bool
	}{
		"all who are needed approve": {map[string]string{needed[0]: vote.Approve, needed[1]: vote.Approve}, nil, types.RequestState_APPROVED, both, 0, true},
		"one of them":                {map[string]string{needed[0]: vote.Approve}, nil, types.RequestState_APPROVED, wording(r, needed[0], vote.Approve), 0, false},
		"nobody":                     {nil, nil, types.RequestState_APPROVED, "", 0, false},
		"one of them denies":         {map[string]string{needed[0]: vote.Approve, needed[1]: vote.Deny}, nil, types.RequestState_APPROVED, both, 0, false},
		"before they did":            {map[string]string{needed[0]: vote.Approve, needed[1]: vote.Approve}, nil, types.RequestState_APPROVED, both, time.Minute, false},
		"for another reason":         {map[string]string{needed[0]: vote.Approve, needed[1]: vote.Approve}, nil, types.RequestState_APPROVED, "so be it", 0, false},
		"a denial":                   {map[string]string{needed[0]: vote.Deny, needed[1]: vote.Approve}, nil, types.RequestState_DENIED, wording(r, needed[0], vote.Deny), 0, true},
		"a denial by the spare one":  {map[string]string{s.channels[spare]: vote.Deny}, nil, types.RequestState_DENIED, wording(r, s.channels[spare], vote.Deny), 0, true},
		"a denial by nobody":         {map[string]string{needed[0]: vote.Approve}, nil, types.RequestState_DENIED, "", 0, false},
		"about another role": {
			map[string]string{needed[0]: vote.Approve, needed[1]: vote.Approve},
			func(r *request) { r.role = roles()[1] }, types.RequestState_APPROVED, both, 0, false,
		},
		"of one that was adopted": {
			map[string]string{needed[0]: vote.Approve, needed[1]: vote.Approve},
			func(r *request) { r.adopted = 1 }, types.RequestState_APPROVED, both, 0, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r.role, r.adopted = roles()[2], 0
			w.said.made = nil
			for place, decision := range tc.says {
				w.said.add(statement{r.id, place, decision})
			}
			if tc.change != nil {
				tc.change(r)
			}
			r.last = truth{state: pending, reviews: []types.AccessReview{{
				Author: s.User(), ProposedState: tc.state, Reason: tc.reason, Created: time.Now().Add(-tc.early),
			}}}
			if wrong := w.unlawful(r); (len(wrong) == 0) != tc.lawful {
				t.Errorf("found %v", wrong)
			}
		})
	}
}

// Where the opinions of places are enough, a request is decided in the end.
func TestWhatIsNotDecided(t *testing.T) {
	_, s, r := decided(t)
	for p := newPlan(1, time.Second, harness.Services()); !slices.Equal(opinions(r), []string{vote.Approve, vote.Approve, vote.None}); {
		r.id = p.id()
	}
	for name, tc := range map[string]struct {
		change func(*request, *truth)
		want   int
	}{
		"it waits":          {func(*request, *truth) {}, 1},
		"it was reviewed":   {func(_ *request, is *truth) { is.reviews = []types.AccessReview{{Author: s.User()}} }, 0},
		"people decided":    {func(_ *request, is *truth) { is.state = denied }, 0},
		"it is gone":        {func(_ *request, is *truth) { is.gone = true }, 0},
		"its record is bad": {func(r *request, _ *truth) { r.garbled[s.name] = 1 }, 0},
		"another role":      {func(r *request, _ *truth) { r.role = roles()[1] }, 0},
		"without opinions":  {func(r *request, _ *truth) { r.put = false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			is := truth{state: pending}
			r.role, r.put, r.garbled = roles()[2], true, make(map[string]int)
			tc.change(r, &is)
			c := &court{side: s, spent: make(map[string]int)}
			if c.verdict(r, is); len(c.offences) != tc.want {
				t.Errorf("found %v", c.offences)
			}
		})
	}
}

func opinions(r *request) (all []string) {
	for _, channel := range r.role.channels {
		all = append(all, r.opinion(channel))
	}
	return all
}

// Places have opinions of a part of the requests, of each kind, and the same each time.
func TestOpinions(t *testing.T) {
	p := newPlan(7, time.Minute, harness.Services())
	put, seen := 0, make(map[string]int)
	for _, r := range p.requests {
		if !r.put {
			continue
		}
		put++
		for _, opinion := range opinions(r) {
			seen[opinion]++
		}
		if !slices.Equal(opinions(r), opinions(r)) || r.ttl > 0 || r.adopted > 0 {
			t.Errorf("%+v", r)
		}
	}
	if put < len(p.requests)/6 || put > len(p.requests)/2 || len(seen) != 4 {
		t.Errorf("%d of %d, %v", put, len(p.requests), seen)
	}
}
