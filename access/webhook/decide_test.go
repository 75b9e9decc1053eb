package webhook

import (
	"slices"
	"testing"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/request/requesttest"
	"teleport-plugins/lib/vote"
)

func TestWhatIsDecided(t *testing.T) {
	outside := func(v *request.View) { v.Roles = []string{"dev-db", "prod"} }
	for name, tc := range map[string]struct {
		decide string
		say    map[string]string
		view   func(*request.View)
		want   request.Status
		reason string
		over   bool // it is not asked again
	}{
		"approval":                {enabled, map[string]string{"a": yes}, nil, request.Approved, "on call", true},
		"denial":                  {enabled, map[string]string{"a": no}, nil, request.Denied, "frozen", true},
		"nothing said":            {enabled, map[string]string{"a": ""}, nil, "", "", false},
		"none":                    {enabled, map[string]string{"a": `{"decision":"none"}`}, nil, "", "", false},
		"not understood":          {enabled, map[string]string{"a": "approve"}, nil, "", "", false},
		"both approve":            {enabled, map[string]string{"a": yes, "b": yes}, nil, request.Approved, "on call", true},
		"any denial wins":         {enabled, map[string]string{"a": yes, "b": no, "c": yes}, nil, request.Denied, "frozen", true},
		"one says nothing":        {enabled, map[string]string{"a": yes, "b": ""}, nil, "", "", false},
		"one fails":               {enabled, map[string]string{"a": yes, "b": "fail"}, nil, "", "", false},
		"one hangs":               {enabled, map[string]string{"a": yes, "b": "hang"}, nil, "", "", false},
		"one hangs, one denies":   {enabled, map[string]string{"a": "hang", "b": no}, nil, request.Denied, "frozen", true},
		"a spare one fails":       {enabled, map[string]string{"a": yes, "b?": "fail"}, nil, request.Approved, "on call", true},
		"a spare one denies":      {enabled, map[string]string{"a": yes, "b?": no}, nil, request.Denied, "frozen", true},
		"a spare one approves":    {enabled, map[string]string{"a": "", "b?": yes}, nil, "", "", false},
		"spare ones alone":        {enabled, map[string]string{"a?": yes, "b?": yes}, nil, "", "", false},
		"only denials, approval":  {enabled + "allow = [\"deny\"]\n", map[string]string{"a": yes}, nil, "", "", false},
		"only denials, denial":    {enabled + "allow = [\"deny\"]\n", map[string]string{"a": no, "b": yes}, nil, request.Denied, "frozen", true},
		"only approvals, denial":  {enabled + "allow = [\"approve\"]\n", map[string]string{"a": no, "b": yes}, nil, "", "", false},
		"off":                     {"roles = [\"*\"]\n", map[string]string{"a": yes}, nil, "", "", true},
		"no roles listed":         {"enabled = true\n", map[string]string{"a": yes}, nil, "", "", true},
		"a role outside":          {enabled, map[string]string{"a": yes}, outside, "", "", true},
		"denial, a role outside":  {enabled, map[string]string{"a": no}, outside, "", "", true},
		"no role at all":          {enabled, map[string]string{"a": yes}, func(v *request.View) { v.Roles = nil }, "", "", true},
		"access that stays":       {enabled, map[string]string{"a": yes}, func(v *request.View) { v.LongTerm = true }, "", "", true},
		"access of another kind":  {enabled, map[string]string{"a": yes}, func(v *request.View) { v.OtherKind = true }, "", "", true},
		"decided by people":       {enabled, map[string]string{"a": yes}, func(v *request.View) { v.Status = request.Denied }, "", "", true},
		"reasons in their order":  {enabled, map[string]string{"b": `{"decision":"approve","reason":"z"}`, "a": `{"decision":"approve","reason":"y"}`, "c": yes}, nil, request.Approved, "on call; y; z", true},
		"approval with a wait":    {enabled, map[string]string{"a": `{"decision":"approve","wait":"1h"}`}, nil, request.Approved, "", true},
		"a spare one hangs alone": {enabled, map[string]string{"a?": "hang"}, nil, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, v := sit(t, tc.decide, tc.say, nil), requesttest.Pending()
			if tc.view != nil {
				tc.view(&v)
			}
			s.tellAll(t, announce, v)
			got := s.verdict(t, v)
			if got.Propose != tc.want || got.Reason != tc.reason || (got.Again == 0) != tc.over {
				t.Errorf("got %+v", got)
			}
			if (got.Evidence == "") != (tc.want == "") {
				t.Errorf("the evidence is %q", got.Evidence)
			}
			if s.decider.Concerns(v) != (!tc.over || tc.want != "") {
				t.Errorf("it is its business: %v", s.decider.Concerns(v))
			}
		})
	}
}

