package discord

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// client makes calls with the token as it is at the time of the call, so that
// a token can be replaced under a running plugin.
type client struct {
	token     config.Secret
	transport *outbound.Transport
	http      *http.Client
	buckets   buckets

	secure bool // the API is reached over TLS
}

func newClient(s Section, t *outbound.Transport) client {
	base := s.APIURL
	if strings.HasSuffix(base, "/api/") {
		base += "v10/" // without a version Discord answers as it did years ago
	}
	h := t.Client()
	h.Transport = rebase{base: base, next: t}
	return client{token: s.Token, transport: t, http: h, secure: strings.HasPrefix(base, "https:")}
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
	resp, err := r.next.RoundTrip(out)
	if err == nil {
		const null = "null"
		body := bufio.NewReaderSize(resp.Body, len(null))
		if start, _ := body.Peek(len(null)); string(start) == null {
			_ = resp.Body.Close()
			return nil, errNotDiscords // the library would reach for what it is not given
		}
		resp.Body = struct {
			io.Reader
			io.Closer
		}{body, resp.Body}
	}
	return resp, err
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
		return &outbound.Error{Kind: outbound.Retry, Op: op, Err: err, Hint: "see that discord.token leads to the bot's token"}
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
	e := sorted(op, call, err)
	if e.Kind == outbound.Wait && call.Header().Get("X-RateLimit-Global") == "true" {
		c.transport.HoldAll(e.After)
	}
	return e
}

// raw makes a call whose body or answer the library's own methods do not know, and
// reads the part of the answer that is needed.
func (c *client) raw(ctx context.Context, op, target, url string, body, answer any) error {
	return c.do(ctx, op, target, func(api *discordgo.Session, with discordgo.RequestOption) error {
		method, _, _ := strings.Cut(op, " ")
		data, err := api.RequestWithBucketID(method, url, body, "", with)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, answer)
	})
}
