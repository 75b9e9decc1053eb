package slack

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/history"
)

// searchPages bounds how far back a conversation is read, in pages of 200.
const searchPages = 10

// readHistory tells of the messages in a conversation, newest first.
func (s *service) readHistory(ctx context.Context, channel string, since time.Time, each func(history.Message)) error {
	params := &slack.GetConversationHistoryParameters{
		ChannelID: channel, Limit: 200, Inclusive: true, IncludeAllMetadata: true, Oldest: stamp(since),
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
			found := history.Message{ID: m.Timestamp, At: stampedAt(m.Timestamp)}
			if s.own(m) && m.Metadata.EventType == markType {
				found.Keys = []string{markKey(&m.Metadata)}
			}
			each(found)
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" || !page.HasMore {
			break
		}
	}
	return nil
}

// markKey tells marks apart; those of replies differ from those of announcements.
func markKey(m *slack.SlackMetadata) string {
	p := m.EventPayload
	return fmt.Sprint(p[markRequest], "/", p[markCreated], "/", p[markIndex])
}

// stamp is a time as Slack's time stamps have it, in seconds.
func stamp(at time.Time) string {
	return strconv.FormatFloat(max(float64(at.UnixMicro())/1e6, 0), 'f', 6, 64)
}

// stampedAt is the time of a time stamp; of one that is none, it is zero.
func stampedAt(ts string) time.Time {
	seconds, err := strconv.ParseFloat(ts, 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e11 {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds * 1e6))
}
