package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/teleport"
)

// round is the work on one request, from reading it to recording what was done.
type round struct {
	*Reconciler
	id      string
	t       *track
	heard   int                 // how often something had been heard of the request when the round began
	req     types.AccessRequest // nil once the cluster does not have it
	earlier bool                // the record is that of an earlier request with the same id
	assumed bool                // was taken for new, and neither it nor a record was read
	rec     *plugindata.Record
	wants   wants
	foreign bool // a record of Teleport's own plugin that died before it posted
	dead    bool // a claim stands there that died

	passes *lane.Passes
	places []*place
	wait   time.Duration // until the next step that is due later, or zero
	more   bool          // a step is due at once
	waits  bool          // a call was told to wait
	spent  bool          // that the request seemed to be new is of no more use
	// passing says that a recipient could not be told, for a reason that passes.
	passing bool

	mu        sync.Mutex
	impatient bool      // the round has not waited for all addresses
	claimed   time.Time // when the claim, or its last renewal, began to count
}

// place is a recipient for whom a step is due, and the lane to it.
type place struct {
	plugindata.Delivery
	lane   string
	claim  plugindata.Claim // under which it is visited
	blind  bool             // nothing can be looked up there now
	more   bool             // a further step is due, once this one is recorded
	turned bool             // something turned out that is to be recorded before anything follows from it
	lost   bool             // a call that shows something was left without an answer
	err    error
}

// handle does one round on a request and sees to what comes after.
func (r *Reconciler) handle(ctx context.Context, id string) {
	again := r.guarded(ctx, id)
	r.lanes.Passed(id)
	r.queue.Done(id)
	if again > 0 {
		r.queue.AddAfter(id, again)
	}
}

// crashPause is how long a request is set aside whose round broke off.
const crashPause = 5 * time.Minute

// guarded is a round in which a fault of this program counts as a crash.
func (r *Reconciler) guarded(ctx context.Context, id string) (again time.Duration) {
	t, fresh, heard := r.inbox.take(id)
	if t == nil {
		return 0 // a late timer of a request that needs nothing more
	}
	x := &round{Reconciler: r, id: id, t: t, heard: heard, req: fresh, assumed: fresh != nil, rec: plugindata.New(r.Codec)}
	x.passes = r.lanes.Passes(id)
	defer func() {
		if fault := recover(); fault != nil {
			r.crashed(id, "an access request", fault)
			t.crashed, again = true, crashPause
		}
		x.passes.LeaveAll()
	}()
	again, err := x.run(ctx)
	if fresh != nil && !x.spent {
		r.inbox.giveBack(id, fresh, heard)
	}
	if (err != nil && ctx.Err() == nil) || x.passing {
		r.Observer.Retried()
	}
	if err != nil && ctx.Err() == nil {
		t.failures++
		again = max(again, r.backoff(t.failures))
		r.digest.Warn("Could not work on an access request; it will be tried again", id,
			zap.String("request_id", id), zap.Duration("retry_in", again.Round(time.Millisecond)), zap.Error(err))
	} else if err == nil {
		t.failures = 0
	}
	return again
}

// run is the flow of a round. It returns when to look again, or zero when nothing
// is left to be done until something is heard.
func (x *round) run(ctx context.Context) (again time.Duration, err error) {
	shown, err := x.read(ctx)
	if err != nil || !shown {
		return x.unseen(err), err
	}
	x.t.unseen = 0
	if wait := x.blocked(); wait > 0 {
		return wait, nil
	}
	x.recall()
	if err := x.catchUp(ctx); err != nil {
		return 0, err
	}
	if x.reused() {
		if again, done, err := x.conclude(ctx); !done {
			return again, err
		}
	}
	if !x.choose(ctx) {
		if x.assumed {
			x.spent = true
			return time.Millisecond, nil // the record may know somebody
		}
		x.finish()
		return 0, nil
	}
	return x.work(ctx)
}

