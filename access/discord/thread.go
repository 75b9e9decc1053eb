package discord

import (
	"context"
	"errors"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// review tells a review in the thread of the announcement, which has the id of
// the message. Where there can be no threads, the announcement alone shows it.
func (s *service) review(ctx context.Context, m plugindata.Message, e integration.Effect, v request.View) error {
	switch {
	case !isID(m.Channel) || !isID(m.ID):
		return notAnID(startThread, m.Channel+"/"+m.ID)
	case e.Index < 0 || e.Index >= len(v.Reviews) || unknown(v.Reviews[e.Index]) || s.lacks(threads, m.Channel):
		return nil
	}
	err := s.inThread(ctx, m, e, v)
	switch {
	case hasCode(err, wrongChannelType): // direct messages have no threads
		s.lack(threads, m.Channel)
		return nil
	case hasCode(err, tooManyThreads):
		return s.goWithout(m.Channel, err)
	case hasCode(err, missingRight, missingAccess):
		return s.deniedThread(ctx, m.Channel, err)
	case hasCode(err, archivedThread, lockedThread): // by people, who want no more of it
		return nil
	}
	if err == nil {
		s.has(threads, m.Channel)
	}
	return err
}

// deniedThread finds out how far it reaches that a thread was refused for want of a
// permission: Discord gives the same answer to every call in a channel that is
// closed to the bot. That only threads are missing is believed where the channel's
// permissions say so.
func (s *service) deniedThread(ctx context.Context, channel string, denied error) error {
	const (
		posts  = discordgo.PermissionViewChannel | discordgo.PermissionSendMessages
		thread = discordgo.PermissionCreatePublicThreads | discordgo.PermissionSendMessagesInThreads
	)
	_, granted, err := s.permissions(ctx, channel)
	closed := outbound.KindOf(err) == outbound.Refused && !outbound.RefusesToken(err)
	switch {
	case closed, err == nil && granted&posts != posts:
		return denied
	case err != nil:
		return err
	case granted&thread != thread:
		return s.goWithout(channel, denied)
	}
	return rescoped(denied, outbound.OneCall, "the bot's permissions in the channel allow it by now; see whether the bot is timed out")
}

// goWithout has the announcements of a channel alone show the reviews. It says so
// once.
func (s *service) goWithout(channel string, err error) error {
	if !s.lack(threads, channel) {
		return nil
	}
	return rescoped(err, outbound.TheMethod, threadsHint)
}

const threadsHint = `give the bot the permissions "Create Public Threads" and "Send Messages in Threads" in the channel, or archive some of its threads; until then the announcement alone shows the reviews`

// rescoped is a failure that is understood to be a refusal of another reach.
func rescoped(err error, scope outbound.Scope, hint string) error {
	var e *outbound.Error
	if errors.As(err, &e) {
		e.Kind, e.Scope, e.Hint = outbound.Refused, scope, hint
	}
	return err
}

// inThread tells a review in the thread, which it opens before the first one and
// wherever it is missing.
func (s *service) inThread(ctx context.Context, m plugindata.Message, e integration.Effect, v request.View) error {
	tell := func() error { return s.tell(ctx, m.ID, reviewNote(v.Reviews[e.Index]), e, v) }
	if e.Index > 0 {
		if err := tell(); !hasCode(err, unknownChannel) {
			return err
		}
	}
	if err := s.openThread(ctx, m, v); err != nil {
		return err
	}
	err := tell()
	if hasCode(err, unknownChannel) { // not what the thread's opening has led us to expect
		return &outbound.Error{Kind: outbound.Retry, Op: createMessage, Err: err}
	}
	return err
}

// threadMinutes is how long a thread stays in the list after its last message.
const threadMinutes = 1440

// openThread opens the thread of a message if it has none.
func (s *service) openThread(ctx context.Context, m plugindata.Message, v request.View) error {
	var thread struct{ ID string }
	err := s.raw(ctx, startThread, m.Channel, discordgo.EndpointChannelMessageThread(m.Channel, m.ID), map[string]any{
		"name": "Access request from " + plainText(v.User, 30), "auto_archive_duration": threadMinutes,
	}, &thread)
	switch {
	case hasCode(err, threadExists):
		return nil
	case err == nil && thread.ID == "":
		return &outbound.Error{Kind: outbound.Retry, Op: startThread, Err: errors.New("the answer names no thread")}
	}
	return err
}
