package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// deliver takes all missing steps for one recipient, in order: find its
// address, announce, tell reviews, correct the announcement, tell the
// requester. It returns how far it came, also when a step fails. Where messages
// cannot be looked up, it returns after each, which is to be recorded before the
// next is made.
func (f *flight) deliver(ctx context.Context, d plugindata.Delivery) attempt {
	a := attempt{Delivery: d}
	if f.speaker != nil && f.r.says(d, f.view) {
		if a.turn, a.err = f.speaker.turn(d.Recipient); a.err != nil {
			return a
		}
	}
	for _, step := range []func(context.Context, *attempt) error{f.resolve, f.post, f.reply, f.edit, f.notice} {
		if a.err = step(ctx, &a); a.err != nil {
			a.Unclear = a.Unclear || outbound.KindOf(a.err) == outbound.Unclear
			return a
		}
		if a.turn != nil && a.turn.used {
			break
		}
	}
	a.Unclear = false
	return a
}

// attempt is the work for one recipient in a round, and what came of it.
type attempt struct {
	plugindata.Delivery
	err error
	// turn is to be left once the delivery was recorded. It is nil where messages
	// can be looked up, and where none is to be made.
	turn *turn
}

// say makes a call that leaves a message, in its turn if that could not be looked
// up.
func (f *flight) say(ctx context.Context, step string, a *attempt, fn func(context.Context) error) error {
	if f.blind {
		if a.turn == nil {
			return errNoFloor
		}
		if err := a.turn.speak(ctx); err != nil {
			return fmt.Errorf("%s: waiting for the message before to be recorded: %w", step, err)
		}
	}
	return f.call(ctx, step, a.patiently(fn))
}

// patiently makes a call let others go on if it takes long.
func (a *attempt) patiently(fn func(context.Context) error) func(context.Context) error {
	if a.turn == nil {
		return fn
	}
	return func(ctx context.Context) error { return a.turn.call(ctx, fn) }
}

// call makes one call to the service, within the claim, the number of calls
// under way at once, and the time for a call.
func (f *flight) call(ctx context.Context, step string, fn func(context.Context) error) error {
	if wait := f.r.refused(); wait > 0 {
		return &outbound.Error{Kind: outbound.Wait, Op: step, After: wait, Err: errors.New("the service refused the credentials")}
	}
	if err := f.r.calls.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("%s: waiting for other calls to end: %w", step, err)
	}
	defer f.r.calls.Release(1)
	if err := f.fence(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.r.Timing.Call)
	defer cancel()
	start := time.Now()
	err := fn(ctx)
	if err == nil {
		f.r.Observer.Stepped(step, "ok", time.Since(start))
		f.r.Health.Set(ConditionService, true, "")
		return nil
	}
	f.r.Observer.Stepped(step, string(outbound.KindOf(err)), time.Since(start))
	return err
}

func (f *flight) resolve(ctx context.Context, a *attempt) error {
	if a.Over() || a.Address != "" {
		return nil
	}
	if err := f.address(ctx, a); err != nil {
		return err
	}
	a.Skipped = !f.take(a.Address)
	return nil
}

// address finds the address of a recipient.
func (f *flight) address(ctx context.Context, a *attempt) error {
	err := f.call(ctx, "resolve", a.patiently(func(ctx context.Context) (err error) {
		a.Address, err = f.r.Service.Resolve(ctx, a.Recipient)
		return err
	}))
	if err != nil {
		a.Address = ""
	}
	return err
}

func (f *flight) post(ctx context.Context, a *attempt) error {
	if !f.r.wantsPost(a.Delivery, f.view) {
		return nil
	}
	if a.Unclear {
		if found, err := f.find(ctx, a); found || err != nil {
			return err
		}
	}
	err := f.say(ctx, "post", a, func(ctx context.Context) error {
		m, err := f.r.Service.Post(ctx, a.Address, f.view)
		a.Channel, a.ID = m.Channel, m.ID
		return err
	})
	if err != nil {
		a.Channel, a.ID = "", ""
		return err
	}
	a.Shown = f.view.Version()
	if a.Unclear && a.Shown != untouched.Version() {
		a.Shown = "" // a service that knows the call gives back the message of the first try, as that was
	}
	if f.view.Status.Ended() {
		a.Noticed = f.view.Status // the copy itself says it
	}
	f.r.Log.Debug("Announced an access request", f.r.fields(f.id, a.Delivery)...)
	return nil
}

