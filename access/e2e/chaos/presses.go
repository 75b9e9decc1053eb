package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/sandbox/cluster"
)

// What can be wrong with a press or with what came of it.
const (
	unheard   kind = "press unanswered" // the person heard nothing
	undecided kind = "press put off"    // the person was asked to press again
	disowned  kind = "press disowned"   // a message of ours was taken for another's
	untrue    kind = "answer untrue"    // a review was told that is not there
	unlawful  kind = "review unlawful"  // there is a review that must not be
)

// presses counts them by service and outcome.
type presses struct {
	counts  map[string]map[string]int
	reviews int            // that came of presses
	ruled   int            // reviews that came of the answers of places
	lines   []string       // one for each
	others  map[string]int // what came of steps that are no press
}

// outcome is what a person heard.
type outcome string

const (
	nothing  outcome = "unanswered"
	done     outcome = "done"
	already  outcome = "already"
	tryAgain outcome = "try again"
	refused  outcome = "refused"
)

// What people hear, by its sense. The services themselves say the first.
var (
	saysNothing  = regexp.MustCompile(`did not respond|interaction failed|trouble connecting`)
	saysDone     = regexp.MustCompile(`You (approved|denied) this request`)
	saysTryAgain = regexp.MustCompile(`(?i)press again|press too fast|still in work|may not look up who you are`)
	saysAlready  = regexp.MustCompile(`(?i)already|expired or was deleted`)
	saysForeign  = regexp.MustCompile(`not one that the plugin posted|not one of the plugin|earlier request with the same id|cannot tell whether`)
)

func (p *press) outcome() outcome {
	said := strings.Join(p.saw, " ")
	switch {
	case said == "" || saysNothing.MatchString(said):
		return nothing
	case saysDone.MatchString(said):
		return done
	case saysTryAgain.MatchString(said):
		return tryAgain
	case saysAlready.MatchString(said):
		return already
	}
	return refused
}

// judgePresses judges every press and every review.
func (w *world) judgePresses(r *report) {
	r.presses = presses{counts: make(map[string]map[string]int), others: w.tally.counts}
	histories := make(map[*side]history)
	for _, s := range w.sides {
		histories[s] = w.journal.history(s)
	}
	for _, q := range w.plan.requests {
		q.mu.Lock()
		r.offences = append(r.offences, q.wrong...)
		r.offences = append(r.offences, w.unlawful(q)...)
		for _, review := range q.last.reviews {
			switch {
			case cluster.SubmittedBy(review) != "":
				r.presses.reviews++
			case w.deciding(review.Author) != nil:
				r.presses.ruled++
			}
		}
		for _, p := range q.presses {
			o, bad := p.judge(histories[p.side])
			if bad {
				r.offences = append(r.offences, o)
			}
			r.presses.count(p, o.excuse)
		}
		q.mu.Unlock()
	}
	slices.Sort(r.presses.lines)
}

// examine judges what somebody was told, by what the cluster says just then.
func (w *world) examine(p *press) {
	q := p.request
	q.mu.Lock()
	defer q.mu.Unlock()
	is := w.askLocked(q)
	has := slices.ContainsFunc(is.reviews, func(v types.AccessReview) bool { return p.made(v) })
	if p.outcome() == done && !has && !is.gone {
		q.wrong = append(q.wrong, p.offence(untrue, "%v: heard %q, and the cluster has no such review", p, p.saw))
	}
	if len(q.wrong) == 0 {
		q.wrong = append(q.wrong, w.unlawful(q)...)
	}
}

// made reports whether a review is the one for which a press asked.
func (p *press) made(v types.AccessReview) bool {
	return v.Author == p.person && v.ProposedState.IsApproved() == (p.verdict == approve)
}

func (p *press) offence(k kind, format string, args ...any) offence {
	return offence{request: p.request, side: p.side, place: "-", kind: k, text: fmt.Sprintf(format, args...)}
}

