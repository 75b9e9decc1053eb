package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// desk is a service in memory: it keeps what was posted and fails as it is made to.
// Nothing can be looked up at it; see finder.
type desk struct {
	mu      sync.Mutex
	next    int
	posts   []*post
	notices []string
	steps   []string
	// reminders are all that was due by time.
	reminders []reminder
	// fault is asked before each call is done, and may refuse it.
	fault func(step, address string) error
	// lost is asked after each call is done, and may lose the answer.
	lost    func(step, address string) error
	latency time.Duration // of all calls but those that resolve
	// keyed makes it take each announcement and each reply once: whoever comes
	// with the same again gets what is there, unchanged.
	keyed bool
	// ends makes it tell the end below the message.
	ends bool
	// fixed makes messages that cannot be changed.
	fixed bool
}

type post struct {
	id, address, request string
	shown                request.Version
	replies              []int
	ended                []request.Status
	removed              bool
}

func fail(kind outbound.Kind) error { return failWith(kind, outbound.OneCall) }

func failWith(kind outbound.Kind, scope outbound.Scope) error {
	return &outbound.Error{Kind: kind, Scope: scope, Op: "test", Err: errors.New(string(kind))}
}

// taken are the steps so far.
func (d *desk) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.steps)
}

func (d *desk) step(ctx context.Context, step, address string, do func() error) error {
	if d.latency > 0 && step != "resolve" {
		select {
		case <-time.After(d.latency):
		case <-ctx.Done():
			return &outbound.Error{Kind: outbound.Unclear, Op: step, Err: ctx.Err()}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, step+" "+address)
	if d.fault != nil {
		if err := d.fault(step, address); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if d.lost != nil {
		return d.lost(step, address)
	}
	return nil
}

func (d *desk) count(step string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.steps {
		if s == step {
			n++
		}
	}
	return n
}

func (d *desk) Tells(k integration.Kind) bool {
	return !k.Private() && (k != integration.End || d.ends)
}

func (d *desk) Resolve(ctx context.Context, name string) (address string, err error) {
	err = d.step(ctx, "resolve", name, func() error {
		address = name
		if name == "also-ops" { // another name of the same address
			address = "ops"
		}
		return nil
	})
	return address, err
}

// Tell names its steps as the tests do: post, reply, end, notice.
func (d *desk) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (m plugindata.Message, err error) {
	switch e.Kind {
	case integration.Announce:
		err = d.step(ctx, "post", to.Address, func() error {
			if list := d.made(to.Address, v); d.keyed && len(list) > 0 {
				m = list[0]
				return nil
			}
			m = d.add(to.Address, v)
			return nil
		})
	case integration.Review:
		err = d.below(ctx, "reply", to.Message, func(p *post) {
			if !d.keyed || !has(p.replies, e.Index) {
				p.replies = append(p.replies, e.Index)
			}
		})
	case integration.End:
		err = d.below(ctx, "end", to.Message, func(p *post) { p.ended = append(p.ended, v.Status) })
	case integration.Pending:
		err = d.below(ctx, "pending", to.Message, func(p *post) { d.remind(to.Message.Channel, e, v) })
	case integration.Ending:
		err = d.step(ctx, "ending", to.Address, func() error { d.remind(to.Address, e, v); return nil })
	case integration.Notice:
		err = d.step(ctx, "notice", to.Address, func() error {
			d.notices = append(d.notices, fmt.Sprint(to.Address, " ", v.ID, " ", v.Status))
			return nil
		})
	}
	return m, err
}

// reminder is a word that was due by time.
type reminder struct {
	address, request string
	integration.Effect
	after time.Duration // since the request was made
}

func (d *desk) remind(address string, e integration.Effect, v request.View) {
	d.reminders = append(d.reminders, reminder{address, v.ID, e, time.Since(v.Created)})
}

func has[T comparable](list []T, want T) bool {
	for _, item := range list {
		if item == want {
			return true
		}
	}
	return false
}

func (d *desk) below(ctx context.Context, step string, m plugindata.Message, do func(*post)) error {
	return d.step(ctx, step, m.Channel, func() error {
		p := d.find(m.ID)
		if p == nil {
			return fail(outbound.Gone)
		}
		do(p)
		return nil
	})
}

func (d *desk) add(address string, v request.View) plugindata.Message {
	d.next++
	p := &post{id: fmt.Sprint("m", d.next), address: address, request: v.ID, shown: v.Version()}
	d.posts = append(d.posts, p)
	return plugindata.Message{Channel: address, ID: p.id}
}

// made are the announcements of a request at an address that are still there.
func (d *desk) made(address string, v request.View) (list []plugindata.Message) {
	for _, p := range d.posts {
		if p.address == address && p.request == v.ID && !p.removed {
			list = append(list, plugindata.Message{Channel: address, ID: p.id})
		}
	}
	return list
}

func (d *desk) find(id string) *post {
	for _, p := range d.posts {
		if p.id == id && !p.removed {
			return p
		}
	}
	return nil
}

// remove removes the messages at an address, as people do.
func (d *desk) remove(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.posts {
		p.removed = p.removed || p.address == address
	}
}

func (d *desk) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	return d.step(ctx, "edit", m.Channel, func() error {
		p := d.find(m.ID)
		switch {
		case p == nil:
			return fail(outbound.Gone)
		case d.fixed:
			return fail(outbound.Fixed)
		}
		p.shown = v.Version()
		return nil
	})
}

func (d *desk) Check(context.Context) error { return nil }

// finder is a desk at which everything can be looked up.
type finder struct{ *desk }

func (finder) CanFind(string) bool { return true }

func (d finder) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (list []plugindata.Message, err error) {
	err = d.step(ctx, "find", to.Address, func() error {
		p := d.desk.find(to.Message.ID)
		switch {
		case e.Kind == integration.Announce:
			list = d.made(to.Address, v)
		case e.Kind == integration.Notice:
			if has(d.notices, fmt.Sprint(to.Address, " ", v.ID, " ", v.Status)) {
				list = []plugindata.Message{{Channel: to.Address, ID: "notice"}}
			}
		case e.Kind == integration.Ending || e.Kind == integration.Pending && p != nil:
			for _, r := range d.reminders {
				if r.Effect == e && r.request == v.ID && r.address == to.Address {
					list = append(list, plugindata.Message{Channel: to.Address, ID: "reminder"})
				}
			}
		case to.Message.ID == "":
			return fail(outbound.Refused) // there is no such call
		case p == nil:
			return fail(outbound.Gone)
		case e.Kind == integration.Review && has(p.replies, e.Index), e.Kind == integration.End && has(p.ended, v.Status):
			list = []plugindata.Message{to.Message}
		}
		return nil
	})
	return list, err
}

// unaware is a finder that knows what it may read from its first look-up on.
type unaware struct {
	finder
	may   bool
	known atomic.Bool
}

func (d *unaware) CanFind(string) bool { return d.may && d.known.Load() }

func (d *unaware) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	list, err := d.finder.Find(ctx, to, e, v)
	d.known.Store(true)
	if !d.may {
		return nil, failWith(outbound.Refused, outbound.ThePlace)
	}
	return list, err
}

// teller is a desk that tells the requester.
type teller struct{ finder }

func (teller) Tells(integration.Kind) bool { return true }

func (d teller) Requester(_ context.Context, v request.View) string { return v.User }

// hanging is a desk of which one address never answers.
type hanging struct{ finder }

func (d hanging) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	if to.Address == "stuck" {
		<-ctx.Done()
		return plugindata.Message{}, &outbound.Error{Kind: outbound.Retry, Op: "post", Err: ctx.Err()}
	}
	return d.finder.Tell(ctx, to, e, v)
}

// stubborn is a desk at which nothing can be looked up. A call that it took is
// done, even if nobody waits for the answer any more.
type stubborn struct{ *desk }

func (d stubborn) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	m, err := d.desk.Tell(context.WithoutCancel(ctx), to, e, v)
	if ctx.Err() != nil {
		return plugindata.Message{}, &outbound.Error{Kind: outbound.Unclear, Op: "post", Err: ctx.Err()}
	}
	return m, err
}
