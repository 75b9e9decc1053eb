package slackapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/goleak"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/apiserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTimestampsGrowEvenWhenTheClockStandsStill(t *testing.T) {
	s := slackapi.New(slackapi.Options{Options: apiserver.Options{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}})
	for range 3 {
		send(t, s, "POST", "chat.postMessage", form, "text=x&channel="+requests, bearer...)
	}
	var got []string
	for _, m := range s.Messages(requests) {
		got = append(got, m.TS)
	}
	if want := []string{"1700000000.000000", "1700000000.000001", "1700000000.000002"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestASnapshotShowsTheNewestMessagesOfEachConversation(t *testing.T) {
	w := start(t, slackapi.Options{})
	for i := range 3 {
		w.post(t, requests, text(fmt.Sprint(i)))
	}
	w.post(t, alice, text("direct"))
	st := w.Snapshot(2)
	if len(st.Users) != 5 || st.BotUser == "" || st.Team != "Sandbox" || len(st.Channels) != 5 {
		t.Fatalf("got %+v", st)
	}
	if got := st.Channels[0].Messages; len(got) != 2 || got[0].Text != "1" || got[1].Text != "2" {
		t.Errorf("the channel shows %+v", got)
	}
	if dm := st.Channels[4]; dm.Kind != slackapi.DM || dm.User != alice || dm.Messages[0].Rendered.Text != "direct" {
		t.Errorf("the direct message shows %+v", dm)
	}
	if got := w.Snapshot(0).Channels[0].Messages; len(got) != 3 {
		t.Errorf("without a limit: %+v", got)
	}
}

func TestASnapshotStaysAsItWas(t *testing.T) {
	w := start(t, slackapi.Options{})
	ch, ts := w.post(t, requests, text("old"))
	before := w.Snapshot(0)
	if _, _, _, err := w.client.UpdateMessageContext(t.Context(), ch, ts, text("new")); err != nil {
		t.Fatal(err)
	}
	if got := before.Channels[0].Messages[0]; got.Text != "old" {
		t.Errorf("the snapshot changed to %+v", got)
	}
	if after := w.Snapshot(0); after.Version <= before.Version || after.Channels[0].Messages[0].Text != "new" {
		t.Errorf("after the change: %+v", after)
	}
}

func TestADeletedReplyNoLongerCounts(t *testing.T) {
	w := start(t, slackapi.Options{})
	_, parent := w.post(t, requests, text("parent"))
	_, reply := w.post(t, requests, text("reply"), slack.MsgOptionTS(parent))
	byAlice, err := w.PostAs(alice, requests, "me too", parent)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteMessage(requests, reply); err != nil {
		t.Fatal(err)
	}
	got, _, _, err := w.client.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: requests, Timestamp: byAlice})
	if want := []string{parent, byAlice}; err != nil || !slices.Equal(stamps(got), want) || got[0].ReplyCount != 1 {
		t.Errorf("got %v, error %v, want %v", stamps(got), err, want)
	}
}

func TestHandsOnTheStateThatMiss(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	_, inNowhere := s.PostAs(alice, "nowhere", "x", "")
	_, toNothing := s.PostAs(alice, requests, "x", "1.000001")
	for name, err := range map[string]error{
		"deleting in no conversation": s.DeleteMessage("nowhere", "1.000001"),
		"deleting no message":         s.DeleteMessage(requests, "1.000001"),
		"posting in no conversation":  inNowhere,
		"replying to no message":      toNothing,
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, ok := s.Message(requests, "x"); ok || s.Messages("nowhere") == nil && len(s.Messages("nowhere")) > 0 {
		t.Error("found a message that is not there")
	}
}

func TestUsersAndChannelsCanBeReplaced(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	s.AddUser(slackapi.User{ID: alice, Name: "alice", Email: "new@example.com"})
	for email, want := range map[string]string{"alice@example.com": "users_not_found", "new@example.com": ""} {
		if a, _ := send(t, s, "GET", "users.lookupByEmail?email="+email, "", "", bearer...); a.Error != want {
			t.Errorf("%s: %+v, want error %q", email, a, want)
		}
	}
	send(t, s, "POST", "chat.postMessage", form, "text=x&channel="+requests, bearer...)
	s.AddChannel(slackapi.Channel{ID: requests, Name: "renamed"})
	if len(s.Messages("renamed")) != 1 || len(s.Messages("access-requests")) != 0 {
		t.Error("a renamed channel does not keep its messages under the new name alone")
	}
}

func TestManyAtOnce(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				send(t, s, "POST", "chat.postMessage", form, "text=x&channel="+requests, bearer...)
				s.Snapshot(5)
				send(t, s, "GET", "conversations.history?limit=5&channel="+requests, "", "", bearer...)
			}
		})
	}
	all.Wait()
	got := s.Messages(requests)
	if len(got) != 400 || !slices.IsSortedFunc(got, func(a, b slackapi.Message) int { return strings.Compare(a.TS, b.TS) }) {
		t.Errorf("kept %d messages, want 400 in order", len(got))
	}
}

func TestAServerCanBeStartedOnceAndClosedTwice(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	if s.URL() != "" || s.Close() != nil {
		t.Error("before it was started")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil {
		t.Error("it was started twice")
	}
	if u, err := url.Parse(s.URL()); err != nil || u.Path != "/api/" || u.Hostname() != "127.0.0.1" {
		t.Errorf("the address is %q, error %v", s.URL(), err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkPostMessage(b *testing.B) {
	s := slackapi.New(slackapi.Options{})
	blocks := `[` + sectionOf(mrkdwn(60)) + `,` + sectionOf(mrkdwn(300)) + `,{"type":"context","elements":[` + mrkdwn(20) + `]}]`
	body := url.Values{"channel": {requests}, "text": {"hi"}, "blocks": {blocks}}.Encode()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/api/chat.postMessage", strings.NewReader(body))
		r.Header.Set("Content-Type", form)
		r.Header.Set(bearer[0], bearer[1])
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkPostMessageOverLoopback(b *testing.B) {
	s := slackapi.New(slackapi.Options{})
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := slack.New(s.Token(), slack.OptionAPIURL(s.URL()), slack.OptionHTTPClient(&http.Client{Transport: transport}))
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := client.PostMessageContext(b.Context(), requests, text("hi"), slack.MsgOptionBlocks(section("hi"))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
