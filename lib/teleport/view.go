package teleport

import (
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/request"
)

// StatusOf is the state of a request as it is told to people.
func StatusOf(s types.RequestState) request.Status {
	switch s {
	case types.RequestState_APPROVED:
		return request.Approved
	case types.RequestState_DENIED:
		return request.Denied
	case types.RequestState_PROMOTED:
		return request.Promoted
	case types.RequestState_PENDING:
		return request.Pending
	}
	return request.Status(s.String())
}

// View is the view of a request by what it says itself.
func View(req types.AccessRequest) request.View {
	v := request.View{
		ID:                 req.GetName(),
		User:               req.GetUser(),
		Roles:              slices.Sorted(slices.Values(req.GetRoles())),
		Reason:             req.GetRequestReason(),
		Status:             StatusOf(req.GetState()),
		ResolveReason:      req.GetResolveReason(),
		AccessList:         req.GetPromotedAccessListTitle(),
		ApprovalsNeeded:    approvalsNeeded(req.GetThresholds()),
		Created:            known(req.GetCreationTime()),
		Expires:            known(req.Expiry()),
		AccessUntil:        known(req.GetAccessExpiry()),
		SuggestedReviewers: slices.Clone(req.GetSuggestedReviewers()),
		Annotations:        req.GetSystemAnnotations(),
		LongTerm:           IsLongTerm(req),
		OtherKind:          !KindKnown(req),
		Resources:          ResourceTexts(Resources(req), nil),
	}
	if at := req.GetAssumeStartTime(); at != nil {
		v.Start = known(*at)
	}
	for _, review := range req.GetReviews() {
		v.Reviews = append(v.Reviews, request.Review{
			Author: review.Author, State: StatusOf(review.ProposedState), Reason: review.Reason, Created: review.Created,
		})
	}
	return v
}

// known turns the epoch, which some servers send for "not set", into the zero time.
func known(at time.Time) time.Time {
	if at.Unix() <= 0 {
		return time.Time{}
	}
	return at.UTC()
}

// approvalsNeeded is the number of approvals that decides a request, if one
// number says it: with several thresholds or filters it depends on who reviews.
func approvalsNeeded(thresholds []types.AccessReviewThreshold) int {
	needed := 0
	for _, t := range thresholds {
		if t.Filter != "" || needed != 0 && needed != int(t.Approve) {
			return 0
		}
		needed = int(t.Approve)
	}
	return needed
}
