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

	"teleport-plugins/lib/sandbox/apiserver"
)

// DefaultToken is the bot token of a Server whose Options name none.
const DefaultToken = "xoxb-sandbox-token"

// Options describes the workspace that New builds. The zero value is a
// workspace with the channels and users of DefaultChannels and DefaultUsers,
// and a bot that holds DefaultScopes.
type Options struct {
	apiserver.Options
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
}

// Server is the simulated workspace, at the paths /api/<method>. The method of a
// fault is a Slack method such as chat.postMessage; its target is the channel's
// ID, or the channel, user or email argument exactly as it was sent.
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
