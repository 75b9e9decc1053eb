package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
)

// listening is the state of one Listen. Its goroutine alone uses it, but for the
// presses.
type listening struct {
	*service
	desk   decision.Desk
	signal *signal
	work   *decision.Room

	application string
	address     string // of the gateway, for sessions that name none
	session     session
	token       string // with which we identified last
	pauses      int    // since a connection last held
}

// Listen hears presses until ctx ends.
func (s *service) Listen(ctx context.Context, desk decision.Desk) error {
	l := &listening{service: s, desk: desk, signal: newSignal(desk, s.times.grace), work: decision.NewRoom(maxPresses, maxCrowd)}
	defer l.work.Wait()
	defer l.signal.end()
	l.signal.lost("there is no connection to Discord's gateway yet")
	for {
		err := l.connection(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // that is how it ends
		}
		var f fatal
		if errors.As(err, &f) && !l.tokenChanged() {
			return f.err
		}
		l.signal.lost("the connection to Discord's gateway is lost: " + err.Error())
		pause := l.pause(err)
		l.log.Info("The connection to Discord's gateway ended; connecting again", zap.Duration("pause", pause), zap.Error(err))
		if !pace.Sleep(ctx, pause) {
			return nil
		}
	}
}

// tokenChanged reports whether the token that Discord refused was replaced since.
func (l *listening) tokenChanged() bool {
	now, err := l.bareToken()
	return err == nil && l.token != "" && now != l.token
}

// pause is how long to wait before the next connection. It grows until one has held
// for a while: that one was begun says little.
func (l *listening) pause(err error) time.Duration {
	d := jitter(min(l.times.first<<min(l.pauses, 16), l.times.most))
	l.pauses++
	var h held
	if errors.As(err, &h) {
		d = max(d, h.wait)
	}
	return max(d, outbound.AfterOf(err))
}

// connection is one connection, from the question where to connect to its end.
func (l *listening) connection(ctx context.Context) error {
	if l.session.failed >= 2 {
		l.session = session{}
	}
	if token, err := l.bareToken(); err == nil {
		l.token = token
	}
	address := l.session.address
	if l.session.id == "" {
		to, err := l.locate(ctx)
		if err != nil {
			return err
		}
		address, l.address, l.application = to.address, to.address, to.application
	}
	l.session.failed++
	c, err := l.open(ctx, address)
	if err != nil {
		return err
	}
	defer c.close()
	return (&exchange{listening: l, socket: c}).run(ctx)
}

// exchange is what is said over one connection. Its state is never that of an
// earlier one.
type exchange struct {
	*listening
	socket *socket
	hello  bool
	ready  time.Time // when the session began or went on
	beat   <-chan time.Time
	every  time.Duration
	waits  bool // our last heartbeat was not answered yet
}

// run talks until the connection or ctx ends.
func (c *exchange) run(ctx context.Context) error {
	limit := time.NewTimer(c.times.step)
	defer limit.Stop()
	defer func() {
		if !c.ready.IsZero() && time.Since(c.ready) >= c.times.steady {
			c.pauses = 0
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return errors.New("the gateway of Discord is silent")
		case <-c.beat:
			if err := c.heartbeat(); err != nil {
				return err
			}
		case <-c.socket.read:
			return c.ended(c.socket.err)
		case f := <-c.socket.frames:
			before := c.stage()
			if err := c.take(ctx, f); err != nil {
				return err
			}
			if c.stage() != before {
				c.restart(limit)
			}
		}
	}
}

// stage counts the steps to a session.
func (c *exchange) stage() int {
	switch {
	case !c.ready.IsZero():
		return 2
	case c.hello:
		return 1
	}
	return 0
}

// restart gives the next step its time; a session needs none.
func (c *exchange) restart(limit *time.Timer) {
	limit.Stop()
	if c.ready.IsZero() {
		limit.Reset(c.times.step)
	}
}

// ended says what the end of a connection means.
func (c *exchange) ended(err error) error {
	switch code := closedBy(err); {
	case code == closeToken, code >= closeShards && code < 5000:
		c.session = session{}
		return fatal{errors.New(closeReason(code))}
	case code == closeSequence, code == closeTimedOut:
		c.session = session{}
	}
	return fmt.Errorf("it was closed: %w", err)
}

