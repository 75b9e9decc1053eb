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
	s.mu.Lock()
	st := State{Version: s.version, Team: s.opts.TeamName, BotUser: s.state.botUser}
	for _, u := range s.state.users {
		st.Users = append(st.Users, *u)
	}
	var messages [][]*message
	for _, id := range s.state.order {
		ch := s.state.channels[id]
		st.Channels = append(st.Channels, ChannelState{Channel: ch.Channel})
		messages = append(messages, ch.newest(limit))
	}
	s.mu.Unlock()
	slices.SortFunc(st.Users, func(a, b User) int { return strings.Compare(a.ID, b.ID) })
	for i, list := range messages {
		st.Channels[i].Messages = views(list)
	}
	return st
}

// newest copies the end of the list of messages.
func (ch *channel) newest(limit int) []*message {
	list := ch.messages
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return slices.Clone(list)
}

func views(list []*message) []Message {
	out := make([]Message, 0, len(list))
	for _, m := range list {
		out = append(out, m.view())
	}
	return out
}

// Messages returns all messages of a conversation, oldest first, deleted and
// ephemeral ones too. The conversation is named by its ID, a channel's name or,
// for a DM, the user's ID; an unknown one has no messages.
func (s *Server) Messages(conversation string) []Message {
	s.mu.Lock()
	ch, ok := s.state.channels[s.state.faultTarget(conversation)]
	var list []*message
	if ok {
		list = ch.newest(0)
	}
	s.mu.Unlock()
	return views(list)
}

// Message returns one message; the conversation is named as for Messages.
func (s *Server) Message(conversation, ts string) (Message, bool) {
	micros, ok := parseTS(ts)
	if !ok {
		return Message{}, false
	}
	s.mu.Lock()
	var m *message
	if ch, ok := s.state.channels[s.state.faultTarget(conversation)]; ok {
		m = ch.find(micros)
	}
	s.mu.Unlock()
	if m == nil {
		return Message{}, false
	}
	return m.view(), true
}

// DeleteMessage removes a message as a person would do by hand. It fails when
// there is none; the conversation is named as for Messages.
func (s *Server) DeleteMessage(conversation, ts string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.state.channels[s.state.faultTarget(conversation)]
	if !ok {
		return fmt.Errorf("deleting a message: no conversation %q", conversation)
	}
	m := ch.live(ts)
	if m == nil {
		return fmt.Errorf("deleting a message: no message %q in %q", ts, conversation)
	}
	ch.remove(m)
	s.changed()
	return nil
}

// PostAs puts a message of a user into a conversation, named as for Messages,
// and returns its timestamp; threadTS may be empty.
func (s *Server) PostAs(user, conversation, text, threadTS string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.state.channels[s.state.faultTarget(conversation)]
	if !ok {
		return "", fmt.Errorf("posting as a user: no conversation %q", conversation)
	}
	parent, err := ch.parent(threadTS)
	if err != nil {
		return "", fmt.Errorf("posting as a user: %w", err)
	}
	m := &message{ts: s.state.nextTS(s.opts.Now()), thread: parent, author: user, text: text}
	ch.add(m)
	s.changed()
	return formatTS(m.ts), nil
}

// AddUser adds a user, or replaces the one with the same ID, and returns it
// with what was filled in.
func (s *Server) AddUser(u User) User {
	s.change(func(ws *workspace) { u = ws.addUser(u) })
	return u
}

// AddChannel adds a conversation, or changes the one with the same ID but keeps
// its messages, and returns it with what was filled in.
func (s *Server) AddChannel(c Channel) Channel {
	s.change(func(ws *workspace) { c = ws.addChannel(c) })
	return c
}

// Channel returns a conversation, named as for Messages.
func (s *Server) Channel(conversation string) (Channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.state.channels[s.state.faultTarget(conversation)]
	if !ok {
		return Channel{}, false
	}
	return ch.Channel, true
}

// OpenDM returns the ID of the bot's conversation with a user, which is made if
// need be.
func (s *Server) OpenDM(user string) string {
	var id string
	s.change(func(ws *workspace) {
		ch, _ := ws.openDM(user)
		id = ch.ID
	})
	return id
}

// CloseEditWindow makes chat.update fail with edit_window_closed, or lets it
// work again.
func (s *Server) CloseEditWindow(closed bool) {
	s.change(func(ws *workspace) { ws.editWindowClosed = closed })
}

// DisableMessagesTab makes direct messages fail with messages_tab_disabled, as
// when the app's home has no such tab, or lets them work again.
func (s *Server) DisableMessagesTab(disabled bool) {
	s.change(func(ws *workspace) { ws.messagesTabDisabled = disabled })
}

// change does something to the workspace and tells the subscribers.
func (s *Server) change(do func(*workspace)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(&s.state)
	s.changed()
}

// changed tells the subscribers; the lock is held.
func (s *Server) changed() {
	s.version++
	s.Wake()
}
