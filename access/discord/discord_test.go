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

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
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
	c.Identity.Users = map[string]string{"alice@example.com": discordapi.AliceID, "bob@example.com": discordapi.BobID}
	c.RoleToRecipients = recipient.Table{"*": {requests}}
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

func sample() request.View {
	return request.View{
		ID: "0c0f9d5e-1111-4222-8333-444455556677", Cluster: "prod.example.org", User: "alice@example.com",
		Roles: []string{"db-admin"}, Logins: map[string][]string{"db-admin": {"root", "postgres"}},
		Reason: "INC-204, replica lag", Link: "https://prod.example.org/web/requests/0c0f9d5e-1111-4222-8333-444455556677",
		Status: request.Pending, ApprovalsNeeded: 2, Created: created,
		Expires: created.Add(time.Hour), AccessUntil: created.Add(8 * time.Hour),
	}
}

func reviewed(v request.View, reviews ...request.Review) request.View {
	v.Reviews = append(slices.Clone(v.Reviews), reviews...)
	return v
}

func approval(by, reason string) request.Review {
	return request.Review{Author: by, State: request.Approved, Reason: reason, Created: created.Add(time.Minute)}
}

// The effects that have an index of their own.
var (
	announce = integration.Effect{Kind: integration.Announce}
	again    = integration.Effect{Kind: integration.Announce, Index: 1}
)

func review(i int) integration.Effect { return integration.Effect{Kind: integration.Review, Index: i} }

func (b bench) post(t *testing.T, channel string, v request.View) (plugindata.Message, error) {
	t.Helper()
	return b.Tell(t.Context(), integration.Place{Address: channel}, announce, v)
}

func (b bench) reply(t *testing.T, m plugindata.Message, v request.View, i int) error {
	t.Helper()
	_, err := b.Tell(t.Context(), integration.Place{Address: m.Channel, Message: m}, review(i), v)
	return err
}

func (b bench) notice(t *testing.T, address string, v request.View) error {
	t.Helper()
	_, err := b.Tell(t.Context(), integration.Place{Address: address}, integration.Outcome(integration.Notice, v.Status), v)
	return err
}

// wantFound looks an effect up in a channel, or below a message in it.
func (b bench) wantFound(t *testing.T, in plugindata.Message, e integration.Effect, v request.View, want ...string) {
	t.Helper()
	got, err := b.Find(t.Context(), integration.Place{Address: in.Channel, Message: in}, e, v)
	if err != nil {
		t.Errorf("%s: %v", e, err)
	}
	var ids []string
	for _, m := range got {
		ids = append(ids, m.ID)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("%s: found %v, want %v", e, ids, want)
	}
}

func in(channel string) plugindata.Message { return plugindata.Message{Channel: channel} }

func (b bench) mustPost(t *testing.T, v request.View) plugindata.Message {
	t.Helper()
	m, err := b.post(t, requests, v)
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
	m := b.mustPost(t, sample())
	if m.Channel != requests {
		t.Errorf("recorded channel %s", m.Channel)
	}
	got := b.shown(t, m)
	contains(t, got.Content, "You have a new Role Request:", "*ID*: "+sample().ID, "*User*: alice@example.com",
		"*Role*: `db-admin` *Login(s)*: `postgres, root`", "*Reason*: ```\nINC-204, replica lag```", "*Link*: https://prod", "*Status*: ⏳ PENDING")
	if !slices.Equal(got.Rendered.Tones, tones(amber)) || len(got.Rendered.Buttons) != 1 {
		t.Errorf("rendered %+v", got.Rendered)
	}
	if len(got.Mentions) != 0 {
		t.Errorf("pinged %v", got.Mentions)
	}
}

func TestEditsFollowTheRequestToItsEnd(t *testing.T) {
	for _, c := range []struct {
		status request.Status
		text   string
		color  int
	}{
		{request.Approved, "*Status*: ✅ APPROVED\n*Resolution reason*: ```\nfine```", green},
		{request.Denied, "*Status*: ❌ DENIED", red},
		{request.Promoted, "*Status*:  PROMOTED", purple},
		{request.Expired, "*Status*: ⌛ EXPIRED", grey},
	} {
		b := newBench(t, discordapi.Options{})
		m := b.mustPost(t, sample())
		v := reviewed(sample(), approval("bob", "looks good"))
		v.Status, v.ResolveReason = c.status, "fine"
		if err := b.Show(t.Context(), m, v); err != nil {
			t.Fatal(err)
		}
		got := b.shown(t, m)
		contains(t, got.Content, c.text)
		contains(t, got.Rendered.Text, "Approved request at ", "looks good", "bob")
		if !slices.Equal(got.Rendered.Tones, tones(c.color, green)) || len(got.Mentions) != 0 {
			t.Errorf("%s: %+v pinged %v", c.status, got.Rendered, got.Mentions)
		}
	}
}

