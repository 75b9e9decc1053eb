package slack

import (
	"context"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/outbound"
)

// Inspect looks whether the token may do its work and whether the configured
// recipients can be reached.
func (s *service) Inspect(ctx context.Context) (faults []string) {
	needed := map[string]string{
		"chat:write":       "nothing can be posted",
		"users:read.email": "recipients cannot be found by e-mail address",
	}
	if s.review.Enabled {
		needed["users:read"] = "nobody who presses a button is recognised"
	}
	for scope, why := range needed {
		if s.me().user != "" && len(s.missing(scope)) > 0 {
			faults = append(faults, fmt.Sprintf("the Slack app lacks the scope %s, without which %s; add it under OAuth & Permissions and install the app again", scope, why))
		}
	}
	slices.Sort(faults)
	for _, name := range s.configured {
		if fault := s.inspect(ctx, name); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults
}

// inspect says what is wrong with a recipient. What cannot be looked at is no fault
// of the recipient.
func (s *service) inspect(ctx context.Context, name string) string {
	address, err := s.Resolve(ctx, name)
	if ofPlace(err) {
		return fmt.Sprintf("the recipient %s cannot be told: %v", name, err)
	}
	if err != nil || isUser(address) {
		return ""
	}
	id, err := s.conversation(ctx, address)
	if ofPlace(err) && codeOf(err) != "missing_scope" {
		return fmt.Sprintf("the channel %s does not exist, is archived, or is private; invite the app to it with /invite", name)
	}
	if err != nil {
		return ""
	}
	return s.inspectChannel(ctx, id)
}

func (s *service) inspectChannel(ctx context.Context, id string) string {
	var ch *slack.Channel
	err := s.call(ctx, "conversations.info", "", func(ctx context.Context) (err error) {
		ch, err = s.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
		return whole(ch != nil && ch.ID != "", err)
	})
	switch {
	case codeOf(err) == "channel_not_found":
		return fmt.Sprintf("the channel %s does not exist or is private; invite the app to it with /invite", id)
	case err != nil:
		return ""
	case ch.IsArchived:
		return fmt.Sprintf("the channel %s (#%s) is archived; name another one", id, ch.Name)
	case !ch.IsMember && !ch.IsIM:
		return fmt.Sprintf("the app is no member of the channel %s (#%s); invite it there with /invite", id, ch.Name)
	}
	return ""
}

// ofPlace reports whether an error concerns one recipient alone.
func ofPlace(err error) bool {
	e, ok := err.(*outbound.Error)
	return ok && e.Kind == outbound.Refused && e.Scope == outbound.ThePlace
}