// work takes the steps that are due.
func (x *round) work(ctx context.Context) (again time.Duration, err error) {
	if x.dead || x.t.crashed || x.rec.Garbled {
		x.suspect()
	}
	before := x.left()
	if before == 0 && len(x.undecided()) == 0 {
		return x.rest(ctx)
	}
	key, closed := x.lanes.Gate()
	if closed && !x.passes.Enter(key, false) {
		return x.later(), nil
	}
	if !closed {
		x.lanes.Skip(lane.Token, x.id)
		x.lanes.Skip(lane.Service, x.id)
	}
	x.resolve(ctx)
	x.enter()
	if len(x.places) == 0 && len(x.concerned()) == 0 {
		return x.later(), nil
	}
	err = x.claim(ctx)
	switch {
	case errors.Is(err, plugindata.ErrConflict):
		return x.overtaken(), nil
	case err != nil && x.Faults.IsNotFound(err) && !x.rec.Exists():
		x.finish() // the request was deleted before anybody was told
		return 0, nil
	case err == nil:
		err = x.act(ctx)
	}
	if err != nil {
		return 0, err
	}
	return x.after(before), nil
}

// overtaken returns when to look at what another writer wrote before us. One that
// always does is left alone for longer and longer.
func (x *round) overtaken() time.Duration {
	if x.t.idle++; x.t.idle <= 3 {
		return time.Millisecond
	}
	x.Observer.Retried()
	return x.backoff(x.t.idle - 3)
}

// left counts what is missing for all recipients, now or later.
func (x *round) left() (n int) {
	for i := range x.rec.Progress.Deliveries {
		n += x.wants.left(&x.rec.Progress.Deliveries[i])
	}
	return n
}

// after decides when to look again once a round has done its work. A round without
// progress never comes again at once.
func (x *round) after(before int) time.Duration {
	left := x.left()
	switch {
	case left == 0 && len(x.undecided()) == 0:
		x.finish()
		return x.wait
	case left < before:
		x.t.idle = 0
	case !x.waits: // a told time is waited for and no sign of anything
		x.t.idle++
	}
	x.await()
	if x.more = x.more || x.dueNow(); x.more && x.t.idle > 1 {
		x.sooner(x.backoff(x.t.idle - 1))
	} else if x.more {
		return time.Millisecond
	}
	return x.later()
}

// await notes when the pauses end that keep back what is due, and whether all of
// it waits for somebody to change something at the service. Who waits in line is
// woken by the lane.
func (x *round) await() {
	x.ripen()
	parked := !x.more && len(x.concerned()) == 0
	for i := range x.rec.Progress.Deliveries {
		d := &x.rec.Progress.Deliveries[i]
		due, wait, refused := x.due(d)
		if wait > 0 {
			x.sooner(wait)
		}
		parked = parked && (refused || !due && wait == 0)
	}
	x.inbox.park(x.id, parked)
}

// due reports whether a step is to be taken for a recipient now, or how long it
// must wait, and whether the service refuses it as far as is known.
func (x *round) due(d *plugindata.Delivery) (due bool, wait time.Duration, refused bool) {
	s, wanted := x.wants.next(d)
	switch {
	case !wanted:
		return false, 0, false
	case x.paused(d.Recipient):
		p := x.t.pauses[d.Recipient]
		return false, time.Until(p.until), p.refused
	case s.verb == settle && !s.wanted && !x.sightless(d.Address):
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
		return due && !x.lanes.Waits(lane.Name(d.Recipient), x.id) &&
			(d.Address == "" || !x.lanes.Waits(lane.Address(d.Address), x.id))
	})
}

// rest ends a round in which nothing is due now.
func (x *round) rest(ctx context.Context) (time.Duration, error) {
	if x.dead && !x.rec.Claim.Free() {
		x.rec.Claim = x.rec.Claim.Next(x.Owner) // a dead claim would hold up whoever comes next
	}
	if x.rec.Claim.Owner == x.Owner || len(x.t.unrecorded) > 0 {
		if err := x.record(ctx, false); err != nil {
			return 0, err
		}
	}
	x.finish()
	return x.wait, nil
}

// finish ends the work on a request until something is heard of it.
func (x *round) finish() {
	if x.earlier {
		x.sooner(time.Millisecond) // another request has the id now
		return
	}
	x.queue.Forget(x.id)
	x.lanes.Withdraw(x.id)
	x.ledger.Forget(x.id)
	x.inbox.forget(x.id, x.heard, x.wants.Version(), x.req == nil)
}