func TestAnEditOfAMessageThatIsGoneSaysSo(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	if err := b.discord.DeleteMessage(m.Channel, m.ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Show(t.Context(), m, sample()), outbound.Gone)
	wantKind(t, b.reply(t, m, reviewed(sample(), approval("bob", "")), 0), outbound.Gone)
	if other := b.mustPost(t, sample()); other.ID == m.ID || b.shown(t, other).Deleted {
		t.Error("the message was not posted again, though the nonce is that of one removed")
	}
}

func TestAPostWhoseAnswerWasLostIsNotDoubled(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Method: createMessage, Effect: fault.DoneNotAnswered, Times: 1})
	_, err := b.post(t, requests, sample())
	wantKind(t, err, outbound.Unclear)

	m := b.mustPost(t, sample())
	if n := len(b.discord.Messages(requests)); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	b.wantFound(t, in(requests), announce, sample(), m.ID)
}

// The engine shows the message afterwards what has changed since.
func TestAnOlderMessageUnderTheSameNonceIsReturnedAsItIs(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	first := b.mustPost(t, sample())
	if later := b.mustPost(t, reviewed(sample(), approval("bob", ""))); later != first {
		t.Errorf("got %v, want %v", later, first)
	}
	if got := b.shown(t, first); got.Edits != 0 {
		t.Errorf("edited %d times", got.Edits)
	}
}

func TestAnAnnouncementAfterARemovalIsAnotherMessage(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.mustPost(t, sample())
	for range 2 { // the second is a repeat after an unclear outcome
		if _, err := b.Tell(t.Context(), integration.Place{Address: requests}, again, sample()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.discord.Messages(requests)); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// channel makes a channel in which the bot lacks a permission.
func (b bench) channel(name string, lacks discordapi.Permission) string {
	return b.discord.AddChannel(discordapi.Channel{Name: name, GuildID: discordapi.GuildID, Deny: lacks}).ID
}

func TestAnAnnouncementShowsItsEndByItself(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	for k, want := range map[integration.Kind]bool{integration.Announce: true, integration.Review: true, integration.Notice: true, integration.End: false} {
		if b.Tells(k) != want {
			t.Errorf("%s: %t", k, !want)
		}
	}
	_, err := b.Tell(t.Context(), integration.Place{Address: requests}, integration.Effect{Kind: "shout"}, sample())
	wantKind(t, err, outbound.Refused)
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
	v := sample()
	v.Status = request.Denied
	if err := b.Show(t.Context(), known.Messages[0], v); err != nil {
		t.Fatal(err)
	}
	contains(t, b.shown(t, known.Messages[0]).Content, "❌ DENIED")
}

func TestNonces(t *testing.T) {
	v, seen := sample(), map[string]bool{}
	other := sample()
	other.Created = created.Add(time.Second)
	denied := integration.Outcome(integration.Notice, request.Denied)
	for _, n := range []string{
		nonce(v, "1", announce, ""), nonce(v, "1", announce, "again"), nonce(v, "1", again, ""), nonce(v, "2", announce, ""),
		nonce(other, "1", announce, ""), nonce(v, "1", review(0), ""), nonce(v, "1", review(1), ""), nonce(v, "1", denied, ""),
		nonce(v, "1", integration.Outcome(integration.Notice, request.Approved), ""), nonce(v, "1", integration.Outcome(integration.End, request.Denied), ""),
	} {
		if len(n) > nonceLimit || seen[n] {
			t.Errorf("nonce %q", n)
		}
		seen[n] = true
	}
	if nonce(v, "1", announce, "") != nonce(reviewed(v, approval("bob", "")), "1", announce, "") {
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
		_, err := b.Tell(ctx, integration.Place{Address: requests}, announce, sample())
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
