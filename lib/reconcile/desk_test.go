package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// desk is a service in memory: it keeps what was posted and fails as told.
type desk struct {
	mu      sync.Mutex
	next    int
	posts   []*post
	notices []string
	steps   []string
	// fault is asked before each call is done, and may refuse it.
	fault func(step, address string) error
	// lost is asked after each call is done, and may lose the answer.
	lost    func(step, address string) error
	latency time.Duration
}

type post struct {
	id, address, request, shown string
	replies                     []int
	removed                     bool
}

func fail(kind outbound.Kind) error {
	return &outbound.Error{Kind: kind, Op: "test", Err: errors.New(string(kind))}
}

func (d *desk) step(ctx context.Context, step, address string, do func() error) error {
	if d.latency > 0 {
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

func (d *desk) Resolve(ctx context.Context, name string) (address string, err error) {
	err = d.step(ctx, "resolve", name, func() error {
		address = name
		if name == "also-"+"ops" { // another name of the same address
			address = "ops"
		}
		return nil
	})
	return address, err
}

func (d *desk) Post(ctx context.Context, address string, v message.View) (m plugindata.Message, err error) {
	err = d.step(ctx, "post", address, func() error {
		m = d.add(address, v)
		return nil
	})
	return m, err
}

func (d *desk) add(address string, v message.View) plugindata.Message {
	d.next++
	p := &post{id: fmt.Sprint("m", d.next), address: address, request: v.ID, shown: v.Version()}
	d.posts = append(d.posts, p)
	return plugindata.Message{Channel: address, ID: p.id}
}

// made is the newest announcement of a request at an address that is still there.
func (d *desk) made(address string, v message.View) (m plugindata.Message, there bool) {
	for _, p := range d.posts {
		if p.address == address && p.request == v.ID && !p.removed {
			m, there = plugindata.Message{Channel: address, ID: p.id}, true
		}
	}
	return m, there
}

func (d *desk) find(id string) *post {
	for _, p := range d.posts {
		if p.id == id && !p.removed {
			return p
		}
	}
	return nil
}

func (d *desk) Edit(ctx context.Context, m plugindata.Message, v message.View) error {
	return d.step(ctx, "edit", m.Channel, func() error {
		p := d.find(m.ID)
		if p == nil {
			return fail(outbound.Gone)
		}
		p.shown = v.Version()
		return nil
	})
}

func (d *desk) Reply(ctx context.Context, m plugindata.Message, _ message.View, review int) error {
	return d.step(ctx, "reply", m.Channel, func() error {
		p := d.find(m.ID)
		if p == nil {
			return fail(outbound.Gone)
		}
		p.replies = append(p.replies, review)
		return nil
	})
}

func (d *desk) Check(context.Context) error { return nil }

// finder is a desk at which posts can be looked up.
type finder struct{ *desk }

func (finder) CanFind() bool { return true }

func (d finder) Find(ctx context.Context, address string, v message.View) (m plugindata.Message, found bool, err error) {
	err = d.step(ctx, "find", address, func() error {
		m, found = d.made(address, v)
		return nil
	})
	return m, found, err
}

func (d finder) FindReply(ctx context.Context, m plugindata.Message, _ message.View, review int) (found bool, err error) {
	err = d.step(ctx, "find", m.Channel, func() error {
		if p := d.desk.find(m.ID); p != nil {
			for _, r := range p.replies {
				found = found || r == review
			}
		}
		return nil
	})
	return found, err
}

// keyed is a desk that takes each announcement and each reply once: whoever comes
// with the same again gets what is there, unchanged. Nothing can be looked up.
type keyed struct{ *desk }

func (d keyed) Post(ctx context.Context, address string, v message.View) (m plugindata.Message, err error) {
	err = d.step(ctx, "post", address, func() error {
		there := false
		if m, there = d.made(address, v); !there {
			m = d.add(address, v)
		}
		return nil
	})
	return m, err
}

func (d keyed) Reply(ctx context.Context, m plugindata.Message, _ message.View, review int) error {
	return d.step(ctx, "reply", m.Channel, func() error {
		p := d.find(m.ID)
		if p == nil {
			return fail(outbound.Gone)
		}
		if !slices.Contains(p.replies, review) {
			p.replies = append(p.replies, review)
		}
		return nil
	})
}

// teller is a desk that tells the requester.
type teller struct{ finder }

func (d teller) Requester(v message.View) string { return v.User }

func (d teller) Notice(ctx context.Context, address string, v message.View) error {
	return d.step(ctx, "notice", address, func() error {
		d.notices = append(d.notices, fmt.Sprint(address, " ", v.ID, " ", v.Status))
		return nil
	})
}

// hanging is a desk of which one address never answers.
type hanging struct{ *desk }

func (d hanging) Post(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	if address == "stuck" {
		<-ctx.Done()
		return plugindata.Message{}, &outbound.Error{Kind: outbound.Retry, Op: "post", Err: ctx.Err()}
	}
	return d.desk.Post(ctx, address, v)
}

// blind is a desk at which nothing can be looked up. A call that it took is done,
// even if nobody waits for the answer any more.
type blind struct{ finder }

func (blind) CanFind() bool { return false }

func (blind) Find(context.Context, string, message.View) (m plugindata.Message, found bool, err error) {
	return m, false, nil
}

func (d blind) Post(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	m, err := d.desk.Post(context.WithoutCancel(ctx), address, v)
	if ctx.Err() != nil {
		return plugindata.Message{}, &outbound.Error{Kind: outbound.Unclear, Op: "post", Err: ctx.Err()}
	}
	return m, err
}

func (d blind) Reply(ctx context.Context, m plugindata.Message, v message.View, review int) error {
	err := d.desk.Reply(context.WithoutCancel(ctx), m, v, review)
	if ctx.Err() != nil {
		return &outbound.Error{Kind: outbound.Unclear, Op: "reply", Err: ctx.Err()}
	}
	return err
}
