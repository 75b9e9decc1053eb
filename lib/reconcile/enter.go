package reconcile

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// patience is how long others wait for a call. One that takes longer goes on alone.
const patience = time.Second

// addressAge is how long it is believed that a recipient has an address, and
// maxAddresses how many are remembered.
const (
	addressAge   = 10 * time.Minute
	maxAddresses = 10_000
)

// address is what the service called a recipient, and until when that is believed.
type address struct {
	text  string
	until time.Time
}

func (r *Reconciler) addressOf(recipient string) string {
	r.addressing.Lock()
	defer r.addressing.Unlock()
	if a := r.addresses[recipient]; time.Now().Before(a.until) {
		return a.text
	}
	return ""
}

func (r *Reconciler) learnAddress(recipient, text string) {
	r.addressing.Lock()
	defer r.addressing.Unlock()
	if len(r.addresses) >= maxAddresses {
		clear(r.addresses)
	}
	r.addresses[recipient] = address{text, time.Now().Add(addressAge)}
}

// resolve finds the addresses of the recipients for whom something is due. Each is
// asked for once, whoever waits for it; one that takes long is left for later.
func (x *round) resolve(ctx context.Context) {
	asked, found := 0, make(chan struct{}, len(x.rec.Progress.Deliveries))
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		if d.Address != "" || x.wants.left(d) == 0 || x.paused(d.Recipient) {
			continue
		}
		key := lane.Name(d.Recipient)
		if d.Address = x.addressOf(d.Recipient); d.Address != "" {
			x.lanes.Skip(key, x.id)
			continue
		}
		if !x.lanes.Enter(key, x.id, true) {
			continue
		}
		asked++
		name := d.Recipient
		x.background.Go(func() {
			defer func() { found <- struct{}{} }()
			x.ask(ctx, key, name)
		})
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for range asked {
		select {
		case <-found:
		case <-late.C:
			x.mu.Lock()
			x.impatient = true
			x.mu.Unlock()
			x.resolved()
			return // whoever is found later wakes us
		}
	}
	x.resolved()
}

// ask asks the service for an address. Whoever waits for it in the lane is woken.
func (x *round) ask(ctx context.Context, key, name string) {
	defer x.lanes.Leave(key)
	defer x.survive(x.id, "a recipient")
	var text string
	begun := time.Now()
	err := x.serve(ctx, integration.StepResolve, key, func(ctx context.Context) (err error) {
		text, err = x.Service.Resolve(ctx, name)
		return err
	})
	if err == nil && text == "" {
		err = errors.New("the service gave no address")
	}
	if err != nil {
		x.lanes.Await(key, x.id)
		x.unresolved(key, name, err)
		return
	}
	x.learnAddress(name, text)
	x.mu.Lock()
	if x.impatient { // the round goes on without it
		x.lanes.Await(key, x.id)
	}
	x.mu.Unlock()
	if x.lanes.Accept(key, begun, true) {
		x.digest.Info("A recipient can be reached again", name)
	}
}

// unresolved closes the lane of a recipient whose address was not found, until it
// is asked for again.
func (r *Reconciler) unresolved(key, name string, err error) {
	switch {
	case outbound.RefusesToken(err):
	case outbound.KindOf(err) == outbound.Refused:
		if r.lanes.Refuse(key) {
			r.digest.Warn("A recipient cannot be reached; it is tried again now and then", name, zap.String("recipient", name), zap.Error(err))
		}
	default:
		r.lanes.Hold(key, outbound.AfterOf(err))
		r.digest.Warn("A recipient could not be looked up; it is tried again", name, zap.String("recipient", name), zap.Error(err))
	}
}

// resolved takes over the addresses that were found. The second recipient with the
// same address is not told: the first is.
func (x *round) resolved() {
	taken := make(map[string]bool)
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		fresh := d.Address == "" || !d.Posted() && !d.Skipped && len(d.Doubt) == 0
		if d.Address == "" {
			d.Address = x.addressOf(d.Recipient)
		}
		if d.Address == "" || d.Skipped {
			continue
		}
		if fresh && taken[d.Address] {
			d.Skipped = true
		}
		taken[d.Address] = true
	}
}

// enter takes the lanes to the places where a step is due, as far as they are free.
// In the others the request waits in line.
func (x *round) enter() {
	x.await()
	for i := range x.rec.Progress.Deliveries {
		if p := x.pass(&x.rec.Progress.Deliveries[i]); p != nil {
			x.places = append(x.places, p)
		}
		if _, unwell := x.lanes.Gate(); unwell && len(x.places) > 0 {
			break // one call at a time; the others are due at the end of the round
		}
	}
}

// pass takes the lane to a recipient for whom a step is due, if it is free.
func (x *round) pass(d *plugindata.Delivery) *place {
	if due, _, _ := x.due(d); !due || d.Address == "" {
		return nil
	}
	key := lane.Address(d.Address)
	p := &place{Delivery: d.Clone(), lane: key, blind: x.sightless(d.Address) || x.lanes.Blind(key) > 0}
	if !x.passes.Enter(key, p.blind) {
		return nil
	}
	return p
}

// called returns the places to which the request was called while it was at work.
func (x *round) called() (places []*place) {
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		if d.Address == "" || !x.lanes.Waits(lane.Address(d.Address), x.id) {
			continue
		}
		if p := x.pass(d); p != nil {
			places = append(places, p)
		}
	}
	return places
}

// ripen looks whether messages are to be shown once more: a lease after a call
// whose end nobody saw, nothing of it can come any more.
func (x *round) ripen() {
	unsure := false
	for _, d := range x.rec.Progress.Deliveries {
		for _, p := range d.Posts {
			unsure = unsure || p.Unsure
		}
	}
	switch {
	case !unsure:
		x.t.unsure = time.Time{}
	case x.t.unsure.IsZero():
		x.t.unsure = time.Now()
		fallthrough
	default:
		left := x.Timing.Lease - time.Since(x.t.unsure)
		if x.wants.again = left <= 0; !x.wants.again {
			x.sooner(left)
		}
	}
}

// sooner notes when something is due that is not due now.
func (x *round) sooner(wait time.Duration) {
	wait = max(wait, time.Millisecond)
	if x.wait > 0 {
		wait = min(wait, x.wait)
	}
	x.wait = wait
}

// sightless reports whether nothing can ever be looked up at an address.
func (x *round) sightless(address string) bool {
	finder, ok := x.Service.(integration.Finder)
	return !ok || !finder.CanFind(address)
}

// suspect puts in doubt what the replica that died, or a round of ours that broke
// off, may have begun. That is recorded with our own claim, in case we die as well.
func (x *round) suspect() {
	aim := x.rec.Progress.Aim
	if x.rec.Garbled {
		aim = x.wants.Version()
	}
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		if d.Address == "" && !x.foreign && !x.rec.Garbled {
			continue // had not been called yet
		}
		x.abilities.suspect(d, x.rec.Claim, aim)
		for name := range d.Doubt {
			if x.dead { // a lease has passed since any call of theirs
				x.doubtedSince(&place{Delivery: *d}, name, time.Time{})
			}
		}
	}
	x.t.crashed = false
}

// doubtedSince returns since when an effect is in doubt: the given time, unless it is
// known from before.
func (x *round) doubtedSince(p *place, effect string, at time.Time) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	key := doubt{p.Recipient, effect, p.Doubt[effect]}
	if known, ok := x.t.doubts[key]; ok {
		return known
	}
	if x.t.doubts == nil {
		x.t.doubts = make(map[doubt]time.Time)
	}
	x.t.doubts[key] = at
	return at
}
