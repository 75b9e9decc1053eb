package discord

import (
	"context"
	"strconv"
	"strings"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// What goes before the request's id in the custom id of a button.
const (
	approvePrefix = "approve:"
	denyPrefix    = "deny:"
)

// buttonIDLimit bounds the id of a request that has buttons, so that the custom id of
// the dialog has room for it. Teleport's own ids have 36 characters.
const buttonIDLimit = 48

// decisionRow is the row of buttons with which people decide, or nothing where a
// request cannot be decided in Discord.
func decisionRow(v request.View) []discordgo.MessageComponent {
	if !v.Decidable || v.Status.Ended() || v.ID == "" || size(v.ID) > buttonIDLimit {
		return nil
	}
	return []discordgo.MessageComponent{discordgo.ActionsRow{Components: []discordgo.MessageComponent{
		discordgo.Button{Label: "Approve", Style: discordgo.SuccessButton, CustomID: approvePrefix + v.ID},
		discordgo.Button{Label: "Deny", Style: discordgo.DangerButton, CustomID: denyPrefix + v.ID},
	}}}
}

// decided reads the custom id of a button.
func decided(custom string) (verdict request.Status, id string, ok bool) {
	if id, ok = strings.CutPrefix(custom, approvePrefix); ok && id != "" {
		return request.Approved, id, true
	}
	if id, ok = strings.CutPrefix(custom, denyPrefix); ok && id != "" {
		return request.Denied, id, true
	}
	return "", "", false
}

// dialog is what the custom id of a dialog holds. The dialog's answer comes from the
// person's client, so all of it is held against what Discord says.
type dialog struct {
	verdict request.Status
	message plugindata.Message
	opener  string
	request string
}

// dialogPrefix goes before the parts of a dialog's custom id.
const dialogPrefix = "reason:"

// String is the custom id. The ids are written to the base 36: in full they would not
// fit.
func (d dialog) String() string {
	kind := "a"
	if d.verdict == request.Denied {
		kind = "d"
	}
	return dialogPrefix + strings.Join([]string{kind, short(d.message.Channel), short(d.message.ID), short(d.opener), d.request}, ":")
}

func short(id string) string {
	n, _ := strconv.ParseUint(id, 10, 64)
	return strconv.FormatUint(n, 36)
}

// readDialog reads the custom id of a dialog.
func readDialog(custom string) (d dialog, ok bool) {
	rest, ok := strings.CutPrefix(custom, dialogPrefix)
	parts := strings.SplitN(rest, ":", 5)
	if !ok || len(parts) != 5 || parts[4] == "" {
		return d, false
	}
	switch parts[0] {
	case "a":
		d.verdict = request.Approved
	case "d":
		d.verdict = request.Denied
	default:
		return d, false
	}
	for i, to := range []*string{&d.message.Channel, &d.message.ID, &d.opener} {
		n, err := strconv.ParseUint(parts[i+1], 36, 64)
		if err != nil {
			return d, false
		}
		*to = strconv.FormatUint(n, 10)
	}
	d.request = parts[4]
	return d, true
}

// offered is the view as a channel may show it: in threads nothing is decided, since
// Discord delivers no press from one that is archived. What kind of channel it is was
// asked before, or is asked now.
func (s *service) offered(ctx context.Context, channel string, v request.View) (request.View, error) {
	if !v.Decidable {
		return v, nil
	}
	thread, err := s.isThread(ctx, channel)
	if outbound.KindOf(err) == outbound.Refused && !outbound.RefusesToken(err) {
		thread, err = true, nil // to post is up to the call that posts
	}
	v.Decidable = !thread && err == nil
	return v, err
}

// isThread asks once what kind of channel it is.
func (s *service) isThread(ctx context.Context, channel string) (bool, error) {
	s.mu.Lock()
	thread, known := s.threadly[channel]
	s.mu.Unlock()
	if known {
		return thread, nil
	}
	var ch struct {
		ID   string                `json:"id"`
		Type discordgo.ChannelType `json:"type"`
	}
	if err := s.raw(ctx, getChannel, channel, discordgo.EndpointChannel(channel), nil, &ch); err != nil {
		return false, err
	}
	switch ch.Type {
	case discordgo.ChannelTypeGuildNewsThread, discordgo.ChannelTypeGuildPublicThread, discordgo.ChannelTypeGuildPrivateThread:
		thread = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.threadly == nil || len(s.threadly) >= maxLacking {
		s.threadly = make(map[string]bool)
	}
	s.threadly[channel] = thread
	return thread, nil
}
