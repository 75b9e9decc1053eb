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
	"sync"
	"sync/atomic"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// DefaultToken is the bot token of a Server whose Options name none.
const DefaultToken = "xoxb-sandbox-token"

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
	// KeepRequests bounds the log of requests; apiserver.DefaultKeep when zero,
	// none are kept when negative.
	KeepRequests int
	// Now is the clock that message timestamps are taken from; time.Now when nil.
	Now func() time.Time
}

// Server is the simulated workspace. It is an http.Handler for the paths
// /api/<method>; Start puts it on a loopback port. All methods may be called
// at any time from any goroutine.
type Server struct {
	*apiserver.Listener
	*apiserver.CallLog[Request]
	*apiserver.Watchers

	opts    Options
	faults  *fault.Set
	methods map[string]method
	latency atomic.Int64

	mu      sync.Mutex
	state   workspace
	version uint64
}

// New builds a workspace that does not listen yet.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts:     opts,
		faults:   opts.Faults,
		methods:  methods(),
		Listener: apiserver.NewListener("the simulated Slack", opts.Addr, "/api/"),
		CallLog:  apiserver.NewCallLog[Request](opts.KeepRequests),
		Watchers: apiserver.NewWatchers("the simulated Slack"),
		state:    newWorkspace(opts),
	}
	s.latency.Store(int64(opts.Latency))
	return s
}

func (o Options) withDefaults() Options {
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

// Start listens and serves until Close.
func (s *Server) Start() error { return s.Serve(s) }

// Faults returns the set that the server asks at each call. The method of a
// fault is a Slack method such as chat.postMessage; its target is the channel's
// ID, or the channel, user or email argument exactly as it was sent.
func (s *Server) Faults() *fault.Set { return s.faults }

// SetLatency changes the time that is added to each call from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }
