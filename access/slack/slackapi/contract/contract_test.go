package contract_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/access/slack/slackapi/contract"
)

const goodBlocks = `[
	{"type":"header","text":{"type":"plain_text","text":"New request"}},
	{"type":"section","text":{"type":"mrkdwn","text":"*hi*","verbatim":true},"fields":[{"type":"plain_text","text":"f","emoji":false}]},
	{"type":"context","elements":[{"type":"mrkdwn","text":"status"}]},
	{"type":"actions","block_id":"b","elements":[{"type":"button","action_id":"a","style":"danger","value":"v","text":{"type":"plain_text","text":"Deny"},"accessibility_label":"Deny it"}]},
	{"type":"divider"}]`

func TestCallsWithForms(t *testing.T) {
	c := contract.ForTest(t)
	for name, tc := range map[string]struct {
		method string
		form   url.Values
		want   string // part of the only error; empty for none
	}{
		"a good post":              {"chat.postMessage", url.Values{"channel": {"C1"}, "text": {"hi"}, "blocks": {goodBlocks}, "unfurl_links": {"false"}}, ""},
		"the token may be there":   {"chat.postMessage", url.Values{"token": {"x"}, "channel": {"C1"}, "text": {"hi"}}, ""},
		"a required argument":      {"chat.update", url.Values{"channel": {"C1"}, "text": {"hi"}}, "required argument ts is missing"},
		"an empty one":             {"users.info", url.Values{"user": {""}}, "required argument user is missing"},
		"an argument that is not":  {"chat.delete", url.Values{"channel": {"C1"}, "ts": {"1.000001"}, "text": {"x"}}, "no argument text"},
		"an argument given twice":  {"users.info", url.Values{"user": {"U1", "U2"}}, "given 2 times"},
		"a boolean":                {"chat.postMessage", url.Values{"channel": {"C1"}, "mrkdwn": {"maybe"}}, "none of boolean"},
		"a number":                 {"conversations.list", url.Values{"limit": {"many"}}, "none of number"},
		"blocks of no kind":        {"chat.postMessage", url.Values{"channel": {"C1"}, "blocks": {`[{"type":"sektion"}]`}}, "schema of Block Kit"},
		"blocks with a stray key":  {"chat.postMessage", url.Values{"channel": {"C1"}, "blocks": {`[{"type":"divider","text":"x"}]`}}, "schema of Block Kit"},
		"a markdown header":        {"chat.postMessage", url.Values{"channel": {"C1"}, "blocks": {`[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`}}, "schema of Block Kit"},
		"blocks that are no list":  {"chat.postMessage", url.Values{"channel": {"C1"}, "blocks": {`{}`}}, "right kind"},
		"blocks cleared":           {"chat.update", url.Values{"channel": {"C1"}, "ts": {"1.000001"}, "blocks": {"[]"}}, ""},
		"metadata":                 {"chat.postMessage", url.Values{"channel": {"C1"}, "metadata": {`{"event_type":"e","event_payload":{"id":"x"}}`}}, ""},
		"metadata cleared":         {"chat.update", url.Values{"channel": {"C1"}, "ts": {"1.000001"}, "metadata": {"{}"}}, ""},
		"metadata without payload": {"chat.postMessage", url.Values{"channel": {"C1"}, "metadata": {`{"event_type":"e"}`}}, "event_payload"},
		"metadata without a name":  {"chat.postMessage", url.Values{"channel": {"C1"}, "metadata": {`{"event_payload":{}}`}}, "event_type"},
		"history is described too": {"conversations.history", url.Values{"channel": {"C1"}, "inclusive": {"1"}, "limit": {"5"}}, ""},
		"a thread needs its ts":    {"conversations.replies", url.Values{"channel": {"C1"}}, "required argument ts is missing"},
	} {
		t.Run(name, func(t *testing.T) { wantOnly(t, c.Check(tc.method, tc.form), tc.want) })
	}
}

