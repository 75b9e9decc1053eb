package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// claim writes our claim, with the state that it is made for and all that is known
// before the first call.
func (x *round) claim(ctx context.Context) error {
	x.decorate(ctx)
	x.rec.Progress.Aim = x.wants.Version()
	x.spent = true
	ctx, cancel := context.WithTimeoutCause(ctx, x.Timing.Record, errors.New("the cluster did not take the record in time"))
	defer cancel()
	since, err := x.ledger.Claim(ctx, x.id, x.rec)
	x.recorded(err)
	if err == nil {
		clear(x.t.unrecorded) // was written with the claim
		x.renew(since)
	}
	return err
}

// recorded states whether we may write records.
func (x *round) recorded(err error) {
	if err == nil {
		x.Health.Set(ConditionRecords, true, "")
	}
	x.permission(ConditionRecords, err, "write plugin data", "access_plugin_data: update")
}

// act visits the places at the same time, and those to which the request is called
// meanwhile. It records results as they come: those that come together in one write,
// and none later than the flush time. Where nothing can be looked up, others wait for
// the record.
func (x *round) act(ctx context.Context) error {
	results := make(chan *place, len(x.rec.Progress.Deliveries)+len(x.places)) // whatever happens here, they can end
	if x.t.unrecorded == nil {
		x.t.unrecorded = make(map[string]plugindata.Delivery)
	}
	x.t.unrecordedOf, x.t.unrecordedUnder = x.rec.Progress.Request, x.rec.Claim.Generation
	left := x.start(ctx, x.places, results)
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	var waiting []*place
	for left > 0 {
		select {
		case p := <-results:
			left--
			x.take(p)
			switch waiting = append(waiting, p); {
			case p.blind:
				flush.Reset(x.Timing.Flush / 10)
			case len(waiting) == 1:
				flush.Reset(x.Timing.Flush)
			}
			if !p.blind {
				x.passes.Leave(p.lane)
			}
		case <-x.passes.Called():
			left += x.start(ctx, x.called(), results)
		case <-flush.C:
			if err := x.record(ctx, true); err == nil {
				for _, p := range waiting {
					x.passes.Leave(p.lane)
				}
			}
			waiting = nil
		}
	}
	x.decide(ctx)
	return x.record(ctx, false)
}

// start begins to visit places, and returns how many. No place is visited twice in a
// round.
func (x *round) start(ctx context.Context, places []*place, results chan<- *place) int {
	for _, p := range places {
		p.claim = x.rec.Claim
		x.background.Go(func() {
			p.err = x.visit(ctx, p)
			results <- p
		})
	}
	return len(places)
}

// take takes over what a visit has achieved, and what its failure means.
func (x *round) take(p *place) {
	if of := x.rec.Progress.Request; of != 0 && of != x.t.unrecordedOf {
		return // the id names another request by now
	}
	if d := x.rec.Progress.Delivery(p.Recipient); d != nil {
		*d = p.Delivery
	} else { // somebody has changed the record
		x.rec.Progress.Deliveries = append(x.rec.Progress.Deliveries, p.Delivery)
	}
	x.t.unrecorded[p.Recipient] = p.Delivery.Clone()
	if p.lost {
		x.t.unsure = time.Now()
	}
	x.more = x.more || p.more
	if p.err == nil {
		if before := x.t.pauses[p.Recipient]; before != nil && before.failures > 0 {
			x.digest.Info("A recipient was told after failures before", p.Recipient, x.fields(p)...)
		}
		delete(x.t.pauses, p.Recipient)
		return
	}
	x.failed(p)
}

// failed turns a failure into a pause, for all that it concerns.
func (x *round) failed(p *place) {
	fields := append(x.fields(p), zap.Error(p.err))
	kind, pause := outbound.KindOf(p.err), x.pauseOf(p.Recipient)
	switch {
	case errors.Is(p.err, errNotMade):
		x.more = true
	case errors.Is(p.err, errUnseen):
		pause.set(max(x.lanes.Blind(p.lane), x.probe(1)), true)
	case errors.Is(p.err, errCrashed):
		x.t.crashed = true
		pause.set(crashPause, false)
	case errors.Is(p.err, errBudget):
		pause.set(x.probe(3), true)
		if !x.t.said("budget " + p.Recipient) {
			x.Observer.Exceeded()
			x.Log.Error("A recipient is not told more about an access request", fields...)
		}
	case outbound.RefusesToken(p.err):
		x.more = true // waits for the token
	case kind == outbound.Refused && scopeOf(p.err) == outbound.ThePlace:
		if x.lanes.Refuse(p.lane) {
			x.digest.Warn("A recipient cannot be told; it is tried again now and then", p.Recipient, fields...)
		}
		x.more = true // waits in its lane
	case kind == outbound.Refused, kind == outbound.Gone, kind == outbound.Fixed:
		pause.failures++
		pause.set(x.probe(pause.failures), true)
		x.digest.Warn("A recipient cannot be told about an access request; it is tried again now and then", p.Recipient, fields...)
	case (kind == outbound.Wait || kind == outbound.Unclear) && outbound.AfterOf(p.err) > 0:
		x.waits = true
		pause.set(max(outbound.AfterOf(p.err), leastWait), false)
		if scopeOf(p.err) == outbound.ThePlace {
			x.lanes.Hold(p.lane, outbound.AfterOf(p.err))
		}
		x.digest.Debug("A recipient must wait", p.Recipient, fields...)
	default:
		x.passing = x.passing || !errors.Is(p.err, errCrashed)
		pause.failures++
		pause.set(x.retry(p, pause.failures), false)
		x.digest.Warn("A recipient could not be told; it is tried again", p.Recipient, fields...)
	}
}

