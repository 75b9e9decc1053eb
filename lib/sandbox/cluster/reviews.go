package cluster

import (
	"slices"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

// Review adds a review by the author, who needs no right to it but is otherwise
// held to the rules: the state is approved or denied, nobody reviews twice, or
// their own request, or one that is decided.
func (c *Cluster) Review(id, author string, state types.RequestState, reason string) error {
	_, err := c.review(id, types.AccessReview{Author: author, ProposedState: state, Reason: reason})
	return err
}

// Decide sets the state of a request past its thresholds, as an administrator
// may.
func (c *Cluster) Decide(id string, state types.RequestState, reason string) error {
	_, err := c.modify(id, func(r *types.AccessRequestV3) error { return decide(r, state, reason) })
	return err
}

// Promote turns a pending request into membership of the access list with the
// title.
func (c *Cluster) Promote(id, listTitle string) error {
	_, err := c.modify(id, func(r *types.AccessRequestV3) error {
		if !r.GetState().IsPending() {
			return alreadyResolved(r)
		}
		r.SetPromotedAccessListName(strings.ReplaceAll(strings.ToLower(listTitle), " ", "-"))
		r.SetPromotedAccessListTitle(listTitle)
		return r.SetState(types.RequestState_PROMOTED)
	})
	return err
}

func decide(r *types.AccessRequestV3, state types.RequestState, reason string) error {
	if !state.IsApproved() && !state.IsDenied() {
		return trace.BadParameter("a request can be set to approved or denied, not to %s", state)
	}
	if r.GetState().IsPromoted() {
		return alreadyResolved(r)
	}
	if err := r.SetState(state); err != nil {
		return trace.Wrap(err)
	}
	r.SetResolveReason(reason)
	return nil
}

// alreadyResolved is told apart from a missing right by its text alone; the
// plugins look at the text.
func alreadyResolved(r *types.AccessRequestV3) error {
	return trace.AccessDenied("the access request has been already %s", strings.ToLower(r.GetState().String()))
}

func (c *Cluster) review(id string, review types.AccessReview) (*types.AccessRequestV3, error) {
	if err := checkReview(review); err != nil {
		return nil, err
	}
	if review.Created.IsZero() {
		review.Created = time.Now().UTC()
	}
	return c.modify(id, func(r *types.AccessRequestV3) error { return applyReview(r, review) })
}

func checkReview(review types.AccessReview) error {
	if err := review.Check(); err != nil {
		return trace.Wrap(err)
	}
	switch {
	case !review.ProposedState.IsApproved() && !review.ProposedState.IsDenied():
		return trace.BadParameter("a review proposes approved or denied, not %s", review.ProposedState)
	case len(review.Annotations) > 0:
		return trace.NotImplemented("review annotations are not supported")
	case len(review.Roles) > 0:
		return trace.NotImplemented("reviews of some of the roles are not supported")
	}
	return nil
}

func applyReview(r *types.AccessRequestV3, review types.AccessReview) error {
	author := review.Author
	switch {
	case !r.GetState().IsPending():
		return alreadyResolved(r)
	case r.GetUser() == author:
		return trace.AccessDenied("user %q cannot review their own request", author)
	case slices.ContainsFunc(r.GetReviews(), func(v types.AccessReview) bool { return v.Author == author }):
		return trace.AccessDenied("user %q has already reviewed this request", author)
	}
	for i := range r.GetThresholds() {
		review.ThresholdIndexes = append(review.ThresholdIndexes, uint32(i))
	}
	r.SetReviews(append(r.GetReviews(), review))
	state := outcome(r)
	if state.IsPending() {
		return nil
	}
	if state.IsApproved() && review.AssumeStartTime != nil {
		r.SetAssumeStartTime(*review.AssumeStartTime)
	}
	return decide(r, state, review.Reason)
}

// outcome counts the reviews against the thresholds: every threshold has to be
// met for an approval, any one for a denial.
func outcome(r *types.AccessRequestV3) types.RequestState {
	var approvals, denials uint32
	for _, v := range r.GetReviews() {
		if v.ProposedState.IsApproved() {
			approvals++
		} else {
			denials++
		}
	}
	approved := true
	for _, t := range r.GetThresholds() {
		if denials >= t.Deny {
			return types.RequestState_DENIED
		}
		approved = approved && approvals >= t.Approve
	}
	if approved {
		return types.RequestState_APPROVED
	}
	return types.RequestState_PENDING
}
