package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// office is a service: places, and what was said there.
type office struct {
	w       *world
	kinds   map[string]placeKind
	said    []*saying
	unsure  map[string]int       // by place: crashes and lost answers that touched it
	shut    map[string]time.Time // by place: refuses until then
	removed map[string]int       // by place and request: removals by hand
	fixed   map[string]bool      // messages that cannot be changed any more, by id
	// removedAt is when the last removal was, by place and request.
	removedAt map[string]time.Time
}

// saying is one thing that people can see.
type saying struct {
	id, place, request string
	effect             integration.Effect
	below              *saying // the message that it is a reply to
	shown, first       request.Version
	at                 time.Time // when it appeared
	begun              time.Time // when the call began
	removed            bool
	by                 string
}

func newOffice(w *world) *office {
	o := &office{
		w: w, kinds: map[string]placeKind{}, unsure: map[string]int{}, shut: map[string]time.Time{},
		removed: map[string]int{}, fixed: map[string]bool{}, removedAt: map[string]time.Time{},
	}
	for i, name := range w.names() {
		o.kinds["#"+name] = w.places[i]
	}
	if w.notify {
		o.kinds["#alice"] = w.places[len(w.places)-1]
	}
	return o
}

// remove takes a request's messages in a place away by hand; an empty place is
// the first one.
func (o *office) remove(request, place string) {
	if place == "" {
		place = "#A"
	}
	hit := false
	for _, s := range o.said {
		root := s
		if s.below != nil {
			root = s.below
		}
		if root.effect.Kind == integration.Announce && s.place == place && s.request == request && !s.removed {
			s.removed, hit = true, true
		}
	}
	if hit {
		o.removed[place+request]++
		o.removedAt[place+request] = time.Now()
	}
}

// clerk is the service as one replica reaches it, clerkShows one whose messages
// can be changed.
type clerk struct {
	o *office
	n *node
}

type clerkShows struct{ clerk }

func (o *office) at(n *node) integration.Service {
	if o.w.shows {
		return clerkShows{clerk{o, n}}
	}
	return clerk{o, n}
}

// Tells implements integration.Service.
func (c clerk) Tells(k integration.Kind) bool {
	switch k {
	case integration.End:
		return !c.o.w.shows || c.o.w.ends
	case integration.Notice:
		return c.o.w.notify
	}
	return true
}

// Requester implements integration.Requester.
func (c clerk) Requester(_ context.Context, v request.View) string {
	if c.o.w.notify {
		return v.User
	}
	return ""
}

// Resolve implements integration.Service.
func (c clerk) Resolve(_ context.Context, recipient string) (string, error) {
	return "#" + recipient, nil
}

// Check implements integration.Service.
func (c clerk) Check(context.Context) error { return nil }

