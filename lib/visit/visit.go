// Package visit takes the steps that are due for one recipient of an access request:
// it makes the calls, and notes in the delivery what each has achieved, or that its
// outcome is not known.
package visit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/calls"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
)

var (
	// ErrBudget says that more was begun for a recipient than can be wanted.
	ErrBudget = errors.New("more messages were begun for this recipient than there can be; no further one is made")
	// ErrUnseen says that an effect in doubt cannot be looked up for now.
	ErrUnseen = errors.New("what is in doubt cannot be looked up for now")
	// ErrCrashed says that a step broke off.
	ErrCrashed = errors.New("a fault in this program")
	// ErrFenced is within the error of a call that might outlive the claim.
	ErrFenced = fmt.Errorf("%w: the claim is too old for it", calls.ErrNotMade)
)

// Options tell a Visitor what to work with.
type Options struct {
	Service integration.Service
	Calls   *calls.Caller
	Lanes   *lane.Lanes
	Digest  *diag.Digest
	Crashes diag.Crashes
	Log     *zap.Logger
}

// Visitor visits places.
type Visitor struct{ Options }

// Visit is a visit to a recipient.
type Visit struct {
	Request string // its id
	Wants   plan.Wants
	// Claim is the one under which it is done; Fenced reports whether that is too
	// old for another call.
	Claim  ledger.Claim
	Fenced func() bool
	Doubts *Doubts
	// Delivery is how far the recipient has come. The visit changes it.
	plugindata.Delivery
	// Lane is the way to the recipient's address.
	Lane string
	// Blind says that nothing can be looked up there now.
	Blind bool

	// What came of it: a further step is due, once this one is recorded; a call
	// that shows something was left without an answer; why it ended early.
	More, Lost bool
	Err        error

	refused bool // a look-up was refused
	turned  bool // something turned out that is to be recorded before anything follows from it
}

// Sightless reports whether nothing can be looked up at an address, as far as the
// service knows.
func (r *Visitor) Sightless(address string) bool {
	finder, ok := r.Service.(integration.Finder)
	return !ok || !finder.CanFind(address)
}

// seeks reports whether a look-up is worth a try at a place: the service may know
// better by now, and refuses it otherwise.
func (r *Visitor) seeks(v *Visit) bool {
	_, ok := r.Service.(integration.Finder)
	return ok && !v.refused && r.Lanes.Blind(v.Lane) == 0
}

// repeats reports whether a look-up is made by telling again.
func (r *Visitor) repeats() bool {
	_, ok := r.Service.(integration.Repeater)
	return ok
}

// maxSteps bounds the steps of a visit.
const maxSteps = 4 * plan.MaxReviews

// Visit takes the steps that are due. Where nothing can be looked up, it ends after
// each effect, which is recorded before the next.
func (r *Visitor) Visit(ctx context.Context, v *Visit) {
	defer func() {
		if fault := recover(); fault != nil {
			r.Crashes.Caught(v.Request, "a recipient", fault)
			v.Err = ErrCrashed
		}
	}()
	for range maxSteps {
		s, due := v.Wants.Next(&v.Delivery)
		if !due {
			return
		}
		begun := v.Begun
		if v.Err = r.step(ctx, v, s); v.Err != nil {
			return
		}
		if v.More = v.Blind && v.Begun > begun || v.turned; v.More {
			return
		}
	}
	v.More = true
}

func (r *Visitor) step(ctx context.Context, v *Visit, s plan.Step) error {
	switch {
	case s.Verb == plan.Show:
		return r.show(ctx, v, s.Post)
	case s.Verb == plan.Tell:
		return r.tell(ctx, v, s.Effect)
	case s.Effect.Kind == "":
		v.Doubt = nil // names nothing that this service has
		return nil
	case !s.Wanted && s.Effect.Kind.Timed():
		// What is true no more is not sought, since some services seek by saying it again.
		// Whoever may have read it hears how the request ended.
		v.Wants.Done(&v.Delivery, s.Effect, nil, false)
		return nil
	case s.Effect.Kind.Below() && !v.Posted():
		v.Refuted(s.Effect.String()) // nothing is below a message that does not exist
		return nil
	case !v.Blind, r.seeks(v):
		return r.find(ctx, v, s.Effect)
	case s.Wanted:
		return r.tell(ctx, v, s.Effect)
	}
	if !r.Sightless(v.Address) {
		return ErrUnseen
	}
	delete(v.Doubt, s.Effect.String()) // it can neither be looked up nor is it wanted
	return nil
}

// call makes one call about a place, within the claim.
func (r *Visitor) call(ctx context.Context, v *Visit, step integration.Step, fn func(context.Context) error) error {
	var begun time.Time
	err := r.Calls.Do(ctx, step, v.Lane, func(ctx context.Context) error {
		if v.Fenced() {
			return ErrFenced
		}
		begun = time.Now()
		return fn(ctx)
	})
	if err == nil && (step != integration.StepFind || r.repeats()) && r.Lanes.Accept(v.Lane, begun, false) {
		r.Digest.Info("A recipient can be reached again", v.Recipient, v.Fields()...)
	}
	return err
}

// to is where an effect happens.
func (v *Visit) to(e integration.Effect) integration.Place {
	to := integration.Place{Address: v.Address}
	if e.Kind.Below() {
		to.Message = v.Message()
	}
	return to
}

// Fields name the request and the recipient in the log.
func (v *Visit) Fields() []zap.Field {
	fields := []zap.Field{zap.String("request_id", v.Request), zap.String("recipient", v.Recipient)}
	if m := v.Message(); m.ID != "" {
		fields = append(fields, zap.String("channel_id", m.Channel), zap.String("message_id", m.ID))
	}
	return fields
}

// Doubts remember since when effects of a request are in doubt. The zero value has
// none.
type Doubts struct {
	mu    sync.Mutex
	since map[doubt]time.Time
}

// doubt tells one doubt about an effect at a recipient from a later one.
type doubt struct {
	recipient, effect string
	plugindata.Doubt
}

// Since returns since when an effect is in doubt: the given time, unless it is
// known from before.
func (s *Doubts) Since(d *plugindata.Delivery, effect string, at time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := doubt{d.Recipient, effect, d.Doubt[effect]}
	if known, ok := s.since[key]; ok {
		return known
	}
	if s.since == nil {
		s.since = make(map[doubt]time.Time)
	}
	s.since[key] = at
	return at
}
