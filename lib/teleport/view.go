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
	v := Times(req)
	v.ID, v.User, v.Reason = req.GetName(), req.GetUser(), req.GetRequestReason()
	v.Roles = slices.Sorted(slices.Values(v.Roles))
	v.ResolveReason, v.AccessList = req.GetResolveReason(), req.GetPromotedAccessListTitle()
	v.ApprovalsNeeded = approvalsNeeded(req.GetThresholds())
	v.SuggestedReviewers, v.Annotations = slices.Clone(req.GetSuggestedReviewers()), req.GetSystemAnnotations()
	v.LongTerm, v.OtherKind = IsLongTerm(req), !KindKnown(req)
	v.Resources = ResourceTexts(Resources(req), nil)
	for _, r := range Resources(req) {
		v.Wanted = append(v.Wanted, request.Resource{
			Cluster: r.ID.ClusterName, Kind: r.ID.Kind, Name: r.ID.Name, Sub: r.ID.SubResourceName,
			Logins: r.Logins, RoleARNs: r.RoleARNs, Confined: r.Otherwise,
		})
	}
	for _, t := range req.GetThresholds() {
		v.Thresholds = append(v.Thresholds, request.Threshold{Name: t.Name, Filter: t.Filter, Approve: int(t.Approve), Deny: int(t.Deny)})
	}
	for _, review := range req.GetReviews() {
		v.Reviews = append(v.Reviews, request.Review{
			Author: review.Author, State: StatusOf(review.ProposedState), Reason: review.Reason, Created: review.Created,
		})
	}
	return v
}

// Times is as much of a View as says when something becomes due for a request: its state,
// roles and times.
func Times(req types.AccessRequest) request.View {
	v := request.View{
		Status: StatusOf(req.GetState()), Roles: req.GetRoles(),
		Created: known(req.GetCreationTime()), Expires: known(req.Expiry()), AccessUntil: known(req.GetAccessExpiry()),
	}
	if at := req.GetAssumeStartTime(); at != nil {
		v.Start = known(*at)
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
