package reconcile

import (
	"maps"
	"slices"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// abilities are what a service can do.
type abilities struct {
	reviews, ends, notices bool // which effects it tells beside the announcement
	shows                  bool // its messages can be changed
}

func abilitiesOf(s integration.Service) abilities {
	_, shows := s.(integration.Shower)
	_, requester := s.(integration.Requester)
	return abilities{
		reviews: s.Tells(integration.Review), ends: s.Tells(integration.End),
		notices: requester && s.Tells(integration.Notice), shows: shows,
	}
}

// verb is what a step does.
type verb int

const (
	tell   verb = iota // make an effect happen
	settle             // find out whether an effect has happened
	show               // make a message show the request as it is
)

// step is one thing to be done for a recipient.
type step struct {
	verb
	effect integration.Effect // of tell and settle
	wanted bool               // of settle: the effect is to happen, if it has not
	post   int                // of show: the index of the message
}

// maxReviews is how many reviews are told one by one below a message. The message
// itself shows how many there are.
const maxReviews = 50

// wants says what is to be shown of a request, and what it takes for that.
type wants struct {
	message.View
	abilities
	// announced says that a request in this state is told to those who have not
	// heard of it.
	announced bool
	// gone says that the cluster does not have the request any more: nothing is
	// announced, but what was is kept true.
	gone bool
	// again says that the time has come to show messages once more that a late
	// call may have changed back.
	again bool
}

// next is the first step that is due for a recipient. What people must know first
// comes first: that there is a request, how it stands, and then the rest.
func (w wants) next(d *plugindata.Delivery) (s step, due bool) {
	announce := integration.Effect{Kind: integration.Announce, Index: min(d.Generation, 1)}
	if s, due = w.effect(d, announce, w.wantsAnnouncement(d)); due && !d.Posted() {
		return s, true
	}
	if i := slices.IndexFunc(d.Posts, w.stale); i >= 0 {
		return step{verb: show, post: i}, true
	}
	review := integration.Effect{Kind: integration.Review, Index: d.Reviews}
	if s, due = w.effect(d, review, w.wantsReview(d)); due {
		return s, true
	}
	if s, due = w.effect(d, integration.Outcome(integration.End, w.Status), w.wantsEnd(d)); due {
		return s, true
	}
	if s, due = w.effect(d, integration.Outcome(integration.Notice, w.Status), w.wantsNotice(d)); due {
		return s, true
	}
	return w.leftover(d)
}

// effect is the step for an effect, if there is one to take.
func (w wants) effect(d *plugindata.Delivery, e integration.Effect, wanted bool) (step, bool) {
	if d.Doubt[e.String()].Tries > 0 {
		return step{verb: settle, effect: e, wanted: wanted}, true
	}
	return step{verb: tell, effect: e}, wanted
}

// leftover settles doubts about effects that are no longer wanted.
func (w wants) leftover(d *plugindata.Delivery) (step, bool) {
	for _, name := range slices.Sorted(maps.Keys(d.Doubt)) {
		return step{verb: settle, effect: effectNamed(name)}, true
	}
	return step{}, false
}

// effectNamed is the effect with a name; of no effect it is the zero value, which
// no service has.
func effectNamed(name string) integration.Effect {
	for _, k := range []integration.Kind{integration.Announce, integration.Review, integration.End, integration.Notice} {
		for i := range maxReviews {
			if e := (integration.Effect{Kind: k, Index: i}); e.String() == name {
				return e
			}
		}
	}
	return integration.Effect{}
}

// wantsAnnouncement: one that was removed is made again in the state that the
// request has by then.
func (w wants) wantsAnnouncement(d *plugindata.Delivery) bool {
	switch {
	case d.Skipped || d.Posted() || w.gone:
		return false
	case d.Generation == 0:
		return w.announced
	}
	return d.Generation == 1
}

func (w wants) stale(p plugindata.Post) bool {
	return w.shows && !p.Fixed && (p.Shown != w.Version() || p.Unsure && w.again)
}

// wantsReview: a review that is known only by its number is not told.
func (w wants) wantsReview(d *plugindata.Delivery) bool {
	return w.reviews && d.Posted() && d.Reviews < min(len(w.Reviews), maxReviews) && w.Reviews[d.Reviews].Author != ""
}

func (w wants) wantsEnd(d *plugindata.Delivery) bool {
	return d.Posted() && w.Status.Ended() && d.Ended != w.Status && (w.ends || w.shows && d.Posts[0].Fixed)
}

// wantsNotice: a requester whose own copy was made after the decision knows it
// from there.
func (w wants) wantsNotice(d *plugindata.Delivery) bool {
	return w.notices && d.Requester && (d.Posted() || d.Skipped) && w.Status.Ended() && d.Noticed != w.Status
}

// done notes that an effect has happened. The messages are those that an
// announcement made; known says what they show.
func (w wants) done(d *plugindata.Delivery, e integration.Effect, made []plugindata.Message, known bool) {
	delete(d.Doubt, e.String())
	switch e.Kind {
	case integration.Announce:
		for _, m := range made {
			if d.Has(m) {
				continue
			}
			p := plugindata.Post{Channel: m.Channel, ID: m.ID}
			// Where the end is told below the message, the message does not show it.
			if !w.shows || known && !(w.ends && w.Status.Ended()) {
				p.Shown = w.Version()
			}
			d.Posts = append(d.Posts, p)
		}
		if known && w.Status.Ended() && d.Requester {
			d.Noticed = w.Status // the copy itself says it
		}
	case integration.Review:
		d.Reviews = max(d.Reviews, e.Index+1)
	case integration.End:
		if integration.Outcome(e.Kind, w.Status) == e {
			d.Ended = w.Status
		}
	case integration.Notice:
		if integration.Outcome(e.Kind, w.Status) == e {
			d.Noticed = w.Status
		}
	}
}

// removed notes that a message does not exist any more. The last one is made once
// more, and what was told below it is not told again.
func (w wants) removed(d *plugindata.Delivery, m plugindata.Message) {
	d.Posts = slices.DeleteFunc(d.Posts, func(p plugindata.Post) bool { return p.Message() == m })
	if len(d.Posts) > 0 {
		return
	}
	d.Generation++
	d.Reviews, d.Ended = len(w.Reviews), ""
	maps.DeleteFunc(d.Doubt, func(name string, _ plugindata.Doubt) bool { return effectNamed(name).Kind != integration.Notice })
}

// suspect puts in doubt what a replica may have begun that died after it had
// claimed the request in a state. A recipient without an address had not been
// called then.
func (a abilities) suspect(d *plugindata.Delivery, claim plugindata.Claim, aim message.Version) {
	doubt := func(e integration.Effect) { d.Doubted(e.String(), claim) }
	if !d.Posted() && !d.Skipped && d.Generation < 2 {
		doubt(integration.Effect{Kind: integration.Announce, Index: d.Generation})
	}
	for i := d.Reviews; a.reviews && !d.Skipped && i < min(aim.Reviews, maxReviews); i++ {
		doubt(integration.Effect{Kind: integration.Review, Index: i})
	}
	if aim.Status.Ended() && aim.Status != "" {
		if !d.Skipped && d.Ended != aim.Status && (a.ends || d.Posted() && d.Posts[0].Fixed) {
			doubt(integration.Outcome(integration.End, aim.Status))
		}
		if a.notices && d.Requester && d.Noticed != aim.Status {
			doubt(integration.Outcome(integration.Notice, aim.Status))
		}
	}
	for i := range d.Posts {
		d.Posts[i].Unsure = d.Posts[i].Unsure || d.Posts[i].Shown != aim
	}
}

// left counts what is missing for a recipient, now or later. It falls with each
// step that is taken.
func (w wants) left(d *plugindata.Delivery) (n int) {
	n = len(d.Doubt)
	announce := w.wantsAnnouncement(d)
	if announce {
		n++
	}
	for _, p := range d.Posts {
		if w.shows && !p.Fixed && (p.Shown != w.Version() || p.Unsure) {
			n++
		}
	}
	below := *d
	if announce {
		below.Posts = []plugindata.Post{{}}
	}
	for below.Reviews = d.Reviews; w.wantsReview(&below); below.Reviews++ {
		n++
	}
	if w.wantsEnd(&below) {
		n++
	}
	if w.wantsNotice(&below) {
		n++
	}
	return n
}

// budget is how many effects may be begun for a recipient at most: what can be
// wanted, and as much again for what is in doubt.
func (w wants) budget(d *plugindata.Delivery) int {
	return 2*(1+d.Generation+min(len(w.Reviews), maxReviews)+2) + 8
}
