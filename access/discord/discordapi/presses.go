package discordapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Change changes an event before it is sent, for what Discord may send one day.
type Change func(event map[string]any)

// Press has a user press a button of a message, and returns the id of the interaction,
// which every session is sent. The channel is named as for Messages. It fails where
// Discord's apps send nothing: without such a button, or in a thread that is archived
// or locked.
func (s *Server) Press(user, channel, message, customID string, change ...Change) (id string, err error) {
	s.Change(func() {
		ch := s.state.named(channel)
		if ch == nil {
			err = fmt.Errorf("pressing a button: no channel %q", channel)
			return
		}
		m := ch.live(message)
		if err = s.state.pressable(user, ch, m, customID); err != nil {
			return
		}
		i := &interaction{kind: componentInteraction, Interaction: Interaction{
			User: user, Channel: ch.ID, Message: m.ID, CustomID: customID,
		}}
		event := s.event(i, ch, m)
		event["data"] = map[string]any{"id": 2, "custom_id": customID, "component_type": 2}
		id = s.deliver(i, event, change)
	})
	return id, err
}

// pressable says why a user cannot press a button.
func (w *world) pressable(user string, ch *channel, m *message, customID string) error {
	switch {
	case w.users[user] == nil:
		return fmt.Errorf("pressing a button: no user %q", user)
	case m == nil:
		return errors.New("pressing a button: no such message")
	case ch.Type == DMChannel && ch.User != user:
		return errors.New("pressing a button: the message is in somebody else's direct messages")
	case ch.IsThread() && ch.Archived:
		return errors.New("pressing a button: the thread is archived; Discord's apps fail to open it again, and send nothing")
	case ch.IsThread() && ch.Locked:
		return errors.New("pressing a button: the thread is locked, and its buttons are grey")
	}
	if !m.hasButton(customID) {
		return fmt.Errorf("pressing a button: the message has none with the id %q", customID)
	}
	return nil
}

// hasButton reports whether a message has a button that can be pressed.
func (m *message) hasButton(customID string) bool {
	var rows []component
	_ = json.Unmarshal(m.Components, &rows)
	return slices.ContainsFunc(rows, func(row component) bool {
		return slices.ContainsFunc(row.Components, func(b component) bool {
			return b.CustomID == customID && b.Style != 5 && !b.Disabled
		})
	})
}

// Submit has a user fill in the dialog that an interaction opened, and returns the id
// of the interaction that comes of it.
func (s *Server) Submit(user, opened, text string, change ...Change) (id string, err error) {
	s.Change(func() {
		before := s.state.interactions[opened]
		if before == nil || before.Modal == nil {
			err = fmt.Errorf("filling in a dialog: the interaction %q has opened none", opened)
			return
		}
		in := before.Modal.input()
		err = in.takes(text)
		ch := s.state.channels[before.Channel]
		if err != nil || ch == nil {
			err = cmp.Or(err, errors.New("filling in a dialog: its channel is gone"))
			return
		}
		i := &interaction{kind: modalInteraction, Interaction: Interaction{
			User: user, Channel: before.Channel, Message: before.Message, CustomID: before.Modal.CustomID,
		}}
		event := s.event(i, ch, ch.live(before.Message))
		event["data"] = map[string]any{"custom_id": i.CustomID, "components": []any{map[string]any{
			"type": 18, "id": 1, "component": map[string]any{"type": 4, "id": 2, "custom_id": in.CustomID, "value": text},
		}}}
		id = s.deliver(i, event, change)
	})
	return id, err
}

// takes says why a text cannot be written into an input.
func (in *modalInput) takes(text string) error {
	if in == nil {
		return errors.New("filling in a dialog: it has no input")
	}
	switch n := units(text); {
	case text == "" && (in.Required == nil || *in.Required), text != "" && in.MinLength != nil && n < *in.MinLength:
		return errors.New("filling in a dialog: the text is too short")
	case n > maxInput || in.MaxLength != nil && n > *in.MaxLength:
		return errors.New("filling in a dialog: the text is too long")
	}
	return nil
}

// event is the event of an interaction without its data. The lock is held.
func (s *Server) event(i *interaction, ch *channel, m *message) map[string]any {
	w := &s.state
	i.ID = formatID(w.newID(s.Now()))
	i.token, i.created = "aW50ZXJhY3Rpb246"+i.ID, s.Now()
	i.Token = i.token
	out := map[string]any{
		"id": i.ID, "application_id": s.opts.ApplicationID, "type": i.kind, "token": i.token, "version": 1,
		"channel_id": ch.ID, "channel": w.channelBody(ch), "app_permissions": w.permissions(ch).String(),
		"locale": "en-GB", "entitlements": []any{}, "attachment_size_limit": 10 << 20,
	}
	if m != nil {
		out["message"] = w.body(ch, m)
	}
	user := w.userBody(i.User)
	if ch.Type == DMChannel {
		out["user"], out["context"] = user, 1
		out["authorizing_integration_owners"] = map[string]any{"0": "0"}
		return out
	}
	out["guild_id"], out["guild_locale"], out["context"] = ch.GuildID, "en-GB", 0
	out["guild"] = map[string]any{"id": ch.GuildID, "locale": "en-GB", "features": []any{}}
	out["authorizing_integration_owners"] = map[string]any{"0": ch.GuildID}
	out["member"] = map[string]any{
		"user": user, "roles": []any{}, "nick": nil, "deaf": false, "mute": false, "pending": false,
		"permissions": "0", "joined_at": "2024-01-01T00:00:00Z", "flags": 0,
	}
	return out
}

// deliver sends an interaction to every session; with an endpoint, to none. The lock
// is held.
func (s *Server) deliver(i *interaction, event map[string]any, change []Change) (id string) {
	for _, f := range change {
		f(event)
	}
	i.source = event
	s.state.interactions[i.ID] = i
	s.state.interactionOrder = append(s.state.interactionOrder, i.ID)
	s.send(event)
	return i.ID
}

// send sends an interaction. The lock is held.
func (s *Server) send(event map[string]any) {
	if s.state.endpoint != "" {
		return
	}
	for _, x := range s.state.gateway.sessions {
		x.tell("INTERACTION_CREATE", event)
	}
}

// DeliverAgain sends an interaction a second time.
func (s *Server) DeliverAgain(id string) {
	s.Change(func() {
		if i := s.state.interactions[id]; i != nil {
			s.send(i.source)
		}
	})
}

// Interaction returns what became of an interaction.
func (s *Server) Interaction(id string) (i Interaction, ok bool) {
	s.Look(func() {
		found := s.state.interactions[id]
		if ok = found != nil; ok {
			i = found.Interaction
			i.Thinking = slices.ContainsFunc(found.said, func(m *said) bool { return m.thinking })
			i.Done = found.failed(s.Now()) || i.Answer != 0 && !i.Thinking
		}
	})
	return i, ok
}

// failed reports whether Discord has shown by now that the interaction failed.
func (i *interaction) failed(now time.Time) bool {
	return i.Answer == 0 && now.Sub(i.created) > AcknowledgeWithin
}

// Failed is what a person sees whose press nobody acknowledged.
const Failed = "This interaction failed"

// Saw is what a user alone saw, oldest first: answers as they stand now, and Discord's
// own word on presses that nobody acknowledged.
func (s *Server) Saw(user string) (texts []string) {
	s.Look(func() {
		for _, id := range s.state.interactionOrder {
			if i := s.state.interactions[id]; i.User == user {
				texts = append(texts, i.shown(s.Now())...)
			}
		}
	})
	return texts
}

// shown is what the person who pressed alone saw of an interaction.
func (i *interaction) shown(now time.Time) (texts []string) {
	if i.failed(now) {
		return []string{Failed}
	}
	for _, m := range i.said {
		if m.alone && !m.deleted && !m.thinking {
			texts = append(texts, m.text)
		}
	}
	return texts
}

// SawOf is what the person who pressed alone saw of one interaction.
func (s *Server) SawOf(id string) (texts []string) {
	s.Look(func() {
		if i := s.state.interactions[id]; i != nil {
			texts = i.shown(s.Now())
		}
	})
	return texts
}
