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
	"cmp"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// DefaultToken is the bot token of a Server whose Options name none. It is
// written without the word "Bot" that goes before it in the header.
const DefaultToken = "sandbox.discord.token"

// NonceWindow is for how long a message's nonce is enforced. Discord says only
// "the past few minutes".
const NonceWindow = 3 * time.Minute

// maxBody is the documented limit on a request's size, in bytes.
const maxBody = 25 << 20

// Options describes the guilds and users that New builds. The zero value has
// those of DefaultGuilds and DefaultUsers, and no rate limits.
type Options struct {
	apiserver.Options
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
	Limits *apiserver.Limits
	// Heartbeat is how often clients of the gateway are to send heartbeats; as
	// Discord's when zero.
	Heartbeat time.Duration
	// StartLimitReset is when more sessions may be begun; in four hours when zero.
	StartLimitReset time.Duration
}

// DefaultLimits are five messages in five seconds for each channel, which is
// what the service lets through today though it does not promise it, and the
// documented fifty calls a second.
func DefaultLimits() *apiserver.Limits {
	return &apiserver.Limits{PerRoute: 5, Window: 5 * time.Second, Global: 50}
}

// Server is the simulated service, at the paths below /api/, with or without a
// version. The method of a fault is one of the method constants, such as
// CreateMessage; its target is the ID of the channel, guild or user that the call
// is about, or the name of a channel.
type Server struct {
	*apiserver.Server
	opts    Options
	limiter *apiserver.Limiter
	state   world
}

// Request is one call as it arrived. Its path is below the version, with the
// query.
type Request = apiserver.Request

// New builds a Server that does not listen yet.
func New(opts Options) *Server {
	opts.Token = cmp.Or(opts.Token, DefaultToken)
	opts.BotID = cmp.Or(opts.BotID, DefaultBotID)
	opts.ApplicationID = cmp.Or(opts.ApplicationID, DefaultApplicationID)
	opts.BotName = cmp.Or(opts.BotName, "teleport")
	opts.MaxBody = maxBody
	if opts.Users == nil {
		opts.Users = DefaultUsers()
	}
	if opts.Guilds == nil {
		opts.Guilds = DefaultGuilds()
	}
	s := &Server{opts: opts, state: newWorld(opts)}
	if opts.Limits != nil {
		s.limiter = &apiserver.Limiter{Limits: *opts.Limits}
	}
	s.Server = apiserver.New("the simulated Discord", "/api/", opts.Options, s)
	return s
}

// Token is the token that the server accepts.
func (s *Server) Token() (token string) {
	s.Look(func() { token = s.state.token })
	return token
}

// SetToken makes the server accept another token and refuse the one before.
func (s *Server) SetToken(token string) { s.Change(func() { s.state.token = token }) }
