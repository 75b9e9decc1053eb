// Package plan says what is missing of an access request for each recipient: the
// next step, how many are left, and what a step changes in the record. It is a pure
// function of the request and the record, and calls nobody.
package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

// Abilities are what a service can do.
type Abilities struct {
	// Which effects it tells beside the announcement.
	Reviews, Ends, Notices, Pendings, Endings bool
	Shows                                     bool // its messages can be changed
	// Lapses says that notices tell of requests that expired, too.
	Lapses bool
}

// Telling are the abilities as far as the requester is to be told.
func (a Abilities) Telling(r recipient.Requester) Abilities {
	a.Lapses = a.Notices && r.Lapses
	a.Notices = a.Notices && r.Decisions
	return a
}

// AbilitiesOf returns the abilities of a service.
func AbilitiesOf(s integration.Service) Abilities {
	_, shows := s.(integration.Shower)
	_, requester := s.(integration.Requester)
	return Abilities{
		Reviews: s.Tells(integration.Review), Ends: s.Tells(integration.End),
		Notices: requester && s.Tells(integration.Notice), Endings: requester && s.Tells(integration.Ending),
		Pendings: s.Tells(integration.Pending), Shows: shows, Lapses: requester && s.Tells(integration.Notice),
	}
}

// Verb is what a step does.
type Verb int

// The verbs of steps.
const (
	Tell   Verb = iota // make an effect happen
	Settle             // find out whether an effect has happened
	Show               // make a message show the request as it is
)

// Step is one thing to be done for a recipient.
type Step struct {
	Verb
	Effect integration.Effect // of Tell and Settle; zero for one that no service has
	Wanted bool               // of Settle: the effect is to happen, if it has not
	Post   int                // of Show: the index of the message
}

// String says for an operator what is to be done.
func (s Step) String() string {
	switch s.Verb {
	case Settle:
		return "find out whether " + s.Effect.String() + " has happened"
	case Show:
		return "bring the message up to date"
	}
	return "tell " + s.Effect.String()
}

// MaxReviews is how many reviews are told one by one below a message. The message
// itself shows how many there are.
const MaxReviews = 50

// Wants says what is to be shown of a request, and what it takes for that.
type Wants struct {
	request.View
	// Can is what the service can do.
	Can Abilities
	// Announced says that a request in this state is told to those who have not
	// heard of it.
	Announced bool
	// Gone says that the cluster does not have the request any more: nothing is
	// announced, but what was is kept true.
	Gone bool
	// Due is what has become due of the request's agenda.
	Due agenda.Due
	// AnyButtons says that it is not known whether messages are to have buttons.
	AnyButtons bool
	// Again says that the time has come to show messages once more that a late
	// call may have changed back.
	Again bool
}

// Next is the first step that is due for a recipient. What people must know first
// comes first: that there is a request, how it stands, and then the rest.
func (w Wants) Next(d *plugindata.Delivery) (s Step, due bool) {
	if s, due = w.effect(d, announcement(d), w.WantsAnnouncement(d)); due && !d.Posted() {
		return s, true
	}
	if i := slices.IndexFunc(d.Posts, w.stale); i >= 0 {
		return Step{Verb: Show, Post: i}, true
	}
	for _, e := range []struct {
		effect integration.Effect
		wanted bool
	}{
		{integration.Effect{Kind: integration.Review, Index: d.Reviews}, w.wantsReview(d)},
		{integration.Effect{Kind: integration.Pending, Index: w.Due.Pending}, w.wantsPending(d)},
		{integration.Outcome(integration.End, w.Status), w.WantsEnd(d)},
		{integration.Outcome(integration.Notice, w.Status), w.wantsNotice(d)},
		{integration.Effect{Kind: integration.Ending, Index: w.Due.Ending}, w.wantsEnding(d)},
	} {
		if s, due = w.effect(d, e.effect, e.wanted); due {
			return s, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Doubt)) { // not wanted any more
		return Step{Verb: Settle, Effect: effectNamed(name)}, true
	}
	return Step{}, false
}

