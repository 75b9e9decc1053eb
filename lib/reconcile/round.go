package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// carryOut claims the request, takes the missing steps for all recipients in
// parallel, and records their results.
func (r *Reconciler) carryOut(ctx context.Context, id string, t *track, rec *plugindata.Record, req types.AccessRequest, v message.View, w work) (time.Duration, error) {
	blind := r.blind()
	var s *speaker
	if says := r.saying(rec, v, w); blind && says > 0 {
		var err error
		if s, err = r.floor.take(says); err != nil {
			return 0, err
		}
		t.spoke = true
		defer s.end()
	}
	r.decorate(ctx, req, rec, &v)
	if t.suspect {
		doubt(rec)
	}
	claimed, err := r.claim(ctx, id, rec)
	switch {
	case errors.Is(err, errConflict):
		return time.Millisecond, nil // look at what the other writer wrote
	case err != nil && r.Faults.IsNotFound(err) && !rec.Exists():
		r.finish(id, "", false) // the request was deleted before anybody was told
		return 0, nil
	case err != nil:
		return 0, err
	}
	t.suspect = false
	clear(t.unrecorded) // was written with the claim
	f := &flight{r: r, id: id, view: v, blind: blind, speaker: s, taken: addresses(rec)}
	f.renew(claimed)
	if err := r.fly(ctx, t, rec, f, w); err != nil {
		return 0, err
	}
	next := r.plan(rec, v, t)
	if !next.empty() {
		return time.Millisecond, nil
	}
	if next.wait == 0 {
		r.finish(id, v.Version(), req == nil)
	}
	return next.wait, nil
}

// blind reports whether messages cannot be looked up.
func (r *Reconciler) blind() bool {
	finder, ok := r.Service.(Finder)
	return !ok || !finder.CanFind()
}

// saying is how many of the recipients miss a message.
func (r *Reconciler) saying(rec *plugindata.Record, v message.View, w work) (n int) {
	for _, i := range w.deliveries {
		if r.says(rec.Progress.Deliveries[i], v) {
			n++
		}
	}
	return n
}

// doubt notes that whoever held the claim may have died between a call and its
// record. That is written down with our own claim, lest we die as well.
func doubt(rec *plugindata.Record) {
	for i := range rec.Progress.Deliveries {
		d := &rec.Progress.Deliveries[i]
		d.Unclear = !d.Over()
	}
}

// decorate adds what is nice to know, unless the record has it already.
func (r *Reconciler) decorate(ctx context.Context, req types.AccessRequest, rec *plugindata.Record, v *message.View) {
	if rec.Exists() && rec.User != "" {
		if len(rec.Logins) > 0 {
			v.Logins = rec.Logins
		}
		if len(rec.Resources) > 0 {
			v.Resources = rec.Resources
		}
		return
	}
	if req == nil || r.Decorator == nil {
		return
	}
	r.Decorator.Decorate(ctx, v, req)
	rec.Logins, rec.Resources = v.Logins, v.Resources
}

func addresses(rec *plugindata.Record) map[string]bool {
	taken := make(map[string]bool)
	for _, d := range rec.Progress.Deliveries {
		if d.Address != "" && !d.Over() {
			taken[d.Address] = true
		}
	}
	return taken
}

// flight is one round's work under a claim.
type flight struct {
	r    *Reconciler
	id   string
	view message.View
	// blind says that messages cannot be looked up. Then those that are made need
	// a speaker.
	blind   bool
	speaker *speaker

	mu      sync.Mutex
	claimed time.Time       // when the claim, or its last renewal, began to count
	taken   map[string]bool // addresses that have a recipient
}

func (f *flight) renew(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claimed = at
}

// errNotMade is within the error of a call that is left to the next round.
var errNotMade = errors.New("the call was not made")

// errFenced says that a call might outlive the claim.
var errFenced = fmt.Errorf("%w: the claim is too old for it", errNotMade)

// fence refuses a call that could still be under way when others may take the
// claim for dead.
func (f *flight) fence() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	// The time since a claim that was lost, the zero time, must not overflow.
	if time.Since(f.claimed) > f.r.Timing.Lease-f.r.Timing.Call {
		return errFenced
	}
	return nil
}

// take makes an address that of one recipient; a second one does not get it.
func (f *flight) take(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taken[address] {
		return false
	}
	f.taken[address] = true
	return true
}

// fly runs the recipients' steps and records results as they come: those that
// come together in one write, and none later than the flush time. Results for
// which others wait are recorded at once.
func (r *Reconciler) fly(ctx context.Context, t *track, rec *plugindata.Record, f *flight, w work) error {
	attempts := make(chan attempt)
	for _, i := range w.deliveries {
		d := rec.Progress.Deliveries[i]
		go func() { attempts <- f.deliver(ctx, d) }()
	}
	if t.unrecorded == nil {
		t.unrecorded = make(map[string]plugindata.Delivery)
	}
	t.unrecordedOf = rec.Progress.Request
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	waiting := false
	var turns []*turn
	recorded := func() {
		for _, t := range turns {
			t.leave()
		}
		turns = nil
	}
	defer recorded()
	for left := len(w.deliveries); left > 0; {
		select {
		case a := <-attempts:
			left--
			r.settle(t, f.id, &a)
			*rec.Delivery(a.Recipient) = a.Delivery
			t.unrecorded[a.Recipient] = a.Delivery
			if a.turn != nil {
				turns = append(turns, a.turn)
				flush.Reset(0)
			} else if !waiting {
				flush.Reset(r.Timing.Flush)
			}
			waiting = true
		case <-flush.C:
			waiting = false
			at := time.Now()
			err := r.record(ctx, f.id, t, rec, f.view, true)
			switch {
			case rec.Claim.Owner != r.Owner:
				f.renew(time.Time{}) // another replica has it; no further call
			case err == nil:
				f.renew(at)
			case f.blind:
				f.renew(time.Time{}) // nothing more is said before that is recorded
			}
			recorded()
		}
	}
	if w.decide {
		r.decide(ctx, t, f, rec)
	}
	return r.record(ctx, f.id, t, rec, f.view, false)
}

