package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

var (
	// errNotMade is within the error of a call that is left to the next round.
	errNotMade = errors.New("the call was not made")
	// errFenced says that a call might outlive the claim.
	errFenced = fmt.Errorf("%w: the claim is too old for it", errNotMade)
	// errBudget says that more was begun for a recipient than can be wanted.
	errBudget = errors.New("more messages were begun for this recipient than there can be; no further one is made")
	// errUnseen says that an effect in doubt cannot be looked up for now.
	errUnseen = errors.New("what is in doubt cannot be looked up for now")
	// errCrashed says that a step broke off.
	errCrashed = errors.New("a fault in this program")
)

// maxSteps bounds the steps for one recipient in a round.
const maxSteps = 4 * maxReviews

// visit takes the steps that are due at a place. Where nothing can be looked up,
// it ends after each effect, which is recorded before the next.
func (x *round) visit(ctx context.Context, p *place) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			x.crashed(x.id, "a recipient", fault)
			err = errCrashed
		}
	}()
	for range maxSteps {
		s, due := x.wants.next(&p.Delivery)
		if !due {
			return nil
		}
		begun := p.Begun
		if err := x.step(ctx, p, s); err != nil {
			return err
		}
		if p.more = p.blind && p.Begun > begun || p.turned; p.more {
			return nil
		}
	}
	p.more = true
	return nil
}

func (x *round) step(ctx context.Context, p *place, s step) error {
	switch {
	case s.verb == show:
		return x.show(ctx, p, s.post)
	case s.verb == tell:
		return x.tell(ctx, p, s.effect)
	case s.effect.Kind == "":
		p.Doubt = nil // names nothing that this service has
		return nil
	case s.effect.Kind.Below() && !p.Posted():
		p.Refuted(s.effect.String()) // nothing is below a message that does not exist
		return nil
	case !p.blind, x.seeks(p):
		return x.find(ctx, p, s.effect)
	case s.wanted:
		return x.tell(ctx, p, s.effect)
	}
	if !x.sightless(p.Address) {
		return errUnseen
	}
	delete(p.Doubt, s.effect.String()) // it can neither be looked up nor is it wanted
	return nil
}

// tell makes an effect happen.
func (x *round) tell(ctx context.Context, p *place, e integration.Effect) error {
	if p.Begun >= x.wants.budget(&p.Delivery) {
		return errBudget
	}
	doubted := p.Doubt[e.String()].Tries > 0
	var made plugindata.Message
	err := x.call(ctx, p, integration.Step(e.Kind), func(ctx context.Context) (err error) {
		made, err = x.Service.Tell(ctx, x.to(p, e), e, x.wants.View)
		return err
	})
	if err == nil && e.Kind == integration.Announce && made.ID == "" {
		err = &outbound.Error{Kind: outbound.Unclear, Op: string(e.Kind), Err: errors.New("the answer names no message")}
	}
	switch kind := outbound.KindOf(err); {
	case err == nil:
		p.Begun++
		x.wants.done(&p.Delivery, e, []plugindata.Message{made}, !doubted)
		x.told(p, e)
		return nil
	case kind == outbound.Unclear:
		p.Doubted(e.String(), p.claim)
		x.doubtedSince(p, e.String(), time.Now())
	case kind == outbound.Gone && e.Kind != integration.Announce:
		return x.removed(p, p.Message(), err)
	case kind == outbound.Refused && methodOnly(err) && (e.Kind == integration.Review || e.Kind == integration.Notice):
		x.digest.Warn("Messages go out without what the service does not allow", string(e.Kind), append(x.fields(p), zap.Error(err))...)
		x.wants.done(&p.Delivery, e, nil, true)
		return nil
	}
	return err
}

func methodOnly(err error) bool {
	var e *outbound.Error
	return errors.As(err, &e) && e.Scope == outbound.TheMethod
}

// told logs what people were told.
func (x *round) told(p *place, e integration.Effect) {
	if e.Kind != integration.Announce {
		x.Log.Debug("Told about an access request", append(x.fields(p), zap.Stringer("effect", e))...)
		return
	}
	x.Log.Info("Announced an access request", append(x.fields(p), zap.String("request_state", string(x.wants.Status)))...)
}

// to is where an effect happens.
func (x *round) to(p *place, e integration.Effect) integration.Place {
	to := integration.Place{Address: p.Address}
	if e.Kind.Below() {
		to.Message = p.Message()
	}
	return to
}

// find looks whether an effect has happened whose outcome is not known. That it is
// not found counts once a call that was under way must have ended before the look.
func (x *round) find(ctx context.Context, p *place, e integration.Effect) error {
	finder := x.Service.(integration.Finder) //nolint:forcetypeassert // a place without one is blind
	age := time.Since(x.doubtedSince(p, e.String(), time.Now()))
	var found []plugindata.Message
	err := x.call(ctx, p, integration.StepFind, func(ctx context.Context) (err error) {
		found, err = finder.Find(ctx, x.to(p, e), e, x.wants.View)
		return err
	})
	switch kind := outbound.KindOf(err); {
	case err != nil && kind == outbound.Gone && e.Kind != integration.Announce:
		return x.removed(p, p.Message(), err)
	case err != nil && kind == outbound.Refused && !outbound.RefusesToken(err):
		p.blind, p.refused = true, true
		if (scopeOf(err) == outbound.OneCall || x.lanes.Blindfold(p.lane)) && !x.sightless(p.Address) {
			x.digest.Warn("What was posted cannot be looked up at a recipient; a crash or a lost answer may double one message there",
				p.Recipient, append(x.fields(p), zap.Error(err))...)
		}
		return nil
	case err != nil:
		return err
	}
	x.lanes.Sees(p.lane)
	switch {
	case len(found) > 0:
		p.Refuted(e.String()) // so often it was not done
		p.Begun += len(found)
		x.wants.done(&p.Delivery, e, found, false)
		return nil
	case age < x.Timing.Call:
		return &outbound.Error{
			Kind: outbound.Wait, Op: string(integration.StepFind), After: x.Timing.Call - age,
			Err: errors.New("a call that was not answered may still be under way"),
		}
	}
	p.Refuted(e.String())
	return nil
}

