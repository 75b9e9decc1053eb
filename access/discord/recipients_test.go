package discord

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/check"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

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
		"carol@example.com": "[identity.users]", "general": "server/channel", "user:alice": "user:id", "": "server/channel",
		"Sandbox/nowhere": "no text channel", "Nowhere/x": "no server", "A/B/ops": "more than one", "A/B/voice": "no text channel",
		"user:404": "Invalid Recipient", "404/x": "Unknown Guild",
	} {
		_, err := b.Resolve(t.Context(), name)
		wantKind(t, err, outbound.Refused)
		contains(t, fmt.Sprint(err), says)
	}
}

func TestTheAddressOfAWebhookIsNotShown(t *testing.T) {
	const secret = "s3cret"
	const address = "https://discord.com/api/webhooks/1/" + secret
	b := newBench(t, discordapi.Options{})
	_, err := b.Resolve(t.Context(), address)
	wantKind(t, err, outbound.Refused)
	text := fmt.Sprint(err, b.Prove(t.Context(), address))
	contains(t, text, "a web address is no recipient")
	if strings.Contains(text, secret) {
		t.Error(text)
	}
}

func TestSuggestedReviewersAreToldThroughTheMapAlone(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := sample()
	v.SuggestedReviewers = []string{"bob@example.com", "carol@example.com", requests, "user:1"}
	want := []string{requests, "user:" + discordapi.BobID}
	if got := b.parts.Router.Recipients(t.Context(), v).Recipients(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheRequesterIsToldThroughTheMap(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := sample()
	v.Status, v.ResolveReason = request.Approved, "go"
	address, err := b.Resolve(t.Context(), b.Requester(t.Context(), v))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.notice(t, address, v); err != nil {
			t.Fatal(err)
		}
	}
	got := b.discord.Messages(discordapi.AliceID)
	if len(got) != 1 {
		t.Fatalf("told %d times", len(got))
	}
	contains(t, got[0].Rendered.Text, "✅ APPROVED", "go", sample().ID)
	v.User = "mallory"
	if name := b.Requester(t.Context(), v); name != "" {
		t.Errorf("unknown requester is %q", name)
	}
}

// inspected are the lines of the command check about recipients, but for those that say
// that all is well.
func (b bench) inspected(t *testing.T, recipients ...string) (lines []string) {
	t.Helper()
	run := &check.Run{Limit: time.Minute, Tell: func(l check.Line) {
		if l.Result != check.OK {
			lines = append(lines, l.String())
		}
	}}
	legs := b.Probes()
	for _, name := range recipients {
		legs = append(legs, check.Leg{What: name, Try: func(ctx context.Context) error { return b.Prove(ctx, name) }})
	}
	run.Do(t.Context(), legs...)
	return lines
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	if lines := b.inspected(t, requests, "user:"+discordapi.AliceID, "alice@example.com", "Sandbox/security"); len(lines) != 0 || b.discord.Calls(openDM) != 0 {
		t.Errorf("without cause: %q", lines)
	}
	forum := b.discord.AddChannel(discordapi.Channel{Name: "ideas", GuildID: discordapi.GuildID, Type: discordapi.ForumChannel}).ID
	poor := b.channel("poor", discordapi.ReadMessageHistory|discordapi.CreatePublicThreads)
	mute := b.channel("mute", discordapi.SendMessagesInThreads)
	thread := func(name, parent string) string {
		return b.discord.AddChannel(discordapi.Channel{Name: name, GuildID: discordapi.GuildID, ParentID: parent, Type: discordapi.PublicThread}).ID
	}
	const invite = "https://discord.com/oauth2/authorize?client_id=" + discordapi.DefaultApplicationID + "&scope=bot&permissions=309237730304"
	talk, poorTalk, muteTalk := thread("talk", requests), thread("poor-talk", poor), thread("mute-talk", mute)
	locked := b.discord.AddChannel(discordapi.Channel{
		Name: "over", GuildID: discordapi.GuildID, ParentID: requests, Type: discordapi.PublicThread, Archived: true, Locked: true,
	}).ID
	for name, want := range map[string][]string{
		talk:                       nil,
		locked:                     {`FAIL .*the thread #over is locked`},
		poorTalk:                   {`note .*"Read Message History" in the channel #poor-talk`, `note .*"Create Public Threads"`},
		muteTalk:                   {`FAIL .*"Send Messages in Threads" in the channel #mute-talk, so nothing can be posted`},
		mute:                       {`note .*"Send Messages in Threads" in the channel #mute, so reviews`},
		poor:                       {`note .*"Read Message History".*` + regexp.QuoteMeta(invite+"&guild_id="+discordapi.GuildID), `note .*"Create Public Threads"`},
		forum:                      {`FAIL .*#ideas, which is a forum`},
		discordapi.HiddenChannel:   {`FAIL .*cannot see the channel; .*` + regexp.QuoteMeta(invite)},
		discordapi.ReadOnlyChannel: {`FAIL .*"Send Messages" in the channel #read-only`},
		"404":                      {`FAIL .*cannot see the channel`},
		"Sandbox/nowhere":          {`FAIL .*no text channel`},
		"user:404":                 {`FAIL .*10013`},
		"dave@example.com":         {`FAIL .*identity\.users`},
	} {
		got := b.inspected(t, name)
		if len(got) != len(want) {
			t.Errorf("%s: got %q", name, got)
			continue
		}
		for i, line := range got {
			if !regexp.MustCompile("^" + want[i]).MatchString(line) {
				t.Errorf("%s: got %q, want %q", name, line, want[i])
			}
		}
	}
}

func TestForeignIdsNeverReachAnAddress(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := reviewed(sample(), approval("bob", ""))
	for _, m := range []plugindata.Message{{Channel: "../users/@me", ID: "1"}, {Channel: "1", ID: "2?x"}, {}} {
		wantKind(t, b.Show(t.Context(), m, v), outbound.Refused)
		wantKind(t, b.reply(t, m, v, 0), outbound.Refused)
	}
	for _, e := range []integration.Effect{announce, {Kind: integration.End}, {Kind: integration.Notice}} {
		to := integration.Place{Address: "C0SLACK", Message: in("C0SLACK")}
		_, err := b.Tell(t.Context(), to, e, v)
		wantKind(t, err, outbound.Refused)
		if found, err := b.Find(t.Context(), to, e, v); len(found) != 0 || err != nil {
			t.Errorf("%s: found %v, %v", e, found, err)
		}
	}
	if b.CanFind("C0SLACK") || !b.CanFind(requests) {
		t.Error("it is not known where there can be messages")
	}
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
	wantKind(t, b.Check(t.Context()), outbound.Refused)
	t.Setenv("DISCORD_TOKEN", "new")
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
