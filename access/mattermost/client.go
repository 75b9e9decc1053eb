package mattermost

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// client makes calls of Mattermost's REST API, version 4. There is a library for it,
// which cannot read the plain text of a rate limit and doubles the size of the plugin.
type client struct {
	base  string // of the API, without a slash at its end
	token config.Secret
	http  *http.Client

	self atomic.Pointer[user] // who we are, once that is known
	most atomic.Int64         // how long a post may be, in runes; zero as long as that is not known
}

// call is one call of the API.
type call struct {
	route string
	args  []string // what stands for the names in braces
	query url.Values
	body  any // sent in JSON; nil for none
}

// path is the route with the arguments in it.
func (k call) path() (method, path string) {
	method, rest, _ := strings.Cut(k.route, " ")
	for _, arg := range k.args {
		before, after, _ := strings.Cut(rest, "{")
		path += before + url.PathEscape(arg)
		_, rest, _ = strings.Cut(after, "}")
	}
	path += rest
	if len(k.query) > 0 {
		path += "?" + k.query.Encode()
	}
	return method, path
}

// do makes one call, once. Errors are *outbound.Error.
func (c *client) do(ctx context.Context, k call, into answer) error {
	token, err := c.token.Read() // each time, so that it can be replaced
	if err != nil {
		return &outbound.Error{Kind: outbound.Retry, Op: k.route, Err: err, Hint: "see that mattermost.token leads to the bot's token"}
	}
	ctx, begun := outbound.Begin(ctx, k.route, "")
	method, path := k.path()
	req, err := outbound.JSON(ctx, method, c.base+path, k.body)
	if err != nil {
		return &outbound.Error{Kind: outbound.Refused, Op: k.route, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	status, raw, err := outbound.Exchange(c.http, req)
	if err == nil {
		err = read(status, raw, into)
	}
	if err != nil {
		return sorted(begun, k, err)
	}
	return nil
}

// refusal is Mattermost's own word for why it did not do something.
type refusal struct {
	ID      string `json:"id"`
	Message string `json:"message"` // in the language of the account
	Status  int    `json:"status_code"`
}

func (r *refusal) Error() string { return message.Cut(r.Message, 200) }

// errForeign stands for an answer in a form that Mattermost gives none.
var errForeign = errors.New("the answer is not one of Mattermost's")

// read reads an answer. The error is a *refusal, or errForeign.
func read(status int, raw []byte, into answer) error {
	if status >= 200 && status < 300 {
		if json.Unmarshal(raw, into) != nil || !into.whole() {
			return errForeign
		}
		return nil
	}
	var said refusal
	if json.Unmarshal(raw, &said) != nil || said.ID == "" || said.ID == noSuchRoute || said.Status != status {
		return errForeign
	}
	return &said
}

// foreignHint is what to do where something answers that is not Mattermost's API.
const foreignHint = "see that mattermost.url is the address of the server as browsers know it, with its sub-path, and whether a proxy or gateway on the way answers in its place"

// sorted says what can be done about a call that failed.
func sorted(begun *outbound.Call, k call, err error) *outbound.Error {
	e := begun.Fail(err)
	var said *refusal
	switch {
	case e.Kind == outbound.Wait: // the answer is plain text
	case errors.As(err, &said):
		said.judge(e, k.route)
	case errors.Is(err, errForeign):
		e.Hint = cmp.Or(e.Hint, foreignHint)
	}
	if e.Kind == outbound.Unclear && k.route != createPost && k.route != patchPost {
		e.Kind = outbound.Retry // it only reads, or may be repeated
	}
	return e
}

// codeOf is Mattermost's own word for a failure, or empty.
func codeOf(err error) string {
	if e, ok := errors.AsType[*outbound.Error](err); ok {
		return e.Code
	}
	return ""
}

// me is who we are. It is asked for where it is not known, as after a start while the
// token was refused.
func (c *client) me(ctx context.Context) (user, error) {
	if self := c.self.Load(); self != nil {
		return *self, nil
	}
	return c.ask(ctx)
}

// ask asks the server who we are.
func (c *client) ask(ctx context.Context) (self user, err error) {
	if err = c.do(ctx, call{route: whoAmI}, &self); err == nil {
		c.self.Store(&self)
	}
	return self, err
}

// Lengths of posts, in runes. What a server takes depends on its database.
const (
	leastRunes = 4000
	mostRunes  = 16383
)

// runes is how long a post may be: what every server takes, until it has said more.
func (c *client) runes() int { return cmp.Or(int(c.most.Load()), leastRunes) }

// measure asks the server how long a post may be, once. It is nice to know, and no
// more.
func (c *client) measure(ctx context.Context) {
	var said settings
	if c.most.Load() != 0 || c.do(ctx, call{route: serverConfig, query: url.Values{"format": {"old"}}}, &said) != nil {
		return
	}
	n, _ := strconv.Atoi(said.MostRunes)
	c.most.Store(int64(min(max(n, leastRunes), mostRunes)))
}
