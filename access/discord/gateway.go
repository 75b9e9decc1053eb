package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	"teleport-plugins/lib/outbound"
)

// The calls before a connection to the gateway.
const (
	getGateway     = "GET /gateway/bot"
	getApplication = "GET /applications/@me"
)

// The operations of the gateway, by Discord's numbers.
const (
	opEvent     = 0
	opHeartbeat = 1
	opIdentify  = 2
	opResume    = 6
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
	opBeaten    = 11
)

// The closes that concern us.
const (
	closeOurs     = 4000 // leaves the session to be resumed, as 1000 would not
	closeToken    = 4004
	closeSequence = 4007
	closeTimedOut = 4009
	closeShards   = 4010 // and all above are for a person
)

// maxFrame bounds what is read of one frame, in bytes. The largest that we are sent
// lists the servers of the bot.
const maxFrame = 4 << 20

// identifyFloor is how many new sessions are left to others: Discord takes the token
// away from a bot that begins more than it may in a day.
const identifyFloor = 50

// times are the deadlines and pauses of a connection.
type times struct {
	step   time.Duration // for each step on the way to a session
	write  time.Duration // for a frame of ours
	first  time.Duration // the shortest pause before another connection
	most   time.Duration // the longest
	steady time.Duration // a connection that held for so long ends the growth of the pauses
	grace  time.Duration // a connection may be lost for so long without a word
}

func usualTimes() times {
	return times{step: 10 * time.Second, write: 5 * time.Second, first: time.Second, most: time.Minute, steady: time.Minute, grace: 5 * time.Second}
}

// frame is what is sent over the gateway.
type frame struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  *int64          `json:"s,omitempty"`
	Type string          `json:"t,omitempty"`
}

// session is what a connection leaves to the next one. Without an id there is none.
type session struct {
	id, address string
	seq         *int64
	failed      int // attempts to resume it since it was last heard of
}

// fatal is what a person must correct.
type fatal struct{ err error }

func (f fatal) Error() string { return f.err.Error() }
func (f fatal) Unwrap() error { return f.err }

// held is a pause that Discord imposes.
type held struct {
	wait time.Duration
	why  string
}

func (h held) Error() string { return h.why }

// target is where to connect.
type target struct{ address, application string }

// locate asks where the gateway is, and makes sure that a new session will be sent
// presses, and may be begun.
func (s *service) locate(ctx context.Context) (to target, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.step)
	defer cancel()
	if to.application, err = s.application(ctx); err != nil {
		return to, err
	}
	var g struct {
		URL   string `json:"url"`
		Limit *struct {
			Remaining int     `json:"remaining"`
			ResetMS   float64 `json:"reset_after"`
		} `json:"session_start_limit"`
	}
	if err := s.raw(ctx, getGateway, "", discordgo.EndpointGatewayBot, nil, &g); err != nil {
		return to, refusesUs(err)
	}
	if g.Limit != nil && g.Limit.Remaining < identifyFloor {
		return to, held{
			time.Duration(min(max(g.Limit.ResetMS, 0), 900_000)) * time.Millisecond,
			fmt.Sprintf("only %d new sessions are left to the bot for today; see what else uses its token", g.Limit.Remaining),
		}
	}
	to.address, err = s.gatewayAddress(g.URL)
	return to, err
}

// application is the id of the bot's application, which must send presses to us.
func (s *service) application(ctx context.Context) (id string, err error) {
	var app struct {
		ID       string  `json:"id"`
		Endpoint *string `json:"interactions_endpoint_url"`
	}
	if err := s.raw(ctx, getApplication, "", discordgo.EndpointAPI+"applications/@me", nil, &app); err != nil {
		return "", refusesUs(err)
	}
	switch {
	case !isID(app.ID):
		return "", errors.New("the answer names no application")
	case app.Endpoint != nil && *app.Endpoint != "":
		return "", fatal{errors.New("the application has an Interactions Endpoint URL, so that Discord sends no press to the plugin; remove the address on the page General Information of the developer portal")}
	}
	return app.ID, nil
}

// refusesUs makes a refusal of the token one that a person must correct.
func refusesUs(err error) error {
	if outbound.RefusesToken(err) {
		return fatal{err}
	}
	return err
}

// gatewayAddress completes the address of a gateway. The token is sent there: it must
// be as safe as the API is.
func (s *service) gatewayAddress(text string) (string, error) {
	u, err := url.Parse(text)
	safe := err == nil && (u.Scheme == "wss" || u.Scheme == "ws" && !s.secure)
	if !safe || u.Host == "" {
		return "", errors.New("the answer names no gateway")
	}
	u.RawQuery = "v=10&encoding=json"
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}

// socket is one connection. Only the goroutine that opened it writes to it.
type socket struct {
	conn   *websocket.Conn
	frames chan frame
	done   chan struct{} // closed when nobody takes frames any more
	read   chan struct{} // closed when no more frames come
	err    error         // why, once read is closed
	write  time.Duration
}

// open connects.
func (s *service) open(ctx context.Context, address string) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, s.times.step)
	defer cancel()
	// The library does not look at the context while it waits for the handshake.
	stop := func() bool { return true }
	dialer := websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: s.times.step, TLSClientConfig: s.transport.TLS(),
		NetDialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err == nil {
				stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
	}
	conn, resp, err := dialer.DialContext(ctx, address, nil)
	if !stop() && err == nil {
		err = errors.Join(ctx.Err(), conn.Close())
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the gateway: %w", outbound.Plainly(err))
	}
	conn.SetReadLimit(maxFrame)
	c := &socket{
		conn: conn, frames: make(chan frame), done: make(chan struct{}), read: make(chan struct{}), write: s.times.write,
	}
	go c.receive()
	return c, nil
}

// receive passes frames on until the connection ends.
func (c *socket) receive() {
	defer close(c.read)
	for {
		var f frame
		if c.err = c.conn.ReadJSON(&f); c.err != nil {
			return
		}
		select {
		case c.frames <- f:
		case <-c.done:
			return
		}
	}
}

// send writes a frame.
func (c *socket) send(op int, data any) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
		return err
	}
	return c.conn.WriteJSON(map[string]any{"op": op, "d": data})
}

// close ends the connection in a way that leaves the session, and waits for its end.
func (c *socket) close() {
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closeOurs, ""), time.Now().Add(time.Second))
	_ = c.conn.Close()
	close(c.done)
	<-c.read
}

// token is the bot's token as the gateway takes it.
func (s *service) bareToken() (string, error) {
	token, err := s.token.Read()
	return strings.TrimSpace(token), err
}

// jitter is a random part of a pause, at least half.
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1)) //nolint:gosec // no secret
}

// closedBy is the code with which Discord closed the connection, or zero.
func closedBy(err error) int {
	var e *websocket.CloseError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// closeReason says what a code means that a person must look at.
func closeReason(code int) string {
	switch code {
	case closeToken:
		return "Discord's gateway does not accept the token; " + tokenHint
	case 4013, 4014:
		return "Discord's gateway refuses the intents, of which the plugin asks for none; see whether another program changes what is sent"
	}
	return "Discord's gateway refuses the bot with the code " + strconv.Itoa(code)
}
