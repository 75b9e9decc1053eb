package discord

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/outbound"
)

const getChannel = "GET /channels/{channel}"

// rights are the permissions that the plugin uses, as Discord's settings name
// them, and what is missing without them.
func rights() []struct {
	bit        int64
	name, lack string
} {
	return []struct {
		bit        int64
		name, lack string
	}{
		{discordgo.PermissionViewChannel, "View Channel", "nothing can be posted"},
		{discordgo.PermissionSendMessages, "Send Messages", "nothing can be posted"},
		{discordgo.PermissionEmbedLinks, "Embed Links", "messages are plain text"},
		{discordgo.PermissionReadMessageHistory, "Read Message History", "a post cannot be found again after a crash"},
		{discordgo.PermissionCreatePublicThreads, "Create Public Threads", "reviews are shown in the announcement alone"},
		{discordgo.PermissionSendMessagesInThreads, "Send Messages in Threads", "reviews are shown in the announcement alone"},
	}
}

// Inspect looks whether the bot may do its work in the channels of the config.
func (s *service) Inspect(ctx context.Context) []string {
	if _, err := s.me(ctx); err != nil {
		return nil // Check tells it
	}
	faults := s.unheard(ctx)
	for _, name := range s.configured {
		if strings.HasPrefix(name, userPrefix) || s.Person(name) != "" {
			continue // to look would open a conversation
		}
		if strings.Contains(name, "://") {
			faults = append(faults, "a web address is no recipient; "+webAddressHint)
			continue
		}
		id, err := s.Resolve(ctx, name)
		if err == nil {
			err = s.inspect(ctx, name, id, &faults)
		}
		switch {
		case hasCode(err, unknownChannel, missingAccess):
			faults = append(faults, fmt.Sprintf("the bot cannot see the channel %s; invite it to the server with %s, and give it the permission \"View Channel\" in the channel", name, s.invite(ctx, "")))
		case err != nil && outbound.KindOf(err) == outbound.Refused:
			faults = append(faults, fmt.Sprintf("the recipient %s cannot be told: %v", name, err))
		}
	}
	return faults
}

// unheard says why no press would reach us, if any is to.
func (s *service) unheard(ctx context.Context) []string {
	if !s.listens {
		return nil
	}
	if _, err := s.application(ctx); errors.As(err, new(fatal)) {
		return []string{err.Error()}
	}
	return nil
}

// inspect compares the bot's permissions in one channel with those it needs.
func (s *service) inspect(ctx context.Context, name, id string, faults *[]string) error {
	ch, granted, err := s.permissions(ctx, id)
	switch {
	case err != nil:
		return err
	case !writable(ch.Type):
		*faults = append(*faults, fmt.Sprintf("nothing can be posted in %s (#%s), which is a forum or another channel without messages of its own; name a text channel", name, ch.Name))
		return nil
	}
	for _, r := range rights() {
		if granted&r.bit == 0 {
			*faults = append(*faults, fmt.Sprintf("the bot lacks the permission %q in the channel %s (#%s), so %s; grant it there, or invite the bot anew with %s",
				r.name, name, ch.Name, r.lack, s.invite(ctx, ch.GuildID)))
		}
	}
	return nil
}

// permissions are those of the bot in a channel; those in a thread are those in
// the channel that it is in. In direct messages nothing is missing.
func (s *service) permissions(ctx context.Context, id string) (ch *discordgo.Channel, granted int64, err error) {
	self, err := s.me(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = s.do(ctx, getChannel, id, func(api *discordgo.Session, with discordgo.RequestOption) (err error) {
		if ch, err = api.Channel(id, with); err != nil {
			return err
		}
		if ch == nil {
			return errors.New("the answer names no channel")
		}
		if ch.GuildID == "" {
			granted = discordgo.PermissionAll
			return nil
		}
		in := id
		if ch.IsThread() {
			in = ch.ParentID
		}
		granted, err = api.UserChannelPermissions(self, in, with)
		return err
	})
	return ch, granted, err
}

// withholds reports whether the bot is known to lack a permission in a channel.
func (s *service) withholds(ctx context.Context, channel string, right int64) bool {
	_, granted, err := s.permissions(ctx, channel)
	return err == nil && granted&right == 0
}

// writable reports whether a kind of channel has messages of its own.
func writable(t discordgo.ChannelType) bool {
	return t != discordgo.ChannelTypeGuildCategory && t != discordgo.ChannelTypeGuildForum && t != discordgo.ChannelTypeGuildMedia
}

// invite is the address at which a server's owner lets the bot in with all that
// it needs.
func (s *service) invite(ctx context.Context, guild string) string {
	app, _ := s.me(ctx) // the same for all but very old bots
	var answer struct{ ID string }
	if err := s.raw(ctx, getApplication, "", discordgo.EndpointAPI+"applications/@me", nil, &answer); err == nil && isID(answer.ID) {
		app = answer.ID
	}
	bits := int64(0)
	for _, r := range rights() {
		bits |= r.bit
	}
	link := fmt.Sprintf("https://discord.com/oauth2/authorize?client_id=%s&scope=bot&permissions=%d", app, bits)
	if guild != "" {
		link += "&guild_id=" + guild
	}
	return link
}
