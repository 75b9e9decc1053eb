package reconcile

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/inbox"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plugindata"
)

// recorded states whether we may write records.
func (x *round) recorded(err error) {
	if err == nil {
		x.Health.Set(ConditionRecords, true, "")
	}
	x.permission(ConditionRecords, err, "write plugin data", "access_plugin_data: update")
}

// recall puts results that were not recorded yet into the record that was read.
func (x *round) recall() {
	if of := x.rec.Progress.Request; of != 0 && of != x.Memory.unrecordedOf {
		x.Memory.unrecorded = nil // are those of an earlier request with the same id
	}
	x.merge(x.rec, false)
}

// catchUp records results that could not be recorded before, whatever the request
// has to wait for next: they must not be lost with the process.
func (x *round) catchUp(ctx context.Context) error {
	if len(x.Memory.unrecorded) == 0 || x.dead {
		return nil
	}
	return x.record(ctx, false)
}

// flush records what could not be recorded while there was time, once no round is
// begun any more.
func (r *Reconciler) flush(ctx context.Context) {
	for id, item := range r.Items() {
		x := r.round(inbox.Turn[memory]{Item: item, ID: id})
		if len(x.Memory.unrecorded) == 0 {
			continue
		}
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
	for recipient, ours := range x.Memory.unrecorded {
		old := rec.Progress.Delivery(recipient)
		switch {
		case old == nil:
			rec.Progress.Deliveries = append(rec.Progress.Deliveries, ours.Clone())
		case newer:
			*old = ours.Clone()
		default:
			old.Join(ours, x.Memory.unrecordedUnder)
			x.Memory.unrecorded[recipient] = old.Clone()
		}
	}
}

// record writes what was achieved and gives up the claim, or renews it. What cannot
// be written is kept for the next round.
func (x *round) record(ctx context.Context, keep bool) error {
	x.wants.Summarize(x.rec)
	x.reach()
	x.spent = true
	at := time.Now()
	rec, err := ledger.Settle(ctx, x.ledger, x.ID, x.rec, keep, x.reread)
	x.rec = rec
	x.recorded(err)
	switch {
	case err == nil && rec.Claim.Owner == x.Owner:
		x.renew(at)
	case keep:
		x.renew(time.Time{}) // no further call before that is recorded, or where another has the claim
	}
	if err == nil {
		clear(x.Memory.unrecorded)
	}
	return err
}

// reread reads a record that somebody else has changed, and puts our results in.
func (x *round) reread(ctx context.Context) (*plugindata.Record, error) {
	data, err := x.ledger.Read(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	fresh, _ := plugindata.Decode(x.Codec, data) // what cannot be read was logged before
	if of := fresh.Progress.Request; of != 0 && of != x.Memory.unrecordedOf {
		clear(x.Memory.unrecorded) // the id names another request by now
		x.rec = fresh
		return fresh, nil
	}
	ours := fresh.Claim.Owner == x.Owner
	if !ours && !x.Memory.said("overtaken") {
		x.Log.Warn("Another replica took over while a round was under way; was this process stopped for long?",
			zap.String("request_id", x.ID), zap.String("claim", fresh.Claim.String()))
	}
	if len(fresh.Progress.Deliveries) == 0 {
		fresh.Progress, fresh.Adopted = x.rec.Progress, x.rec.Adopted
	}
	for _, name := range x.rec.Progress.Decided {
		if !slices.Contains(fresh.Progress.Decided, name) {
			fresh.Progress.Decided = append(fresh.Progress.Decided, name)
		}
	}
	x.merge(fresh, ours)
	x.rec = fresh
	x.wants.Summarize(x.rec)
	return fresh, nil
}
