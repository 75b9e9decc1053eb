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
	var st State
	s.Look(func() {
		st = State{Version: s.Version(), BotUser: s.state.botID}
		for _, u := range s.state.users {
			st.Users = append(st.Users, *u)
		}
		for _, id := range s.state.guildOrder {
			st.Guilds = append(st.Guilds, *s.state.guilds[id])
		}
		for _, id := range s.state.order {
			ch := s.state.channels[id]
			st.Channels = append(st.Channels, ChannelState{ch.Channel, ch.views(limit)})
		}
	})
	slices.SortFunc(st.Users, func(a, b User) int { return cmp.Compare(a.ID, b.ID) })
	return st
}

// Messages returns all messages of a channel, oldest first, deleted ones too.
// The channel is named by its ID, a channel's name or, for a direct message, the
// user's ID or name; an unknown one has no messages. A thread is named by the
// ID of its message.
func (s *Server) Messages(channel string) (list []Message) {
	s.Look(func() {
		if ch := s.state.named(channel); ch != nil {
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
func (s *Server) Channel(channel string) (c Channel, ok bool) {
	s.Look(func() {
		if ch := s.state.named(channel); ch != nil {
			c, ok = ch.Channel, true
		}
	})
	return c, ok
}

// DeleteMessage removes a message as a person would do by hand. It fails when
// there is none; the channel is named as for Messages.
func (s *Server) DeleteMessage(channel, id string) (err error) {
	s.Change(func() {
		ch := s.state.named(channel)
		if ch == nil || ch.live(id) == nil {
			err = fmt.Errorf("deleting a message: no message %q in %q", id, channel)
			return
		}
		ch.remove(ch.live(id))
	})
	return err
}

// PostAs puts a message of a user into a channel, named as for Messages, and
// returns its ID.
func (s *Server) PostAs(user, channel, content string) (id string, err error) {
	s.Change(func() {
		ch := s.state.named(channel)
		if ch == nil {
			err = fmt.Errorf("posting as a user: no channel %q", channel)
			return
		}
		m := message{id: s.state.newID(s.Now()), Message: Message{Author: user, Content: content, Mentions: pinged(content, nil)}}.written()
		ch.Put(int64(m.id), m)
		id = m.ID
	})
	return id, err
}

// AddUser adds a user, or replaces the one with the same ID, and returns it
// with what was filled in.
func (s *Server) AddUser(u User) User {
	s.Change(func() { u = s.state.addUser(u) })
	return u
}

// AddGuild adds a guild with its channels, or changes the one with the same ID
// but keeps the channels that it had, and returns it with what was filled in.
func (s *Server) AddGuild(g Guild) Guild {
	s.Change(func() { g = s.state.addGuild(g) })
	return g
}

// AddChannel adds a channel, or changes the one with the same ID but keeps its
// messages, and returns it with what was filled in.
func (s *Server) AddChannel(c Channel) Channel {
	s.Change(func() { c = s.state.addChannel(c) })
	return c
}

// RemoveChannel deletes a channel with all that is in it, and its threads.
func (s *Server) RemoveChannel(id string) {
	s.Change(func() {
		s.state.order = slices.DeleteFunc(s.state.order, func(other string) bool {
			ch := s.state.channels[other]
			gone := ch.ID == id || ch.ParentID == id
			if gone {
				delete(s.state.dms, ch.User)
				delete(s.state.channels, other)
			}
			return gone
		})
	})
}

// OpenDM returns the ID of the bot's channel with a user, which is made if need
// be.
func (s *Server) OpenDM(user string) string {
	var id string
	s.Change(func() { id = s.state.openDM(user, s.Now()).ID })
	return id
}
