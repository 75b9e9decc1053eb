package slackapi

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"teleport-plugins/lib/sandbox/panel"
)

// message is one version of a message; it is not changed once others can see it.
type message struct {
	Message
	ts, thread, editedTS int64
	// before is the newest of the versions before that had buttons.
	before *message
}

// written makes a message of what it holds.
func (m message) written() *message {
	m.TS, m.Created, m.ThreadTS = formatTS(m.ts), time.UnixMicro(m.ts).UTC(), ""
	if m.thread != 0 {
		m.ThreadTS = formatTS(m.thread)
	}
	m.Rendered = Render(m.Text, m.Blocks)
	return &m
}

// changedTo is the message with what body gives; what body leaves out stays.
// Blocks cannot take the place of rich_text (block_mismatch).
func (m *message) changedTo(body content) (*message, error) {
	out := *m
	out.Edits++
	if len(m.Rendered.Buttons) > 0 {
		shown := *m
		shown.before, out.before = nil, &shown
	}
	if body.hasText {
		out.Text = body.text
	}
	if body.hasBlocks {
		if hasRichText(m.Blocks) && len(body.blocks) > 0 && !hasRichText(body.blocks) {
			return nil, failure("block_mismatch")
		}
		out.Blocks = body.blocks
	}
	if body.hasMetadata {
		out.Metadata = body.metadata
	}
	if out.Text == "" && len(out.Blocks) == 0 {
		return nil, failure("no_text")
	}
	return out.written(), nil
}

// wire writes a message out; metadata is only told to those who ask for it.
func (ws *workspace) wire(ch *channel, m *message, metadata bool) object {
	w := object{"type": "message", "user": m.Author, "team": ws.teamID, "text": m.Text, "ts": m.TS}
	add := func(name string, value any, there bool) {
		if there {
			w[name] = value
		}
	}
	ours := m.Author == ws.botUser
	add("bot_id", ws.botID, ours)
	add("app_id", ws.appID, ours)
	add("blocks", m.Blocks, m.Blocks != nil)
	add("metadata", m.Metadata, metadata && m.Metadata != nil)
	add("edited", object{"user": m.Author, "ts": formatTS(m.editedTS)}, m.Edits > 0)
	if m.thread == 0 {
		replies := ch.replies[m.ts]
		if len(replies) > 0 {
			w["thread_ts"], w["reply_count"], w["latest_reply"] = m.TS, len(replies), formatTS(replies[len(replies)-1])
		}
		return w
	}
	w["thread_ts"] = m.ThreadTS
	add("subtype", "thread_broadcast", m.Broadcast)
	if parent := ch.Find(m.thread); parent != nil {
		w["parent_user_id"] = parent.Author
	}
	return w
}

// live returns the message with the written timestamp that is still there and
// that everyone in the conversation sees, or nil.
func (ch *channel) live(ts string) *message {
	micros, ok := parseTS(ts)
	if !ok {
		return nil
	}
	m := ch.Find(micros)
	if m == nil || m.Deleted || m.EphemeralTo != "" {
		return nil
	}
	return m
}

// add puts a message at the end. An ephemeral reply does not count as a reply.
func (ch *channel) add(m *message) {
	ch.Put(m.ts, m)
	if m.thread != 0 && m.EphemeralTo == "" {
		ch.replies[m.thread] = append(ch.replies[m.thread], m.ts)
	}
}

// remove marks a message as deleted.
func (ch *channel) remove(m *message) {
	gone := *m
	gone.Deleted = true
	ch.Put(m.ts, &gone)
	if r := ch.replies[m.thread]; m.thread != 0 {
		ch.replies[m.thread] = slices.DeleteFunc(slices.Clone(r), func(ts int64) bool { return ts == m.ts })
	}
}

// Message is a message as a reader of the state sees it.
type Message struct {
	// TS identifies the message in its channel; ThreadTS is the parent's for a
	// reply.
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts,omitempty"`
	// Created is when it was posted.
	Created time.Time `json:"created"`
	// Author is a user ID.
	Author string `json:"author"`
	// Text, Blocks and Metadata are as they were sent last.
	Text     string          `json:"text,omitempty"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"`
	// Broadcast says that a reply is shown in the channel as well.
	Broadcast bool `json:"broadcast,omitempty"`
	// Edits is how often the message was changed.
	Edits int `json:"edits,omitempty"`
	// Deleted messages stay in the state, though no call finds them.
	Deleted bool `json:"deleted,omitempty"`
	// EphemeralTo is the user who alone sees an ephemeral message.
	EphemeralTo string `json:"ephemeral_to,omitempty"`
	// Rendered is what a reader sees.
	Rendered panel.Rendered `json:"-"`
}

// permalinkName is how a permalink names a message.
func permalinkName(ts int64) string { return "p" + strconv.FormatInt(ts, 10) }