// heartbeat tells Discord that we are there. A connection on which the last one was
// not answered is dead.
func (c *exchange) heartbeat() error {
	if c.waits {
		return errors.New("the gateway of Discord answers no heartbeat")
	}
	c.waits, c.beat = true, time.After(c.every)
	return c.socket.send(opHeartbeat, c.session.seq)
}

// take acts on a frame.
func (c *exchange) take(ctx context.Context, f frame) error {
	switch f.Op {
	case opHello:
		return c.greeted(f.Data)
	case opHeartbeat:
		return c.socket.send(opHeartbeat, c.session.seq)
	case opBeaten:
		c.waits = false
	case opReconnect:
		return errors.New("the gateway of Discord asked for a new connection")
	case opInvalid:
		return c.invalid(f.Data)
	case opEvent:
		if f.Seq != nil {
			c.session.seq = f.Seq
		}
		return c.event(ctx, f)
	}
	return nil
}

// invalid ends a session that Discord does not take, unless it may be resumed.
func (c *exchange) invalid(data json.RawMessage) error {
	if string(data) != "true" {
		c.session = session{}
	}
	return held{jitter(5 * c.times.first), "Discord does not take the session"}
}

// greeted begins a session, or goes on with the last one.
func (c *exchange) greeted(data json.RawMessage) error {
	var hello struct {
		EveryMS int64 `json:"heartbeat_interval"`
	}
	if err := json.Unmarshal(data, &hello); err != nil || hello.EveryMS < 1 || hello.EveryMS > 600_000 {
		return errors.New("the gateway of Discord greets without a heartbeat")
	}
	if c.hello {
		return errors.New("the gateway of Discord greets twice")
	}
	c.hello, c.every = true, time.Duration(hello.EveryMS)*time.Millisecond
	c.beat = time.After(jitter(c.every))
	token, err := c.bareToken()
	if err != nil {
		return fmt.Errorf("reading the token: %w", err)
	}
	c.token = token
	if c.session.id != "" {
		return c.socket.send(opResume, map[string]any{"token": token, "session_id": c.session.id, "seq": c.session.seq})
	}
	return c.socket.send(opIdentify, map[string]any{
		"token": token, "intents": 0,
		"properties": map[string]string{"os": "linux", "browser": "teleport-discord", "device": "teleport-discord"},
	})
}

// event acts on an event.
func (c *exchange) event(ctx context.Context, f frame) error {
	switch f.Type {
	case "READY":
		var ready struct {
			Session string `json:"session_id"`
			Resume  string `json:"resume_gateway_url"`
		}
		if err := json.Unmarshal(f.Data, &ready); err != nil || ready.Session == "" {
			return errors.New("the gateway of Discord names no session")
		}
		c.session.id = ready.Session
		if address, err := c.gatewayAddress(ready.Resume); err == nil {
			c.session.address = address
		} else {
			c.session.address = c.address
		}
		c.begun()
	case "RESUMED":
		c.begun()
	case "INTERACTION_CREATE":
		c.hear(ctx, f.Data)
	}
	return nil
}

// begun notes that presses reach us.
func (c *exchange) begun() {
	c.ready, c.session.failed = time.Now(), 0
	c.signal.up()
}

// signal tells the desk whether presses reach us. A connection that is lost for a
// moment is not worth a word.
type signal struct {
	mu     sync.Mutex
	desk   decision.Desk
	grace  time.Duration
	timer  *time.Timer
	reason string
	down   bool // since the last time that it was up
	told   bool
	ended  bool
}

func newSignal(desk decision.Desk, grace time.Duration) *signal {
	return &signal{desk: desk, grace: grace}
}

// up says that presses reach us.
func (s *signal) up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.down, s.told = false, false
	s.desk.Heard("")
}

// lost says that they do not, and why.
func (s *signal) lost(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := reason != s.reason
	s.reason = reason
	switch {
	case s.told && news:
		s.desk.Heard(reason)
	case !s.down:
		s.down, s.timer = true, time.AfterFunc(s.grace, s.tell)
	}
}

func (s *signal) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down && !s.ended {
		s.told = true
		s.desk.Heard(s.reason)
	}
}

// end waits for a word that is being said; no other follows.
func (s *signal) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
