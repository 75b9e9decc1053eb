package apiserver

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// API is what a simulated web API brings: its methods, and the form of its calls.
type API interface {
	// Open finds out what a call is about, before anybody knows whether it is in
	// order; false says that the path is none of the API.
	Open(c *Call) bool
	// Answer carries a call out, as its fault says where that is Refuse. The
	// server's lock is held.
	Answer(c *Call) Answer
	// TooFast is the answer to a caller who is to wait; zero means that it is not
	// said for how long.
	TooFast(c *Call, wait time.Duration) Answer
}

// Call is one call on its way through the server.
type Call struct {
	R *http.Request
	// Body is what was sent; TooLarge says that it is not all.
	Body     []byte
	TooLarge bool
	// Out is the header of the answer.
	Out http.Header
	// Fault is what was set for the call, if anything.
	Fault fault.Fault

	// Open fills in the rest. Method is how faults, counters and the log call the
	// method; Target is what it is about, and Also another name of the same.
	Method, Target, Also string
	// Content is the call as it was sent, for faults that look for a text.
	Content string
	// Path, Form and JSON are for the log: the path without what all have in
	// common, the arguments in the query or a form, and the body.
	Path string
	Form url.Values
	JSON json.RawMessage
	// Args are the arguments after decoding, where the API has a form of its own.
	Args map[string]string
	// Own is whatever Open keeps for Answer.
	Own any
}

// Answer is what a call is answered.
type Answer struct {
	Status int
	// Body is sent in JSON, or as it is where it is a Text; nothing but the status is
	// when it is nil.
	Body any
	// Code is the service's own code of an error, for the log.
	Code string
}

// Text is a body in plain text.
type Text string

// Request is one call as it arrived, without what proves who calls.
type Request struct {
	// Time is when the call was answered.
	Time                 time.Time
	Method, Target, Path string
	HTTPMethod           string
	Form                 url.Values
	JSON                 json.RawMessage
	Args                 map[string]string
	Header               http.Header
	// Status is that of the answer; zero when there was none.
	Status int
	// Error is the code of the answer, or the effect of the fault that took its
	// place, or caller_gone when the caller left before the latency had passed;
	// empty for success.
	Error string
}

// Options are common to all simulated services.
type Options struct {
	// Addr is where Start listens; a free port of 127.0.0.1 when empty.
	Addr string
	// Faults is shared with whoever sets faults; a Server makes its own when nil.
	Faults *fault.Set
	// Latency is added to each call, as the network and the service would.
	Latency time.Duration
	// KeepRequests bounds the log of requests; DefaultKeep when zero, none are
	// kept when negative.
	KeepRequests int
	// Now is the clock of the service; time.Now when nil.
	Now func() time.Time
	// MaxBody bounds what is read of a request, in bytes; 1 MiB when zero.
	MaxBody int64
}

// Server serves an API. It is an http.Handler; Start puts it on a loopback port.
// All methods may be called at any time from any goroutine.
type Server struct {
	*Listener
	*CallLog[Request]
	*Watchers

	// Now is the clock.
	Now func() time.Time

	api     API
	faults  *fault.Set
	latency atomic.Int64
	maxBody int64

	mu      sync.Mutex
	version uint64
}

// New makes a server that does not listen yet. name is what errors call the
// service, and base the path of its API.
func New(name, base string, o Options, api API) *Server {
	s := &Server{
		Listener: NewListener(name, o.Addr, base), CallLog: NewCallLog[Request](o.KeepRequests), Watchers: NewWatchers(name),
		Now: o.Now, api: api, faults: o.Faults, maxBody: cmp.Or(o.MaxBody, 1<<20),
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.faults == nil {
		s.faults = new(fault.Set)
	}
	s.SetLatency(o.Latency)
	return s
}

// Start listens and serves until Close.
func (s *Server) Start() error { return s.Serve(s) }

// Faults returns the set that the server asks at each call. The method of a fault
// is the service's name of a method; its target is the ID, or another name, of
// what a call is about.
func (s *Server) Faults() *fault.Set { return s.faults }

// SetLatency changes the time that is added to each call from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// Look reads the state of the service.
func (s *Server) Look(read func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	read()
}

// Change changes the state of the service and tells those who watch.
func (s *Server) Change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
	s.Changed()
}

