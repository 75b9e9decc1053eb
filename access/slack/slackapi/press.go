package slackapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Press is one press of a button.
type Press struct {
	// User is the ID of the person.
	User string
	// Channel names the conversation as for Messages, and TS the message.
	Channel, TS string
	// Action is the action_id of the button. Block and Value, if not empty, are its
	// block_id and value, where several have the same action_id.
	Action, Block, Value string
	// Old says that the person's client shows the message as it was before an edit
	// or its removal, with the button.
	Old bool
	// Anyway lets accounts press that could not: bots and deactivated ones, and those
	// who do not see the conversation.
	Anyway bool
	// Late is how long the event is on its way. The trigger's time runs meanwhile.
	Late time.Duration
	// Retry and RetryReason are told in the envelope.
	Retry       int
	RetryReason string
	// Change, if not nil, changes the event before it is sent, for what Slack itself
	// would not make.
	Change func(event map[string]any)
}

// Outcome is what came of an event that was sent to the app.
type Outcome struct {
	// Acked says that the app acknowledged it in time. If not, the person saw
	// Slack's own sign of a failure.
	Acked bool
	// Answer is what came with the acknowledgement, or nothing.
	Answer json.RawMessage
	// Payload is what was sent, and Envelope the name under which it went through a
	// socket.
	Payload  json.RawMessage
	Envelope string
	// Trigger and ResponseURL are what the app was given for its answer.
	Trigger, ResponseURL string

	user, failed string
	stamp        string // of the call that delivered it
}

// ErrNoButton says that a person does not see such a button.
var ErrNoButton = errors.New("no such button")

// Press has a person press a button, and returns once the app has acknowledged that
// or Slack would wait no longer. The error says that the person could not press; it
// is ErrNoButton where the button is not there.
func (s *Server) Press(ctx context.Context, p Press) (Outcome, error) {
	var out Outcome
	var err error
	s.Change(func() { out, err = s.pressed(p) })
	if err != nil {
		return out, fmt.Errorf("pressing %s: %w", p.Action, err)
	}
	return s.deliver(ctx, out, p.Late, retry{p.Retry, p.RetryReason})
}

// Prepare makes the event of a press, and sends nothing.
func (s *Server) Prepare(p Press) (out Outcome, err error) {
	s.Change(func() { out, err = s.pressed(p) })
	return out, err
}

// Sees reports whether a person could press a button.
func (s *Server) Sees(p Press) (ok bool) {
	s.Look(func() {
		_, err := s.state.aim(p)
		ok = err == nil
	})
	return ok
}

// aimed is a button that a person is about to press.
type aimed struct {
	user   *User
	ch     *channel
	m      *message
	action object
}

// aim finds what a person presses, if they could.
func (ws *workspace) aim(p Press) (aimed, error) {
	a := aimed{user: ws.users[p.User], ch: ws.named(p.Channel)}
	if a.user == nil || a.ch == nil {
		return a, fmt.Errorf("no user %q or no conversation %q", p.User, p.Channel)
	}
	if !p.Anyway {
		if err := ws.mayPress(a.user, a.ch); err != nil {
			return a, err
		}
	}
	a.m = a.ch.asShown(p)
	if a.m == nil {
		return a, fmt.Errorf("%w: the message %s is not there", ErrNoButton, p.TS)
	}
	var ok bool
	if a.action, ok = findAction(a.m.Blocks, p); !ok {
		return a, fmt.Errorf("%w as %q on the message %s", ErrNoButton, p.Action, p.TS)
	}
	return a, nil
}

// pressed makes the event of a press; the lock is held.
func (s *Server) pressed(p Press) (Outcome, error) {
	ws := &s.state
	a, err := ws.aim(p)
	if err != nil {
		return Outcome{}, err
	}
	now := s.Now()
	a.action["action_ts"] = formatTS(ws.nextTS(now))
	out := Outcome{
		Trigger: ws.newTrigger(p.User, now), user: p.User, failed: PressFailed,
		ResponseURL: s.newReply(replyURL{channel: a.ch.ID, ts: a.m.ts, user: p.User, made: now}),
	}
	payload := ws.event("block_actions", s.opts, a.user, out.Trigger)
	container := object{"type": "message", "message_ts": a.m.TS, "channel_id": a.ch.ID, "is_ephemeral": a.m.EphemeralTo != ""}
	if a.m.thread != 0 {
		container["thread_ts"] = a.m.ThreadTS
	}
	payload["container"], payload["channel"] = container, object{"id": a.ch.ID, "name": a.ch.shownName()}
	payload["message"], payload["actions"] = ws.wire(a.ch, a.m, true), []any{a.action}
	payload["state"], payload["response_url"] = object{"values": object{}}, out.ResponseURL
	if p.Change != nil {
		p.Change(payload)
	}
	out.Payload, err = json.Marshal(payload)
	return out, err
}

