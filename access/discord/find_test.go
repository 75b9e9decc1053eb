package discord

import (
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// postAs puts a message into a channel by hand.
func (b bench) postAs(t *testing.T, author, channel, text string) (id string) {
	t.Helper()
	id, err := b.discord.PostAs(author, channel, text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFindLooksOnlyAtOurOwnMessagesOfTheRequest(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.postAs(t, discordapi.DaveID, requests, announcement(sample(), plain, "").text)
	other := sample()
	other.ID = "11111111-aaaa"
	b.mustPost(t, other)
	b.wantFound(t, in(requests), announce, sample())
	for range 120 {
		b.postAs(t, discordapi.DaveID, requests, "chatter")
	}
	m := b.mustPost(t, sample())
	b.wantFound(t, in(requests), announce, sample(), m.ID)
}

func TestAnAnnouncementThatWasMadeTwiceIsFoundTwice(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	want := []string{b.mustPost(t, sample()).ID}
	b.wantFound(t, in(requests), announce, sample(), want...)
	want = append(want, b.postAs(t, discordapi.DefaultBotID, requests, announcement(sample(), plain, "").text))
	b.wantFound(t, in(requests), announce, sample(), want...)
}

func TestAnAnnouncementIsFoundInEachForm(t *testing.T) {
	for _, f := range []form{full, plain, bare} {
		b := newBench(t, discordapi.Options{})
		got, err := b.send(t.Context(), requests, announcement(sample(), f, ""), "")
		if err != nil {
			t.Fatal(err)
		}
		b.wantFound(t, in(requests), announce, sample(), got.ID)
	}
}

// Teleport's own plugin is the same bot, and leaves no mark but the line with the
// request's id. A reason may quote another request's.
func TestMessagesOfTheExistingPluginAreFoundByTheirIDLineAlone(t *testing.T) {
	v, quoted := sample(), sample()
	quoted.ID = "11111111-aaaa"
	theirs := func(title, id string) string {
		return title + "\n*ID*: " + id + "\n*Cluster*: prod\n*User*: alice\n*Reason*: ```\nas in\nYou have a new Role Request:\n*ID*: " + quoted.ID + "```\n*Status*: ⏳ PENDING"
	}
	for _, title := range []string{"You have a new Role Request:", "You have a new Resource Request:", "You have a new Role Request (long-term access):"} {
		b := newBench(t, discordapi.Options{})
		want := b.postAs(t, discordapi.DefaultBotID, requests, theirs(title, v.ID))
		b.postAs(t, discordapi.DefaultBotID, requests, "Something else:\n*ID*: "+v.ID)
		b.postAs(t, discordapi.DefaultBotID, requests, "You have a new Role Request:\n*ID*: "+v.ID+"0")
		b.wantFound(t, in(requests), announce, v, want)
		b.wantFound(t, in(requests), announce, quoted)
	}
}

// An announcement looks the same after a removal; that of before is no answer.
func TestAnAnnouncementThatWasRemovedIsNotTakenForTheOneAfter(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	b.wantFound(t, in(requests), again, sample(), m.ID)
	if err := b.discord.DeleteMessage(m.Channel, m.ID); err != nil {
		t.Fatal(err)
	}
	b.wantFound(t, in(requests), again, sample())
}

func TestNoticesAndEndsAreFound(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	for _, kind := range []integration.Kind{integration.Notice, integration.End} {
		for _, s := range []request.Status{request.Denied, request.Approved, request.Promoted, request.Expired} {
			v, e := sample(), integration.Outcome(kind, s)
			v.Status, v.ResolveReason = s, "so be it"
			b.wantFound(t, m, e, v)
			before := len(b.discord.Messages(requests))
			for range 2 { // the second is a repeat after an unclear outcome
				if _, err := b.Tell(t.Context(), integration.Place{Address: requests, Message: m}, e, v); err != nil {
					t.Fatal(err)
				}
			}
			told := b.discord.Messages(requests)[before:]
			if len(told) != 1 {
				t.Fatalf("%s: told %d times", e, len(told))
			}
			contains(t, told[0].Content, string(s), "so be it", v.ID, v.Link)
			gone := sample() // nothing else is known any more
			gone.Status, gone.Link = request.Expired, ""
			b.wantFound(t, m, e, gone, told[0].ID)
		}
	}
	b.wantFound(t, in(requests), announce, sample(), m.ID)
}

func TestRemindersAreFound(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := sample()
	v.Now = v.Created.Add(15 * time.Minute)
	m := b.mustPost(t, v)
	for _, e := range []integration.Effect{{Kind: integration.Pending, Index: 900}, {Kind: integration.Pending, Index: 901}, {Kind: integration.Ending, Index: 900}} {
		b.wantFound(t, m, e, v)
		before := len(b.discord.Messages(requests))
		for range 2 { // the second is a repeat after an unclear outcome
			if _, err := b.Tell(t.Context(), integration.Place{Address: requests, Message: m}, e, v); err != nil {
				t.Fatal(err)
			}
		}
		told := b.discord.Messages(requests)[before:]
		if len(told) != 1 {
			t.Fatalf("%s: told %d times", e, len(told))
		}
		contains(t, told[0].Content, v.ID, v.Link)
		later := v
		later.Now, later.Reviews = v.Now.Add(time.Hour), fixedReviews(1)
		b.wantFound(t, m, e, later, told[0].ID)
	}
}

func TestANoticeAfterALostAnswerIsFoundRatherThanToldAgain(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Method: createMessage, Effect: fault.DoneNotAnswered, Times: 1})
	v := sample()
	v.Status = request.Approved
	wantKind(t, b.notice(t, requests, v), outbound.Unclear)
	told := b.discord.Messages(requests)
	b.wantFound(t, in(requests), integration.Outcome(integration.Notice, v.Status), v, told[0].ID)
}

// To a bot that may not read the history, Discord shows an empty channel.
func TestWhatMayNotBeReadIsNotTakenForEmpty(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	blind := b.channel("no-history", discordapi.ReadMessageHistory)
	if _, err := b.post(t, blind, sample()); err != nil {
		t.Fatal(err)
	}
	for channel, says := range map[string]string{
		blind: "Read Message History", discordapi.HiddenChannel: "Read Message History", "404": "Unknown Channel",
	} {
		_, err := b.Find(t.Context(), integration.Place{Address: channel}, announce, sample())
		wantKind(t, err, outbound.Refused)
		contains(t, err.Error(), says)
	}
	b.wantFound(t, in(b.channel("empty", 0)), announce, sample())
	b.wantFound(t, in(b.discord.OpenDM(discordapi.AliceID)), announce, sample())
	b.wantFound(t, plugindata.Message{Channel: requests, ID: "404"}, review(0), reviewed(sample(), approval("bob", "")))
}

// The announcement of an old request may lie below more messages than are read at
// once. Until all of them were read, it is not concluded that there is none.
func TestALongChannelIsReadToItsEndBeforeAnythingIsConcluded(t *testing.T) {
	now := created
	b := newBench(t, discordapi.Options{Options: apiserver.Options{Now: func() time.Time {
		now = now.Add(100 * time.Millisecond)
		return now
	}}})
	m := b.mustPost(t, sample())
	for range searchPages*searchPage + 10 {
		b.postAs(t, discordapi.DaveID, requests, "chatter")
	}
	_, err := b.Find(t.Context(), integration.Place{Address: requests}, announce, sample())
	wantKind(t, err, outbound.Retry)
	b.wantFound(t, in(requests), announce, sample(), m.ID)
	lost := sample()
	lost.ID = "another"
	b.wantFound(t, in(requests), announce, lost)
}

// The answers of a gateway are no channel without messages.
func TestAListThatIsNotDiscordsIsNoEmptyChannel(t *testing.T) {
	for _, body := range []string{"null", "{}", "[null]", `[{"id":""}]`, `[{}]`, "", "<html>"} {
		b := answering(t, 200, body)
		b.self = "1"
		_, err := b.Find(t.Context(), integration.Place{Address: requests}, announce, sample())
		wantKind(t, err, outbound.Retry)
	}
}

func TestIdsHoldTheirTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, int(7*time.Millisecond), time.UTC)
	if got := timeOf(snowflake(at)); !got.Equal(at) {
		t.Errorf("got %v, want %v", got, at)
	}
	for _, junk := range []string{"", "x", strings.Repeat("9", 30)} {
		if got := timeOf(junk); !got.IsZero() {
			t.Errorf("%s is of %v", junk, got)
		}
	}
}
