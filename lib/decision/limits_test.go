package decision_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

// An entry of [review.reviewers] that names nobody refuses everybody.
func TestAnEmptyEntryOfReviewersOpensNothing(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.policy.SubmitAs = decision.AsPlugin
		r.policy.Reviewers = recipient.Table{"editor": {}, recipient.Anyone: {bob}}
		r.may = append(r.may, pluginUser)
	})
	if got := r.by("UB", request.Approved); got.Kind != decision.Refused || r.reviews != 0 {
		t.Errorf("editor = [] lets the reviewers of * decide: %+v, %d reviews", got, r.reviews)
	}
}

// With submit_as = "plugin" one review stands; only who made it may be told so.
func TestTwoPeopleAtOnceAreNotBothToldThatTheyDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(r *rig) {
			r.policy.SubmitAs = decision.AsPlugin
			r.policy.Reviewers = recipient.Table{recipient.Anyone: {bob, carol}}
			r.may = append(r.may, pluginUser)
			r.slow = time.Second
		})
		var answers [2]decision.Answer
		var wait sync.WaitGroup
		for i, id := range []string{"UB", "UC"} {
			press := decision.Press{ID: id, Request: "req", Message: posted, Verdict: request.Approved, PersonID: id}
			person(decision.Person{Name: id}, nil)(&press)
			wait.Go(func() { answers[i] = r.Press(t.Context(), press) })
		}
		wait.Wait()
		if answers[0].Kind == decision.Done && answers[1].Kind == decision.Done {
			t.Errorf("one review (%q), but both hear %q and %q; log lines of reviews: %d", r.req.GetReviews()[0].Reason,
				answers[0].Text, answers[1].Text, r.log.FilterMessage("A press became a review").Len())
		}
	})
}

// The policy asks for a reason; the desk is the last to see to it.
func TestAPressWithoutTheReasonThatThePolicyAsksFor(t *testing.T) {
	r := newRig(t, func(r *rig) { r.policy.Reason = decision.ReasonAlways })
	if got := r.by("UB", request.Approved); got.Kind == decision.Done {
		t.Errorf("%+v", got)
	}
}
