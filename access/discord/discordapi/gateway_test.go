package discordapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"teleport-plugins/access/discord/discordapi"
)

// frame is what is sent over the gateway.
type frame struct {
	Op   int    `json:"op"`
	Data any    `json:"d"`
	Seq  *int64 `json:"s"`
	Type string `json:"t"`
}

// data is a member of an object that a frame holds.
func (f frame) data(name string) any {
	m, _ := f.Data.(map[string]any)
	return m[name]
}

// client is a connection to the gateway.
type client struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial connects to an address without waiting for the greeting.
func dial(t *testing.T, address string) client {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial(address, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return client{t, conn}
}

func (c client) say(op int, data any) {
	c.t.Helper()
	if err := c.conn.WriteJSON(map[string]any{"op": op, "d": data}); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next frame, or the code with which the connection was closed.
func (c client) next() (f frame, code int) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	err := c.conn.ReadJSON(&f)
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return f, closed.Code
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return f, 0
}

// event waits for an event of a kind.
func (c client) event(kind string) frame {
	c.t.Helper()
	f, code := c.next()
	if f.Type != kind || f.Seq == nil {
		c.t.Fatalf("got %+v and the code %d, want %s", f, code, kind)
	}
	return f
}

// closed waits for a close.
func (c client) closed(want int) {
	c.t.Helper()
	if f, code := c.next(); code != want {
		c.t.Errorf("got %+v and the code %d, want %d", f, code, want)
	}
}

func identity(token string) map[string]any {
	return map[string]any{"token": token, "intents": 0, "properties": map[string]any{"os": "linux", "browser": "x", "device": "x"}}
}

// address is the address that the API tells.
func (s service) address(t *testing.T) string {
	t.Helper()
	got, err := s.raw(http.MethodGet, "gateway/bot", "")
	if err != nil {
		t.Fatal(err)
	}
	limit := got["session_start_limit"].(map[string]any)
	if limit["total"] != 1000.0 || limit["max_concurrency"] != 1.0 || limit["reset_after"] == 0.0 || got["shards"] != 1.0 {
		t.Errorf("got %v", got)
	}
	return got["url"].(string) + "?v=10&encoding=json"
}

// greeted is a connection that was greeted.
func (s service) greeted(t *testing.T) client {
	t.Helper()
	c := dial(t, s.address(t))
	if f, _ := c.next(); f.Op != 10 || f.data("heartbeat_interval") != 41250.0 {
		t.Fatalf("greeted with %+v", f)
	}
	return c
}

// identified is a connection with a session.
func (s service) identified(t *testing.T) (c client, ready frame) {
	t.Helper()
	c = s.greeted(t)
	c.say(2, identity(s.Token()))
	return c, c.event("READY")
}

func TestTheGatewayTakesWhatDiscordTakes(t *testing.T) {
	big := identity(discordapi.DefaultToken)
	big["x"] = strings.Repeat("x", 5000)
	without := func(key string) map[string]any {
		d := identity(discordapi.DefaultToken)
		delete(d, key)
		return d
	}
	intents := func(n int) map[string]any {
		d := identity(discordapi.DefaultToken)
		d["intents"] = n
		return d
	}
	for name, c := range map[string]struct {
		op   int
		data any
		code int
	}{
		"identify":             {2, identity(discordapi.DefaultToken), 0},
		"identify as a header": {2, identity("Bot " + discordapi.DefaultToken), 0},
		"harmless intents":     {2, intents(1), 0},
		"another token":        {2, identity("another"), discordapi.CloseToken},
		"no token":             {2, without("token"), discordapi.CloseToken},
		"no intents":           {2, without("intents"), discordapi.CloseDecodeError},
		"no properties":        {2, without("properties"), discordapi.CloseDecodeError},
		"another shape":        {2, "identify", discordapi.CloseDecodeError},
		"unknown intents":      {2, intents(1 << 30), discordapi.CloseIntents},
		"privileged intents":   {2, intents(1 << 15), discordapi.CloseForbidden},
		"too large":            {2, big, discordapi.CloseDecodeError},
		"before it identified": {3, map[string]any{}, discordapi.CloseNotIdentified},
		"an unknown operation": {77, nil, discordapi.CloseUnknownOp},
		"resume without a seq": {6, map[string]any{"token": discordapi.DefaultToken, "session_id": "x"}, discordapi.CloseDecodeError},
		"resume, bad token":    {6, map[string]any{"token": "x", "session_id": "x", "seq": 1}, discordapi.CloseToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, discordapi.Options{})
			conn := s.greeted(t)
			conn.say(c.op, c.data)
			if c.code != 0 {
				conn.closed(c.code)
				return
			}
			ready := conn.event("READY")
			app, _ := ready.data("application").(map[string]any)
			if app["id"] != discordapi.DefaultApplicationID || ready.data("session_id") == "" || *ready.Seq != 1 {
				t.Errorf("got %+v", ready)
			}
			conn.say(2, c.data)
			conn.closed(discordapi.CloseIdentifiedTwice)
		})
	}
}

func TestTheGatewayAsksForItsVersion(t *testing.T) {
	s := start(t, discordapi.Options{})
	base, _, _ := strings.Cut(s.address(t), "?")
	for _, query := range []string{"", "?v=8&encoding=json", "?v=10&encoding=etf", "?v=10"} {
		dial(t, base+query).closed(discordapi.CloseVersion)
	}
}

func TestAClientThatTalksTooMuchIsCut(t *testing.T) {
	s := start(t, discordapi.Options{})
	c := s.greeted(t)
	for range 121 {
		c.say(1, nil)
	}
	for {
		f, code := c.next()
		if code == discordapi.CloseTooFast {
			return
		}
		if f.Op != 11 {
			t.Fatalf("got %+v and the code %d", f, code)
		}
	}
}

