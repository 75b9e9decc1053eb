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
// requester. It returns how far it came, also when a step fails. Where nothing
// can be looked up, it returns after each message, which is to be recorded
// before the next is made.
func (f *flight) deliver(ctx context.Context, d plugindata.Delivery) (plugindata.Delivery, error) {
	steps := []func(context.Context, *plugindata.Delivery) error{f.resolve, f.post, f.reply, f.edit, f.notice}
	before := d
	for _, step := range steps {
		if err := step(ctx, &d); err != nil {
			if outbound.KindOf(err) == outbound.Unclear {
				d.Unclear = true
			}
			return d, err
		}
		if f.blind && (d.ID != before.ID || d.Replies != before.Replies) {
			break
		}
	}
	d.Unclear = false
	return d, nil
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

func (f *flight) resolve(ctx context.Context, d *plugindata.Delivery) error {
	if d.Over() || d.Address != "" {
		return nil
	}
	err := f.call(ctx, "resolve", func(ctx context.Context) (err error) {
		d.Address, err = f.r.Service.Resolve(ctx, d.Recipient)
		return err
	})
	if err != nil {
		d.Address = ""
		return err
	}
	d.Skipped = !f.take(d.Address)
	return nil
}

func (f *flight) post(ctx context.Context, d *plugindata.Delivery) error {
	if !f.r.wantsPost(*d, f.view) {
		return nil
	}
	if d.Unclear {
		if found, err := f.find(ctx, d); found || err != nil {
			return err
		}
	}
	err := f.call(ctx, "post", func(ctx context.Context) error {
		m, err := f.r.Service.Post(ctx, d.Address, f.view)
		d.Channel, d.ID = m.Channel, m.ID
		return err
	})
	if err != nil {
		d.Channel, d.ID = "", ""
		return err
	}
	d.Shown = f.view.Version()
	if d.Unclear && d.Shown != untouched.Version() {
		d.Shown = "" // a service that knows the call gives back the message of the first try, as that was
	}
	if f.view.Status.Ended() {
		d.Noticed = f.view.Status // the copy itself says it
	}
	f.r.Log.Debug("Announced an access request", f.r.fields(f.id, *d)...)
	return nil
}

// untouched is how every request looks at first.
var untouched = message.View{Status: message.Pending}

// find looks for a post whose outcome is not known.
func (f *flight) find(ctx context.Context, d *plugindata.Delivery) (found bool, err error) {
	finder, ok := f.r.Service.(Finder)
	if !ok {
		return false, nil
	}
	err = f.call(ctx, "find", func(ctx context.Context) error {
		var m plugindata.Message
		if m, found, err = finder.Find(ctx, d.Address, f.view); found && err == nil {
			d.Channel, d.ID, d.Shown = m.Channel, m.ID, ""
		}
		return err
	})
	return found && err == nil, err
}

// reply tells the reviews that were not told yet. A reply that the service
// will never take is passed over: the announcement matters more.
func (f *flight) reply(ctx context.Context, d *plugindata.Delivery) error {
	replier, ok := f.r.Service.(Replier)
	if !ok || d.Over() || !d.Posted() {
		return nil
	}
	for d.Replies < len(f.view.Reviews) {
		found, err := false, error(nil)
		if d.Unclear {
			found, err = f.findReply(ctx, d)
		}
		if err == nil && !found {
			err = f.call(ctx, "reply", func(ctx context.Context) error {
				return replier.Reply(ctx, d.Message(), f.view, d.Replies)
			})
		}
		switch outbound.KindOf(err) {
		case outbound.Gone:
			return f.again(ctx, d, err)
		case outbound.Permanent:
			f.r.folded.Warn("A review cannot be told below its announcement", append(f.r.fields(f.id, *d), zap.Error(err))...)
			err = nil
		}
		if err != nil {
			return err
		}
		d.Replies++
		if f.blind {
			return nil
		}
	}
	return nil
}

func (f *flight) findReply(ctx context.Context, d *plugindata.Delivery) (found bool, err error) {
	finder, ok := f.r.Service.(Finder)
	if !ok {
		return false, nil
	}
	err = f.call(ctx, "find", func(ctx context.Context) error {
		found, err = finder.FindReply(ctx, d.Message(), f.view, d.Replies)
		return err
	})
	return found, err
}

func (f *flight) edit(ctx context.Context, d *plugindata.Delivery) error {
	if !f.r.wantsEdit(*d, f.view) {
		return nil
	}
	err := f.call(ctx, "edit", func(ctx context.Context) error {
		return f.r.Service.Edit(ctx, d.Message(), f.view)
	})
	if outbound.KindOf(err) == outbound.Gone && err != nil {
		return f.again(ctx, d, err)
	}
	if err == nil {
		d.Shown = f.view.Version()
	}
	return err
}

// again posts anew what was removed at the service, once.
func (f *flight) again(ctx context.Context, d *plugindata.Delivery, cause error) error {
	if d.Reposted || f.view.Status == message.Expired {
		return cause
	}
	f.r.folded.Info("An announcement was removed at the service; it is posted once more", f.r.fields(f.id, *d)...)
	d.Channel, d.ID, d.Shown, d.Reposted, d.Replies = "", "", "", true, len(f.view.Reviews)
	d.Unclear = false
	return f.post(ctx, d)
}

// notice tells the requester of the decision. It is a courtesy: only a passing
// failure is tried again.
func (f *flight) notice(ctx context.Context, d *plugindata.Delivery) error {
	teller, ok := f.r.Service.(RequesterTeller)
	if !ok || !f.r.wantsNotice(*d, f.view) {
		return nil
	}
	if d.Address == "" {
		err := f.call(ctx, "resolve", func(ctx context.Context) (err error) {
			d.Address, err = f.r.Service.Resolve(ctx, d.Recipient)
			return err
		})
		if err != nil {
			return f.forgo(d, err)
		}
	}
	err := f.call(ctx, "notice", func(ctx context.Context) error {
		return teller.Notice(ctx, d.Address, f.view)
	})
	if err != nil {
		return f.forgo(d, err)
	}
	d.Noticed = f.view.Status
	return nil
}

// forgo gives up a courtesy that will never succeed.
func (f *flight) forgo(d *plugindata.Delivery, err error) error {
	switch outbound.KindOf(err) {
	case outbound.Permanent, outbound.Gone:
		f.r.folded.Warn("The requester cannot be told of the decision", append(f.r.fields(f.id, *d), zap.Error(err))...)
		d.Noticed = f.view.Status
		return nil
	}
	return err
}
