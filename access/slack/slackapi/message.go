package slackapi

import (
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	"teleport-plugins/lib/sandbox/panel"
)

// message is one version of a message; it is not changed once others can see it.
type message struct {
	ts, thread int64
	author     string
	text       string
	blocks     json.RawMessage
	metadata   json.RawMessage
	broadcast  bool
	edits      int
	editedTS   int64
	deleted    bool
	// ephemeral is the only user who sees the message.
	ephemeral string

	rendering sync.Once
	rendered  panel.Rendered
}

// edit returns a copy that may be changed.
func (m *message) edit() *message {
	return &message{
		ts: m.ts, thread: m.thread, author: m.author, text: m.text, blocks: m.blocks, metadata: m.metadata,
		broadcast: m.broadcast, edits: m.edits, editedTS: m.editedTS, deleted: m.deleted, ephemeral: m.ephemeral,
	}
}

// wireMessage is a message as the API tells it.
type wireMessage struct {
	Type        string          `json:"type"`
	Subtype     string          `json:"subtype,omitempty"`
	User        string          `json:"user"`
	BotID       string          `json:"bot_id,omitempty"`
	AppID       string          `json:"app_id,omitempty"`
	Team        string          `json:"team"`
	Text        string          `json:"text"`
	TS          string          `json:"ts"`
	Blocks      json.RawMessage `json:"blocks,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	ThreadTS    string          `json:"thread_ts,omitempty"`
	ParentUser  string          `json:"parent_user_id,omitempty"`
	ReplyCount  int             `json:"reply_count,omitempty"`
	LatestReply string          `json:"latest_reply,omitempty"`
	Edited      *wireEdit       `json:"edited,omitempty"`
}

type wireEdit struct {
	User string `json:"user"`
	TS   string `json:"ts"`
}

// wire writes a message out; metadata is only told to those who ask for it.
func (ws *workspace) wire(ch *channel, m *message, metadata bool) wireMessage {
	w := wireMessage{Type: "message", User: m.author, Team: ws.teamID, Text: m.text, TS: formatTS(m.ts), Blocks: m.blocks}
	if m.author == ws.botUser {
		w.BotID, w.AppID = ws.botID, ws.appID
	}
	if metadata {
		w.Metadata = m.metadata
	}
	if m.edits > 0 {
		w.Edited = &wireEdit{User: m.author, TS: formatTS(m.editedTS)}
	}
	ws.wireThread(ch, m, &w)
	return w
}

func (ws *workspace) wireThread(ch *channel, m *message, w *wireMessage) {
	if m.thread != 0 {
		w.ThreadTS = formatTS(m.thread)
		if parent := ch.find(m.thread); parent != nil {
			w.ParentUser = parent.author
		}
		if m.broadcast {
			w.Subtype = "thread_broadcast"
		}
		return
	}
	if replies := ch.replies[m.ts]; len(replies) > 0 {
		w.ThreadTS, w.ReplyCount = w.TS, len(replies)
		w.LatestReply = formatTS(replies[len(replies)-1])
	}
}

// index is the place of the first message not older than ts.
func (ch *channel) index(ts int64) int {
	return sort.Search(len(ch.messages), func(i int) bool { return ch.messages[i].ts >= ts })
}

// find returns the message that was posted at ts, also a deleted one, or nil.
func (ch *channel) find(ts int64) *message {
	if i := ch.index(ts); i < len(ch.messages) && ch.messages[i].ts == ts {
		return ch.messages[i]
	}
	return nil
}

// live returns the message with the written timestamp that is still there and
// that everyone in the conversation sees, or nil.
func (ch *channel) live(ts string) *message {
	micros, ok := parseTS(ts)
	if !ok {
		return nil
	}
	m := ch.find(micros)
	if m == nil || m.deleted || m.ephemeral != "" {
		return nil
	}
	return m
}

// add puts a message at the end. An ephemeral reply does not count as a reply.
func (ch *channel) add(m *message) {
	ch.messages = append(ch.messages, m)
	if m.thread != 0 && m.ephemeral == "" {
		ch.replies[m.thread] = append(ch.replies[m.thread], m.ts)
	}
}

// replace puts a new version in the place of the old one.
func (ch *channel) replace(m *message) { ch.messages[ch.index(m.ts)] = m }

// remove marks a message as deleted.
func (ch *channel) remove(m *message) {
	gone := m.edit()
	gone.deleted = true
	ch.replace(gone)
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

// view is m for readers of the state; it may be called without the lock.
func (m *message) view() Message {
	v := Message{
		TS: formatTS(m.ts), Created: time.UnixMicro(m.ts).UTC(), Author: m.author, Text: m.text, Blocks: m.blocks, Metadata: m.metadata,
		Broadcast: m.broadcast, Edits: m.edits, Deleted: m.deleted, EphemeralTo: m.ephemeral,
	}
	if m.thread != 0 {
		v.ThreadTS = formatTS(m.thread)
	}
	m.rendering.Do(func() { m.rendered = Render(m.text, m.blocks) })
	v.Rendered = m.rendered
	return v
}

// permalinkName is how a permalink names a message.
func permalinkName(ts int64) string { return "p" + strconv.FormatInt(ts, 10) }