func TestAClientWithoutHeartbeatsIsCut(t *testing.T) {
	s := start(t, discordapi.Options{Heartbeat: 100 * time.Millisecond})
	c := dial(t, s.address(t))
	c.next()
	c.closed(discordapi.CloseTimedOut)
}

func TestASessionIsResumedWithAllThatItMissed(t *testing.T) {
	for name, c := range map[string]struct {
		leave     func(c client)
		resumed   bool
		elsewhere bool
	}{
		"cut":                  {func(c client) { _ = c.conn.Close() }, true, false},
		"closed with 4000":     {func(c client) { c.goodbye(4000) }, true, false},
		"closed with 1000":     {func(c client) { c.goodbye(1000) }, false, false},
		"closed with 1001":     {func(c client) { c.goodbye(1001) }, false, false},
		"at the other address": {func(c client) { c.goodbye(4000) }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, discordapi.Options{})
			first, ready := s.identified(t)
			m := s.offer(t, requests)
			c.leave(first)
			s.until(t, func(g discordapi.GatewayCounts) bool { return g.Connected == 0 })
			id := s.pressed(t, discordapi.BobID, requests, m)
			address := ready.data("resume_gateway_url").(string) + "?v=10&encoding=json"
			if c.elsewhere {
				address = s.address(t)
			}
			second := dial(t, address)
			second.next()
			second.say(6, map[string]any{"token": s.Token(), "session_id": ready.data("session_id"), "seq": *ready.Seq})
			if !c.resumed {
				if f, _ := second.next(); f.Op != 9 || f.Data != false {
					t.Errorf("got %+v", f)
				}
				return
			}
			if f := second.event("INTERACTION_CREATE"); f.data("id") != id || *f.Seq != 2 {
				t.Errorf("got %+v", f)
			}
			second.event("RESUMED")
		})
	}
}

func (c client) goodbye(code int) {
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	_ = c.conn.Close()
}

func (s service) until(t *testing.T, done func(g discordapi.GatewayCounts) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx, func() bool { return done(s.Gateway()) }); err != nil {
		t.Fatalf("%v: %+v", err, s.Gateway())
	}
}

func TestASequenceThatWasNeverSentEndsTheSession(t *testing.T) {
	s := start(t, discordapi.Options{})
	first, ready := s.identified(t)
	_ = first.conn.Close()
	c := dial(t, ready.data("resume_gateway_url").(string)+"?v=10&encoding=json")
	c.next()
	c.say(6, map[string]any{"token": s.Token(), "session_id": ready.data("session_id"), "seq": 99})
	c.closed(discordapi.CloseSequence)
	if g := s.Gateway(); g.Sessions != 0 {
		t.Errorf("got %+v", g)
	}
}

func TestTooManySessionsCostTheToken(t *testing.T) {
	s := start(t, discordapi.Options{})
	s.SetSessionsLeft(1)
	s.identified(t)
	c := s.greeted(t)
	c.say(2, identity(s.Token()))
	c.closed(discordapi.CloseToken)
	if s.Token() == discordapi.DefaultToken {
		t.Error("the token is still good")
	}
}

func TestEverySessionIsSentEachPress(t *testing.T) {
	s := start(t, discordapi.Options{})
	one, _ := s.identified(t)
	two, _ := s.identified(t)
	id := s.pressed(t, discordapi.BobID, requests, s.offer(t, requests))
	for _, c := range []client{one, two} {
		if f := c.event("INTERACTION_CREATE"); f.data("id") != id {
			t.Errorf("got %+v", f)
		}
	}
	s.SetInteractionsEndpoint("https://example.org/")
	s.pressed(t, discordapi.BobID, requests, s.offer(t, requests))
	s.AskReconnect()
	if f, _ := one.next(); f.Op != 7 {
		t.Errorf("with an endpoint the gateway is sent %+v", f)
	}
	got, err := s.raw(http.MethodGet, "applications/@me", "")
	if err != nil || got["interactions_endpoint_url"] != "https://example.org/" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTheGatewayEndsWithTheServerAndComesBack(t *testing.T) {
	s := start(t, discordapi.Options{})
	_, ready := s.identified(t)
	s.SilenceGateway("dial")
	waiting := make(chan error, 1)
	address := s.address(t)
	go func() {
		_, resp, err := websocket.DefaultDialer.Dial(address, nil)
		if resp != nil {
			_ = resp.Body.Close()
		}
		waiting <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err == nil {
		t.Error("a silent gateway has answered")
	}
	s.SilenceGateway("")
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, ready.data("resume_gateway_url").(string)+"?v=10&encoding=json")
	c.next()
	c.say(6, map[string]any{"token": s.Token(), "session_id": ready.data("session_id"), "seq": 1})
	c.event("RESUMED")
}

// offer posts a message with buttons, and returns its id.
func (s service) offer(t *testing.T, channel string) string {
	t.Helper()
	const buttons = `{"content":"x","components":[{"type":1,"components":[
		{"type":2,"style":3,"label":"Approve","custom_id":"approve:1"},
		{"type":2,"style":4,"label":"Off","custom_id":"off","disabled":true}]}]}`
	got, err := s.raw(http.MethodPost, "channels/"+channel+"/messages", buttons)
	if err != nil {
		t.Fatal(err)
	}
	return got["id"].(string)
}

func (s service) pressed(t *testing.T, user, channel, message string) (id string) {
	t.Helper()
	id, err := s.Press(user, channel, message, "approve:1")
	if err != nil {
		t.Fatal(err)
	}
	return id
}
