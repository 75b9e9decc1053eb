package slackapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

const (
	requests = "C0SANDBOX01"
	dbTeam   = "C0123ABCDEF"
	general  = "C0SANDBOX04"
	alice    = "U0SANDBOX01"
	bob      = "U0SANDBOX02"
)

// workspace is a running server and the client library that plugins use.
type workspace struct {
	*slackapi.Server
	client *slack.Client
}

func start(t *testing.T, opts slackapi.Options) workspace {
	t.Helper()
	s := slackapi.New(opts)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	client := slack.New(s.Token(), slack.OptionAPIURL(s.URL()), slack.OptionHTTPClient(&http.Client{Transport: transport}))
	return workspace{s, client}
}

func (w workspace) post(t *testing.T, channel string, opts ...slack.MsgOption) (string, string) {
	t.Helper()
	ch, ts, err := w.client.PostMessageContext(t.Context(), channel, opts...)
	if err != nil {
		t.Fatalf("posting to %s: %v", channel, err)
	}
	return ch, ts
}

func text(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }

func section(s string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, s, false, false), nil, nil)
}

// code is the Slack error code in err; empty for nil.
func code(err error) string {
	var e slack.SlackErrorResponse
	if errors.As(err, &e) {
		return e.Err
	}
	if err != nil {
		return "no Slack error: " + err.Error()
	}
	return ""
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestAuthTestTellsWhoTheBotIs(t *testing.T) {
	w := start(t, slackapi.Options{TeamName: "Acme", TeamDomain: "acme"})
	got, err := w.client.AuthTestContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Team != "Acme" || got.URL != "https://acme.slack.com/" || got.User != "teleport" || got.BotID == "" || got.UserID == "" || got.TeamID == "" {
		t.Errorf("got %+v", got)
	}
}

func TestAPostIsKeptAsItWasSent(t *testing.T) {
	w := start(t, slackapi.Options{})
	meta := slack.SlackMetadata{EventType: "access_request", EventPayload: map[string]any{"id": "r1"}}
	ch, ts := w.post(t, requests, text("fallback"), slack.MsgOptionBlocks(section("*hi* &lt;b&gt;")), slack.MsgOptionMetadata(meta))
	m, ok := w.Message(ch, ts)
	if !ok || ch != requests {
		t.Fatalf("no message %s in %s", ts, ch)
	}
	if m.Text != "fallback" || m.Rendered.Text != "*hi* <b>" || m.Edits != 0 || m.Deleted {
		t.Errorf("got %+v", m)
	}
	var got slack.SlackMetadata
	if err := json.Unmarshal(m.Metadata, &got); err != nil || got.EventType != "access_request" || got.EventPayload["id"] != "r1" {
		t.Errorf("metadata %s, error %v", m.Metadata, err)
	}
}

func TestAChannelIsFoundByIDAndByName(t *testing.T) {
	w := start(t, slackapi.Options{})
	for _, name := range []string{requests, "access-requests", "#access-requests"} {
		if ch, _ := w.post(t, name, text("hi")); ch != requests {
			t.Errorf("posting to %s went to %s", name, ch)
		}
	}
}

func TestAPostToAUserLandsInTheDirectMessage(t *testing.T) {
	w := start(t, slackapi.Options{})
	ch, ts := w.post(t, alice, text("hi"))
	again, _ := w.post(t, alice, text("hi again"))
	if ch[0] != 'D' || again != ch {
		t.Errorf("went to %s and %s, want one D… conversation", ch, again)
	}
	_, _, _, err := w.client.UpdateMessageContext(t.Context(), alice, ts, text("edited"))
	wantCode(t, err, "channel_not_found")
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), ch, ts, text("edited")); err != nil {
		t.Errorf("editing by the conversation's own ID: %v", err)
	}
	opened, _, already, err := w.client.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: []string{alice}})
	if err != nil || opened.ID != ch || !already {
		t.Errorf("opened %+v, already open %v, error %v", opened, already, err)
	}
}

func TestAnUpdateKeepsWhatItDoesNotName(t *testing.T) {
	w := start(t, slackapi.Options{})
	ch, ts := w.post(t, requests, text("old"), slack.MsgOptionBlocks(section("block")))
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), ch, ts, text("new")); err != nil {
		t.Fatal(err)
	}
	m, _ := w.Message(ch, ts)
	if m.Text != "new" || m.Rendered.Text != "block" || m.Edits != 1 {
		t.Errorf("after new text: %+v", m)
	}
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), ch, ts, text("new"), slack.MsgOptionBlocks()); err != nil {
		t.Fatal(err)
	}
	if m, _ := w.Message(ch, ts); len(m.Blocks) != 0 || m.Rendered.Text != "new" || m.Edits != 2 {
		t.Errorf("after an empty list of blocks: %+v", m)
	}
}

