package slackapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// View is a dialog that a person sees.
type View struct {
	ID string `json:"-"`
	// User is for whom it was opened, and Trigger the press that led to it.
	User, Trigger string `json:"-"`
	// CallbackID and PrivateMetadata are what the app gave it.
	CallbackID      string `json:"callback_id"`
	PrivateMetadata string `json:"private_metadata"`
	// Inputs are what can be filled in.
	Inputs []Input `json:"-"`
	// Errors are what the app said is wrong, by block_id.
	Errors map[string]string `json:"-"`

	fields map[string]json.RawMessage
}

// Input is what a person can fill in.
type Input struct {
	Block, Action string
	Label         string
	Optional      bool
	Min, Max      int
	Value         string
}

// Submission is a dialog that a person sends off.
type Submission struct {
	User string
	// View is the ID of the dialog; the newest one of the person when empty.
	View string
	// Values are what is written, by block_id or action_id.
	Values map[string]string
	// Anyway sends what Slack's client would not: for another person, or with values
	// that do not fit.
	Anyway bool
}

// Modal is the dialog that a person has before them.
func (s *Server) Modal(user string) (v View, ok bool) {
	s.Look(func() {
		if found := s.state.live.view("", user); found != nil {
			v, ok = *found, true
		}
	})
	return v, ok
}

// Opened is the dialog that a press led to, where it is open still.
func (s *Server) Opened(trigger string) (v View, ok bool) {
	s.Look(func() {
		for _, open := range s.state.live.views {
			if open.Trigger == trigger {
				v, ok = *open, true
			}
		}
	})
	return v, ok
}

// Dismiss closes a dialog, as a person does who thinks better of it.
func (s *Server) Dismiss(view string) {
	s.Change(func() { s.state.live.closeViews(func(v *View) bool { return v.ID == view }) })
}

func (l *live) closeViews(which func(*View) bool) { l.views = slices.DeleteFunc(l.views, which) }

// view finds a dialog by its ID or, without one, the newest of a person.
func (l *live) view(id, user string) *View {
	for _, v := range slices.Backward(l.views) {
		if v.ID == id || id == "" && v.User == user {
			return v
		}
	}
	return nil
}

// Submit has a person send a dialog off, and returns once the app has acknowledged
// that or Slack would wait no longer. The error says that the person could not.
func (s *Server) Submit(ctx context.Context, sub Submission) (Outcome, error) {
	var out Outcome
	var id string
	var err error
	s.Change(func() { out, id, err = s.submitted(sub) })
	if err != nil {
		return out, fmt.Errorf("submitting a dialog: %w", err)
	}
	out, err = s.deliver(ctx, out, 0, retry{})
	if err == nil && out.Acked {
		s.Change(func() { err = s.state.live.respond(id, out) })
	}
	return out, err
}

// submitted makes the event of a dialog; the lock is held.
func (s *Server) submitted(sub Submission) (Outcome, string, error) {
	ws := &s.state
	u, v := ws.users[sub.User], ws.live.view(sub.View, sub.User)
	if u == nil || v == nil {
		return Outcome{}, "", errors.New("there is no dialog")
	}
	if v.User != sub.User && !sub.Anyway {
		return Outcome{}, "", errors.New("the dialog is another person's")
	}
	values := object{}
	for _, in := range v.Inputs {
		in.Value = cmp.Or(sub.Values[in.Block], sub.Values[in.Action], in.Value)
		if err := in.check(); err != nil && !sub.Anyway {
			return Outcome{}, "", err
		}
		state := object{"type": "plain_text_input", "value": nil}
		if in.Value != "" {
			state["value"] = in.Value
		}
		values[in.Block] = object{in.Action: state}
	}
	out := Outcome{Trigger: ws.newTrigger(sub.User, s.Now()), user: sub.User, failed: SubmitFailed}
	payload := ws.event("view_submission", s.opts, u, out.Trigger)
	payload["view"], payload["response_urls"] = ws.wireView(v, values), []any{}
	var err error
	out.Payload, err = json.Marshal(payload)
	return out, v.ID, err
}

