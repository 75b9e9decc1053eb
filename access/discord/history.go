package discord

import (
	"context"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/history"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// How far back messages are read: pages of as many as Discord gives at once.
const (
	searchPages = 20
	searchPage  = 100
)

// CanFind says yes: a channel whose messages may not be read is rare, and there
// the nonce of a post speaks for it.
func (s *service) CanFind() bool { return true }

// Find looks in the channel for our announcement of the request, by the mark in
// its card or, where there is none, by the line with the request's id.
func (s *service) Find(ctx context.Context, channel string, v message.View) (plugindata.Message, bool, error) {
	if !isID(channel) {
		return plugindata.Message{}, false, nil
	}
	id, err := s.history.Find(ctx, channel, v.Created, footer(v.ID), idLine(v.ID))
	if err != nil || id == "" {
		return plugindata.Message{}, false, unlessPermanent(err)
	}
	return plugindata.Message{Channel: channel, ID: id}, true, nil
}

// idLine is the line of an announcement that names the request.
func idLine(id string) string {
	return fieldText(message.Field{Label: "ID", Text: id}, message.InlineLimit)
}

// keys are what an announcement is found by: the mark in its card, and the line
// with the request's id.
func keys(m *discordgo.Message) (keys []string) {
	for _, e := range m.Embeds {
		if e.Footer != nil {
			keys = append(keys, e.Footer.Text)
		}
	}
	label := idLine("")
	for line := range strings.SplitSeq(m.Content, "\n") {
		if strings.HasPrefix(line, label) {
			keys = append(keys, line)
		}
	}
	return keys
}

// readHistory tells of the messages in a channel, newest first.
func (s *service) readHistory(ctx context.Context, channel string, since time.Time, each func(history.Message)) error {
	return s.read(ctx, channel, since, func(m *discordgo.Message, own bool) bool {
		found := history.Message{ID: m.ID, At: m.Timestamp}
		if own {
			found.Keys = keys(m)
		}
		each(found)
		return true
	})
}

// FindReply looks in the thread for the text that tells the review. What may not
// be read counts as not found.
func (s *service) FindReply(ctx context.Context, m plugindata.Message, v message.View, review int) (found bool, err error) {
	if !isID(m.ID) {
		return false, nil
	}
	r := v.Reviews[review]
	err = s.read(ctx, m.ID, r.Created.Add(-history.ClockSlack), func(m *discordgo.Message, own bool) bool {
		found = own && m.Content == replyText(r)
		return !found
	})
	return found, unlessPermanent(err)
}

// read tells of the messages in a channel or thread since a time, newest first,
// until there are no more or each wants no more.
func (s *service) read(ctx context.Context, channel string, since time.Time, each func(m *discordgo.Message, own bool) bool) error {
	self, err := s.me(ctx)
	if err != nil {
		return err
	}
	before := ""
	for range searchPages {
		var page []*discordgo.Message
		err := s.do(ctx, listMessages, channel, func(api *discordgo.Session, with discordgo.RequestOption) (err error) {
			page, err = api.ChannelMessages(channel, searchPage, before, "", "", with)
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range page {
			if m.Timestamp.Before(since) || !each(m, m.Author != nil && m.Author.ID == self) {
				return nil
			}
			before = m.ID
		}
		if len(page) < searchPage {
			return nil
		}
	}
	return nil
}

func unlessPermanent(err error) error {
	if outbound.KindOf(err) == outbound.Permanent {
		return nil
	}
	return err
}