func TestADeletedMessageIsGone(t *testing.T) {
	w := start(t, slackapi.Options{})
	ch, ts := w.post(t, requests, text("a"))
	_, byHand := w.post(t, requests, text("b"))
	if _, _, err := w.client.DeleteMessageContext(t.Context(), ch, ts); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteMessage("access-requests", byHand); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{ts, byHand} {
		_, _, _, err := w.client.UpdateMessageContext(t.Context(), ch, gone, text("x"))
		wantCode(t, err, "message_not_found")
	}
	if m, ok := w.Message(ch, ts); !ok || !m.Deleted {
		t.Errorf("the state shows %+v, %v; want it marked as deleted", m, ok)
	}
}

func TestOnlyTheBotsOwnMessagesCanBeChanged(t *testing.T) {
	w := start(t, slackapi.Options{})
	ts, err := w.PostAs(alice, requests, "mine", "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = w.client.UpdateMessageContext(t.Context(), requests, ts, text("x"))
	wantCode(t, err, "cant_update_message")
	_, _, err = w.client.DeleteMessageContext(t.Context(), requests, ts)
	wantCode(t, err, "cant_delete_message")
}

func TestRepliesFormAThread(t *testing.T) {
	w := start(t, slackapi.Options{})
	_, parent := w.post(t, requests, text("parent"))
	_, first := w.post(t, requests, text("first"), slack.MsgOptionTS(parent))
	_, second := w.post(t, requests, text("second"), slack.MsgOptionTS(parent), slack.MsgOptionBroadcast())
	got, more, _, err := w.client.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: requests, Timestamp: parent})
	if err != nil || more {
		t.Fatalf("more %v, error %v", more, err)
	}
	if want := []string{parent, first, second}; !slices.Equal(stamps(got), want) || got[0].ReplyCount != 2 {
		t.Errorf("replies %v of %d, want %v", stamps(got), got[0].ReplyCount, want)
	}
	history := w.history(t, slack.GetConversationHistoryParameters{ChannelID: requests})
	if want := []string{second, parent}; !slices.Equal(stamps(history.Messages), want) {
		t.Errorf("history %v, want %v: a reply only shows when broadcast", stamps(history.Messages), want)
	}
	for name, tc := range map[string]struct{ ts, want string }{
		"a reply is no parent":    {first, "cannot_reply_to_message"},
		"no such message":         {"1.000001", "thread_not_found"},
		"not the form of a stamp": {"yesterday", "thread_not_found"},
	} {
		_, _, err := w.client.PostMessageContext(t.Context(), requests, text("x"), slack.MsgOptionTS(tc.ts))
		t.Run(name, func(t *testing.T) { wantCode(t, err, tc.want) })
	}
}

func stamps(list []slack.Message) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.Timestamp)
	}
	return out
}

func (w workspace) history(t *testing.T, p slack.GetConversationHistoryParameters) *slack.GetConversationHistoryResponse {
	t.Helper()
	got, err := w.client.GetConversationHistoryContext(t.Context(), &p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHistoryFindsAMessageByItsMetadata(t *testing.T) {
	w := start(t, slackapi.Options{})
	meta := slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "e", EventPayload: map[string]any{"id": "r1"}})
	_, before := w.post(t, requests, text("before"), meta)
	_, wanted := w.post(t, requests, text("wanted"), meta)
	got := w.history(t, slack.GetConversationHistoryParameters{ChannelID: requests, Oldest: wanted, Inclusive: true, IncludeAllMetadata: true})
	if len(got.Messages) != 1 || got.Messages[0].Metadata.EventPayload["id"] != "r1" || got.Messages[0].BotID == "" {
		t.Errorf("inclusive from %s: %+v", wanted, got.Messages)
	}
	got = w.history(t, slack.GetConversationHistoryParameters{ChannelID: requests, Oldest: before})
	if len(got.Messages) != 1 || got.Messages[0].Metadata.EventType != "" {
		t.Errorf("after %s without asking for metadata: %+v", before, got.Messages)
	}
	got = w.history(t, slack.GetConversationHistoryParameters{ChannelID: requests, Latest: wanted})
	if !slices.Equal(stamps(got.Messages), []string{before}) {
		t.Errorf("before %s: %v", wanted, stamps(got.Messages))
	}
}