// check says what Slack's client would say of what is filled in.
func (in Input) check() error {
	n := utf8.RuneCountInString(in.Value)
	switch {
	case n == 0 && in.Optional:
	case strings.TrimSpace(in.Value) == "":
		return fmt.Errorf("%s must be filled in", in.Label)
	case n < in.Min || n > cmp.Or(in.Max, maxInputText):
		return fmt.Errorf("%s has %d characters, which do not fit", in.Label, n)
	}
	return nil
}

// inputs reads what can be filled in.
func (v *View) inputs() (list []Input) {
	var blocks []struct {
		Type     string `json:"type"`
		ID       string `json:"block_id"`
		Optional bool   `json:"optional"`
		Label    struct {
			Text string `json:"text"`
		} `json:"label"`
		Element struct {
			Type   string `json:"type"`
			Action string `json:"action_id"`
			Min    int    `json:"min_length"`
			Max    int    `json:"max_length"`
			Value  string `json:"initial_value"`
		} `json:"element"`
	}
	if json.Unmarshal(v.fields["blocks"], &blocks) != nil {
		return nil
	}
	for i, b := range blocks {
		if b.Type != "input" || b.Element.Type != "plain_text_input" {
			continue
		}
		list = append(list, Input{
			Block: cmp.Or(b.ID, "b"+strconv.Itoa(i)), Action: cmp.Or(b.Element.Action, "a"+strconv.Itoa(i)),
			Label: b.Label.Text, Optional: b.Optional, Min: b.Element.Min, Max: b.Element.Max, Value: b.Element.Value,
		})
	}
	return list
}

// wireView writes a dialog out.
func (ws *workspace) wireView(v *View, values object) object {
	if values == nil {
		values = object{}
	}
	out := object{
		"id": v.ID, "team_id": ws.teamID, "app_id": ws.appID, "bot_id": ws.botID, "app_installed_team_id": ws.teamID,
		"root_view_id": v.ID, "previous_view_id": nil, "hash": "1.hash", "state": object{"values": values},
		"private_metadata": "", "callback_id": "", "external_id": "", "clear_on_close": false, "notify_on_close": false,
		"close": nil, "submit": nil,
	}
	for name, value := range v.fields {
		out[name] = value
	}
	return out
}

// respond does what the acknowledgement of a dialog asks for. Without a word the
// dialog closes.
func (l *live) respond(id string, out Outcome) error {
	var answer struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(out.Answer) > 0 {
		if err := json.Unmarshal(out.Answer, &answer); err != nil {
			return fmt.Errorf("reading the answer to a dialog: %w", err)
		}
	}
	v := l.view(id, "")
	switch {
	case v == nil:
	case answer.Action == "":
		l.closeViews(func(other *View) bool { return other == v })
	case answer.Action == "clear":
		l.closeViews(func(other *View) bool { return other.User == v.User })
	case answer.Action == "errors":
		return l.complain(v, answer.Errors)
	case answer.Action == "update" || answer.Action == "push":
		return l.turnTo(v, answer.Action, string(answer.View))
	default:
		l.show(v.User, SubmitFailed)
	}
	return nil
}

// complain shows what is wrong with a dialog. Slack refuses errors about blocks
// that are no inputs of it.
func (l *live) complain(v *View, wrong map[string]string) error {
	for _, block := range slices.Sorted(maps.Keys(wrong)) {
		if !slices.ContainsFunc(v.Inputs, func(in Input) bool { return in.Block == block }) {
			l.show(v.User, SubmitFailed)
			return fmt.Errorf("the answer to a dialog has an error about %q, which is no input", block)
		}
		l.show(v.User, wrong[block])
	}
	v.Errors = maps.Clone(wrong)
	return nil
}

// turnTo shows another dialog in place of one, or on top of it.
func (l *live) turnTo(v *View, action, raw string) error {
	next, err := readView(raw)
	if err != nil {
		l.show(v.User, SubmitFailed)
		return fmt.Errorf("reading the answer to a dialog: %w", err)
	}
	next.User, next.Trigger, next.ID = v.User, v.Trigger, v.ID
	if action == "push" {
		next.ID = l.unique("V0SANDBOX")
		l.views = append(l.views, next)
		return nil
	}
	l.closeViews(func(other *View) bool { return other == v })
	l.views = append(l.views, next)
	return nil
}
