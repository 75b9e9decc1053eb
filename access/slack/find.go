package slack

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/history"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// CanFind says whether the app may read the conversation that an address stands
// for. Slack names the scopes of a token in its answers; before the first one, for
// which Find asks, they count as missing.
func (s *service) CanFind(address string) bool { return len(s.missing(needs(address)...)) == 0 }

// needs are the scopes without which a message at an address cannot be found. A
// channel may be private, and one that is given by its name must be looked for.
func needs(address string) []string {
	switch {
	case isUser(address):
		return []string{"im:history", "im:write"}
	case isID(address) && address[0] == 'D':
		return []string{"im:history"}
	case isID(address):
		return []string{"channels:history", "groups:history"}
	}
	return []string{"channels:history", "groups:history", "channels:read", "groups:read"}
}

// missing are those of some scopes that the token lacks.
func (s *service) missing(scopes ...string) []string {
	held := s.me().scopes
	return slices.DeleteFunc(scopes, func(scope string) bool { return slices.Contains(held, scope) })
}

// forbidden is what Slack would say of a look-up without the scopes for it, once
// the scopes are known: that needs no call.
func (s *service) forbidden(address string) error {
	missing := s.missing(needs(address)...)
	if len(missing) == 0 || len(s.me().scopes) == 0 {
		return nil
	}
	e := &outbound.Error{Op: "conversations.history", Code: "missing_scope"}
	sortCode(e, e.Op, strings.Join(missing, ", "))
	return e
}

// blind says where messages cannot be looked up, and what to do about it.
func (s *service) blind() string {
	channels, direct := s.missing("channels:history", "groups:history"), s.missing("im:history", "im:write")
	where := "off"
	switch {
	case len(channels)+len(direct) == 0:
		return ""
	case len(direct) == 0:
		where = "off in channels"
	case len(channels) == 0:
		where = "off in direct messages"
	}
	return where + ": a crash or a lost answer may double one message in each; add to the Slack app the scope " +
		strings.Join(slices.Concat(channels, direct), ", ")
}

// Find looks for the messages of an effect: in the thread of the announcement for
// what is told there, else in what was said at the address since the request was
// made. An announcement without a mark is found too if it is built like one and its
// ID field names the request: those of Teleport's own plugin, and ours where Slack
// refused the mark.
func (s *service) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	if _, err := s.ours(ctx); err != nil {
		return nil, err
	}
	if err := s.forbidden(to.Address); err != nil {
		return nil, err
	}
	if e.Kind.Below() {
		return s.findReply(ctx, to.Message, markKey(mark(e, v)))
	}
	channel, err := s.conversation(ctx, to.Address)
	if err != nil {
		return nil, err
	}
	wanted := []string{markKey(mark(e, v))}
	if e == announce {
		wanted = append(wanted, unmarkedKey(v.ID))
	}
	ids, err := s.history.Find(ctx, channel, v.Created, wanted...)
	var found []plugindata.Message
	for _, id := range ids {
		found = append(found, plugindata.Message{Channel: channel, ID: id})
	}
	return found, err
}

// searchPages bounds how much is read in one search, in pages of pageSize messages.
// It is about what Slack lets an app read in a minute.
const (
	searchPages = 50
	pageSize    = 200
)

// pages reads one page of messages after the other. It reports whether it came to
// the end.
func (s *service) pages(
	ctx context.Context, method string,
	read func(ctx context.Context, cursor string) (page []slack.Message, more bool, next string, err error), each func(slack.Msg),
) (complete bool, err error) {
	cursor := ""
	for range searchPages {
		var page []slack.Message
		var more bool
		err := s.call(ctx, method, "", func(ctx context.Context) (err error) {
			page, more, cursor, err = read(ctx, cursor)
			return whole(page != nil, err)
		})
		if err != nil {
			return false, err
		}
		for i := range page {
			each(page[i].Msg)
		}
		if !more || cursor == "" {
			return true, nil
		}
	}
	return false, nil
}

