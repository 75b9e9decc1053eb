package discord

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

func TestReviewsStayWhenOnlyTheirNumberIsKnown(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, reviewed(sample(), approval("bob", "looks good")))
	v := sample()
	v.Status, v.Reviews = request.Expired, make([]request.Review, 1)
	if err := b.Show(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	got := b.shown(t, m)
	contains(t, got.Rendered.Text, "looks good", "⌛ EXPIRED")
	if !slices.Equal(got.Rendered.Tones, tones(grey, green)) {
		t.Errorf("colours %v", got.Rendered.Tones)
	}
}

func TestReviewsAreNotLostWhenTheMessageCannotBeReadForNow(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, reviewed(sample(), fixedReviews(30)...))
	before := b.shown(t, m).Rendered
	v := sample()
	v.Status, v.Reviews = request.Expired, make([]request.Review, 30)
	b.discord.Faults().Add(fault.Fault{Method: getMessage, Effect: fault.Status, HTTPStatus: 503, Times: 1})
	wantKind(t, b.Show(t.Context(), m, v), outbound.Retry)
	if err := b.Show(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	after := b.shown(t, m).Rendered
	contains(t, after.Text, "⌛ EXPIRED", "Earlier reviews: 22")
	if !slices.Equal(after.Tones[1:], before.Tones[1:]) {
		t.Errorf("colours %v, want %v", after.Tones, before.Tones)
	}
}

func TestWithoutEmbedsTheTextSaysAll(t *testing.T) {
	v := reviewed(sample(), approval("bob", "looks good"))
	for name, prepare := range map[string]func(b bench) string{
		"dropped in silence": func(b bench) string { return b.channel("plain", discordapi.EmbedLinks) },
		"refused": func(b bench) string {
			b.discord.Faults().Add(fault.Fault{Method: createMessage, Effect: fault.Refuse, Code: "50013", Times: 1})
			return b.channel("plain", discordapi.EmbedLinks)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			channel := prepare(b)
			m, err := b.post(t, channel, v)
			if err != nil {
				t.Fatal(err)
			}
			got := b.shown(t, m)
			contains(t, got.Content, "*Review*: ✅ APPROVED by bob `looks good`", "*Request expires*: <t:")
			if len(b.discord.Messages(channel)) != 1 || len(got.Rendered.Tones) != 0 {
				t.Errorf("got %+v", got.Rendered)
			}
			if err := b.Show(t.Context(), m, v); err != nil {
				t.Error(err)
			}
			calls, other := b.discord.Calls(createMessage), v
			other.ID = "another"
			if m, err = b.post(t, channel, other); err != nil || b.discord.Calls(createMessage) != calls+1 || b.shown(t, m).Edits != 0 || len(b.shown(t, m).Rendered.Tones) != 0 {
				t.Errorf("the next one is tried with embeds again: %v", err)
			}
		})
	}
}

// A channel that was closed to us for a moment, or a message that was left without
// embeds by then, says nothing of the next one.
func TestEmbedsAreGivenUpOnlyWhereTheirPermissionIsMissing(t *testing.T) {
	closed := fault.Fault{Method: createMessage, Effect: fault.Refuse, Code: "50013", Times: 1}
	lost := fault.Fault{Method: createMessage, Effect: fault.DoneNotAnswered, Times: 1}
	unread := fault.Fault{Method: getChannel, Effect: fault.Refuse, Code: "50013", Times: 1}
	for name, faults := range map[string][]fault.Fault{
		"closed at first": {closed}, "closed, then unanswered": {closed, lost}, "not to be read": {closed, unread},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			for _, f := range faults {
				b.discord.Faults().Add(f)
			}
			m, err := b.post(t, requests, sample())
			if outbound.KindOf(err) == outbound.Unclear {
				m, err = b.post(t, requests, sample())
			}
			if err != nil || b.lacks(embeds, requests) || len(b.shown(t, m).Rendered.Tones) != 0 {
				t.Errorf("got %v; embeds are believed to be refused: %t", err, b.lacks(embeds, requests))
			}
			if err := b.Show(t.Context(), m, sample()); err != nil || len(b.shown(t, m).Rendered.Tones) != 1 {
				t.Errorf("not brought into form: %v", err)
			}
		})
	}
}

