package slackapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"teleport-plugins/access/slack/slackapi"
)

// pipes is a listener without a network, so that its time can be a fake one.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// room is a workspace in a bubble of time.
type room struct {
	*slackapi.Server
	t    *testing.T
	line *pipes
}

// inRoom runs a test in a bubble of time.
func inRoom(t *testing.T, opts slackapi.Options, test func(*testing.T, room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := room{slackapi.New(opts), t, &pipes{conns: make(chan net.Conn), done: make(chan struct{})}}
		server := &http.Server{Handler: r.Server}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(r.line)
		}()
		defer func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			_ = server.Close()
			<-served
		}()
		test(t, r)
	})
}

// phone is the app's end of a socket, which always listens.
type phone struct {
	t      *testing.T
	conn   *websocket.Conn
	frames chan frame
	pings  atomic.Int32
	pongs  atomic.Int32
	// over is why the socket ended.
	over chan error
}

// address asks for the address of a socket.
func (r room) address() string {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/api/apps.connections.open", nil)
	req.Header.Set("Authorization", "Bearer "+r.AppToken())
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, req)
	var a struct{ URL string }
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || a.URL == "" {
		r.t.Fatalf("no address: %s", rec.Body)
	}
	return a.URL
}

// dial opens a socket; the status is that of the handshake.
func (r room) dial(ctx context.Context, address string) (*websocket.Conn, int, error) {
	dialer := websocket.Dialer{NetDialContext: r.line.dial}
	conn, resp, err := dialer.DialContext(ctx, address, nil)
	status := 0
	if resp != nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	return conn, status, err
}

// connect opens a socket that listens, and returns what it was greeted with.
func (r room) connect() (*phone, frame) {
	r.t.Helper()
	p := r.connectInSilence()
	return p, p.next()
}

func (r room) connectInSilence() *phone {
	r.t.Helper()
	conn, _, err := r.dial(r.t.Context(), r.address())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	p := &phone{t: r.t, conn: conn, frames: make(chan frame, 100), over: make(chan error, 1)}
	answer := conn.PingHandler()
	conn.SetPingHandler(func(text string) error {
		p.pings.Add(1)
		return answer(text)
	})
	conn.SetPongHandler(func(string) error {
		p.pongs.Add(1)
		return nil
	})
	go p.listen()
	return p
}

func (p *phone) listen() {
	for {
		var f frame
		if err := p.conn.ReadJSON(&f); err != nil {
			p.over <- err
			return
		}
		p.frames <- f
	}
}

// next is the next frame.
func (p *phone) next() frame {
	p.t.Helper()
	select {
	case f := <-p.frames:
		return f
	case <-time.After(time.Minute):
		p.t.Error("no frame comes")
		return frame{}
	}
}

// quiet reports whether no frame has come.
func (p *phone) quiet() bool {
	synctest.Wait()
	return len(p.frames) == 0
}

func (p *phone) send(text string) {
	p.t.Helper()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Errorf("writing a frame: %v", err)
	}
}

// ack acknowledges an event, with an answer if there is one.
func (p *phone) ack(f frame, answer string) {
	p.t.Helper()
	if answer != "" {
		answer = `,"payload":` + answer
	}
	p.send(`{"envelope_id":"` + f.Envelope + `"` + answer + `}`)
}

// call makes a call of the API with the bot's token.
func (r room) call(method string, args url.Values) map[string]any {
	r.t.Helper()
	_, body := r.callRaw(method, args)
	return body
}

func (r room) callRaw(method string, args url.Values) (int, map[string]any) {
	r.t.Helper()
	return call(r.t, r.Server, method, args)
}

func call(t *testing.T, s *slackapi.Server, method string, args url.Values) (int, map[string]any) {
	t.Helper()
	args.Set("token", s.Token())
	return exchange(t, s, "/api/"+method, form, args.Encode())
}

// exchange posts a body to a path.
func exchange(t *testing.T, s *slackapi.Server, path, contentType, body string) (int, map[string]any) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, bodyOf(body))
	req.Header.Set("Content-Type", contentType)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		t.Errorf("%s: %d %q: %v", path, rec.Code, rec.Body, err)
	}
	return rec.Code, out
}

// offer posts a message with buttons, and returns its timestamp.
func (r room) offer(channel string) string {
	r.t.Helper()
	ts, _ := r.call("chat.postMessage", url.Values{
		"channel": {channel}, "text": {"a request"}, "blocks": {buttons},
		"metadata": {`{"event_type":"access_request","event_payload":{"id":"r1"}}`},
	})["ts"].(string)
	if ts == "" {
		r.t.Fatal("the message was not posted")
	}
	return ts
}

// pressing has somebody press, while the test goes on.
func (r room) pressing(p slackapi.Press) <-chan slackapi.Outcome {
	done := make(chan slackapi.Outcome, 1)
	go func() {
		defer close(done)
		out, err := r.Press(r.t.Context(), p)
		if err != nil && !errors.Is(err, context.Canceled) {
			r.t.Errorf("pressing: %v", err)
		}
		done <- out
	}()
	return done
}

func approve(ts string) slackapi.Press {
	return slackapi.Press{User: alice, Channel: requests, TS: ts, Action: "approve_button"}
}

func bodyOf(text string) *strings.Reader { return strings.NewReader(text) }
