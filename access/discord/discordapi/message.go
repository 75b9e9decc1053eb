package discordapi

import (
	"encoding/json"
	"slices"
	"time"

	"teleport-plugins/lib/sandbox/panel"
)

// message is one version of a message; it is not changed once others can see it.
type message struct {
	Message
	id uint64
}

// written makes a message of what it holds.
func (m message) written() *message {
	m.ID, m.Created = formatID(m.id), timeOf(m.id)
	m.Rendered = Render(m.Content, m.Embeds, m.Components)
	return &m
}

// Message is a message as a reader of the state sees it.
type Message struct {
	ID string `json:"id"`
	// Author is a user ID.
	Author string `json:"author"`
	// Created is when it was posted, Edited when it was changed last.
	Created time.Time `json:"created"`
	Edited  time.Time `json:"edited,omitzero"`
	// Content, Embeds and Components are what the message holds now.
	Content    string          `json:"content,omitempty"`
	Embeds     json.RawMessage `json:"embeds,omitempty"`
	Components json.RawMessage `json:"components,omitempty"`
	// Stripped says that embeds were sent and dropped for want of a permission.
	Stripped bool `json:"stripped,omitempty"`
	// Payload is the body of the call that posted or changed it last.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Answers is the ID of the message of the channel that it answers, or empty.
	Answers string `json:"answers,omitempty"`
	// Nonce is that of the call that posted it.
	Nonce string `json:"nonce,omitempty"`
	// Edits is how often the message was changed.
	Edits int `json:"edits,omitempty"`
	// Deleted messages stay in the state, though no call finds them.
	Deleted bool `json:"deleted,omitempty"`
	// Mentions are those who were pinged: everyone, here, or the ID of a user
	// or role.
	Mentions []string `json:"mentions,omitempty"`
	// Rendered is what a reader sees.
	Rendered panel.Rendered `json:"-"`
}

// body is m as the API tells it. The lock is held.
func (w *world) body(ch *channel, m *message) map[string]any {
	out := map[string]any{
		"id": formatID(m.id), "channel_id": ch.ID, "type": 0, "content": m.Content, "author": w.userBody(m.Author),
		"timestamp": timeOf(m.id).Format(time.RFC3339Nano), "edited_timestamp": nil, "tts": false, "pinned": false,
		"mention_everyone": slices.Contains(m.Mentions, "everyone"), "mentions": []any{}, "mention_roles": []any{},
		"attachments": []any{}, "embeds": orEmpty(m.Embeds), "components": orEmpty(m.Components), "flags": 0,
	}
	if m.Answers != "" {
		out["type"], out["message_reference"] = 19, map[string]any{"type": 0, "message_id": m.Answers, "channel_id": ch.ID}
	}
	if !m.Edited.IsZero() {
		out["edited_timestamp"] = m.Edited.UTC().Format(time.RFC3339Nano)
	}
	if thread, ok := w.channels[formatID(m.id)]; ok {
		out["thread"], out["flags"] = w.channelBody(thread), 1<<5
	}
	return out
}

func orEmpty(list json.RawMessage) json.RawMessage {
	if list == nil {
		return json.RawMessage("[]")
	}
	return list
}

func (w *world) userBody(id string) map[string]any {
	u := w.users[id]
	if u == nil {
		u = &User{ID: id, Name: "deleted-user", GlobalName: "Deleted User"}
	}
	out := map[string]any{
		"id": u.ID, "username": u.Name, "global_name": u.GlobalName, "discriminator": "0", "avatar": nil,
		"public_flags": 0, "flags": 0,
	}
	if id == w.botID || u.Bot {
		out["bot"] = true
	}
	return out
}

func (w *world) channelBody(ch *channel) map[string]any {
	out := map[string]any{"id": ch.ID, "type": ch.Type, "flags": 0, "last_message_id": nil}
	for _, newest := range ch.Backward() {
		out["last_message_id"] = newest.ID
		break
	}
	if ch.Type == DMChannel {
		out["recipients"] = []any{w.userBody(ch.User)}
		return out
	}
	out["guild_id"], out["name"], out["parent_id"] = ch.GuildID, ch.Name, nil
	if ch.IsThread() {
		out["parent_id"], out["owner_id"] = ch.ParentID, w.botID
		out["thread_metadata"] = map[string]any{
			"archived": ch.Archived, "locked": ch.Locked, "auto_archive_duration": 1440,
			"archive_timestamp": time.Unix(0, 0).UTC().Format(time.RFC3339),
		}
		return out
	}
	overwrites := []any{}
	if ch.Deny|ch.Allow != 0 {
		overwrites = append(overwrites, map[string]any{
			"id": botRole(ch.GuildID), "type": 0, "allow": ch.Allow.String(), "deny": ch.Deny.String(),
		})
	}
	out["position"], out["permission_overwrites"] = 0, overwrites
	return out
}

// botRole is the ID of the bot's own role in a guild. It is not a snowflake of
// any time, but the API promises nothing about that.
func botRole(guild string) string { return "9" + guild }

func (w *world) guildBody(g *Guild) map[string]any {
	role := func(id, name string, p Permission) map[string]any {
		return map[string]any{
			"id": id, "name": name, "permissions": p.String(), "color": 0, "position": 0,
			"hoist": false, "managed": id != g.ID, "mentionable": false,
		}
	}
	return map[string]any{
		"id": g.ID, "name": g.Name, "owner_id": "1", "icon": nil, "features": []any{},
		"roles": []any{role(g.ID, "@everyone", g.Everyone), role(botRole(g.ID), w.users[w.botID].Name, g.Bot)},
	}
}
