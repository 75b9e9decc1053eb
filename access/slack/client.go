package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// client makes calls with slack-go and sorts what came of them. It is the HTTP
// client of slack-go as well, see Do.
type client struct {
	api       *slack.Client // it has no token, which Do adds
	token     config.Secret
	tokenKey  string // of the config
	http      *http.Client
	transport *outbound.Transport

	mu   sync.Mutex
	self account
}

// account is who we are at Slack; zero as long as that is not known.
type account struct {
	bot, user string   // ids; a token that is no bot's has no bot
	team, org string   // ids of the workspace and of the organization, if it is part of one
	scopes    []string // of the token
}

// me is who we are, as far as that is known.
func (c *client) me() account {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self
}

// ticket asks for the address of a connection of Socket Mode, which is good once. The
// address is as good as a token for that time.
func (c *client) ticket(ctx context.Context) (address string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTime, errors.New("no answer from Slack in time"))
	defer cancel()
	err = c.call(ctx, "apps.connections.open", "", func(ctx context.Context) (err error) {
		_, address, err = c.api.StartSocketModeContext(ctx)
		return whole(err != nil || address != "", err)
	})
	return address, err
}

// limitedWithoutTime is how long to wait when Slack says that a rate limit is
// reached but not for how long; Slack's limits count by the minute.
const limitedWithoutTime = 30 * time.Second

// call makes one call of slack-go. Target is what Slack's rate limit on the method
// holds for, if that is not the whole workspace. Errors are *outbound.Error.
func (c *client) call(ctx context.Context, method, target string, do func(context.Context) error) error {
	ctx, call := outbound.Begin(ctx, method, target)
	err := do(ctx)
	if err == nil {
		return nil
	}
	e := call.Fail(err)
	if refusal, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		e.Code = refusal.Err
		sortCode(e, method, refusal.Needed)
		if e.Kind == outbound.Wait && e.After == 0 {
			e.After = limitedWithoutTime
			c.transport.Hold(method, target, e.After)
		}
	}
	if e.Status != 0 && errors.Is(err, errForeign) {
		e.Hint = cmp.Or(e.Hint, foreignHint)
	}
	if e.Kind == outbound.Wait && target != "" {
		e.Scope = outbound.ThePlace
	}
	if e.Kind == outbound.Unclear && !strings.HasPrefix(method, "chat.") {
		e.Kind = outbound.Retry // it only reads
	}
	return e
}

// foreignHint is what to do where something answers that is not Slack.
const foreignHint = "see that slack.api_url leads to Slack's API, and whether a proxy or gateway on the way answers in its place"

// errForeign stands for an answer in a form that Slack gives none.
var errForeign = errors.New("the answer is not one of Slack's")

// whole is the error of a call, and errForeign for a success that does not hold
// what it must hold.
func whole(ok bool, err error) error {
	if err == nil && !ok {
		return errForeign
	}
	return err
}

// codeOf is Slack's own word for a failure, or empty.
func codeOf(err error) string {
	if e, ok := errors.AsType[*outbound.Error](err); ok {
		return e.Code
	}
	return ""
}

// Do carries out a request of slack-go. It adds the token as it is now, so that it
// can be replaced under a running plugin, and to the header alone. A refusal in
// Slack's own form has the status 200 for slack-go, which looks at no other.
func (c *client) Do(req *http.Request) (*http.Response, error) {
	token, err := c.token.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.tokenKey, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if req.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		if err := dropToken(req); err != nil {
			return nil, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	body := resp.Body
	defer func() { _ = body.Close() }()
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	raw, err = shown(raw, resp.StatusCode, c.me())
	if err != nil {
		return nil, err
	}
	resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(bytes.NewReader(raw))
	return resp, nil
}

// dropToken takes the argument token out of a form, in which slack-go leaves it
// empty.
func dropToken(req *http.Request) error {
	form := make([]byte, req.ContentLength)
	if _, err := io.ReadFull(req.Body, form); err != nil {
		return fmt.Errorf("reading the form: %w", err)
	}
	before, after, _ := bytes.Cut(form, []byte("token="))
	form = bytes.TrimSuffix(append(before, bytes.TrimPrefix(after, []byte("&"))...), []byte("&"))
	req.ContentLength = int64(len(form))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(form)), nil }
	req.Body, _ = req.GetBody()
	return nil
}

// answer is what is used of Slack's answers.
type answer struct {
	OK       *bool           `json:"ok"`
	Error    string          `json:"error,omitzero"`
	Needed   string          `json:"needed,omitzero"`
	TS       string          `json:"ts,omitzero"`
	Channel  json.RawMessage `json:"channel,omitzero"`
	Channels json.RawMessage `json:"channels,omitzero"`
	User     json.RawMessage `json:"user,omitzero"`
	UserID   string          `json:"user_id,omitzero"`
	TeamID   string          `json:"team_id,omitzero"`
	OrgID    string          `json:"enterprise_id,omitzero"`
	URL      string          `json:"url,omitzero"`
	BotID    string          `json:"bot_id,omitzero"`
	Messages []posted        `json:"messages,omitzero"`
	HasMore  bool            `json:"has_more,omitzero"`
	Meta     json.RawMessage `json:"response_metadata,omitzero"`
}

// posted is what is used of a message.
type posted struct {
	TS       string          `json:"ts"`
	Thread   string          `json:"thread_ts,omitzero"`
	Bot      string          `json:"bot_id,omitzero"`
	User     string          `json:"user,omitzero"`
	Metadata json.RawMessage `json:"metadata,omitzero"`
	Blocks   json.RawMessage `json:"blocks,omitzero"`
}

// by reports whether a message comes from our own app.
func (m *posted) by(self account) bool {
	if self.bot != "" {
		return m.Bot == self.bot
	}
	return self.user != "" && m.User == self.user
}

// shown is the part of an answer that slack-go is shown; the error is errForeign if
// the answer is none of Slack's. Left out is the echo of what we post, and what
// others posted: they may post anything, and slack-go reads no page that holds a
// block which it does not understand.
func shown(raw []byte, status int, self account) ([]byte, error) {
	var a answer
	switch err := json.Unmarshal(raw, &a); {
	case err != nil, a.OK == nil, *a.OK && status != http.StatusOK, !*a.OK && a.Error == "":
		return nil, errForeign
	}
	for i := range a.Messages {
		m := &a.Messages[i]
		if !m.by(self) {
			m.Metadata, m.Blocks = nil, nil
		}
		if json.Unmarshal(m.Blocks, new(slack.Blocks)) != nil {
			m.Blocks = nil
		}
	}
	return json.Marshal(a)
}
