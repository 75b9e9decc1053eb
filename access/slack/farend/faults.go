package farend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// signingSecret is that of the app, for presses by HTTP.
const signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// hooked has presses delivered by HTTP, to an address that is free now.
func (w *Workspace) hooked() error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("looking for a free address: %w", err)
	}
	w.hook = free.Addr().String()
	w.SendTo("http://"+w.hook+"/slack", signingSecret)
	if err := free.Close(); err != nil {
		return fmt.Errorf("looking for a free address: %w", err)
	}
	return nil
}

// Connected counts the sockets to which presses go or, where presses come by HTTP, whether somebody listens.
func (w *Workspace) Connected() (now, ever int) {
	if w.hook == "" {
		s := w.Sockets()
		return s.Open - s.Ghosts, s.Greeted
	}
	conn, err := net.DialTimeout("tcp", w.hook, time.Second)
	if err != nil {
		return 0, 0
	}
	_ = conn.Close()
	return 1, 1
}

// accounts are what accounts can be that decide nothing.
var accounts = map[string]func(*slackapi.User){
	"a guest":                       func(u *slackapi.User) { u.Restricted = true },
	"a bot":                         func(u *slackapi.User) { u.Bot = true },
	"a deactivated user":            func(u *slackapi.User) { u.Deleted = true },
	"somebody of another workspace": func(u *slackapi.User) { u.Team = "T0ELSEWHERE" },
}

// Standings are what accounts can be that decide nothing.
func (w *Workspace) Standings() []string { return slices.Sorted(maps.Keys(accounts)) }

// Become changes an account. It can press as if its client had not heard of that.
func (w *Workspace) Become(person, standing string) error {
	change, id := accounts[standing], w.Person(person)
	for _, u := range w.Snapshot(1).Users {
		if u.ID == id && change != nil {
			change(&u)
			w.AddUser(u)
			w.outsiders[id] = true
			return nil
		}
	}
	return fmt.Errorf("%q is nobody here, or cannot be %s", person, standing)
}

// usualLife is more than what a connection lives that is asked for again at once; Slack's
// own live for hours.
const usualLife = 6 * time.Second

// Disturbances are those of Socket Mode; by HTTP there is no connection.
func (w *Workspace) Disturbances() []farend.Disturbance {
	return []farend.Disturbance{
		{Name: "the connection is cut", Begin: w.CutSockets, Loses: true, Within: 3 * time.Second},
		{Name: "the connection is closed", Begin: func() { w.CloseSockets(1001) }, Loses: true, Within: 3 * time.Second},
		{
			Name: "a new connection is asked for", Begin: func() { w.Disconnect(slackapi.RefreshRequested) },
			After: usualLife, Loses: true, Within: time.Second,
		},
		{
			Name: "Slack warns that it ends the connection", Begin: func() { w.Disconnect(slackapi.Warning) },
			After: usualLife, Within: time.Second,
		},
		{
			Name: "Socket Mode is off for a second (link_disabled)", Loses: true, Within: 30 * time.Second, Says: "switch it on",
			Begin: func() { w.SwitchSocketMode(false) }, End: func() { w.SwitchSocketMode(true) }, For: time.Second,
		},
		w.closed(),
		{Name: "the connection is half-open", Begin: w.Freeze, Loses: true, Within: 40 * time.Second, Slow: true},
	}
}

// closed lets no socket be opened for a while, and cuts those that are there.
func (w *Workspace) closed() farend.Disturbance {
	accept := func() {}
	return farend.Disturbance{
		Name: "no connection can be opened for two seconds", Loses: true, Within: 5 * time.Second, For: 2 * time.Second,
		Begin: func() {
			accept = w.Faults().Add(fault.Fault{Method: slackapi.Socket, Effect: fault.Status, HTTPStatus: http.StatusServiceUnavailable})
			w.CutSockets()
		},
		End: func() { accept() },
	}
}

// action is the button in the event of a press.
func action(event map[string]any) map[string]any {
	return event["actions"].([]any)[0].(map[string]any)
}

