package reconcile

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/calls"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/visit"
)

// claim writes our claim, with the state that it is made for and all that is known
// before the first call.
func (x *round) claim(ctx context.Context) error {
	x.decorate(ctx)
	x.rec.Progress.Aim = x.wants.Version()
	x.spent = true
	ctx, cancel := context.WithTimeoutCause(ctx, x.Timing.Record, errors.New("the cluster did not take the record in time"))
	defer cancel()
	since, err := x.ledger.Claim(ctx, x.ID, x.rec)
	x.recorded(err)
	if err == nil {
		clear(x.Memory.unrecorded) // was written with the claim
		x.renew(since)
	}
	return err
}

// act visits the places at the same time, and those to which the request is called
// meanwhile. It records results as they come: those that come together in one write,
// and none later than the flush time. Where nothing can be looked up, others wait for
// the record.
func (x *round) act(ctx context.Context) error {
	results := make(chan *visit.Visit, len(x.rec.Progress.Deliveries)+len(x.places)) // whatever happens here, they can end
	if x.Memory.unrecorded == nil {
		x.Memory.unrecorded = make(map[string]plugindata.Delivery)
	}
	x.Memory.unrecordedOf, x.Memory.unrecordedUnder = x.rec.Progress.Request, x.rec.Claim.Generation
	left := x.begin(ctx, x.places, results)
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	var waiting []*visit.Visit
	for left > 0 {
		select {
		case p := <-results:
			left--
			x.take(p)
			switch waiting = append(waiting, p); {
			case p.Blind:
				flush.Reset(x.Timing.Flush / 10)
			case len(waiting) == 1:
				flush.Reset(x.Timing.Flush)
			}
			if !p.Blind {
				x.passes.Leave(p.Lane)
			}
		case <-x.passes.Called():
			left += x.begin(ctx, x.called(), results)
		case <-flush.C:
			if err := x.record(ctx, true); err == nil {
				for _, p := range waiting {
					x.passes.Leave(p.Lane)
				}
			}
			waiting = nil
		}
	}
	x.wants.Summarize(x.rec) // names the messages of this round too
	if x.panel.Decide(ctx, x.decision()) {
		x.more = true
	}
	return x.record(ctx, false)
}

// begin begins to visit places, and returns how many. No place is visited twice in a
// round.
func (x *round) begin(ctx context.Context, places []*visit.Visit, results chan<- *visit.Visit) int {
	for _, p := range places {
		p.Claim, p.Wants = x.rec.Claim, x.wants
		x.calls.Go(func() {
			x.visitor.Visit(ctx, p)
			results <- p
		})
	}
	return len(places)
}

// take takes over what a visit has achieved, and what its failure means.
func (x *round) take(p *visit.Visit) {
	if of := x.rec.Progress.Request; of != 0 && of != x.Memory.unrecordedOf {
		return // the id names another request by now
	}
	if d := x.rec.Progress.Delivery(p.Recipient); d != nil {
		*d = p.Delivery
	} else { // somebody has changed the record
		x.rec.Progress.Deliveries = append(x.rec.Progress.Deliveries, p.Delivery)
	}
	x.Memory.unrecorded[p.Recipient] = p.Delivery.Clone()
	if p.Lost {
		x.Memory.unsure = time.Now()
	}
	x.more = x.more || p.More
	if p.Err == nil {
		if x.Memory.pauses.End(p.Recipient) > 0 {
			x.digest.Info("A recipient was told after failures before", p.Recipient, p.Fields()...)
		}
		return
	}
	x.failed(p)
}

// failed turns a failure into a pause, for all that it concerns.
func (x *round) failed(p *visit.Visit) {
	fields := append(p.Fields(), zap.Error(p.Err))
	kind, pause := outbound.KindOf(p.Err), x.Memory.pauses.Of(p.Recipient)
	switch {
	case x.held(p, pause):
	case outbound.RefusesToken(p.Err):
		x.more = true // waits for the token
	case kind == outbound.Refused && outbound.ScopeOf(p.Err) == outbound.ThePlace:
		if x.lanes.Refuse(p.Lane) {
			x.digest.Warn("A recipient cannot be told; it is tried again now and then", p.Recipient, fields...)
		}
		x.more = true // waits in its lane
	case kind == outbound.Refused, kind == outbound.Gone, kind == outbound.Fixed:
		pause.Failures++
		pause.Set(x.pace.Probe(pause.Failures), true)
		x.digest.Warn("A recipient cannot be told about an access request; it is tried again now and then", p.Recipient, fields...)
	case (kind == outbound.Wait || kind == outbound.Unclear) && outbound.AfterOf(p.Err) > 0:
		x.waits = true
		pause.Set(max(outbound.AfterOf(p.Err), leastWait), false)
		if outbound.ScopeOf(p.Err) == outbound.ThePlace {
			x.lanes.Hold(p.Lane, outbound.AfterOf(p.Err))
		}
		x.digest.Debug("A recipient must wait", p.Recipient, fields...)
	default:
		x.passing = true
		pause.Failures++
		pause.Set(x.retry(p, pause.Failures), false)
		x.digest.Warn("A recipient could not be told; it is tried again", p.Recipient, fields...)
	}
}

// held takes in that we ourselves did not make a call, or broke off. It reports
// whether that is so.
func (x *round) held(p *visit.Visit, pause *pace.Pause) bool {
	switch {
	case errors.Is(p.Err, calls.ErrNotMade):
		x.more = true
	case errors.Is(p.Err, visit.ErrUnseen):
		pause.Set(max(x.lanes.Blind(p.Lane), x.pace.Probe(1)), true)
	case errors.Is(p.Err, visit.ErrCrashed):
		x.Memory.crashed = true
		pause.Set(crashPause, false)
	case errors.Is(p.Err, visit.ErrBudget):
		pause.Set(x.pace.LongestProbe(), true)
		if !x.Memory.said("budget " + p.Recipient) {
			x.Observer.Exceeded()
			x.Log.Error("A recipient is not told more about an access request", append(p.Fields(), zap.Error(p.Err))...)
		}
	default:
		return false
	}
	return true
}

// leastWait is how long a call that must wait is not tried again at least: each try
// costs a claim.
const leastWait = 20 * time.Millisecond

// retry is the pause after the n-th failure in a row. Where nothing can be looked
// up, an effect that was begun twice is given more time: each further try may be
// seen twice.
func (x *round) retry(p *visit.Visit, n int) time.Duration {
	tries := 0
	for _, t := range p.Doubt {
		tries = max(tries, t.Tries)
	}
	if p.Blind && tries >= 2 {
		return min(x.Timing.RetryMax*time.Duration(min(tries-1, 2)), time.Minute)
	}
	return x.pace.Backoff(n)
}

// fenced reports whether a call could still be under way when others may take the
// claim for dead.
func (x *round) fenced() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	// The time since a claim that was lost, the zero time, must not overflow.
	return time.Since(x.claimed) > x.Timing.Lease-x.Timing.Call
}

func (x *round) renew(at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.claimed = at
}
