package apiserver

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// Listener serves an API at a port. Make one with NewListener. All methods may be
// called at any time from any goroutine.
type Listener struct {
	name, base string

	mu      sync.Mutex
	addr    string
	started bool
	running *serving
}

// NewListener makes a listener that does not listen yet. name is what errors call
// it; addr is where it is to listen, a free port of 127.0.0.1 when empty; base is
// the path of the API in its URL.
func NewListener(name, addr, base string) *Listener {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	return &Listener{name: name, addr: addr, base: base}
}

// Serve listens and serves until Close. After a Close it listens at the same
// address again, as a service does that comes back after an outage.
func (l *Listener) Serve(h http.Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running != nil {
		return errors.New(l.name + " is already started")
	}
	port, err := net.Listen("tcp", l.addr)
	if err != nil {
		return fmt.Errorf("listening for %s: %w", l.name, err)
	}
	l.addr, l.started = port.Addr().String(), true
	l.running = serve(port, h)
	return nil
}

// URL is the base of the API. It is empty until the listener was started, and
// stays.
func (l *Listener) URL() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started {
		return ""
	}
	return "http://" + l.addr + l.base
}

// Close stops listening, cuts the connections and waits for the calls under way
// to end. What the API holds can still be read.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		return nil
	}
	err := l.running.close()
	l.running = nil
	if err != nil {
		return fmt.Errorf("closing %s: %w", l.name, err)
	}
	return nil
}

// serving serves a handler until it is closed.
type serving struct {
	server *http.Server
	served chan struct{}
	next   http.Handler
	// calls is held for reading by each call under way.
	calls  sync.RWMutex
	closed bool
}

func serve(port net.Listener, h http.Handler) *serving {
	s := &serving{served: make(chan struct{}), next: h}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(port)
	}()
	return s
}

// ServeHTTP answers a call, unless it came too late.
func (s *serving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.RLock()
	defer s.calls.RUnlock()
	if s.closed {
		fault.Drop(w)
		return
	}
	s.next.ServeHTTP(w, r)
}

func (s *serving) close() error {
	err := s.server.Close()
	<-s.served
	s.calls.Lock()
	defer s.calls.Unlock()
	s.closed = true
	return err
}
