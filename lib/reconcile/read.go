package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/inbox"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// read reads the request and its record, at the same time, unless the request
// seems to be new. It reports whether there is something to work on.
func (x *round) read(ctx context.Context) (shown bool, err error) {
	if x.Fresh == nil {
		if err := x.readBoth(ctx); err != nil {
			return false, err
		}
	}
	switch {
	case x.req != nil:
		x.wants = x.scheduled(x.want(teleport.View(x.req), false))
		x.past(&x.rec.Progress, x.wants.Created)
	case !x.Gone(x.ID):
		// Only a list, or an event, says that a request is gone; one of them comes.
		return false, nil
	case !x.rec.Exists():
		x.finish()
		return false, nil
	default:
		x.wants = x.want(plan.LastView(x.ID, x.rec), true)
	}
	return true, nil
}

// unseen returns when to look again for a request that the cluster does not show
// and that nobody has called gone.
func (x *round) unseen(err error) time.Duration {
	if err != nil || x.Gone(x.ID) {
		return 0
	}
	x.Memory.unseen++
	x.Unshown()
	return x.pace.Probe(x.Memory.unseen)
}

// want says what is wanted of a request, and where it is to be found.
func (r *Reconciler) want(v request.View, gone bool) plan.Wants {
	cluster, web := r.Place()
	v.Cluster, v.Link = cluster, teleport.RequestLink(web, v.ID)
	v.Decidable = !gone && r.Decidable != nil && r.Decidable(v)
	w := plan.Wants{View: v, Can: r.abilities, Gone: gone}
	switch v.Status {
	case request.Pending:
		w.Announced = true
	case request.Approved, request.Denied, request.Promoted:
		w.Announced = !v.Created.IsZero() && time.Since(v.Created) <= r.Timing.CatchUp
	}
	return w
}

// shown says what a stored record says is shown of its request, and whether nothing
// is missing in that state.
func (r *Reconciler) shown(data map[string]string) (rest inbox.Rest, finished bool) {
	rec, err := plugindata.Decode(r.Codec, data)
	if err != nil || !rec.Claim.Free() || !rec.Ours() {
		return rest, false
	}
	v := plan.LastView("", rec)
	v.Status = cmp.Or(rec.Resolution, request.Pending)
	if r.past(&rec.Progress, v.Created); rec.Progress.Agenda != r.agendaName {
		rec.Progress.Reached = 0
	}
	finished = len(r.want(v, false).Unfinished(&rec.Progress)) == 0
	return inbox.Rest{Shown: v.Version(), Reached: rec.Progress.Reached}, finished && !r.panel.Awaits(v.Status, rec)
}

func (x *round) readBoth(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, x.Timing.Record, errors.New("the cluster did not answer in time"))
	defer cancel()
	var reading sync.WaitGroup
	var reqErr error
	reading.Go(func() { x.req, reqErr = x.Cluster.GetRequest(ctx, x.ID) })
	data, err := x.ledger.Read(ctx, x.ID)
	reading.Wait()
	if err != nil {
		x.permission(ConditionRecords, err, "read plugin data", "access_plugin_data: read")
		return err
	}
	if reqErr != nil {
		x.permission(ConditionRequests, reqErr, "read access requests", "access_request: list, read")
		return fmt.Errorf("reading the access request: %w", reqErr)
	}
	if x.req != nil {
		x.Health.Set(ConditionRequests, true, "")
	}
	x.rec, err = plugindata.Decode(x.Codec, data)
	if err != nil && !x.Memory.said("garbled") {
		x.Log.Warn("A stored record cannot be read; what is readable of it is used",
			zap.String("request_id", x.ID), zap.Error(err))
	}
	return nil
}

// permission turns a refusal into a condition that says what to add.
func (r *Reconciler) permission(condition string, err error, what, rule string) {
	if r.Faults.IsDenied(err) {
		r.Health.Set(condition, false, fmt.Sprintf("the plugin's role may not %s; add the rule %s to it", what, rule))
	}
}

// blocked returns how long to leave the request alone because somebody else is at
// work on it.
func (x *round) blocked() (wait time.Duration) {
	held := ""
	switch rec := x.rec; {
	case !rec.Claim.Free() && rec.Claim.Owner != x.Owner:
		held = rec.Claim.String()
	case rec.Exists() && !rec.Ours() && len(rec.Messages) == 0 && rec.Resolution == "":
		// Teleport's own plugin has written its record and not yet posted, or
		// it died before it could.
		held, x.foreign = rec.Fingerprint(), true
	}
	wait, x.dead = x.ledger.Blocked(x.ID, held)
	return wait
}

// reused reports whether the id names another request by now than when the record
// was begun.
func (x *round) reused() bool {
	p := x.rec.Progress
	return p.Request != 0 && x.req != nil && p.Request != x.wants.Created.Unix()
}

// conclude corrects the messages about an earlier request with the same id, and
// begins a new record. It reports whether it is done with the earlier one. The new
// one does not wait long for that.
func (x *round) conclude(ctx context.Context) (again time.Duration, done bool, err error) {
	if x.Memory.reused.IsZero() {
		x.Memory.reused = time.Now()
	}
	now, req := x.wants, x.req
	x.wants, x.req, x.earlier = x.want(plan.LastView(x.ID, x.rec), true), nil, true
	missing, left := x.wants.Unfinished(&x.rec.Progress), x.Timing.RetryMax-time.Since(x.Memory.reused)
	switch {
	case len(missing) > 0 && left > 0:
		if again, err = x.work(ctx); again == 0 || again > left {
			again = left
		}
		return again, false, err
	case len(missing) > 0:
		x.Log.Warn("An access request was made again under its id; messages about the earlier one may not say how it ended",
			zap.String("request_id", x.ID), zap.Strings("recipients", missing))
	}
	x.wants, x.req, x.earlier = now, req, false
	x.rec.Renew()
	x.Memory = memory{}
	x.wait, x.more, x.dead = 0, false, false
	return 0, true, nil
}
