package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

const (
	// eventPause is the least time between two events, so that a busy sandbox
	// does not drown its pages.
	eventPause = 100 * time.Millisecond
	// comeBack is how soon a page asks again that has lost the sandbox, in milliseconds.
	comeBack = 1000
	// heartbeat is how often a silent stream is shown to be alive.
	heartbeat = 15 * time.Second
)

// serveEvents reports changes as server-sent events, whose data is the version
// of the state; the first one comes at once.
func (s *Sandbox) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		writeError(w, refusal(http.StatusMethodNotAllowed, "%s does not take %s", r.URL.Path, r.Method))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	changes, end := s.changes.Subscribe()
	defer end()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	flusher := http.NewResponseController(w)
	send := func(format string, args ...any) bool {
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && flusher.Flush() == nil
	}
	for ok := send("retry: %d\ndata: %d\n\n", comeBack, s.changes.version.Load()); ok; {
		select {
		case <-changes:
			ok = s.pause(r) && send("data: %d\n\n", s.changes.version.Load())
		case <-ticker.C:
			ok = send(": alive\n\n")
		case <-s.changes.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// pause waits a moment for more changes; false when the stream is to end.
func (s *Sandbox) pause(r *http.Request) bool {
	t := time.NewTimer(eventPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.changes.done:
	case <-r.Context().Done():
	}
	return false
}
