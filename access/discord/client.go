package discord

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// client makes calls with the token as it is at the time of the call, so that
// a token can be replaced under a running plugin.
type client struct {
	token     config.Secret
	transport *outbound.Transport
	http      *http.Client
	buckets   buckets
}

func newClient(s Section, t *outbound.Transport) client {
	base := s.APIURL
	if strings.HasSuffix(base, "/api/") {
		base += "v10/" // without a version Discord answers as it did years ago
	}
	h := t.Client()
	h.Transport = rebase{base: base, next: t}
	return client{token: s.Token, transport: t, http: h}
}

// rebase sends the library's calls, whose address is fixed, to the base address.
type rebase struct {
	base string
	next http.RoundTripper
}

func (r rebase) RoundTrip(req *http.Request) (*http.Response, error) {
	u, err := url.Parse(r.base + strings.TrimPrefix(req.URL.String(), discordgo.EndpointAPI))
	if err != nil {
		return nil, err
	}
	out := req.Clone(req.Context())
	out.URL, out.Host = u, u.Host
	return r.next.RoundTrip(out)
}

// userAgent has the form that Discord asks for.
func userAgent(version string) string {
	return "DiscordBot (https://goteleport.com/docs, " + version + ")"
}

// do makes one call through the vendor's library and sorts its error. The
// library's session is made anew for each call: its own rate limiter would hold
// a lock during calls and sleep without regard to the context.
func (c *client) do(ctx context.Context, op, target string, fn func(api *discordgo.Session, with discordgo.RequestOption) error) error {
	token, err := c.token.Read()
	if err != nil {
		return &outbound.Error{Kind: outbound.Credentials, Op: op, Err: err}
	}
	if wait := c.buckets.take(op, target, time.Now()); wait > 0 {
		return &outbound.Error{Kind: outbound.Wait, Op: op, After: wait, Err: errors.New("the rate limit is used up")}
	}
	ctx, call := outbound.Begin(ctx, op, target)
	session := &discordgo.Session{
		Token: "Bot " + token, Client: c.http, Ratelimiter: discordgo.NewRatelimiter(),
		LogLevel: -1, // none: it would go past our log
	}
	err = fn(session, discordgo.WithContext(ctx))
	c.buckets.learn(op, target, call.Header(), time.Now())
	if err == nil {
		return nil
	}
	return c.sort(call, err)
}

// sort finds out what can be done about a failed call.
func (c *client) sort(call *outbound.Call, err error) error {
	e := call.Fail(err)
	var rest *discordgo.RESTError
	switch {
	case e.Kind == outbound.Wait:
		if call.Header().Get("X-RateLimit-Global") == "true" {
			c.transport.HoldAll(e.After)
		}
	case errors.As(err, &rest) && rest.Message != nil && rest.Message.Code != 0:
		code := rest.Message.Code
		e.Code = strconv.Itoa(code) + " " + message.Cut(rest.Message.Message, 200)
		if code == invalidForm {
			e.Code += ": " + message.Cut(string(rest.ResponseBody), 500)
		}
		if kind, hint := kindOf(code); kind != "" {
			e.Kind, e.Hint = kind, hint
		} else if e.Status < 500 {
			e.Kind = outbound.Permanent
		}
		if e.Kind == outbound.Wait {
			e.After = untoldWait
		}
		e.Err = refusal(code)
		return e
	case e.Status == http.StatusUnauthorized:
		e.Hint = tokenHint
	case e.Status == http.StatusForbidden:
		e.Hint = "Discord, or a proxy on the way to it, refuses every call from here"
	}
	if e.Status != 0 {
		e.Err = errors.New(message.Cut(err.Error(), 200)) // not what holds the request and its token
	}
	return e
}

// refusal is Discord's code for why it did not do something.
type refusal int

func (r refusal) Error() string { return "Discord's code " + strconv.Itoa(int(r)) }

// The codes on which something other than the kind of failure depends.
const (
	unknownChannel   refusal = 10003
	unknownMessage   refusal = 10008
	missingAccess    refusal = 50001
	missingRight     refusal = 50013
	wrongChannelType refusal = 50024
	invalidForm              = 50035
	threadExists     refusal = 160004
	tooManyThreads   refusal = 160006
)

// untoldWait is how long to wait for limits that Discord tells by a code alone.
const untoldWait = 30 * time.Second

const tokenHint = "set discord.token to the bot's current token"

// kindOf sorts the codes that Discord documents. Those that it does not name
// count as the recipient's own trouble: the call was understood and refused.
func kindOf(code int) (kind outbound.Kind, hint string) {
	switch code {
	case 20016, 20028, 20029, 30046, 40062:
		return outbound.Wait, ""
	case 40004, 110000, 130000:
		return outbound.Retry, ""
	case 40001, 50014:
		return outbound.Credentials, tokenHint
	case 40333:
		return outbound.Credentials, "Discord's network refuses every call from here"
	case int(unknownMessage):
		return outbound.Gone, ""
	case int(unknownChannel), 10004:
		return outbound.Permanent, "check the channel's id or name; the bot must be a member of its server"
	case 10013, 50033:
		return outbound.Permanent, "check the user's id"
	case int(missingAccess):
		return outbound.Permanent, `invite the bot to the channel's server and give it the permission "View Channel" there`
	case 50005:
		return outbound.Permanent, "the message was posted by another bot; use that bot's token"
	case 50007, 50278:
		return outbound.Permanent, "the user must share a server with the bot and take direct messages from its members"
	case int(missingRight):
		return outbound.Permanent, `give the bot the permissions "View Channel" and "Send Messages" in the channel`
	case 200000, 200001:
		return outbound.Permanent, "exempt the bot from the server's AutoMod rules"
	}
	return "", ""
}

// hasCode reports whether Discord refused a call with one of the codes.
func hasCode(err error, codes ...refusal) bool {
	var r refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, code := range codes {
		if r == code {
			return true
		}
	}
	return false
}