// unlawful are the reviews of a request that must not be: by its requester, by those
// who decide nothing, a second one by the same person, and one that nobody asked for.
// The request's lock is held.
func (w *world) unlawful(q *request) (wrong []offence) {
	seen := make(map[string]bool)
	for _, v := range w.askLocked(q).reviews {
		why, by := "", cluster.SubmittedBy(v)
		switch s := w.deciding(v.Author); {
		case seen[v.Author]:
			why = "a second one"
		case s != nil && by == "":
			why = w.unfounded(q, v, s)
		case v.Author == q.user:
			why = "the requester's own"
		case !slices.Contains(people(), v.Author):
			why = "of one who decides nothing"
		case by != "" && q.working == 0 && !slices.ContainsFunc(q.presses, func(p *press) bool { return p.asked(v, by) }):
			why = "one for which nobody has pressed"
		}
		seen[v.Author] = true
		if why != "" {
			wrong = append(wrong, offence{
				request: q, side: w.sides[0], place: "-", kind: unlawful,
				text: fmt.Sprintf("the review by %s (%s, %q) is %s", v.Author, v.ProposedState, v.Reason, why),
			})
		}
	}
	return wrong
}

// asked reports whether a review says what somebody pressed at the service whose plugin
// submitted it.
func (p *press) asked(v types.AccessReview, by string) bool {
	reason := ""
	if p.verdict == deny {
		reason = p.reason
	}
	return p.side.User() == by && p.made(v) && v.Reason == reason &&
		v.Created.After(p.from.Add(-time.Second)) && v.Created.Before(p.to.Add(patience))
}

// judge says what is wrong with the answer to a press.
func (p *press) judge(h history) (o offence, bad bool) {
	switch got := p.outcome(); {
	case got == nothing:
		o = p.offence(unheard, "%v at %s saw %q after %v: %v", p, clock(p.from), p.saw, p.to.Sub(p.from), p.err)
		o.excuse = p.unheardFor(h)
	case got == tryAgain:
		o = p.offence(undecided, "%v at %s saw %q", p, clock(p.from), p.saw)
		o.excuse = p.putOffFor(h)
	case saysForeign.MatchString(strings.Join(p.saw, " ")):
		o = p.offence(disowned, "%v at %s saw %q", p, clock(p.from), p.saw)
		o.excuse = p.disownedFor(h)
	default:
		return o, false
	}
	return o, true
}

const (
	// margin is how long what happened to a connection may take to show.
	margin = 300 * time.Millisecond
	// returning is how long connections may take to come back.
	returning = 90 * time.Second
	// reconnecting is how long a replica may take to be connected to the cluster again.
	reconnecting = 5 * time.Second
	// writing is how long the record of a message may take that was just posted, when the
	// replica fails that posts it.
	writing = 2 * lease
)

// unheardFor is what the promise allows an unanswered press for: a fault of what leads
// to the plugin and back meanwhile. That the cluster fails is none, for that is said.
func (p *press) unheardFor(h history) string {
	for _, m := range h.all {
		if why := m.silences(p.listeners); why != "" && p.meets(m) {
			return why
		}
	}
	if p.listeners == 0 && slices.ContainsFunc(h.all, p.disconnects) {
		return "no replica had a connection yet after a fault"
	}
	return ""
}

// meets reports whether a fault was there during a press. A replica that was away all
// the time is none where another one was connected.
func (p *press) meets(m mark) bool {
	from := p.from.Add(-margin)
	away := m.down && m.from.Before(from) && m.to.After(p.to)
	return m.overlaps(from, p.to) && (!away || p.listeners == 0)
}

// disconnects reports whether the plugin may not be connected yet after a fault.
func (p *press) disconnects(m mark) bool {
	ends := m.back || m.class == ofListen || m.class == ofProcess || m.class == ofToken
	return ends && m.overlaps(p.from.Add(-returning), p.to)
}

