package discordapi

import (
	"cmp"
	"fmt"
	"slices"
)

// State is everything on the simulated service at one moment.
type State struct {
	// Version grows with each change.
	Version uint64 `json:"version"`
	// BotUser is the ID of the bot's user.
	BotUser string `json:"bot_user"`
	// Users are sorted by ID, the bot among them.
	Users []User `json:"users"`
	// Guilds are without their channels.
	Guilds []Guild `json:"guilds"`
	// Channels are in the order in which they came to be; direct messages and
	// threads are among them.
	Channels []ChannelState `json:"channels"`
}

// ChannelState is a channel with its messages, oldest first.
type ChannelState struct {
	Channel
	Messages []Message `json:"messages"`
}

// Snapshot copies the state with the newest messages of each channel, at most
// limit of them; zero or less means all.
func (s *Server) Snapshot(limit int) State {
	s.mu.Lock()
	st := State{Version: s.version, BotUser: s.state.botID}
	for _, u := range s.state.users {
		st.Users = append(st.Users, *u)
	}
	for _, id := range s.state.guildOrder {
		st.Guilds = append(st.Guilds, *s.state.guilds[id])
	}
	var messages [][]*message
	for _, id := range s.state.order {
		ch := s.state.channels[id]
		st.Channels = append(st.Channels, ChannelState{Channel: ch.Channel})
		messages = append(messages, ch.newest(limit))
	}
	s.mu.Unlock()
	slices.SortFunc(st.Users, func(a, b User) int { return cmp.Compare(a.ID, b.ID) })
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

// Messages returns all messages of a channel, oldest first, deleted ones too.
// The channel is named by its ID, a channel's name or, for a direct message, the
// user's ID or name; an unknown one has no messages. A thread is named by the
// ID of its message.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	var list []*message
	if ch := s.state.named(channel); ch != nil {
		list = ch.newest(0)
	}
	s.mu.Unlock()
	return views(list)
}

// Message returns one message; the channel is named as for Messages.
func (s *Server) Message(channel, id string) (Message, bool) {
	for _, m := range s.Messages(channel) {
		if m.ID == id {
			return m, true
		}
	}
	return Message{}, false
}

// Channel returns a channel, named as for Messages.
func (s *Server) Channel(channel string) (Channel, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.named(channel)
	if ch == nil {
		return Channel{}, false
	}
	return ch.Channel, true
}

// DeleteMessage removes a message as a person would do by hand. It fails when
// there is none; the channel is named as for Messages.
func (s *Server) DeleteMessage(channel, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.named(channel)
	if ch == nil {
		return fmt.Errorf("deleting a message: no channel %q", channel)
	}
	m := ch.live(id)
	if m == nil {
		return fmt.Errorf("deleting a message: no message %q in %q", id, channel)
	}
	gone := m.next()
	gone.deleted = true
	ch.replace(gone)
	s.changed()
	return nil
}

// PostAs puts a message of a user into a channel, named as for Messages, and
// returns its ID.
func (s *Server) PostAs(user, channel, content string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.named(channel)
	if ch == nil {
		return "", fmt.Errorf("posting as a user: no channel %q", channel)
	}
	m := &message{id: s.state.newID(s.opts.Now()), author: user, content: content, mentions: pinged(content, nil)}
	ch.messages = append(ch.messages, m)
	s.changed()
	return formatID(m.id), nil
}

// AddUser adds a user, or replaces the one with the same ID, and returns it
// with what was filled in.
func (s *Server) AddUser(u User) User {
	s.change(func(w *world) { u = w.addUser(u) })
	return u
}

// AddGuild adds a guild with its channels, or changes the one with the same ID
// but keeps the channels that it had, and returns it with what was filled in.
func (s *Server) AddGuild(g Guild) Guild {
	s.change(func(w *world) { g = w.addGuild(g) })
	return g
}

// AddChannel adds a channel, or changes the one with the same ID but keeps its
// messages, and returns it with what was filled in.
func (s *Server) AddChannel(c Channel) Channel {
	s.change(func(w *world) { c = w.addChannel(c) })
	return c
}

// RemoveChannel deletes a channel with all that is in it, and its threads.
func (s *Server) RemoveChannel(id string) {
	s.change(func(w *world) {
		w.order = slices.DeleteFunc(w.order, func(other string) bool {
			ch := w.channels[other]
			gone := ch.ID == id || ch.ParentID == id
			if gone {
				delete(w.dms, ch.User)
				delete(w.channels, other)
			}
			return gone
		})
	})
}

// OpenDM returns the ID of the bot's channel with a user, which is made if need
// be.
func (s *Server) OpenDM(user string) string {
	var id string
	s.change(func(w *world) { id = w.openDM(user, s.opts.Now()).ID })
	return id
}

// change does something to the state and tells the subscribers.
func (s *Server) change(do func(*world)) {
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