// endure is how long what is missing after the end of a request is tried for.
const endure = 24 * time.Hour

// later returns when to look again at what is due later. What waits in line is
// woken by its lane.
func (x *round) later() time.Duration {
	if !x.wants.Status.Ended() {
		x.t.ended = time.Time{}
		return x.wait
	}
	if x.t.ended.IsZero() {
		x.t.ended = time.Now()
	}
	left := endure - time.Since(x.t.ended)
	if left <= 0 {
		x.giveUp()
		return 0
	}
	if x.wait == 0 {
		return left
	}
	return min(x.wait, left)
}

// giveUp ends the work on a request a day after its end, and names who was left.
func (x *round) giveUp() {
	x.Log.Error("A day after its end an access request is given up; some messages about it may not say how it ended",
		zap.String("request_id", x.id), zap.Strings("recipients", x.unfinished()))
	x.finish()
}

// read reads the request and its record, at the same time, unless the request
// seems to be new. It reports whether there is something to work on.
func (x *round) read(ctx context.Context) (shown bool, err error) {
	if !x.assumed {
		if err := x.readBoth(ctx); err != nil {
			return false, err
		}
	}
	v := message.View{}
	switch {
	case x.req != nil:
		v = teleport.View(x.req)
	case !x.inbox.isGone(x.id):
		// Only a list, or an event, says that a request is gone; one of them comes.
		return false, nil
	case !x.rec.Exists():
		x.finish()
		return false, nil
	default:
		v = lastView(x.id, x.rec)
	}
	x.wants = x.want(x.located(v))
	x.wants.gone = x.req == nil
	return true, nil
}

// unseen returns when to look again for a request that the cluster does not show
// and that nobody has called gone.
func (x *round) unseen(err error) time.Duration {
	if err != nil || x.inbox.isGone(x.id) {
		return 0
	}
	x.t.unseen++
	x.Unshown()
	return x.probe(x.t.unseen)
}

func (r *Reconciler) want(v message.View) wants {
	return wants{View: v, abilities: r.abilities, announced: r.announces(v)}
}

func (x *round) readBoth(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, x.Timing.Record, errors.New("the cluster did not answer in time"))
	defer cancel()
	var reading sync.WaitGroup
	var reqErr error
	reading.Go(func() { x.req, reqErr = x.Cluster.GetRequest(ctx, x.id) })
	data, err := x.ledger.Read(ctx, x.id)
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
	if err != nil && !x.t.said("garbled") {
		x.Log.Warn("A stored record cannot be read; what is readable of it is used",
			zap.String("request_id", x.id), zap.Error(err))
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
	wait, x.dead = x.ledger.Blocked(x.id, held)
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
	if x.t.reused.IsZero() {
		x.t.reused = time.Now()
	}
	now, req := x.wants, x.req
	x.wants, x.req, x.earlier = x.want(x.located(lastView(x.id, x.rec))), nil, true
	x.wants.gone = true
	left := x.Timing.RetryMax - time.Since(x.t.reused)
	if x.left() > 0 && left > 0 {
		if again, err = x.work(ctx); again == 0 || again > left {
			again = left
		}
		return again, false, err
	}
	if x.left() > 0 {
		x.Log.Warn("An access request was made again under its id; messages about the earlier one may not say how it ended",
			zap.String("request_id", x.id), zap.Strings("recipients", x.unfinished()))
	}
	x.wants, x.req, x.earlier = now, req, false
	claim := x.rec.Claim
	x.rec.Known, x.rec.Progress, x.rec.Claim = plugindata.Known{}, plugindata.Progress{}, claim
	x.inbox.renew(x.t)
	x.wait, x.more, x.dead = 0, false, false
	return 0, true, nil
}

// unfinished names the recipients for whom something is missing.
func (x *round) unfinished() (names []string) {
	for i := range x.rec.Progress.Deliveries {
		if d := &x.rec.Progress.Deliveries[i]; x.wants.left(d) > 0 {
			names = append(names, d.Recipient)
		}
	}
	return names
}