// Changed tells those who watch of a change; the lock is held.
func (s *Server) Changed() {
	s.version++
	s.Wake()
}

// Version grows with each change; the lock is held.
func (s *Server) Version() uint64 { return s.version }

// ServeHTTP answers one call. The log is complete for whoever has seen the answer:
// a call is logged before that is sent.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &Call{R: r, Out: w.Header(), Path: r.URL.EscapedPath()}
	c.read(w, s.maxBody)
	if !s.api.Open(c) {
		http.NotFound(w, r)
		return
	}
	if !s.pause(r) {
		s.log(c, Answer{Code: "caller_gone"})
		return
	}
	if s.misbehaves(w, c) {
		return
	}
	a := s.answer(c)
	s.log(c, a)
	if c.Fault.Effect == fault.DoneNotAnswered {
		fault.Drop(w)
		return
	}
	write(w, a)
}

// read takes in the body.
func (c *Call) read(w http.ResponseWriter, most int64) {
	body, err := io.ReadAll(http.MaxBytesReader(w, c.R.Body, most))
	var large *http.MaxBytesError
	c.TooLarge = errors.As(err, &large)
	if len(body) > 0 {
		c.Body, c.JSON = body, body
	}
}

// pause lets the latency pass and reports whether the caller is still there.
func (s *Server) pause(r *http.Request) bool {
	d := time.Duration(s.latency.Load())
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// misbehaves carries out a fault that takes the place of the work, and reports
// whether there was one.
func (s *Server) misbehaves(w http.ResponseWriter, c *Call) bool {
	f, hit := s.faults.TakeCall(fault.Call{Method: c.Method, Target: c.Target, Content: c.Content})
	if !hit && c.Also != "" && c.Also != c.Target {
		f, hit = s.faults.TakeCall(fault.Call{Method: c.Method, Target: c.Also, Content: c.Content})
	}
	if !hit {
		return false
	}
	c.Fault = f
	s.Wake() // lets those look again who wait for a fault to hit
	instead := Answer{Code: string(f.Effect)}
	switch f.Effect {
	case fault.Refuse, fault.DoneNotAnswered:
		return false
	case fault.RateLimit:
		a := s.api.TooFast(c, f.RetryAfter())
		a.Code = instead.Code
		s.log(c, a)
		write(w, a)
	case fault.Slow:
		if !fault.Before(w, c.R, f) {
			return false
		}
		s.log(c, instead)
	default:
		s.log(c, instead)
		fault.Before(w, c.R, f)
	}
	return true
}

func (s *Server) answer(c *Call) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.api.Answer(c)
}

// log remembers a call and lets those who wait for it look again.
func (s *Server) log(c *Call, a Answer) {
	r := Request{Time: s.Now(), Method: c.Method, Status: a.Status, Error: a.Code}
	if s.Keeps() {
		r.Target, r.Path, r.HTTPMethod, r.Form, r.JSON, r.Args = c.Target, c.Path, c.R.Method, c.Form, c.JSON, c.Args
		r.Header = WithoutSecrets(c.R.Header)
	}
	s.Add(c.Method, r)
	s.Wake()
}

// write sends an answer.
func write(w http.ResponseWriter, a Answer) {
	if a.Body == nil {
		w.WriteHeader(a.Status)
		return
	}
	if text, plain := a.Body.(Text); plain {
		http.Error(w, string(text), a.Status)
		return
	}
	data, err := json.Marshal(a.Body)
	if err != nil {
		http.Error(w, "encoding the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.Status)
	_, _ = w.Write(data)
}
