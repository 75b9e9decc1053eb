package slack

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/hook"
)

// A press that is not taken any more must not be acknowledged, or the person believes
// that it arrived.
func TestAHookThatEndsTakesNothingSilently(t *testing.T) {
	w := inWorkspace(t, func(c *Config) { c.Review.SigningSecret = config.NewSecret(secret) })
	ctx, stop := context.WithCancel(t.Context())
	stop()
	d := &desk{}
	l := w.listener(d)
	body := url.Values{"payload": {`{"type":"block_actions","user":{"id":"U1"},"container":{"message_ts":"1.1","channel_id":"C1"},"actions":[{"action_id":"approve_button","block_id":"review_block","value":"x"}]}`}}.Encode()
	now := strconv.FormatInt(time.Now().Unix(), 10)
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	req.Header.Set("X-Slack-Request-Timestamp", now)
	req.Header.Set("X-Slack-Signature", slackapi.Sign(secret, now, []byte(body)))
	rec := httptest.NewRecorder()
	l.hook(ctx, &hook.Callers{Log: l.log}).ServeHTTP(rec, req)
	l.work.Wait()
	if rec.Code == http.StatusOK && len(d.taken()) == 0 {
		t.Error("the press was acknowledged with 200 and dropped")
	}
}

func TestASocketThatEndsAcknowledgesNothing(t *testing.T) {
	acked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		c, err := up.Upgrade(rw, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"interactive","envelope_id":"e1","payload":{"type":"block_actions","user":{"id":"U1"}}}`))
		_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
		_, raw, err := c.ReadMessage()
		if err == nil {
			acked <- string(raw)
		}
		close(acked)
	}))
	defer server.Close()
	w := inWorkspace(t)
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s := &socket{listener: w.listener(&desk{}), ws: ws, ends: make(chan error, 1), expires: make(chan struct{}, 1)}
	s.reading.Go(func() { s.ends <- s.read(ctx) })
	if raw, ok := <-acked; ok {
		t.Errorf("the press was acknowledged (%s) and dropped", strings.TrimSpace(raw))
	}
	s.close()
}

// Whatever Slack lets through, a blank reason is none.
func TestABlankReasonIsNoReason(t *testing.T) {
	l := listen(t, func(c *Config) { c.Review.Reason = decision.ReasonAlways })
	memory, _ := json.Marshal(pointer{Dialog: decision.Dialog{Request: "req", Channel: l.m.Channel, Message: l.m.ID, Verdict: "APPROVED", Person: bob}})
	raw, _ := json.Marshal(map[string]any{
		"type": "view_submission", "user": map[string]string{"id": bob},
		"view": map[string]any{"id": "V1", "callback_id": dialogID, "private_metadata": string(memory), "state": map[string]any{
			"values": map[string]any{reasonBlock: map[string]any{reasonID: map[string]string{"value": "   "}}},
		}},
	})
	inner := l.listener(l.desk)
	inner.take(t.Context(), raw)
	inner.work.Wait()
	if p := l.desk.taken(); len(p) == 1 && p[0].Reason == "" {
		t.Errorf("reason = always, and the desk gets a review without one: %+v", p[0])
	}
}

// blackHole answers nothing at the addresses for answers.
type blackHole struct {
	calls atomic.Int64
	hole  func(*http.Request) bool
}

func (b *blackHole) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.hole(r) {
		b.calls.Add(1)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := `{"ok":true,"channel":"C1","ts":"1.1","message_ts":"1.1"}`
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// A first way that hangs must leave time for the second.
func TestAnAnswerGetsThroughThoughTheFirstWayHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var others atomic.Int64
		hole := &blackHole{}
		hole.hole = func(r *http.Request) bool {
			if r.URL.Host == "hooks.slack.com" {
				return true
			}
			if r.Context().Err() == nil {
				others.Add(1)
			}
			return false
		}
		s, logged := build(t, "https://slack.com/api/", hole)
		l := s.listener(&desk{})
		l.answer(t.Context(), pointer{decision.Dialog{Channel: "C1", Person: bob}, "https://hooks.slack.com/actions/T/1/x"}, "done")
		if others.Load() == 0 {
			t.Errorf("nothing but the first way was tried: %v", logged.All())
		}
	})
}

// The end of listening has to fit into the time of the drain (15 s, and 5 s more):
// else a reload ends the process.
func TestListeningEndsWithinTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hole := &blackHole{hole: func(*http.Request) bool { return true }}
		s, _ := build(t, "https://slack.com/api/", hole)
		d := &slowDesk{}
		l := s.listener(d)
		raw, _ := json.Marshal(map[string]any{
			"type": "block_actions", "user": map[string]string{"id": bob}, "response_url": "https://hooks.slack.com/actions/T/1/x",
			"container": map[string]string{"channel_id": "C1", "message_ts": "1.1"},
			"actions":   []map[string]string{{"action_id": approveID, "block_id": blockID, "value": "req"}},
		})
		began := time.Now()
		l.take(t.Context(), raw)
		l.work.Wait()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("the end of listening took %v", took)
		}
	})
}

// A dialog that cannot be opened must not hold the press for ever.
func TestTheDialogHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hole := &blackHole{hole: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "views.open") }}
		s, logged := build(t, "https://slack.com/api/", hole, func(c *Config) { c.Review.Enabled, c.Review.Reason = true, decision.ReasonAlways })
		l := s.listener(&desk{})
		done := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			defer close(done)
			l.ask(ctx, "trigger", pointer{Dialog: decision.Dialog{Request: "req", Channel: "C1", Message: "1.1", Verdict: "APPROVED", Person: bob}})
		}()
		select {
		case <-done:
		case <-time.After(10 * time.Minute):
			t.Errorf("after ten minutes views.open still waits, the person has heard nothing, and the turn is taken: %v", logged.All())
		}
		stop()
		<-done
	})
}

// slowDesk takes as long as a desk may.
type slowDesk struct{ desk }

func (*slowDesk) Press(context.Context, decision.Press) decision.Answer {
	time.Sleep(8 * time.Second)
	return decision.Answer{Kind: decision.TryAgain, Text: "?"}
}

// A certificate that is not there yet must not take the port away for good.
func TestABadCertificateLeavesThePort(t *testing.T) {
	address := freeAddress(t)
	w := inWorkspace(t, func(c *Config) {
		c.Review.Enabled, c.Review.Listen, c.Review.SigningSecret = true, address, config.NewSecret(secret)
		c.Review.CertFile, c.Review.KeyFile = t.TempDir()+"/cert", t.TempDir()+"/key"
	})
	d := &desk{}
	t.Log("first:", w.Listen(t.Context(), d))
	if fault, known := d.heard(); known && fault == "" {
		t.Error("the desk was told that buttons are answered")
	}
	if err := w.Listen(t.Context(), d); err != nil && strings.Contains(err.Error(), "address already in use") {
		t.Errorf("the second time: %v", err)
	}
}

// With more presses than turns, everybody hears.
func TestTooManyPressesAreAnswered(t *testing.T) {
	l := listen(t)
	hold := make(chan struct{})
	l.desk.hold = hold
	inner := l.listener(l.desk)
	for range maxPresses {
		inner.work.Begin(func() { <-hold }, nil)
	}
	raw := []byte(`{"type":"block_actions","user":{"id":"` + bob + `"},"container":{"message_ts":"` + l.m.ID + `","channel_id":"` + l.m.Channel + `"},"actions":[{"action_id":"approve_button","block_id":"review_block","value":"x"}]}`)
	inner.take(t.Context(), raw)
	l.until(func() bool { return len(l.Saw(bob)) > 0 })
	close(hold)
}

// Slack that ends each connection at once is not called without a pause.
func TestConnectionsThatEndAtOnceAreNotReplacedWithoutAPause(t *testing.T) {
	var opened atomic.Int64
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "apps.connections.open") {
			opened.Add(1)
			_, _ = io.WriteString(rw, `{"ok":true,"url":"ws`+strings.TrimPrefix(server.URL, "http")+`/ws"}`)
			return
		}
		up := websocket.Upgrader{}
		c, err := up.Upgrade(rw, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","num_connections":1}`))
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"disconnect","reason":"refresh_requested"}`))
		_, _, _ = c.ReadMessage()
	}))
	defer server.Close()
	s, _ := build(t, server.URL+"/", nil, func(c *Config) {
		c.Review.Enabled, c.Review.AppToken = true, config.NewSecret(slackapi.DefaultAppToken)
	})
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	if err := s.Listen(ctx, &desk{}); err != nil {
		t.Fatal(err)
	}
	if n := opened.Load(); n > 20 {
		t.Errorf("%d calls of apps.connections.open in two seconds", n)
	}
}

// What Slack counted is nothing that holds when nobody listens any more.
func TestTheNoteOfManyConnectionsEnds(t *testing.T) {
	w := inWorkspace(t, func(c *Config) {
		c.Review.Enabled, c.Review.AppToken = true, config.NewSecret(slackapi.DefaultAppToken)
	})
	notes := make(chan string, 100)
	w.note = func(name, text string) {
		if name == "buttons" {
			notes <- text
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	l := w.listener(&desk{})
	(&socket{listener: l}).noteConnections(manyConnections)
	stop()
	if err := w.Listen(ctx, &desk{}); err != nil {
		t.Fatal(err)
	}
	last := ""
	for len(notes) > 0 {
		last = <-notes
	}
	if last != "" {
		t.Errorf("after the end the note stays: %q", last)
	}
}

// Slack whose calls bear another signature means that no press arrives: which the log says.
func TestAWrongSigningSecretIsNoticed(t *testing.T) {
	address := freeAddress(t)
	l := listen(t, func(c *Config) { c.Review.Listen, c.Review.SigningSecret = address, config.NewSecret(secret) })
	l.SendTo("http://"+address+"/", "the secret of another app")
	l.until(func() bool { c, err := net.Dial("tcp", address); return err == nil && c.Close() == nil })
	_, _ = l.Server.Press(t.Context(), slackapi.Press{User: bob, Channel: l.m.Channel, TS: l.m.ID, Action: approveID})
	l.until(func() bool {
		return l.logged.FilterMessageSnippet("was not signed with the signing secret").FilterLevelExact(zap.WarnLevel).Len() == 1
	})
}
