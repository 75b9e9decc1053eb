// Package fault holds the switches with which a simulated service is told to
// misbehave. A service asks the Set at the start of each call and obeys the
// fault that it is given; tests, the page and the command line all add faults
// through the same Set.
package fault

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Effect names what happens to a call.
type Effect string

const (
	// RateLimit answers 429 without doing the work; RetryAfter is told in the
	// service's own form, or left out when it is zero.
	RateLimit Effect = "rate_limit"
	// Status answers with the given HTTP status without doing the work.
	Status Effect = "status"
	// Gateway answers with the given HTTP status and a page in HTML, as a gateway
	// or firewall before the service does, without doing the work.
	Gateway Effect = "gateway"
	// Hang neither does the work nor answers, until the caller goes away.
	Hang Effect = "hang"
	// Cut closes the connection without doing the work.
	Cut Effect = "cut"
	// DoneNotAnswered does the work and then closes the connection without an
	// answer.
	DoneNotAnswered Effect = "done_not_answered"
	// Garbage answers 200 with a body that is not what the service documents,
	// without doing the work.
	Garbage Effect = "garbage"
	// Slow waits for Delay, then does the work and answers as usual.
	Slow Effect = "slow"
	// Refuse answers with the service's own error named by Code (for example
	// channel_not_found) without doing the work.
	Refuse Effect = "refuse"
)

// Unclear reports whether a caller who meets the effect cannot know from the
// service whether the work was done.
func (e Effect) Unclear() bool {
	switch e {
	case RateLimit, Refuse, Slow:
		return false
	}
	return true
}

// Fault describes one misbehaviour and which calls it hits.
type Fault struct {
	// Method limits the fault to one method of the service, for example
	// chat.postMessage or POST /incidents; empty means every method.
	Method string `json:"method,omitempty"`
	// Target limits the fault to one channel or service id; empty means all.
	Target string `json:"target,omitempty"`
	// Content limits the fault to calls that hold the text, as a firewall does
	// that dislikes one; empty means all.
	Content string `json:"content,omitempty"`
	// Effect is what happens.
	Effect Effect `json:"effect"`
	// HTTPStatus is the status for the effects Status and Gateway; 500 when zero.
	HTTPStatus int `json:"http_status,omitempty"`
	// Code is the service's error code for the effect Refuse.
	Code string `json:"code,omitempty"`
	// RetryAfter is told with the effect RateLimit, in milliseconds.
	RetryAfterMS int `json:"retry_after_ms,omitempty"`
	// DelayMS is the wait for the effect Slow, in milliseconds.
	DelayMS int `json:"delay_ms,omitempty"`
	// Times is how many calls are hit before the fault is used up; zero means
	// until it is cleared.
	Times int `json:"times,omitempty"`
}

// RetryAfter is how long the caller is told to wait; zero means it is not told.
func (f Fault) RetryAfter() time.Duration { return time.Duration(f.RetryAfterMS) * time.Millisecond }

// Delay is how long a slow call takes.
func (f Fault) Delay() time.Duration { return time.Duration(f.DelayMS) * time.Millisecond }

// RetryAfterSeconds is RetryAfter in whole seconds, rounded up, as HTTP wants it.
func (f Fault) RetryAfterSeconds() string {
	return strconv.Itoa(int((f.RetryAfter() + time.Second - 1) / time.Second))
}

// StatusCode is the HTTP status of the effect Status.
func (f Fault) StatusCode() int {
	if f.HTTPStatus == 0 {
		return http.StatusInternalServerError
	}
	return f.HTTPStatus
}

// Call is a call of a service as its faults see it.
type Call struct {
	// Method and Target are what Fault calls so. Content is the call as it was
	// sent, without what proves who calls.
	Method, Target, Content string
}

// hits reports whether a fault is about a call.
func (f *Fault) hits(c Call) bool {
	return (f.Method == "" || f.Method == c.Method) && (f.Target == "" || f.Target == c.Target) &&
		strings.Contains(c.Content, f.Content)
}

// Set is a list of faults that can be changed while the service runs. The zero
// value holds none and is ready for use.
type Set struct {
	mu       sync.Mutex
	faults   []*Fault
	observer func(Fault, Call)
}

// Add puts a fault behind those already there; the first that matches a call
// is the one that hits it. The returned function removes it; what is used up or
// cleared is removed already.
func (s *Set) Add(f Fault) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := &f
	s.faults = append(s.faults, added)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return f == added })
	}
}

// Observe has the function called with each fault that hits a call, before it is
// carried out; nil ends that.
func (s *Set) Observe(f func(Fault, Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observer = f
}

// Clear removes every fault.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// List returns a copy of the faults that are set.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, *f)
	}
	return out
}

// Take is TakeCall for a call whose content is of no interest.
func (s *Set) Take(method, target string) (Fault, bool) {
	return s.TakeCall(Call{Method: method, Target: target})
}

// TakeCall returns the fault that hits this call, if there is one, and counts it.
func (s *Set) TakeCall(c Call) (Fault, bool) {
	f, observer, ok := s.take(c)
	if ok && observer != nil {
		observer(f, c)
	}
	return f, ok
}

func (s *Set) take(c Call) (hit Fault, observer func(Fault, Call), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.hits(c) })
	if i < 0 {
		return Fault{}, nil, false
	}
	f := s.faults[i]
	hit = *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
	}
	return hit, s.observer, true
}

// Before carries out what a fault does before the work. It reports whether the
// call is thereby finished; a fault with an answer in the service's own form
// (RateLimit, Refuse) is left to the caller.
func Before(w http.ResponseWriter, r *http.Request, f Fault) (finished bool) {
	switch f.Effect {
	case Status:
		http.Error(w, "simulated failure", f.StatusCode())
	case Gateway:
		gateway(w, f.StatusCode())
	case Hang:
		<-r.Context().Done()
	case Cut:
		Drop(w)
	case Garbage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>This is not what you asked for.</body></html>"))
	case Slow:
		t := time.NewTimer(f.Delay())
		defer t.Stop()
		select {
		case <-t.C:
			return false
		case <-r.Context().Done():
		}
	default:
		return false
	}
	return true
}

// gateway answers as one does that stands before the service.
func gateway(w http.ResponseWriter, status int) {
	if status/100 == 3 {
		w.Header().Set("Location", "/login?from=gateway")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><head><title>%[1]d %[2]s</title></head><body><h1>%[2]s</h1><hr>gateway</body></html>\n",
		status, http.StatusText(status))
}

// Drop closes the connection under an answer that was not given. Nothing may
// have been written to w before.
func Drop(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = conn.Close()
}
