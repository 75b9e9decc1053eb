package discord

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

const (
	listGuilds   = "GET /users/@me/guilds"
	listChannels = "GET /guilds/{guild}/channels"
	openDM       = "POST /users/@me/channels"
)

// userPrefix goes before the id of a user among the recipients.
const userPrefix = "user:"

const webAddressHint = "write the id of the channel; a webhook is not used, and its address is a secret"

// isID reports whether a text can be one of Discord's ids.
func isID(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// Resolve finds the channel of a recipient: the id of a channel, which is taken
// as it is, server/channel, user:id, or a Teleport user whom the config maps.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	if mapped := s.mapped(ctx, name); mapped != "" {
		name = mapped
	}
	id, isUser := strings.CutPrefix(name, userPrefix)
	switch {
	case isUser && isID(id):
		return s.directMessage(ctx, id)
	case isID(name):
		return name, nil
	case message.IsWebAddress(name): // a webhook's address is a secret, and is not shown
		return "", refused("resolve", outbound.ThePlace, "a web address is no recipient", webAddressHint)
	case identity.IsEmail(name):
		return "", refused("resolve", outbound.ThePlace, "nobody on Discord is known for "+name, "add the user to [identity.users]")
	case strings.Contains(name, "/") && !isUser:
		return s.named(ctx, name)
	}
	return "", refused("resolve", outbound.ThePlace, fmt.Sprintf("the recipient %q is no channel", name), "write the id of a channel, server/channel, or user:id")
}

// mapped is the recipient for whom the name of a Teleport user stands, or empty.
func (s *service) mapped(ctx context.Context, name string) string {
	if identity.IsEmail(name) {
		return s.Person(ctx, name)
	}
	return s.people.Listed(name)
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
	cut := strings.LastIndex(name, "/")
	guild, err := s.guild(ctx, name[:cut])
	if err != nil {
		return "", err
	}
	return s.channelIn(ctx, guild, strings.TrimPrefix(name[cut+1:], "#"))
}

func (s *service) guild(ctx context.Context, name string) (string, error) {
	if isID(name) {
		return name, nil
	}
	var ids []string
	err := s.do(ctx, listGuilds, "", func(api *discordgo.Session, with discordgo.RequestOption) error {
		list, err := api.UserGuilds(200, "", "", false, with)
		if err == nil && list == nil {
			err = errors.New("the answer lists no servers")
		}
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
		if err == nil && list == nil {
			err = errors.New("the answer lists no channels")
		}
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
		return "", refused(op, outbound.ThePlace, "there is no "+what, "check the name")
	}
	return "", refused(op, outbound.ThePlace, "there is more than one "+what, "write the id in place of the name")
}