func TestHistoryAndRepliesComeInPages(t *testing.T) {
	w := start(t, slackapi.Options{})
	_, parent := w.post(t, requests, text("parent"))
	var replies, posts []string
	for range 5 {
		_, ts := w.post(t, requests, text("reply"), slack.MsgOptionTS(parent))
		replies = append(replies, ts)
		_, ts = w.post(t, requests, text("post"))
		posts = append(posts, ts)
	}
	slices.Reverse(posts)
	var got []string
	for p := (slack.GetConversationHistoryParameters{ChannelID: requests, Limit: 2}); ; {
		page := w.history(t, p)
		got = append(got, stamps(page.Messages)...)
		if p.Cursor = page.ResponseMetaData.NextCursor; p.Cursor == "" {
			break
		}
	}
	if want := append(posts, parent); !slices.Equal(got, want) {
		t.Errorf("history %v, want %v", got, want)
	}
	got = nil
	for p := (slack.GetConversationRepliesParameters{ChannelID: requests, Timestamp: parent, Limit: 2}); ; {
		page, _, cursor, err := w.client.GetConversationRepliesContext(t.Context(), &p)
		if err != nil || page[0].Timestamp != parent {
			t.Fatalf("page %v, error %v: the parent leads every page", stamps(page), err)
		}
		got = append(got, stamps(page[1:])...)
		if p.Cursor = cursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(got, replies) {
		t.Errorf("replies %v, want %v", got, replies)
	}
}

func TestEphemeralMessagesAreSeenByOneAndNotKept(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.AddChannel(slackapi.Channel{Name: "few", Members: []string{bob}})
	ts, err := w.client.PostEphemeralContext(t.Context(), requests, alice, text("psst"))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := w.Message(requests, ts); !ok || m.EphemeralTo != alice {
		t.Errorf("the state shows %+v, %v", m, ok)
	}
	if got := w.history(t, slack.GetConversationHistoryParameters{ChannelID: requests}); len(got.Messages) != 0 {
		t.Errorf("history shows %v", stamps(got.Messages))
	}
	_, _, _, err = w.client.UpdateMessageContext(t.Context(), requests, ts, text("x"))
	wantCode(t, err, "message_not_found")
	for name, tc := range map[string]struct {
		channel, user string
		opts          []slack.MsgOption
		want          string
	}{
		"to nobody":          {requests, "U0NOBODY", []slack.MsgOption{text("x")}, "user_not_in_channel"},
		"to one outside":     {"few", alice, []slack.MsgOption{text("x")}, "user_not_in_channel"},
		"to one inside":      {"few", bob, []slack.MsgOption{text("x")}, ""},
		"of nothing":         {requests, alice, nil, "no_text"},
		"where the bot isnt": {general, alice, []slack.MsgOption{text("x")}, "not_in_channel"},
		"in no thread":       {requests, alice, []slack.MsgOption{text("x"), slack.MsgOptionTS("1.000001")}, "thread_not_found"},
	} {
		_, err := w.client.PostEphemeralContext(t.Context(), tc.channel, tc.user, tc.opts...)
		t.Run(name, func(t *testing.T) { wantCode(t, err, tc.want) })
	}
}

func TestPermalinksNameTheMessage(t *testing.T) {
	w := start(t, slackapi.Options{Options: apiserver.Options{Now: func() time.Time { return time.UnixMicro(1_700_000_000_000_001) }}})
	_, ts := w.post(t, requests, text("hi"))
	got, err := w.client.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: requests, Ts: ts})
	if want := "https://sandbox.slack.com/archives/C0SANDBOX01/p1700000000000001"; err != nil || got != want {
		t.Errorf("got %q, error %v, want %q", got, err, want)
	}
	_, err = w.client.GetPermalinkContext(t.Context(), &slack.PermalinkParameters{Channel: requests, Ts: "1.000001"})
	wantCode(t, err, "message_not_found")
}

func TestUsersAreFoundByEmailAndByID(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.AddUser(slackapi.User{ID: "U0GONE", Name: "gone", Email: "gone@example.com", Deleted: true})
	u, err := w.client.GetUserByEmailContext(t.Context(), "Alice@Example.com")
	if err != nil || u.ID != alice || u.Profile.Email != "alice@example.com" {
		t.Errorf("got %+v, error %v", u, err)
	}
	for _, email := range []string{"nobody@example.com", "gone@example.com"} {
		_, err = w.client.GetUserByEmailContext(t.Context(), email)
		wantCode(t, err, "users_not_found")
	}
	u, err = w.client.GetUserInfoContext(t.Context(), "U0GONE")
	if err != nil || !u.Deleted {
		t.Errorf("got %+v, error %v", u, err)
	}
	w.SetScopes(w.Token(), "users:read")
	u, err = w.client.GetUserInfoContext(t.Context(), alice)
	if err != nil || u.Profile.Email != "" {
		t.Errorf("the address is told without users:read.email: %+v, error %v", u, err)
	}
	_, err = w.client.GetUserInfoContext(t.Context(), "U0NOBODY")
	wantCode(t, err, "user_not_found")
}

