package discordapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

const (
	requests = discordapi.AccessRequestsChannel
	security = discordapi.SecurityChannel
)

// service is a running server and the client library that plugins use.
type service struct {
	*discordapi.Server
	client *discordgo.Session
}

// rebase sends the library's calls to the server.
type rebase struct {
	url  string
	next http.RoundTripper
}

func (r rebase) RoundTrip(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	u, err := req.URL.Parse(r.url + strings.TrimPrefix(req.URL.String(), "https://discord.com/api/"))
	if err != nil {
		return nil, err
	}
	out.URL, out.Host = u, ""
	return r.next.RoundTrip(out)
}

func start(t *testing.T, opts discordapi.Options) service {
	t.Helper()
	s := discordapi.New(opts)
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
	client, err := discordgo.New("Bot " + s.Token())
	if err != nil {
		t.Fatal(err)
	}
	client.Client = &http.Client{Transport: rebase{s.URL(), transport}}
	client.MaxRestRetries, client.ShouldRetryOnRateLimit = 0, false
	return service{s, client}
}

func (s service) post(t *testing.T, channel, content string) *discordgo.Message {
	t.Helper()
	m, err := s.client.ChannelMessageSend(channel, content)
	if err != nil {
		t.Fatalf("posting to %s: %v", channel, err)
	}
	return m
}

// raw makes a call with any body, as the library cannot, and decodes the answer.
func (s service) raw(method, path, body string) (map[string]any, error) {
	var data any
	if body != "" {
		data = json.RawMessage(body)
	}
	answer, err := s.client.RequestWithBucketID(method, discordgo.EndpointAPI+path, data, "")
	if err != nil {
		return nil, err
	}
	var out map[string]any
	if len(answer) > 0 {
		err = json.Unmarshal(answer, &out)
	}
	return out, err
}

// code is Discord's code in an error; -1 for another error, 0 for none.
func code(err error) int {
	var rest *discordgo.RESTError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &rest) && rest.Message != nil:
		return rest.Message.Code
	}
	return -1
}

func wantCode(t *testing.T, err error, want int) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("code %d (%v), want %d", got, err, want)
	}
}

func TestTheBotLearnsWhoItIs(t *testing.T) {
	s := start(t, discordapi.Options{BotName: "doorkeeper"})
	u, err := s.client.User("@me")
	if err != nil {
		t.Fatal(err)
	}
	if u.ID != discordapi.DefaultBotID || u.Username != "doorkeeper" || !u.Bot {
		t.Errorf("got %+v", u)
	}
}

func TestAWrongTokenIsRefused(t *testing.T) {
	s := start(t, discordapi.Options{})
	for _, token := range []string{"", s.Token(), "Bearer " + s.Token(), "Bot wrong"} {
		s.client.Token = token
		_, err := s.client.User("@me")
		var rest *discordgo.RESTError
		if !errors.As(err, &rest) || rest.Response.StatusCode != http.StatusUnauthorized {
			t.Errorf("token %q: got %v", token, err)
		}
	}
	s.client.Token = "Bot next"
	s.SetToken("next")
	if _, err := s.client.User("@me"); err != nil {
		t.Errorf("after the token was changed: %v", err)
	}
}