// settle turns the failure of a recipient's step into a pause or an end.
func (r *Reconciler) settle(t *track, id string, a *attempt) {
	d := &a.Delivery
	if a.err == nil {
		if p := t.pauses[d.Recipient]; p != nil && p.failures > 0 {
			r.folded.Info("A recipient was told after failures before", r.fields(id, *d)...)
		}
		delete(t.pauses, d.Recipient)
		return
	}
	if errors.Is(a.err, errNotMade) {
		return
	}
	fields := append(r.fields(id, *d), zap.Error(a.err))
	switch outbound.KindOf(a.err) {
	case outbound.Permanent, outbound.Gone:
		d.Failed = a.err.Error()
		d.Unclear = false
		delete(t.pauses, d.Recipient)
		if d.Requester {
			r.folded.Info("The requester cannot be reached at the service", fields...)
		} else {
			r.folded.Error("A recipient cannot be told of an access request", fields...)
		}
	case outbound.Credentials:
		r.refuseFor(a.err)
		t.pause(d.Recipient, r.refused())
	case outbound.Wait:
		t.pause(d.Recipient, max(outbound.AfterOf(a.err), r.Timing.RetryMin/10))
		r.folded.Debug("A recipient must wait for the service's rate limit", fields...)
	default:
		p := t.pause(d.Recipient, 0)
		p.failures++
		p.until = time.Now().Add(r.backoff(p.failures))
		if p.failures == 1 {
			r.folded.Warn("A recipient could not be told; it will be tried again", fields...)
		} else {
			r.folded.Debug("A recipient could not be told again", fields...)
		}
	}
}

func (t *track) pause(recipient string, d time.Duration) *pause {
	p := t.pauses[recipient]
	if p == nil {
		p = &pause{}
		t.pauses[recipient] = p
	}
	p.until = time.Now().Add(d)
	return p
}

func (r *Reconciler) fields(id string, d plugindata.Delivery) []zap.Field {
	fields := []zap.Field{zap.String("request_id", id), zap.String("recipient", d.Recipient)}
	if d.Posted() {
		fields = append(fields, zap.String("channel_id", d.Channel), zap.String("message_id", d.ID))
	}
	return fields
}

// credentialsPause is how long no call is made, at the most, after the service
// refused our credentials: it is for a person to mend, and some services ban
// those who insist.
const credentialsPause = 30 * time.Second

func (r *Reconciler) refuseFor(err error) {
	r.mu.Lock()
	r.refuse = time.Now().Add(min(credentialsPause, r.Timing.RetryMax))
	r.mu.Unlock()
	r.Health.Set(ConditionService, false, err.Error())
}

// refused returns how long no call to the service is to be made.
func (r *Reconciler) refused() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(time.Until(r.refuse), 0)
}

// decide asks the integration's rules about a pending request, once.
func (r *Reconciler) decide(ctx context.Context, t *track, f *flight, rec *plugindata.Record) {
	decider, ok := r.Service.(Decider)
	if !ok || f.fence() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timing.Call)
	defer cancel()
	r.summarize(rec, f.view) // names the posts of this round too
	d, err := decider.Decide(ctx, f.view, rec.Messages)
	if err == nil && d.Approve {
		err = r.approve(ctx, f.id, d)
	}
	log := r.Log.With(zap.String("request_id", f.id), zap.String("user", f.view.User), zap.Strings("roles", f.view.Roles))
	switch {
	case err != nil && outbound.KindOf(err) == outbound.Permanent:
		rec.Progress.Decision = "failed: " + err.Error()
		log.Error("A rule could not decide an access request; it is left to people", zap.Error(err))
	case err != nil:
		p := t.pause(decision, 0)
		p.failures++
		p.until = time.Now().Add(r.backoff(p.failures))
		r.folded.Warn("A rule could not decide an access request; it will be tried again",
			zap.String("request_id", f.id), zap.Error(err))
	case !d.Approve && d.Evidence == "":
		rec.Progress.Decision = "no rule concerns the request"
		delete(t.pauses, decision)
	default:
		rec.Progress.Decision = "left to people: " + d.Evidence
		text := "An access request is left to people"
		if d.Approve {
			rec.Progress.Decision, text = "approved: "+d.Evidence, "An access request was approved by rule"
		}
		delete(t.pauses, decision)
		log.Info(text, zap.String("evidence", d.Evidence))
	}
}

// approve submits the review. A refusal is looked into: that we have reviewed
// the request before is success.
func (r *Reconciler) approve(ctx context.Context, id string, d Decision) error {
	err := r.Cluster.SubmitReview(ctx, id, r.Author, d.Reason)
	if err == nil || !r.Faults.IsDenied(err) {
		return err
	}
	req, readErr := r.Cluster.GetRequest(ctx, id)
	if readErr != nil {
		return fmt.Errorf("reading the access request after a refused review: %w", readErr)
	}
	if req == nil || req.GetState() != types.RequestState_PENDING {
		return nil // ended meanwhile
	}
	for _, review := range req.GetReviews() {
		if review.Reason == d.Reason && review.ProposedState == types.RequestState_APPROVED {
			return nil
		}
	}
	return &outbound.Error{
		Kind: outbound.Permanent, Op: "submit review", Err: err,
		Hint: "allow the plugin's role to review these roles (review_requests)",
	}
}