func TestConversationsCanBeLookedUp(t *testing.T) {
	w := start(t, slackapi.Options{})
	w.AddChannel(slackapi.Channel{Name: "old", Archived: true})
	w.AddChannel(slackapi.Channel{Name: "secret", Kind: slackapi.Private, WithoutBot: true})
	var names []string
	p := slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}, Limit: 2, ExcludeArchived: true}
	for {
		page, cursor, err := w.client.GetConversationsContext(t.Context(), &p)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			names = append(names, c.Name)
		}
		if p.Cursor = cursor; cursor == "" {
			break
		}
	}
	if want := []string{"access-requests", "security", "db-team", "general"}; !slices.Equal(names, want) {
		t.Errorf("listed %v, want %v", names, want)
	}
	info, err := w.client.GetConversationInfoContext(t.Context(), &slack.GetConversationInfoInput{ChannelID: dbTeam, IncludeNumMembers: true})
	if err != nil || info.Name != "db-team" || !info.IsPrivate || !info.IsMember || info.NumMembers != 5 {
		t.Errorf("got %+v, error %v", info, err)
	}
	members, _, err := w.client.GetUsersInConversationContext(t.Context(), &slack.GetUsersInConversationParameters{ChannelID: requests, Limit: 2})
	if err != nil || !slices.Equal(members, []string{alice, bob}) {
		t.Errorf("members %v, error %v", members, err)
	}
	groups, err := w.client.GetUserGroupsContext(t.Context())
	if err != nil || len(groups) != 0 {
		t.Errorf("user groups %v, error %v", groups, err)
	}
	if team, err := w.client.GetTeamInfoContext(t.Context()); err != nil || team.Name != "Sandbox" {
		t.Errorf("team %+v, error %v", team, err)
	}
}

func TestABotCanJoinPublicChannelsOnly(t *testing.T) {
	w := start(t, slackapi.Options{})
	_, _, err := w.client.PostMessageContext(t.Context(), general, text("hi"))
	wantCode(t, err, "not_in_channel")
	if ch, _, _, err := w.client.JoinConversationContext(t.Context(), general); err != nil || !ch.IsMember {
		t.Fatalf("joined %+v, error %v", ch, err)
	}
	w.post(t, general, text("hi"))
	if _, warning, _, err := w.client.JoinConversationContext(t.Context(), general); err != nil || warning != "already_in_channel" {
		t.Errorf("warning %q, error %v", warning, err)
	}
	_, _, _, err = w.client.JoinConversationContext(t.Context(), dbTeam)
	wantCode(t, err, "method_not_supported_for_channel_type")
}

func TestAConversationWithSeveralUsersIsMadeOnce(t *testing.T) {
	w := start(t, slackapi.Options{})
	open := func(users ...string) (*slack.Channel, bool, error) {
		ch, _, already, err := w.client.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: users, ReturnIM: true})
		return ch, already, err
	}
	first, already, err := open(alice, bob)
	if err != nil || already || !first.IsMpIM {
		t.Fatalf("first: %+v, already %v, error %v", first, already, err)
	}
	second, already, err := open(bob, alice)
	if err != nil || !already || second.ID != first.ID {
		t.Errorf("second: %+v, already %v, error %v", second, already, err)
	}
	_, _, err = open("U0NOBODY")
	wantCode(t, err, "user_not_found")
	w.AddUser(slackapi.User{ID: "U0GONE", Name: "gone", Deleted: true})
	_, _, err = open("U0GONE")
	wantCode(t, err, "user_disabled")
	_, _, err = open(slices.Repeat([]string{alice}, 9)...)
	wantCode(t, err, "too_many_users")
	_, _, _, err = w.client.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{})
	wantCode(t, err, "users_list_not_supplied")
	_, _, _, err = w.client.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{ChannelID: requests})
	wantCode(t, err, "method_not_supported_for_channel_type")
}

func TestWaitSeesChangesAndCalls(t *testing.T) {
	w := start(t, slackapi.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	w.Faults().Add(fault.Fault{Method: "chat.postMessage", Effect: fault.Status})
	posted := make(chan error, 1)
	go func() {
		_, _, err := w.client.PostMessageContext(ctx, requests, text("hi"))
		posted <- err
	}()
	if err := w.Wait(ctx, func() bool { return w.Calls("chat.postMessage") == 1 }); err != nil {
		t.Error(err)
	}
	if err := <-posted; err == nil {
		t.Error("the post went through")
	}
	cancel()
	if err := w.Wait(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting for what never comes: %v", err)
	}
}