// leastWait is how long a call that must wait is not tried again at least: each try
// costs a claim.
const leastWait = 20 * time.Millisecond

func scopeOf(err error) outbound.Scope {
	if e, ok := errors.AsType[*outbound.Error](err); ok {
		return e.Scope
	}
	return outbound.OneCall
}

// retry is the pause after the n-th failure in a row. Where nothing can be looked
// up, an effect that was begun twice is given more time: each further try may be
// seen twice.
func (x *round) retry(p *place, n int) time.Duration {
	tries := 0
	for _, t := range p.Doubt {
		tries = max(tries, t.Tries)
	}
	if p.blind && tries >= 2 {
		return min(x.Timing.RetryMax*time.Duration(min(tries-1, 2)), time.Minute)
	}
	return x.backoff(n)
}

// recall puts results that were not recorded yet into the record that was read.
func (x *round) recall() {
	if of := x.rec.Progress.Request; of != 0 && of != x.t.unrecordedOf {
		x.t.unrecorded = nil // are those of an earlier request with the same id
	}
	x.merge(x.rec, false)
}

// catchUp records results that could not be recorded before, whatever the request
// has to wait for next: they must not be lost with the process.
func (x *round) catchUp(ctx context.Context) error {
	if len(x.t.unrecorded) == 0 || x.dead {
		return nil
	}
	return x.record(ctx, false)
}

// flush records what could not be recorded while there was time, once no round is
// begun any more.
func (r *Reconciler) flush(ctx context.Context) {
	for id, t := range r.inbox.unrecorded() {
		x := &round{Reconciler: r, id: id, t: t, rec: plugindata.New(r.Codec)}
		if shown, err := x.read(ctx); err != nil || !shown {
			continue
		}
		x.recall()
		if err := x.catchUp(ctx); err != nil {
			r.Log.Warn("What was told about an access request could not be recorded; the next start looks it up, or may tell it again where that is impossible",
				zap.String("request_id", id), zap.Error(err))
		}
	}
}

// merge puts our results into a record. Those of a round whose claim still stands
// are simply newer; otherwise others may have gone on meanwhile, and neither side's
// progress or doubt is to be lost.
func (x *round) merge(rec *plugindata.Record, newer bool) {
	for recipient, ours := range x.t.unrecorded {
		old := rec.Progress.Delivery(recipient)
		switch {
		case old == nil:
			rec.Progress.Deliveries = append(rec.Progress.Deliveries, ours.Clone())
		case newer:
			*old = ours.Clone()
		default:
			old.Join(ours, x.t.unrecordedUnder)
			x.t.unrecorded[recipient] = old.Clone()
		}
	}
}

// record writes what was achieved and gives up the claim, or renews it. What cannot
// be written is kept for the next round.
func (x *round) record(ctx context.Context, keep bool) error {
	x.summarize()
	x.spent = true
	at := time.Now()
	rec, err := plugindata.Settle(ctx, x.ledger, x.id, x.rec, keep, x.reread)
	x.rec = rec
	x.recorded(err)
	switch {
	case err == nil && rec.Claim.Owner == x.Owner:
		x.renew(at)
	case keep:
		x.renew(time.Time{}) // no further call before that is recorded, or where another has the claim
	}
	if err == nil {
		clear(x.t.unrecorded)
	}
	return err
}

// reread reads a record that somebody else has changed, and puts our results in.
func (x *round) reread(ctx context.Context) (*plugindata.Record, error) {
	data, err := x.ledger.Read(ctx, x.id)
	if err != nil {
		return nil, err
	}
	fresh, _ := plugindata.Decode(x.Codec, data) // what cannot be read was logged before
	if of := fresh.Progress.Request; of != 0 && of != x.t.unrecordedOf {
		clear(x.t.unrecorded) // the id names another request by now
		x.rec = fresh
		return fresh, nil
	}
	ours := fresh.Claim.Owner == x.Owner
	if !ours && !x.t.said("overtaken") {
		x.Log.Warn("Another replica took over while a round was under way; was this process stopped for long?",
			zap.String("request_id", x.id), zap.String("claim", fresh.Claim.String()))
	}
	if len(fresh.Progress.Deliveries) == 0 {
		fresh.Progress = x.rec.Progress
	}
	for _, name := range x.rec.Progress.Decided {
		if !slices.Contains(fresh.Progress.Decided, name) {
			fresh.Progress.Decided = append(fresh.Progress.Decided, name)
		}
	}
	x.merge(fresh, ours)
	x.rec = fresh
	x.summarize()
	return fresh, nil
}

// summarize derives the part of the record that Teleport's own plugins know.
func (x *round) summarize() {
	rec, w := x.rec, x.wants
	told, final := len(w.Reviews), w.Status.Ended()
	rec.Messages = nil
	for i := range rec.Progress.Deliveries {
		d := &rec.Progress.Deliveries[i]
		for _, p := range d.Posts {
			rec.Messages = append(rec.Messages, p.Message())
			final = final && (p.Shown == w.Version() || p.Fixed || !w.shows)
		}
		if w.reviews && d.Posted() && d.Reviews < min(len(w.Reviews), maxReviews) {
			told = min(told, d.Reviews)
		}
		final = final && !w.wantsAnnouncement(d) && !w.wantsEnd(d)
	}
	rec.ReviewsCount, rec.Resolution, rec.ResolveReason = told, "", ""
	if final {
		rec.Resolution, rec.ResolveReason = w.Status, w.ResolveReason
	}
}
