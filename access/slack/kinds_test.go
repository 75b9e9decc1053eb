package slack

import (
	"strings"
	"testing"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/sandbox/fault"
)

// outcomeOf is what can be done about a failure.
type outcomeOf struct {
	kind  outbound.Kind
	scope outbound.Scope
}

// codes are Slack's error codes by what can be done about them, as the
// references of chat.postMessage, chat.update, conversations.* and
// users.lookupByEmail describe them.
var codes = map[outcomeOf][]string{
	{outbound.Wait, outbound.ThePlace}: {"ratelimited", "rate_limited"},
	{kind: outbound.Retry}: {
		"service_unavailable", "request_timeout", "message_limit_exceeded", "team_added_to_org",
		"org_login_required", "external_channel_migrating", "streaming_state_conflict", "update_failed",
	},
	{kind: outbound.Unclear}: {"fatal_error", "internal_error"},
	{kind: outbound.Gone}:    {"message_not_found", "thread_not_found"},
	{kind: outbound.Fixed}:   {"edit_window_closed", "cant_update_message"},
	{outbound.Refused, outbound.TheToken}: {
		"not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
	},
	{outbound.Refused, outbound.TheMethod}: {
		"missing_scope", "app_access_restricted", "accesslimited", "two_factor_setup_required", "enterprise_is_restricted",
	},
	{outbound.Refused, outbound.ThePlace}: {
		"channel_not_found", "not_in_channel", "no_permission", "access_denied", "team_access_not_granted", "ekm_access_denied",
		"is_archived", "is_inactive", "restricted_action", "restricted_action_read_only_channel", "channel_is_limited_access",
		"restricted_action_thread_only_channel", "restricted_action_of_tomorrow", "posting_to_channel_denied",
		"messages_tab_disabled", "user_not_found", "users_not_found", "user_disabled", "user_not_visible",
		"team_not_found", "is_bot", "cannot_dm_bot", "invalid_user_combination",
	},
	{outbound.Refused, outbound.OneCall}: {
		"a_code_of_tomorrow", "method_deprecated", "slack_connect_file_link_sharing_blocked", "slack_connect_canvas_sharing_blocked",
		"cannot_reply_to_message", "restricted_action_thread_locked", "restricted_action_non_threadable_channel",
		// What a message says; tried again without it.
		"no_text", "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "invalid_metadata_format",
		"invalid_metadata_schema", "metadata_too_large", "metadata_must_be_sent_from_app", "too_many_attachments",
		"markdown_text_conflict", "invalid_arguments", "invalid_arg_name", "invalid_array_arg",
	},
}

func TestEachCodeOfSlackHasItsKindAndItsScope(t *testing.T) {
	w := inWorkspace(t)
	for want, list := range codes {
		for _, code := range list {
			w.Faults().Clear()
			s, _ := build(t, w.URL(), nil)
			w.fails("chat.postMessage", fault.Fault{Effect: fault.Refuse, Code: code})
			_, err := announceAt(t.Context(), s, general, sample())
			e := wantKind(t, err, want.kind)
			if e.Code != code || e.Status != 200 || e.Op != "chat.postMessage" || !strings.HasPrefix(err.Error(), "chat.postMessage: "+code) {
				t.Errorf("%s: got %+v", code, e)
			}
			if e.Scope != want.scope || (e.Hint == "") == (e.Kind == outbound.Refused) {
				t.Errorf("%s: the scope is %d, want %d; the hint is %q", code, e.Scope, want.scope, e.Hint)
			}
		}
	}
}

// An edit is refused by the place as a post is, and nothing of it is final.
func TestAnEditIsSortedLikeAPost(t *testing.T) {
	w := inWorkspace(t)
	m := w.announce(sample())
	for code, want := range map[string]outcomeOf{
		"is_inactive":        {outbound.Refused, outbound.ThePlace},
		"channel_not_found":  {outbound.Refused, outbound.ThePlace},
		"no_permission":      {outbound.Refused, outbound.ThePlace},
		"a_code_of_tomorrow": {outbound.Refused, outbound.OneCall},
		"message_not_found":  {kind: outbound.Gone},
	} {
		w.fails("chat.update", fault.Fault{Effect: fault.Refuse, Code: code, Times: 1})
		if e := wantKind(t, w.Show(t.Context(), m, sample()), want.kind); e.Scope != want.scope {
			t.Errorf("%s: the scope is %d, want %d", code, e.Scope, want.scope)
		}
	}
}

func TestWhatAPersonCanMendIsSaid(t *testing.T) {
	for code, want := range map[string]string{
		"invalid_auth":                        "set slack.token",
		"token_expired":                       "set slack.token",
		"accesslimited":                       "ask an administrator",
		"no_permission":                       "/invite",
		"not_in_channel":                      "/invite",
		"channel_not_found":                   "/invite",
		"is_archived":                         "archived",
		"users_not_found":                     "no active member",
		"messages_tab_disabled":               "Messages tab",
		"restricted_action_read_only_channel": "settings do not let the app post",
		"team_not_found":                      "by its id",
		"a_code_of_tomorrow":                  "Slack's reference of chat.postMessage",
		"missing_scope":                       "add the scope chat:write to the Slack app",
	} {
		w := inWorkspace(t)
		if code == "missing_scope" {
			w.SetScopes(w.Server.Token(), "users:read")
		} else {
			w.fails("chat.postMessage", fault.Fault{Effect: fault.Refuse, Code: code})
		}
		if _, err := announceAt(t.Context(), w.service, general, sample()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", code, err, want)
		}
	}
}

func TestARefusalOfTheFormIsToldFromOneOfThePlace(t *testing.T) {
	for _, code := range []string{"", "channel_not_found", "invalid_auth", "ratelimited", "restricted_action", "fatal_error", "is_archived"} {
		if blocks, mark := aboutForm(code); blocks || mark {
			t.Errorf("%s is about the form", code)
		}
	}
}