// show makes a message show the request as it is.
func (x *round) show(ctx context.Context, p *place, post int) error {
	s := &p.Posts[post]
	err := x.call(ctx, p, integration.StepShow, func(ctx context.Context) error {
		return x.Service.(integration.Shower).Show(ctx, s.Message(), x.wants.View) //nolint:forcetypeassert // only its messages are stale
	})
	switch kind := outbound.KindOf(err); {
	case err == nil:
		s.Shown = x.wants.Version()
		s.Unsure = s.Unsure && !x.wants.again
		x.Log.Debug("Changed a message about an access request", append(x.fields(p), zap.String("request_state", string(x.wants.Status)))...)
		return nil
	case kind == outbound.Unclear:
		s.Unsure, p.lost = true, true
	case kind == outbound.Gone:
		return x.removed(p, s.Message(), err)
	case kind == outbound.Fixed:
		s.Fixed, s.Unsure, p.turned = true, false, true
		return nil
	}
	return err
}

// removed notes that a message does not exist any more, before anything takes its
// place.
func (x *round) removed(p *place, m plugindata.Message, cause error) error {
	x.wants.removed(&p.Delivery, m)
	p.turned = true
	x.digest.Info("A message was removed at the service", p.Recipient, append(x.fields(p),
		zap.String("message_id", m.ID), zap.Bool("announced_again", x.wants.wantsAnnouncement(&p.Delivery)), zap.NamedError("cause", cause))...)
	return nil
}

// call makes one call about a place, within the claim.
func (x *round) call(ctx context.Context, p *place, step integration.Step, fn func(context.Context) error) error {
	var begun time.Time
	err := x.serve(ctx, step, p.lane, func(ctx context.Context) error {
		if err := x.fence(); err != nil {
			return err
		}
		begun = time.Now()
		return fn(ctx)
	})
	if err == nil && step != integration.StepFind && x.lanes.Accept(p.lane, begun, false) {
		x.digest.Info("A recipient can be reached again", p.Recipient, x.fields(p)...)
	}
	return err
}

// fence refuses a call that could still be under way when others may take the
// claim for dead.
func (x *round) fence() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	// The time since a claim that was lost, the zero time, must not overflow.
	if time.Since(x.claimed) > x.Timing.Lease-x.Timing.Call {
		return errFenced
	}
	return nil
}

func (x *round) renew(at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.claimed = at
}

// serve makes one call to the service, within the number of calls under way at
// once and the time for a call. One that takes long does not count among them, and
// lets no further one begin in its lane beside it.
func (r *Reconciler) serve(ctx context.Context, step integration.Step, key string, fn func(context.Context) error) error {
	if err := r.calls.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("%w: %s: waiting for other calls to end: %w", errNotMade, step, err)
	}
	release := sync.OnceFunc(func() { r.calls.Release(1) })
	defer release()
	ctx, cancel := context.WithTimeout(ctx, r.Timing.Call)
	defer cancel()
	late := time.AfterFunc(patience, func() { r.lanes.Slow(key); release() })
	ctx, answered := outbound.Witness(ctx)
	start := time.Now()
	err := fn(ctx)
	late.Stop()
	if errors.Is(err, errNotMade) {
		return err
	}
	r.Observer.Stepped(step, err, time.Since(start))
	if !outbound.HeldBack(err) {
		r.lanes.Heard(outbound.Answered(err))
	}
	switch {
	case err == nil && answered(): // what needs no call is no evidence
		r.Health.Set(ConditionService, true, "")
	case outbound.RefusesToken(err):
		r.refuseToken(err)
	}
	return err
}

// fields name a request and a recipient in the log.
func (x *round) fields(p *place) []zap.Field {
	fields := []zap.Field{zap.String("request_id", x.id), zap.String("recipient", p.Recipient)}
	if m := p.Message(); m.ID != "" {
		fields = append(fields, zap.String("channel_id", m.Channel), zap.String("message_id", m.ID))
	}
	return fields
}

// decorate adds what is nice to know, unless the record has it already.
func (x *round) decorate(ctx context.Context) {
	v := &x.wants.View
	if x.rec.Exists() && x.rec.User != "" {
		if len(x.rec.Logins) > 0 {
			v.Logins = x.rec.Logins
		}
		if len(x.rec.Resources) > 0 {
			v.Resources = x.rec.Resources
		}
		return
	}
	if x.req == nil || x.Decorator == nil {
		return
	}
	x.Decorator.Decorate(ctx, v, x.req)
	x.rec.Logins, x.rec.Resources = cutMap(v.Logins), cutList(v.Resources)
}
