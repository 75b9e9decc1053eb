package slack

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// client makes calls with the token as it is at the time of the call, so that
// a token can be replaced under a running plugin.
type client struct {
	token     config.Secret
	api       string
	transport *outbound.Transport
	http      *http.Client
}

// do makes one call through the vendor's library and sorts its error.
func (c *client) do(ctx context.Context, method, target string, fn func(ctx context.Context, api *slack.Client) error) error {
	token, err := c.token.Read()
	if err != nil {
		return &outbound.Error{Kind: outbound.Credentials, Op: method, Err: err}
	}
	ctx, call := outbound.Begin(ctx, method, target)
	err = fn(ctx, slack.New(token, slack.OptionHTTPClient(c.http), slack.OptionAPIURL(c.api)))
	if err == nil {
		return nil
	}
	return c.sort(call, method, target, err)
}

// errNoAnswer stands for an answer that says neither yes nor no: Slack's library
// takes {"ok":false} without a reason for success.
var errNoAnswer = errors.New("the answer says neither yes nor no")

// answered is nil if the answer holds what a success must hold.
func answered(ok bool) error {
	if ok {
		return nil
	}
	return errNoAnswer
}

// limitedWithoutTime is how long to wait when Slack says that a rate limit is
// reached but not for how long; Slack's limits count by the minute.
const limitedWithoutTime = 30 * time.Second

// sort finds out what can be done about a failed call. Slack answers most
// failures with status 200 and a code in the body.
func (c *client) sort(call *outbound.Call, method, target string, err error) error {
	e := call.Fail(err)
	var refusal slack.SlackErrorResponse
	if !errors.As(err, &refusal) {
		return e
	}
	e.Code = refusal.Err
	e.Kind, e.Hint = kindOf(refusal.Err)
	if e.Code == "missing_scope" && refusal.Needed != "" {
		e.Hint = "add the scope " + refusal.Needed + " to the Slack app and install it again"
	}
	if e.Kind == outbound.Wait {
		e.After = limitedWithoutTime
		c.transport.Hold(method, target, e.After)
	}
	return e
}

// kindOf sorts Slack's error codes. Codes that nobody knows count as the
// recipient's own trouble: the call was understood and refused.
func kindOf(code string) (kind outbound.Kind, hint string) {
	switch code {
	case "ratelimited", "rate_limited":
		return outbound.Wait, ""
	case "service_unavailable", "internal_error", "request_timeout", "message_limit_exceeded",
		"team_added_to_org", "org_login_required", "external_channel_migrating", "streaming_state_conflict", "update_failed":
		return outbound.Retry, ""
	case "fatal_error", "":
		return outbound.Unclear, ""
	case "message_not_found", "thread_not_found":
		return outbound.Gone, ""
	case "not_authed", "invalid_auth", "token_expired", "token_revoked", "account_inactive", "not_allowed_token_type":
		return outbound.Credentials, "set slack.token to the app's current bot token, which begins with xoxb-"
	case "two_factor_setup_required", "app_access_restricted", "ekm_access_denied", "accesslimited",
		"access_denied", "no_permission", "missing_scope", "team_access_not_granted":
		return outbound.Credentials, "ask an administrator of the Slack workspace to allow the app"
	case "not_in_channel", "channel_not_found":
		return outbound.Permanent, "invite the app to the channel with /invite, and check the channel's name or id"
	case "is_archived", "is_inactive":
		return outbound.Permanent, "the channel is archived; name another one"
	case "users_not_found", "user_not_found", "user_disabled", "user_not_visible":
		return outbound.Permanent, "no active member of the workspace has this address"
	case "messages_tab_disabled":
		return outbound.Permanent, "switch on the Messages tab in the App Home settings of the Slack app"
	}
	if strings.HasPrefix(code, "restricted_action") {
		return outbound.Permanent, "the workspace's settings do not let the app post there"
	}
	return outbound.Permanent, ""
}

// aboutContent reports whether Slack refused what a message says, rather than
// where it goes.
func aboutContent(err error) bool {
	var e *outbound.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, prefix := range []string{
		"no_text", "msg_too_long", "msg_blocks_too_long", "too_many_attachments", "markdown_text_conflict", "block_mismatch",
		"invalid_blocks", "invalid_metadata", "metadata_too_large", "invalid_arg", "invalid_array_arg",
	} {
		if strings.HasPrefix(e.Code, prefix) {
			return true
		}
	}
	return false
}

func hasCode(err error, codes ...string) bool {
	var e *outbound.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code == code {
			return true
		}
	}
	return false
}
