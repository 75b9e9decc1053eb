package discordapi

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// The methods that the sandbox serves, by which faults, counters and the log of
// requests name them.
const (
	CreateMessage    = "POST /channels/{channel}/messages"
	ListMessages     = "GET /channels/{channel}/messages"
	GetMessage       = "GET /channels/{channel}/messages/{message}"
	EditMessage      = "PATCH /channels/{channel}/messages/{message}"
	DeleteMessage    = "DELETE /channels/{channel}/messages/{message}"
	StartThread      = "POST /channels/{channel}/messages/{message}/threads"
	GetChannel       = "GET /channels/{channel}"
	GetSelf          = "GET /users/@me"
	ListOwnGuilds    = "GET /users/@me/guilds"
	OpenDM           = "POST /users/@me/channels"
	GetUser          = "GET /users/{user}"
	GetGuild         = "GET /guilds/{guild}"
	ListChannels     = "GET /guilds/{guild}/channels"
	GetMember        = "GET /guilds/{guild}/members/{user}"
	GetApplication   = "GET /applications/@me"
	GetOAuth2Current = "GET /oauth2/applications/@me"
	GetGateway       = "GET /gateway/bot"
	Callback         = "POST /interactions/{interaction}/{token}/callback"
	FollowUp         = "POST /webhooks/{application}/{token}"
	EditAnswer       = "PATCH /webhooks/{application}/{token}/messages/@original"
)

// call is a call whose method is known.
type call = apiserver.Call

// handler carries out a method whose sender is known.
type handler func(s *Server, c *call) (status int, body any, err error)

func methods() map[string]handler {
	return map[string]handler{
		CreateMessage: createMessage, ListMessages: listMessages, GetMessage: getMessage, EditMessage: editMessage,
		DeleteMessage: deleteMessage, StartThread: startThread, GetChannel: getChannel, GetSelf: getSelf,
		ListOwnGuilds: listOwnGuilds, OpenDM: openDM, GetUser: getUser, GetGuild: getGuild, ListChannels: listChannels,
		GetMember: getMember, GetApplication: getApplication, GetOAuth2Current: getApplication,
		GetGateway: getGateway, Callback: callback, FollowUp: followUp, EditAnswer: editAnswer,
	}
}

func refused(err *apiError) handler {
	return func(*Server, *call) (int, any, error) { return 0, nil, err }
}

// Open finds the method. A fault is looked for by the ID in the path (or, for
// OpenDM, in the body), then by the channel's name.
func (s *Server) Open(c *call) bool {
	path, ok := strings.CutPrefix(c.R.URL.Path, "/api")
	if !ok || !strings.HasPrefix(path, "/") {
		return false
	}
	c.Own = refused(&apiError{status: http.StatusNotFound, message: "404: Not Found"})
	version, rest, _ := strings.Cut(path[1:], "/")
	if n, err := strconv.Atoi(strings.TrimPrefix(version, "v")); err == nil && version[0] == 'v' {
		if path = "/" + rest; n != 9 && n != 10 {
			c.Own = refused(failure(50041))
		}
	}
	c.Path = strings.TrimPrefix(c.R.URL.RequestURI(), strings.TrimSuffix(c.R.URL.Path, path))
	method, do, known := apiserver.Match(methods(), c.R, path)
	if c.Method = method; known {
		c.Own = do
	}
	for _, name := range []string{"channel", "guild", "user", "interaction"} {
		if c.Target == "" {
			c.Target = c.R.PathValue(name)
		}
	}
	if c.Method == OpenDM {
		var body struct {
			Recipient string `json:"recipient_id"`
		}
		_ = json.Unmarshal(c.Body, &body)
		c.Target = body.Recipient
	}
	c.Content = c.Path + "\n" + string(c.Body)
	s.Look(func() {
		if ch := s.state.channels[c.Target]; ch != nil {
			c.Also = ch.Name
		}
	})
	return true
}

// Answer carries a call out.
func (s *Server) Answer(c *call) apiserver.Answer {
	if over, limited := s.limit(c); limited {
		return over
	}
	status, body, err := s.carryOut(c)
	if err != nil {
		e := asAPIError(err)
		return apiserver.Answer{Status: e.status, Body: e.body(), Code: strconv.Itoa(e.code)}
	}
	return apiserver.Answer{Status: status, Body: body}
}

// carryOut checks the sender and the form, and carries the method out.
func (s *Server) carryOut(c *call) (int, any, error) {
	if err := s.authenticate(c); err != nil {
		return 0, nil, err
	}
	kind, _, _ := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	switch {
	case c.Fault.Effect == fault.Refuse:
		return 0, nil, refusal(c.Fault.Code)
	case c.TooLarge:
		return 0, nil, failure(40005)
	case c.Body != nil && kind != "application/json":
		return 0, nil, (&form{faults: map[string]any{"_errors": []map[string]string{{
			"code": "CONTENT_TYPE_INVALID", "message": `Expected "Content-Type" header to be one of {'application/json'}.`,
		}}}}).err()
	case c.Body != nil && !json.Valid(c.Body):
		return 0, nil, failure(50109)
	}
	return c.Own.(handler)(s, c)
}

// authenticate checks the user agent, which Discord asks of every client, and
// the token. The documented form "DiscordBot (url, version)" is not insisted on,
// but no client may come without a name of its own.
//
// The calls about an interaction need none: its own token is in their path.
func (s *Server) authenticate(c *call) error {
	r := c.R
	if agent := r.UserAgent(); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		return failure(40333)
	}
	switch c.Method {
	case Callback, FollowUp, EditAnswer:
		return nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bot ")
	if !ok || token != s.state.token {
		return &apiError{status: http.StatusUnauthorized, message: "401: Unauthorized"}
	}
	return nil
}

// limit counts a call and tells about the limits in the header. It has an answer
// when the call went over one.
func (s *Server) limit(c *call) (over apiserver.Answer, limited bool) {
	if s.limiter == nil {
		return over, false
	}
	now := s.Now()
	v := s.limiter.Take(c.Method, c.Target, now)
	if !v.Global {
		c.Out.Set("X-RateLimit-Limit", strconv.Itoa(s.limiter.PerRoute))
		c.Out.Set("X-RateLimit-Remaining", strconv.Itoa(v.Remaining))
		c.Out.Set("X-RateLimit-Reset", seconds(time.Duration(now.Add(v.Reset).UnixMilli())*time.Millisecond))
		c.Out.Set("X-RateLimit-Reset-After", seconds(v.Reset))
		c.Out.Set("X-RateLimit-Bucket", strings.ToLower(strings.NewReplacer(" ", "", "/", "", "{", "", "}", "", "@", "").Replace(c.Method)))
	}
	if !v.Over {
		return over, false
	}
	over = tooMany(c, v.Reset, v.Global)
	over.Code = "limit"
	return over, true
}

// seconds writes a time with three decimals.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// TooFast answers as Discord does to a caller that is too fast; a fault with the
// code global is about all calls.
func (s *Server) TooFast(c *call, wait time.Duration) apiserver.Answer {
	return tooMany(c, wait, c.Fault.Code == "global")
}

func tooMany(c *call, wait time.Duration, global bool) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("Retry-After", apiserver.Seconds(wait))
	}
	c.Out.Set("X-RateLimit-Scope", "user")
	if global {
		c.Out.Set("X-RateLimit-Global", "true")
		c.Out.Set("X-RateLimit-Scope", "global")
	}
	return apiserver.Answer{Status: http.StatusTooManyRequests, Body: map[string]any{
		"message": "You are being rate limited.", "retry_after": wait.Seconds(), "global": global,
	}}
}
