package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// tokens gives out the access tokens with which a mailbox is opened (RFC 6749).
type tokens struct {
	OAuth
	http *http.Client

	mu   sync.Mutex
	have *oauth2.Token
}

// token is one that has not run out. Those who wait for a new one get the same.
func (t *tokens) token(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.have.Valid() {
		return t.have.AccessToken, nil
	}
	ctx, call := outbound.Begin(ctx, "get an access token", "")
	got, err := t.fetch(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err != nil {
		return "", refusedToken(call, err)
	}
	t.have = got
	return got.AccessToken, nil
}

// forget has the next token fetched anew.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.have = nil
}

func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, error) {
	secret, err := t.ClientSecret.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the client secret: %w", err)
	}
	var scopes []string
	if t.Scope != "" {
		scopes = []string{t.Scope}
	}
	if !t.RefreshToken.IsSet() {
		c := clientcredentials.Config{ClientID: t.ClientID, ClientSecret: secret, TokenURL: t.TokenURL, Scopes: scopes, AuthStyle: oauth2.AuthStyleInParams}
		return c.Token(ctx) //nolint:wrapcheck // sorted by refusedToken
	}
	refresh, err := t.RefreshToken.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the refresh token: %w", err)
	}
	c := oauth2.Config{ClientID: t.ClientID, ClientSecret: secret, Scopes: scopes, Endpoint: oauth2.Endpoint{TokenURL: t.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	return c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token() //nolint:wrapcheck // the same
}

// refusedToken sorts why there is no token. Only the server's own words (RFC 6749, 5.2)
// say that the application is at fault; nothing was sent to anybody in any case.
func refusedToken(call *outbound.Call, err error) error {
	e := call.Fail(err)
	if e.Kind == outbound.Unclear {
		e.Kind = outbound.Retry
	}
	if errors.As(err, new(*url.Error)) || call.Status() != 0 {
		e.Hint = cmp.Or(e.Hint, "see token_url in [smtp.oauth]")
	}
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) {
		return e
	}
	e.Code, e.Err = message.Line(message.Cut(said.ErrorCode, longestWord)), errors.New("the server gives out no token") // its answer may hold what is secret
	if slices.Contains([]string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "unsupported_grant_type", "access_denied"}, said.ErrorCode) {
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, "see [smtp.oauth], and the rights of the application"
	}
	return e
}