// changes are what events of presses can be changed to that no button makes.
var changes = map[string]func(event map[string]any){
	"a message that the plugin did not post": func(e map[string]any) { container(e)["message_ts"] = "1700000000.000001" },
	"the message in another channel":         func(e map[string]any) { container(e)["channel_id"] = "C0SANDBOX04" },
	"no message":                             func(e map[string]any) { delete(e, "container") },
	"a request that there is none":           func(e map[string]any) { action(e)["value"] = "0196fa32-0000-7000-8000-000000000000" },
	"no request":                             func(e map[string]any) { delete(action(e), "value") },
	"a verdict that there is none":           func(e map[string]any) { action(e)["action_id"] = "promote_button" },
	"two buttons at once":                    func(e map[string]any) { e["actions"] = []any{action(e), action(e)} },
	"nobody":                                 func(e map[string]any) { delete(e, "user") },
	"a person whom Slack does not know":      func(e map[string]any) { e["user"] = map[string]any{"id": "U0NOBODY001"} },
	"a dialog that was opened for another person": func(e map[string]any) {
		memory, _ := json.Marshal(map[string]any{ // texts alone
			"request": action(e)["value"], "channel": container(e)["channel_id"], "message": container(e)["message_ts"],
			"verdict": "APPROVED", "person": "U0SANDBOX01",
		})
		value := map[string]any{"reason": map[string]any{"reason_input": map[string]any{"value": "because"}}}
		e["type"] = "view_submission"
		e["view"] = map[string]any{
			"id": "V0FORGED001", "callback_id": "teleport_review", "private_metadata": string(memory),
			"state": map[string]any{"values": value},
		}
	},
	"nothing that can be read": func(e map[string]any) { e["actions"] = "press" },
}

func container(event map[string]any) map[string]any {
	c, _ := event["container"].(map[string]any)
	return c
}

// Forgeries are events with a part that no button makes and, by HTTP, calls that Slack
// has not signed.
func (w *Workspace) Forgeries() (all []farend.Forgery) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		all = append(all, farend.Forgery{Name: name, Send: func(ctx context.Context, p farend.Press) error {
			press, err := w.aim(p)
			if err != nil {
				return err
			}
			press.Change = changes[name]
			out, err := w.Prepare(press)
			if err == nil {
				_, err = w.Deliver(ctx, press.User, out.Payload)
			}
			return err
		}})
	}
	if w.hook == "" {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(signatures)) {
		all = append(all, farend.Forgery{Name: name, Send: func(ctx context.Context, p farend.Press) error {
			return w.unsigned(ctx, p, signatures[name])
		}})
	}
	return all
}

// signature is one that Slack would not make.
type signature struct {
	age  time.Duration
	sign func(stamp string, body []byte) string
}

var signatures = map[string]signature{
	"a call without a signature": {sign: func(string, []byte) string { return "" }},
	"a forged signature":         {sign: func(stamp string, body []byte) string { return slackapi.Sign("a guess", stamp, body) }},
	"a signature made with an empty secret": {sign: func(stamp string, body []byte) string {
		return slackapi.Sign("", stamp, body)
	}},
	"a signature of another call": {sign: func(stamp string, _ []byte) string {
		return slackapi.Sign(signingSecret, stamp, []byte("payload=%7B%7D"))
	}},
	"a call that was recorded six minutes ago": {age: 6 * time.Minute, sign: func(stamp string, body []byte) string {
		return slackapi.Sign(signingSecret, stamp, body)
	}},
	"a call that is dated in six minutes": {age: -6 * time.Minute, sign: func(stamp string, body []byte) string {
		return slackapi.Sign(signingSecret, stamp, body)
	}},
}

// unsigned calls the plugin with the event of a press that is in order, and a signature
// that is not.
func (w *Workspace) unsigned(ctx context.Context, p farend.Press, s signature) error {
	press, err := w.aim(p)
	if err != nil {
		return err
	}
	out, err := w.Prepare(press)
	if err != nil {
		return err
	}
	status, err := w.Call(ctx, out.Payload, time.Now().Add(-s.age), s.sign)
	if err == nil && status != http.StatusUnauthorized {
		err = errors.New("the call was answered " + http.StatusText(status))
	}
	return err
}
