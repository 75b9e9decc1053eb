package decision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// review submits the review of a press and returns the request as it is after it. An
// answer that got lost is looked up.
func (d *desk) review(ctx context.Context, p Press, req types.AccessRequest, user string) (types.AccessRequest, error) {
	author, r := user, types.AccessReview{
		ProposedState: proposed(p), Reason: message.Cut(p.Reason, MaxReason), Created: time.Now().UTC(),
	}
	if d.Policy.SubmitAs == AsPlugin {
		author = d.Author()
		r.Reason = fmt.Sprintf("%s in %s (%s)", user, d.Title, p.PersonID)
		if p.Reason != "" {
			r.Reason += ": " + message.Cut(p.Reason, MaxReason)
		}
	} else {
		teleport.OnBehalfOfAuthor(&r)
	}
	if err := d.standing(p, req, author); err != nil {
		return req, err
	}
	r.Author = author
	now, err := d.Cluster.SubmitReview(ctx, p.Request, r)
	if err == nil {
		return now, nil
	}
	return d.settle(ctx, p, r, err)
}

// standing says what an earlier review by the same author means for a press.
func (d *desk) standing(p Press, req types.AccessRequest, author string) error {
	before, ok := reviewBy(req, author)
	if !ok {
		return nil
	}
	verb := lower(teleport.StatusOf(before.ProposedState))
	who := "You have"
	if d.Policy.SubmitAs == AsPlugin {
		who = "Somebody has"
	}
	if before.ProposedState == proposed(p) {
		return refuse(Already, fmt.Sprintf("%s already %s this request.", who, verb), "reviewed before, with the same verdict")
	}
	return refuse(Already, fmt.Sprintf("%s already %s this request; your press was not submitted.", who, verb), "reviewed before, with another verdict")
}

// settle finds out what a failed submission has left: the review that it was to make,
// a request that others have decided, or nothing.
func (d *desk) settle(ctx context.Context, p Press, ours types.AccessReview, failure error) (types.AccessRequest, error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), settleTime, errors.New("the look-up took too long"))
	defer cancel()
	now, err := d.Cluster.GetRequest(ctx, p.Request)
	switch {
	case err != nil:
		return nil, refuse(TryAgain, "Teleport did not say whether it took your decision. Please look at the request, and press again if it is still pending.", failure.Error())
	case now == nil:
		return nil, refuse(Already, "This request has expired or was deleted.", "the cluster does not have the request any more")
	}
	before, ok := reviewBy(now, ours.Author)
	if ok && before.ProposedState == ours.ProposedState && before.Reason == ours.Reason {
		return now, nil // it may have been by another press of the same person
	}
	if err := d.standing(p, now, ours.Author); err != nil {
		return now, err
	}
	if state := teleport.StatusOf(now.GetState()); state != request.Pending {
		return now, refuse(Already, "This request is already "+lower(state)+".", "the request is "+string(state))
	}
	if !teleport.IsDenied(failure) {
		return now, fmt.Errorf("submitting the review: %w", failure)
	}
	return now, d.denied(ours.Author, failure)
}

// denied explains the refusal of a review of a request that is still pending.
func (d *desk) denied(author string, failure error) error {
	switch {
	case d.Policy.SubmitAs == AsPlugin:
		return refuse(Refused, "Teleport does not let the plugin review this request. Please decide in Teleport.", "the plugin's role may not review these roles (review_requests.roles): "+failure.Error())
	case !teleport.TakesReviewsOnBehalf(d.Version()):
		return refuse(Refused, "This Teleport cluster does not take decisions from here. Please decide in Teleport.", fmt.Sprintf("the cluster (%s) is older than %s, which takes reviews in the name of others; set submit_as = \"plugin\" or turn [review] off: %v", d.Version(), teleport.OnBehalfVersion, failure))
	}
	return refuse(Refused, "Teleport does not let "+author+" review this request.", "the user may not review the request, or the plugin's role may not submit for the user (review_requests.submit_for_users): "+failure.Error())
}

func reviewBy(req types.AccessRequest, author string) (types.AccessReview, bool) {
	reviews := req.GetReviews()
	i := slices.IndexFunc(reviews, func(r types.AccessReview) bool { return r.Author == author })
	if i < 0 {
		return types.AccessReview{}, false
	}
	return reviews[i], true
}

func proposed(p Press) types.RequestState {
	if p.Verdict == request.Denied {
		return types.RequestState_DENIED
	}
	return types.RequestState_APPROVED
}