// Tell implements integration.Service.
func (c clerk) Tell(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (m plugindata.Message, err error) {
	if c.o.kinds[to.Address] == blind {
		c.n.mu.Lock()
		if c.n.telling[to.Address]++; c.n.telling[to.Address] > 1 {
			c.o.w.mu.Lock()
			c.o.w.wrong = append(c.o.w.wrong, "two effects at once in the blind place "+to.Address)
			c.o.w.mu.Unlock()
		}
		c.n.mu.Unlock()
		defer func() {
			c.n.mu.Lock()
			c.n.telling[to.Address]--
			c.n.mu.Unlock()
		}()
	}
	begun := time.Now()
	said := make(chan plugindata.Message, 2) // also of a call that is done late
	err = c.call(ctx, "tell", to.Address, e.String(), v.ID, func() error {
		m, err := c.say(to, e, v, begun)
		said <- m
		return err
	})
	if err != nil {
		return plugindata.Message{}, err
	}
	return <-said, nil
}

func (c clerk) say(to integration.Place, e integration.Effect, v request.View, begun time.Time) (plugindata.Message, error) {
	o := c.o
	s := &saying{
		id: fmt.Sprint("m", len(o.said)+1), place: to.Address, request: v.ID, effect: e,
		shown: v.Version(), first: v.Version(), at: time.Now(), begun: begun, by: c.n.name,
	}
	if e.Kind.Below() {
		if s.below = o.message(to.Message); s.below == nil {
			return plugindata.Message{}, failure(outbound.Gone, outbound.OneCall, "message_not_found")
		}
	}
	if o.w.keyed {
		for _, t := range o.said {
			if t.place == s.place && t.request == s.request && t.effect == e {
				return plugindata.Message{Channel: t.place, ID: t.id}, nil
			}
		}
	}
	o.said = append(o.said, s)
	return plugindata.Message{Channel: s.place, ID: s.id}, nil
}

func (o *office) message(m plugindata.Message) *saying {
	for _, s := range o.said {
		if s.id == m.ID && !s.removed {
			return s
		}
	}
	return nil
}

// Show implements integration.Shower.
func (c clerkShows) Show(ctx context.Context, m plugindata.Message, v request.View) error {
	return c.call(ctx, "show", m.Channel, "", v.ID, func() error {
		s := c.o.message(m)
		switch {
		case s == nil:
			return failure(outbound.Gone, outbound.OneCall, "message_not_found")
		case c.o.fixed[s.id]:
			return failure(outbound.Fixed, outbound.OneCall, "cant_update_message")
		}
		s.shown = v.Version()
		return nil
	})
}

// CanFind implements integration.Finder.
func (c clerk) CanFind(address string) bool { return c.o.kinds[address] != blind }

// Find implements integration.Finder.
func (c clerk) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) (found []plugindata.Message, err error) {
	err = c.call(ctx, "find", to.Address, e.String(), v.ID, func() error {
		found = nil
		if c.o.kinds[to.Address] != searchable {
			return failure(outbound.Refused, outbound.TheMethod, "missing_scope")
		}
		below := e.Kind.Below()
		if below && to.Message.ID == "" {
			return failure(outbound.Refused, outbound.OneCall, "invalid_arguments")
		}
		if below && c.o.message(to.Message) == nil {
			return failure(outbound.Gone, outbound.OneCall, "thread_not_found")
		}
		for _, s := range c.o.said {
			if s.place == to.Address && s.request == v.ID && s.effect == e && !s.removed && (!below || s.below.id == to.Message.ID) {
				found = append(found, plugindata.Message{Channel: s.place, ID: s.id})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func failure(kind outbound.Kind, scope outbound.Scope, code string) error {
	e := &outbound.Error{Kind: kind, Scope: scope, Op: "call", Code: code}
	if code == "" {
		e.Err = errors.New("no answer")
	}
	if kind == outbound.Wait {
		e.Status, e.After = 429, 20*time.Second
	}
	return e
}

func (o *office) latency(place string) time.Duration {
	return 10*time.Millisecond + time.Duration(place[1]%16)*4*time.Millisecond
}

// call is one call of a replica: it leaves, is done, and is answered, unless a
// fault stands in between. What was taken is done, whatever becomes of the caller.
func (c clerk) call(ctx context.Context, verb, place, what, request string, do func() error) error {
	w, o := c.o.w, c.o
	half := o.latency(place) / 2
	w.mu.Lock()
	if c.n.dead() {
		w.mu.Unlock()
		return failure(outbound.Retry, outbound.OneCall, "")
	}
	w.calls++
	how := w.reach(c.n, request+" "+verb+" "+place+" "+what, request, place)
	c.n.touched[place]++
	if time.Now().Before(o.shut[place]) {
		w.mu.Unlock()
		time.Sleep(2 * half)
		return failure(outbound.Refused, outbound.ThePlace, "not_in_channel")
	}
	c.strike(how, place, request, half, do)
	w.mu.Unlock()
	if err := spoiled(ctx, how); err != nil {
		return err
	}
	time.Sleep(half)
	w.mu.Lock()
	err := do()
	if how == crashAfter {
		c.n.crash()
	}
	w.mu.Unlock()
	time.Sleep(half)
	return err
}

// strike does what a fault does to a call that has left, whose world is locked.
func (c clerk) strike(how faultKind, place, request string, half time.Duration, do func() error) {
	o, w := c.o, c.o.w
	later := func(d time.Duration) {
		w.helpers.Go(func() {
			time.Sleep(d)
			w.mu.Lock()
			defer w.mu.Unlock()
			_ = do()
		})
	}
	switch how {
	case crashBefore:
		c.n.crash()
	case crashLate:
		c.n.crash()
		later(8 * time.Second)
	case lostLate:
		later(8 * time.Second)
		fallthrough
	case lostUndone:
		o.unsure[place]++
	case lostDone, hang:
		o.unsure[place]++
		later(half)
	case fixed:
		for _, s := range o.said {
			if s.place == place && s.request == request && s.effect.Kind == integration.Announce {
				o.fixed[s.id] = true
			}
		}
	}
}

// spoiled is the answer to a call that a fault has struck; nil says that there
// is a true one.
func spoiled(ctx context.Context, how faultKind) error {
	switch how {
	case crashBefore, crashLate:
		return failure(outbound.Retry, outbound.OneCall, "")
	case lostLate, lostUndone, lostDone:
		time.Sleep(time.Second)
		return failure(outbound.Unclear, outbound.OneCall, "")
	case hang:
		<-ctx.Done()
		return failure(outbound.Unclear, outbound.OneCall, "")
	case unavailable:
		return failure(outbound.Retry, outbound.OneCall, "unavailable")
	case limited:
		return failure(outbound.Wait, outbound.OneCall, "rate_limited")
	}
	return nil
}
