package mattermost

import (
	"context"
	"fmt"
	"strings"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/outbound"
)

// Probes look whose account it is.
func (s *service) Probes() []check.Leg {
	return []check.Leg{{Name: "account", What: "account in Mattermost", Try: func(ctx context.Context) error {
		self, err := s.me(ctx)
		if err == nil && !self.Bot {
			return check.Lack("the token is that of the user %s and not of a bot, so that messages are sent in that name", self.Name)
		}
		return err
	}}}
}

// Prove looks whether posts to a recipient can be made, and changed later: with the
// right to post everywhere a bot can post where it is no member, and never edit.
func (s *service) Prove(ctx context.Context, name string) error {
	ch, err := s.find(ctx, name)
	if err != nil || ch.Type == "D" {
		return err
	}
	err = s.do(ctx, call{route: ourMembership, args: []string{ch.ID}}, &member{})
	switch team, in, named := strings.Cut(name, "/"); {
	case err == nil && named && !(inAddress(team) && inAddress(in)):
		return check.Remark("the recipient %s is found by a name that others can give to a channel too; write the names in the channel's address, where it is called %s", name, ch.Name)
	case err == nil, outbound.KindOf(err) != outbound.Refused, outbound.RefusesToken(err):
		return err
	}
	self, _ := s.me(ctx) // it is known by now
	return fmt.Errorf("the bot is no member of the channel %s, so that its posts there would never show what has become of a request; invite it with /invite @%s", ch.Name, self.Name)
}
