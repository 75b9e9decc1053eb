package mattermost

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"teleport-plugins/lib/identity"
)

// isID reports whether a text has the form of Mattermost's ids.
func isID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// known takes an e-mail address, @username or the id of a user for one by which
// Mattermost knows somebody.
func known(text string) (name string, ok bool) {
	return text, isID(text) || identity.IsEmail(text) || isUsername(text)
}

func isUsername(s string) bool {
	return len(s) > 1 && s[0] == '@' && !strings.ContainsAny(s[1:], "@/ ")
}

// Resolve finds the channel of a recipient: team/channel, the id of a channel, or a
// person's e-mail address, @username or id, who is told in a direct message.
func (s *service) Resolve(ctx context.Context, name string) (string, error) {
	ch, err := s.find(ctx, name)
	return ch.ID, err
}

func (s *service) find(ctx context.Context, name string) (ch channel, err error) {
	team, in, named := strings.Cut(name, "/")
	switch {
	case isID(name):
		ch, err = s.byID(ctx, name)
	case identity.IsEmail(name):
		return s.direct(ctx, call{route: userByEmail, args: []string{name}})
	case isUsername(name):
		return s.direct(ctx, call{route: userByName, args: []string{strings.ToLower(name[1:])}})
	case named && team != "" && in != "" && !strings.Contains(in, "/"):
		ch, err = s.byNames(ctx, team, in)
	default:
		err = refused("resolve", "this is no recipient", "write team/channel, an e-mail address, @username, or the id of a channel")
	}
	if err == nil && ch.Deleted != 0 {
		err = refused("resolve", "the channel "+ch.Name+" is archived", "unarchive it, or name another one")
	}
	return ch, err
}

// byID finds a channel by its id, or the conversation with the user who has it.
func (s *service) byID(ctx context.Context, id string) (ch channel, err error) {
	err = s.do(ctx, call{route: channelByID, args: []string{id}}, &ch)
	if codeOf(err) != noSuchChannelID {
		return ch, err
	}
	person, unknown := s.direct(ctx, call{route: userByID, args: []string{id}})
	if codeOf(unknown) == noSuchUser {
		return channel{}, err
	}
	return person, unknown
}

// direct opens the conversation with the user whom a call finds; again and again it is
// the same. Mattermost finds users who are deactivated too, and takes posts for them.
func (s *service) direct(ctx context.Context, find call) (ch channel, err error) {
	var who user
	if err = s.do(ctx, find, &who); err != nil {
		return ch, err
	}
	if who.Deleted != 0 {
		return ch, refused(find.route, "the user "+who.Name+" is deactivated", "name another one")
	}
	self, err := s.me(ctx)
	if err == nil {
		err = s.do(ctx, call{route: openDirect, body: []string{self.ID, who.ID}}, &ch)
	}
	return ch, err
}

// byNames finds a channel by the names that stand in its address and, where one cannot
// be such a name, by those that people see.
func (s *service) byNames(ctx context.Context, team, name string) (ch channel, err error) {
	if inAddress(team) && inAddress(name) {
		err = s.do(ctx, call{route: channelByNames, args: []string{team, name}, query: url.Values{"include_deleted": {"true"}}}, &ch)
		return ch, err
	}
	t, err := s.team(ctx, team)
	if err != nil {
		return ch, err
	}
	if inAddress(name) {
		return s.byNames(ctx, t.Name, name)
	}
	var found channels
	if err = s.do(ctx, call{route: searchChannels, args: []string{t.ID}, body: map[string]string{"term": name}}, &found); err != nil {
		return ch, err
	}
	found = slices.DeleteFunc(found, func(c channel) bool { return c.Display != name })
	if ch, err = only(found, searchChannels, "public channel in the team "+t.Name+" that people see by this name"); err == nil {
		s.log.Info("A channel was found by the name that people see; others can have the same one, so write the name in its address",
			zap.String("recipient", team+"/"+name), zap.String("write", t.Name+"/"+ch.Name))
	}
	return ch, err
}

// team finds one of the teams that we are in, by either name.
func (s *service) team(ctx context.Context, name string) (team, error) {
	var ours teams
	if err := s.do(ctx, call{route: myTeams}, &ours); err != nil {
		return team{}, err
	}
	ours = slices.DeleteFunc(ours, func(t team) bool { return t.Name != name && t.Display != name })
	return only(ours, myTeams, "team of this name that the bot is in")
}

func only[T any](found []T, op, what string) (one T, err error) {
	switch len(found) {
	case 0:
		return one, refused(op, "there is no "+what, "write the names of team and channel as they stand in the channel's address")
	case 1:
		return found[0], nil
	}
	return one, refused(op, "there is more than one "+what, "write the names of team and channel as they stand in the channel's address")
}

// inAddress reports whether a name can stand in the address of a team or a channel.
// Anybody may give a channel a name for people that is another one's in addresses, so
// such a name is never looked for among those.
func inAddress(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
