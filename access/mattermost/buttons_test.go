package mattermost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/seal"
)

// desk answers every press alike, and keeps what it was asked.
type desk struct {
	mu      sync.Mutex
	presses []decision.Press
	answer  decision.Answer
}

func (d *desk) Press(_ context.Context, p decision.Press) decision.Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.Person = nil
	d.presses = append(d.presses, p)
	return d.answer
}

func (*desk) Heard(string) {}

// pressing is a listener whose server takes dialogs and direct messages.
type pressing struct {
	*listener
	desk   *desk
	logged *observer.ObservedLogs
	calls  []string
	broken string // the path of a call that fails
}

func newPressing(t *testing.T, reason string) *pressing {
	t.Helper()
	p := &pressing{desk: &desk{answer: decision.Answer{Kind: decision.Done, Text: "You *decided*."}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.calls = append(p.calls, r.Method+" "+r.URL.Path+" "+string(body))
		switch {
		case r.URL.Path == p.broken:
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/actions/dialogs/open":
			_, _ = io.WriteString(w, `{"status":"OK"}`)
		case r.URL.Path == "/posts":
			_, _ = io.WriteString(w, `{"id":"p","channel_id":"c"}`)
		default:
			_, _ = io.WriteString(w, `{"id":"c"}`)
		}
	}))
	t.Cleanup(server.Close)
	transport := outbound.NewTransport(outbound.Options{})
	t.Cleanup(transport.CloseIdle)
	core, logged := observer.New(zap.DebugLevel)
	s := &service{log: zap.New(core), client: client{base: server.URL, token: config.NewSecret("t"), http: transport.Client()}}
	s.review = Review{Settings: decision.Settings{Enabled: true, Reason: reason}, URL: "https://plugin.example.com/", Secret: config.NewSecret("a secret of sixteen")}
	p.listener, p.logged = s.listener(p.desk), logged
	p.work = make(chan struct{}, 2)
	return p
}

// call makes a call as the server does, and returns the answer.
func (p *pressing) call(t *testing.T, body any) (out reply) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(raw)))
	if err := json.Unmarshal(rec.Body.Bytes(), &out); rec.Code != http.StatusOK || err != nil {
		t.Errorf("answered %d %s", rec.Code, rec.Body)
	}
	return out
}

// pressed is a call about the first button of a request, or the second.
func (p *pressing) event(button int) called {
	v := sample(func(v *request.View) { v.Decidable, v.Expires = true, time.Now().Add(time.Hour) })
	return called{
		User: "alice-id", Channel: "C1", Team: "T1", Post: "P1", Trigger: "tr1",
		Context: p.buttons(v, "C1")[0].Actions[button].Integration.Context,
	}
}

// A press is about what was sealed, and by whom and where the server says.
func TestAPressIsPassedOn(t *testing.T) {
	p := newPressing(t, decision.ReasonOptional)
	if got := p.call(t, p.event(1)); got.Only != `You \*decided\*.` {
		t.Errorf("the person hears %+v", got)
	}
	want := []decision.Press{{
		ID: "alice-id/P1/tr1/DENIED", Request: sample().ID, Message: plugindata.Message{Channel: "C1", ID: "P1"}, Team: "T1",
		Verdict: request.Denied, PersonID: "alice-id",
	}}
	if got := p.desk.presses; len(got) != 1 || got[0].ID != want[0].ID || got[0].Message != want[0].Message || got[0].Verdict != want[0].Verdict ||
		got[0].Request != want[0].Request || got[0].PersonID != want[0].PersonID || got[0].Team != want[0].Team || got[0].Reason != "" {
		t.Errorf("asked was %+v, want %+v", got, want)
	}
	if len(p.calls) > 0 {
		t.Errorf("calls were made: %q", p.calls)
	}
}

