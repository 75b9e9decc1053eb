package discord

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/history"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// How far back messages are read at a time: pages of as many as Discord gives at
// once. The next look-up goes on where one stopped.
const (
	searchPages = 20
	searchPage  = 100
)

// CanFind is true wherever there can be messages. Whether the bot may read them
// is only known once it tries.
func (s *service) CanFind(address string) bool { return isID(address) }

// Find looks for our own messages that tell the effect: an announcement by the mark
// in its card or the line with the request's id, others by their first line.
func (s *service) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	channel, since := conversation(to, e), v.Created
	keys := wanted(e, v)
	if len(keys) == 0 || !isID(channel) {
		return nil, nil
	}
	if began := timeOf(to.Message.ID); began.After(since) {
		since = began
	}
	ids, err := s.history.Find(ctx, channel, since, keys...)
	switch {
	case e.Kind == integration.Review && hasCode(err, unknownChannel):
		return nil, nil // there is no thread yet
	case err != nil:
		return nil, err
	}
	if e.Kind == integration.Announce && e.Index > 0 {
		ids, err = s.present(ctx, channel, ids)
	}
	var found []plugindata.Message
	for _, id := range ids {
		found = append(found, plugindata.Message{Channel: channel, ID: id})
	}
	return found, err
}

// conversation is the channel or thread in which an effect is seen.
func conversation(to integration.Place, e integration.Effect) string {
	switch e.Kind {
	case integration.Review:
		return to.Message.ID // a thread has the id of the message that it began with
	case integration.End, integration.Pending:
		return to.Message.Channel
	}
	return to.Address
}

// present drops the messages that were removed. An announcement that is made anew
// after a removal looks like the one before, which the history may still hold.
func (s *service) present(ctx context.Context, channel string, ids []string) ([]string, error) {
	var left []string
	for _, id := range ids {
		_, err := s.get(ctx, plugindata.Message{Channel: channel, ID: id})
		switch {
		case err == nil:
			left = append(left, id)
		case outbound.KindOf(err) != outbound.Gone:
			return nil, err
		}
	}
	return left, nil
}

func (s *service) get(ctx context.Context, m plugindata.Message) (got *discordgo.Message, err error) {
	err = s.do(ctx, getMessage, m.Channel, func(api *discordgo.Session, with discordgo.RequestOption) (err error) {
		if got, err = api.ChannelMessage(m.Channel, m.ID, with); err == nil && got == nil {
			err = errors.New("the answer names no message")
		}
		return err
	})
	return got, err
}

// wanted are the keys by which the messages of an effect are found; none if it
// cannot be recognised.
func wanted(e integration.Effect, v request.View) []string {
	switch e.Kind {
	case integration.Announce:
		return []string{markKey(footer(v.ID)), idKey(line(v.ID, message.InlineLimit)), idKey(v.ID)}
	case integration.Review:
		if e.Index < 0 || e.Index >= len(v.Reviews) || unknown(v.Reviews[e.Index]) {
			return nil
		}
		return []string{lineKey(reviewHead(v.Reviews[e.Index]))}
	case integration.End:
		return []string{lineKey(endHead(v.ID, statusOf(e, v)))}
	case integration.Notice:
		return []string{lineKey(noticeHead(v.ID, statusOf(e, v)))}
	case integration.Pending:
		return []string{lineKey(pendingHead(e, v))}
	case integration.Ending:
		return []string{lineKey(endingHead(e, v))}
	}
	return nil
}

func markKey(footer string) string { return "mark " + footer }
func idKey(value string) string    { return "id " + value }
func lineKey(first string) string  { return "line " + strings.TrimSpace(first) }

// keys are what a message of ours is found by. An announcement of this plugin or of
// Teleport's own has its title in the first line and the request's id in the next;
// what stands further below may be a stranger's text.
func keys(m *discordgo.Message) (keys []string) {
	for _, e := range m.Embeds {
		if e.Footer != nil {
			keys = append(keys, markKey(e.Footer.Text))
		}
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(m.Content), "\n")
	second, _, _ := strings.Cut(rest, "\n")
	id, named := strings.CutPrefix(second, idLabel)
	switch {
	case named && strings.HasPrefix(first, "You have a new "):
		keys = append(keys, idKey(strings.TrimSpace(id)))
	case len(keys) == 0:
		keys = append(keys, lineKey(first))
	}
	return keys
}

// readHistory passes on the messages in a channel or thread, newest first.
func (s *service) readHistory(ctx context.Context, channel string, since time.Time, until history.Message, each func(history.Message)) (complete bool, err error) {
	self, err := s.me(ctx)
	if err != nil {
		return false, err
	}
	before := ""
	if !until.At.IsZero() {
		before = snowflake(until.At.Add(time.Millisecond))
	}
	for i := range searchPages {
		page, err := s.list(ctx, channel, before)
		if err != nil {
			return false, err
		}
		if i == 0 && len(page) == 0 && until.At.IsZero() {
			return true, s.mayRead(ctx, channel)
		}
		for _, m := range page {
			found := entry(m, self)
			if found.At.Before(since) {
				return true, nil
			}
			each(found)
			before = m.ID
		}
		if len(page) < searchPage {
			return true, nil
		}
	}
	return false, nil
}

// entry is a message as the history keeps it: only our own have keys.
func entry(m *discordgo.Message, self string) history.Message {
	found := history.Message{ID: m.ID, At: timeOf(m.ID)}
	if m.Author != nil && m.Author.ID == self {
		found.Keys = keys(m)
	}
	return found
}

func (s *service) list(ctx context.Context, channel, before string) (page []*discordgo.Message, err error) {
	err = s.do(ctx, listMessages, channel, func(api *discordgo.Session, with discordgo.RequestOption) (err error) {
		page, err = api.ChannelMessages(channel, searchPage, before, "", "", with)
		foreign := func(m *discordgo.Message) bool { return m == nil || !isID(m.ID) }
		if err == nil && (page == nil || slices.ContainsFunc(page, foreign)) {
			err = errors.New("the answer lists no messages")
		}
		return err
	})
	return page, err
}

// mayRead looks why a channel shows no messages: to a bot that may not read them,
// Discord shows none, and no error.
func (s *service) mayRead(ctx context.Context, channel string) error {
	_, granted, err := s.permissions(ctx, channel)
	if err == nil && granted&discordgo.PermissionReadMessageHistory == 0 {
		return refused(listMessages, outbound.OneCall, "the bot may not read what was posted before", historyHint)
	}
	return err
}

// epoch is the beginning of Discord's time, in Unix milliseconds: an id begins with
// the time at which it was made.
const epoch = 1420070400000

// timeOf is when an id was made; zero for a text that is none.
func timeOf(id string) time.Time {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(n>>22) + epoch)
}

// snowflake is the lowest id of a time.
func snowflake(at time.Time) string {
	return strconv.FormatInt(max(at.UnixMilli()-epoch, 0)<<22, 10)
}
