package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/teleport"
)

// minAgain is the least time after which a decider is asked again.
const minAgain = time.Minute

// undecided are the deciders that have not finished with the request. What
// Teleport's own plugin left to people stays with them.
func (x *round) undecided() (list []integration.Decider) {
	if x.wants.Status != message.Pending || x.req == nil || x.rec.Progress.Adopted {
		return nil
	}
	for _, d := range x.Deciders {
		if !slices.Contains(x.rec.Progress.Decided, d.Name()) {
			list = append(list, d)
		}
	}
	return list
}

// deciders are those of them that may be asked now.
func (x *round) deciders() (list []integration.Decider) {
	for _, d := range x.undecided() {
		if key := deciderKey(d); x.paused(key) {
			x.sooner(time.Until(x.t.pauses[key].until))
		} else {
			list = append(list, d)
		}
	}
	return list
}

// concerned are those of them for which a request is claimed though nobody can be told
// now. A decider whose business it is not is asked when somebody is.
func (x *round) concerned() []integration.Decider {
	list := x.deciders()
	if x.left() > 0 {
		list = slices.DeleteFunc(list, func(d integration.Decider) bool { return !d.Concerns(x.wants.View) })
	}
	return list
}

// deciderKey is the name under which the pause of a decider is kept; no recipient
// begins with a line break.
func deciderKey(d integration.Decider) string { return "\n" + d.Name() }

// decide asks the deciders. Verdicts are not kept: an attempt that fails decides
// anew.
func (x *round) decide(ctx context.Context) {
	x.settleVerdicts(ctx)
	for _, d := range x.deciders() {
		if x.fence() != nil {
			x.more = true
			return
		}
		x.decideBy(ctx, d)
	}
}

func (x *round) decideBy(ctx context.Context, d integration.Decider) {
	defer x.survive(x.id, "a decider")
	x.summarize() // names the messages of this round too
	key := deciderKey(d)
	x.pauseOf(key).set(minAgain, false) // for whatever happens
	verdict, req, err := x.verdict(ctx, d)
	switch {
	case err != nil:
		p := x.pauseOf(key)
		p.failures++
		p.set(max(x.backoff(p.failures), outbound.AfterOf(err)), false)
		if outbound.KindOf(err) == outbound.Refused {
			p.set(x.probe(p.failures), true)
		}
		x.digest.Warn("A rule could not decide an access request; it is tried again", d.Name(),
			zap.String("request_id", x.id), zap.String("decider", d.Name()), zap.Error(err))
		return
	case verdict.Again > 0 && verdict.Propose == "":
		x.pauseOf(key).set(max(verdict.Again, minAgain), false)
	default:
		delete(x.t.pauses, key)
		x.rec.Progress.Decided = append(x.rec.Progress.Decided, d.Name())
	}
	x.report(ctx, d, verdict, req)
}

// report says what came of a verdict. The request is as it is after that; nil
// stands for the one that was read.
func (x *round) report(ctx context.Context, d integration.Decider, verdict integration.Verdict, req types.AccessRequest) {
	log := x.Log.With(zap.String("request_id", x.id), zap.String("user", x.wants.User), zap.Strings("roles", x.wants.Roles))
	switch {
	case verdict.Propose != "":
		log.Info("An access request was reviewed by rule", zap.String("proposed_state", string(verdict.Propose)), zap.String("evidence", verdict.Evidence))
	case verdict.Evidence != "":
		log.Info("An access request is left to people", zap.String("evidence", verdict.Evidence))
	default:
		return
	}
	if reporter, ok := d.(integration.Reporter); ok {
		v := x.wants.View
		if req != nil {
			v = x.located(teleport.View(req))
		}
		ctx, cancel := context.WithTimeout(ctx, x.Timing.Call)
		defer cancel()
		reporter.Report(ctx, v, x.rec.Messages, verdict)
	}
}

// settleVerdicts looks whether reviews of ours that may not have been submitted are
// among those of a request that was decided meanwhile.
func (x *round) settleVerdicts(ctx context.Context) {
	if x.wants.Status == message.Pending || len(x.t.verdicts) == 0 {
		return
	}
	for _, d := range x.Deciders {
		v, ok := x.t.verdicts[d.Name()]
		if ok && x.reviewed(x.req, stateOf(v), v.Reason) {
			x.rec.Progress.Decided = append(x.rec.Progress.Decided, d.Name())
			x.report(ctx, d, v, nil)
		}
	}
	x.t.verdicts = nil
}

func stateOf(v integration.Verdict) types.RequestState {
	if v.Propose == message.Denied {
		return types.RequestState_DENIED
	}
	return types.RequestState_APPROVED
}

// verdict asks a decider, and submits the review if it proposes one. It returns the
// request as it is after that.
func (x *round) verdict(ctx context.Context, d integration.Decider) (v integration.Verdict, req types.AccessRequest, err error) {
	ctx, cancel := context.WithTimeout(ctx, x.Timing.Call)
	defer cancel()
	begun := time.Now()
	v, err = d.Decide(ctx, x.wants.View, x.rec.Messages)
	x.Observer.Stepped(integration.StepDecide, err, time.Since(begun))
	if err != nil || v.Propose == "" {
		return v, nil, err
	}
	state := stateOf(v)
	if x.reviewed(x.req, state, v.Reason) {
		return v, x.req, nil // by an attempt before, whose end nobody saw
	}
	if err := x.unchanged(ctx); err != nil {
		return v, nil, err
	}
	req, err = x.Cluster.SubmitReview(ctx, x.id, types.AccessReview{
		Author: x.Author(), ProposedState: state, Reason: v.Reason, Created: time.Now().UTC(),
	})
	if err != nil && !x.Faults.IsDenied(err) {
		if x.t.verdicts == nil {
			x.t.verdicts = make(map[string]integration.Verdict)
		}
		x.t.verdicts[d.Name()] = v // it may have been taken all the same
	}
	if err == nil || !x.Faults.IsDenied(err) {
		return v, req, err
	}
	now, readErr := x.Cluster.GetRequest(ctx, x.id)
	switch {
	case readErr != nil:
		return v, nil, fmt.Errorf("reading the access request after a refused review: %w", readErr)
	case x.reviewed(now, state, v.Reason):
		return v, now, nil
	case now == nil || now.GetState() != types.RequestState_PENDING:
		return integration.Verdict{}, now, nil // others were faster
	}
	return v, nil, &outbound.Error{
		Kind: outbound.Refused, Op: "submit review", Err: err,
		Hint: "allow the plugin's role to review these roles (review_requests)",
	}
}

// unchanged makes sure that the request is still the one that was decided about: to
// decide took time, and the review names nothing but its id.
func (x *round) unchanged(ctx context.Context) error {
	now, err := x.Cluster.GetRequest(ctx, x.id)
	switch {
	case err != nil:
		return fmt.Errorf("reading the access request before its review: %w", err)
	case now == nil || !now.GetCreationTime().Equal(x.req.GetCreationTime()) || now.GetUser() != x.req.GetUser() ||
		!slices.Equal(now.GetRoles(), x.req.GetRoles()):
		return errors.New("the access request was deleted, or made again, while it was decided about")
	}
	return nil
}

// reviewed reports whether a review of ours is among those of a request.
func (x *round) reviewed(req types.AccessRequest, state types.RequestState, reason string) bool {
	if req == nil {
		return false
	}
	return slices.ContainsFunc(req.GetReviews(), func(r types.AccessReview) bool {
		return r.ProposedState == state && r.Reason == reason && r.Author == x.Author()
	})
}
