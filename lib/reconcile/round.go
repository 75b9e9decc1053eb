package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/decide"
	"teleport-plugins/lib/inbox"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/lane"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/visit"
)

// round is the work on one request, from reading it to recording what was done. A
// fresh request is taken for new: neither it nor a record is read.
type round struct {
	*Reconciler
	inbox.Turn[memory]
	req     types.AccessRequest // nil once the cluster does not have it
	earlier bool                // the record is that of an earlier request with the same id
	rec     *plugindata.Record
	wants   plan.Wants
	foreign bool // a record of Teleport's own plugin that died before it posted
	dead    bool // a claim stands there that died

	passes *lane.Passes
	places []*visit.Visit
	wait   time.Duration // until the next step that is due later, or zero
	more   bool          // a step is due at once
	waits  bool          // a call was told to wait
	spent  bool          // that the request seemed to be new is of no more use
	// passing says that a recipient could not be told, for a reason that passes.
	passing bool

	mu      sync.Mutex
	claimed time.Time // when the claim, or its last renewal, began to count
}

// crashPause is how long a request is set aside whose round broke off.
const crashPause = 5 * time.Minute

func (r *Reconciler) round(turn inbox.Turn[memory]) *round {
	return &round{
		Reconciler: r, Turn: turn, req: turn.Fresh,
		rec: plugindata.New(r.Codec), passes: r.lanes.Passes(turn.ID),
	}
}

