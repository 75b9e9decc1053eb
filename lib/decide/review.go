package decide

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
)

// verdict asks a decider, and submits the review if it proposes one. It returns the
// request as it is after that.
func (p *Panel) verdict(ctx context.Context, c Case, d integration.Decider) (v integration.Verdict, req types.AccessRequest, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.Time)
	defer cancel()
	begun := time.Now()
	v, err = d.Decide(ctx, c.View, c.told())
	p.Stepped(integration.StepDecide, err, time.Since(begun))
	switch {
	case err != nil || v.Propose == "":
		return v, nil, err
	case v.Propose != request.Approved && v.Propose != request.Denied:
		return v, nil, fmt.Errorf("the rule proposes %q, which is neither approval nor denial", v.Propose)
	case p.reviewed(c.Request, v):
		return v, c.Request, nil // by an attempt before, whose end nobody saw
	}
	if err := p.unchanged(ctx, c); err != nil {
		return v, nil, err
	}
	req, err = p.Cluster.SubmitReview(ctx, c.ID, types.AccessReview{
		Author: p.Author(), ProposedState: stateOf(v), Reason: v.Reason, Created: time.Now().UTC(),
	})
	switch {
	case err == nil:
		return v, req, nil
	case p.IsDenied(err):
		return p.denied(ctx, c, d, v, err)
	}
	if c.Memory.verdicts == nil {
		c.Memory.verdicts = make(map[string]integration.Verdict)
	}
	c.Memory.verdicts[d.Name()] = v // it may have been taken all the same
	return v, nil, err
}

// denied finds out why a review was refused: it was submitted before, others have
// decided meanwhile, or our role may not review the request.
func (p *Panel) denied(ctx context.Context, c Case, d integration.Decider, v integration.Verdict, refusal error) (integration.Verdict, types.AccessRequest, error) {
	now, err := p.Cluster.GetRequest(ctx, c.ID)
	switch {
	case err != nil:
		return v, nil, fmt.Errorf("reading the access request after a refused review: %w", err)
	case p.reviewed(now, v):
		return v, now, nil
	case now == nil || now.GetState() != types.RequestState_PENDING:
		return integration.Verdict{}, now, nil // others were faster
	case p.spoken(now):
		return integration.Verdict{}, now, nil // in other words, by an attempt before
	}
	if objector, ok := d.(integration.Objector); ok {
		objector.Refused(ctx, p.View(now), c.Record.Messages, v, refusal)
	}
	return v, nil, &outbound.Error{
		Kind: outbound.Refused, Op: "submit review", Err: refusal,
		Hint: "allow the plugin's role to review these roles (review_requests)",
	}
}

// spoken reports whether a review of ours is among those of a request. The cluster
// takes one of each author.
func (p *Panel) spoken(req types.AccessRequest) bool {
	return slices.ContainsFunc(req.GetReviews(), func(r types.AccessReview) bool { return r.Author == p.Author() })
}

// told says who has been told so far, and who is to be.
func (c Case) told() integration.Told {
	t := integration.Told{Posts: c.Record.Messages, Reviews: make(map[string]int), Recipients: c.recipients}
	for i := range c.Record.Progress.Deliveries {
		d := &c.Record.Progress.Deliveries[i]
		t.Reviews[d.Address] = d.Reviews
	}
	return t
}

// recipients lists whom the request is to be told to.
func (c Case) recipients(ctx context.Context) (names []string, whole bool) {
	whole = true
	for i := range c.Record.Progress.Deliveries {
		if d := &c.Record.Progress.Deliveries[i]; !d.Skipped {
			names = append(names, d.Recipient)
		}
	}
	if c.Route != nil {
		choices := c.Route(ctx)
		names, whole = append(names, choices.Recipients()...), choices.Whole()
	}
	slices.Sort(names)
	return slices.Compact(names), whole
}

// unchanged makes sure that the request is still the one that was decided about: to
// decide took time, and the review names nothing but its id.
func (p *Panel) unchanged(ctx context.Context, c Case) error {
	now, err := p.Cluster.GetRequest(ctx, c.ID)
	switch {
	case err != nil:
		return fmt.Errorf("reading the access request before its review: %w", err)
	case now == nil || !now.GetCreationTime().Equal(c.Request.GetCreationTime()) || now.GetUser() != c.Request.GetUser() ||
		!slices.Equal(now.GetRoles(), c.Request.GetRoles()):
		return errors.New("the access request was deleted, or made again, while it was decided about")
	}
	return nil
}

// reviewed reports whether the review of a verdict of ours is among those of a
// request.
func (p *Panel) reviewed(req types.AccessRequest, v integration.Verdict) bool {
	if req == nil {
		return false
	}
	return slices.ContainsFunc(req.GetReviews(), func(r types.AccessReview) bool {
		return r.ProposedState == stateOf(v) && r.Reason == v.Reason && r.Author == p.Author()
	})
}

func stateOf(v integration.Verdict) types.RequestState {
	if v.Propose == request.Denied {
		return types.RequestState_DENIED
	}
	return types.RequestState_APPROVED
}
