package webhook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recent"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/vote"
)

// rememberedAnswers is how many answers are kept; others are asked for again.
const rememberedAnswers = 5000

// soon is when it is tried again to get an answer that is missing.
const soon = time.Minute

// answers are those that endpoints have given to their newest events.
type answers = recent.Memory[answerKey, answered]

type answerKey struct {
	request, endpoint string
	created           int64
}

type answered struct {
	reply
	effect integration.Effect
	at     time.Time
}

func newAnswers() *answers { return recent.New[answerKey, answered](rememberedAnswers) }

func keyOf(v request.View, endpoint string) answerKey {
	return answerKey{v.ID, endpoint, v.Created.Unix()}
}

// holds is how long an answer keeps an endpoint from being asked again, or zero if it
// stands: an approval by halves does not count, and an endpoint may want to be asked
// later.
func (a answered) holds() time.Duration {
	switch {
	case a.partial && a.Decision == vote.Approve:
		return soon
	case a.Decision == vote.None && a.Wait > 0:
		return max(a.Wait, soon)
	}
	return 0
}

// heard takes in what an endpoint has answered to an event about a request that may be
// decided.
func (s *service) heard(v request.View, r *receiver, e integration.Effect, said reply) {
	if !s.decide.covers(v) || e.Kind == integration.Pending { // it is no new question
		return
	}
	key := keyOf(v, r.name)
	if before, _ := s.answers.Get(key); said.fault == nil || before.Decision != vote.Deny { // what is not understood takes no denial back
		s.answers.Put(key, answered{said, e, time.Now()})
	}
	log := r.log.With(zap.String("request_id", v.ID), zap.String("event", e.String()), zap.Duration("took", said.took), zap.String("document_sha256", said.hash))
	switch {
	case said.fault != nil:
		log.Warn("The answer of an endpoint decides nothing, since it is not understood", zap.Error(said.fault))
	case said.Decision == vote.None:
		log.Debug("An endpoint leaves an access request to others", zap.Duration("wait", said.Wait))
	default:
		log.Info("An endpoint has decided about an access request", zap.String("decision", said.Decision), zap.String("reason", message.Line(said.Reason)))
	}
}

// decider decides by what endpoints answer.
type decider struct{ *service }

var (
	_ integration.Decider  = (*decider)(nil)
	_ integration.Objector = (*decider)(nil)
)

// Name implements integration.Decider.
func (d *decider) Name() string { return "webhook" }

// Concerns implements integration.Decider.
func (d *decider) Concerns(v request.View) bool { return d.decide.covers(v) }

// Decide implements integration.Decider. An endpoint whose answer is not known, since
// it was given to another process say, is asked for it again, until one of them denies.
func (d *decider) Decide(ctx context.Context, v request.View, told integration.Told) (integration.Verdict, error) {
	if !d.Concerns(v) {
		return integration.Verdict{}, nil
	}
	h := hearing{d.service, v, told}
	names, whole := h.names(ctx)
	votes, open := make([]vote.Vote, len(names)), []*vote.Vote(nil)
	for i, name := range names {
		o, ask := h.vote(name)
		if votes[i] = o; ask {
			open = append(open, &votes[i])
		}
	}
	if !vote.Denied(votes) {
		h.ask(ctx, open)
	}
	verdict := vote.Settle(votes, d.decide.Allow)
	if verdict.Propose == request.Approved && !whole { // an endpoint may be missing that would deny
		return integration.Verdict{Again: soon}, nil
	}
	return verdict, nil
}

// hearing is one look at what endpoints say of a request.
type hearing struct {
	*service
	view request.View
	told integration.Told
}

// names lists the recipients of the request, whether they were told or are to be. whole
// says that nobody can be missing.
func (h hearing) names(ctx context.Context) (names []string, whole bool) {
	named, whole := h.told.Recipients(ctx)
	names = slices.Clone(named)
	for _, m := range h.told.Posts {
		names = append(names, m.Channel)
	}
	slices.Sort(names)
	return slices.Compact(names), whole
}

