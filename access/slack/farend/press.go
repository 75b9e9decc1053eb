package farend

import (
	"context"
	"fmt"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/farend"
)

var _ farend.Presser = (*Workspace)(nil)

// buttons are the action_ids of the buttons, by verdict.
var buttons = map[string]string{"approve": "approve_button", "deny": "deny_button"}

// Review is the section [review] under which each member is the Teleport user with
// the same e-mail address.
func (w *Workspace) Review() map[string]any {
	users := make(map[string]any)
	for _, u := range w.Snapshot(1).Users {
		if u.Email != "" {
			users[u.ID] = u.Email
		}
	}
	return map[string]any{"enabled": true, "app_token": w.AppToken(), "users": users}
}

// Press has a person press a button of the announcement of a request and, if a
// dialog opens, give the reason there.
func (w *Workspace) Press(ctx context.Context, person, request, verdict, reason string) ([]string, error) {
	user := w.Person(person)
	if user == "" {
		return nil, fmt.Errorf("%q is nobody here", person)
	}
	press, err := w.button(user, request, verdict)
	if err != nil {
		return nil, err
	}
	before := w.mark(user)
	out, err := w.Server.Press(ctx, press)
	if err != nil {
		return nil, fmt.Errorf("pressing for %s: %w", person, err)
	}
	if out.Acked {
		err = w.answered(ctx, user, before, reason)
	}
	if err != nil {
		return w.since(user, before), fmt.Errorf("waiting for the answer to %s: %w", person, err)
	}
	return w.since(user, before), nil
}

// button finds the button of a request that a person sees.
func (w *Workspace) button(user, request, verdict string) (slackapi.Press, error) {
	p := slackapi.Press{User: user, Action: buttons[verdict], Value: request}
	if p.Action == "" {
		return p, fmt.Errorf("%q is no verdict", verdict)
	}
	for _, ch := range w.Snapshot(0).Channels {
		for _, m := range ch.Messages {
			p.Channel, p.TS = ch.ID, m.TS
			if w.Sees(p) {
				return p, nil
			}
		}
	}
	return p, fmt.Errorf("%w: %s of request %s", slackapi.ErrNoButton, verdict, request)
}

// answered waits until a person has seen an answer, and fills in the dialog that
// opens before it.
func (w *Workspace) answered(ctx context.Context, user string, before mark, reason string) error {
	var opened slackapi.View
	heard := func() bool { return len(w.since(user, before)) > 0 }
	err := w.Wait(ctx, func() bool {
		if view, open := w.Modal(user); open && view.ID != before.view {
			opened = view
		}
		return opened.ID != "" || heard()
	})
	if err != nil || opened.ID == "" {
		return err
	}
	values := make(map[string]string, len(opened.Inputs))
	for _, in := range opened.Inputs {
		values[in.Block] = reason
	}
	if _, err := w.Submit(ctx, slackapi.Submission{User: user, View: opened.ID, Values: values}); err != nil {
		return err
	}
	return w.Wait(ctx, heard)
}

// mark is a moment: how much a person alone had seen, the newest message in their
// conversation with the bot, and the dialog that was open.
type mark struct {
	saw  int
	ts   string
	view string
}

func (w *Workspace) mark(user string) mark {
	m := mark{saw: len(w.Saw(user))}
	if list := w.Messages(user); len(list) > 0 {
		m.ts = list[len(list)-1].TS
	}
	if view, open := w.Modal(user); open {
		m.view = view.ID
	}
	return m
}

// since is what a person alone has seen from a moment on, what the bot wrote to them
// included. New announcements and replies are none of that.
func (w *Workspace) since(user string, from mark) []string {
	texts := w.Saw(user)[from.saw:]
	for _, m := range w.Messages(user) {
		if m.TS > from.ts && m.ThreadTS == "" && m.EphemeralTo == "" && m.Author != user && len(m.Rendered.Buttons) == 0 {
			texts = append(texts, m.Rendered.Text)
		}
	}
	return texts
}
