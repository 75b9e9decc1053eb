package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/panel"
)

// kind is what can be wrong with a request at a place.
type kind string

const (
	lost     kind = "lost"            // a message that should be there is not
	doubled  kind = "doubled"         // there is a message more than should be
	stale    kind = "stale"           // a message shows what is not so
	stray    kind = "astray"          // a message where none belongs
	missing  kind = "reply missing"   // a review is not told
	twice    kind = "reply doubled"   // a review or the end is told more than once
	disorder kind = "reply misplaced" // a review is told before an earlier one
	noButton kind = "buttons missing" // a request can be decided, and a message has no buttons
	leftOver kind = "buttons left"    // a message has buttons, and nothing is left to decide
)

// offence is one thing that is not as it should be.
type offence struct {
	request *request
	side    *side
	place   string
	kind    kind
	text    string
	// excuse is what the promise allows it for, or empty.
	excuse string
}

// court judges what people see at one service.
type court struct {
	side  *side
	asks  func(r *request) truth
	marks history
	until time.Time
	// authors are all whose reviews may be told.
	authors []string
	// budget is how many offences at a place each reason excuses, given so far.
	spent    map[string]int
	offences []offence
	seen     int // announcements and replies that are as they should be
}

// judge compares what people see with what the plan makes of the requests.
func (w *world) judge() (r report) {
	r.settings, r.requests, r.until = w.settings, len(w.plan.requests), time.Now()
	for _, s := range w.sides {
		sights := make(map[string][]harness.Sight)
		for _, sight := range s.Sights() {
			sights[sight.Request] = append(sights[sight.Request], sight)
		}
		c := &court{
			side: s, marks: w.journal.history(s), until: r.until, spent: make(map[string]int),
			asks: w.askLocked, authors: w.plan.authors(),
		}
		for _, q := range w.plan.requests {
			c.request(q, sights[q.id])
		}
		r.offences = append(r.offences, c.offences...)
		r.seen += c.seen
		r.blind = append(r.blind, s.blind)
	}
	return r
}

// request judges one request at all places of a service.
func (c *court) request(r *request, sights []harness.Sight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		return // the run was interrupted before
	}
	is, at := c.asks(r), make(map[string][]harness.Sight)
	c.verdict(r, is)
	for _, s := range sights {
		at[s.Place] = append(at[s.Place], s)
	}
	for _, recipient := range r.recipients(c.side.World, c.side.channels) {
		place := c.side.Place(recipient)
		c.place(r, is, recipient, place, at[place])
		delete(at, place)
	}
	for place, list := range at {
		c.offend(r, place, stray, "%d messages", len(list))
	}
}

// place judges one request at one place.
func (c *court) place(r *request, is truth, recipient, place string, sights []harness.Sight) {
	live := slices.DeleteFunc(slices.Clone(sights), func(s harness.Sight) bool { return s.Removed })
	removed := r.removed[spot{c.side.name, recipient}]
	if len(live) == 0 && c.due(r, is, removed) {
		c.offend(r, place, lost, "no message")
	}
	for range len(live) - max(1, r.adopted-len(removed)) {
		c.offend(r, place, doubled, "%d messages", len(live))
	}
	truths := is.states()
	for _, s := range live {
		status, repeated := strings.CutSuffix(s.Status, panel.Repeated)
		switch {
		case !slices.Contains(truths, status):
			c.offend(r, place, stale, "%s shows %s, not %s", s.ID, s.Status, truths)
		case repeated:
			c.offend(r, place, twice, "%s shows %s", s.ID, s.Status)
		default:
			c.seen++
			c.buttons(r, is, s)
		}
	}
	for _, s := range live {
		c.reminders(r, is, s, len(removed) > 0)
	}
	if len(live) > 0 && c.side.Threads(recipient) {
		c.replies(r, is, place, live, len(removed) > 0 || is.gone)
	}
}

