package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/hook"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/seal"
)

const (
	// maxCall bounds what is read of one call of Mattermost's, in bytes. The longest is a
	// dialog with a reason, each character of which may take twelve.
	maxCall = 64 << 10
	// maxPresses is how many presses are worked on at once.
	maxPresses = 200
	// dialogTime is how long Mattermost lets a dialog be opened, and fillTime how long
	// somebody may take over it.
	dialogTime = 3 * time.Second
	fillTime   = time.Hour
	// tellTime bounds how long it may take to tell somebody after a dialog.
	tellTime = 5 * time.Second
)

// called is what is used of what the server sends when somebody presses a button, or
// sends a dialog off.
type called struct {
	Type    string      `json:"type"`
	User    string      `json:"user_id"`
	Channel string      `json:"channel_id"`
	Team    string      `json:"team_id"`
	Post    string      `json:"post_id"`
	Trigger string      `json:"trigger_id"`
	Context pressedPass `json:"context"`
	// Of a dialog alone.
	State      string            `json:"state"`
	Submission map[string]string `json:"submission"`
	Cancelled  bool              `json:"cancelled"`
}

// reply is what the server is answered. To a press it shows Only to the person, to a
// dialog Fault and Faults in the dialog, which stays open then.
type reply struct {
	Only   string            `json:"ephemeral_text,omitzero"`
	Fault  string            `json:"error,omitzero"`
	Faults map[string]string `json:"errors,omitzero"`
}

// listener works on presses.
type listener struct {
	*service
	desk    decision.Desk
	work    chan struct{} // a turn for each press in work
	callers hook.Callers
}

func (s *service) listener(desk decision.Desk) *listener {
	return &listener{service: s, desk: desk, work: make(chan struct{}, maxPresses), callers: hook.Callers{
		Note: s.noteButtons, Awaited: "no press has come from Mattermost to review.listen yet", Log: s.log,
	}}
}

// Listen implements decision.Listener.
func (s *service) Listen(ctx context.Context, desk decision.Desk) error {
	l := s.listener(desk)
	return hook.Serve(ctx, hook.Options{
		Endpoint: s.review.Endpoint, Shared: true, Handler: l, Log: s.log, Callers: &l.callers, Ready: func() { desk.Heard("") },
	})
}

func (s *service) noteButtons(text string) {
	if s.note != nil {
		s.note("buttons", text)
	}
}

// ServeHTTP takes one call. A person is answered by the answer to the call, for which
// the server waits half a minute.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var c called
	body := http.MaxBytesReader(w, r.Body, maxCall)
	if r.Method != http.MethodPost || json.NewDecoder(body).Decode(&c) != nil {
		http.Error(w, "this takes what people press in Mattermost", http.StatusBadRequest)
		return
	}
	ctx := context.WithoutCancel(r.Context()) // what was pressed is decided
	var out reply
	select {
	case l.work <- struct{}{}:
		defer func() { <-l.work }()
		if c.Type == "dialog_submission" {
			out = l.submitted(ctx, c)
		} else {
			out = l.pressed(ctx, c)
		}
	default:
		out = reply{Only: decision.Crowded, Fault: decision.Crowded}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // whoever has left hears nothing
}

// pressed works on a press of a button.
func (l *listener) pressed(ctx context.Context, c called) reply {
	p, err := l.open(c.Context.Pass, ofButton)
	if text := l.refuses(c, err); text != "" {
		return reply{Only: text}
	}
	if p.Channel != c.Channel {
		return reply{Only: "This message is not one that the plugin posted for this request."}
	}
	p.Use, p.Message, p.Person, p.Team, p.Expires = ofDialog, c.Post, c.User, c.Team, time.Now().Add(fillTime).Unix()
	if l.review.AsksReason(p.Verdict) {
		if err := l.ask(ctx, c.Trigger, p); err != nil {
			l.log.Warn("The dialog for the reason of a decision could not be opened", zap.String("request_id", p.Request), zap.Error(err))
			return reply{Only: decision.NoDialog}
		}
		return reply{}
	}
	id := strings.Join([]string{c.User, c.Post, c.Trigger, string(p.Verdict)}, "/")
	return reply{Only: plain(l.desk.Press(ctx, p.Press(id, "", l.whois)).Text)}
}

// refuses says what somebody hears whose pass does not count; empty for one that does.
func (l *listener) refuses(c called, err error) string {
	switch {
	case err == nil:
		l.callers.Known()
		return ""
	case errors.Is(err, errExpired):
		return "This request has expired, or the dialog was open for too long."
	}
	l.callers.Stranger("What came to review.listen is no press of one of the plugin's buttons and was refused", zap.Error(err),
		zap.String("person", message.Cut(c.User, 200)), zap.String("channel", message.Cut(c.Channel, 200)), zap.String("message", message.Cut(c.Post, 200)))
	return "This button is not one of the plugin's, or is from before its secret was changed. Please decide in Teleport."
}

// form is a dialog that asks for the reason of a verdict.
type form struct {
	Trigger string `json:"trigger_id"`
	URL     string `json:"url"`
	Dialog  dialog `json:"dialog"`
}

type dialog struct {
	Callback string    `json:"callback_id"`
	Title    string    `json:"title"`
	Submit   string    `json:"submit_label"`
	State    string    `json:"state"`
	Elements []element `json:"elements"`
}

type element struct {
	Label string `json:"display_name"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Most  int    `json:"max_length"`
}

// reasonField is the name of the only element.
const reasonField = "reason"

// ask opens the dialog. It goes before everything else, for Mattermost does not wait.
func (l *listener) ask(ctx context.Context, trigger string, p pass) error {
	ctx, cancel := context.WithTimeoutCause(ctx, dialogTime, errors.New("the dialog was not taken in time"))
	defer cancel()
	state, err := l.seal(p)
	if err != nil {
		return err
	}
	title, submit := p.Words()
	return l.do(ctx, call{route: openDialog, body: form{trigger, l.review.URL, dialog{
		Callback: "teleport_review", Title: title, Submit: submit, State: state,
		Elements: []element{{Label: "Reason", Name: reasonField, Type: "textarea", Most: decision.MaxReason}},
	}}}, &status{})
}

// submitted works on a dialog that was sent off.
func (l *listener) submitted(ctx context.Context, c called) reply {
	p, err := l.open(c.State, ofDialog)
	if err == nil && p.Person != c.User {
		err = seal.ErrForged
	}
	if text := l.refuses(c, err); text != "" {
		return reply{Fault: text}
	}
	reason := strings.TrimSpace(c.Submission[reasonField])
	switch {
	case c.Cancelled:
		return reply{}
	case reason == "":
		return reply{Faults: map[string]string{reasonField: "A reason is needed."}}
	}
	got := l.desk.Press(ctx, p.Press("", reason, l.whois))
	if got.Kind == decision.Done || got.Kind == decision.Already {
		err := l.tell(ctx, p.Person, plain(got.Text))
		if err == nil {
			return reply{}
		}
		l.log.Warn("A person could not be told in a direct message what came of their press", zap.String("request_id", p.Request), zap.Error(err))
	}
	return reply{Fault: got.Text}
}

// tell sends a person a direct message: a dialog has no answer that leaves it.
func (l *listener) tell(ctx context.Context, person, text string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, tellTime, errors.New("the answer was not taken in time"))
	defer cancel()
	ch, err := l.direct(ctx, call{route: userByID, args: []string{person}})
	if err == nil {
		_, err = l.post(ctx, draft{Channel: ch.ID, Message: text})
	}
	return err
}