func TestAPostCanBeEditedReadAndDeleted(t *testing.T) {
	s := start(t, discordapi.Options{})
	m := s.post(t, requests, "one")
	if _, err := s.client.ChannelMessageEdit(requests, m.ID, "two"); err != nil {
		t.Fatal(err)
	}
	got, err := s.client.ChannelMessage(requests, m.ID)
	if err != nil || got.Content != "two" || got.EditedTimestamp == nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.client.ChannelMessageDelete(requests, m.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.client.ChannelMessageEdit(requests, m.ID, "three")
	wantCode(t, err, 10008)
	kept, _ := s.Message(requests, m.ID)
	if !kept.Deleted || kept.Edits != 1 || kept.Content != "two" {
		t.Errorf("kept %+v", kept)
	}
}

func TestPermissionsAreKeptPerChannel(t *testing.T) {
	s := start(t, discordapi.Options{})
	deny := func(name string, p discordapi.Permission) string {
		return s.AddChannel(discordapi.Channel{Name: name, GuildID: discordapi.GuildID, Deny: p}).ID
	}
	noThreads := deny("no-threads", discordapi.CreatePublicThreads)
	noHistory := deny("no-history", discordapi.ReadMessageHistory)
	strangers := s.AddGuild(discordapi.Guild{Name: "Elsewhere", WithoutBot: true, Channels: []discordapi.Channel{{ID: "77", Name: "x"}}})

	_, err := s.client.Channel(discordapi.HiddenChannel)
	wantCode(t, err, 50001)
	_, err = s.client.ChannelMessageSend(discordapi.HiddenChannel, "hi")
	wantCode(t, err, 50001)
	_, err = s.client.ChannelMessageSend(discordapi.ReadOnlyChannel, "hi")
	wantCode(t, err, 50013)
	_, err = s.client.ChannelMessageSend("1", "hi")
	wantCode(t, err, 10003)
	_, err = s.client.ChannelMessageSend("77", "hi")
	wantCode(t, err, 50001)
	_, err = s.client.GuildChannels(strangers.ID)
	wantCode(t, err, 50001)
	_, err = s.client.MessageThreadStart(noThreads, s.post(t, noThreads, "hi").ID, "talk", 60)
	wantCode(t, err, 50013)
	s.post(t, noHistory, "hi")
	if list, err := s.client.ChannelMessages(noHistory, 10, "", "", ""); err != nil || len(list) != 0 {
		t.Errorf("history without permission: %v, %v", list, err)
	}
}

func TestTheLibraryComputesTheSamePermissions(t *testing.T) {
	s := start(t, discordapi.Options{})
	s.client.State = nil
	for channel, lacks := range map[string]int64{requests: 0, discordapi.ReadOnlyChannel: discordgo.PermissionSendMessages} {
		p, err := s.client.UserChannelPermissions(discordapi.DefaultBotID, channel)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(discordapi.BotPermissions) &^ lacks; p != want {
			t.Errorf("%s: permissions %b, want %b", channel, p, want)
		}
	}
}

func TestEmbedsNeedAPermission(t *testing.T) {
	s := start(t, discordapi.Options{})
	plain := s.AddChannel(discordapi.Channel{Name: "plain", GuildID: discordapi.GuildID, Deny: discordapi.EmbedLinks}).ID
	embed := []*discordgo.MessageEmbed{{Title: "hi"}}
	m, err := s.client.ChannelMessageSendComplex(plain, &discordgo.MessageSend{Content: "text", Embeds: embed})
	if err != nil || len(m.Embeds) != 0 {
		t.Errorf("beside a content: got %+v, %v", m, err)
	}
	_, err = s.client.ChannelMessageSendComplex(plain, &discordgo.MessageSend{Embeds: embed})
	wantCode(t, err, 50013)
}

func TestBodiesOverALimitAreRefused(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	embed := func(inside string) string { return `{"embeds":[{` + inside + `}]}` }
	for name, c := range map[string]struct{ body, field string }{
		"content":            {`{"content":"` + long(2001) + `"}`, "content"},
		"content in emoji":   {`{"content":"` + strings.Repeat("😀", 1001) + `"}`, "content"},
		"eleven embeds":      {`{"embeds":[` + strings.TrimSuffix(strings.Repeat(`{"title":"x"},`, 11), ",") + `]}`, "embeds"},
		"embeds in all":      {`{"embeds":[{"description":"` + long(4000) + `"},{"description":"` + long(2001) + `"}]}`, "embeds"},
		"title":              {embed(`"title":"` + long(257) + `"`), "embeds.0.title"},
		"description":        {embed(`"description":"` + long(4097) + `"`), "embeds.0.description"},
		"empty field":        {embed(`"fields":[{"name":"a","value":" "}]`), "embeds.0.fields.0.value"},
		"long field":         {embed(`"fields":[{"name":"a","value":"` + long(1025) + `"}]`), "embeds.0.fields.0.value"},
		"empty author":       {embed(`"title":"x","author":{"name":""}`), "embeds.0.author.name"},
		"empty embed":        {embed(`"color":1`), "embeds.0"},
		"colour":             {embed(`"title":"x","color":16777216`), "embeds.0.color"},
		"timestamp":          {embed(`"title":"x","timestamp":"yesterday"`), "embeds.0.timestamp"},
		"embed address":      {embed(`"title":"x","url":"javascript:alert(1)"`), "embeds.0.url"},
		"nonce":              {`{"content":"x","nonce":"` + long(26) + `"}`, "nonce"},
		"mentions":           {`{"content":"x","allowed_mentions":{"parse":["all"]}}`, "allowed_mentions.parse.0"},
		"button without url": {`{"content":"x","components":[{"type":1,"components":[{"type":2,"style":5,"label":"a"}]}]}`, "components.0.components.0.url"},
		"long button":        {`{"content":"x","components":[{"type":1,"components":[{"type":2,"style":1,"custom_id":"a","label":"` + long(81) + `"}]}]}`, "components.0.components.0.label"},
		"button in no row":   {`{"content":"x","components":[{"type":2,"style":1,"custom_id":"a","label":"a"}]}`, "components.0.type"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, discordapi.Options{})
			_, err := s.raw("POST", "channels/"+requests+"/messages", c.body)
			wantCode(t, err, 50035)
			var rest *discordgo.RESTError
			if !errors.As(err, &rest) {
				t.Fatal(err)
			}
			var body struct{ Errors map[string]any }
			if err := json.Unmarshal(rest.ResponseBody, &body); err != nil {
				t.Fatal(err)
			}
			at := body.Errors
			for part := range strings.SplitSeq(c.field, ".") {
				at, _ = at[part].(map[string]any)
			}
			if at["_errors"] == nil {
				t.Errorf("no fault at %s in %s", c.field, rest.ResponseBody)
			}
		})
	}
}

