package pagerdutyapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Request is one call as it arrived, without the key.
type Request struct {
	// Time is when the call was answered.
	Time time.Time `json:"time"`
	// Method is the verb and the path with {id} for an id, for example
	// PUT /incidents/{id}; Path is as it was sent.
	Method string `json:"method"`
	Path   string `json:"path"`
	// Query and JSON are the arguments; either may be nil.
	Query url.Values      `json:"query,omitempty"`
	JSON  json.RawMessage `json:"json,omitempty"`
	// Header is the request's header without Authorization and Cookie.
	Header http.Header `json:"header"`
	// Status is the HTTP status of the answer, or zero if there was none.
	Status int `json:"status"`
	// Fault is the effect of the fault that hit the call, or empty.
	Fault string `json:"fault,omitempty"`
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
	switch {
	case l.size == 0:
	case len(l.ring) < l.size:
		l.ring = append(l.ring, r)
	default:
		l.ring[l.next] = r
		l.next = (l.next + 1) % l.size
	}
}

// logRequest remembers a call and lets those who wait for it look again.
func (s *Server) logRequest(r *http.Request, c *call, status int, effect string) {
	entry := Request{
		Time: s.opts.Now(), Method: c.method, Path: r.URL.EscapedPath(), Query: c.query, JSON: c.body,
		Header: r.Header.Clone(), Status: status, Fault: effect,
	}
	entry.Header.Del("Authorization")
	entry.Header.Del("Cookie")
	s.log.add(entry)
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
