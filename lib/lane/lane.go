// Package lane lets calls to places through, and keeps those in line who have to
// wait.
package lane

import (
	"maps"
	"slices"
	"sync"
	"time"

	"teleport-plugins/lib/pace"
)

// Options tell Lanes how to work.
type Options struct {
	// Wake is called for a request whose turn it is; it must not block.
	Wake func(id string)
	// Width is how many calls at a time are under way in a lane that is well.
	Width int
	// Pace is that in which a lane is tried again that was closed.
	Pace pace.Pace
}

// Lanes let calls to one place through, as many at a time as is good there, and
// keep the requests that have to wait in line. A request in line holds no claim
// and no worker: it is woken when it is its turn. Make them with New; they may be
// used by several goroutines.
type Lanes struct {
	Options

	mu      sync.Mutex
	all     map[string]*lane
	rounds  map[string]chan struct{}   // requests whose rounds have looked for lanes, and how those hear that they are called
	lines   map[string]map[*lane]state // the lanes in which a request waits
	unheard int                        // calls in a row that the service did not answer
}

// state is that of a request in the line of a lane.
type state int

const (
	waiting state = iota
	called        // was woken, and is to come
	joining       // was called while its round was under way
)

// lane is the way to one place.
type lane struct {
	key     string
	width   int
	one     bool // never more than one call at a time
	busy    int
	line    []string        // requests that wait, in order
	calm    map[string]bool // those among them whom others overtake; they are the last
	called  int             // requests that were woken and are to come
	blind   time.Time       // until when it is believed that nothing can be looked up
	failed  int             // calls in a row that failed in a way that passes
	unread  int             // look-ups in a row that were refused
	refused int             // probes in a row that were refused
	closed  time.Time       // when it was closed last
	until   time.Time       // no call before this time
	timer   *time.Timer
	due     time.Time // when the timer fires; zero when it does not run
}

// The lanes that are no places.
const (
	// Token is closed while the service refuses the token.
	Token = "token"
	// Service is narrow while the service answers nothing.
	Service = "service"
)

// Address and Name are the lanes of an address, and of a recipient whose
// address is not known yet.
func Address(address string) string { return "address " + address }
func Name(recipient string) string  { return "name " + recipient }

// unheardMost is how many calls in a row may be left without an answer before
// one call at a time is made.
const unheardMost = 5

// New returns Lanes.
func New(o Options) *Lanes {
	return &Lanes{
		Options: o, all: make(map[string]*lane), rounds: make(map[string]chan struct{}), lines: make(map[string]map[*lane]state),
	}
}

func (l *Lanes) lane(key string) *lane {
	a := l.all[key]
	if a == nil {
		a = &lane{key: key, width: l.Width, calm: make(map[string]bool)}
		l.all[key] = a
	}
	return a
}

// free is how many more calls may begin in a lane now.
func (l *Lanes) free(a *lane) int {
	width := a.width
	if a.one {
		width = 1
	}
	switch {
	case a.key == Token && a.refused > 0, time.Now().Before(a.until):
		width = 0
	case a.key == Service && l.unheard >= unheardMost:
		width = 1
	}
	return width - a.busy - a.called
}

// Enter lets a call of a request begin in a lane, or puts the request in line
// there. One that begins must leave. one limits the lane to a single call at a
// time.
func (l *Lanes) Enter(key, id string, one bool) bool { return l.enter(key, id, one, false) }

// enter is Enter; a calm request is overtaken by all others.
func (l *Lanes) enter(key, id string, one, calm bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rounds[id] == nil {
		l.rounds[id] = make(chan struct{}, 1)
	}
	a := l.lane(key)
	a.one = one
	if l.lines[id][a] == waiting && (l.free(a) <= 0 || len(a.line) > 0 && a.line[0] != id) {
		l.queue(a, id, calm)
		return false
	}
	l.unqueue(a, id)
	a.busy++
	return true
}

// Await puts a request in line in a lane.
func (l *Lanes) Await(key, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue(l.lane(key), id, false)
}