func TestAnEmptyMessageIsRefused(t *testing.T) {
	s := start(t, discordapi.Options{})
	_, err := s.raw("POST", "channels/"+requests+"/messages", `{"content":"  "}`)
	wantCode(t, err, 50006)
	_, err = s.raw("POST", "channels/"+requests+"/messages", `{"content":`)
	if err == nil {
		t.Error("broken JSON was accepted")
	}
}

func TestAnEnforcedNonceGivesTheMessageThatIsThere(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, discordapi.Options{Options: apiserver.Options{Now: func() time.Time { return now }}})
	post := func(body string) (map[string]any, error) {
		return s.raw("POST", "channels/"+requests+"/messages", body)
	}
	id := func(body string) any {
		t.Helper()
		m, err := post(body)
		if err != nil {
			t.Fatal(err)
		}
		return m["id"]
	}
	first := id(`{"content":"one","nonce":"n","enforce_nonce":true}`)
	if again := id(`{"content":"two","nonce":"n","enforce_nonce":true}`); again != first {
		t.Errorf("the repeat made %v, want %v", again, first)
	}
	if other := id(`{"content":"one","nonce":"n"}`); other == first {
		t.Error("a nonce that is not enforced held a message back")
	}
	now = now.Add(discordapi.NonceWindow + time.Second)
	later := id(`{"content":"one","nonce":"n","enforce_nonce":true}`)
	if later == first {
		t.Error("the nonce was enforced after its time")
	}
	if err := s.DeleteMessage(requests, later.(string)); err != nil {
		t.Fatal(err)
	}
	_, err := post(`{"content":"one","nonce":"n","enforce_nonce":true}`)
	wantCode(t, err, 10008)
}

func TestPingsFollowAllowedMentions(t *testing.T) {
	const content = `hello @everyone <@12> <@&34> ` + "`<@56>`" + ` \<@78>`
	for name, c := range map[string]struct {
		allowed string
		want    []string
	}{
		"absent": {"", []string{"12", "34", "everyone"}},
		"none":   {`,"allowed_mentions":{"parse":[]}`, nil},
		"users":  {`,"allowed_mentions":{"parse":["users"]}`, []string{"12"}},
		"named":  {`,"allowed_mentions":{"parse":[],"roles":["34"]}`, []string{"34"}},
	} {
		s := start(t, discordapi.Options{})
		text, _ := json.Marshal(content)
		if _, err := s.raw("POST", "channels/"+requests+"/messages", `{"content":`+string(text)+c.allowed+`}`); err != nil {
			t.Fatal(err)
		}
		if got := s.Messages(requests)[0].Mentions; !slices.Equal(got, c.want) {
			t.Errorf("%s: pinged %v, want %v", name, got, c.want)
		}
		m := s.Messages(requests)[0]
		if _, err := s.raw("PATCH", "channels/"+requests+"/messages/"+m.ID, `{"content":"now @here"`+c.allowed+`}`); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(s.Messages(requests)[0].Mentions, "here"); got != (c.allowed == "") {
			t.Errorf("%s: the edit pinged: %v", name, got)
		}
	}
}

