package discordapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// The paths of the gateway. A session is resumed at the address that it was told, and
// nowhere else: Discord documents that it ends others sooner, and here they end at once.
const (
	gatewayPath = "/gateway"
	resumePath  = "/gateway/resume"
)

// The operations of the gateway.
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

// The codes with which the gateway closes a connection.
const (
	CloseUnknownOp       = 4001
	CloseDecodeError     = 4002
	CloseNotIdentified   = 4003
	CloseToken           = 4004
	CloseIdentifiedTwice = 4005
	CloseSequence        = 4007
	CloseTooFast         = 4008
	CloseTimedOut        = 4009
	CloseVersion         = 4012
	CloseIntents         = 4013
	CloseForbidden       = 4014
)

const (
	// maxFrame is the documented limit on what a client sends, in bytes.
	maxFrame = 4096
	// maxFrames is how many frames a client may send in a minute.
	maxFrames = 120
	// knownIntents are the bits that have a meaning, and privilegedIntents those that
	// an application must be allowed.
	knownIntents      = 1<<26 - 1
	privilegedIntents = 1<<1 | 1<<8 | 1<<15
	// outgoing is how many frames may wait for a client.
	outgoing = 1024
	// heartbeatEvery is the usual interval.
	heartbeatEvery = 41250 * time.Millisecond
)

