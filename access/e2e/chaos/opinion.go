package main

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/vote"
)

// unsettled is a request about which places have an opinion, and nothing was decided.
const unsettled kind = "not decided"

// guarded are the roles about which places may decide. Of the others they have their
// opinions too, which must not count.
func guarded() []string { return []string{roles()[0].name, roles()[2].name} }

// spare is the channel without which a request can be approved.
const spare = 2

// later is the opinion of a place that wants to be asked again, and approves then.
const later = "later"

// statement is what a place has said of a request, whether the plugin has heard it or not.
type statement struct{ request, place, decision string }

// statements are all of them, by when they were made first.
type statements struct {
	mu   sync.Mutex
	made map[statement]time.Time
}

func (s *statements) add(what statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		s.made = make(map[statement]time.Time)
	}
	if _, known := s.made[what]; !known {
		s.made[what] = time.Now()
	}
}

// before reports whether a statement was made before a time, give or take a second.
func (s *statements) before(at time.Time, what statement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, ok := s.made[what]
	return ok && made.Before(at.Add(time.Second))
}

// opinion is what a channel says of a request. It has one of a part of the requests, and
// says the same whenever it is asked.
func (r *request) opinion(channel int) string {
	if !r.put {
		return vote.None
	}
	return []string{
		vote.Approve, vote.Approve, vote.Approve, vote.Approve, later, later, vote.Deny, vote.None,
	}[draw(fmt.Sprint(r.id, channel))%8]
}

// draw makes a number of a text: with draws from the plan's own, every seed would stand
// for another plan.
func draw(text string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text))
	return h.Sum32() >> 8
}

// isPut reports whether a request is one of which places have opinions. One that Teleport's
// own plugin has announced is left to people, and one that expires may do so first.
func (p *plan) isPut(r *request) bool {
	return len(p.deciders) > 0 && r.ttl == 0 && r.adopted == 0 && draw(r.id)%3 == 0
}

// decides reports whether a service is one whose places decide.
func (s *side) decides() bool {
	_, ok := s.Service().(farend.Decider)
	return ok
}

// askPlaces has the places of a service answer by their opinions.
func (w *world) askPlaces(s *side) {
	far, ok := s.Service().(farend.Decider)
	if !ok {
		return
	}
	known := make(map[string]*request)
	for _, r := range w.plan.requests {
		known[r.id] = r
	}
	far.Decide(func(place string, d document.Event) any {
		r := known[d.Request.ID]
		if r == nil {
			return nil
		}
		switch opinion := r.opinion(slices.Index(s.channels, place)); {
		case opinion == vote.None:
			return nil
		case opinion == later && !d.Again:
			return map[string]string{"decision": vote.None, "wait": "1m"}
		case opinion == vote.Deny:
			return w.states(r, place, vote.Deny)
		}
		return w.states(r, place, vote.Approve)
	})
}

// states notes what a place says of a request, and is its answer.
func (w *world) states(r *request, place, decision string) any {
	w.said.add(statement{r.id, place, decision})
	return map[string]string{"decision": decision, "reason": wording(r, place, decision)}
}

// wording is the reason that a place gives.
func wording(r *request, place, decision string) string {
	return fmt.Sprintf("vt-%s-%s-%s", r.id[:13], place, decision)
}

// hears lists the places that hear of a request, and those of them without which it is
// not approved.
func (r *request) hears(s *side) (all, needed []string) {
	for _, channel := range r.role.channels {
		all = append(all, s.channels[channel])
		if channel != spare {
			needed = append(needed, s.channels[channel])
		}
	}
	return all, needed
}

// deciding is the service whose plugin submits reviews under a name, if its places decide.
func (w *world) deciding(author string) *side {
	i := slices.IndexFunc(w.sides, func(s *side) bool { return s.decides() && s.User() == author })
	if i < 0 {
		return nil
	}
	return w.sides[i]
}

// unfounded says why a review that a plugin has submitted by the answers of places is not
// what they have said; empty for one that is. The request's lock is held.
func (w *world) unfounded(r *request, v types.AccessReview, s *side) string {
	all, needed := r.hears(s)
	decision, from := vote.Deny, all
	if v.ProposedState.IsApproved() {
		decision, from = vote.Approve, needed
	}
	var reasons []string
	for _, place := range from {
		if w.said.before(v.Created, statement{r.id, place, decision}) {
			reasons = append(reasons, wording(r, place, decision))
		}
	}
	slices.Sort(reasons)
	switch {
	case !slices.Contains(guarded(), r.role.name):
		return "about a role that is not the places' to decide about"
	case r.adopted > 0:
		return "about a request that was left to people"
	case decision == vote.Approve && (len(reasons) < len(needed) || v.Reason != strings.Join(reasons, "; ")):
		return "an approval that not all places have given that must"
	case decision == vote.Deny && !reasoned(v.Reason, reasons):
		return "a denial that no place has given"
	}
	return ""
}

// reasoned reports whether a text is made of some of the reasons.
func reasoned(text string, reasons []string) bool {
	for part := range strings.SplitSeq(text, "; ") {
		if !slices.Contains(reasons, part) {
			return false
		}
	}
	return true
}

// verdict judges whether a request was decided about which places have an opinion: the
// denial of one is enough, and so is the approval of all without whom there is none.
func (c *court) verdict(r *request, is truth) {
	if !c.side.decides() || is.gone || is.state != pending || !r.put || r.garbled[c.side.name] > 0 || !slices.Contains(guarded(), r.role.name) {
		return
	}
	agreed := !slices.ContainsFunc(r.role.channels, func(channel int) bool {
		return channel != spare && !slices.Contains([]string{vote.Approve, later}, r.opinion(channel))
	})
	denied := slices.ContainsFunc(r.role.channels, func(channel int) bool { return r.opinion(channel) == vote.Deny })
	reviewed := slices.Contains(is.authors(), c.side.User())
	if !reviewed && (agreed || denied) {
		c.offend(r, "-", unsettled, "agreed %v, denied %v", agreed, denied)
	}
}

// reviewedBy reports whether somebody may have reviewed a request at a service.
func (r *request) reviewedBy(who string) bool { return r.put || r.pressesOf(who) > 0 }

// authors are all who may have given a review that is told somewhere: people, and the
// plugins of services whose places decide.
func (p *plan) authors() []string {
	names := slices.Concat(people(), outsiders())
	for _, service := range p.deciders {
		names = append(names, cluster.PluginUserOf(service))
	}
	return names
}