func TestAnAnnouncementWithoutItsEmbedsIsAnAnnouncement(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Method: editMessage, Effect: fault.Cut})
	m, err := b.post(t, b.channel("plain", discordapi.EmbedLinks), sample())
	if err != nil || m.ID == "" {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestAMessageEditedAfterEmbedsWereForbiddenSaysAllInItsText(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	channel := b.channel("changing", 0)
	m, err := b.post(t, channel, sample())
	if err != nil {
		t.Fatal(err)
	}
	b.discord.AddChannel(discordapi.Channel{ID: channel, Name: "changing", GuildID: discordapi.GuildID, Deny: discordapi.EmbedLinks})
	if err := b.Show(t.Context(), m, reviewed(sample(), approval("bob", "late"))); err != nil {
		t.Fatal(err)
	}
	contains(t, b.shown(t, m).Content, "APPROVED by bob `late`")
}

// A requester must not be able to keep a request from being told, by a text that
// Discord refuses.
func TestAnAnnouncementThatIsRefusedForItsContentIsToldWithoutIt(t *testing.T) {
	for _, code := range []string{"50035", "40005", "200000", "200001"} {
		for times, wants := range map[int]string{1: "*Reason*: ```", 2: "Discord refused to show the rest."} {
			b := newBench(t, discordapi.Options{})
			v := reviewed(sample(), approval("bob", "a bad word"))
			refuse := func() {
				b.discord.Faults().Add(fault.Fault{Effect: fault.Refuse, Code: code, Times: times})
			}
			refuse()
			m := b.mustPost(t, v)
			contains(t, b.shown(t, m).Content, v.ID, "⏳ PENDING", wants)
			v.Status = request.Denied
			refuse()
			if err := b.Show(t.Context(), m, v); err != nil {
				t.Error(err)
			}
			got := b.shown(t, m)
			contains(t, got.Content, v.ID, "❌ DENIED", wants)
			if strangers := times > 1 && strings.Contains(got.Rendered.Text, v.Reason); strangers || len(got.Rendered.Tones) > 0 {
				t.Errorf("%s: what may have been refused is still in\n%s", code, got.Rendered.Text)
			}
			if b.lacks(embeds, requests) {
				t.Error("other messages are believed to be refused too")
			}
		}
	}
	b := newBench(t, discordapi.Options{})
	b.discord.Faults().Add(fault.Fault{Effect: fault.Refuse, Code: "50035"})
	_, err := b.post(t, requests, sample())
	wantKind(t, err, outbound.Refused)
	b.discord.Faults().Clear()
	b.discord.Faults().Add(fault.Fault{Effect: fault.Refuse, Code: "10008", Times: 2})
	_, err = b.post(t, requests, sample())
	wantKind(t, err, outbound.Refused) // no message of ours is gone by that
	if n := b.discord.Calls(createMessage) - 2; n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

func TestANoteThatIsRefusedForItsContentIsCutToItsFirstLine(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	v := reviewed(sample(), approval("bob", "a bad word"))
	b.discord.Faults().Add(fault.Fault{Method: createMessage, Effect: fault.Refuse, Code: "200000", Times: 1})
	if err := b.reply(t, m, v, 0); err != nil {
		t.Fatal(err)
	}
	told := b.discord.Messages(m.ID)
	if len(told) != 1 || strings.Contains(told[0].Content, "bad word") {
		t.Fatalf("told %+v", told)
	}
	b.wantFound(t, m, review(0), v, told[0].ID)
}

// The nonce of a note that somebody removed at once says so; it was told.
func TestANoteThatWasRemovedIsNotToldAgain(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := sample()
	v.Status = request.Approved
	for i := range 2 {
		if err := b.notice(t, security, v); err != nil {
			t.Fatal(err)
		}
		if err := b.Remind(t.Context(), requests, due(1, "Payments team")); err != nil {
			t.Fatal(err)
		}
		for _, channel := range []string{requests, security}[:2-2*i] {
			if err := b.discord.DeleteMessage(channel, b.discord.Messages(channel)[0].ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, b := len(b.discord.Messages(requests)), len(b.discord.Messages(security)); a != 1 || b != 1 {
		t.Errorf("%d and %d messages", a, b)
	}
}

// tones are the colours of cards as a reader sees them.
func tones(colors ...int) (list []string) {
	for _, c := range colors {
		list = append(list, fmt.Sprintf("#%06x", c))
	}
	return list
}
