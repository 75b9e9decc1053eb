package slackapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// frame is what comes through a socket.
type frame struct {
	Type        string          `json:"type"`
	Reason      string          `json:"reason"`
	Envelope    string          `json:"envelope_id"`
	Accepts     bool            `json:"accepts_response_payload"`
	Payload     json.RawMessage `json:"payload"`
	Retry       int             `json:"retry_attempt"`
	RetryReason string          `json:"retry_reason"`
	Connections int             `json:"num_connections"`
	Info        struct {
		App string `json:"app_id"`
	} `json:"connection_info"`
}

// app is the other end of a socket.
type app struct {
	t    *testing.T
	conn *websocket.Conn
}

// address asks for the address of a socket.
func (w workspace) address(t *testing.T) string {
	t.Helper()
	a, err := w.open(t, w.AppToken())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// open calls apps.connections.open with a token.
func (w workspace) open(t *testing.T, token string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"apps.connections.open", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var a struct {
		answer
		URL string `json:"url"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return "", err
	}
	if !a.OK {
		return "", errors.New(a.Error)
	}
	return a.URL, nil
}

func dial(ctx context.Context, address string) (*websocket.Conn, int, error) {
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, address, nil)
	status := 0
	if resp != nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
	}
	return conn, status, err
}

// connect opens a socket and takes its first frame.
func (w workspace) connect(t *testing.T) (*app, frame) {
	t.Helper()
	conn, _, err := dial(t.Context(), w.address(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	a := &app{t, conn}
	return a, a.read()
}

// read takes the next frame.
func (a *app) read() (f frame) {
	a.t.Helper()
	_ = a.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := a.conn.ReadJSON(&f); err != nil {
		a.t.Errorf("reading a frame: %v", err)
	}
	return f
}

// send sends a text.
func (a *app) send(text string) {
	a.t.Helper()
	if err := a.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		a.t.Errorf("writing a frame: %v", err)
	}
}

// ack acknowledges an event, with an answer if there is one.
func (a *app) ack(f frame, answer string) {
	a.t.Helper()
	if answer != "" {
		answer = `,"payload":` + answer
	}
	a.send(`{"envelope_id":"` + f.Envelope + `"` + answer + `}`)
}

// buttons are the blocks of a message that can be decided.
const buttons = `[{"type":"section","text":{"type":"mrkdwn","text":"a request"}},
	{"type":"actions","block_id":"review_block","elements":[
	{"type":"button","action_id":"approve_button","style":"primary","value":"r1","text":{"type":"plain_text","text":"Approve"}},
	{"type":"button","action_id":"deny_button","value":"r1","text":{"type":"plain_text","text":"Deny"}}]}]`

// offer posts a message with buttons.
func (w workspace) offer(t *testing.T, channel string) (string, string) {
	t.Helper()
	var blocks slack.Blocks
	if err := json.Unmarshal([]byte(buttons), &blocks); err != nil {
		t.Fatal(err)
	}
	return w.post(t, channel, text("a request"), slack.MsgOptionBlocks(blocks.BlockSet...),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "access_request", EventPayload: map[string]any{"id": "r1"}}))
}

// pressing has somebody press, while the test goes on.
func (w workspace) pressing(t *testing.T, p slackapi.Press) <-chan slackapi.Outcome {
	t.Helper()
	done := make(chan slackapi.Outcome, 1)
	go func() {
		defer close(done)
		out, err := w.Press(t.Context(), p)
		if err != nil {
			t.Errorf("pressing: %v", err)
		}
		done <- out
	}()
	return done
}

func TestASocketIsForAppLevelTokensAlone(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.SetScopes("xapp-poor", "authorizations:read")
	w.SetScopes("xapp-old", "connections:write")
	w.RefuseToken("xapp-old", "token_revoked")
	for token, want := range map[string]string{
		w.AppToken(): "", w.Token(): "not_allowed_token_type", "xapp-unknown": "invalid_auth", "": "not_authed",
		"xapp-poor": "missing_scope", "xapp-old": "token_revoked",
	} {
		address, err := w.open(t, token)
		if got := ""; err != nil {
			got = err.Error()
			if got != want {
				t.Errorf("%q: error %q, want %q", token, got, want)
			}
		} else if want != "" || !strings.HasPrefix(address, "ws://") {
			t.Errorf("%q: got the address %q, want error %q", token, address, want)
		}
	}
	if a, _ := send(t, w.Server, "POST", "auth.test", "", "", "Authorization", "Bearer "+w.AppToken()); a.Error != "not_allowed_token_type" {
		t.Errorf("the app-level token as the bot's: %+v", a)
	}
	if got := w.Calls("apps.connections.open"); got != 6 {
		t.Errorf("counted %d calls, want 6", got)
	}
	w.Faults().Add(fault.Fault{Method: "apps.connections.open", Effect: fault.RateLimit, RetryAfterMS: 1000, Times: 1})
	if _, err := w.open(t, w.AppToken()); err == nil || err.Error() != "ratelimited" {
		t.Errorf("a rate limit gives %v", err)
	}
}

func TestTheAddressOfASocketIsGoodOnceAndForAWhile(t *testing.T) {
	w := start(t, slackapi.Options{})
	address := w.address(t)
	conn, _, err := dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for name, again := range map[string]string{"used": address, "made up": address + "x", "without": strings.Split(address, "?")[0]} {
		if _, status, err := dial(t.Context(), again); err == nil || status != http.StatusForbidden {
			t.Errorf("%s: status %d, error %v", name, status, err)
		}
	}
	if log := w.Requests(); log[len(log)-1].Method != slackapi.Socket || log[len(log)-1].Error != "bad_ticket" {
		t.Errorf("the log holds %+v", log)
	}
	now := time.Now()
	s := slackapi.New(slackapi.Options{Options: clock(&now)})
	late := ""
	{
		r := httptest.NewRequest(http.MethodPost, "https://slack.test/api/apps.connections.open", nil)
		r.Header.Set("Authorization", "Bearer "+s.AppToken())
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		var a struct{ URL string }
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || !strings.HasPrefix(a.URL, "wss://slack.test/") {
			t.Fatalf("behind TLS the address is %q, error %v", a.URL, err)
		}
		late = a.URL
	}
	now = now.Add(time.Minute)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, late, nil))
	if rec.Code != http.StatusForbidden {
		t.Errorf("after a minute: status %d", rec.Code)
	}
}

func TestAPressIsAcknowledged(t *testing.T) {
	w := start(t, slackapi.Options{})
	a, hello := w.connect(t)
	if hello.Type != "hello" || hello.Connections != 1 || hello.Info.App == "" {
		t.Errorf("greeted with %+v", hello)
	}
	_, ts := w.offer(t, requests)
	done := w.pressing(t, approve(ts))
	f := a.read()
	if f.Type != "interactive" || f.Envelope == "" || !f.Accepts || f.Retry != 0 {
		t.Errorf("sent %+v", f)
	}
	a.ack(f, `{"a":1}`)
	if out := <-done; !out.Acked || string(out.Answer) != `{"a":1}` || out.Envelope != f.Envelope {
		t.Errorf("outcome %+v", out)
	}
	if got := w.Sockets(); got.Acks != 1 || got.Open != 1 || got.Missed != 0 || len(w.Saw(alice)) != 0 {
		t.Errorf("%+v; alice saw %q", got, w.Saw(alice))
	}
}

// clock is a clock that a test sets.
func clock(now *time.Time) apiserver.Options {
	return apiserver.Options{Now: func() time.Time { return *now }}
}