// silences says how a fault keeps an answer from a person.
func (m mark) silences(listeners int) string {
	switch {
	case m.stalled || m.slow:
		return "the machine was too slow"
	case m.class == ofProcess:
		return "a replica was killed, ended, stopped or reloaded meanwhile"
	case m.class == ofToken:
		return "the token was refused"
	case m.back:
		return "a call of the answer failed at the service"
	case m.class == ofListen && (listeners == 0 || m.from.Equal(m.to)):
		return "the connection was cut or renewed"
	}
	return ""
}

// putOffFor is what the promise allows it for that somebody must press again.
func (p *press) putOffFor(h history) string {
	for _, m := range h.all {
		if why := p.puttingOff(m); why != "" {
			return why
		}
	}
	if strings.Contains(strings.Join(p.saw, " "), "still writing this message") {
		return p.hindered(h)
	}
	return ""
}

// puttingOff says how a fault keeps a press from being decided.
func (p *press) puttingOff(m mark) string {
	recent := func(d time.Duration) bool { return m.overlaps(p.from.Add(-d), p.to) }
	ours := m.request == p.request.id
	switch m.class {
	case ofPress:
		if ours && recent(patience) {
			return "it was pressed twice at once"
		}
	case ofWrite, ofRecord:
		if ours && recent(patience) {
			return "a call about the request failed at the cluster"
		}
	case ofCluster, ofRight:
		if recent(reconnecting) {
			return "the cluster failed"
		}
	case ofMachine: // on which the cluster may have seemed to be away
		if recent(reconnecting) {
			return m.silences(p.listeners)
		}
	default:
		if p.meets(m) {
			return m.silences(p.listeners)
		}
	}
	return ""
}

// hindered reports a fault that may have kept the plugin from recording a message.
func (p *press) hindered(h history) string {
	for _, m := range h.all {
		here := m.request == "" || m.request == p.request.id
		if here && !m.stalled && m.class != ofListen && m.overlaps(p.from.Add(-writing), p.to) {
			return "a fault hindered the record of the message"
		}
	}
	return ""
}

// disownedFor is what the promise allows it for that a message is not known.
func (p *press) disownedFor(h history) string {
	if p.request.garbled[p.side.name] > 0 {
		return "its record was garbled"
	}
	for at := range p.request.removed {
		if at.service == p.side.name {
			return "the message was removed by hand, and made again"
		}
	}
	for _, m := range h.touching(p.request, p.to) {
		switch {
		case m.late || m.slow:
			return "a replica stood still, or the machine was slow, for longer than a lease"
		case p.side.blind && (m.crash || m.unclear):
			return "a crash or a lost answer at a blind place left a message that is not known"
		}
	}
	return ""
}

// count counts a press, and why what is wrong with it is allowed.
func (c *presses) count(p *press, excuse string) {
	c.lines = append(c.lines, fmt.Sprintf("%s %5.1fs %-10s request %s: %v: %q, %v; %d listened; %s",
		clock(p.from), p.to.Sub(p.from).Seconds(), p.outcome(), p.request.id, p, p.saw, p.err, p.listeners, excuse))
	if c.counts[p.side.name] == nil {
		c.counts[p.side.name] = make(map[string]int)
	}
	c.counts[p.side.name][string(p.outcome())]++
}

func (c *presses) print(out io.Writer) {
	for _, service := range slices.Sorted(maps.Keys(c.counts)) {
		all, texts := 0, []string{}
		for _, o := range []outcome{done, already, refused, tryAgain, nothing} {
			n := c.counts[service][string(o)]
			all += n
			texts = append(texts, fmt.Sprintf("%d %s", n, o))
		}
		fmt.Fprintf(out, "presses at %s: %d; %s\n", service, all, strings.Join(texts, ", "))
	}
	for _, what := range slices.Sorted(maps.Keys(c.others)) {
		fmt.Fprintf(out, "presses that were not made: %d, by somebody who %s\n", c.others[what], what)
	}
	fmt.Fprintf(out, "reviews that came of presses: %d, of the answers of places: %d\n", c.reviews, c.ruled)
}