func TestCallsWithJSON(t *testing.T) {
	c := contract.ForTest(t)
	for name, tc := range map[string]struct{ method, body, want string }{
		"blocks as a list":     {"chat.postMessage", `{"channel":"C1","blocks":` + goodBlocks + `}`, ""},
		"a number for a text":  {"chat.postMessage", `{"channel":"C1","text":1}`, "none of string, null"},
		"a text for a boolean": {"chat.postMessage", `{"channel":"C1","mrkdwn":"true"}`, "none of boolean"},
		"null where allowed":   {"chat.postMessage", `{"channel":"C1","thread_ts":null}`, ""},
		"no object":            {"chat.postMessage", `[]`, "not a JSON object"},
		"two values":           {"chat.postMessage", `{} {}`, "more than one value"},
		"a form-only method":   {"users.lookupByEmail", `{"email":"a@example.com"}`, "does not take JSON"},
	} {
		t.Run(name, func(t *testing.T) { wantOnly(t, c.CheckJSON(tc.method, []byte(tc.body)), tc.want) })
	}
}

func wantOnly(t *testing.T, errs []error, want string) {
	t.Helper()
	switch {
	case want == "" && len(errs) == 0:
	case want != "" && len(errs) == 1 && strings.Contains(errs[0].Error(), want):
	default:
		t.Errorf("got %v, want only %q", errs, want)
	}
}

func TestAnUnknownMethodIsToldApart(t *testing.T) {
	errs := contract.ForTest(t).Check("chat.shout", nil)
	if len(errs) != 1 || !errors.Is(errs[0], contract.ErrUnknownMethod) {
		t.Errorf("got %v", errs)
	}
}

func TestAFolderWithoutDescriptionsIsRefused(t *testing.T) {
	if _, err := contract.Load(t.TempDir()); err == nil {
		t.Error("an empty folder was taken")
	}
}

// What the client library sends must itself be within the contract, and what the
// simulated server takes must be what Slack describes.
func TestTheClientLibraryKeepsTheContract(t *testing.T) {
	c := contract.ForTest(t)
	s := slackapi.New(slackapi.Options{})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	useEveryMethod(t, slack.New(s.Token(), slack.OptionAPIURL(s.URL()), slack.OptionHTTPClient(&http.Client{Transport: transport})))
	for _, r := range s.Requests() {
		if r.Error != "" {
			t.Errorf("%s: the server answered %s", r.Method, r.Error)
		}
		for _, err := range c.CheckRequest(r) {
			t.Error(err)
		}
	}
	if len(s.Counts()) != 12 {
		t.Errorf("called %v, want 12 methods", s.Counts())
	}
}

func useEveryMethod(t *testing.T, client *slack.Client) {
	t.Helper()
	const channel = "C0SANDBOX01"
	var errs []error
	note := func(err error) { errs = append(errs, err) }
	ctx := t.Context()
	text := slack.MsgOptionText("hi", false)
	_, err := client.AuthTestContext(ctx)
	note(err)
	meta := slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"id": "r"}}
	button := slack.NewButtonBlockElement("a", "v", slack.NewTextBlockObject(slack.PlainTextType, "Approve", false, false)).WithStyle(slack.StylePrimary)
	_, ts, err := client.PostMessageContext(ctx, channel, text, slack.MsgOptionMetadata(meta), slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionBlocks(slack.NewActionBlock("b", button)))
	note(err)
	_, _, _, err = client.UpdateMessageContext(ctx, channel, ts, text)
	note(err)
	_, err = client.PostEphemeralContext(ctx, channel, "U0SANDBOX01", text)
	note(err)
	_, err = client.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: channel, Ts: ts})
	note(err)
	_, err = client.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, IncludeAllMetadata: true, Oldest: ts, Inclusive: true})
	note(err)
	_, _, _, err = client.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: ts})
	note(err)
	_, _, _, err = client.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{"U0SANDBOX01"}})
	note(err)
	_, err = client.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
	note(err)
	_, err = client.GetUserByEmailContext(ctx, "alice@example.com")
	note(err)
	_, err = client.GetUserInfoContext(ctx, "U0SANDBOX01")
	note(err)
	_, _, err = client.DeleteMessageContext(ctx, channel, ts)
	note(err)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}
