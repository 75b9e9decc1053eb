package discord

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/check"
)

const (
	getChannel = "GET /channels/{channel}"
	getUser    = "GET /users/{user}"
)

// right is a permission that the plugin uses, as Discord's settings name it, and what
// is missing without it.
type right struct {
	bit        int64
	name, lack string
	// vital says that nothing can be told without it.
	vital bool
}

func rights() []right {
	return []right{
		{discordgo.PermissionViewChannel, "View Channel", "nothing can be posted", true},
		{discordgo.PermissionSendMessages, "Send Messages", "nothing can be posted", true},
		{discordgo.PermissionEmbedLinks, "Embed Links", "messages are plain text", false},
		{discordgo.PermissionReadMessageHistory, "Read Message History", "a post cannot be found again after a crash", false},
		{discordgo.PermissionCreatePublicThreads, "Create Public Threads", "reviews are shown in the announcement alone", false},
		{discordgo.PermissionSendMessagesInThreads, "Send Messages in Threads", "reviews are shown in the announcement alone", false},
	}
}

// Probes look whether presses would reach us, if any are to.
func (s *service) Probes() []check.Leg {
	if !s.listens {
		return nil
	}
	return []check.Leg{{Name: "application", What: "application of the Discord bot", Try: func(ctx context.Context) error {
		_, err := s.application(ctx)
		return err
	}}}
}

// Prove looks whether the bot may do its work in a channel.
func (s *service) Prove(ctx context.Context, name string) error {
	if mapped := s.mapped(ctx, name); mapped != "" {
		name = mapped
	}
	if id, isUser := strings.CutPrefix(name, userPrefix); isUser && isID(id) {
		return s.proveUser(ctx, id)
	}
	id, err := s.Resolve(ctx, name)
	if err == nil {
		err = s.proveChannel(ctx, id)
	}
	if hasCode(err, unknownChannel, missingAccess) {
		return fmt.Errorf("the bot cannot see the channel; invite it to the server with %s, and give it the permission \"View Channel\" in the channel", s.invite(ctx, ""))
	}
	return err
}

// proveUser looks for a user. To open the conversation would show no more: whether
// messages arrive depends on the user's settings.
func (s *service) proveUser(ctx context.Context, id string) error {
	return s.do(ctx, getUser, "", func(api *discordgo.Session, with discordgo.RequestOption) error {
		user, err := api.User(id, with)
		if err == nil && user == nil {
			err = errNotDiscords
		}
		return err
	})
}

// proveChannel compares the bot's permissions in a channel with those it needs.
func (s *service) proveChannel(ctx context.Context, id string) error {
	ch, granted, err := s.permissions(ctx, id)
	switch {
	case err != nil:
		return err
	case !writable(ch.Type):
		return fmt.Errorf("nothing can be posted in #%s, which is a forum or another channel without messages of its own; name a text channel", ch.Name)
	case ch.ThreadMetadata != nil && ch.ThreadMetadata.Locked:
		return fmt.Errorf("the thread #%s is locked, so that nothing can be posted in it; unlock it, or name another one", ch.Name)
	}
	return s.lacksOf(ctx, ch, granted)
}

// lacksOf are the permissions that the bot lacks in a channel.
func (s *service) lacksOf(ctx context.Context, ch *discordgo.Channel, granted int64) error {
	var found check.Findings
	for _, r := range rights() {
		if granted&r.bit != 0 || ch.IsThread() && r.bit == discordgo.PermissionSendMessages {
			continue
		}
		if ch.IsThread() && r.bit == discordgo.PermissionSendMessagesInThreads {
			r.lack, r.vital = "nothing can be posted", true
		}
		say := check.Lack
		if r.vital {
			say = fmt.Errorf
		}
		found = append(found, say("the bot lacks the permission %q in the channel #%s, so %s; grant it there, or invite the bot anew with %s",
			r.name, ch.Name, r.lack, s.invite(ctx, ch.GuildID)))
	}
	if len(found) == 0 {
		return nil
	}
	return found
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
			return errNotDiscords
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
	const directory discordgo.ChannelType = 14
	return !slices.Contains([]discordgo.ChannelType{
		discordgo.ChannelTypeGuildCategory, discordgo.ChannelTypeGuildForum, discordgo.ChannelTypeGuildMedia, discordgo.ChannelTypeGuildStore, directory,
	}, t)
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
