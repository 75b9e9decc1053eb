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
	w := wireMessage{Type: "message", User: m.Author, Team: ws.teamID, Text: m.Text, TS: formatTS(m.ts), Blocks: m.Blocks}
	if m.Author == ws.botUser {
		w.BotID, w.AppID = ws.botID, ws.appID
	}
	if metadata {
		w.Metadata = m.Metadata
	}
	if m.Edits > 0 {
		w.Edited = &wireEdit{User: m.Author, TS: formatTS(m.editedTS)}
	}
	ws.wireThread(ch, m, &w)
	return w
}

func (ws *workspace) wireThread(ch *channel, m *message, w *wireMessage) {
	if m.thread != 0 {
		w.ThreadTS = formatTS(m.thread)
		if parent := ch.Find(m.thread); parent != nil {
			w.ParentUser = parent.Author
		}
		if m.Broadcast {
			w.Subtype = "thread_broadcast"
		}
		return
	}
	if replies := ch.replies[m.ts]; len(replies) > 0 {
		w.ThreadTS, w.ReplyCount = w.TS, len(replies)
		w.LatestReply = formatTS(replies[len(replies)-1])
	}
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
