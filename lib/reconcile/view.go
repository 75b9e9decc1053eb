package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

func statusOf(s types.RequestState) message.Status {
	switch s {
	case types.RequestState_APPROVED:
		return message.Approved
	case types.RequestState_DENIED:
		return message.Denied
	case types.RequestState_PROMOTED:
		return message.Promoted
	case types.RequestState_PENDING:
		return message.Pending
	}
	return message.Status(s.String())
}

// view is what is to be shown of a request. A request that is gone is shown
// from its record, in the state in which it ended as far as it was seen.
func (r *Reconciler) view(id string, req types.AccessRequest, rec *plugindata.Record) (v message.View, ok bool) {
	if req == nil {
		if !rec.Exists() || !r.isGone(id) {
			return v, false
		}
		return r.place(lastView(id, rec)), true
	}
	v = View(req)
	return r.place(v), true
}

func (r *Reconciler) place(v message.View) message.View {
	cluster, web := r.Place()
	v.Cluster, v.Link = cluster, message.RequestLink(web, v.ID)
	return v
}

// lastView is the view of a request that is gone, as the record remembers it.
func lastView(id string, rec *plugindata.Record) message.View {
	v := message.View{
		ID: id, User: rec.User, Roles: slices.Sorted(slices.Values(rec.Roles)), Logins: rec.Logins,
		Resources: slices.Sorted(slices.Values(rec.Resources)), Reason: rec.Reason,
		Status: rec.Resolution, ResolveReason: rec.ResolveReason,
		Annotations: rec.Annotations, SuggestedReviewers: rec.SuggestedReviewers,
		// The reviews themselves are not recorded, only how many were told.
		Reviews: make([]message.Review, rec.ReviewsCount),
	}
	if v.Status == "" {
		v.Status = message.Expired
	}
	if rec.Progress.Request != 0 {
		v.Created = time.Unix(rec.Progress.Request, 0).UTC()
	}
	return v
}

// View is the view of a request by what it says itself.
func View(req types.AccessRequest) message.View {
	v := message.View{
		ID:                 req.GetName(),
		User:               req.GetUser(),
		Roles:              slices.Sorted(slices.Values(req.GetRoles())),
		Reason:             req.GetRequestReason(),
		Status:             statusOf(req.GetState()),
		ResolveReason:      req.GetResolveReason(),
		AccessList:         req.GetPromotedAccessListTitle(),
		ApprovalsNeeded:    approvalsNeeded(req.GetThresholds()),
		Created:            known(req.GetCreationTime()),
		Expires:            known(req.Expiry()),
		AccessUntil:        known(req.GetAccessExpiry()),
		SuggestedReviewers: slices.Clone(req.GetSuggestedReviewers()),
		Annotations:        req.GetSystemAnnotations(),
	}
	if at := req.GetAssumeStartTime(); at != nil {
		v.Start = known(*at)
	}
	for _, id := range req.GetRequestedResourceIDs() {
		v.Resources = append(v.Resources, types.ResourceIDToString(id))
	}
	slices.Sort(v.Resources)
	for _, review := range req.GetReviews() {
		v.Reviews = append(v.Reviews, message.Review{
			Author: review.Author, State: statusOf(review.ProposedState), Reason: review.Reason, Created: review.Created,
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

// begin chooses the recipients of a request that has none yet, once. It reports
// whether there is anything to do about the request at all.
func (r *Reconciler) begin(ctx context.Context, id string, t *track, rec *plugindata.Record, v message.View) bool {
	if len(rec.Progress.Deliveries) > 0 {
		return true
	}
	if rec.Progress.Request != 0 && rec.Progress.Decision != "" {
		return false // seen before, with nobody to tell
	}
	r.remember(rec, v)
	if len(rec.Messages) > 0 {
		r.adopt(rec, v)
		return true
	}
	if !r.announced(v) {
		return false
	}
	for _, name := range r.Router.Recipients(ctx, v) {
		if name != "" && rec.Delivery(name) == nil {
			rec.Progress.Deliveries = append(rec.Progress.Deliveries, plugindata.Delivery{Recipient: name})
		}
	}
	recipients := len(rec.Progress.Deliveries)
	r.addRequester(rec, v)
	if recipients == 0 && !t.told["nobody"] {
		t.told["nobody"] = true
		r.folded.Warn("An access request has no recipients; nobody is told of it",
			zap.String("request_id", id), zap.Strings("roles", v.Roles))
	}
	_, decides := r.Service.(Decider)
	return len(rec.Progress.Deliveries) > 0 || decides && v.Status == message.Pending
}

// remember notes in the record what is needed to show the request when the
// cluster does not have it any more.
func (r *Reconciler) remember(rec *plugindata.Record, v message.View) {
	if rec.Exists() && rec.User != "" && !rec.Ours() {
		rec.Progress.Request = v.Created.Unix()
		return
	}
	rec.User, rec.Roles, rec.Reason, rec.Created = v.User, v.Roles, v.Reason, v.Created
	rec.Resources, rec.Annotations = v.Resources, v.Annotations
	rec.Progress.Request = max(v.Created.Unix(), 0)
}

// adopt continues a record of Teleport's own plugin: its messages are ours to
// keep true, and nobody is told again.
func (r *Reconciler) adopt(rec *plugindata.Record, v message.View) {
	shown := message.View{Status: message.Pending, Reviews: make([]message.Review, rec.ReviewsCount)}.Version()
	if rec.Resolution != "" && time.Since(v.Created) > r.Timing.CatchUp {
		// It was decided long ago. That its messages say so cannot be known,
		// and to edit them all at the first start would be too much.
		shown = v.Version()
	} else if rec.Resolution != "" {
		shown = string(rec.Resolution)
	}
	for _, m := range rec.Messages {
		rec.Progress.Deliveries = append(rec.Progress.Deliveries, plugindata.Delivery{
			Recipient: m.Channel, Address: m.Channel, Channel: m.Channel, ID: m.ID,
			Shown: shown, Replies: rec.ReviewsCount,
		})
	}
	if rec.Resolution == "" {
		r.addRequester(rec, v)
		if d := &rec.Progress.Deliveries[len(rec.Progress.Deliveries)-1]; d.Requester && d.ID == "" {
			d.Skipped = true // has a copy among the others; is still to be told of the decision
		}
	}
}

// addRequester marks the requester among the recipients, or adds them.
func (r *Reconciler) addRequester(rec *plugindata.Record, v message.View) {
	teller, ok := r.Service.(RequesterTeller)
	if !ok {
		return
	}
	name := teller.Requester(v)
	if name == "" {
		return
	}
	if d := rec.Delivery(name); d != nil {
		d.Requester = true
		return
	}
	rec.Progress.Deliveries = append(rec.Progress.Deliveries, plugindata.Delivery{Recipient: name, Requester: true})
}

// announced reports whether a request in this state is to be told to those who
// have not heard of it.
func (r *Reconciler) announced(v message.View) bool {
	switch v.Status {
	case message.Pending:
		return true
	case message.Approved, message.Denied, message.Promoted:
		return !v.Created.IsZero() && time.Since(v.Created) <= r.Timing.CatchUp
	}
	return false
}
