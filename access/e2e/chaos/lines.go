package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// complaint is a kind of line in the logs that no fault explains.
type complaint struct {
	process *process
	count   int
	first   time.Time
	text    string
}

// grace is for how long after a fault a line may be about it.
const grace = time.Minute

// digested is in lines that say what happened in the minute before them.
const digested = "(others of the last minute)"

var (
	serious = regexp.MustCompile(`^(WARN|ERROR|DPANIC|PANIC|FATAL|panic:|fatal error:)`)
	// ofRights are lines about what the cluster does not permit.
	ofRights = regexp.MustCompile(`(?i)not readable|add the rule|access denied to|role of the plugin|plugin.s role`)
	// ofPresses are lines about what people press, and how that reaches the plugin.
	ofPresses = regexp.MustCompile(`(?i)\b(press|presses|dialog|buttons|gateway|socket mode)\b`)
	varying   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d+`)
)

// unexplained are the warnings and errors of all replicas whose scope no fault has
// touched in the time before.
func (w *world) unexplained() (all []complaint) {
	for _, s := range w.sides {
		l := newListener(s, w.journal.history(s).all)
		for _, p := range s.processes {
			all = append(all, l.complaints(p)...)
		}
	}
	return all
}

// listener judges the log lines of one service.
type listener struct {
	side   *side
	marks  []mark
	places map[string][]string // what a line may call a place, to its recipients
}

func newListener(s *side, marks []mark) *listener {
	l := &listener{side: s, marks: marks, places: make(map[string][]string)}
	recipients := slices.Clone(s.channels)
	for _, user := range people() {
		recipients = append(recipients, user)
		if p := s.Person(user); p != "" {
			recipients = append(recipients, p)
			l.places[user] = append(l.places[user], s.Place(p))
		}
	}
	for _, r := range recipients {
		l.places[r] = append(l.places[r], s.Place(r))
		l.places[s.Place(r)] = append(l.places[s.Place(r)], s.Place(r))
	}
	return l
}

// complaints folds the unexplained lines of a replica that differ in numbers only.
func (l *listener) complaints(p *process) (all []complaint) {
	index := make(map[string]int)
	for _, line := range p.Logs() {
		if !serious.MatchString(line.Text) || l.explained(line.Time, line.Text) {
			continue
		}
		key := varying.ReplaceAllString(line.Text, "#")
		i, known := index[key]
		if !known {
			i = len(all)
			index[key] = i
			all = append(all, complaint{process: p, first: line.Time, text: line.Text})
		}
		all[i].count++
	}
	return all
}

// explained reports whether a fault touched what a line names.
func (l *listener) explained(at time.Time, text string) bool {
	if strings.HasPrefix(text, "panic:") || strings.HasPrefix(text, "fatal error:") || strings.HasPrefix(text, "PANIC") {
		return false
	}
	if strings.Contains(text, stranger) || strings.Contains(text, robot) || l.side.blind && strings.Contains(text, "history") {
		return true
	}
	n, since := l.named(text), at.Add(-grace)
	if strings.Contains(text, digested) {
		since = since.Add(-time.Minute)
	}
	return slices.ContainsFunc(l.marks, func(m mark) bool {
		return m.overlaps(since, at) && n.by(m)
	})
}

// scope is what a line names.
type scope struct {
	requests, places []string
	// right says that it is about what the cluster does not permit; kinds are those
	// that it names.
	right bool
	kinds []string
	// press says that it is about presses, and text is all of it.
	press bool
	text  string
}

func (l *listener) named(text string) (n scope) {
	n.text, n.press = text, ofPresses.MatchString(text)
	n.requests = uuid.FindAllString(text, -1)
	for name, ids := range l.places {
		if strings.Contains(text, name) {
			n.places = append(n.places, ids...)
		}
	}
	n.right = ofRights.MatchString(text) && !strings.Contains(text, "HTTP")
	for _, r := range rights {
		if strings.Contains(strings.ReplaceAll(text, " ", "_"), r.kind) {
			n.kinds = append(n.kinds, r.kind)
		}
	}
	return n
}

// by reports whether a fault touched what a line names.
func (n scope) by(m mark) bool {
	switch {
	case n.right:
		return m.class == ofRight && n.names(m.text)
	case m.heard() || m.back && n.press:
		return n.press && (m.request == "" || len(n.requests) == 0 || n.about(m.request))
	case len(n.requests) > 0:
		return n.byOne(m)
	}
	return m.wide() || n.at(m.place)
}

// byOne reports whether a fault touched the requests that a line names.
func (n scope) byOne(m mark) bool {
	return m.wide() || n.about(m.request) || (m.class == ofPlace || m.nameless()) && n.at(m.place)
}

// names reports whether a line may be about the right to a kind of resource.
func (n scope) names(kind string) bool { return len(n.kinds) == 0 || slices.Contains(n.kinds, kind) }

func (n scope) about(request string) bool { return slices.Contains(n.requests, request) }

// at reports whether a line may be about a place.
func (n scope) at(place string) bool {
	return place == "" || len(n.places) == 0 || slices.Contains(n.places, place) || strings.Contains(n.text, place)
}

// heard reports whether a fault hit a press, or the connection on which they come.
func (m mark) heard() bool { return m.class == ofListen || m.class == ofPress }

// wide reports whether a fault may touch everything.
func (m mark) wide() bool {
	return m.class == ofRight || !m.stalled && slices.Contains([]class{ofCluster, ofProcess, ofMachine, ofToken, ofService}, m.class)
}

// nameless reports whether a fault hit a call that does not say what it is for, as the
// beginning of a conversation with a mail server.
func (m mark) nameless() bool { return m.class == ofCall && !m.back && m.request == "" }

// writeLogs writes the logs of all replicas, and the presses, where the settings say.
func (w *world) writeLogs(presses []string) error {
	if w.logs == "" {
		return nil
	}
	if err := os.MkdirAll(w.logs, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.logs, "presses.log"), []byte(strings.Join(presses, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	for _, p := range w.processes() {
		var b strings.Builder
		for _, line := range p.Logs() {
			b.WriteString(clock(line.Time) + " " + line.Text + "\n")
		}
		name := strings.ReplaceAll(p.String(), "/", "-") + ".log"
		if err := os.WriteFile(filepath.Join(w.logs, name), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
