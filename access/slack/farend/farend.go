// Package farend provides the simulated Slack to all that tries plugins.
package farend

import (
	"fmt"
	"slices"
	"strings"

	"teleport-plugins/access/slack"
	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// Service describes Slack.
func Service() farend.Service {
	return farend.Service{
		Integration: slack.Integration(),
		Simulate:    func(o farend.Options) farend.FarEnd { return New(o) },
		Methods:     farend.Methods{Post: "chat.postMessage", Edit: "chat.update", Find: "conversations.history"},
		Refusals:    []string{"is_archived", "not_in_channel", "channel_not_found", "restricted_action"},
		CanBlind:    true, CanHook: true,
		SetUps: setUps,
		Accent: "#8d3a90", Side: "#43143f",
	}
}

// Workspace is a simulated workspace.
type Workspace struct {
	*slackapi.Server
	farend.Tokens
	places []string
	people []slackapi.User
	// hook is where presses are delivered by HTTP, if they are.
	hook  string
	hooks bool
	// outsiders are accounts whose clients do not know that they may not press.
	outsiders map[string]bool
}

// New makes a workspace that does not serve yet.
func New(o farend.Options) *Workspace {
	api := slackapi.Options{Options: apiserver.Options{KeepRequests: o.KeepCalls}, Channels: slackapi.DefaultChannels(), Scopes: slackapi.DefaultScopes()}
	w := &Workspace{
		hooks: o.Hook, outsiders: make(map[string]bool),
		places: []string{"access-requests", "security", "db-team"}, people: slackapi.DefaultUsers(),
	}
	for i := range o.Places {
		name := fmt.Sprintf("team-%03d", i)
		api.Channels = append(api.Channels, slackapi.Channel{Name: name})
		w.places = append(w.places, name)
	}
	if o.Outsiders {
		w.people = append(w.people, outsiders()...)
		for _, u := range w.people {
			api.Channels[0].Members = append(api.Channels[0].Members, u.ID)
		}
	}
	api.Users = w.people
	if o.Blind {
		api.Scopes = slices.DeleteFunc(api.Scopes, func(scope string) bool { return strings.HasSuffix(scope, ":history") })
	}
	w.Server = slackapi.New(api)
	w.Tokens = farend.Tokens{
		Valid: w.Server.Token(), Next: "xoxb-renewed-token",
		Allow: func(token string) { w.SetScopes(token, api.Scopes...) },
		Deny:  func(token string) { w.Server.RefuseToken(token, "token_revoked") },
	}
	return w
}

// Start listens and serves until Close.
func (w *Workspace) Start() error {
	if w.hooks && w.hook == "" {
		if err := w.hooked(); err != nil {
			return err
		}
	}
	return w.Server.Start()
}

// outsiders are those who may not decide anything. The guest sees the first channel
// only.
func outsiders() []slackapi.User {
	return []slackapi.User{
		{ID: "U0OUTSIDE01", Name: "guest", Email: farend.Guest, Restricted: true},
		{ID: "U0OUTSIDE02", Name: "unknown", Email: farend.Unknown},
		{ID: "U0OUTSIDE03", Name: "former", Email: farend.Former},
	}
}

// Config is the section [slack].
func (w *Workspace) Config() map[string]any {
	return map[string]any{"slack": map[string]any{"token": w.Token(), "api_url": w.URL()}}
}

// Token is the bot's token.
func (w *Workspace) Token() string { return w.Tokens.Token() }

// RefuseToken makes Slack revoke the token, or accept it again.
func (w *Workspace) RefuseToken(on bool) { w.Tokens.RefuseToken(on) }

// Places are channels that the bot is in.
func (w *Workspace) Places() []string { return w.places }

// Place is the ID of a channel or of a direct message.
func (w *Workspace) Place(name string) string {
	if ch, ok := w.Channel(name); ok {
		return ch.ID
	}
	return name
}

// Person is the member with the user's e-mail address.
func (w *Workspace) Person(user string) string {
	for _, u := range w.people {
		if strings.EqualFold(u.Email, user) {
			return u.ID
		}
	}
	return ""
}

// Threads holds everywhere.
func (w *Workspace) Threads(string) bool { return true }

// Panel is the workspace as people see it.
func (w *Workspace) Panel(limit int) panel.Panel {
	st := w.Snapshot(limit)
	out := panel.Panel{People: make(map[string]string, len(st.Users))}
	for _, u := range st.Users {
		out.People[u.ID] = u.RealName
	}
	for _, c := range st.Channels {
		ch := panel.Channel{ID: c.ID, Name: c.Name, Kind: string(c.Kind), User: out.People[c.User], Messages: []panel.Message{}}
		for _, m := range c.Messages {
			if m.EphemeralTo != "" {
				continue // One person alone sees it: Saw shows it.
			}
			shown := panel.Message{
				ID: m.TS, Thread: m.ThreadTS, Author: out.People[m.Author], Created: m.Created,
				Text: m.Rendered.Text, Body: m.Rendered.Body, Mentions: m.Rendered.Mentions, Edited: m.Edits > 0, Deleted: m.Deleted,
			}
			shown.Read(m.Rendered.Text)
			ch.Messages = append(ch.Messages, shown)
		}
		out.Channels = append(out.Channels, ch)
	}
	return out
}

// Remove removes a message.
func (w *Workspace) Remove(place, id string) error { return w.DeleteMessage(place, id) }

// Adopt posts messages as Teleport's own plugin would.
func (w *Workspace) Adopt(place, _, text string, n int) (map[string]string, error) {
	return farend.Adopt(place, n, func() (string, error) {
		return w.PostAs(w.Snapshot(1).BotUser, place, text, "")
	})
}
