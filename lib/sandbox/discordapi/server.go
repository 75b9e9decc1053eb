// Package discordapi is Discord in memory behind the true HTTP form of its REST
// API, for tests, the demo and benchmarks. It refuses what Discord documents as
// refused (a token without "Bot ", missing permissions, texts over a limit) with
// Discord's own statuses and codes, and it can be told to misbehave through
// package fault.
//
// Where Discord's documentation leaves a point open, the stricter reading is
// taken and a comment at the place says so.
package discordapi

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// DefaultToken is the bot token of a Server whose Options name none. It is
// written without the word "Bot" that goes before it in the header.
const DefaultToken = "sandbox.discord.token"

// NonceWindow is for how long a message's nonce is enforced. Discord says only
// "the past few minutes".
const NonceWindow = 3 * time.Minute

// Options describes the guilds and users that New builds. The zero value has
// those of DefaultGuilds and DefaultUsers, and no rate limits.
type Options struct {
	// Token is the bot's token; DefaultToken when empty.
	Token string
	// BotID is the ID of the bot's user, and ApplicationID that of its
	// application; DefaultBotID and DefaultApplicationID when empty.
	BotID, ApplicationID string
	// BotName is the bot's name; "teleport" when empty.
	BotName string
	// Users and Guilds are there from the start.
	Users  []User
	Guilds []Guild
	// Limits are the rate limits; there are none, and no headers that tell of
	// them, when nil. DefaultLimits are those of the real service.
	Limits *Limits
	// Faults is shared with whoever sets faults; a Server makes its own when nil.
	Faults *fault.Set
	// Latency is added to each call, as the network and Discord would.
	Latency time.Duration
	// KeepRequests bounds the log of requests; apiserver.DefaultKeep when zero,
	// none are kept when negative.
	KeepRequests int
	// Now is the clock of message ids, nonces and limits; time.Now when nil.
	Now func() time.Time
}

// Server is the simulated service. It is an http.Handler for the paths below
// /api/, with or without a version; Start puts it on a loopback port. All
// methods may be called at any time from any goroutine.
type Server struct {
	*apiserver.Listener
	*apiserver.CallLog[Request]
	*apiserver.Watchers

	opts    Options
	faults  *fault.Set
	mux     *http.ServeMux
	latency atomic.Int64
	limiter *limiter

	mu      sync.Mutex
	state   world
	version uint64
}

// New builds a Server that does not listen yet.
func New(opts Options) *Server {
	opts = opts.withDefaults()
	s := &Server{
		opts:     opts,
		faults:   opts.Faults,
		Listener: apiserver.NewListener("the simulated Discord", "", "/api/"),
		CallLog:  apiserver.NewCallLog[Request](opts.KeepRequests),
		Watchers: apiserver.NewWatchers("the simulated Discord"),
		limiter:  newLimiter(opts.Limits),
		state:    newWorld(opts),
	}
	s.mux = s.routes()
	s.latency.Store(int64(opts.Latency))
	return s
}

func (o Options) withDefaults() Options {
	setDefault(&o.Token, DefaultToken)
	setDefault(&o.BotID, DefaultBotID)
	setDefault(&o.ApplicationID, DefaultApplicationID)
	setDefault(&o.BotName, "teleport")
	if o.Users == nil {
		o.Users = DefaultUsers()
	}
	if o.Guilds == nil {
		o.Guilds = DefaultGuilds()
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

// Token is the token that the server accepts.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.token
}

// SetToken makes the server accept another token and refuse the one before.
func (s *Server) SetToken(token string) { s.change(func(w *world) { w.token = token }) }

// Faults returns the set that the server asks at each call. The method of a
// fault is one of the method constants, such as CreateMessage; its target is
// the ID of the channel, guild or user that the call is about, or the name of
// a channel.
func (s *Server) Faults() *fault.Set { return s.faults }

// SetLatency changes the time that is added to each call from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }
