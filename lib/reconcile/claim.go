package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// blocked returns how long to leave a request alone because somebody else is
// at work on it. Whether they still are is judged by our own clock alone: a
// claim that has stood unchanged for the lease, since we first saw it, is dead.
func (r *Reconciler) blocked(t *track, rec *plugindata.Record) time.Duration {
	held := ""
	switch {
	case !rec.Claim.Free() && rec.Claim.Owner != r.Owner:
		held = rec.Claim.String()
	case rec.Exists() && !rec.Ours() && len(rec.Messages) == 0 && rec.Resolution == "":
		// Teleport's own plugin has written its record and not yet posted, or
		// it died before it could.
		held = rec.Fingerprint()
	}
	if t.observed != held {
		t.observed, t.observedSince, t.suspect = held, time.Now(), false
	}
	if held == "" {
		return 0
	}
	left := r.Timing.Lease - time.Since(t.observedSince)
	if left <= 0 {
		t.suspect = true
		return 0
	}
	return max(min(left, r.Timing.Lease/8, 2*time.Second), time.Millisecond)
}

// errConflict says that somebody else changed the record first.
var errConflict = errors.New("the record was changed by another writer")

// claim writes our claim into the record, with all that is known before the
// first call. It returns when the claim began to count.
func (r *Reconciler) claim(ctx context.Context, id string, rec *plugindata.Record) (since time.Time, err error) {
	since = time.Now()
	rec.Claim = rec.Claim.Next(r.Owner)
	return since, r.write(ctx, id, rec)
}

func (r *Reconciler) write(ctx context.Context, id string, rec *plugindata.Record) error {
	set, expect, err := rec.Changes(r.Codec)
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return nil
	}
	err = r.Cluster.UpdatePluginData(ctx, types.KindAccessRequest, id, r.Plugin, set, expect)
	conflict := err != nil && r.Faults.IsConflict(err)
	r.Observer.Recorded(conflict)
	switch {
	case conflict:
		return errConflict
	case err != nil:
		r.permission(ConditionRecords, err, "write plugin data", "access_plugin_data: update")
		return fmt.Errorf("writing the record of the access request: %w", err)
	}
	rec.Stored(set)
	r.Health.Set(ConditionRecords, true, "")
	return nil
}

// record writes what the deliveries have achieved and gives up the claim, or
// renews it if the round goes on. The results must not be lost: the write has
// a budget of its own, also when the round's context has ended, and what cannot
// be written is kept for the next round.
func (r *Reconciler) record(ctx context.Context, id string, t *track, rec *plugindata.Record, v message.View, more bool) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), r.Timing.Record,
		errors.New("the cluster did not take the record in time"))
	defer cancel()
	for attempt := 1; ; attempt++ {
		r.summarize(rec, v)
		switch {
		case rec.Claim.Owner != r.Owner: // another's, or none
		case more:
			rec.Claim = rec.Claim.Next(r.Owner)
		default:
			rec.Claim = rec.Claim.Released()
		}
		err := r.write(ctx, id, rec)
		if err == nil {
			clear(t.unrecorded)
			return nil
		}
		if !errors.Is(err, errConflict) || attempt == 8 {
			return err
		}
		fresh, err := r.reread(ctx, id)
		if err != nil {
			return err
		}
		if t.outdated(fresh) {
			clear(t.unrecorded)
			*rec = *fresh
			return nil
		}
		if fresh.Claim.Owner != r.Owner {
			r.Log.Warn("Another replica took over while a round was under way; was this process stopped for long?",
				zap.String("request_id", id), zap.String("claim", fresh.Claim.String()))
		}
		if len(fresh.Progress.Deliveries) == 0 {
			fresh.Progress = rec.Progress
		}
		fresh.Progress.Decision = firstOf(fresh.Progress.Decision, rec.Progress.Decision)
		r.mergeAll(fresh, t.unrecorded, fresh.Claim.Owner == r.Owner)
		*rec = *fresh
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (r *Reconciler) reread(ctx context.Context, id string) (*plugindata.Record, error) {
	data, err := r.Cluster.GetPluginData(ctx, types.KindAccessRequest, id, r.Plugin)
	if err != nil {
		return nil, fmt.Errorf("reading the record of the access request again: %w", err)
	}
	rec, _ := plugindata.Decode(r.Codec, data) // what cannot be read was told of before
	return rec, nil
}

// mergeAll puts results that were not yet recorded into a record that was read
// since. Results of this very round, under a claim that still stands, are
// simply newer. Otherwise others may have gone on meanwhile, and neither side's
// progress or doubt is to be lost.
func (r *Reconciler) mergeAll(rec *plugindata.Record, results map[string]plugindata.Delivery, newer bool) {
	for recipient, d := range results {
		old := rec.Delivery(recipient)
		switch {
		case old == nil:
			rec.Progress.Deliveries = append(rec.Progress.Deliveries, d)
		case newer || d.Reposted && !old.Reposted:
			*old = d
		default:
			*old = merged(*old, d)
			results[recipient] = *old // newer than either, should the write fail
		}
	}
}

// merged joins what two replicas say of one recipient.
func merged(a, b plugindata.Delivery) plugindata.Delivery {
	unclear := a.Unclear || b.Unclear
	switch {
	case !a.Posted():
		a = b
	case a.Message() == b.Message():
		if a.Shown != b.Shown {
			a.Shown = "" // whoever was last; another edit makes sure
		}
		a.Replies = max(a.Replies, b.Replies)
		a.Failed = firstOf(a.Failed, b.Failed)
		if a.Noticed == "" {
			a.Noticed = b.Noticed
		}
	}
	a.Unclear = unclear
	return a
}

// summarize derives the part that Teleport's own plugins know from the progress
// of the recipients.
func (r *Reconciler) summarize(rec *plugindata.Record, v message.View) {
	rec.Messages = rec.Messages[:0:0]
	_, replies := r.Service.(Replier)
	told, final := len(v.Reviews), v.Status.Ended()
	for _, d := range rec.Progress.Deliveries {
		if !d.Posted() {
			final = final && !r.missing(d, v)
			continue
		}
		rec.Messages = append(rec.Messages, d.Message())
		if d.Over() {
			continue
		}
		if replies {
			told = min(told, d.Replies)
		}
		final = final && d.Shown == v.Version()
	}
	rec.ReviewsCount = max(told, 0)
	rec.Resolution, rec.ResolveReason = "", ""
	if final {
		rec.Resolution, rec.ResolveReason = v.Status, v.ResolveReason
	}
}
