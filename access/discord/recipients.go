package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/recipient"
)

const (
	getChannel   = "GET /channels/{channel}"
	listGuilds   = "GET /users/@me/guilds"
	listChannels = "GET /guilds/{guild}/channels"
	openDM       = "POST /users/@me/channels"
)

// userPrefix goes before the id of a user among the recipients.
const userPrefix = "user:"

// found is the channel that a name stands for.
type found struct {
	id    string
	until time.Time
}

// nameAge is how long it is believed that a name stands for a channel.
const nameAge = 10 * time.Minute

// isID reports whether a text can be one of Discord's ids.
func isID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

func notFound(op, name string) error {
	return &outbound.Error{Kind: outbound.Permanent, Op: op, Err: fmt.Errorf("%q is none of Discord's ids", name)}
}

func permanent(op, what, hint string) error {
	return &outbound.Error{Kind: outbound.Permanent, Op: op, Err: errors.New(what), Hint: hint}
}

// Resolve finds the channel of a recipient: the id of a channel, which is taken
// as it is, server/channel, user:id, or a Teleport user whom the config maps.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	if mapped := s.Person(name); mapped != "" {
		name = mapped
	}
	id, isUser := strings.CutPrefix(name, userPrefix)
	switch {
	case isUser && isID(id):
		return s.directMessage(ctx, id)
	case isID(name):
		return name, nil
	case recipient.IsEmail(name):
		return "", permanent("resolve", "nobody on Discord is known for "+name, "add the user to [discord.users]")
	case strings.Contains(name, "/") && !isUser:
		return s.named(ctx, name)
	}
	return "", permanent("resolve", fmt.Sprintf("the recipient %q is no channel", name), "write the id of a channel, server/channel, or user:id")
}

func (s *service) directMessage(ctx context.Context, user string) (id string, err error) {
	err = s.do(ctx, openDM, "", func(api *discordgo.Session, with discordgo.RequestOption) error {
		ch, err := api.UserChannelCreate(user, with)
		if err == nil && ch != nil {
			id = ch.ID
		}
		return err
	})
	if err == nil && id == "" {
		err = &outbound.Error{Kind: outbound.Retry, Op: openDM, Err: errors.New("the answer names no channel")}
	}
	return id, err
}

// named finds a channel by the name or id of its server and its own name.
func (s *service) named(ctx context.Context, name string) (string, error) {
	s.mu.Lock()
	f, ok := s.known[name]
	s.mu.Unlock()
	if ok && time.Now().Before(f.until) {
		return f.id, nil
	}
	cut := strings.LastIndex(name, "/")
	guild, err := s.guild(ctx, name[:cut])
	if err != nil {
		return "", err
	}
	id, err := s.channelIn(ctx, guild, strings.TrimPrefix(name[cut+1:], "#"))
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[name] = found{id, time.Now().Add(nameAge)}
	return id, nil
}

func (s *service) guild(ctx context.Context, name string) (string, error) {
	if isID(name) {
		return name, nil
	}
	var ids []string
	err := s.do(ctx, listGuilds, "", func(api *discordgo.Session, with discordgo.RequestOption) error {
		list, err := api.UserGuilds(200, "", "", false, with)
		for _, g := range list {
			if strings.EqualFold(g.Name, name) {
				ids = append(ids, g.ID)
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return only(ids, listGuilds, fmt.Sprintf("server named %q that the bot is a member of", name))
}

func (s *service) channelIn(ctx context.Context, guild, name string) (string, error) {
	var ids []string
	err := s.do(ctx, listChannels, guild, func(api *discordgo.Session, with discordgo.RequestOption) error {
		list, err := api.GuildChannels(guild, with)
		for _, ch := range list {
			text := ch.Type == discordgo.ChannelTypeGuildText || ch.Type == discordgo.ChannelTypeGuildNews
			if text && strings.EqualFold(ch.Name, name) {
				ids = append(ids, ch.ID)
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return only(ids, listChannels, fmt.Sprintf("text channel named %q on the server", name))
}

func only(ids []string, op, what string) (string, error) {
	switch len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", permanent(op, "there is no "+what, "check the name")
	}
	return "", permanent(op, "there is more than one "+what, "write the id in place of the name")
}

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
	self, err := s.me(ctx)
	if err != nil {
		return nil // Check tells it
	}
	var faults []string
	for _, name := range s.configured {
		if strings.HasPrefix(name, userPrefix) || s.Person(name) != "" {
			continue // to look would open a conversation
		}
		id, err := s.Resolve(ctx, name)
		if err == nil {
			err = s.inspect(ctx, self, name, id, &faults)
		}
		switch {
		case hasCode(err, unknownChannel, missingAccess):
			faults = append(faults, fmt.Sprintf("the bot cannot see the channel %s; invite it to the server with %s, and give it the permission \"View Channel\" in the channel", name, s.invite(ctx, "")))
		case outbound.KindOf(err) == outbound.Permanent && err != nil:
			faults = append(faults, fmt.Sprintf("the recipient %s cannot be told: %v", name, err))
		}
	}
	return faults
}

// inspect compares the bot's permissions in one channel with those it needs.
func (s *service) inspect(ctx context.Context, self, name, id string, faults *[]string) error {
	var ch *discordgo.Channel
	granted := int64(discordgo.PermissionAll)
	err := s.do(ctx, getChannel, id, func(api *discordgo.Session, with discordgo.RequestOption) (err error) {
		if ch, err = api.Channel(id, with); err == nil && ch.GuildID != "" {
			granted, err = api.UserChannelPermissions(self, id, with)
		}
		return err
	})
	if err != nil || ch.GuildID == "" {
		return err
	}
	for _, r := range rights() {
		if granted&r.bit == 0 {
			*faults = append(*faults, fmt.Sprintf("the bot lacks the permission %q in the channel %s (#%s), so %s; grant it there, or invite the bot anew with %s",
				r.name, name, ch.Name, r.lack, s.invite(ctx, ch.GuildID)))
		}
	}
	return nil
}

// invite is the address at which a server's owner lets the bot in with all that
// it needs.
func (s *service) invite(ctx context.Context, guild string) string {
	app, _ := s.me(ctx) // the same for all but very old bots
	_ = s.do(ctx, "GET /applications/@me", "", func(api *discordgo.Session, with discordgo.RequestOption) error {
		answer, err := api.RequestWithBucketID("GET", discordgo.EndpointAPI+"applications/@me", nil, "", with)
		var body struct{ ID string }
		if err == nil && json.Unmarshal(answer, &body) == nil && isID(body.ID) {
			app = body.ID
		}
		return err
	})
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