func TestAThreadBelongsToItsMessage(t *testing.T) {
	s := start(t, discordapi.Options{})
	m := s.post(t, requests, "hi")
	thread, err := s.client.MessageThreadStart(requests, m.ID, "talk", 1440)
	if err != nil || thread.ID != m.ID || thread.ParentID != requests {
		t.Fatalf("got %+v, %v", thread, err)
	}
	_, err = s.client.MessageThreadStart(requests, m.ID, "talk", 1440)
	wantCode(t, err, 160004)
	s.post(t, thread.ID, "inside")
	if got := s.Messages(thread.ID); len(got) != 1 || got[0].Content != "inside" {
		t.Errorf("thread holds %+v", got)
	}
	_, err = s.client.MessageThreadStart(requests, m.ID, strings.Repeat("x", 101), 1440)
	wantCode(t, err, 50035)
	s.AddChannel(discordapi.Channel{ID: thread.ID, Type: discordapi.PublicThread, GuildID: discordapi.GuildID, ParentID: requests, Archived: true, Locked: true})
	_, err = s.client.ChannelMessageSend(thread.ID, "late")
	wantCode(t, err, 50083)
}

func TestDirectMessagesGoToThosePeopleWhoTakeThem(t *testing.T) {
	s := start(t, discordapi.Options{})
	closed := s.AddUser(discordapi.User{Name: "closed", DMsClosed: true}).ID
	stranger := s.AddUser(discordapi.User{Name: "stranger", Stranger: true}).ID
	for user, want := range map[string]int{discordapi.AliceID: 0, closed: 50007, stranger: 50278} {
		ch, err := s.client.UserChannelCreate(user)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.client.ChannelMessageSend(ch.ID, "hi")
		wantCode(t, err, want)
	}
	ch, _ := s.client.UserChannelCreate(discordapi.AliceID)
	_, err := s.client.MessageThreadStart(ch.ID, s.post(t, ch.ID, "hi").ID, "talk", 60)
	wantCode(t, err, 50024)
	_, err = s.client.UserChannelCreate("404")
	wantCode(t, err, 50033)
}

