package mattermost

import (
	"net/http"
	"slices"
	"strings"

	"teleport-plugins/lib/outbound"
)

// The ids of errors on which something other than the kind of failure depends.
const (
	noRight         = "api.context.permissions.app_error"
	noRightToEdit   = "api.post.update_post.permissions_details.app_error"
	noSuchRoute     = "api.context.404.app_error" // the server is another one, or below another path
	noSuchChannel   = "app.channel.get_by_name.missing.app_error"
	noSuchTeam      = "app.team.get_by_name.missing.app_error"
	noSuchChannelID = "app.channel.get.existing.app_error"
	noSuchUser      = "app.user.missing_account.const"
)

// Sentences that hold for several verdicts.
const (
	hintToken    = "set mattermost.token to the bot's current access token, and see that the bot is enabled"
	hintInvite   = "add the bot to the team, and invite it to the channel"
	hintArchived = "the channel is archived; unarchive it, or name another one"
	hintChannel  = "there is no such channel, or it is private; check the names as they stand in the channel's address, and invite the bot to it"
	hintUser     = "no account has this address, name or id"
)

// verdict is what can be done about some of Mattermost's errors.
type verdict struct {
	kind  outbound.Kind
	scope outbound.Scope
	ids   string // with spaces between them
	hint  string // what a person can do
}

// verdicts are by the ids of errors: their messages are translated.
var verdicts = []verdict{
	{outbound.Retry, 0, "api.post.deduplicate_create_post.pending", ""}, // the first call is in work still
	{outbound.Gone, 0, "app.post.get.app_error api.post.create_post.root_id.app_error", ""},
	{outbound.Fixed, 0, "api.post.update_post.permissions_time_limit.app_error", "the server lets posts be edited for a limited time; give the bot's role a longer one"},
	{outbound.Refused, outbound.OneCall, noRight + " " + noRightToEdit, hintInvite},
	{
		outbound.Refused, outbound.ThePlace,
		"api.post.create_post.can_not_post_to_deleted.error api.post.patch_post.can_not_update_post_in_deleted.error api.post.update_post.can_not_update_post_in_deleted.error",
		hintArchived,
	},
	{outbound.Refused, outbound.ThePlace, noSuchChannel + " " + noSuchChannelID, hintChannel},
	{outbound.Refused, outbound.ThePlace, noSuchTeam, "check the team's name as it stands in its address, and add the bot to the team"},
	{outbound.Refused, outbound.ThePlace, noSuchUser + " app.user.get_by_username.app_error", hintUser},
	{
		outbound.Refused, outbound.ThePlace, "api.user.get_user_by_email.permissions.app_error",
		"the server hides e-mail addresses; write @username, or let the bot see addresses (PrivacySettings.ShowEmailAddress)",
	},
	{outbound.Refused, outbound.OneCall, "model.post.is_valid.msg.app_error model.post.is_valid.message_length.app_error", "the server takes shorter posts only; see its setting MaxPostSize"},
}

// lookups are calls about one recipient: what is refused there concerns that one.
var lookups = []string{userByEmail, userByName, userByID, channelByID, channelByNames, searchChannels, openDirect}

// judge says what can be done about a call that Mattermost refused. What nobody knows
// concerns that call alone.
func (r *refusal) judge(e *outbound.Error, route string) {
	e.Code, e.Err = r.ID, r
	i := slices.IndexFunc(verdicts, func(v verdict) bool { return slices.Contains(strings.Fields(v.ids), r.ID) })
	switch {
	case r.Status == http.StatusUnauthorized:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, hintToken
	case i >= 0:
		e.Kind, e.Scope, e.Hint = verdicts[i].kind, verdicts[i].scope, verdicts[i].hint
	case r.Status >= 500 && r.Status != http.StatusNotImplemented:
		return // it may have been done
	case strings.Contains(r.ID, "restricted_dm"):
		e.Kind, e.Hint = outbound.Refused, "the server restricts direct messages to members of the same team; add the bot to a team of this person's"
	default:
		e.Kind, e.Hint = outbound.Refused, "Mattermost says: "+r.Error()
	}
	about := slices.Contains(lookups, route) || route == createPost && r.ID == noRight
	if e.Kind == outbound.Refused && e.Scope == outbound.OneCall && about {
		e.Scope = outbound.ThePlace
	}
}

// refused is a refusal of our own of what would lead nowhere.
func refused(op, what, hint string) error {
	return &outbound.Error{Kind: outbound.Refused, Scope: outbound.ThePlace, Op: op, Code: what, Hint: hint}
}
