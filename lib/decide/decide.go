// Package decide has access requests reviewed by rule. A decision belongs to a
// request: what a decider proposes is submitted as a review under our name, and the
// decider hears of it once the cluster has accepted it.
package decide

import (
	"context"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// minAgain is the least time after which a decider is asked again.
const minAgain = time.Minute

// Options tell a Panel what to work with.
type Options struct {
	Deciders []integration.Decider
	Cluster  Cluster
	// Author returns the name under which reviews are submitted: a user of the
	// cluster.
	Author func() string
	// View returns the view of a request.
	View func(types.AccessRequest) request.View
	// IsDenied says of an error of the Cluster that a permission is missing.
	IsDenied func(error) bool
	// Stepped counts a decision, how it ended, and how long it took.
	Stepped func(step integration.Step, err error, took time.Duration)
	// Time bounds one decision and its review.
	Time    time.Duration
	Pace    pace.Pace
	Digest  *diag.Digest
	Crashes diag.Crashes
	Log     *zap.Logger
}

// Cluster is what is asked of the Teleport cluster.
type Cluster interface {
	// GetRequest reads a request from the cluster's store; it returns nil and
	// no error when the cluster shows none.
	GetRequest(ctx context.Context, id string) (types.AccessRequest, error)
	// SubmitReview reviews a request, and returns it as it is after that.
	SubmitReview(ctx context.Context, id string, r types.AccessReview) (types.AccessRequest, error)
}

// Panel asks the deciders. It may be used by several goroutines.
type Panel struct{ Options }

// Memory is what a process keeps of the decisions about a request.
type Memory struct {
	pauses   pace.Pauses                    // after failures, by decider
	asked    map[string]facts               // what it was when a decider had nothing to say yet
	verdicts map[string]integration.Verdict // reviews that may or may not have been submitted, by decider
}

// facts are what may change the mind of a decider that had nothing to say yet.
type facts struct {
	version request.Version
	told    int // announcements and reviews
}

// facts are those of the case as it is.
func (c Case) facts() facts {
	f := facts{version: c.View.Version()}
	for i := range c.Record.Progress.Deliveries {
		d := &c.Record.Progress.Deliveries[i]
		f.told += len(d.Posts) + d.Reviews
	}
	return f
}

// Case is a request to be decided about.
type Case struct {
	ID string
	// Request is the request as it was read, or nil once the cluster does not have
	// it; View is the view of it.
	Request types.AccessRequest
	View    request.View
	// Record names the messages about the request and the deciders that have
	// finished with it.
	Record *plugindata.Record
	Memory *Memory
	// Route lists whom the request would be told to if that were chosen now.
	Route func(ctx context.Context) integration.Choices
	// Fenced reports whether our claim is too old for another decision.
	Fenced func() bool
}

// Open are the deciders that have not finished with a request. What Teleport's own
// plugin left to people stays with them.
func (p *Panel) Open(c Case) (list []integration.Decider) {
	if c.Request == nil || !p.Awaits(c.View.Status, c.Record) {
		return nil
	}
	for _, d := range p.Deciders {
		if !slices.Contains(c.Record.Progress.Decided, d.Name()) {
			list = append(list, d)
		}
	}
	return list
}

// Awaits reports whether a decider has not finished with a request in this state, of
// which nothing but the record is known.
func (p *Panel) Awaits(s request.Status, rec *plugindata.Record) bool {
	if s != request.Pending || rec.Adopted {
		return false
	}
	return slices.ContainsFunc(p.Deciders, func(d integration.Decider) bool { return !slices.Contains(rec.Progress.Decided, d.Name()) })
}

// Due are those of them that may be asked now. wait is the time until the next one
// may be asked, or zero.
func (p *Panel) Due(c Case) (list []integration.Decider, wait time.Duration) {
	for _, d := range p.Open(c) {
		left, _ := c.Memory.pauses.Left(d.Name())
		if was, waits := c.Memory.asked[d.Name()]; waits && was != c.facts() {
			left = 0
		}
		switch {
		case left == 0:
			list = append(list, d)
		case wait == 0 || left < wait:
			wait = left
		}
	}
	return list, wait
}

// Close notes that all deciders have finished with a request, of which it is not
// known whether any of them has decided.
func (p *Panel) Close(rec *plugindata.Record) {
	for _, d := range p.Deciders {
		rec.Progress.Decided = append(rec.Progress.Decided, d.Name())
	}
}

// Decide asks the deciders that are due. Verdicts are not kept: an attempt that
// fails decides anew. more says that our claim became too old for the rest.
func (p *Panel) Decide(ctx context.Context, c Case) (more bool) {
	p.settle(ctx, c)
	due, _ := p.Due(c)
	for _, d := range due {
		if c.Fenced() {
			return true
		}
		p.decideBy(ctx, c, d)
	}
	return false
}

func (p *Panel) decideBy(ctx context.Context, c Case, d integration.Decider) {
	defer p.Crashes.Catch(c.ID, "a decider")
	pause := c.Memory.pauses.Of(d.Name())
	pause.Set(minAgain, false) // for whatever happens
	delete(c.Memory.asked, d.Name())
	verdict, req, err := p.verdict(ctx, c, d)
	switch {
	case err != nil:
		pause.Failures++
		if pause.Set(max(p.Pace.Backoff(pause.Failures), outbound.AfterOf(err)), false); outbound.KindOf(err) == outbound.Refused {
			pause.Set(p.Pace.Probe(pause.Failures), true)
		}
		p.Digest.Warn("A rule could not decide an access request; it is tried again", d.Name(),
			zap.String("request_id", c.ID), zap.String("decider", d.Name()), zap.Error(err))
		return
	case verdict.Again > 0 && verdict.Propose == "":
		pause.Set(max(verdict.Again, minAgain), false)
		if c.Memory.asked == nil {
			c.Memory.asked = make(map[string]facts)
		}
		c.Memory.asked[d.Name()] = c.facts()
	default:
		c.Memory.pauses.End(d.Name())
		c.finished(d)
	}
	p.report(ctx, c, d, verdict, req)
}

// finished notes that a decider has finished with the request.
func (c Case) finished(d integration.Decider) {
	c.Record.Progress.Decided = append(c.Record.Progress.Decided, d.Name())
}

// report says what came of a verdict. The request is as it is after that; nil
// stands for the one that was read.
func (p *Panel) report(ctx context.Context, c Case, d integration.Decider, verdict integration.Verdict, req types.AccessRequest) {
	log := p.Log.With(zap.String("request_id", c.ID), zap.String("user", c.View.User), zap.Strings("roles", c.View.Roles))
	switch {
	case verdict.Propose != "":
		log.Info("An access request was reviewed by rule", zap.String("proposed_state", string(verdict.Propose)), zap.String("evidence", verdict.Evidence))
	case verdict.Evidence != "":
		log.Info("An access request is left to people", zap.String("evidence", verdict.Evidence))
	default:
		return
	}
	reporter, ok := d.(integration.Reporter)
	if !ok {
		return
	}
	v := c.View
	if req != nil {
		v = p.View(req)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Time)
	defer cancel()
	reporter.Report(ctx, v, c.Record.Messages, verdict)
}

// settle looks whether reviews of ours that may not have been submitted are among
// those of a request that was decided meanwhile.
func (p *Panel) settle(ctx context.Context, c Case) {
	if c.View.Status == request.Pending || len(c.Memory.verdicts) == 0 {
		return
	}
	for _, d := range p.Deciders {
		v, ok := c.Memory.verdicts[d.Name()]
		if ok && p.reviewed(c.Request, v) {
			c.finished(d)
			p.report(ctx, c, d, v, nil)
		}
	}
	c.Memory.verdicts = nil
}
