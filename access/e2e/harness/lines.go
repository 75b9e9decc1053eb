package harness

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
	"time"
)

// maxLines bounds how much of a replica's log is kept: the newest lines.
const maxLines = 20_000

// Line is one line of a replica's log.
type Line struct {
	// Time is when it was read.
	Time time.Time
	Text string
}

// lines keeps what a replica writes. It is the writer of the process's output
// and error streams.
type lines struct {
	mu      sync.Mutex
	kept    []Line
	rest    []byte        // of a line that has no end yet
	changed chan struct{} // closed and replaced with each line
	addr    string        // where health is served, once it was told
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

// served finds the address of health and metrics in the log.
var served = regexp.MustCompile(`Serving health and metrics\s+address:"?([^\s"]+)`)

// Write takes output as it comes.
func (l *lines) Write(p []byte) (int, error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.add(Line{now, string(line)})
		l.rest = bytes.Clone(rest)
	}
}

// add keeps a line; l.mu is held.
func (l *lines) add(line Line) {
	if m := served.FindStringSubmatch(line.Text); m != nil {
		l.addr = m[1]
	}
	if len(l.kept) >= maxLines {
		l.kept = slices.Delete(l.kept, 0, maxLines/4)
	}
	l.kept = append(l.kept, line)
	close(l.changed)
	l.changed = make(chan struct{})
}

// all returns the lines kept, and what is closed when there are more.
func (l *lines) all() (kept []Line, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept), l.changed
}

// address returns where health is served, or nothing if that was not told yet.
func (l *lines) address() (addr string, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr, l.changed
}

// restart forgets what held only for the process before.
func (l *lines) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addr, l.rest = "", nil
}
