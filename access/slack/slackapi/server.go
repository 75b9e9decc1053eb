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
	"cmp"
	"net/http"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// DefaultToken is the bot token, and DefaultAppToken the app-level token, of a
// Server whose Options name none.
const (
	DefaultToken    = "xoxb-sandbox-token"
	DefaultAppToken = "xapp-1-A0SANDBOX01-1-sandbox"
)

// Options describes the workspace that New builds. The zero value is a
// workspace with the channels and users of DefaultChannels and DefaultUsers,
// and a bot that holds DefaultScopes.
type Options struct {
	apiserver.Options
	// Token is the bot's token; DefaultToken when empty.
	Token string
	// Scopes are the bot token's scopes; DefaultScopes when nil.
	Scopes []string
	// AppToken is the app-level token; DefaultAppToken when empty.
	AppToken string
	// AckLimit is how long Slack waits until an app has acknowledged what it was
	// sent; three seconds when zero.
	AckLimit time.Duration
	// PingEvery is how often Slack pings a socket; five seconds when zero.
	PingEvery time.Duration
	// TeamName and TeamDomain name the workspace; "Sandbox" and "sandbox" when
	// empty. Permalinks start with https://<domain>.slack.com/.
	TeamName, TeamDomain string
	// Enterprise is the ID of the Grid organisation that the workspace is part of, if
	// any. People of the whole organisation may have it as their team.
	Enterprise string
	// BotName is the bot user's name; "teleport" when empty.
	BotName string
	// Users and Channels are there from the start; DefaultUsers and
	// DefaultChannels when nil.
	Users    []User
	Channels []Channel
}

// Server is the simulated workspace, at the paths /api/<method>. The method of a
// fault is a Slack method such as chat.postMessage; its target is the channel's
// ID, or the channel, user or email argument exactly as it was sent. What has no
// method has a name here: ResponseURL and Socket.
type Server struct {
	*apiserver.Server
	opts    Options
	methods map[string]method
	state   workspace
}

// Request is one call as it arrived.
type Request = apiserver.Request

// New builds a workspace that does not listen yet.
func New(opts Options) *Server {
	opts.Token = cmp.Or(opts.Token, DefaultToken)
	opts.AppToken = cmp.Or(opts.AppToken, DefaultAppToken)
	opts.AckLimit = cmp.Or(opts.AckLimit, 3*time.Second)
	opts.PingEvery = cmp.Or(opts.PingEvery, 5*time.Second)
	opts.TeamName = cmp.Or(opts.TeamName, "Sandbox")
	opts.TeamDomain = cmp.Or(opts.TeamDomain, "sandbox")
	opts.BotName = cmp.Or(opts.BotName, "teleport")
	if opts.Scopes == nil {
		opts.Scopes = DefaultScopes()
	}
	if opts.Users == nil {
		opts.Users = DefaultUsers()
	}
	if opts.Channels == nil {
		opts.Channels = DefaultChannels()
	}
	s := &Server{opts: opts, methods: methods(), state: newWorkspace(opts)}
	s.Server = apiserver.New("the simulated Slack", "/api/", opts.Options, s)
	return s
}

// Start listens and serves until Close.
func (s *Server) Start() error {
	s.Look(func() { s.state.live.closed = false })
	return s.Serve(s)
}

// Close stops listening, cuts all connections, sockets too, and waits until none
// is served any more.
func (s *Server) Close() error {
	s.cutAll()
	return s.Server.Close()
}

// ServeHTTP answers one call, or serves a socket.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == socketPath {
		s.serveSocket(w, r)
		return
	}
	s.Server.ServeHTTP(w, r)
}
