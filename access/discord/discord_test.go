package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/sandbox/discordapi"
	"teleport-plugins/lib/sandbox/fault"
)

const (
	requests = discordapi.AccessRequestsChannel
	security = discordapi.SecurityChannel
)

// bench is the integration beside a simulated Discord.
type bench struct {
	*service
	discord *discordapi.Server
	parts   plugin.Parts
}

func newBench(t *testing.T, opts discordapi.Options, change ...func(*Config)) bench {
	t.Helper()
	fake := discordapi.New(opts)
	if err := fake.Start(); err != nil {
		t.Fatal(err)
	}
	transport := outbound.NewTransport(outbound.Options{UserAgent: userAgent("test")})
	t.Cleanup(func() {
		transport.CloseIdle()
		if err := fake.Close(); err != nil {
			t.Error(err)
		}
	})
	c := Integration().New().(*Config)
	c.Discord.Token = config.NewSecret(fake.Token())
	c.Discord.APIURL = fake.URL()
	c.Discord.Users = map[string]string{"alice@example.com": discordapi.AliceID, "bob@example.com": discordapi.BobID}
	c.RoleToRecipients = config.Recipients{"*": {requests}}
	for _, f := range change {
		f(c)
	}
	parts, err := c.Build(plugin.Deps{Log: zap.NewNop(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return bench{parts.Service.(*service), fake, parts}
}

var created = time.Now().UTC().Truncate(time.Second)

func request() message.View {
	return message.View{
		ID: "0c0f9d5e-1111-4222-8333-444455556677", Cluster: "prod.example.org", User: "alice@example.com",
		Roles: []string{"db-admin"}, Logins: map[string][]string{"db-admin": {"root", "postgres"}},
		Reason: "INC-204, replica lag", Link: "https://prod.example.org/web/requests/0c0f9d5e-1111-4222-8333-444455556677",
		Status: message.Pending, ApprovalsNeeded: 2, Created: created,
		Expires: created.Add(time.Hour), AccessUntil: created.Add(8 * time.Hour),
	}
}

func reviewed(v message.View, reviews ...message.Review) message.View {
	v.Reviews = append(slices.Clone(v.Reviews), reviews...)
	return v
}

func approval(by, reason string) message.Review {
	return message.Review{Author: by, State: message.Approved, Reason: reason, Created: created.Add(time.Minute)}
}

func (b bench) mustPost(t *testing.T, v message.View) plugindata.Message {
	t.Helper()
	m, err := b.Post(t.Context(), requests, v)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (b bench) shown(t *testing.T, m plugindata.Message) discordapi.Message {
	t.Helper()
	got, ok := b.discord.Message(m.Channel, m.ID)
	if !ok {
		t.Fatalf("there is no message %v", m)
	}
	return got
}

func wantKind(t *testing.T, err error, want outbound.Kind) {
	t.Helper()
	if err == nil || outbound.KindOf(err) != want {
		t.Errorf("got %v of kind %s, want kind %s", err, outbound.KindOf(err), want)
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestAnAnnouncementShowsTheRequest(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, request())
	if m.Channel != requests {
		t.Errorf("recorded channel %s", m.Channel)
	}
	got := b.shown(t, m)
	contains(t, got.Content, "You have a new Role Request:", "*ID*: "+request().ID, "*User*: alice@example.com",
		"*Role*: `db-admin` *Login(s)*: `postgres, root`", "*Reason*: ```\nINC-204, replica lag```", "*Link*: https://prod", "*Status*: ⏳ PENDING")
	if len(got.Rendered.Colors) != 1 || got.Rendered.Colors[0] != amber || len(got.Rendered.Buttons) != 1 {
		t.Errorf("rendered %+v", got.Rendered)
	}
	if len(got.Mentions) != 0 {
		t.Errorf("pinged %v", got.Mentions)
	}
}

func TestEditsFollowTheRequestToItsEnd(t *testing.T) {
	for _, c := range []struct {
		status message.Status
		text   string
		color  int
	}{
		{message.Approved, "*Status*: ✅ APPROVED\n*Resolution reason*: ```\nfine```", green},
		{message.Denied, "*Status*: ❌ DENIED", red},
		{message.Promoted, "*Status*:  PROMOTED", purple},
		{message.Expired, "*Status*: ⌛ EXPIRED", grey},
	} {
		b := newBench(t, discordapi.Options{})
		m := b.mustPost(t, request())
		v := reviewed(request(), approval("bob", "looks good"))
		v.Status, v.ResolveReason = c.status, "fine"
		if err := b.Edit(t.Context(), m, v); err != nil {
			t.Fatal(err)
		}
		got := b.shown(t, m)
		contains(t, got.Content, c.text)
		contains(t, got.Rendered.Text, "Approved request at ", "looks good", "bob")
		if !slices.Equal(got.Rendered.Colors, []int{c.color, green}) || len(got.Mentions) != 0 {
			t.Errorf("%s: %+v pinged %v", c.status, got.Rendered, got.Mentions)
		}
	}
}

func TestReviewsStayWhenOnlyTheirNumberIsKnown(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, reviewed(request(), approval("bob", "looks good")))
	v := request()
	v.Status, v.Reviews = message.Expired, make([]message.Review, 1)
	if err := b.Edit(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	got := b.shown(t, m)
	contains(t, got.Rendered.Text, "looks good", "⌛ EXPIRED")
	if !slices.Equal(got.Rendered.Colors, []int{grey, green}) {
		t.Errorf("colours %v", got.Rendered.Colors)
	}
}

func TestAnEditOfAMessageThatIsGoneSaysSo(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, request())
	if err := b.discord.DeleteMessage(m.Channel, m.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Edit(t.Context(), m, request()), outbound.Gone)
	wantKind(t, b.Reply(t.Context(), m, reviewed(request(), approval("bob", "")), 0), outbound.Gone)
	again := b.mustPost(t, request())
	if again.ID == m.ID || b.shown(t, again).Deleted {
		t.Error("the message was not posted again")
	}
}

func TestAPostWhoseAnswerWasLostIsNotDoubled(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Method: createMessage, Effect: fault.DoneNotAnswered, Times: 1})
	_, err := b.Post(t.Context(), requests, request())
	wantKind(t, err, outbound.Unclear)

	m := b.mustPost(t, request())
	if n := len(b.discord.Messages(requests)); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	if found, ok, err := b.Find(t.Context(), requests, request()); err != nil || !ok || found != m {
		t.Errorf("found %v, %v, %v; want %v", found, ok, err, m)
	}
}

func TestAPostThatDiscordAlreadyHasIsBroughtUpToDate(t *testing.T) {
	for name, change := range map[string]func(*message.View){
		"state":  func(v *message.View) { v.Status = message.Approved },
		"review": func(v *message.View) { v.Reviews = []message.Review{approval("bob", "")} },
	} {
		b := newBench(t, discordapi.Options{})
		first := b.mustPost(t, request())
		v := request()
		change(&v)
		again := b.mustPost(t, v)
		if again != first {
			t.Errorf("%s: posted twice", name)
		}
		if got := b.shown(t, first); got.Edits != 1 {
			t.Errorf("%s: the message still shows what was", name)
		}
	}
}

func TestFindLooksOnlyAtOurOwnMessagesOfTheRequest(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	if _, err := b.discord.PostAs(discordapi.DaveID, requests, announcement(request(), true, "").text); err != nil {
		t.Fatal(err)
	}
	other := request()
	other.ID = "11111111-aaaa"
	b.mustPost(t, other)
	if _, ok, err := b.Find(t.Context(), requests, request()); ok || err != nil {
		t.Errorf("found what is not ours: %v, %v", ok, err)
	}
	for range 120 {
		if _, err := b.discord.PostAs(discordapi.DaveID, requests, "chatter"); err != nil {
			t.Fatal(err)
		}
	}
	m := b.mustPost(t, request())
	if got, ok, err := b.Find(t.Context(), requests, request()); err != nil || !ok || got != m {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
}

func TestAnAnnouncementWithoutACardIsFoundByItsText(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	plain := b.channel("plain", discordapi.EmbedLinks)
	m, err := b.Post(t.Context(), plain, request())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok, err := b.Find(t.Context(), plain, request()); err != nil || !ok || got != m {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
}

func TestWhatMayNotBeReadCountsAsNotFound(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	for _, channel := range []string{discordapi.HiddenChannel, "404", b.channel("no-history", discordapi.ReadMessageHistory), "junk"} {
		if _, ok, err := b.Find(t.Context(), channel, request()); ok || err != nil {
			t.Errorf("%s: %v, %v", channel, ok, err)
		}
	}
	v := reviewed(request(), approval("bob", ""))
	if ok, err := b.FindReply(t.Context(), plugindata.Message{Channel: requests, ID: "404"}, v, 0); ok || err != nil {
		t.Errorf("reply: %v, %v", ok, err)
	}
}

// channel makes a channel in which the bot lacks a permission.
func (b bench) channel(name string, lacks discordapi.Permission) string {
	return b.discord.AddChannel(discordapi.Channel{Name: name, GuildID: discordapi.GuildID, Deny: lacks}).ID
}

func TestReviewsAreToldInTheThread(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, request())
	v := reviewed(request(), approval("bob", "looks good"), message.Review{Author: "carol", State: message.Denied, Created: created})
	for i := range v.Reviews {
		if found, err := b.FindReply(t.Context(), m, v, i); found || err != nil {
			t.Errorf("review %d was found before it was told: %v", i, err)
		}
		for range 2 { // the second is a repeat after an unclear outcome
			if err := b.Reply(t.Context(), m, v, i); err != nil {
				t.Fatal(err)
			}
		}
		if found, err := b.FindReply(t.Context(), m, v, i); !found || err != nil {
			t.Errorf("review %d is not found: %v", i, err)
		}
	}
	thread, ok := b.discord.Channel(m.ID)
	if !ok || thread.ParentID != requests || thread.Name != "Access request from alice@example.com" {
		t.Errorf("thread %+v", thread)
	}
	told := b.discord.Messages(m.ID)
	if len(told) != 2 {
		t.Fatalf("told %d times", len(told))
	}
	contains(t, told[0].Rendered.Text, "bob", "✅ APPROVED", "looks good")
	contains(t, told[1].Rendered.Text, "carol", "❌ DENIED")
}

func TestReviewsCanBeToldBelowAMessageThatHasNoThreadYet(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, request())
	v := reviewed(request(), approval("bob", "one"), approval("carol", "two"))
	if err := b.Reply(t.Context(), m, v, 1); err != nil {
		t.Fatal(err)
	}
	contains(t, b.discord.Messages(m.ID)[0].Content, "carol")
}

func TestWithoutThreadsTheAnnouncementShowsTheReviews(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := reviewed(request(), approval("bob", "one"), approval("carol", "two"))

	no := b.channel("no-threads", discordapi.CreatePublicThreads)
	m, err := b.Post(t.Context(), no, v)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Reply(t.Context(), m, v, 0)
	wantKind(t, err, outbound.Permanent)
	contains(t, err.Error(), "Create Public Threads")
	calls := b.discord.Calls(startThread)
	if err := b.Reply(t.Context(), m, v, 1); err != nil || b.discord.Calls(startThread) != calls {
		t.Errorf("asked again: %v", err)
	}

	dm, err := b.Resolve(t.Context(), "user:"+discordapi.AliceID)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = b.Post(t.Context(), dm, v); err != nil {
		t.Fatal(err)
	}
	if err := b.Reply(t.Context(), m, v, 0); err != nil {
		t.Errorf("in a direct message: %v", err)
	}
	contains(t, b.shown(t, m).Rendered.Text, "bob", "carol")
}

func TestWithoutEmbedsTheTextSaysAll(t *testing.T) {
	v := reviewed(request(), approval("bob", "looks good"))
	for name, prepare := range map[string]func(b bench) string{
		"dropped in silence": func(b bench) string { return b.channel("plain", discordapi.EmbedLinks) },
		"refused": func(b bench) string {
			b.discord.Faults().Add(fault.Fault{Method: createMessage, Effect: fault.Refuse, Code: "50013", Times: 1})
			return requests
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			channel := prepare(b)
			m, err := b.Post(t.Context(), channel, v)
			if err != nil {
				t.Fatal(err)
			}
			got := b.shown(t, m)
			contains(t, got.Content, "*Review*: ✅ APPROVED by bob `looks good`", "*Request expires*: <t:")
			if len(b.discord.Messages(channel)) != 1 || len(got.Rendered.Colors) != 0 {
				t.Errorf("got %+v", got.Rendered)
			}
			if err := b.Edit(t.Context(), m, v); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAMessageEditedAfterEmbedsWereForbiddenSaysAllInItsText(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	channel := b.channel("changing", 0)
	m, err := b.Post(t.Context(), channel, request())
	if err != nil {
		t.Fatal(err)
	}
	b.discord.AddChannel(discordapi.Channel{ID: channel, Name: "changing", GuildID: discordapi.GuildID, Deny: discordapi.EmbedLinks})
	if err := b.Edit(t.Context(), m, reviewed(request(), approval("bob", "late"))); err != nil {
		t.Fatal(err)
	}
	contains(t, b.shown(t, m).Content, "APPROVED by bob `late`")
}

func TestRecipientsBecomeChannels(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.AddGuild(discordapi.Guild{ID: "55", Name: "A/B", Channels: []discordapi.Channel{{ID: "56", Name: "ops"}, {ID: "57", Name: "ops"}, {ID: "58", Name: "voice", Type: discordapi.VoiceChannel}}})
	for name, want := range map[string]string{
		requests: requests, "1": "1", "Sandbox/security": security, "sandbox/#security": security, discordapi.GuildID + "/security": security,
		"user:" + discordapi.AliceID: b.discord.OpenDM(discordapi.AliceID), "Alice@example.com": b.discord.OpenDM(discordapi.AliceID),
	} {
		if got, err := b.Resolve(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
	for name, says := range map[string]string{
		"carol@example.com": "[discord.users]", "general": "server/channel", "user:alice": "user:id", "": "server/channel",
		"Sandbox/nowhere": "no text channel", "Nowhere/x": "no server", "A/B/ops": "more than one", "A/B/voice": "no text channel",
		"user:404": "Invalid Recipient", "404/x": "Unknown Guild",
	} {
		_, err := b.Resolve(t.Context(), name)
		wantKind(t, err, outbound.Permanent)
		contains(t, fmt.Sprint(err), says)
	}
}

func TestNamesAreLookedUpOnce(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	for range 3 {
		if _, err := b.Resolve(t.Context(), "Sandbox/security"); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.discord.Calls(listChannels); n != 1 {
		t.Errorf("looked up %d times", n)
	}
}

func TestSuggestedReviewersAreToldThroughTheMapAlone(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := request()
	v.SuggestedReviewers = []string{"bob@example.com", "carol@example.com", requests, "user:1"}
	want := []string{requests, "user:" + discordapi.BobID}
	if got := b.parts.Router.Recipients(t.Context(), v); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheRequesterIsToldThroughTheMap(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := request()
	v.Status, v.ResolveReason = message.Approved, "go"
	address, err := b.Resolve(t.Context(), b.Requester(v))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Notice(t.Context(), address, v); err != nil {
			t.Fatal(err)
		}
	}
	got := b.discord.Messages(discordapi.AliceID)
	if len(got) != 1 {
		t.Fatalf("told %d times", len(got))
	}
	contains(t, got[0].Rendered.Text, "✅ APPROVED", "go", request().ID)
	v.User = "mallory"
	if name := b.Requester(v); name != "" {
		t.Errorf("unknown requester is %q", name)
	}
}

func TestARecordOfTheExistingPluginIsContinued(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	id, err := b.discord.PostAs(discordapi.DefaultBotID, requests, "You have a new Role Request:\n*ID*: x")
	if err != nil {
		t.Fatal(err)
	}
	known, err := b.parts.Codec.Decode(map[string]string{"messages": requests + "/" + id, "user": "alice@example.com", "roles": "db-admin"})
	if err != nil || len(known.Messages) != 1 {
		t.Fatalf("got %+v, %v", known, err)
	}
	v := request()
	v.Status = message.Denied
	if err := b.Edit(t.Context(), known.Messages[0], v); err != nil {
		t.Fatal(err)
	}
	contains(t, b.shown(t, known.Messages[0]).Content, "❌ DENIED")
}

func TestTheStartNamesWhatIsMissing(t *testing.T) {
	b := newBench(t, discordapi.Options{}, func(c *Config) {
		c.RoleToRecipients = config.Recipients{"*": {requests, "user:" + discordapi.AliceID, "alice@example.com", "Sandbox/security"}}
	})
	if faults := b.Inspect(t.Context()); len(faults) != 0 || b.discord.Calls(openDM) != 0 {
		t.Errorf("faults without cause: %v", faults)
	}
	b.configured = []string{discordapi.HiddenChannel, discordapi.ReadOnlyChannel, "404", "Sandbox/nowhere", b.channel("poor", discordapi.ReadMessageHistory|discordapi.CreatePublicThreads)}
	text := strings.Join(b.Inspect(t.Context()), "\n")
	const invite = "https://discord.com/oauth2/authorize?client_id=" + discordapi.DefaultApplicationID + "&scope=bot&permissions=309237730304"
	contains(t, text, "cannot see the channel "+discordapi.HiddenChannel, "cannot see the channel 404", invite+"&guild_id="+discordapi.GuildID,
		`"Send Messages" in the channel `+discordapi.ReadOnlyChannel+" (#read-only)", "no text channel", `"Read Message History"`, `"Create Public Threads"`)
	if n := strings.Count(text, "\n") + 1; n != 6 {
		t.Errorf("%d sentences, want 6:\n%s", n, text)
	}
}

func TestForeignIdsNeverReachAnAddress(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	for _, m := range []plugindata.Message{{Channel: "../users/@me", ID: "1"}, {Channel: "1", ID: "2?x"}, {}} {
		wantKind(t, b.Edit(t.Context(), m, request()), outbound.Permanent)
		wantKind(t, b.Reply(t.Context(), m, reviewed(request(), approval("bob", "")), 0), outbound.Permanent)
	}
	_, err := b.Post(t.Context(), "C0SLACK", request())
	wantKind(t, err, outbound.Permanent)
	if n := b.discord.Counts(); len(n) != 0 {
		t.Errorf("calls were made: %v", n)
	}
}

func TestATokenIsTakenUpWhenItChanges(t *testing.T) {
	t.Setenv("DISCORD_TOKEN", "old")
	b := newBench(t, discordapi.Options{Token: "old"}, func(c *Config) { c.Discord.Token = config.NewSecret("env:DISCORD_TOKEN") })
	if err := b.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.discord.SetToken("new")
	wantKind(t, b.Check(t.Context()), outbound.Credentials)
	t.Setenv("DISCORD_TOKEN", "new")
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNonces(t *testing.T) {
	v, seen := request(), map[string]bool{}
	other := request()
	other.Created = created.Add(time.Second)
	for _, n := range []string{
		nonce(v, "1", "post"), nonce(v, "2", "post"), nonce(other, "1", "post"), nonce(v, "1", "review", 0), nonce(v, "1", "review", 1), nonce(v, "1", "notice", message.Approved),
	} {
		if len(n) > nonceLimit || seen[n] {
			t.Errorf("nonce %q", n)
		}
		seen[n] = true
	}
	if nonce(v, "1", "post") != nonce(reviewed(v, approval("bob", "")), "1", "post") {
		t.Error("the nonce changes with the state")
	}
}

func TestNoFailureShowsTheToken(t *testing.T) {
	const token = "very.secret.token"
	for _, effect := range []fault.Fault{
		{Effect: fault.Status, HTTPStatus: 502},
		{Effect: fault.Status, HTTPStatus: 403},
		{Effect: fault.Cut},
		{Effect: fault.Garbage},
		{Effect: fault.RateLimit},
		{Effect: fault.Refuse, Code: "50035"},
		{Effect: fault.Hang},
	} {
		b := newBench(t, discordapi.Options{Token: token})
		b.discord.Faults().Add(effect)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_, err := b.Post(ctx, requests, request())
		cancel()
		for e := err; e != nil; e = errors.Unwrap(e) {
			if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, token) {
				t.Errorf("%s: %s", effect.Effect, text)
			}
		}
		if err == nil {
			t.Errorf("%s: no error", effect.Effect)
		}
		text, _ := json.Marshal(slices.Collect(maps.Keys(b.discord.Counts())))
		if strings.Contains(string(text), token) {
			t.Error("the token is in a path")
		}
	}
}