// Nothing that was not sealed for the very use counts, and nothing after its time.
func TestWhatIsNotSealedDoesNotCount(t *testing.T) {
	p := newPressing(t, decision.ReasonOptional)
	sealing := func(change func(*pass)) string {
		a := pass{ofButton, decision.Dialog{Request: "r", Verdict: request.Approved, Channel: "C1"}, time.Now().Add(time.Hour).Unix()}
		change(&a)
		text, err := p.seal(a)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	text, mac, _ := strings.Cut(sealing(func(*pass) {}), ".")
	other := newPressing(t, decision.ReasonOptional)
	other.review.Secret = config.NewSecret("another secret of sixteen")
	foreign, _ := other.seal(pass{ofButton, decision.Dialog{Request: "r", Verdict: request.Approved, Channel: "C1"}, time.Now().Add(time.Hour).Unix()})
	for name, sealed := range map[string]string{
		"empty": "", "without a seal": text, "with an empty seal": text + ".", "a seal alone": "." + mac, "shortened": text[1:] + "." + mac,
		"with another secret": foreign, "of a dialog": sealing(func(a *pass) { a.Use = ofDialog }), "of nothing": sealing(func(a *pass) { a.Use = "" }),
		"expired": sealing(func(a *pass) { a.Expires = time.Now().Add(-time.Second).Unix() }), "of another channel": sealing(func(a *pass) { a.Channel = "C2" }),
	} {
		if got := p.call(t, called{User: "u", Channel: "C1", Post: "P1", Context: pressedPass{sealed}}); got.Only == "" || len(p.desk.presses) > 0 {
			t.Errorf("%s: the person hears %+v, asked was %+v", name, got, p.desk.presses)
		}
	}
	if n := p.logged.FilterMessageSnippet("no press of one of the plugin's buttons").Len(); n != 1 {
		t.Errorf("%d lines were logged about strangers in a minute", n)
	}
}

// A secret that is too short, or cannot be read, seals nothing and opens nothing.
func TestWithoutASecretNothingCounts(t *testing.T) {
	p := newPressing(t, decision.ReasonOptional)
	good := p.event(0)
	for _, secret := range []string{"", "short", "/nowhere/secret"} {
		p.review.Secret = config.NewSecret(secret)
		if _, err := p.seal(pass{}); err == nil {
			t.Errorf("%q seals", secret)
		}
		if p.call(t, good); len(p.desk.presses) > 0 {
			t.Errorf("%q opens", secret)
		}
		v := sample(func(v *request.View) { v.Decidable = true })
		if got := p.buttons(v, "C1"); len(got) != 1 {
			t.Errorf("the announcement is not made for want of %q", secret)
		}
	}
}

// dialogOf has somebody press a button that asks for a reason, and returns what the
// server sends when the dialog is sent off.
func (p *pressing) dialogOf(t *testing.T) called {
	t.Helper()
	if got := p.call(t, p.event(1)); got.Only != "" || len(p.calls) != 1 || len(p.desk.presses) > 0 {
		t.Fatalf("the person hears %+v, calls were %q", got, p.calls)
	}
	_, sent, _ := strings.Cut(p.calls[0], " /actions/dialogs/open ")
	var opened form
	if err := json.Unmarshal([]byte(sent), &opened); err != nil || opened.Trigger != "tr1" || opened.URL != p.review.URL {
		t.Fatalf("opened was %s, %v", sent, err)
	}
	p.calls = nil
	return called{Type: "dialog_submission", User: "alice-id", Channel: "C1", State: opened.Dialog.State, Submission: map[string]string{"reason": " because "}}
}

// The dialog is for the person who pressed, and needs a reason.
func TestADialogIsForOnePerson(t *testing.T) {
	p := newPressing(t, decision.ReasonDeny)
	submit := p.dialogOf(t)
	stolen, cancelled, silent := submit, submit, submit
	stolen.User, cancelled.Cancelled, silent.Submission = "bob-id", true, map[string]string{"reason": " "}
	asButton := called{User: "alice-id", Channel: "C1", Post: "P1", Context: pressedPass{submit.State}}
	if got := p.call(t, stolen); got.Fault == "" {
		t.Errorf("another person hears %+v", got)
	}
	if got := p.call(t, asButton); got.Only == "" {
		t.Errorf("with the state for a button one hears %+v", got)
	}
	if got := p.call(t, silent); got.Faults["reason"] == "" {
		t.Errorf("without a reason one hears %+v", got)
	}
	if got := p.call(t, cancelled); got.Fault != "" || len(p.desk.presses) > 0 {
		t.Errorf("who cancels hears %+v, asked was %+v", got, p.desk.presses)
	}
}

// What came of a dialog is told outside of it, or in it where that fails or something is
// left to do.
func TestTheOutcomeOfADialogIsTold(t *testing.T) {
	p := newPressing(t, decision.ReasonDeny)
	submit := p.dialogOf(t)
	if got := p.call(t, submit); got.Fault != "" || got.Faults != nil {
		t.Errorf("the person hears %+v", got)
	}
	if got := p.desk.presses; len(got) != 1 || got[0].Reason != "because" || got[0].Message.ID != "P1" || got[0].PersonID != "alice-id" || got[0].ID != "" {
		t.Errorf("asked was %+v", got)
	}
	tells := func(c string) bool {
		return strings.HasPrefix(c, "POST /posts ") && strings.Contains(c, `You \\*decided\\*.`)
	}
	if !slices.ContainsFunc(p.calls, tells) {
		t.Errorf("the person is not told: %q", p.calls)
	}
	for broken, kind := range map[string]decision.Kind{"/posts": decision.Done, "": decision.TryAgain} {
		p.broken, p.desk.answer.Kind = broken, kind
		if got := p.call(t, submit); got.Fault != "You *decided*." {
			t.Errorf("with %q away, of %s one hears %+v", broken, kind, got)
		}
	}
}

// Whoever cannot be shown the dialog hears that, and so do those who come when too many
// press.
func TestEverybodyHears(t *testing.T) {
	p := newPressing(t, decision.ReasonAlways)
	p.broken = "/actions/dialogs/open"
	if got := p.call(t, p.event(0)); !strings.Contains(got.Only, "press again") {
		t.Errorf("the person hears %+v", got)
	}
	p.work <- struct{}{}
	p.work <- struct{}{}
	if got := p.call(t, p.event(0)); got.Only != decision.Crowded {
		t.Errorf("in a crowd one hears %+v", got)
	}
}

func TestWhatIsNoCallOfTheServers(t *testing.T) {
	p := newPressing(t, decision.ReasonOptional)
	for name, r := range map[string]*http.Request{
		"a look":   httptest.NewRequest(http.MethodGet, "/", nil),
		"no JSON":  httptest.NewRequest(http.MethodPost, "/", strings.NewReader("payload=x")),
		"too much": httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(`{"user_id":"`), io.LimitReader(zeros{}, maxCall), strings.NewReader(`"}`))),
	} {
		rec := httptest.NewRecorder()
		if p.ServeHTTP(rec, r); rec.Code != http.StatusBadRequest || len(p.desk.presses) > 0 {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

// Whatever comes, nothing opens that was not sealed.
func FuzzOpen(f *testing.F) {
	s := &service{review: Review{Secret: config.NewSecret("a secret of sixteen")}}
	good, err := s.seal(pass{ofButton, decision.Dialog{Request: "r"}, time.Now().Add(time.Hour).Unix()})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", ".", good, good + "x", strings.ToLower(good), "e30." + strings.Split(good, ".")[1]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := s.open(text, ofButton)
		if text == good {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, seal.ErrForged) || p != (pass{}) {
			t.Errorf("%q opens: %+v, %v", text, p, err)
		}
	})
}
