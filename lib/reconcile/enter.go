package reconcile

import (
	"context"
	"slices"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/visit"
)

// resolve finds the addresses of the recipients for whom something is due. The
// second recipient with the same address is not told: the first is.
func (x *round) resolve(ctx context.Context) {
	var names []string
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		if left, _ := x.Memory.pauses.Left(d.Recipient); d.Address == "" && left == 0 && !x.wants.Finished(d) {
			names = append(names, d.Recipient)
		}
	}
	x.calls.Resolve(ctx, x.ID, names)
	x.resolved()
}

// spoken are the addresses at which somebody has heard of the request, or may have.
func (x *round) spoken() map[string]bool {
	taken := make(map[string]bool)
	for i := range x.rec.Progress.Deliveries {
		if d := &x.rec.Progress.Deliveries[i]; d.Address != "" && !d.Skipped && (d.Posted() || len(d.Doubt) > 0) {
			taken[d.Address] = true
		}
	}
	return taken
}

// resolved takes over the addresses that were found.
func (x *round) resolved() {
	taken := x.spoken()
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		fresh := d.Address == "" || !d.Posted() && !d.Skipped && len(d.Doubt) == 0
		if d.Address == "" {
			d.Address = x.calls.Address(d.Recipient)
		}
		if d.Address == "" || d.Skipped {
			continue
		}
		d.Skipped = fresh && taken[d.Address]
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
func (x *round) pass(d *plugindata.Delivery) *visit.Visit {
	if due, _, _ := x.due(d); !due || d.Address == "" {
		return nil
	}
	key := lane.Address(d.Address)
	blind := x.visitor.Sightless(d.Address) || x.lanes.Blind(key) > 0
	x.passes.Calm = x.repeats(d)
	if !x.passes.Enter(key, blind) {
		return nil
	}
	return &visit.Visit{
		Request: x.ID, Fenced: x.fenced, Doubts: &x.Memory.doubts, Delivery: d.Clone(), Lane: key, Blind: blind,
	}
}

// repeats reports whether the next step for a recipient only says again that the request
// is pending.
func (x *round) repeats(d *plugindata.Delivery) bool {
	s, due := x.wants.Next(d)
	return due && s.Verb != plan.Show && s.Effect.Kind == integration.Pending
}

// called returns the places to which the request was called while it was at work.
func (x *round) called() (places []*visit.Visit) {
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		if d.Address == "" || !x.lanes.Waits(lane.Address(d.Address), x.ID) {
			continue
		}
		if p := x.pass(d); p != nil {
			places = append(places, p)
		}
	}
	return places
}

// due reports whether a step is to be taken for a recipient now, or how long it
// must wait, and whether the service refuses it as far as is known.
func (x *round) due(d *plugindata.Delivery) (due bool, wait time.Duration, refused bool) {
	s, wanted := x.wants.Next(d)
	if !wanted {
		return false, 0, false
	}
	if left, refused := x.Memory.pauses.Left(d.Recipient); left > 0 {
		return false, left, refused
	}
	if s.Verb == plan.Settle && !s.Wanted && !x.visitor.Sightless(d.Address) {
		// What may not be looked up for now, and is wanted no more, need not hurry.
		if wait := x.lanes.Blind(lane.Address(d.Address)); wait > 0 {
			return false, wait, true
		}
	}
	return true, 0, !x.lanes.Open(lane.Name(d.Recipient)) || d.Address != "" && !x.lanes.Open(lane.Address(d.Address))
}

// dueNow reports whether a step is due that nothing keeps back: neither a pause,
// which may be over by now, nor a line.
func (x *round) dueNow() bool {
	return slices.ContainsFunc(x.rec.Progress.Deliveries, func(d plugindata.Delivery) bool {
		due, _, _ := x.due(&d)
		return due && !x.inLine(&d)
	})
}

// inLine reports whether the request waits for its turn to call a recipient.
func (x *round) inLine(d *plugindata.Delivery) bool {
	return x.lanes.Waits(lane.Name(d.Recipient), x.ID) || d.Address != "" && x.lanes.Waits(lane.Address(d.Address), x.ID)
}

// await notes when the pauses end that keep back what is due, and whether all of
// it waits in a line, whose lane wakes the request, or for somebody to change
// something at the service.
func (x *round) await() {
	x.ripen()
	parked, calm := !x.more && len(x.urgent()) == 0, len(x.open()) == 0
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		due, wait, refused := x.due(d)
		x.sooner(wait)
		parked = parked && (refused || !due && wait == 0 || x.inLine(d))
		calm = calm && (x.wants.Finished(d) || x.repeats(d))
	}
	x.Park(x.Turn, parked, calm)
}

// ripen looks whether messages are to be shown once more: a lease after a call
// whose end nobody saw, nothing of it can come any more.
func (x *round) ripen() {
	unsure := slices.ContainsFunc(x.rec.Progress.Deliveries, func(d plugindata.Delivery) bool {
		return slices.ContainsFunc(d.Posts, func(p plugindata.Post) bool { return p.Unsure })
	})
	if !unsure {
		x.Memory.unsure = time.Time{}
		return
	}
	if x.Memory.unsure.IsZero() {
		x.Memory.unsure = time.Now()
	}
	left := x.Timing.Lease - time.Since(x.Memory.unsure)
	x.wants.Again = left <= 0
	x.sooner(left)
}

// sooner notes when something is due that is not due now. A time that has come
// counts for nothing.
func (x *round) sooner(wait time.Duration) {
	if wait > 0 && (x.wait == 0 || wait < x.wait) {
		x.wait = wait
	}
}

// suspect puts in doubt what the replica that died, or a round of ours that broke
// off, may have begun. That is recorded with our own claim, in case we die as well.
func (x *round) suspect() {
	died := x.abilities.At(x.rec.Progress.Aim)
	if x.rec.Garbled {
		died = x.abilities.At(x.wants.Version())
	}
	died.Due = x.dueIn(died.Status)
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		if d.Address == "" && !x.foreign && !x.rec.Garbled {
			continue // had not been called yet
		}
		died.Suspect(d, x.rec.Claim)
		for name := range d.Doubt {
			switch {
			case x.dead: // a lease has passed since any call of theirs
				x.Memory.doubts.Since(d, name, time.Time{})
			case x.rec.Garbled: // nobody knows since when theirs are under way
				x.Memory.doubts.Since(d, name, time.Now().Add(x.Timing.Lease-x.Timing.Call))
			}
		}
	}
	x.Memory.crashed = false
}
