// Package tally counts what is wrong at a simulated service. It compares what people
// see there with what the cluster says, and knows nothing of how plugins work.
package tally

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"teleport-plugins/lib/sandbox/panel"
)

// maxDetails bounds the details of a tally.
const maxDetails = 20

// Request is what the cluster says about an access request, and who must see it.
type Request struct {
	ID    string
	State string
	// Authors are those who reviewed it, each once.
	Authors []string
	// Places are where it must be announced.
	Places []Place
}

// Place is a channel, a direct message, or wherever else announcements are made.
type Place struct {
	ID string
	// Threads says that reviews are told below announcements there.
	Threads bool
}

// Tally is what was counted. A message is an announcement or a review told below it.
type Tally struct {
	// Expected is how many messages must be there now, and InPlace how many of them are.
	Expected int `json:"expected"`
	InPlace  int `json:"in_place"`
	// Lost is how many of them are not there; it falls again when they come late.
	Lost int `json:"lost"`
	// Doubled is how many there are beyond the first of each.
	Doubled int `json:"doubled"`
	// Stale is how many announcements show something other than what the cluster says.
	Stale int `json:"stale"`
	// Stray is how many announcements are at a place where nobody expects them.
	Stray int `json:"stray"`
	// Details say in words what is wrong, for the first few.
	Details []string `json:"details"`
}

// Clean reports whether everything that must be seen is seen, and nothing else.
func (t Tally) Clean() bool { return t.Lost+t.Doubled+t.Stale+t.Stray == 0 }

// Add adds another tally.
func (t *Tally) Add(o Tally) {
	t.Expected += o.Expected
	t.InPlace += o.InPlace
	t.Lost += o.Lost
	t.Doubled += o.Doubled
	t.Stale += o.Stale
	t.Stray += o.Stray
	t.Details = append(t.Details, o.Details[:min(len(o.Details), maxDetails-len(t.Details))]...)
}

func (t *Tally) note(format string, args ...any) {
	if len(t.Details) < maxDetails {
		t.Details = append(t.Details, fmt.Sprintf(format, args...))
	}
}

// Count compares the announcements at a service with the requests of the cluster. Of a
// request that the cluster no longer has, nothing is expected but that no announcement
// calls it pending.
func Count(requests []Request, sights []panel.Sight) Tally {
	type spot struct{ request, place string }
	at, removed := make(map[spot][]panel.Sight), make(map[spot]bool)
	known := make(map[string]bool, len(requests))
	for _, r := range requests {
		known[r.ID] = true
	}
	t := Tally{Details: []string{}}
	for _, s := range sights {
		switch key := (spot{s.Request, s.Place}); {
		case s.Deleted:
			removed[key] = true
		case known[s.Request]:
			at[key] = append(at[key], s)
		case s.State == "PENDING":
			t.Stale++
			t.note("%s at %s shows PENDING, and the request is gone", s.Request, s.Place)
		}
	}
	for _, r := range requests {
		for _, p := range r.Places {
			key := spot{r.ID, p.ID}
			// What was told below an announcement that somebody removed is gone with it.
			p.Threads = p.Threads && !removed[key]
			t.place(r, p, at[key])
			delete(at, key)
		}
	}
	for key, list := range at {
		t.Stray += len(list)
		t.note("%s is at %s, where nobody expects it", key.request, key.place)
	}
	return t
}

// place counts the announcements of a request at one place, and what stands below them.
func (t *Tally) place(r Request, p Place, seen []panel.Sight) {
	t.message(len(seen), "announcement of "+r.ID, p.ID)
	for _, s := range seen {
		state, repeated := strings.CutSuffix(s.State, panel.Repeated)
		if state != r.State {
			t.Stale++
			t.note("%s at %s shows %s, and is %s", r.ID, p.ID, cmp.Or(state, "no state"), r.State)
		}
		if repeated {
			t.Doubled++
			t.note("%s at %s tells the end more than once", r.ID, p.ID)
		}
	}
	if !p.Threads {
		return
	}
	told := reviews(r.Authors, seen)
	for i, author := range r.Authors {
		t.message(told[i], "review of "+r.ID+" by "+author, p.ID)
	}
}

// message counts one message that must be there, and is there n times.
func (t *Tally) message(n int, what, place string) {
	t.Expected++
	switch {
	case n == 0:
		t.Lost++
		t.note("the %s is not at %s", what, place)
		return
	case n > 1:
		t.Doubled += n - 1
		t.note("the %s is at %s %d times", what, place, n)
	}
	t.InPlace++
}

// reviews is how often the review of each author is told below announcements. A reply
// is about the author whom it names first: the reason of a review may name others.
func reviews(authors []string, seen []panel.Sight) map[int]int {
	told := make(map[int]int, len(authors))
	for _, s := range seen {
		for _, reply := range s.Replies {
			if !reply.Review {
				continue
			}
			first, who := len(reply.Text), -1
			for i, author := range authors {
				if at := strings.Index(reply.Text, author); at >= 0 && at < first {
					first, who = at, i
				}
			}
			if who >= 0 {
				told[who]++
			}
		}
	}
	return told
}

// Once leaves out places that are there already.
func Once(places []Place) []Place {
	var out []Place
	for _, p := range places {
		if !slices.ContainsFunc(out, func(o Place) bool { return o.ID == p.ID }) {
			out = append(out, p)
		}
	}
	return out
}
