package farend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"teleport-plugins/access/slack/farend"
	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/cluster"
	sandbox "teleport-plugins/lib/sandbox/farend"
)

// stand is a workspace with an app of a few lines, which answers as a test wants.
type stand struct {
	*farend.Workspace
	t *testing.T
}

// event is what the app reads of an event.
type event struct {
	Envelope string `json:"envelope_id"`
	Payload  struct {
		Type    string
		Trigger string `json:"trigger_id"`
		Reply   string `json:"response_url"`
		User    struct{ ID string }
		Actions []struct {
			ID    string `json:"action_id"`
			Value string
		}
		View struct{ State any }
	}
}

func newStand(t *testing.T) stand {
	t.Helper()
	w := farend.New(sandbox.Options{})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return stand{w, t}
}

// call makes a call with a token, and returns one member of the answer.
func (s stand) call(token, method, body, member string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.URL()+method, strings.NewReader(body))
	if strings.HasPrefix(method, "http") {
		req, err = http.NewRequestWithContext(s.t.Context(), http.MethodPost, method, strings.NewReader(body))
	}
	if err != nil {
		s.t.Error(err)
		return ""
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	var a map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a["ok"] != true {
		s.t.Errorf("%s: %v, %v", method, a, err)
	}
	text, _ := a[member].(string)
	return text
}

