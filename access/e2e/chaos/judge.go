package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// kind is what can be wrong with a request at a place.
type kind string

const (
	lost     kind = "lost"            // a message that should be there is not
	doubled  kind = "doubled"         // there is a message more than should be
	stale    kind = "stale"           // a message shows what is not so
	stray    kind = "astray"          // a message where none belongs
	missing  kind = "reply missing"   // a review is not told
	twice    kind = "reply doubled"   // a review is told more than once
	disorder kind = "reply misplaced" // a review is told before an earlier one
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
	side   *side
	exists func(id string) bool
	marks  history
	until  time.Time
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
			exists: func(id string) bool { _, ok := w.cluster.Request(id); return ok },
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
	at := make(map[string][]harness.Sight)
	for _, s := range sights {
		at[s.Place] = append(at[s.Place], s)
	}
	for _, recipient := range r.recipients(c.side.World, c.side.channels) {
		place := c.side.Place(recipient)
		c.place(r, recipient, place, at[place])
		delete(at, place)
	}
	for place, list := range at {
		c.offend(r, place, stray, "%d messages", len(list))
	}
}

// place judges one request at one place.
func (c *court) place(r *request, recipient, place string, sights []harness.Sight) {
	live := slices.DeleteFunc(slices.Clone(sights), func(s harness.Sight) bool { return s.Removed })
	removed := r.removed[spot{c.side.name, recipient}]
	gone := !c.exists(r.id)
	if len(live) == 0 && c.due(r, removed, gone) {
		c.offend(r, place, lost, "no message")
	}
	for range len(live) - max(1, r.adopted-len(removed)) {
		c.offend(r, place, doubled, "%d messages", len(live))
	}
	truths := r.truths(gone)
	for _, s := range live {
		if !slices.Contains(truths, s.Status) {
			c.offend(r, place, stale, "%s shows %s, not %s", s.ID, s.Status, truths)
		} else {
			c.seen++
		}
	}
	if len(live) > 0 && c.side.Threads(recipient) {
		c.replies(r, place, live, len(removed) > 0 || gone)
	}
}

// due reports whether there must be a message. One that was removed by hand is
// made again, once, when the request changes after that; a request that was
// deleted may have been so before anybody could tell of it.
func (c *court) due(r *request, removed []time.Time, gone bool) bool {
	switch {
	case gone:
		return false
	case len(removed) == 0:
		return true
	}
	return len(removed) <= max(1, r.adopted) && r.changed.After(removed[len(removed)-1])
}

// truths are what a message may show. One that was deleted after it was decided
// may show either: whoever was away in between sees it gone.
func (r *request) truths(gone bool) []string {
	switch {
	case gone && r.state == pending:
		return []string{expired}
	case gone:
		return []string{r.state, expired}
	}
	return []string{r.state}
}

// told finds which review a reply tells.
var told = regexp.MustCompile(`rv-[0-9a-f]{8}-[0-9a-f]{4}-\d+`)

// replies judges what is told below the messages of one place; some of it may be
// missing where a message was removed or the request is gone.
func (c *court) replies(r *request, place string, live []harness.Sight, some bool) {
	times := make(map[string]int)
	for _, s := range live {
		last := -1
		for _, text := range s.Reviews {
			review := told.FindString(text)
			i := slices.Index(r.reviews, review)
			times[review]++
			if i < last {
				c.offend(r, place, disorder, "review %d after %d", i, last)
			}
			last = max(last, i)
		}
	}
	for i, review := range r.reviews {
		switch n := times[review]; {
		case n == 0 && !some:
			c.offend(r, place, missing, "review %d", i)
		case n > 1:
			c.offend(r, place, twice, "review %d, %d times", i, n)
		default:
			c.seen++
		}
		delete(times, review)
	}
	for _, text := range slices.Sorted(maps.Keys(times)) {
		c.offend(r, place, stray, "a reply that tells no review: %q", text)
	}
}

func (c *court) offend(r *request, place string, k kind, format string, args ...any) {
	o := offence{request: r, side: c.side, place: place, kind: k, text: fmt.Sprintf(format, args...)}
	o.excuse = c.excuse(o)
	c.offences = append(c.offences, o)
}

// excuse finds what the promise allows an offence for.
func (c *court) excuse(o offence) string {
	if o.kind == stray {
		return ""
	}
	switch n := o.request.garbled[c.side.name]; {
	case n == 0, o.kind == lost, o.kind == stale && !c.side.blind:
	case o.kind == doubled, o.kind == stale:
		return c.spend(o, "its record was garbled", n, o.request.id+string(o.kind))
	default:
		return "its record was garbled"
	}
	doubts, late, slow := c.doubts(o)
	repeated := o.kind == doubled || o.kind == twice
	switch {
	case !c.side.blind && repeated && late > 0:
		return c.spend(o, "a replica stood still for longer than a lease", c.count(func(m mark) bool { return m.late }), "")
	case repeated && slow > 0:
		return c.spend(o, "the machine was too slow for leases and deadlines", c.count(func(m mark) bool { return m.slow }), "")
	case !c.side.blind:
		return ""
	case doubts+late+slow == 0:
		return ""
	case repeated, o.kind == stale:
		return c.spend(o, "a crash or a lost answer at a blind place", c.count(func(m mark) bool {
			return m.crash || m.late || m.slow || m.unclear && (m.place == o.place || m.place == "")
		}), "")
	case doubts+slow > 1 && (o.kind == lost || o.kind == missing):
		return "given up at a blind place after two unclear answers"
	}
	return ""
}

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
