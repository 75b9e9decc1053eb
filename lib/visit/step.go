package visit

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// tell makes an effect happen.
func (r *Visitor) tell(ctx context.Context, v *Visit, e integration.Effect) error {
	if v.Begun >= v.Wants.Budget(&v.Delivery) {
		return ErrBudget
	}
	var made plugindata.Message
	err := r.call(ctx, v, integration.Step(e.Kind), func(ctx context.Context) (err error) {
		made, err = r.Service.Tell(ctx, v.to(e), e, v.Wants.View)
		if err == nil && e.Kind == integration.Announce && made.ID == "" {
			return &outbound.Error{Kind: outbound.Unclear, Op: string(e.Kind), Err: errors.New("the answer names no message")}
		}
		return err
	})
	if e.Kind == integration.Announce && (err == nil || outbound.KindOf(err) == outbound.Unclear) {
		v.Wants.Made(&v.Delivery)
	}
	if err != nil {
		return r.untold(v, e, err)
	}
	v.Begun++
	v.Wants.Done(&v.Delivery, e, []plugindata.Message{made}, v.Doubt[e.String()].Tries == 0)
	if e.Kind == integration.Announce {
		r.Log.Info("Announced an access request", append(v.Fields(), zap.String("request_state", string(v.Wants.Status)))...)
	} else {
		r.Log.Debug("Told about an access request", append(v.Fields(), zap.Stringer("effect", e))...)
	}
	return nil
}

// untold takes in why an effect did not happen, or may have. What decorates a
// message, and may not be told there at all, is done without.
func (r *Visitor) untold(v *Visit, e integration.Effect, err error) error {
	decoration := e.Kind == integration.Review || e.Kind == integration.Pending || e.Kind.Private()
	switch kind := outbound.KindOf(err); {
	case kind == outbound.Unclear:
		v.Doubted(e.String(), v.Claim)
		v.Doubts.Since(&v.Delivery, e.String(), time.Now())
	case kind == outbound.Gone && e.Kind != integration.Announce:
		return r.removed(v, v.Message(), err)
	case kind == outbound.Refused && outbound.ScopeOf(err) == outbound.TheMethod && decoration:
		r.Digest.Warn("Messages go out without what the service does not allow", string(e.Kind), append(v.Fields(), zap.Error(err))...)
		v.Wants.Done(&v.Delivery, e, nil, true)
		return nil
	}
	return err
}

// find looks whether an effect has happened whose outcome is not known. That it is
// not found counts once a call that was under way must have ended before the look.
func (r *Visitor) find(ctx context.Context, v *Visit, e integration.Effect) error {
	finder := r.Service.(integration.Finder) //nolint:forcetypeassert // a place without one is blind
	age := time.Since(v.Doubts.Since(&v.Delivery, e.String(), time.Now()))
	var found []plugindata.Message
	err := r.call(ctx, v, integration.StepFind, func(ctx context.Context) (err error) {
		found, err = finder.Find(ctx, v.to(e), e, v.Wants.View)
		return err
	})
	if err != nil {
		return r.unfound(v, e, err)
	}
	r.Lanes.Sees(v.Lane)
	if len(found) == 0 && age < r.Calls.Time {
		return &outbound.Error{
			Kind: outbound.Wait, Op: string(integration.StepFind), After: r.Calls.Time - age,
			Err: errors.New("a call that was not answered may still be under way"),
		}
	}
	v.Refuted(e.String()) // if it is found, so often it was not done
	if len(found) > 0 {
		v.Begun += len(found)
		v.Wants.Done(&v.Delivery, e, found, false)
	}
	return nil
}

// unfound takes in that nothing could be looked up.
func (r *Visitor) unfound(v *Visit, e integration.Effect, err error) error {
	if r.repeats() {
		return err
	}
	switch kind := outbound.KindOf(err); {
	case kind == outbound.Gone && e.Kind != integration.Announce:
		return r.removed(v, v.Message(), err)
	case kind != outbound.Refused || outbound.RefusesToken(err):
		return err
	}
	v.Blind, v.refused = true, true
	if (outbound.ScopeOf(err) == outbound.OneCall || r.Lanes.Blindfold(v.Lane)) && !r.Sightless(v.Address) {
		r.Digest.Warn("What was posted cannot be looked up at a recipient; a crash or a lost answer may double one message there",
			v.Recipient, append(v.Fields(), zap.Error(err))...)
	}
	return nil
}

// show makes a message show the request as it is.
func (r *Visitor) show(ctx context.Context, v *Visit, post int) error {
	p := &v.Posts[post]
	err := r.call(ctx, v, integration.StepShow, func(ctx context.Context) error {
		return r.Service.(integration.Shower).Show(ctx, p.Message(), v.Wants.View) //nolint:forcetypeassert // only its messages are stale
	})
	switch kind := outbound.KindOf(err); {
	case err == nil:
		v.Wants.Shown(p)
		r.Log.Debug("Changed a message about an access request", append(v.Fields(), zap.String("request_state", string(v.Wants.Status)))...)
		return nil
	case kind == outbound.Unclear:
		p.Unsure, v.Lost = true, true
	case kind == outbound.Gone:
		return r.removed(v, p.Message(), err)
	case kind == outbound.Fixed:
		p.Fixed, p.Unsure, v.turned = true, false, true
		return nil
	}
	return err
}

// removed notes that a message does not exist any more, before anything takes its
// place.
func (r *Visitor) removed(v *Visit, m plugindata.Message, cause error) error {
	v.Wants.Removed(&v.Delivery, m)
	v.turned = true
	r.Digest.Info("A message was removed at the service", v.Recipient, append(v.Fields(),
		zap.String("message_id", m.ID), zap.Bool("announced_again", v.Wants.WantsAnnouncement(&v.Delivery)), zap.NamedError("cause", cause))...)
	return nil
}