// buttons judges the buttons of a message that shows the truth.
func (c *court) buttons(r *request, is truth, s harness.Sight) {
	open := c.side.buttons && s.Status == pending && !is.gone
	switch n := len(s.Buttons); {
	case open && n < 2:
		c.offend(r, s.Place, noButton, "%s has the buttons %q", s.ID, s.Buttons)
	case !open && n > 0:
		c.offend(r, s.Place, leftOver, "%s shows %s and has the buttons %q", s.ID, s.Status, s.Buttons)
	}
}

// due reports whether there must be a message. One that was removed by hand is
// made again, once, when the request changes after that; a request that was
// deleted may have been so before anybody could tell of it.
func (c *court) due(r *request, is truth, removed []time.Time) bool {
	switch {
	case is.gone:
		return false
	case len(removed) == 0:
		return true
	}
	return len(removed) <= max(1, r.adopted) && is.changed(r).After(removed[len(removed)-1])
}

// changed is when something last happened to a request that messages are to show.
func (t truth) changed(r *request) time.Time {
	changed := r.changed
	for _, review := range t.reviews {
		if review.Created.After(changed) {
			changed = review.Created
		}
	}
	return changed
}

// states are what a message may show. One that was deleted after it was decided
// may show either: whoever was away in between sees it gone.
func (t truth) states() []string {
	switch {
	case t.gone && t.state == pending && t.maybe:
		return []string{expired, approved, denied}
	case t.gone && t.state == pending:
		return []string{expired}
	case t.gone:
		return []string{t.state, expired}
	}
	return []string{t.state}
}

// author finds whose review a reply tells; nobody reviews a request twice.
func author(reply string, authors []string) string {
	first, who := len(reply), ""
	for _, name := range authors {
		if i := strings.Index(reply, name); i >= 0 && i < first {
			first, who = i, name
		}
	}
	return who
}

// replies judges what is told below the messages of one place; some of it may be
// missing where a message was removed or the request is gone.
func (c *court) replies(r *request, is truth, place string, live []harness.Sight, some bool) {
	times, authors := make(map[string]int), is.authors()
	for _, s := range live {
		last := -1
		for _, text := range s.Reviews {
			who := author(text, c.authors)
			i := slices.Index(authors, who)
			times[who]++
			if i < last && i >= 0 {
				c.offend(r, place, disorder, "review %d after %d", i, last)
			}
			last = max(last, i)
		}
	}
	for i, who := range authors {
		switch n := times[who]; {
		case n == 0 && !some:
			c.offend(r, place, missing, "review %d", i)
		case n > 1:
			c.offend(r, place, twice, "review %d, %d times", i, n)
		default:
			c.seen++
		}
		delete(times, who)
	}
	if is.gone { // somebody may have reviewed it when nobody looked
		maps.DeleteFunc(times, func(who string, n int) bool { return n == 1 && r.reviewedBy(who) })
	}
	for _, text := range slices.Sorted(maps.Keys(times)) {
		c.offend(r, place, stray, "a reply that tells no review: of %q", text)
	}
}

// early is how long before a reminder is due a message was surely there before it, and
// a decision surely came before it: so far are clocks and calls apart.
const early = 4 * time.Second

// reminders judges how often it is said below a message that the request is still
// pending: once for each time at which it was, and, while it is, at least once where
// the message was there in time. The requester is not reminded.
func (c *court) reminders(r *request, is truth, s harness.Sight, some bool) {
	most, open := reminders, is.state == pending && !is.gone
	if over := max(is.changed(r).Sub(r.began), r.ttl); !open && over < firstReminder-early {
		most = 0
	}
	for range s.Reminders - most {
		c.offend(r, s.Place, twice, "%d reminders", s.Reminders)
	}
	if open && !some && s.Reminders == 0 && c.reminds(r, s) {
		c.offend(r, s.Place, missing, "no reminder")
	}
}

// reminds reports whether somebody must have been reminded of a request that is pending.
func (c *court) reminds(r *request, s harness.Sight) bool {
	if person := c.side.Person(r.user); person != "" && s.Place == c.side.Place(person) {
		return false
	}
	inTime := s.Created.Sub(r.began) < firstReminder-early && c.until.Sub(r.began) > time.Minute
	return inTime && r.adopted == 0 && len(r.garbled) == 0
}

