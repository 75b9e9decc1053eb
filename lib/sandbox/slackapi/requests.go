package slackapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Request is one call as it arrived, without the token.
type Request struct {
	// Time is when the call was answered.
	Time time.Time `json:"time"`
	// Method is the Slack method, for example chat.postMessage; HTTPMethod is
	// GET or POST.
	Method     string `json:"method"`
	HTTPMethod string `json:"http_method"`
	// Args are the arguments after decoding.
	Args Args `json:"args"`
	// Form holds the arguments as sent in the query or a form; JSON holds the
	// body when it was JSON. One of them is nil.
	Form url.Values      `json:"form,omitempty"`
	JSON json.RawMessage `json:"json,omitempty"`
	// Header is the request's header without Authorization and Cookie.
	Header http.Header `json:"header"`
	// Error is the Slack error code of the answer, or the effect of the fault
	// that took the answer's place, or caller_gone when the caller left before
	// the latency had passed; empty for success.
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
func (s *Server) logRequest(r Request) {
	s.log.add(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// record builds the entry for the log.
func (s *Server) record(r *http.Request, name string, d decoded, code string) Request {
	rec := Request{Method: name, Time: s.opts.Now(), Error: code}
	if s.log.size == 0 {
		return rec
	}
	rec.HTTPMethod, rec.Args, rec.Form, rec.JSON = r.Method, d.args, d.form, d.json
	rec.Header = make(http.Header, len(r.Header))
	for k, v := range r.Header {
		if k != "Authorization" && k != "Cookie" {
			rec.Header[k] = v
		}
	}
	return rec
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
