package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
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
	// settled is how long a connection lives at least that ends the growth of the pauses.
	settled = time.Minute
	// brief is how long a connection lives at least that is replaced without a pause.
	brief = 5 * time.Second
	// lingering is how long a connection goes on beside the one that takes its place, when
	// Slack has warned that it will end it, which it does after about ten seconds. Presses
	// come on it until then, and one that is on its way when we end it is lost.
	lingering = 15 * time.Second
	// patience is how long there may be no connection before that is a condition.
	patience = 10 * time.Second
	// maxFrame bounds a frame, in bytes.
	maxFrame = 1 << 20
	// manyConnections is from which number on there are connections that nobody reads.
	manyConnections = 4
)

// pauses are those before connecting again.
var pauses = pace.Pace{Min: 200 * time.Millisecond, Max: 30 * time.Second}

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
	defer l.noteButtons("")
	k := &link{listener: l, lost: time.Now()}
	defer k.old.Wait()
	defer k.drop()
	for ctx.Err() == nil {
		err := k.renew(ctx)
		if err == nil {
			err = k.attend(ctx)
		}
		if fatal(err) {
			return err
		}
		if err != nil {
			k.pause(ctx, err)
		}
	}
	return nil
}

// link is what there is of connections: one, or for a moment none.
type link struct {
	*listener
	current *socket
	lost    time.Time      // when the last connection that had held ended, or began to end
	down    bool           // the desk was told that no connection holds
	tries   int            // pauses since a connection last held
	old     sync.WaitGroup // connections that go on until Slack ends them
}

// drop closes the connection, if there is one.
func (k *link) drop() {
	if k.current != nil {
		k.current.close()
		k.current = nil
	}
}

// retire closes the connection that another one is to take the place of, or lets it go
// on until Slack ends it.
func (k *link) retire(ctx context.Context) {
	if old := k.current; old != nil && old.warned.Load() {
		k.old.Go(func() { old.linger(ctx) })
		k.current = nil
	}
	k.drop()
}

// renew opens a connection in the place of the last one, which goes on until then.
func (k *link) renew(ctx context.Context) error {
	next, err := k.open(ctx)
	if err == nil {
		k.retire(ctx)
		k.current = next
		if !k.down {
			k.desk.Heard("")
		}
		return nil
	}
	if k.current != nil && k.current.over() {
		k.drop()
	}
	return err
}

var errBrief = errors.New("another connection was asked for at once")

// attend hears what comes until the connection has ended, or another one is to take
// its place, which is no error. One that ends at once has not held.
func (k *link) attend(ctx context.Context) error {
	end, replaced := k.current.hear(ctx)
	lived := time.Since(k.current.since)
	if lived > settled {
		k.tries = 0
	}
	if lived > brief || replaced {
		k.lost, k.down = time.Now(), false
	}
	switch {
	case !replaced:
		k.drop()
		return end
	case lived <= brief:
		return errBrief
	}
	return nil
}

// pause waits before the next connection, so that replicas do not come at once.
func (k *link) pause(ctx context.Context, err error) {
	k.tries++
	wait := max(pauses.Backoff(k.tries), outbound.AfterOf(err))
	if k.current == nil && time.Since(k.lost)+wait > patience && ctx.Err() == nil {
		k.down = true
		k.desk.Heard("no connection to Slack: " + err.Error())
	}
	k.log.Debug("Connecting to Slack's Socket Mode again", zap.Error(err), zap.Duration("in", wait))
	pace.Sleep(ctx, wait)
}

// fatal reports whether only a person can correct what keeps us from connecting.
func fatal(err error) bool {
	return err != nil && (errors.Is(err, errLinkDisabled) || outbound.KindOf(err) == outbound.Refused)
}

// socket is one connection. It is read in its own goroutine from hello on.
type socket struct {
	*listener
	ws    *websocket.Conn
	since time.Time

	ends    chan error    // once, when it ended
	expires chan struct{} // once, when it is about to end
	warned  atomic.Bool   // Slack ends it by itself, and uses it until then
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
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: stepTime, TLSClientConfig: l.app.transport.TLS()}
	ws, resp, err := dialer.DialContext(dialing, address, nil)
	if resp != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("opening the connection of Socket Mode: %w", outbound.Plainly(err))
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
	text := ""
	if n >= manyConnections {
		text = fmt.Sprintf("Slack counts %d connections of this app; what goes to one that nobody reads is lost, and has to be pressed again", n)
	}
	l.noteButtons(text)
}

// noteButtons states, or withdraws, what is to be known of how presses arrive.
func (l *listener) noteButtons(text string) {
	if l.note != nil {
		l.note("buttons", text)
	}
}

// hear waits until the connection has ended, or is about to: replaced is true then,
// and another one is to be opened before this one is closed.
func (s *socket) hear(ctx context.Context) (end error, replaced bool) {
	ping := time.NewTicker(pingPeriod)
	defer ping.Stop()
	held := time.NewTimer(brief)
	defer held.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err(), false
		case err := <-s.ends:
			return err, false
		case <-s.expires:
			return nil, true
		case <-held.C:
			s.desk.Heard("")
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
			s.warned.Store(f.Reason == "warning")
			select {
			case s.expires <- struct{}{}:
			default:
			}
		case f.Type == "interactive":
			s.take(ctx, f.Payload)
		}
	}
}

// linger hears what still comes, until Slack ends the connection.
func (s *socket) linger(ctx context.Context) {
	limit := time.NewTimer(lingering)
	defer limit.Stop()
	select {
	case <-s.ends:
	case <-limit.C:
	case <-ctx.Done():
	}
	s.close()
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
