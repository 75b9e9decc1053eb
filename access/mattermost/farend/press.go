package farend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/farend"
)

var _ farend.PressFaults = (*Mattermost)(nil)

// secret is the plugin's own.
const secret = "a secret that no other plugin has"

// integrationTime is how long the server waits for a plugin's answer.
const integrationTime = 30 * time.Second

// triggerTime is how long a dialog may be opened after a press.
const triggerTime = 3 * time.Second

// failed is what a person sees where the plugin has not answered.
const failed = "Mattermost: the integration did not respond"

// trigger is what a press gives a plugin to open a dialog with.
type trigger struct {
	user, channel string
	made          time.Time
	dialog        map[string]any // that was opened
	url           string
}

// Review is the section [review] under which each account is the Teleport user with the
// same e-mail address.
func (m *Mattermost) Review() map[string]any {
	users := make(map[string]any)
	m.Look(func() {
		for _, a := range m.w.accounts {
			if !a.bot && a.email != farend.Unknown {
				users[a.id] = a.email
			}
		}
	})
	return map[string]any{"enabled": true, "listen": m.hook, "url": "http://" + m.hook + "/press", "secret": secret, "users": users}
}

// Press has a person press a button of the announcement of a request.
func (m *Mattermost) Press(ctx context.Context, person, request, verdict, reason string) ([]string, error) {
	heard, err := m.Try(ctx, farend.Press{Person: person, Request: request, Verdict: verdict, Reason: reason})
	if err == nil && !heard.Acked {
		return []string{failed}, nil
	}
	return heard.Saw, err
}

// Try has a person press a button, and send off the dialog that opens.
func (m *Mattermost) Try(ctx context.Context, p farend.Press) (heard farend.Heard, err error) {
	event, address, err := m.pressed(p)
	if err != nil {
		return heard, err
	}
	heard.Again = func(ctx context.Context) error {
		_, _, err := m.call(ctx, address, event)
		return err
	}
	got, acked, err := m.call(ctx, address, event)
	if heard.Acked = acked; err != nil || !acked {
		return heard, err
	}
	id, _ := event["trigger_id"].(string)
	var t trigger
	m.Look(func() { t = m.w.triggers[id] })
	if t.dialog == nil {
		heard.Saw = said(got.Only)
		return heard, nil
	}
	return m.sendOff(ctx, t, p.Reason, heard)
}

// sendOff fills in a dialog and sends it off.
func (m *Mattermost) sendOff(ctx context.Context, t trigger, reason string, heard farend.Heard) (farend.Heard, error) {
	direct, from := m.directPosts(t.user)
	got, acked, err := m.call(ctx, t.url, submission(t, t.user, reason))
	if heard.Acked = acked; err != nil || !acked {
		return heard, err
	}
	heard.Saw = said(got.Fault, got.Faults["reason"])
	m.Look(func() {
		for _, e := range direct.posts[from:] {
			if e.props["teleport_access_request"] == nil {
				heard.Saw = append(heard.Saw, m.w.rendered(e).Text)
			}
		}
	})
	return heard, nil
}

// submission is what the server sends when a person sends a dialog off.
func submission(t trigger, user, reason string) map[string]any {
	return map[string]any{
		"type": "dialog_submission", "callback_id": t.dialog["callback_id"], "state": t.dialog["state"], "user_id": user,
		"channel_id": t.channel, "team_id": "", "submission": map[string]any{"reason": reason}, "cancelled": false,
	}
}

// directPosts is the conversation of the bot with a person, and how much stands there.
func (m *Mattermost) directPosts(user string) (s *space, n int) {
	m.Look(func() {
		s = m.w.direct(m.w.bot.id, user)
		n = len(s.posts)
	})
	return s, n
}