// question is the effect whose answer counts: the newest that the endpoint hears of.
// asked says that it has been given that event. What it has not been given yet it is not
// asked about: it gets the event, and answers that.
func (h hearing) question(r *receiver) (e integration.Effect, asked bool) {
	posted := slices.ContainsFunc(h.told.Posts, func(m plugindata.Message) bool { return m.Channel == r.name })
	if n := min(len(h.view.Reviews), plan.MaxReviews); n > 0 && r.takes(document.Reviewed) {
		return integration.Effect{Kind: integration.Review, Index: n - 1}, posted && h.told.Reviews[r.name] >= n
	}
	return integration.Effect{Kind: integration.Announce}, posted && r.takes(document.Created)
}

// vote is what is known of the answer of a recipient, and whether to ask for it. One that
// the config does not have is required: somebody wanted it to be told.
func (h hearing) vote(name string) (o vote.Vote, ask bool) {
	o = vote.Vote{Voter: name, Required: true, Decision: vote.None}
	r := h.endpoints[name]
	if r == nil {
		return o, false
	}
	o.Required = r.Required
	e, asked := h.question(r)
	if !asked {
		return o, false
	}
	said, _ := h.answers.Get(keyOf(h.view, name))
	switch pause := said.holds(); {
	case said.effect != e && said.Decision != vote.Deny: // a denial holds until the endpoint says something else
		return o, true
	case pause > 0:
		o.Again = pause - time.Since(said.at)
		return o, o.Again <= 0
	}
	o.Decision, o.Reason = said.Decision, said.Reason
	o.Evidence = fmt.Sprintf("in %v, to the document with SHA-256 %s", said.took.Round(time.Millisecond), said.hash)
	return o, false
}

// ask asks endpoints for their answers, until one of them denies.
func (h hearing) ask(ctx context.Context, open []*vote.Vote) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for _, o := range open {
		all.Go(func() {
			if *o = h.answer(ctx, *o); o.Decision == vote.Deny {
				cancel() // whatever the others say
			}
		})
	}
	all.Wait()
}

// answer asks an endpoint for an answer. One that has answered before is asked anew: with
// an id of its own, or it would repeat itself.
func (h hearing) answer(ctx context.Context, o vote.Vote) vote.Vote {
	o.Again = soon
	r := h.endpoints[o.Voter]
	if !r.asked.TryAcquire(1) {
		return o
	}
	defer r.asked.Release(1)
	e, _ := h.question(r)
	what := e.String()
	if said, _ := h.answers.Get(keyOf(h.view, r.name)); said.effect == e {
		what += fmt.Sprintf(" again %d", time.Since(h.view.Created)/time.Minute)
	}
	d := document.Of(e, document.ID(h.view, r.name, what), h.view, h.facts.Of(ctx, h.view))
	d.Again = true
	if err := h.hand(ctx, r, e, h.view, d); err != nil {
		r.log.Debug("An endpoint did not answer again; it is asked later", zap.String("request_id", h.view.ID), zap.Error(err))
		return o
	}
	o, _ = h.vote(o.Voter)
	return o
}

// Refused implements integration.Objector: the endpoints that have decided so hear that
// the cluster does not follow them.
func (d *decider) Refused(ctx context.Context, v request.View, posts []plugindata.Message, verdict integration.Verdict, cause error) {
	decision := vote.Approve
	if verdict.Propose == request.Denied {
		decision = vote.Deny
	}
	var all sync.WaitGroup
	for _, m := range posts {
		r := d.endpoints[m.Channel]
		said, _ := d.answers.Get(keyOf(v, m.Channel))
		if r == nil || said.Decision != decision || !r.takes(document.Refused) {
			continue
		}
		all.Go(func() {
			event := document.New(document.Refused, document.ID(v, r.name, document.Refused+" "+decision), v, d.facts.Of(ctx, v))
			event.Refused = &document.Refusal{Decision: decision, Reason: said.Reason, Cause: cause.Error()}
			if _, err := r.deliver(ctx, event); err != nil {
				r.log.Warn("An endpoint could not be told that its decision was refused", zap.String("request_id", v.ID), zap.Error(err))
			}
		})
	}
	all.Wait()
}