// event is what all events of a person have in common.
func (ws *workspace) event(kind string, o Options, u *User, trigger string) object {
	out := object{
		"type": kind, "user": object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": cmp.Or(u.Team, ws.teamID)},
		"team": object{"id": ws.teamID, "domain": o.TeamDomain}, "enterprise": nil, "is_enterprise_install": false,
		"api_app_id": ws.appID, "token": "verification-token", "trigger_id": trigger,
	}
	if o.Enterprise != "" {
		out["enterprise"] = object{"id": o.Enterprise, "name": "Sandbox Grid"}
	}
	return out
}

// shownName is what events call a conversation.
func (ch *channel) shownName() string {
	switch ch.Kind {
	case DM:
		return "directmessage"
	case Private:
		return "privategroup"
	case GroupDM:
		return "mpdm-" + ch.ID
	}
	return ch.Name
}

// mayPress says why a person could not press anything in a conversation.
func (ws *workspace) mayPress(u *User, ch *channel) error {
	switch {
	case u.Bot || u.Deleted:
		return fmt.Errorf("%s is a bot or deactivated", u.ID)
	case !ws.shows(ch, u):
		return fmt.Errorf("%s does not see %s", u.ID, ch.ID)
	}
	return nil
}

// shows says whether a person sees what stands in a conversation. Guests and people
// of other organisations see only those that they are members of.
func (ws *workspace) shows(ch *channel, u *User) bool {
	outside := u.Team != "" && u.Team != ws.enterprise
	switch {
	case ch.Kind == DM:
		return ch.User == u.ID
	case ch.Kind == Public && !u.Restricted && !outside:
		return true
	}
	return ch.includes(u.ID)
}

// asShown is the message as the person sees it.
func (ch *channel) asShown(p Press) *message {
	micros, ok := parseTS(p.TS)
	if !ok {
		return nil
	}
	m := ch.Find(micros)
	switch {
	case m == nil || m.Deleted && !p.Old || m.EphemeralTo != "" && m.EphemeralTo != p.User:
		return nil
	case p.Old && m.before != nil:
		return m.before
	}
	return m
}

// findAction reads the button that is pressed from the blocks of a message. Slack
// makes a block_id up where the app gave none.
func findAction(blocks json.RawMessage, p Press) (object, bool) {
	var list []struct {
		ID        string   `json:"block_id"`
		Elements  []button `json:"elements"`
		Accessory *button  `json:"accessory"`
	}
	if json.Unmarshal(blocks, &list) != nil {
		return nil, false
	}
	for i, b := range list {
		id := cmp.Or(b.ID, "b"+strconv.Itoa(i))
		if b.Accessory != nil {
			b.Elements = append(b.Elements, *b.Accessory)
		}
		for _, e := range b.Elements {
			if e.is(p) && (p.Block == "" || p.Block == id) {
				return e.action(id), true
			}
		}
	}
	return nil, false
}

// button is an element of a block, as far as presses need it.
type button struct {
	Type  string          `json:"type"`
	ID    string          `json:"action_id"`
	Value string          `json:"value"`
	Style string          `json:"style"`
	Text  json.RawMessage `json:"text"`
}

func (b button) is(p Press) bool {
	return b.Type == "button" && b.ID == p.Action && (p.Value == "" || p.Value == b.Value)
}

func (b button) action(block string) object {
	out := object{"type": "button", "action_id": b.ID, "block_id": block, "text": b.Text}
	if b.Value != "" {
		out["value"] = b.Value
	}
	if b.Style != "" {
		out["style"] = b.Style
	}
	return out
}
