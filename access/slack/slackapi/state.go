package slackapi

import (
	"fmt"
	"slices"
	"strings"
)

// State is the workspace at one moment.
type State struct {
	// Version grows with each change.
	Version uint64 `json:"version"`
	// Team is the workspace's name, BotUser the ID of the bot's user.
	Team    string `json:"team"`
	BotUser string `json:"bot_user"`
	// Users are sorted by ID, the bot among them.
	Users []User `json:"users"`
	// Channels are in the order in which they came to be.
	Channels []ChannelState `json:"channels"`
}

// ChannelState is a conversation with its messages, oldest first.
type ChannelState struct {
	Channel
	Messages []Message `json:"messages"`
}

// Snapshot copies the workspace with the newest messages of each conversation,
// at most limit of them; zero or less means all.
func (s *Server) Snapshot(limit int) State {
	var st State
	s.Look(func() {
		st = State{Version: s.Version(), Team: s.opts.TeamName, BotUser: s.state.botUser}
		for _, u := range s.state.users {
			st.Users = append(st.Users, *u)
		}
		for _, id := range s.state.order {
			ch := s.state.channels[id]
			st.Channels = append(st.Channels, ChannelState{ch.Channel, ch.views(limit)})
		}
	})
	slices.SortFunc(st.Users, func(a, b User) int { return strings.Compare(a.ID, b.ID) })
	return st
}

// Messages returns all messages of a conversation, oldest first, deleted and
// ephemeral ones too. The conversation is named by its ID, a channel's name or,
// for a DM, the user's ID; an unknown one has no messages.
func (s *Server) Messages(conversation string) (list []Message) {
	s.Look(func() {
		if ch := s.state.named(conversation); ch != nil {
			list = ch.views(0)
		}
	})
	return list
}

// views are the newest messages for readers of the state.
func (ch *channel) views(limit int) []Message {
	list := []Message{}
	for _, m := range ch.Newest(limit) {
		list = append(list, m.Message)
	}
	return list
}

// Message returns one message; the conversation is named as for Messages.
func (s *Server) Message(conversation, ts string) (Message, bool) {
	micros, ok := parseTS(ts)
	var m *message
	s.Look(func() {
		if ch := s.state.named(conversation); ok && ch != nil {
			m = ch.Find(micros)
		}
	})
	if m == nil {
		return Message{}, false
	}
	return m.Message, true
}

// DeleteMessage removes a message as a person would do by hand. It fails when
// there is none; the conversation is named as for Messages.
func (s *Server) DeleteMessage(conversation, ts string) (err error) {
	s.Change(func() {
		ch := s.state.named(conversation)
		if ch == nil || ch.live(ts) == nil {
			err = fmt.Errorf("deleting a message: no message %q in %q", ts, conversation)
			return
		}
		ch.remove(ch.live(ts))
	})
	return err
}

// PostAs puts a message of a user into a conversation, named as for Messages,
// and returns its timestamp; threadTS may be empty.
func (s *Server) PostAs(user, conversation, text, threadTS string) (ts string, err error) {
	s.Change(func() {
		ch := s.state.named(conversation)
		if ch == nil {
			err = fmt.Errorf("posting as a user: no conversation %q", conversation)
			return
		}
		parent, wrong := ch.parent(threadTS)
		if wrong != nil {
			err = fmt.Errorf("posting as a user: %w", wrong)
			return
		}
		m := message{ts: s.state.nextTS(s.Now()), thread: parent, Message: Message{Author: user, Text: text}}.written()
		ch.add(m)
		ts = formatTS(m.ts)
	})
	return ts, err
}

// AddUser adds a user, or replaces the one with the same ID, and returns it
// with what was filled in.
func (s *Server) AddUser(u User) User {
	s.Change(func() { u = s.state.addUser(u) })
	return u
}

// AddChannel adds a conversation, or changes the one with the same ID but keeps
// its messages, and returns it with what was filled in.
func (s *Server) AddChannel(c Channel) Channel {
	s.Change(func() { c = s.state.addChannel(c) })
	return c
}

// Channel returns a conversation, named as for Messages.
func (s *Server) Channel(conversation string) (c Channel, ok bool) {
	s.Look(func() {
		if ch := s.state.named(conversation); ch != nil {
			c, ok = ch.Channel, true
		}
	})
	return c, ok
}

// OpenDM returns the ID of the bot's conversation with a user, which is made if
// need be.
func (s *Server) OpenDM(user string) string {
	var id string
	s.Change(func() {
		ch, _ := s.state.openDM(user)
		id = ch.ID
	})
	return id
}

// CloseEditWindow makes chat.update fail with edit_window_closed, or lets it
// work again.
func (s *Server) CloseEditWindow(closed bool) {
	s.Change(func() { s.state.editWindowClosed = closed })
}

// DisableMessagesTab makes direct messages fail with messages_tab_disabled, as
// when the app's home has no such tab, or lets them work again.
func (s *Server) DisableMessagesTab(disabled bool) {
	s.Change(func() { s.state.messagesTabDisabled = disabled })
}
