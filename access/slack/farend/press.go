package farend

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/farend"
)

var _ farend.PressFaults = (*Workspace)(nil)

// buttons are the action_ids of the buttons, by verdict.
var buttons = map[string]string{"approve": "approve_button", "deny": "deny_button"}

// Review is the section [review] under which each member is the Teleport user with
// the same e-mail address.
func (w *Workspace) Review() map[string]any {
	users := make(map[string]any)
	for _, u := range w.Snapshot(1).Users {
		if u.Email != "" && u.Email != farend.Unknown {
			users[u.ID] = u.Email
		}
	}
	if w.hook != "" {
		return map[string]any{"enabled": true, "listen": w.hook, "signing_secret": signingSecret, "users": users}
	}
	return map[string]any{"enabled": true, "app_token": w.AppToken(), "users": users}
}

// Press has a person press a button of the announcement of a request and, if a
// dialog opens, give the reason there.
func (w *Workspace) Press(ctx context.Context, person, request, verdict, reason string) ([]string, error) {
	user := w.Person(person)
	before := w.mark(user)
	_, err := w.Try(ctx, farend.Press{Person: person, Request: request, Verdict: verdict, Reason: reason})
	if errors.Is(err, farend.ErrNoButton) {
		return nil, err
	}
	return w.since(user, before), err
}

// Try has a person press a button.
func (w *Workspace) Try(ctx context.Context, p farend.Press) (farend.Heard, error) {
	press, err := w.aim(p)
	if err != nil {
		return farend.Heard{}, err
	}
	before := w.mark(press.User)
	out, err := w.Server.Press(ctx, press)
	if errors.Is(err, slackapi.ErrNoButton) {
		err = fmt.Errorf("%w: %w", farend.ErrNoButton, err)
	}
	heard := farend.Heard{Acked: out.Acked, Again: func(ctx context.Context) error {
		_, err := w.Again(ctx, out, 1, "timeout")
		return err
	}}
	if err != nil {
		return heard, fmt.Errorf("pressing for %s: %w", p.Person, err)
	}
	if !out.Acked {
		return heard, nil
	}
	heard.Acked, err = w.answered(ctx, press.User, before, p.Reason, out)
	heard.Saw = w.said(press.User, before, out)
	if err != nil {
		return heard, fmt.Errorf("waiting for the answer to %s: %w", p.Person, err)
	}
	return heard, nil
}

// aim finds the button of a request that a person sees. On the announcement of another
// request the button is changed to name the one that is meant.
func (w *Workspace) aim(p farend.Press) (slackapi.Press, error) {
	user := w.Person(p.Person)
	if user == "" {
		return slackapi.Press{}, fmt.Errorf("%w: %q is nobody here", farend.ErrNoButton, p.Person)
	}
	on := p.On
	if on == "" {
		on = p.Request
	}
	press, err := w.button(user, on, p.Verdict, p.Stale)
	if on != p.Request {
		press.Change = func(event map[string]any) { action(event)["value"] = p.Request }
	}
	return press, err
}

// button finds the button of a request that a person sees.
func (w *Workspace) button(user, request, verdict string, old bool) (slackapi.Press, error) {
	p := slackapi.Press{User: user, Action: buttons[verdict], Value: request, Anyway: w.outsiders[user], Old: old}
	if p.Action == "" {
		return p, errors.New("no such verdict")
	}
	for _, ch := range w.Snapshot(0).Channels {
		for _, m := range ch.Messages {
			p.Channel, p.TS = ch.ID, m.TS
			there := p.Old || strings.Contains(string(m.Blocks), p.Value)
			if there && w.Sees(p) {
				return p, nil
			}
		}
	}
	return p, fmt.Errorf("%w: %w: %s of request %s", farend.ErrNoButton, slackapi.ErrNoButton, p.Action, p.Value)
}

// answered waits until a person has seen an answer, and fills in the dialog that
// opens before it, which is to be acknowledged as well.
func (w *Workspace) answered(ctx context.Context, user string, before mark, reason string, out slackapi.Outcome) (acked bool, err error) {
	var opened slackapi.View
	heard := func() bool { return len(w.said(user, before, out)) > 0 }
	err = w.Wait(ctx, func() bool {
		view, open := w.Opened(out.Trigger)
		opened = view
		return open || heard()
	})
	if err != nil || opened.ID == "" {
		return true, err
	}
	values := make(map[string]string, len(opened.Inputs))
	for _, in := range opened.Inputs {
		values[in.Block] = reason
	}
	sent, err := w.Submit(ctx, slackapi.Submission{User: user, View: opened.ID, Values: values})
	if err != nil || !sent.Acked {
		w.Dismiss(opened.ID)
		return sent.Acked, err
	}
	return true, w.Wait(ctx, heard)
}

// mark is a moment: how much a person alone had seen, how much of it by addresses for
// answers, and the newest message in their conversation with the bot.
type mark struct {
	saw, replied int
	ts           string
}

func (w *Workspace) mark(user string) mark {
	m := mark{replied: w.Replied(user)} // before the rest: what comes between is then no other way's
	m.saw = len(w.Saw(user))
	if list := w.Messages(user); len(list) > 0 {
		m.ts = list[len(list)-1].TS
	}
	return m
}

// said is what a person alone was told about one press. What came by no address for
// answers is taken for an answer to it, wherever it came from.
func (w *Workspace) said(user string, from mark, out slackapi.Outcome) []string {
	if texts := w.Replies(out.ResponseURL); len(texts) > 0 {
		return texts
	}
	if texts := w.since(user, from); len(texts) > w.Replied(user)-from.replied {
		return texts
	}
	return nil
}

// since is what a person alone has seen from a moment on, what the bot wrote to them
// included. Announcements, notices and replies are none of that: an answer is text alone.
func (w *Workspace) since(user string, from mark) []string {
	texts := w.Saw(user)[from.saw:]
	for _, m := range w.Messages(user) {
		if m.TS > from.ts && m.ThreadTS == "" && m.EphemeralTo == "" && m.Author != user && len(m.Blocks) == 0 {
			texts = append(texts, m.Rendered.Text)
		}
	}
	return texts
}
