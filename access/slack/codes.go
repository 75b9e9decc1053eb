package slack

import (
	"slices"
	"strings"

	"teleport-plugins/lib/outbound"
)

// verdict is what can be done about some of Slack's error codes.
type verdict struct {
	kind  outbound.Kind
	scope outbound.Scope
	codes string // with spaces between them
	hint  string // what a person can do
}

// Sentences that hold for several verdicts.
const (
	hintToken = "set slack.token to the app's current bot token, which begins with xoxb-"
	hintAdmin = "ask an administrator of the Slack workspace to allow the app"
	hintPosts = "the workspace's settings do not let the app post there"
)

// verdicts follow the words of Slack's method reference, and those of the errors
// that all methods have in common. Only what speaks of the token itself concerns
// all calls.
var verdicts = []verdict{
	{outbound.Wait, 0, "ratelimited rate_limited", ""},
	{outbound.Retry, 0, "service_unavailable request_timeout message_limit_exceeded external_channel_migrating streaming_state_conflict update_failed", ""},
	{outbound.Retry, 0, "team_added_to_org org_login_required", ""}, // "undergoing migration", until it has ended
	{outbound.Unclear, 0, "internal_error fatal_error", ""},         // "some aspect of the operation" may have succeeded
	{outbound.Gone, 0, "message_not_found thread_not_found", ""},
	{outbound.Fixed, 0, "edit_window_closed cant_update_message", ""},
	{outbound.Refused, outbound.TheToken, "not_authed invalid_auth token_expired token_revoked account_inactive not_allowed_token_type", hintToken},
	{outbound.Refused, outbound.TheMethod, "missing_scope accesslimited app_access_restricted enterprise_is_restricted two_factor_setup_required", hintAdmin},
	{outbound.Refused, outbound.ThePlace, "access_denied team_access_not_granted", hintAdmin},
	{outbound.Refused, outbound.ThePlace, "ekm_access_denied posting_to_channel_denied", hintPosts},
	{
		outbound.Refused, outbound.ThePlace, "not_in_channel channel_not_found no_permission channel_is_limited_access",
		"invite the app to the channel with /invite, and check the channel's name or id",
	},
	{outbound.Refused, outbound.ThePlace, "is_archived is_inactive", "the channel is archived; name another one"},
	{outbound.Refused, outbound.ThePlace, "team_not_found", "name the channel by its id, since the token is that of an organization"},
	{
		outbound.Refused, outbound.ThePlace, "users_not_found user_not_found user_disabled user_not_visible",
		"no active member of the workspace has this address",
	},
	{
		outbound.Refused, outbound.ThePlace, "is_bot cannot_dm_bot invalid_user_combination",
		"name a person of the workspace: an app can send no direct message to this account",
	},
	{outbound.Refused, outbound.ThePlace, "messages_tab_disabled", "switch on the Messages tab in the App Home settings of the Slack app"},
	{ // for replies alone
		outbound.Refused, outbound.OneCall, "cannot_reply_to_message restricted_action_thread_locked restricted_action_non_threadable_channel",
		"let the app reply to its messages in the channel",
	},
}

// sortCode says what can be done about a call that Slack refused with a code. What
// nobody knows concerns that call alone.
func sortCode(e *outbound.Error, method, needed string) {
	i := slices.IndexFunc(verdicts, func(v verdict) bool { return slices.Contains(strings.Fields(v.codes), e.Code) })
	switch {
	case i >= 0:
		e.Kind, e.Scope, e.Hint = verdicts[i].kind, verdicts[i].scope, verdicts[i].hint
	case strings.HasPrefix(e.Code, "restricted_action"):
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.ThePlace, hintPosts
	default:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.OneCall, "look the code up in Slack's reference of "+method
	}
	if e.Code != "missing_scope" {
		return
	}
	if needed != "" {
		e.Hint = "add the scope " + needed + " to the Slack app and install it again"
	}
	if strings.HasPrefix(method, "conversations.") {
		e.Scope = outbound.ThePlace // each kind of conversation has a scope of its own
	}
}

// aboutForm reports which part of a message Slack refused, rather than where it
// goes. A code that leaves it open is about both.
func aboutForm(code string) (blocks, mark bool) {
	is := func(prefixes string) bool {
		return slices.ContainsFunc(strings.Fields(prefixes), func(p string) bool { return strings.HasPrefix(code, p) })
	}
	both := is("no_text msg_too_long too_many_attachments markdown_text_conflict invalid_arg invalid_array_arg")
	return both || is("invalid_blocks msg_blocks_too_long block_mismatch"), both || is("invalid_metadata metadata_")
}
