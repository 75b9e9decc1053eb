package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// The times of Socket Mode.
const (
	// stepTime bounds each step of connecting: asking for an address, dialling,
	// waiting for hello.
	stepTime = 5 * time.Second
	// writeTime bounds one frame, and is what Slack gives for an acknowledgement.
	writeTime = 3 * time.Second
	// silence is how long nothing at all may come in; Slack and we ping more often.
	silence = 30 * time.Second
	// pingPeriod is the pause between two pings of ours.
	pingPeriod = 10 * time.Second
	// backoffMin and backoffMax bound the pause before connecting again. It goes back
	// to the least only after a connection that lived for settled.
	backoffMin, backoffMax, settled = 200 * time.Millisecond, 30 * time.Second, time.Minute
	// brief is how long a connection lives at least that is replaced without a pause.
	brief = 5 * time.Second
	// patience is how long there may be no connection before that is a condition.
	patience = 10 * time.Second
	// maxFrame bounds a frame, in bytes.
	maxFrame = 1 << 20
	// manyConnections is from which number on there are connections that nobody reads.
	manyConnections = 4
)

var errLinkDisabled = errors.New("the settings of the Slack app have Socket Mode switched off; switch it on")

// frame is what is used of a frame of Socket Mode.
type frame struct {
	Type        string          `json:"type"`
	Envelope    string          `json:"envelope_id"`
	Payload     json.RawMessage `json:"payload"`
	Reason      string          `json:"reason"`
	Connections int             `json:"num_connections"`
}

// follow keeps a connection until ctx ends. It returns an error if only a person can
// bring one about.
func (l *listener) follow(ctx context.Context) error {
	var current *socket
	defer l.noteConnections(0)
	defer func() {
		if current != nil {
			current.close()
		}
	}()
	lost, pause := time.Now(), backoffMin
	for ctx.Err() == nil {
		next, err := l.open(ctx)
		if err != nil {
			if fatal(err) {
				return err
			}
			if current != nil && current.over() {
				current.close()
				current = nil
			}
			if current == nil && time.Since(lost) > patience {
				l.desk.Heard("no connection to Slack: " + err.Error())
			}
			l.log.Debug("Connecting to Slack's Socket Mode again", zap.Error(err), zap.Duration("in", pause))
			wait(ctx, max(pause, outbound.AfterOf(err)))
			pause = min(2*pause, backoffMax)
			continue
		}
		if current != nil {
			current.close()
		}
		current = next
		l.desk.Heard("")
		end, replaced := current.hear(ctx)
		switch {
		case errors.Is(end, errLinkDisabled):
			return end
		case replaced: // it goes on while the next one is opened
			lost = time.Now()
		default:
			current.close()
			current, lost = nil, time.Now()
		}
		if time.Since(next.since) > settled {
			pause = backoffMin
		}
		if replaced && time.Since(next.since) > brief {
			continue
		}
		if !replaced {
			l.log.Debug("The connection to Slack's Socket Mode ended", zap.Error(end))
		}
		wait(ctx, pause)
		pause = min(2*pause, backoffMax)
	}
	return nil
}

// wait waits for about the time, so that replicas do not come at once.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(float64(d) * (0.75 + rand.Float64()/2))):
	}
}

// fatal reports whether only a person can correct what keeps us from connecting.
func fatal(err error) bool {
	return errors.Is(err, errLinkDisabled) || outbound.KindOf(err) == outbound.Refused
}

// socket is one connection. It is read in its own goroutine from hello on.
type socket struct {
	*listener
	ws    *websocket.Conn
	since time.Time

	ends    chan error    // once, when it ended
	expires chan struct{} // once, when it is about to end
	reading sync.WaitGroup
	closed  sync.Once
	writing sync.Mutex
}