// pressesOf counts the presses of a person.
func (r *request) pressesOf(person string) (n int) {
	for _, p := range r.presses {
		if p.person == person {
			n++
		}
	}
	return n
}

func (c *court) offend(r *request, place string, k kind, format string, args ...any) {
	o := offence{request: r, side: c.side, place: place, kind: k, text: fmt.Sprintf(format, args...)}
	o.excuse = c.excuse(o)
	c.offences = append(c.offences, o)
}

// excuse finds what the promise allows an offence for.
func (c *court) excuse(o offence) string {
	if o.kind == stray || o.kind == noButton || o.kind == leftOver {
		return ""
	}
	switch n := o.request.garbled[c.side.name]; {
	case n == 0, o.kind == lost, o.kind == stale && !c.side.blind:
	case o.kind == doubled, o.kind == stale:
		if why := c.spend(o, "its record was garbled", n, o.request.id+string(o.kind)); why != "" {
			return why
		}
	default:
		return "its record was garbled"
	}
	if o.kind == stale && c.unseen(o.request) {
		return "it came and went while nobody could see it"
	}
	if c.side.blind {
		return c.excuseBlind(o)
	}
	return c.excuseSlow(o)
}

// excuseSlow finds what allows an offence where all can be looked up: time that ran out.
func (c *court) excuseSlow(o offence) string {
	_, late, slow := c.doubts(o)
	switch {
	case !o.repeated():
	case late > 0:
		return c.spend(o, "a replica stood still for longer than a lease", c.count(func(m mark) bool { return m.late }), "")
	case slow > 0:
		return c.spend(o, "the machine was too slow for leases and deadlines", c.count(func(m mark) bool { return m.slow }), "")
	}
	return ""
}

// unseen reports whether a request came and went within a fault of the cluster, so that
// what another plugin had announced of it is all that there is. Its record alone says
// nothing: there are such of requests of all times.
func (c *court) unseen(r *request) bool {
	return r.gone && r.adopted > 0 && slices.ContainsFunc(c.marks.wide, func(m mark) bool {
		return m.class == ofCluster && m.overlaps(r.began, r.began) && m.overlaps(r.changed, r.changed)
	})
}

// excuseBlind finds what allows an offence where nothing can be looked up.
func (c *court) excuseBlind(o offence) string {
	doubts, late, slow := c.doubts(o)
	switch {
	case doubts+late+slow == 0:
	case o.repeated(), o.kind == stale:
		return c.spend(o, "a crash or a lost answer at a blind place", c.count(func(m mark) bool {
			return m.crash || m.late || m.slow || m.unclear && (m.place == o.place || m.place == "")
		}), "")
	case doubts+slow > 1 && (o.kind == lost || o.kind == missing):
		return "given up at a blind place after two unclear answers"
	}
	return ""
}

// repeated reports whether somebody was told more than once.
func (o offence) repeated() bool { return o.kind == doubled || o.kind == twice }

// doubts counts the faults in whose course what became of a call for the request
// at the place may not be known: crashes and lost answers, replicas that stood
// still, and times in which the machine was slow.
func (c *court) doubts(o offence) (doubts, late, slow int) {
	for _, m := range c.marks.touching(o.request, c.until) {
		switch {
		case m.late:
			late++
		case m.slow:
			slow++
		case m.crash, m.unclear && (m.place == "" || m.place == o.place || m.request == o.request.id):
			doubts++
		}
	}
	return doubts, late, slow
}

// count counts the faults at the service.
func (c *court) count(is func(mark) bool) (n int) {
	for _, m := range c.marks.all {
		if m.service != "" && is(m) {
			n++
		}
	}
	return n
}

// spend excuses so many offences at a place, or of a request at it.
func (c *court) spend(o offence, why string, budget int, request string) string {
	key := why + o.place + request
	if c.spent[key] >= budget {
		return ""
	}
	c.spent[key]++
	return why
}