func said(texts ...string) (all []string) {
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// pressed makes the event of a press. On the announcement of another request it has the
// context of the button that it is copied from.
func (m *Mattermost) pressed(p farend.Press) (event map[string]any, address string, err error) {
	m.Change(func() {
		who := find(m.w.accounts, func(a *account) bool { return a != m.w.bot && a.email == p.Person })
		if who == nil {
			err = fmt.Errorf("%w: %q is nobody here", farend.ErrNoButton, p.Person)
			return
		}
		in, e, b := m.w.button(who, p.Request, p.Verdict)
		if p.On != "" && e != nil {
			in, e, _ = m.w.button(who, p.On, p.Verdict)
		}
		if e == nil {
			err = fmt.Errorf("%w: %s of request %s", farend.ErrNoButton, p.Verdict, p.Request)
			return
		}
		id := m.w.id()
		m.w.triggers[id] = trigger{user: who.id, channel: in.id, made: m.Now()}
		address, event = b.url, map[string]any{
			"user_id": who.id, "user_name": who.name, "channel_id": in.id, "channel_name": in.name, "team_id": in.team, "team_domain": teamName,
			"post_id": e.id, "trigger_id": id, "type": "button", "data_source": "", "context": b.context,
		}
	})
	return event, address, err
}

// button finds the newest button of a request that a person sees. The server looks for
// it by its id, which is of letters and digits alone.
func (w *world) button(who *account, request, verdict string) (*space, *entry, button) {
	if strings.Trim(verdict, "abcdefghijklmnopqrstuvwxyz") != "" {
		return nil, nil, button{}
	}
	for _, s := range w.spaces {
		for _, e := range s.posts {
			id := idLine.FindStringSubmatch(e.message)
			if e.deleted != 0 || !s.members[who.id] || id == nil || id[1] != request {
				continue
			}
			for _, b := range e.buttons() {
				if b.id == verdict {
					return s, e, b
				}
			}
		}
	}
	return nil, nil, button{}
}

// answered is what a plugin answers.
type answered struct {
	Only   string            `json:"ephemeral_text"`
	Fault  string            `json:"error"`
	Faults map[string]string `json:"errors"`
}

// call calls a plugin as the server does. Any answer but 200 with JSON is a failure,
// and so is none; the error is that of the context.
func (m *Mattermost) call(ctx context.Context, address string, event map[string]any) (got answered, acked bool, err error) {
	if m.away.Load() {
		return got, false, nil
	}
	body, err := json.Marshal(event)
	if err != nil {
		return got, false, fmt.Errorf("writing an event: %w", err)
	}
	inTime, cancel := context.WithTimeout(ctx, integrationTime)
	defer cancel()
	r, err := http.NewRequestWithContext(inTime, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return got, false, fmt.Errorf("calling the plugin: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Mattermost-Bot/1.1")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return got, false, fmt.Errorf("waiting for the plugin: %w", ctx.Err())
		}
		return got, false, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	acked = err == nil && resp.StatusCode == http.StatusOK && json.Unmarshal(raw, &got) == nil
	return got, acked, nil
}

// openDialog takes a trigger for three seconds, and asks nobody who calls.
func (m *Mattermost) openDialog(_ *apiserver.Call, body any) (any, *problem) {
	sent, _ := body.(map[string]any)
	id, _ := sent["trigger_id"].(string)
	url, _ := sent["url"].(string)
	dialog, _ := sent["dialog"].(map[string]any)
	t, known := m.w.triggers[id]
	switch {
	case !known || m.Now().Sub(t.made) > triggerTime:
		return nil, noTrigger
	case url == "" || validDialog(dialog) != nil:
		return nil, badBody
	}
	t.dialog, t.url = dialog, url
	m.w.triggers[id] = t
	return map[string]string{"status": "OK"}, nil
}

// validDialog looks for what the server demands of a dialog.
func validDialog(d map[string]any) error {
	title, _ := d["title"].(string)
	elements, _ := d["elements"].([]any)
	if title == "" || len(title) > 24 || len(elements) > 5 {
		return errors.New("the title or the number of elements")
	}
	for _, one := range elements {
		e, _ := one.(map[string]any)
		label, _ := e["display_name"].(string)
		name, _ := e["name"].(string)
		most, _ := e["max_length"].(float64)
		if label == "" || len(label) > 24 || name == "" || e["type"] != "text" && e["type"] != "textarea" || most > 3000 {
			return errors.New("an element")
		}
	}
	return nil
}