// open opens a connection and waits for Slack's hello.
func (l *listener) open(ctx context.Context) (*socket, error) {
	address, err := l.app.ticket(ctx)
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeoutCause(ctx, stepTime, errors.New("no answer from Slack in time"))
	defer cancel()
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: stepTime}
	ws, resp, err := dialer.DialContext(dialing, address, nil)
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("opening the connection of Socket Mode: %w", withoutAddress(err))
	}
	s := &socket{listener: l, ws: ws, since: time.Now(), ends: make(chan error, 1), expires: make(chan struct{}, 1)}
	ws.SetReadLimit(maxFrame)
	if err := s.greeted(); err != nil {
		_ = ws.Close()
		return nil, err
	}
	s.reading.Go(func() { s.ends <- s.read(ctx) })
	return s, nil
}

// greeted waits for hello.
func (s *socket) greeted() error {
	_ = s.ws.SetReadDeadline(time.Now().Add(stepTime))
	var f frame
	if err := s.ws.ReadJSON(&f); err != nil {
		return fmt.Errorf("waiting for hello on Socket Mode: %w", err)
	}
	if f.Type == "disconnect" && f.Reason == "link_disabled" {
		return errLinkDisabled
	}
	if f.Type != "hello" {
		return fmt.Errorf("the connection of Socket Mode began with %q (%s) and not with hello", message.Cut(f.Type, 100), message.Cut(f.Reason, 100))
	}
	s.noteConnections(f.Connections)
	return nil
}

func (l *listener) noteConnections(n int) {
	if l.note == nil {
		return
	}
	text := ""
	if n >= manyConnections {
		text = fmt.Sprintf("Slack counts %d connections of this app; what goes to one that nobody reads is lost, and has to be pressed again", n)
	}
	l.note("buttons", text)
}

// hear waits until the connection has ended, or is about to: replaced is true then,
// and another one is to be opened before this one is closed.
func (s *socket) hear(ctx context.Context) (end error, replaced bool) {
	ping := time.NewTicker(pingPeriod)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err(), false
		case err := <-s.ends:
			return err, false
		case <-s.expires:
			return nil, true
		case <-ping.C:
			_ = s.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime))
		}
	}
}

// read reads until the connection ends. Whatever comes in shows that it lives.
func (s *socket) read(ctx context.Context) error {
	alive := func() { _ = s.ws.SetReadDeadline(time.Now().Add(silence)) }
	alive()
	s.ws.SetPongHandler(func(string) error { alive(); return nil })
	answer := s.ws.PingHandler()
	s.ws.SetPingHandler(func(data string) error { alive(); return answer(data) })
	for {
		_, raw, err := s.ws.ReadMessage()
		if err != nil {
			return fmt.Errorf("reading from Socket Mode: %w", err)
		}
		alive()
		var f frame
		if json.Unmarshal(raw, &f) != nil {
			continue // Slack may say what nobody here knows
		}
		if ctx.Err() != nil {
			continue // what is not acknowledged is shown to the person as failed
		}
		if f.Envelope != "" {
			s.acknowledge(f.Envelope)
		}
		switch {
		case f.Type == "disconnect" && f.Reason == "link_disabled":
			return errLinkDisabled
		case f.Type == "disconnect":
			select {
			case s.expires <- struct{}{}:
			default:
			}
		case f.Type == "interactive":
			s.take(ctx, f.Payload)
		}
	}
}

// over reports whether the connection has ended.
func (s *socket) over() bool { return len(s.ends) > 0 }

// acknowledge tells Slack that an envelope has arrived. If that fails, the press is
// worked on all the same: it may not come again.
func (s *socket) acknowledge(envelope string) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.ws.SetWriteDeadline(time.Now().Add(writeTime))
	if err := s.ws.WriteJSON(map[string]string{"envelope_id": envelope}); err != nil {
		s.log.Warn("A press could not be acknowledged to Slack in time", zap.Error(err))
	}
}

// close ends the connection: with a close frame, so that Slack sends nothing more to
// it, and then for good.
func (s *socket) close() {
	s.closed.Do(func() {
		_ = s.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		_ = s.ws.Close()
		s.reading.Wait()
	})
}