// listen has the app take events, and acknowledge each with what take returns.
func (s stand) listen(take func(event) (ack string)) {
	s.t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(s.t.Context(), s.call(s.AppToken(), "apps.connections.open", "{}", "url"), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	var hello event
	if err := conn.ReadJSON(&hello); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var e event
			if conn.ReadJSON(&e) != nil {
				return
			}
			if e.Envelope != "" {
				_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"`+e.Envelope+`"`+take(e)+`}`))
			}
		}
	}()
	s.t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
}

// offer posts an announcement with buttons.
func (s stand) offer(place, request string) {
	s.t.Helper()
	button := func(id string) string {
		return `{"type":"button","action_id":"` + id + `","value":"` + request + `","text":{"type":"plain_text","text":"x"}}`
	}
	blocks := `[{"type":"actions","block_id":"review_block","elements":[` + button("approve_button") + `,` + button("deny_button") + `]}]`
	s.call(s.Token(), "chat.postMessage", `{"channel":"`+place+`","text":"x","blocks":`+blocks+`}`, "ts")
}

func (s stand) press(request, verdict, reason string) ([]string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	return s.Press(ctx, cluster.Bob, request, verdict, reason)
}

func TestAPersonPressesAndHears(t *testing.T) {
	for name, answer := range map[string]func(s stand, e event){
		"by the address for answers": func(s stand, e event) { s.call("", e.Payload.Reply, `{"text":"done"}`, "") },
		"by an ephemeral message": func(s stand, e event) {
			s.call(s.Token(), "chat.postEphemeral", `{"channel":"security","user":"`+e.Payload.User.ID+`","text":"done"}`, "")
		},
		"by a direct message": func(s stand, e event) {
			s.offer(e.Payload.User.ID, "r2") // which is no answer
			s.call(s.Token(), "chat.postMessage", `{"channel":"`+e.Payload.User.ID+`","text":"done"}`, "ts")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.offer("security", "r1")
			s.listen(func(e event) string {
				if a := e.Payload.Actions[0]; a.ID != "deny_button" || a.Value != "r1" || e.Payload.User.ID != s.Person(cluster.Bob) {
					t.Errorf("pressed %+v", e)
				}
				answer(s, e)
				return ""
			})
			if saw, err := s.press("r1", "deny", ""); err != nil || !slices.Equal(saw, []string{"done"}) {
				t.Errorf("saw %q, error %v", saw, err)
			}
			for _, ch := range s.Panel(0).Channels {
				for _, m := range ch.Messages {
					if ch.Name == "security" && m.Text == "done" {
						t.Error("everybody sees the answer")
					}
				}
			}
		})
	}
}

func TestAPersonGivesTheReasonThatIsAskedFor(t *testing.T) {
	s := newStand(t)
	s.offer("security", "r1")
	view := `{"type":"modal","title":{"type":"plain_text","text":"Deny"},"submit":{"type":"plain_text","text":"Deny"},"blocks":[
		{"type":"input","block_id":"why","label":{"type":"plain_text","text":"Reason"},"element":{"type":"plain_text_input","action_id":"reason"}}]}`
	s.listen(func(e event) string {
		if e.Payload.Type == "block_actions" {
			s.call(s.Token(), "views.open", `{"trigger_id":"`+e.Payload.Trigger+`","view":`+view+`}`, "")
			return ""
		}
		return `,"payload":{"response_action":"errors","errors":{"why":"you wrote ` + strings.Trim(fmt.Sprint(e.Payload.View.State), "map[]") + `"}}`
	})
	saw, err := s.press("r1", "deny", "because")
	if err != nil || len(saw) != 1 || !strings.Contains(saw[0], "because") {
		t.Errorf("saw %q, error %v", saw, err)
	}
	if saw, err := s.press("r1", "deny", ""); err == nil {
		t.Errorf("without a reason: saw %q", saw)
	}
}

func TestWithoutAnAppSlackSaysSo(t *testing.T) {
	s := newStand(t)
	s.offer("security", "r1")
	if saw, err := s.press("r1", "approve", ""); err != nil || !slices.Equal(saw, []string{slackapi.PressFailed}) {
		t.Errorf("saw %q, error %v", saw, err)
	}
}

func TestOnlyAButtonThatIsThereIsPressed(t *testing.T) {
	s := newStand(t)
	s.offer("security", "r1")
	for _, tc := range []struct{ person, request, verdict string }{
		{cluster.Bob, "r2", "approve"}, {cluster.Bob, "r1", "dance"}, {"nobody@example.com", "r1", "approve"},
	} {
		if saw, err := s.Press(t.Context(), tc.person, tc.request, tc.verdict, ""); err == nil {
			t.Errorf("%v: saw %q", tc, saw)
		}
	}
	if _, err := s.press("r2", "approve", ""); !errors.Is(err, slackapi.ErrNoButton) {
		t.Errorf("error %v", err)
	}
	s.offer("#db-team", "r3")
	hidden := s.AddChannel(slackapi.Channel{Name: "closed", Kind: slackapi.Private, Members: []string{s.Person(cluster.Alice)}})
	s.offer(hidden.ID, "r4")
	if _, err := s.press("r4", "approve", ""); !errors.Is(err, slackapi.ErrNoButton) {
		t.Errorf("in a channel that Bob does not see: %v", err)
	}
}

// Everybody whom the presets know is recognised under the section [review].
func TestTheSectionReview(t *testing.T) {
	s := newStand(t)
	review := s.Review()
	users, _ := review["users"].(map[string]any)
	for _, user := range []string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave} {
		if users[s.Person(user)] != user {
			t.Errorf("%s is %v", user, users[s.Person(user)])
		}
	}
	if token, _ := review["app_token"].(string); review["enabled"] != true || !strings.HasPrefix(token, "xapp-") || len(users) != 4 {
		t.Errorf("got %v", review)
	}
}

// An app that acknowledges and then says nothing leaves the person waiting.
func TestAPersonWhoHearsNothing(t *testing.T) {
	s := newStand(t)
	s.offer("security", "r1")
	ctx, cancel := context.WithCancel(t.Context())
	s.listen(func(event) string {
		time.AfterFunc(50*time.Millisecond, cancel)
		return ""
	})
	if saw, err := s.Press(ctx, cluster.Bob, "r1", "approve", ""); !errors.Is(err, context.Canceled) || len(saw) > 0 {
		t.Errorf("saw %q, error %v", saw, err)
	}
}