// frame is what is sent over the gateway.
type frame struct {
	Op   int             `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  *int64          `json:"s"`
	Type *string         `json:"t"`
}

// serveGateway is one connection.
func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	if s.silent("dial") {
		<-r.Context().Done()
		return
	}
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	l := &link{conn: conn, out: make(chan any, outgoing), resumes: r.URL.Path == resumePath}
	if !s.join(l, r) {
		return
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.write()
	}()
	s.listen(l)
	<-written
}

// join lets a connection in and greets it.
func (s *Server) join(l *link, r *http.Request) (in bool) {
	s.Change(func() {
		g := &s.state.gateway
		if g.closed {
			return
		}
		in, l.beat = true, time.Now()
		g.links[l] = true
		q := r.URL.Query()
		switch {
		case q.Get("encoding") != "json" || q.Get("v") != "10" && q.Get("v") != "9":
			l.closeWith(CloseVersion)
		case g.silence != "hello":
			l.say(frame{Op: opHello, Data: encoded(map[string]any{"heartbeat_interval": g.every.Milliseconds()})})
		}
	})
	return in
}

func encoded(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is always one of our own
	}
	return data
}

// listen reads what the client says until the connection ends.
func (s *Server) listen(l *link) {
	l.conn.SetReadLimit(16 * maxFrame) // beyond it the library has a code of its own
	for {
		// Only heartbeats count as signs of life. Discord does not say how late one
		// may be; half an interval is less than what it is known to bear.
		_ = l.conn.SetReadDeadline(l.beat.Add(s.heartbeat() * 3 / 2))
		var f frame
		_, data, err := l.conn.ReadMessage()
		if err != nil {
			s.leave(l, err)
			return
		}
		code := CloseDecodeError
		if len(data) <= maxFrame && json.Unmarshal(data, &f) == nil {
			code = 0
		}
		s.Change(func() {
			if code == 0 && !l.gone {
				code = s.hear(l, f)
			}
			if code != 0 {
				l.closeWith(code)
			}
		})
	}
}

// leave notes the end of a connection, and what it leaves of its session: a client
// that says goodbye gives it up.
func (s *Server) leave(l *link, err error) {
	code := 0
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		code = closed.Code
	}
	var late net.Error
	s.Change(func() {
		g := &s.state.gateway
		answers := l.gone // to a close of ours
		if code != 0 && code != websocket.CloseAbnormalClosure && !answers {
			g.closes = append(g.closes, code)
		}
		switch {
		case errors.As(err, &late) && late.Timeout():
			l.closeWith(CloseTimedOut)
		default:
			l.drop()
		}
		delete(g.links, l)
		if x := l.session; x != nil && x.link == l {
			x.link = nil
			if !answers && (code == websocket.CloseNormalClosure || code == websocket.CloseGoingAway) {
				g.end(x)
			}
		}
	})
}

// hear acts on a frame, and returns the code to close with, or zero. The lock is held.
func (s *Server) hear(l *link, f frame) (code int) {
	now := time.Now()
	for len(l.sent) > 0 && now.Sub(l.sent[0]) > time.Minute {
		l.sent = l.sent[1:]
	}
	if l.sent = append(l.sent, now); len(l.sent) > maxFrames {
		return CloseTooFast
	}
	switch f.Op {
	case opHeartbeat:
		l.beat = now
		s.state.gateway.beats++
		if s.state.gateway.silence != "acks" {
			l.say(frame{Op: opBeaten})
		}
	case opIdentify:
		return s.identify(l, f.Data)
	case opResume:
		return s.resume(l, f.Data)
	case 3, 4, 8, 31: // presence, voice, members and soundboard are not looked at
		if l.session == nil {
			return CloseNotIdentified
		}
	default:
		return CloseUnknownOp
	}
	return 0
}

// identify begins a session. Whoever begins more of them than are left for the day
// loses the token.
func (s *Server) identify(l *link, data json.RawMessage) (code int) {
	var d struct {
		Token      string            `json:"token"`
		Intents    *int64            `json:"intents"`
		Properties map[string]string `json:"properties"`
	}
	g := &s.state.gateway
	switch err := json.Unmarshal(data, &d); {
	case err != nil || d.Intents == nil || d.Properties["os"] == "" || d.Properties["browser"] == "" || d.Properties["device"] == "":
		return CloseDecodeError
	case l.session != nil:
		return CloseIdentifiedTwice
	case strings.TrimPrefix(d.Token, "Bot ") != s.state.token:
		return CloseToken
	case *d.Intents&^knownIntents != 0:
		return CloseIntents
	case *d.Intents&privilegedIntents != 0:
		return CloseForbidden
	}
	if g.identifies++; g.remaining <= 0 {
		s.state.token = "reset by Discord"
		return CloseToken
	}
	g.remaining--
	if g.silence == "ready" {
		return 0
	}
	x := &session{id: "session-" + formatID(s.state.newID(s.Now())), link: l}
	g.sessions, l.session = append(g.sessions, x), x
	s.greet(x)
	return 0
}

// greet tells a session that it has begun.
func (s *Server) greet(x *session) {
	guilds := []any{}
	for _, id := range s.state.guildOrder {
		if !s.state.guilds[id].WithoutBot {
			guilds = append(guilds, map[string]any{"id": id, "unavailable": true})
		}
	}
	x.tell("READY", map[string]any{
		"v": 10, "user": s.state.userBody(s.state.botID), "guilds": guilds, "session_id": x.id,
		"resume_gateway_url": "ws://" + s.host() + resumePath,
		"application":        map[string]any{"id": s.opts.ApplicationID, "flags": 0},
	})
}

// resume goes on with a session, and replays what it missed.
func (s *Server) resume(l *link, data json.RawMessage) (code int) {
	var d struct {
		Token   string `json:"token"`
		Session string `json:"session_id"`
		Seq     *int64 `json:"seq"`
	}
	g := &s.state.gateway
	g.resumes++
	switch err := json.Unmarshal(data, &d); {
	case err != nil || d.Seq == nil:
		return CloseDecodeError
	case l.session != nil:
		return CloseIdentifiedTwice
	case strings.TrimPrefix(d.Token, "Bot ") != s.state.token:
		return CloseToken
	case g.silence == "ready":
		return 0
	}
	x := g.find(d.Session)
	switch {
	case x == nil || !l.resumes:
		l.say(frame{Op: opInvalid, Data: encoded(false)})
		return 0
	case *d.Seq > x.seq || *d.Seq < 0:
		g.end(x)
		return CloseSequence
	}
	if x.link != nil {
		x.link.closeWith(CloseUnknownOp - 1) // "unknown error": another connection has the session
	}
	x.link, l.session = l, x
	for _, f := range x.events[*d.Seq:] {
		l.say(f)
	}
	x.tell("RESUMED", map[string]any{})
	return 0
}

// host is where the server listens.
func (s *Server) host() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(s.URL(), "http://"), "/")
	return host
}

// getGateway tells where the gateway is.
func getGateway(s *Server, _ *call) (int, any, error) {
	return http.StatusOK, map[string]any{
		"url": "ws://" + s.host() + gatewayPath, "shards": 1,
		"session_start_limit": map[string]any{
			"total": 1000, "remaining": s.state.gateway.remaining, "max_concurrency": 1,
			"reset_after": cmp.Or(s.opts.StartLimitReset, 4*time.Hour).Milliseconds(),
		},
	}, nil
}
