// Package slackapi is a Slack workspace in memory behind the true HTTP form of
// Slack's Web API, for tests, the demo and benchmarks. It refuses what Slack
// documents as refused (missing scopes, unknown channels, malformed blocks,
// texts over a limit) with Slack's own error codes, and it can be told to
// misbehave through package fault.
//
// Where Slack's documentation leaves a point open, the stricter reading is
// taken and a comment at the place says so.
package slackapi

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

// DefaultToken is the bot token of a Server whose Options name none.
const DefaultToken = "xoxb-sandbox-token"

// DefaultKeepRequests is how many requests a Server remembers when its Options
// do not say.
const DefaultKeepRequests = 4096

// Options describes the workspace that New builds. The zero value is a
// workspace with the channels and users of DefaultChannels and DefaultUsers,
// and a bot that holds DefaultScopes.
type Options struct {
	// Addr is where Start listens; a free port of 127.0.0.1 when empty.
	Addr string
	// Token is the bot's token; DefaultToken when empty.
	Token string
	// Scopes are the bot token's scopes; DefaultScopes when nil.
	Scopes []string
	// TeamName and TeamDomain name the workspace; "Sandbox" and "sandbox" when
	// empty. Permalinks start with https://<domain>.slack.com/.
	TeamName, TeamDomain string
	// BotName is the bot user's name; "teleport" when empty.
	BotName string
	// Users and Channels are there from the start; DefaultUsers and
	// DefaultChannels when nil.
	Users    []User
	Channels []Channel
	// Faults is shared with whoever sets faults; a Server makes its own when nil.
	Faults *fault.Set
	// Latency is added to each call, as the network and Slack would.
	Latency time.Duration
	// KeepRequests bounds the log of requests; DefaultKeepRequests when zero,
	// none are kept when negative.
	KeepRequests int
	// Now is the clock that message timestamps are taken from; time.Now when nil.
	Now func() time.Time
}

// Server is the simulated workspace. It is an http.Handler for the paths
// /api/<method>; Start puts it on a loopback port. All methods may be called
// at any time from any goroutine.
type Server struct {
	opts    Options
	faults  *fault.Set
	methods map[string]method
	latency atomic.Int64
	log     *requestLog

	mu       sync.Mutex
	state    workspace
	version  uint64
	watchers map[chan struct{}]struct{}

	lifecycle sync.Mutex
	addr      string
	started   bool
	running   *listener
}

// New builds a workspace that does not listen yet.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts:     opts,
		faults:   opts.Faults,
		methods:  methods(),
		log:      newRequestLog(opts.KeepRequests),
		state:    newWorkspace(opts),
		watchers: make(map[chan struct{}]struct{}),
		addr:     opts.Addr,
	}
	s.latency.Store(int64(opts.Latency))
	return s
}

func (o Options) withDefaults() Options {
	setDefault(&o.Addr, "127.0.0.1:0")
	setDefault(&o.Token, DefaultToken)
	setDefault(&o.TeamName, "Sandbox")
	setDefault(&o.TeamDomain, "sandbox")
	setDefault(&o.BotName, "teleport")
	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	if o.Users == nil {
		o.Users = DefaultUsers()
	}
	if o.Channels == nil {
		o.Channels = DefaultChannels()
	}
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

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Start listens and serves until Close. After a Close it listens at the same
// address again, as a service does that comes back after an outage.
func (s *Server) Start() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.running != nil {
		return errors.New("the simulated Slack is already started")
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listening for the simulated Slack: %w", err)
	}
	s.addr, s.started = l.Addr().String(), true
	s.running = serve(l, s)
	return nil
}

// URL is the base of the API with its closing slash, as a client library wants
// it. It is known once the server was started, and stays.
func (s *Server) URL() string {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if !s.started {
		return ""
	}
	return "http://" + s.addr + "/api/"
}

// Close stops listening, cuts the connections and waits for the calls under way
// to end. The workspace can still be read.
func (s *Server) Close() error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.running == nil {
		return nil
	}
	err := s.running.close()
	s.running = nil
	if err != nil {
		return fmt.Errorf("closing the simulated Slack: %w", err)
	}
	return nil
}

// listener serves a handler until it is closed.
type listener struct {
	server *http.Server
	served chan struct{}
	next   http.Handler
	// calls is held for reading by each call under way.
	calls  sync.RWMutex
	closed bool
}

func serve(l net.Listener, h http.Handler) *listener {
	ln := &listener{served: make(chan struct{}), next: h}
	ln.server = &http.Server{Handler: ln, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(ln.served)
		_ = ln.server.Serve(l)
	}()
	return ln
}

// ServeHTTP answers a call, unless it came too late.
func (ln *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ln.calls.RLock()
	defer ln.calls.RUnlock()
	if ln.closed {
		fault.Drop(w)
		return
	}
	ln.next.ServeHTTP(w, r)
}

func (ln *listener) close() error {
	err := ln.server.Close()
	<-ln.served
	ln.calls.Lock()
	defer ln.calls.Unlock()
	ln.closed = true
	return err
}

// Faults returns the set that the server asks at each call. The method of a
// fault is a Slack method such as chat.postMessage; its target is the channel's
// ID, or the channel, user or email argument exactly as it was sent.
func (s *Server) Faults() *fault.Set { return s.faults }

// SetLatency changes the time that is added to each call from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }
