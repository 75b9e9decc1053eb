package sandbox

import (
	"encoding/json"

	"teleport-plugins/lib/sandbox/discordapi"
)

// discordService presents the simulated Discord.
func discordService(api *discordapi.Server) service {
	return service{
		vendor: api, name: "discord",
		state: func(limit int) any { return discordState(api.Snapshot(limit)) },
		config: func() any {
			type section struct {
				Token  string            `toml:"token"`
				APIURL string            `toml:"api_url"`
				Users  map[string]string `toml:"users"`
			}
			users := make(map[string]string)
			for _, u := range discordapi.DefaultUsers() {
				users[u.Name+"@example.com"] = u.ID
			}
			return struct {
				Discord          section             `toml:"discord"`
				RoleToRecipients map[string][]string `toml:"role_to_recipients"`
			}{
				section{api.Token(), api.URL(), users},
				map[string][]string{
					"*":          {discordapi.AccessRequestsChannel},
					"prod-admin": {discordapi.AccessRequestsChannel, discordapi.SecurityChannel},
					"db-admin":   {discordapi.DBTeamChannel},
				},
			}
		},
	}
}

// discordRaw is what a reader needs to show a message as Discord does.
type discordRaw struct {
	Content    string          `json:"content,omitempty"`
	Embeds     json.RawMessage `json:"embeds,omitempty"`
	Components json.RawMessage `json:"components,omitempty"`
}

func discordState(st discordapi.State) Chat {
	names := make(map[string]string, len(st.Users))
	for _, u := range st.Users {
		names[u.ID] = u.GlobalName
	}
	out := Chat{Users: names, Channels: make([]Channel, 0, len(st.Channels))}
	at := make(map[string]int, len(st.Channels))
	for _, c := range st.Channels {
		if _, known := at[c.ParentID]; known && isThread(c.Type) {
			// A thread has the ID of the message that it belongs to.
			parent := &out.Channels[at[c.ParentID]]
			parent.Messages = append(parent.Messages, discordMessages(c, c.ID, names)...)
			continue
		}
		at[c.ID] = len(out.Channels)
		kind := "public"
		if c.Type == discordapi.DMChannel {
			kind = "dm"
		}
		out.Channels = append(out.Channels, Channel{
			ID: c.ID, Name: c.Name, Kind: kind, User: names[c.User], Messages: discordMessages(c, "", names),
		})
	}
	return out
}

func isThread(t discordapi.ChannelType) bool {
	return t == discordapi.PublicThread || t == discordapi.AnnouncementThread
}

func discordMessages(c discordapi.ChannelState, thread string, names map[string]string) []Message {
	out := make([]Message, 0, len(c.Messages))
	for _, m := range c.Messages {
		out = append(out, Message{
			ID: m.ID, Thread: thread, Author: names[m.Author], Created: m.Created, Text: m.Rendered.Text,
			Mentions: m.Mentions, Edited: m.Edits > 0, Deleted: m.Deleted,
			Raw: raw(discordRaw{m.Content, m.Embeds, m.Components}),
		})
	}
	return out
}