// Whoever could not be told, or cannot be, holds up an approval, and no denial.
func TestWhoWasNotToldApprovesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		untold []string
		first  string
		want   request.Status
	}{
		"not told yet":            {[]string{"b"}, yes, ""},
		"no such endpoint":        {[]string{"of-a-rule"}, yes, ""},
		"not told yet, a denial":  {[]string{"b"}, no, request.Denied},
		"all told":                {nil, yes, request.Approved},
		"a spare one is not told": {[]string{"c"}, yes, request.Approved},
	} {
		t.Run(name, func(t *testing.T) {
			s, v := sit(t, enabled, map[string]string{"a": tc.first, "b": yes, "c?": yes}, nil), requesttest.Pending()
			if tc.untold == nil || tc.untold[0] != "b" {
				s.told = []string{"a", "b"}
			} else {
				s.told = []string{"a"}
			}
			s.all = append([]string{"a"}, tc.untold...)
			s.tellAll(t, announce, v)
			if got := s.verdict(t, v); got.Propose != tc.want {
				t.Errorf("got %+v", got)
			}
			if len(s.heard("b")) > 1 || !slices.Contains(s.told, "b") && len(s.heard("b")) > 0 {
				t.Error("an endpoint is asked that was not told")
			}
		})
	}
}

// A denial that may not be submitted still stands, and nobody is asked meanwhile.
func TestADenialThatIsNotAllowedAsksNobody(t *testing.T) {
	s, v := sit(t, enabled+"allow = [\"approve\"]\n", map[string]string{"a": no, "b": "fail"}, nil), requesttest.Pending()
	s.tellAll(t, announce, v)
	for range 3 {
		if got := s.verdict(t, v); got.Propose != "" || got.Again != vote.Late {
			t.Errorf("got %+v", got)
		}
	}
	if n := len(s.heard("b")); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// An endpoint that is not known to be a recipient, since rules or labels cannot be read,
// might deny.
func TestNothingIsApprovedWhileARecipientMayBeMissing(t *testing.T) {
	s := sit(t, enabled, map[string]string{"policy": yes}, nil)
	v := requesttest.Pending()
	s.tellAll(t, announce, v)
	s.blind = true
	if got := s.verdict(t, v); got.Propose != "" || got.Again != soon {
		t.Errorf("the verdict is %+v", got)
	}
	s.blind = false
	if got := s.verdict(t, v); got.Propose != request.Approved {
		t.Errorf("the verdict is %+v", got)
	}
}

// A review by a person is no reason to forget a denial: it holds until the endpoint says
// something else.
func TestADenialHoldsUntilTheEndpointSaysSomethingElse(t *testing.T) {
	s := sit(t, enabled+"allow = [\"approve\"]\n", map[string]string{"policy": yes, "guard?": no}, nil)
	v := requesttest.Pending()
	s.tellAll(t, announce, v)
	v.Reviews = append(v.Reviews, request.Review{Author: "bob", State: request.Approved})
	first := integration.Effect{Kind: integration.Review}
	s.reviews, s.told = 1, []string{"policy"} // guard has not answered to the review yet
	s.tellAll(t, first, v)
	s.told = s.all
	if got := s.verdict(t, v); got.Propose != "" {
		t.Errorf("the verdict is %+v", got)
	}
	s.panelists.say["guard"] = yes
	s.told = []string{"guard"}
	s.tellAll(t, first, v)
	s.told = s.all
	if got := s.verdict(t, v); got.Propose != request.Approved {
		t.Errorf("the verdict is %+v", got)
	}
}
