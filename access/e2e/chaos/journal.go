package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// class says what kind of fault a mark is about.
type class string

const (
	ofCall    class = "call"    // a call of a service
	ofPlace   class = "place"   // a place of a service, for a while
	ofToken   class = "token"   // the token, for a while
	ofService class = "service" // a service as a whole, for a while
	ofRight   class = "right"   // a right of the plugin's role, for a while
	ofCluster class = "cluster" // the cluster
	ofWrite   class = "write"   // a call of the cluster about one request
	ofRecord  class = "record"  // what stands in a record
	ofProcess class = "process" // a replica
	ofMachine class = "machine" // what all of it runs on
	ofListen  class = "listen"  // the connections on which presses come, for a while
	ofPress   class = "press"   // a press that collides with another one
)

// mark is a fault, and whom it touched.
type mark struct {
	from, to time.Time
	service  string // all when empty
	place    string // all when empty
	request  string // the ID of one, if it is about one
	class    class
	// unclear says that the caller cannot know what became of the call; crash that
	// a process ended at once, late that it stood still for longer than a lease.
	// slow that the machine left it too little time.
	unclear, crash, late, slow bool
	// back says that it hit a call with which presses are answered, down that a replica
	// was not there, and stalled that the machine stood still for some tenths of a second.
	back, down, stalled bool
	text                string
	words               []string // of a call that names no request; one may be the ID of a message
}

func (m mark) String() string {
	text := fmt.Sprintf("%s %s", m.class, m.text)
	if d := m.to.Sub(m.from); d > time.Millisecond {
		text += fmt.Sprintf(" for %v", d.Round(time.Millisecond))
	}
	return text
}

// overlaps reports whether the fault was there at some time in a range.
func (m mark) overlaps(from, to time.Time) bool { return !m.from.After(to) && !m.to.Before(from) }

// journal keeps marks.
type journal struct {
	mu    sync.Mutex
	marks []*mark
}

// add keeps a fault of one moment, or of the time from its start until the
// returned function is called.
func (j *journal) add(m mark) (end func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m.from = time.Now()
	m.to = m.from
	kept := &m
	j.marks = append(j.marks, kept)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		kept.to = time.Now()
	}
}

// lasts keeps a fault that goes on for a while from now on.
func (j *journal) lasts(d time.Duration, m mark) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m.from = time.Now()
	m.to = m.from.Add(d)
	j.marks = append(j.marks, &m)
}

// since keeps a fault that has lasted from a time until now.
func (j *journal) since(from time.Time, m mark) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m.from, m.to = from, time.Now()
	j.marks = append(j.marks, &m)
}

// word is what may be the ID of a message.
var word = regexp.MustCompile(`[0-9A-Za-z][0-9A-Za-z.-]{7,}`)

// maxWords bounds the words that are kept of a call.
const maxWords = 50

// content notes whom a call is about.
func (m *mark) content(text string) {
	if m.request = firstID(text); m.request == "" {
		m.words = word.FindAllString(text, maxWords)
	}
}

// all returns the marks. A call that names no request but a message is about the
// message's request, which owner knows.
func (j *journal) all(owner map[string]string) []mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]mark, 0, len(j.marks))
	for _, m := range j.marks {
		for _, w := range m.words {
			if id := owner[w]; id != "" {
				m.request, m.words = id, nil
				break
			}
		}
		out = append(out, *m)
	}
	return out
}

// uuid finds IDs of requests.
var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`)

// firstID is the first ID in a text, or empty.
func firstID(text string) string { return uuid.FindString(text) }

// history is all marks of one service, to be searched by request.
type history struct {
	all []mark
	// of are those about one request, wide those about none in particular that are
	// no single call.
	of   map[string][]mark
	wide []mark
}

// history returns the marks that concern a service.
func (j *journal) history(s *side) history {
	owner := make(map[string]string)
	for _, sight := range s.Sights() {
		owner[sight.ID] = sight.Request
	}
	h := history{of: make(map[string][]mark)}
	for _, m := range j.all(owner) {
		switch {
		case m.service != "" && m.service != s.name:
			continue
		case m.request != "":
			h.of[m.request] = append(h.of[m.request], m)
		case m.class != ofCall:
			h.wide = append(h.wide, m)
		}
		h.all = append(h.all, m)
	}
	return h
}

// touching are the marks about a request: those that name it, and the wide ones
// that were there in its time.
func (h history) touching(r *request, until time.Time) []mark {
	out := slices.Clone(h.of[r.id])
	for _, m := range h.wide {
		if m.overlaps(r.began, until) {
			out = append(out, m)
		}
	}
	return out
}

func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