func (l *Lanes) queue(a *lane, id string, calm bool) {
	if _, waits := l.lines[id][a]; !waits || a.calm[id] && !calm { // there is more to it by now
		l.unqueue(a, id)
		l.note(a, id, waiting)
		at := len(a.line)
		if calm {
			a.calm[id] = true
		} else {
			at -= len(a.calm)
		}
		a.line = slices.Insert(a.line, at, id)
	}
	l.alarm(a)
}

func (l *Lanes) note(a *lane, id string, s state) {
	if l.lines[id] == nil {
		l.lines[id] = make(map[*lane]state)
	}
	l.lines[id][a] = s
}

// alarm sees to it that a lane is looked at when it may be used again, or forgotten.
func (l *Lanes) alarm(a *lane) {
	at, now := a.until, time.Now()
	if len(a.line) == 0 {
		at = a.old(l.Pace.LongestProbe())
	}
	if !at.After(now) || !a.due.IsZero() && !at.Before(a.due) {
		return
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(at.Sub(now), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			a.due = time.Time{}
			l.dispatch(a)
		})
	} else {
		a.timer.Reset(at.Sub(now))
	}
	a.due = at
}

// unqueue takes a request out of a lane's line, or off those who were called.
func (l *Lanes) unqueue(a *lane, id string) {
	was, waits := l.lines[id][a]
	delete(l.lines[id], a)
	delete(a.calm, id)
	if len(l.lines[id]) == 0 {
		delete(l.lines, id)
	}
	switch {
	case was != waiting:
		a.called--
	case waits && a.line[0] == id: // as nearly always
		a.line = a.line[1:]
	case waits:
		a.line = slices.DeleteFunc(a.line, func(other string) bool { return other == id })
	}
}

// dispatch wakes as many of those in line as may begin. One whose round is under
// way hears of it there.
func (l *Lanes) dispatch(a *lane) {
	for len(a.line) > 0 && l.free(a) > 0 {
		id := a.line[0]
		l.unqueue(a, id)
		a.called++
		round := l.rounds[id]
		if round == nil {
			l.note(a, id, called)
			l.Wake(id)
			continue
		}
		l.note(a, id, joining)
		select {
		case round <- struct{}{}:
		default: // is to look already
		}
	}
	l.alarm(a)
	if a.busy == 0 && len(a.line) == 0 && a.called == 0 && a.due.IsZero() {
		delete(l.all, a.key)
	}
}

// old is when what is known of a lane is of no more use: a while after it could
// have been tried again.
func (a *lane) old(while time.Duration) time.Time {
	at := a.until
	if a.blind.After(at) {
		at = a.blind
	}
	return at.Add(while)
}

// Leave ends a call's stay in a lane.
func (l *Lanes) Leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lane(key)
	a.busy--
	l.dispatch(a)
}

// Passed says that a request's round has ended. Lanes that it was called to and
// has not entered go to the next; it is woken again if it was called too late.
func (l *Lanes) Passed(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rounds, id)
	for _, a := range slices.Collect(maps.Keys(l.lines[id])) {
		switch l.lines[id][a] {
		case joining:
			l.Wake(id)
			l.unqueue(a, id)
		case called:
			l.unqueue(a, id)
		}
		l.dispatch(a)
	}
}

// Withdraw takes a request that needs nothing more out of all lines.
func (l *Lanes) Withdraw(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range slices.Collect(maps.Keys(l.lines[id])) {
		l.unqueue(a, id)
		l.dispatch(a)
	}
}

// Waits reports whether a request waits in a lane, or was called there and has not
// come yet.
func (l *Lanes) Waits(key, id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.all[key]
	if a == nil {
		return false
	}
	_, waits := l.lines[id][a]
	return waits
}

// Skip says that a request needs no lane any more that it may have waited for.
func (l *Lanes) Skip(key, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.all[key]; a != nil {
		l.unqueue(a, id)
		l.dispatch(a)
	}
}

// Len is how many requests wait in line, were called, or have a round under way.
func (l *Lanes) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.lines)
	for id := range l.rounds {
		if l.lines[id] == nil {
			n++
		}
	}
	return n
}
