package sandbox

import (
	"encoding/json"

	"teleport-plugins/lib/sandbox/slackapi"
)

// slackService presents the simulated Slack.
func slackService(api *slackapi.Server) service {
	return service{
		vendor: api, name: "slack",
		state: func(limit int) any { return slackState(api.Snapshot(limit)) },
		config: func() any {
			type section struct {
				Token  string `toml:"token"`
				APIURL string `toml:"api_url"`
			}
			return struct {
				Slack            section             `toml:"slack"`
				RoleToRecipients map[string][]string `toml:"role_to_recipients"`
			}{
				section{api.Token(), api.URL()},
				map[string][]string{
					"*":          {"access-requests"},
					"prod-admin": {"access-requests", "security"},
					"db-admin":   {"db-team", "carol@example.com"},
				},
			}
		},
	}
}

// slackRaw is what a reader needs to show a message as Slack does.
type slackRaw struct {
	Text     string          `json:"text,omitempty"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
}

func slackState(st slackapi.State) Chat {
	names := make(map[string]string, len(st.Users))
	for _, u := range st.Users {
		names[u.ID] = u.RealName
	}
	out := Chat{Users: names, Channels: make([]Channel, 0, len(st.Channels))}
	for _, c := range st.Channels {
		ch := Channel{ID: c.ID, Name: c.Name, Kind: string(c.Kind), User: names[c.User], Messages: make([]Message, 0, len(c.Messages))}
		for _, m := range c.Messages {
			ch.Messages = append(ch.Messages, Message{
				ID: m.TS, Thread: m.ThreadTS, Author: names[m.Author], Created: slackTime(m.TS), Text: m.Rendered.Text,
				Mentions: m.Rendered.Mentions, Edited: m.Edits > 0, Deleted: m.Deleted,
				Raw: raw(slackRaw{m.Text, m.Blocks, m.Metadata}),
			})
		}
		out.Channels = append(out.Channels, ch)
	}
	return out
}