// guarded is a round in which a fault of this program counts as a crash. It returns
// when to look again, or zero.
func (r *Reconciler) guarded(ctx context.Context, id string) (again time.Duration) {
	turn, ok := r.Take(id)
	if !ok {
		return 0 // a late timer of a request that needs nothing more
	}
	x := r.round(turn)
	defer func() {
		if fault := recover(); fault != nil {
			r.Caught(id, "an access request", fault)
			x.Memory.crashed, again = true, crashPause
		}
		x.passes.LeaveAll()
	}()
	again, err := x.run(ctx)
	if x.Fresh != nil && !x.spent {
		r.GiveBack(turn)
	}
	failed := err != nil && ctx.Err() == nil
	if failed || x.passing {
		r.Observer.Retried()
	}
	switch {
	case failed:
		x.Memory.failures++
		again = max(again, r.pace.Backoff(x.Memory.failures))
		r.digest.Warn("Could not work on an access request; it will be tried again", id,
			zap.String("request_id", id), zap.Duration("retry_in", again.Round(time.Millisecond)), zap.Error(err))
	case err == nil:
		x.Memory.failures = 0
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
	x.Memory.unseen = 0
	if wait := x.blocked(); wait > 0 {
		return wait, nil
	}
	x.recall()
	if err := x.catchUp(ctx); err != nil {
		return 0, err
	}
	if wait := x.blocked(); wait > 0 {
		return wait, nil // the record as it is now may have another's claim
	}
	if x.reused() {
		if again, done, err := x.conclude(ctx); !done {
			return again, err
		}
	}
	switch {
	case x.choose(ctx):
		return x.work(ctx)
	case x.Fresh != nil:
		x.spent = true
		return time.Millisecond, nil // the record may know somebody
	}
	x.finish()
	return 0, nil
}

// work takes the steps that are due.
func (x *round) work(ctx context.Context) (again time.Duration, err error) {
	x.sooner(x.next())
	if x.dead || x.Memory.crashed || x.rec.Garbled {
		x.suspect()
	}
	before := x.left()
	if before == 0 {
		return x.rest(ctx)
	}
	if !x.admitted() {
		return x.later(), nil
	}
	x.resolve(ctx)
	if x.fallBack() {
		x.resolve(ctx)
	}
	x.enter()
	if len(x.places) == 0 && len(x.urgent()) == 0 {
		return x.later(), nil
	}
	if err := x.claim(ctx); err != nil {
		return x.unclaimed(err)
	}
	if err := x.act(ctx); err != nil {
		return 0, err
	}
	return x.after(before), nil
}

// unclaimed takes in why the request could not be claimed. What another writer wrote
// before us is looked at at once; one that always does is left alone for longer and
// longer.
func (x *round) unclaimed(err error) (again time.Duration, _ error) {
	switch {
	case x.Faults.IsNotFound(err) && !x.rec.Exists():
		x.finish() // the request was deleted before anybody was told
		return 0, nil
	case !errors.Is(err, ledger.ErrConflict):
		return 0, err
	}
	if x.Memory.idle++; x.Memory.idle <= 3 {
		return time.Millisecond, nil
	}
	x.Observer.Retried()
	return x.pace.Backoff(x.Memory.idle - 3), nil
}

// admitted reports whether the round may go on, or takes its place before the gate.
func (x *round) admitted() bool {
	key, closed := x.lanes.Gate()
	if closed {
		return x.passes.Enter(key, false)
	}
	x.lanes.Skip(lane.Token, x.ID)
	x.lanes.Skip(lane.Service, x.ID)
	return true
}

// decision is the request as the deciders are shown it.
func (x *round) decision() decide.Case {
	return decide.Case{
		ID: x.ID, Request: x.req, View: x.wants.View, Record: x.rec, Memory: &x.Memory.decisions,
		Fenced: x.fenced,
		Route:  func(ctx context.Context) integration.Choices { return x.Router.Recipients(ctx, x.wants.View) },
	}
}

// urgent are the deciders for which a request is claimed though nobody can be told
// now. One whose business it is not is asked when somebody is.
func (x *round) urgent() []integration.Decider {
	list, wait := x.panel.Due(x.decision())
	x.sooner(wait)
	if len(list) > 0 && len(x.wants.Unfinished(&x.rec.Progress)) > 0 {
		list = slices.DeleteFunc(list, func(d integration.Decider) bool { return !d.Concerns(x.wants.View) })
	}
	return list
}

// open are the deciders that have not finished with the request.
func (x *round) open() []integration.Decider { return x.panel.Open(x.decision()) }

// left counts what is missing, now or later.
func (x *round) left() int { return x.wants.LeftAll(&x.rec.Progress) + len(x.open()) }

// after decides when to look again once a round has done its work. A round without
// progress never comes again at once.
func (x *round) after(before int) time.Duration {
	switch left := x.left(); {
	case left == 0:
		x.finish()
		return x.wait
	case left < before:
		x.Memory.idle = 0
	case !x.waits: // a told time is waited for and no sign of anything
		x.Memory.idle++
	}
	x.await()
	if x.stranded() {
		return time.Millisecond
	}
	if x.more = x.more || x.dueNow(); x.more && x.Memory.idle > 1 {
		x.sooner(x.pace.Backoff(x.Memory.idle - 1))
	} else if x.more {
		return time.Millisecond
	}
	return x.later()
}

// rest ends a round in which nothing is due now.
func (x *round) rest(ctx context.Context) (time.Duration, error) {
	if x.dead && !x.rec.Claim.Free() {
		x.rec.Claim = x.rec.Claim.Next(x.Owner) // a dead claim would hold up whoever comes next
	}
	if x.rec.Claim.Owner == x.Owner || len(x.Memory.unrecorded) > 0 {
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
	x.lanes.Withdraw(x.ID)
	x.ledger.Forget(x.ID)
	x.Finish(x.Turn, inbox.Rest{Shown: x.wants.Version(), Reached: x.wants.Due.Last, Wait: x.next()}, x.req == nil)
}

// endure is how long what is missing after the end of a request is tried for.
const endure = 24 * time.Hour

// later returns when to look again at what is due later. What waits in line is
// woken by its lane. A day after its end a request is given up, and who was left is
// named.
func (x *round) later() time.Duration {
	if !x.wants.Status.Ended() {
		x.Memory.ended = time.Time{}
		return x.wait
	}
	if x.Memory.ended.IsZero() {
		x.Memory.ended = time.Now()
	}
	if left := endure - time.Since(x.Memory.ended); left > 0 {
		x.sooner(left)
		return x.wait
	}
	x.Log.Error("A day after its end an access request is given up; some messages about it may not say how it ended",
		zap.String("request_id", x.ID), zap.Strings("recipients", x.wants.Unfinished(&x.rec.Progress)))
	x.finish()
	return 0
}
