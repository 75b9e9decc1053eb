package farend

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/farend"
)

// Connected counts sessions with a connection, and attempts to begin or to go on with
// one.
func (g *Guild) Connected() (now, ever int) {
	n := g.Gateway()
	return n.Connected, n.Identifies + n.Resumes
}

// bot is what an account can be that decides nothing. Discord has no guests, and a
// deactivated account presses nothing.
const bot = "a bot"

// Standings are what accounts can be that decide nothing.
func (g *Guild) Standings() []string { return []string{bot} }

// Become changes an account.
func (g *Guild) Become(person, standing string) error {
	id := users()[person]
	for _, u := range g.Snapshot(1).Users {
		if u.ID == id && standing == bot {
			u.Bot = true
			g.AddUser(u)
			return nil
		}
	}
	return fmt.Errorf("%q is nobody on Discord, or cannot be %s", person, standing)
}

// Disturbances are those of the gateway. It keeps what is pressed meanwhile for a
// session that may go on, and sends it then.
func (g *Guild) Disturbances() []farend.Disturbance {
	return []farend.Disturbance{
		{Name: "the connection is cut", Begin: g.CutGateway, Within: 3 * time.Second},
		{Name: "the connection is closed", Begin: func() { g.CloseGateway(discordapi.CloseUnknownOp - 1) }, Within: 3 * time.Second},
		{Name: "a new connection is asked for", Begin: g.AskReconnect, Within: 3 * time.Second},
		{Name: "the session is not valid, and may go on", Begin: func() { g.InvalidateSessions(true) }, Loses: true, Within: 7 * time.Second},
		{Name: "the session is not valid any more", Begin: func() { g.InvalidateSessions(false) }, Loses: true, Within: 7 * time.Second},
		{
			Name: "no connection can be opened for two seconds", Loses: true, Within: 15 * time.Second, For: 2 * time.Second,
			Begin: func() { g.SilenceGateway("dial"); g.CutGateway() }, End: func() { g.SilenceGateway("") },
		},
		{Name: "the session has timed out", Begin: func() { g.CloseGateway(discordapi.CloseTimedOut) }, Loses: true, Within: 3 * time.Second},
	}
}

// data is what the event of a press says of the button.
func data(event map[string]any) map[string]any { return event["data"].(map[string]any) }

// changes are what events of presses can be changed to that no button makes.
var changes = map[string]discordapi.Change{
	"of another application": func(e map[string]any) { e["application_id"] = "1000000000000000099" },
	"in a server to which the application was not added": func(e map[string]any) {
		e["authorizing_integration_owners"] = map[string]any{"1": discordapi.BobID}
	},
	"a message that the plugin did not post": func(e map[string]any) { message(e)["id"] = "1300000000000000001" },
	"the message in another channel": func(e map[string]any) {
		e["channel_id"], message(e)["channel_id"] = discordapi.HiddenChannel, discordapi.HiddenChannel
	},
	"the message in two channels":  func(e map[string]any) { message(e)["channel_id"] = discordapi.HiddenChannel },
	"no message":                   func(e map[string]any) { delete(e, "message") },
	"a request that there is none": func(e map[string]any) { data(e)["custom_id"] = "approve:0196fa32-0000-7000-8000-000000000000" },
	"no request":                   func(e map[string]any) { data(e)["custom_id"] = "approve:" },
	"a verdict that there is none": func(e map[string]any) { data(e)["custom_id"] = "promote:" + discordapi.BobID },
	"nobody":                       func(e map[string]any) { delete(e, "member"); delete(e, "user") },
	"a person whom Discord does not know": func(e map[string]any) {
		e["member"] = map[string]any{"user": map[string]any{"id": "1299999999999999999", "username": "nobody"}}
	},
	"nothing that can be read": func(e map[string]any) { e["data"] = "press" },
}

func message(event map[string]any) map[string]any { return event["message"].(map[string]any) }

// Forgeries are events with a part that no button makes.
func (g *Guild) Forgeries() (all []farend.Forgery) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		all = append(all, farend.Forgery{Name: name, Send: func(_ context.Context, p farend.Press) error {
			_, err := g.pressed(p, changes[name])
			return err
		}})
	}
	return append(all, farend.Forgery{Name: "a dialog that was opened for another person", Send: g.stolenDialog})
}

// stolenDialog sends the dialog off that a person has opened, as another person.
func (g *Guild) stolenDialog(ctx context.Context, p farend.Press) error {
	p.Verdict = "deny" // which asks for a reason, where anything does
	opened, err := g.pressed(p)
	if err != nil {
		return err
	}
	i, err := g.settled(ctx, opened)
	switch {
	case err != nil:
		return err
	case i.Modal == nil:
		return errors.New("the plugin has asked for no reason")
	}
	_, err = g.Submit(discordapi.CarolID, opened, "because")
	return err
}
