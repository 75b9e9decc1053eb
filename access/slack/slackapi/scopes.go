package slackapi

import (
	"slices"
	"strings"
)

// DefaultScopes are what a bot needs for everything the sandbox offers except
// posting to public channels it has not joined (chat:write.public).
func DefaultScopes() []string {
	return []string{
		"chat:write", "users:read", "users:read.email", "im:write", "mpim:write",
		"channels:read", "groups:read", "im:read", "mpim:read",
		"channels:history", "groups:history", "im:history", "mpim:history",
		"channels:join", "team:read", "usergroups:read",
	}
}

// scopeSet is a token's scopes. It is never changed once made.
type scopeSet []string

// String lists the scopes as the header X-Oauth-Scopes does.
func (s scopeSet) String() string { return strings.Join(s, ",") }

func (s scopeSet) has(scope string) bool { return slices.Contains(s, scope) }

// need returns missing_scope unless one of the scopes is held or none is asked.
func (s scopeSet) need(anyOf ...string) error {
	if len(anyOf) == 0 || slices.ContainsFunc(anyOf, s.has) {
		return nil
	}
	return &apiError{code: "missing_scope", needed: strings.Join(anyOf, ","), provided: s.String()}
}

// token is a token of the app.
type token struct {
	scopes scopeSet
	// app says that it is an app-level token, and not the bot's.
	app bool
	// refused is the error code that every call gets, for example
	// token_revoked; empty while the token is good.
	refused string
}

// SetScopes replaces the scopes of a token, or adds the token. It is an app-level
// token if it looks like one.
func (s *Server) SetScopes(tok string, scopes ...string) {
	s.Change(func() { s.state.tokens[tok] = newToken(tok, scopes) })
}

func newToken(tok string, scopes []string) *token {
	return &token{scopes: slices.Clone(scopes), app: strings.HasPrefix(tok, "xapp-")}
}

// RefuseToken makes every call with the token fail with the code, for example
// token_revoked, token_expired or account_inactive; an empty code makes the
// token good again. An unknown token is left unknown.
func (s *Server) RefuseToken(tok, code string) {
	s.Change(func() {
		if t, ok := s.state.tokens[tok]; ok {
			s.state.tokens[tok] = &token{scopes: t.scopes, app: t.app, refused: code}
		}
	})
}

// Token is the bot token that the server was made with.
func (s *Server) Token() string { return s.opts.Token }

// AppToken is the app-level token that the server was made with.
func (s *Server) AppToken() string { return s.opts.AppToken }
