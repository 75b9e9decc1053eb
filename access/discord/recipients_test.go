package discord

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/recipient"
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
		"carol@example.com": "[discord.users]", "general": "server/channel", "user:alice": "user:id", "": "server/channel",
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
	b := newBench(t, discordapi.Options{}, func(c *Config) {
		c.RoleToRecipients = recipient.Table{"*": {"https://discord.com/api/webhooks/1/" + secret}}
	})
	_, err := b.Resolve(t.Context(), b.configured[0])
	wantKind(t, err, outbound.Refused)
	text := fmt.Sprint(err, b.Inspect(t.Context()))
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
	address, err := b.Resolve(t.Context(), b.Requester(v))
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
	if name := b.Requester(v); name != "" {
		t.Errorf("unknown requester is %q", name)
	}
}

func TestTheStartNamesWhatIsMissing(t *testing.T) {
	b := newBench(t, discordapi.Options{}, func(c *Config) {
		c.RoleToRecipients = recipient.Table{"*": {requests, "user:" + discordapi.AliceID, "alice@example.com", "Sandbox/security"}}
	})
	if faults := b.Inspect(t.Context()); len(faults) != 0 || b.discord.Calls(openDM) != 0 {
		t.Errorf("faults without cause: %v", faults)
	}
	forum := b.discord.AddChannel(discordapi.Channel{Name: "ideas", GuildID: discordapi.GuildID, Type: discordapi.ForumChannel}).ID
	poor := b.channel("poor", discordapi.ReadMessageHistory|discordapi.CreatePublicThreads)
	thread := func(name, parent string) string {
		return b.discord.AddChannel(discordapi.Channel{Name: name, GuildID: discordapi.GuildID, ParentID: parent, Type: discordapi.PublicThread}).ID
	}
	b.configured = []string{thread("talk", requests), thread("poor-talk", poor), forum, discordapi.HiddenChannel, discordapi.ReadOnlyChannel, "404", "Sandbox/nowhere", poor}
	text := strings.Join(b.Inspect(t.Context()), "\n")
	const invite = "https://discord.com/oauth2/authorize?client_id=" + discordapi.DefaultApplicationID + "&scope=bot&permissions=309237730304"
	contains(t, text, "cannot see the channel "+discordapi.HiddenChannel, "cannot see the channel 404", invite+"&guild_id="+discordapi.GuildID,
		`"Send Messages" in the channel `+discordapi.ReadOnlyChannel+" (#read-only)", "no text channel", "#ideas), which is a forum", "#poor-talk), so", `"Read Message History"`, `"Create Public Threads"`)
	if n := strings.Count(text, "\n") + 1; n != 9 {
		t.Errorf("%d sentences, want 9:\n%s", n, text)
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
