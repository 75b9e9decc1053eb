package discord

import (
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

// buttonsOf are the ids of the buttons of a message.
func (b bench) buttonsOf(t *testing.T, m plugindata.Message) (ids []string) {
	t.Helper()
	for _, n := range b.shown(t, m).Rendered.Buttons {
		if n.ID != "" {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func TestMessagesWithButtonsLookAsAgreed(t *testing.T) {
	v := fixed()
	v.Decidable = true
	withCard, _ := shape(t, announcement(v, full, ""))
	golden(t, "decidable", withCard)
	withoutCard, _ := shape(t, announcement(v, plain, ""))
	golden(t, "decidable-plain", withoutCard)
	v.Link = ""
	noLink, _ := shape(t, announcement(v, full, ""))
	golden(t, "decidable-no-page", noLink)
}

func TestButtonsAreThereOnlyWhileTheRequestCanBeDecided(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*request.View)
		form   form
		want   bool
	}{
		"decidable":             {func(*request.View) {}, full, true},
		"decidable, plain":      {func(*request.View) {}, plain, true},
		"without what it is":    {func(*request.View) {}, bare, false},
		"not decidable":         {func(v *request.View) { v.Decidable = false }, full, false},
		"approved":              {func(v *request.View) { v.Status = request.Approved }, full, false},
		"expired":               {func(v *request.View) { v.Status = request.Expired }, full, false},
		"without an id":         {func(v *request.View) { v.ID = "" }, full, false},
		"the longest id":        {func(v *request.View) { v.ID = strings.Repeat("x", buttonIDLimit) }, full, true},
		"an id that is longer":  {func(v *request.View) { v.ID = strings.Repeat("x", buttonIDLimit+1) }, full, false},
		"an id of many emoji":   {func(v *request.View) { v.ID = strings.Repeat("😀", buttonIDLimit/2+1) }, full, false},
		"an id that is hostile": {func(v *request.View) { v.ID = "`:`\"<@1>" }, full, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := decidable()
			c.change(&v)
			_, seen := shape(t, announcement(v, c.form, ""))
			var ids []string
			for _, n := range seen.Buttons {
				if n.ID != "" {
					ids = append(ids, n.ID)
				}
			}
			want := []string(nil)
			if c.want {
				want = []string{approvePrefix + v.ID, denyPrefix + v.ID}
			}
			if !slices.Equal(ids, want) {
				t.Errorf("buttons %q, want %q", ids, want)
			}
		})
	}
}

func TestTheEndTakesTheButtonsAwayAndLeavesTheLink(t *testing.T) {
	b := newBench(t, discordapi.Options{}, withReview)
	m := b.mustPostTo(t, requests, decidable())
	if got := b.buttonsOf(t, m); !slices.Equal(got, []string{approve(), deny()}) {
		t.Fatalf("buttons %q", got)
	}
	v := sample()
	v.Status = request.Denied
	if err := b.Show(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	if got := b.buttonsOf(t, m); got != nil {
		t.Errorf("buttons %q are left", got)
	}
	if links := b.shown(t, m).Rendered.Links; !slices.Contains(links, v.Link) {
		t.Errorf("the link is gone: %q", links)
	}
	v.Link = ""
	if err := b.Show(t.Context(), m, v); err != nil || b.shown(t, m).Components != nil {
		t.Errorf("components %s, %v", b.shown(t, m).Components, err)
	}
}

func TestNothingIsAskedOfAChannelThatNeedsNoButtons(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	b.mustPostTo(t, requests, sample())
	if n := b.discord.Calls(getChannel); n != 0 {
		t.Errorf("the channel was looked at %d times", n)
	}
}

func TestThreadsHaveNoButtons(t *testing.T) {
	for name, kind := range map[string]discordapi.ChannelType{"public": discordapi.PublicThread, "announcements": discordapi.AnnouncementThread} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{}, withReview)
			thread := b.discord.AddChannel(discordapi.Channel{Name: "a thread", Type: kind, GuildID: discordapi.GuildID, ParentID: requests}).ID
			for range 2 {
				v := decidable()
				m := b.mustPostTo(t, thread, v)
				if got := b.buttonsOf(t, m); got != nil {
					t.Errorf("buttons %q", got)
				}
				if err := b.Show(t.Context(), m, v); err != nil || b.buttonsOf(t, m) != nil {
					t.Errorf("buttons %q, %v", b.buttonsOf(t, m), err)
				}
			}
			if n := b.discord.Calls(getChannel); n != 1 {
				t.Errorf("the channel was looked at %d times", n)
			}
		})
	}
}

func TestReviewsInAThreadHaveNoButtons(t *testing.T) {
	b := newBench(t, discordapi.Options{}, withReview)
	v := reviewed(decidable(), approval("bob", "fine"))
	m := b.mustPostTo(t, requests, v)
	if err := b.reply(t, m, v, 0); err != nil {
		t.Fatal(err)
	}
	for _, reply := range b.discord.Messages(m.ID) {
		if reply.Components != nil {
			t.Errorf("components %s", reply.Components)
		}
	}
}

// A channel that may not be looked at is taken for a thread; what passes is tried
// again.
func TestWhatAChannelIsMustBeKnownBeforeItHasButtons(t *testing.T) {
	for name, c := range map[string]struct {
		fault fault.Fault
		kind  outbound.Kind
	}{
		"refused":       {fault.Fault{Effect: fault.Refuse, Code: "50001"}, ""},
		"unavailable":   {fault.Fault{Effect: fault.Status, HTTPStatus: 503}, outbound.Retry},
		"too fast":      {fault.Fault{Effect: fault.RateLimit, RetryAfterMS: 60_000}, outbound.Wait},
		"token refused": {fault.Fault{Effect: fault.Refuse, Code: "0"}, outbound.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{}, withReview)
			c.fault.Method = getChannel
			b.discord.Faults().Add(c.fault)
			m, err := b.post(t, requests, decidable())
			if c.kind != "" {
				wantKind(t, err, c.kind)
				return
			}
			if err != nil || b.buttonsOf(t, m) != nil {
				t.Errorf("buttons %q, %v", b.buttonsOf(t, m), err)
			}
		})
	}
}

func TestADialogsIDFitsAndIsReadBack(t *testing.T) {
	longest := "18446744073709551615"
	for _, d := range []dialog{
		{request.Approved, plugindata.Message{Channel: "1", ID: "2"}, "3", "r"},
		{request.Denied, plugindata.Message{Channel: longest, ID: longest}, longest, strings.Repeat("x", buttonIDLimit)},
		{request.Denied, plugindata.Message{Channel: requests, ID: security}, discordapi.BobID, "a:b:c"},
	} {
		text := d.String()
		if got, ok := readDialog(text); !ok || got != d || size(text) > 100 {
			t.Errorf("%q (%d) is read as %+v, %t", text, size(text), got, ok)
		}
	}
	for _, text := range []string{"", "reason:", "reason:a:1:2:3", "reason:a:1:2:3:", "reason:x:1:2:3:r", "reason:a:!:2:3:r", "other:a:1:2:3:r", approve()} {
		if d, ok := readDialog(text); ok {
			t.Errorf("%q is read as %+v", text, d)
		}
	}
}
