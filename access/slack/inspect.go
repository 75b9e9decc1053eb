package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/outbound"
)

// Probes are the scopes of the app.
func (s *service) Probes() []check.Leg {
	return []check.Leg{{Name: "scopes", What: "scopes of the Slack app", Try: s.proveScopes}}
}

// proveScopes looks whether the token may do its work.
func (s *service) proveScopes(context.Context) error {
	if s.me().user == "" {
		return nil // nothing is known
	}
	var found check.Findings
	need := func(scope, lack string, say func(format string, args ...any) error) {
		if len(s.missing(scope)) > 0 {
			found = append(found, say("%s is missing, without which %s; add it under OAuth & Permissions and install the app again", scope, lack))
		}
	}
	byEmail := check.Lack
	if slices.ContainsFunc(s.configured, identity.IsEmail) {
		byEmail = fmt.Errorf
	}
	need("chat:write", "nothing can be posted", fmt.Errorf)
	need("users:read.email", "people cannot be found by their e-mail addresses", byEmail)
	if s.review.Enabled {
		need("users:read", "nobody who presses a button is recognised", fmt.Errorf)
	}
	return found
}

// Prove looks whether messages can be posted to a recipient, as far as the scopes of
// the app allow.
func (s *service) Prove(ctx context.Context, name string) error {
	address, err := s.Resolve(ctx, name)
	switch {
	case codeOf(err) == "missing_scope" && identity.IsEmail(name):
		return check.Skip("it takes the scope users:read.email, see above")
	case err != nil:
		return err
	case isUser(address):
		return unseen(s.proveUser(ctx, address))
	case strings.HasPrefix(address, "D") && isID(address):
		return check.Lack("a conversation with one person cannot be looked at; check --send proves it by a test message")
	}
	id, err := s.conversation(ctx, address)
	if ofPlace(err) && codeOf(err) != "missing_scope" {
		return errors.New("there is no such channel, it is archived, or it is private; invite the app to it with /invite")
	}
	if err == nil {
		err = s.proveChannel(ctx, id)
	}
	return unseen(err)
}

// unseen makes a look that the scopes do not allow no fault of the recipient.
func unseen(err error) error {
	if codeOf(err) != "missing_scope" {
		return err
	}
	return check.Lack("not looked at, since the app lacks a scope (%v); check --send proves it by a test message", err)
}

func (s *service) proveUser(ctx context.Context, id string) error {
	if s.me().team == "" {
		return check.Lack("not looked at, since it is not known to which workspace the app belongs")
	}
	who, err := s.whois(ctx, id)
	switch {
	case err != nil:
		return err
	case who.Outsider == "deactivated":
		return errors.New("the user is deactivated; name another one")
	case who.Outsider == "a bot":
		return errors.New("the user is a bot, to whom apps cannot write; name another one")
	}
	return nil
}

func (s *service) proveChannel(ctx context.Context, id string) error {
	var ch *slack.Channel
	err := s.call(ctx, "conversations.info", "", func(ctx context.Context) (err error) {
		ch, err = s.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
		return whole(ch != nil && ch.ID != "", err)
	})
	switch {
	case codeOf(err) == "channel_not_found":
		return errors.New("there is no such channel, or it is private; invite the app to it with /invite")
	case err != nil:
		return err
	case ch.IsArchived:
		return fmt.Errorf("the channel #%s is archived; name another one", ch.Name)
	case ch.IsMember || ch.IsIM, !ch.IsPrivate && len(s.missing("chat:write.public")) == 0:
		return nil
	}
	return fmt.Errorf("the app is no member of the channel #%s; invite it there with /invite", ch.Name)
}

// ofPlace reports whether an error concerns one recipient alone.
func ofPlace(err error) bool {
	e, ok := err.(*outbound.Error)
	return ok && e.Kind == outbound.Refused && e.Scope == outbound.ThePlace
}
