// Package pagerdutyapi is a PagerDuty account in memory behind the true HTTP
// form of PagerDuty's REST API (version 2), for tests, the demo and benchmarks.
// It refuses what PagerDuty documents as refused (keys, headers, required
// fields, deduplication, paging) with PagerDuty's own error codes, and it can
// be told to misbehave through package fault.
//
// Where PagerDuty's documentation leaves a point open, the stricter reading is
// taken, and a comment at the place says so.
package pagerdutyapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// DefaultKey is the API key of a Server whose Options name none.
const DefaultKey = "u+sandboxPagerDutyKey"

// DefaultKeepRequests is how many requests a Server remembers when its Options
// do not say.
const DefaultKeepRequests = 4096

// Options describes the account that New builds. The zero value is an account
// with DefaultUsers, DefaultServices and what belongs to them.
type Options struct {
	// Keys are the API keys; one full account key, DefaultKey, when nil.
	Keys []Key
	// Users, Policies, Services, Schedules, OnCalls and Priorities are there from
	// the start; the defaults of the same names when nil.
	Users      []User
	Policies   []Policy
	Services   []Service
	Schedules  []Schedule
	OnCalls    []OnCall
	Priorities []Priority
	// Faults is shared with whoever sets faults; a Server makes its own when nil.
	Faults *fault.Set
	// Latency is added to each call, as the network and PagerDuty would.
	Latency time.Duration
	// KeepRequests bounds the log of requests; DefaultKeepRequests when zero,
	// none are kept when negative.
	KeepRequests int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Server is the simulated account. It is an http.Handler for the paths of the
// REST API; Start puts it on a loopback port. All methods may be called at any
// time from any goroutine.
type Server struct {
	opts    Options
	faults  *fault.Set
	routes  []route
	latency atomic.Int64
	log     *requestLog

	mu       sync.Mutex
	state    account
	version  uint64
	watchers map[chan struct{}]struct{}

	lifecycle sync.Mutex
	server    *http.Server
	url       string
	served    chan struct{}
}

// New builds an account that does not listen yet.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts:     opts,
		faults:   opts.Faults,
		routes:   routes(),
		log:      newRequestLog(opts.KeepRequests),
		state:    newAccount(opts),
		watchers: make(map[chan struct{}]struct{}),
	}
	s.latency.Store(int64(opts.Latency))
	return s
}

func (o Options) withDefaults() Options {
	setDefault(&o.Keys, []Key{{Token: DefaultKey}})
	setDefault(&o.Users, DefaultUsers())
	setDefault(&o.Policies, DefaultPolicies())
	setDefault(&o.Services, DefaultServices())
	setDefault(&o.Schedules, DefaultSchedules())
	setDefault(&o.OnCalls, DefaultOnCalls())
	setDefault(&o.Priorities, DefaultPriorities())
	if o.Faults == nil {
		o.Faults = new(fault.Set)
	}
	if o.KeepRequests == 0 {
		o.KeepRequests = DefaultKeepRequests
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func setDefault[T any](list *[]T, value []T) {
	if *list == nil {
		*list = value
	}
}

// Start listens on a free loopback port and serves until Close.
func (s *Server) Start() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.server != nil {
		return errors.New("the simulated PagerDuty is already started")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for the simulated PagerDuty: %w", err)
	}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	s.server, s.served = srv, served
	s.url = "http://" + l.Addr().String()
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	return nil
}

// URL is the base of the API without a closing slash, as a client library wants
// it; empty before Start.
func (s *Server) URL() string {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	return s.url
}

// Close stops listening and cuts the calls under way. The account can still be
// read.
func (s *Server) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.server == nil {
		return nil
	}
	err := s.server.Close()
	<-s.served
	s.server = nil
	if err != nil {
		return fmt.Errorf("closing the simulated PagerDuty: %w", err)
	}
	return nil
}

// Faults returns the set that the server asks at each call. The method of a
// fault is the verb and the path with {id} in place of an id, such as
// "POST /incidents" or "GET /incidents/{id}/notes". Its target is the ID of the
// service that the call is about, or the incident's.
func (s *Server) Faults() *fault.Set { return s.faults }

// SetLatency changes the time that is added to each call from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }
