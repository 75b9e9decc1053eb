package slack

import (
	"strings"
	"testing"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/sandbox/fault"
)

// codes are Slack's error codes by what can be done about them, as the
// references of chat.postMessage, chat.update, conversations.* and
// users.lookupByEmail describe them.
var codes = map[outbound.Kind][]string{
	outbound.Wait: {"ratelimited", "rate_limited"},
	outbound.Retry: {
		"service_unavailable", "internal_error", "request_timeout", "message_limit_exceeded", "team_added_to_org",
		"org_login_required", "external_channel_migrating", "streaming_state_conflict", "update_failed",
	},
	outbound.Unclear: {"fatal_error"},
	outbound.Gone:    {"message_not_found", "thread_not_found"},
	outbound.Credentials: {
		"not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "two_factor_setup_required",
		"app_access_restricted", "missing_scope", "not_allowed_token_type", "ekm_access_denied", "accesslimited",
		"access_denied", "no_permission", "team_access_not_granted",
	},
	outbound.Permanent: {
		"channel_not_found", "not_in_channel", "is_archived", "is_inactive", "restricted_action", "restricted_action_read_only_channel",
		"restricted_action_thread_only_channel", "restricted_action_non_threadable_channel", "cannot_reply_to_message",
		"messages_tab_disabled", "user_not_found", "users_not_found", "user_disabled", "user_not_visible",
		"slack_connect_file_link_sharing_blocked", "slack_connect_canvas_sharing_blocked", "team_not_found", "enterprise_is_restricted", "is_bot",
		"cannot_dm_bot", "a_code_of_tomorrow",
		// What a message says; tried once more as a plain text.
		"no_text", "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "invalid_metadata_format",
		"invalid_metadata_schema", "metadata_too_large", "too_many_attachments", "markdown_text_conflict", "invalid_arguments",
		"invalid_arg_name", "invalid_array_arg", "method_deprecated",
	},
}

func TestEachCodeOfSlackHasItsKind(t *testing.T) {
	w := inWorkspace(t)
	for kind, list := range codes {
		for _, code := range list {
			w.Faults().Clear()
			s, _ := build(t, w.URL(), nil)
			w.fails("chat.postMessage", fault.Fault{Effect: fault.Refuse, Code: code})
			_, err := s.Post(t.Context(), general, request())
			e := wantKind(t, err, kind)
			if e.Code != code || e.Status != 200 || e.Op != "chat.postMessage" || !strings.HasPrefix(err.Error(), "chat.postMessage: "+code) {
				t.Errorf("%s: got %+v", code, e)
			}
		}
	}
}

func TestWhatAPersonCanMendIsSaid(t *testing.T) {
	for code, want := range map[string]string{
		"invalid_auth":                        "set slack.token",
		"token_expired":                       "set slack.token",
		"no_permission":                       "ask an administrator",
		"not_in_channel":                      "/invite",
		"channel_not_found":                   "/invite",
		"is_archived":                         "archived",
		"users_not_found":                     "no active member",
		"messages_tab_disabled":               "Messages tab",
		"restricted_action_read_only_channel": "settings do not let the app post",
		"missing_scope":                       "add the scope chat:write to the Slack app",
	} {
		w := inWorkspace(t)
		if code == "missing_scope" {
			w.SetScopes(w.Server.Token(), "users:read")
		} else {
			w.fails("chat.postMessage", fault.Fault{Effect: fault.Refuse, Code: code})
		}
		if _, err := w.Post(t.Context(), general, request()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", code, err, want)
		}
	}
}

func TestARefusalOfTheContentIsToldFromOneOfThePlace(t *testing.T) {
	content := []string{
		"no_text", "msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "invalid_metadata_format",
		"invalid_metadata_schema", "metadata_too_large", "too_many_attachments", "markdown_text_conflict",
		"invalid_arguments", "invalid_arg_name", "invalid_array_arg", "block_mismatch",
	}
	for _, code := range content {
		if !aboutContent(&outbound.Error{Code: code}) {
			t.Errorf("%s is not about the content", code)
		}
	}
	for _, code := range []string{"", "channel_not_found", "invalid_auth", "ratelimited", "restricted_action", "fatal_error"} {
		if aboutContent(&outbound.Error{Code: code}) {
			t.Errorf("%s is about the content", code)
		}
	}
	if aboutContent(nil) {
		t.Error("no error is about the content")
	}
}