func TestHistoryIsPagedFromEitherEnd(t *testing.T) {
	s := start(t, discordapi.Options{})
	var ids []string
	for range 7 {
		ids = append(ids, s.post(t, security, "x").ID)
	}
	list := func(limit int, before, after string) (got []string) {
		t.Helper()
		found, err := s.client.ChannelMessages(security, limit, before, after, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range found {
			got = append(got, m.ID)
		}
		return got
	}
	for _, c := range []struct {
		name      string
		got, want []string
	}{
		{"newest", list(2, "", ""), []string{ids[6], ids[5]}},
		{"before", list(2, ids[3], ""), []string{ids[2], ids[1]}},
		{"after", list(2, "", ids[3]), []string{ids[5], ids[4]}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestFaultsHitTheCallsTheyName(t *testing.T) {
	s := start(t, discordapi.Options{})
	s.Faults().Add(fault.Fault{Method: discordapi.CreateMessage, Target: "security", Effect: fault.Refuse, Code: "200000", Times: 1})
	s.post(t, requests, "not hit")
	_, err := s.client.ChannelMessageSend(security, "hit")
	wantCode(t, err, 200000)
	s.post(t, security, "used up")

	s.Faults().Add(fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 1500, Times: 1})
	var limited *discordgo.RateLimitError
	if _, err = s.client.User("@me"); !errors.As(err, &limited) || limited.RetryAfter != 1500*time.Millisecond {
		t.Errorf("got %v", err)
	}
	s.Faults().Add(fault.Fault{Method: discordapi.CreateMessage, Effect: fault.DoneNotAnswered, Times: 1})
	if _, err = s.client.ChannelMessageSend(security, "done"); err == nil {
		t.Error("an answer came")
	}
	if got := s.Messages(security); got[len(got)-1].Content != "done" {
		t.Errorf("last message %+v", got[len(got)-1])
	}
}

func TestTheLimitsOfARouteAreToldAndKept(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, discordapi.Options{Limits: &apiserver.Limits{PerRoute: 2, Window: 5 * time.Second, Global: 4}, Options: apiserver.Options{Now: func() time.Time { return now }}})
	get := func(path string) *http.Response {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
		req.Header.Set("Authorization", "Bot "+s.Token())
		resp, err := s.client.Client.Transport.(rebase).next.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	get("channels/" + requests)
	if h := get("channels/" + requests).Header; h.Get("X-RateLimit-Remaining") != "0" || h.Get("X-RateLimit-Reset-After") != "5.000" {
		t.Errorf("header %v", h)
	}
	if r := get("channels/" + requests); r.StatusCode != 429 || r.Header.Get("Retry-After") != "5" || r.Header.Get("X-RateLimit-Global") != "" {
		t.Errorf("third call: %d %v", r.StatusCode, r.Header)
	}
	get("channels/" + security)
	if r := get("channels/" + security); r.StatusCode != 429 || r.Header.Get("X-RateLimit-Global") != "true" {
		t.Errorf("fifth call: %d %v", r.StatusCode, r.Header)
	}
	now = now.Add(5 * time.Second)
	if r := get("channels/" + requests); r.StatusCode == 429 {
		t.Error("limited after the window")
	}
}

func TestSubscribersHearOfChanges(t *testing.T) {
	s := start(t, discordapi.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { _, _ = s.client.ChannelMessageSend(requests, "hi") }()
	if err := s.Wait(ctx, func() bool { return s.Calls(discordapi.CreateMessage) == 1 }); err != nil {
		t.Error(err)
	}
}

func TestTheLogHoldsNoToken(t *testing.T) {
	s := start(t, discordapi.Options{})
	s.post(t, requests, "hi")
	text, err := json.Marshal(s.Requests())
	if err != nil || strings.Contains(string(text), s.Token()) || !strings.Contains(string(text), `"content":"hi"`) {
		t.Errorf("log %s, %v", text, err)
	}
}

func TestLatencyIsAddedToEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := discordapi.New(discordapi.Options{Options: apiserver.Options{Latency: time.Second}})
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/api/users/@me", nil)
		req.Body = http.NoBody
		begin := time.Now()
		s.ServeHTTP(&blank{header: http.Header{}}, req)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// blank is a response writer that throws all away.
type blank struct{ header http.Header }

func (b *blank) Header() http.Header         { return b.header }
func (b *blank) Write(p []byte) (int, error) { return len(p), nil }
func (b *blank) WriteHeader(int)             {}

func TestRenderingShowsWhatAReaderSees(t *testing.T) {
	got := discordapi.Render("*ID*: `<@1>` [shop](https://evil.example/x) \\@here <t:0:f>",
		json.RawMessage(`[{"title":"T","color":5,"fields":[{"name":"n","value":"v"}],"footer":{"text":"F"},"timestamp":"2026-03-01T12:00:00Z"}]`),
		json.RawMessage(`[{"type":1,"components":[{"type":2,"style":5,"label":"Open","url":"https://t.example"}]}]`))
	const want = "*ID*: <@1> shop (https://evil.example/x) @here January 1, 1970 00:00 UTC\n---\nT\nn: v\nF • March 1, 2026 12:00 UTC\n[Open] (https://t.example)"
	if got.Text != want {
		t.Errorf("got\n%s\nwant\n%s", got.Text, want)
	}
	if len(got.Mentions) != 0 || len(got.Links) != 2 || got.Tones[0] != "#000005" {
		t.Errorf("got %+v", got)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("`a` <@1> [x](https://y)", `[{"title":"x"}]`)
	f.Add("\\", "{")
	f.Fuzz(func(t *testing.T, content, embeds string) {
		discordapi.Render(content, json.RawMessage(embeds), nil)
	})
}