// untouched is how every request looks at first.
var untouched = message.View{Status: message.Pending}

// find looks for a post whose outcome is not known.
func (f *flight) find(ctx context.Context, a *attempt) (found bool, err error) {
	finder, ok := f.r.Service.(Finder)
	if !ok {
		return false, nil
	}
	err = f.call(ctx, "find", func(ctx context.Context) error {
		var m plugindata.Message
		if m, found, err = finder.Find(ctx, a.Address, f.view); found && err == nil {
			a.Channel, a.ID, a.Shown = m.Channel, m.ID, ""
		}
		return err
	})
	return found && err == nil, err
}

// reply tells the reviews that were not told yet. A reply that the service
// will never take is passed over: the announcement matters more.
func (f *flight) reply(ctx context.Context, a *attempt) error {
	replier, ok := f.r.Service.(Replier)
	if !ok || a.Over() || !a.Posted() {
		return nil
	}
	for a.Replies < len(f.view.Reviews) {
		found, err := false, error(nil)
		if a.Unclear {
			found, err = f.findReply(ctx, a)
		}
		if err == nil && !found {
			err = f.say(ctx, "reply", a, func(ctx context.Context) error {
				return replier.Reply(ctx, a.Message(), f.view, a.Replies)
			})
		}
		switch outbound.KindOf(err) {
		case outbound.Gone:
			return f.again(ctx, a, err)
		case outbound.Permanent:
			f.r.folded.Warn("A review cannot be told below its announcement", append(f.r.fields(f.id, a.Delivery), zap.Error(err))...)
			err = nil
		}
		if err != nil {
			return err
		}
		a.Replies++
		if f.blind {
			return nil
		}
	}
	return nil
}

func (f *flight) findReply(ctx context.Context, a *attempt) (found bool, err error) {
	finder, ok := f.r.Service.(Finder)
	if !ok {
		return false, nil
	}
	err = f.call(ctx, "find", func(ctx context.Context) error {
		found, err = finder.FindReply(ctx, a.Message(), f.view, a.Replies)
		return err
	})
	return found, err
}

func (f *flight) edit(ctx context.Context, a *attempt) error {
	if !f.r.wantsEdit(a.Delivery, f.view) {
		return nil
	}
	err := f.call(ctx, "edit", func(ctx context.Context) error {
		return f.r.Service.Edit(ctx, a.Message(), f.view)
	})
	if outbound.KindOf(err) == outbound.Gone && err != nil {
		return f.again(ctx, a, err)
	}
	if err == nil {
		a.Shown = f.view.Version()
	}
	return err
}

// again posts anew what was removed at the service, once.
func (f *flight) again(ctx context.Context, a *attempt, cause error) error {
	if a.Reposted || f.view.Status == message.Expired {
		return cause
	}
	f.r.folded.Info("An announcement was removed at the service; it is posted once more", f.r.fields(f.id, a.Delivery)...)
	a.Channel, a.ID, a.Shown, a.Reposted, a.Replies = "", "", "", true, len(f.view.Reviews)
	a.Unclear = false
	return f.post(ctx, a)
}

// notice tells the requester of the decision. It is a courtesy: only a passing
// failure is tried again.
func (f *flight) notice(ctx context.Context, a *attempt) error {
	teller, ok := f.r.Service.(RequesterTeller)
	if !ok || !f.r.wantsNotice(a.Delivery, f.view) {
		return nil
	}
	if a.Address == "" {
		if err := f.address(ctx, a); err != nil {
			return f.forgo(a, err)
		}
	}
	err := f.say(ctx, "notice", a, func(ctx context.Context) error {
		return teller.Notice(ctx, a.Address, f.view)
	})
	if err != nil {
		return f.forgo(a, err)
	}
	a.Noticed = f.view.Status
	return nil
}

// forgo gives up a courtesy that will never succeed.
func (f *flight) forgo(a *attempt, err error) error {
	switch outbound.KindOf(err) {
	case outbound.Permanent, outbound.Gone:
		f.r.folded.Warn("The requester cannot be told of the decision", append(f.r.fields(f.id, a.Delivery), zap.Error(err))...)
		a.Noticed = f.view.Status
		return nil
	}
	return err
}