// announcement is the effect that announces a request to a recipient.
func announcement(d *plugindata.Delivery) integration.Effect {
	return integration.Effect{Kind: integration.Announce, Index: min(d.Generation, 1)}
}

// effect is the step for an effect, if there is one to take.
func (w Wants) effect(d *plugindata.Delivery, e integration.Effect, wanted bool) (Step, bool) {
	if d.Doubt[e.String()].Tries > 0 {
		return Step{Verb: Settle, Effect: e, Wanted: wanted}, true
	}
	return Step{Verb: Tell, Effect: e}, wanted
}

// effectNamed is the effect with a name; of no effect it is the zero value, which
// no service has.
func effectNamed(name string) integration.Effect {
	kind, index, _ := strings.Cut(name, ".")
	n, err := strconv.Atoi(index)
	e := integration.Effect{Kind: integration.Kind(kind), Index: n}
	if err != nil || n < 0 || e.String() != name || !slices.Contains(integration.Kinds(), e.Kind) {
		return integration.Effect{}
	}
	return e
}

// WantsAnnouncement reports whether a recipient is to get a message. One that was
// removed is made again in the state that the request has by then.
func (w Wants) WantsAnnouncement(d *plugindata.Delivery) bool {
	switch {
	case d.Skipped || d.Posted() || w.Gone:
		return false
	case d.Generation == 0:
		return w.Announced
	}
	return d.Generation == 1
}

func (w Wants) stale(p plugindata.Post) bool {
	return w.Can.Shows && !p.Fixed && (!w.shownBy(p) || p.Unsure && w.Again)
}

// shownBy reports whether a message shows the request as it is, with buttons where
// there are to be some.
func (w Wants) shownBy(p plugindata.Post) bool {
	return p.Shown == w.Version() && (p.Buttons == w.Decidable || w.AnyButtons)
}

// wantsReview: a review that is known only by its number is not told.
func (w Wants) wantsReview(d *plugindata.Delivery) bool {
	return w.Can.Reviews && d.Posted() && d.Reviews < w.reviews() && w.Reviews[d.Reviews].Author != ""
}

// reviews is how many reviews are told one by one.
func (w Wants) reviews() int { return min(len(w.Reviews), MaxReviews) }

// WantsEnd reports whether the end of the request is to be told below a message. Those
// who were reminded that it is pending are told: a change of the message calls nobody.
func (w Wants) WantsEnd(d *plugindata.Delivery) bool {
	return d.Posted() && w.Status.Ended() && d.Ended != w.Status && (w.Can.Ends || w.Can.Shows && d.Posts[0].Fixed || d.Reminded > 0)
}

// wantsNotice: a requester whose own copy was made after the decision knows it
// from there. One who removed the copy is notified all the same.
func (w Wants) wantsNotice(d *plugindata.Delivery) bool {
	may := w.Can.Notices
	if w.Status == request.Expired {
		may = w.Can.Lapses
	}
	return may && hears(d) && w.Status.Ended() && d.Noticed != w.Status
}

// hears reports whether a recipient is the requester, who knows that we speak of the
// request.
func hears(d *plugindata.Delivery) bool {
	return d.Requester && (d.Posted() || d.Skipped || d.Generation > 0)
}

// wantsPending: of several reminders that became due meanwhile the newest is told. The
// requester, who waits as it is, is not reminded, nor is anybody of what became due
// before the message was made.
func (w Wants) wantsPending(d *plugindata.Delivery) bool {
	return w.Can.Pendings && d.Posted() && !d.Requester && w.Status == request.Pending && !w.Gone && w.Due.Pending > max(d.Since, d.Reminded)
}

func (w Wants) wantsEnding(d *plugindata.Delivery) bool {
	return w.Can.Endings && hears(d) && w.Status == request.Approved && !w.Gone && w.Due.Ending > d.Warned
}

// Budget is how many effects may be begun for a recipient at most: what can be
// wanted, and a few times as much for what is in doubt, since each crash puts all of it
// in doubt.
func (w Wants) Budget(d *plugindata.Delivery) int {
	return 3*(1+d.Generation+w.reviews()+w.Due.Most+2) + 12
}
