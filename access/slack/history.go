package slack

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/message"
)

// history is what is known of our announcements in one conversation. When many
// posts are in doubt at once, as after a crash in a burst, one reading of the
// conversation answers for all of them, and later readings fetch only what is
// new.
type history struct {
	turn chan struct{} // held by whoever reads the conversation

	// What follows belongs to the holder of the turn.
	begun time.Time         // when the last complete reading was begun, by our clock
	from  time.Time         // since when the conversation was read
	upto  float64           // time stamp of the newest message that was read
	posts map[string]string // mark of an announcement to its time stamp
}

const (
	// searchPages bounds how far back a conversation is read, in pages of 200.
	searchPages = 10
	// searchSlack allows for clocks that differ between Teleport and Slack.
	searchSlack = 5 * time.Minute
	// searchOverlap is read again each time, in seconds, for messages that
	// arrived together may become visible one after the other.
	searchOverlap = 5
	// maxHistories bounds how many conversations are remembered.
	maxHistories = 1000
)

// historyOf returns the one history of a conversation.
func (s *service) historyOf(channel string) *history {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.histories[channel]
	if h == nil {
		if len(s.histories) >= maxHistories {
			clear(s.histories)
		}
		h = &history{turn: make(chan struct{}, 1), posts: make(map[string]string)}
		s.histories[channel] = h
	}
	return h
}

// announcementIn looks for the announcement of a request in a conversation, in
// a state of it that is not older than the call.
func (s *service) announcementIn(ctx context.Context, channel string, v message.View) (ts string, err error) {
	asked := time.Now()
	h := s.historyOf(channel)
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for another search of the conversation: %w", ctx.Err())
	}
	since := v.Created.Add(-searchSlack)
	if h.begun.Before(asked) || since.Before(h.from) {
		if err := s.readHistory(ctx, channel, h, since); err != nil {
			return "", err
		}
	}
	return h.posts[markKey(mark(v, announced))], nil
}

// readHistory reads what is new in a conversation, or all since a time from
// before what was read so far.
func (s *service) readHistory(ctx context.Context, channel string, h *history, since time.Time) error {
	begun, upto := time.Now(), h.upto
	oldest := max(h.upto-searchOverlap, float64(h.from.Unix()))
	anew := h.begun.IsZero() || since.Before(h.from)
	if anew {
		oldest = float64(max(since.Unix(), 0))
	}
	posts := make(map[string]string)
	params := &slack.GetConversationHistoryParameters{
		ChannelID: channel, Limit: 200, Inclusive: true, IncludeAllMetadata: true,
		Oldest: strconv.FormatFloat(max(oldest, 0), 'f', 6, 64),
	}
	for range searchPages {
		var page *slack.GetConversationHistoryResponse
		err := s.do(ctx, "conversations.history", channel, func(ctx context.Context, api *slack.Client) (err error) {
			if page, err = api.GetConversationHistoryContext(ctx, params); err != nil {
				return err
			}
			return answered(page.Ok)
		})
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			if at, err := strconv.ParseFloat(m.Timestamp, 64); err == nil {
				upto = max(upto, at)
			}
			if s.own(m) && m.Metadata.EventType == markType {
				posts[markKey(&m.Metadata)] = m.Timestamp
			}
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" || !page.HasMore {
			break
		}
	}
	if anew || len(h.posts) > 50_000 {
		h.posts, h.from = make(map[string]string), since
	}
	for key, ts := range posts {
		h.posts[key] = ts
	}
	h.begun, h.upto = begun, upto
	return nil
}

// markKey tells marks apart; those of replies differ from those of announcements.
func markKey(m *slack.SlackMetadata) string {
	p := m.EventPayload
	return fmt.Sprint(p[markRequest], "/", p[markCreated], "/", p[markIndex])
}