// readHistory implements history.Read.
func (s *service) readHistory(ctx context.Context, channel string, since time.Time, until history.Message, each func(history.Message)) (complete bool, err error) {
	params := &slack.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: stamp(since), Limit: pageSize, Inclusive: true, IncludeAllMetadata: true,
	}
	if !until.At.IsZero() {
		params.Latest = stamp(until.At)
	}
	return s.pages(ctx, "conversations.history", func(ctx context.Context, cursor string) ([]slack.Message, bool, string, error) {
		params.Cursor = cursor
		a, err := s.api.GetConversationHistoryContext(ctx, params)
		if err != nil {
			return nil, false, "", err
		}
		return a.Messages, a.HasMore, a.ResponseMetaData.NextCursor, nil
	}, func(m slack.Msg) {
		each(history.Message{ID: m.Timestamp, At: stampedAt(m.Timestamp), Keys: keys(m)})
	})
}

// findReply looks for the messages with a key in the thread of a message.
func (s *service) findReply(ctx context.Context, m plugindata.Message, key string) (found []plugindata.Message, err error) {
	params := &slack.GetConversationRepliesParameters{ChannelID: m.Channel, Timestamp: m.ID, Limit: pageSize, IncludeAllMetadata: true}
	complete, err := s.pages(ctx, "conversations.replies", func(ctx context.Context, cursor string) ([]slack.Message, bool, string, error) {
		params.Cursor = cursor
		return s.api.GetConversationRepliesContext(ctx, params)
	}, func(r slack.Msg) {
		reply := plugindata.Message{Channel: m.Channel, ID: r.Timestamp}
		if slices.Contains(keys(r), key) && !slices.Contains(found, reply) {
			found = append(found, reply)
		}
	})
	if outbound.KindOf(err) == outbound.Gone { // there is no such thread
		return nil, nil
	}
	if err == nil && !complete {
		err = history.More()
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// markType names the metadata of our messages.
const markType = "teleport_access_request"

// maxMark bounds the id in the metadata, whose size Slack limits. Teleport's own
// ids have 36 characters.
const maxMark = 200

// mark is the metadata of a message of ours, by which it is found again: the effect
// that it is, and the request, whose id may be used again. Every member of a channel
// may read it, so it holds ids alone.
func mark(e integration.Effect, v request.View) slack.SlackMetadata {
	return slack.SlackMetadata{EventType: markType, EventPayload: map[string]any{
		"request": message.Cut(v.ID, maxMark), "created": strconv.FormatInt(v.Created.Unix(), 10), "effect": e.String(),
	}}
}

// markKey tells marks apart. It is empty for other metadata.
func markKey(m slack.SlackMetadata) string {
	if m.EventType != markType {
		return ""
	}
	return fmt.Sprint(m.EventPayload["effect"], "/", m.EventPayload["created"], "/", m.EventPayload["request"])
}

// unmarkedKey is what an announcement without a mark is found by.
func unmarkedKey(request string) string { return "id/" + request }

// keys are what one of our messages is found by. Messages of others have none, see
// shown.
func keys(m slack.Msg) []string {
	if key := markKey(m.Metadata); key != "" {
		return []string{key}
	}
	if id := announced(m.Blocks.BlockSet); id != "" && (m.ThreadTimestamp == "" || m.ThreadTimestamp == m.Timestamp) {
		return []string{unmarkedKey(id)}
	}
	return nil
}

// opening is the title of an announcement, and the ID that leads its fields.
var opening = regexp.MustCompile(`^You have a new (?:Role|Resource) Request(?: \(long-term access\))?:\n\*ID\*: (.*)`)

// announced gives the id of the request that the blocks of an announcement name: its
// title, then its fields, and further down the context with the status. It is empty
// for all else, whatever the texts say.
func announced(blocks []slack.Block) string {
	isContext := func(b slack.Block) bool { return b.BlockType() == slack.MBTContext }
	if len(blocks) < 3 || !slices.ContainsFunc(blocks[2:], isContext) {
		return ""
	}
	if m := opening.FindStringSubmatch(sectionText(blocks[0]) + "\n" + sectionText(blocks[1])); m != nil {
		return m[1]
	}
	return ""
}

func sectionText(b slack.Block) string {
	if s, ok := b.(*slack.SectionBlock); ok && s.Text != nil {
		return s.Text.Text
	}
	return ""
}

// stamp is a time as Slack's time stamps have it, in seconds.
func stamp(at time.Time) string {
	return strconv.FormatFloat(max(float64(at.UnixMicro())/1e6, 0), 'f', 6, 64)
}

// stampedAt is the time of a time stamp; of one that is none, it is zero.
func stampedAt(ts string) time.Time {
	seconds, err := strconv.ParseFloat(ts, 64)
	if err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e12 {
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6)))
}
