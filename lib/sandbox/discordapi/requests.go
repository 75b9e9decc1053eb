package discordapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Request is one call as it arrived, without the token.
type Request struct {
	// Time is when the call was answered.
	Time time.Time `json:"time"`
	// Method is the called method as one of the method constants, for example
	// CreateMessage; for a path that is not served it is "METHOD path".
	Method string `json:"method"`
	// Target is the ID of the channel, guild or user in the path.
	Target string `json:"target,omitempty"`
	// Path is the path and query below the version, for example
	// /channels/1/messages?limit=100.
	Path string `json:"path"`
	// JSON is the body, nil when there was none.
	JSON json.RawMessage `json:"json,omitempty"`
	// Header is the request's header without Authorization and Cookie.
	Header http.Header `json:"header"`
	// Status is the HTTP status of the answer; zero when there was none.
	Status int `json:"status,omitempty"`
	// Error is Discord's code of the answer as a number, or the effect of the
	// fault that took the answer's place; empty for success.
	Error string `json:"error,omitempty"`
}

// requestLog is a ring of the newest requests and a counter for each method.
type requestLog struct {
	mu     sync.Mutex
	ring   []Request
	size   int
	next   int
	counts map[string]int
}

func newRequestLog(size int) *requestLog {
	return &requestLog{size: max(size, 0), counts: make(map[string]int)}
}

func (l *requestLog) add(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[r.Method]++
	if l.size == 0 {
		return
	}
	if len(l.ring) < l.size {
		l.ring = append(l.ring, r)
		return
	}
	l.ring[l.next] = r
	l.next = (l.next + 1) % l.size
}

// logRequest remembers a call and lets those who wait for it look again.
func (s *Server) logRequest(c *call, status int, code string) {
	rec := Request{Time: s.opts.Now(), Method: c.method, Target: c.target, Status: status, Error: code}
	if s.log.size > 0 {
		rec.Path, rec.JSON = c.path, c.body
		rec.Header = make(http.Header, len(c.r.Header))
		for k, v := range c.r.Header {
			if k != "Authorization" && k != "Cookie" {
				rec.Header[k] = v
			}
		}
	}
	s.log.add(rec)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// Requests returns the newest requests, oldest first. The maps in them are
// shared and must not be changed.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	out := make([]Request, 0, len(s.log.ring))
	out = append(out, s.log.ring[s.log.next:]...)
	return append(out, s.log.ring[:s.log.next]...)
}

// Calls is how often a method was called, failed calls included.
func (s *Server) Calls(method string) int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.counts[method]
}

// Counts is Calls for every method that was called at all.
func (s *Server) Counts() map[string]int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return maps.Clone(s.log.counts)
}
