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
	"sync"
	"sync/atomic"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// DefaultKey is the API key of a Server whose Options name none.
const DefaultKey = "u+sandboxPagerDutyKey"

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
	// KeepRequests bounds the log of requests; apiserver.DefaultKeep when zero,
	// none are kept when negative.
	KeepRequests int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Server is the simulated account. It is an http.Handler for the paths of the
// REST API; Start puts it on a loopback port. All methods may be called at any
// time from any goroutine.
type Server struct {
	*apiserver.Listener
	*apiserver.CallLog[Request]
	*apiserver.Watchers

	opts    Options
	faults  *fault.Set
	routes  []route
	latency atomic.Int64

	mu      sync.Mutex
	state   account
	version uint64
}

// New builds an account that does not listen yet.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts:     opts,
		faults:   opts.Faults,
		routes:   routes(),
		Listener: apiserver.NewListener("the simulated PagerDuty", "", ""),
		CallLog:  apiserver.NewCallLog[Request](opts.KeepRequests),
		Watchers: apiserver.NewWatchers("the simulated PagerDuty"),
		state:    newAccount(opts),
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

// Start listens and serves until Close.
func (s *Server) Start() error { return s.Serve(s) }

// Faults returns the set that the server asks at each call. The method of a
// fault is the verb and the path with {id} in place of an id, such as
// "POST /incidents" or "GET /incidents/{id}/notes". Its target is the ID of the
// service that the call is about, or the incident's.
func (s *Server) Faults() *fault.Set { return s.faults }

// SetLatency changes the time that is added to each call from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }
