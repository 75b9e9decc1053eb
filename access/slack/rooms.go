package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/outbound"
)

// rooms remembers the ids of the conversations that addresses stand for. Whoever
// asks Slack for one holds the turn; what it learns serves all who wait.
type rooms struct {
	turn   chan struct{}
	ids    map[string]string // by the id of a user or the name of a channel
	begun  time.Time         // when all was forgotten
	cursor string            // of what is still to be read of the list of channels
	whole  bool              // nothing is
}

const (
	// maxRooms bounds what is remembered of the list of channels; no more than as
	// many again are direct messages.
	maxRooms = 100_000
	// listAge is how long the list of channels is trusted, and missAge how long in
	// what it does not name.
	listAge, missAge = 10 * time.Minute, time.Minute
)

// conversation turns an address into the id under which its history is read. The
// list of channels is read as far as that takes; who asks next goes on from there.
func (s *service) conversation(ctx context.Context, address string) (string, error) {
	if isID(address) && !isUser(address) {
		return address, nil
	}
	r := &s.rooms
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for the id of a conversation: %w", ctx.Err())
	}
	learn := s.openDirect
	if !isUser(address) {
		learn, address = s.listOn, channelName(address)
	}
	if r.stale(address) {
		r.forget()
	}
	for r.ids[address] == "" {
		if err := learn(ctx, address); err != nil {
			return "", err
		}
	}
	return r.ids[address], nil
}

// stale reports whether what is remembered is too old, or too much, to answer for
// an address.
func (r *rooms) stale(address string) bool {
	age := time.Since(r.begun)
	missed := r.whole && r.ids[address] == "" && !isUser(address)
	return age > listAge || missed && age > missAge || len(r.ids) >= 2*maxRooms
}

func (r *rooms) forget() {
	r.ids, r.begun, r.cursor, r.whole = make(map[string]string), time.Now(), "", false
}

// openDirect finds the conversation with a user.
func (s *service) openDirect(ctx context.Context, user string) error {
	return s.call(ctx, "conversations.open", "", func(ctx context.Context) error {
		ch, _, _, err := s.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
		if err = whole(ch != nil && ch.ID != "", err); err == nil {
			s.rooms.ids[user] = ch.ID
		}
		return err
	})
}

// listOn reads the next page of the list of channels. It is an error if there is
// none.
func (s *service) listOn(ctx context.Context, _ string) error {
	r := &s.rooms
	if r.whole {
		return &outbound.Error{
			Kind: outbound.Refused, Scope: outbound.ThePlace, Op: "conversations.list",
			Err:  errors.New("the app sees no channel of this name"),
			Hint: "invite the app to the channel with /invite, or name the channel by its id",
		}
	}
	err := s.call(ctx, "conversations.list", "", func(ctx context.Context) error {
		page, cursor, err := s.api.GetConversationsContext(ctx, &slack.GetConversationsParameters{
			Cursor: r.cursor, Limit: 999, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
		})
		if err = whole(page != nil, err); err != nil {
			return err
		}
		for _, ch := range page {
			r.ids[ch.Name] = ch.ID
		}
		r.cursor, r.whole = cursor, cursor == "" || len(r.ids) >= maxRooms
		return nil
	})
	if codeOf(err) == "invalid_cursor" {
		r.forget()
	}
	return err
}

// isID reports whether a recipient has the form of Slack's own ids.
func isID(s string) bool {
	other := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	return len(s) >= 9 && strings.ContainsRune("CGDUW", rune(s[0])) && !strings.ContainsFunc(s, other)
}

// isUser reports whether a recipient is the id of a user.
func isUser(s string) bool { return isID(s) && (s[0] == 'U' || s[0] == 'W') }

// channelName is the name of a channel as Slack has it.
func channelName(s string) string { return strings.ToLower(strings.TrimPrefix(s, "#")) }
