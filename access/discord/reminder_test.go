package discord

import (
	"fmt"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/teleport"
)

// due is a reminder of n lists with the title, one of them due for each day before
// and after its time.
func due(n int, title string) remind.Reminder {
	now := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	r := remind.Reminder{Now: now}
	for i := range n {
		l := remind.Due{Name: fmt.Sprint("list-", i), Title: title, Audit: now.Add(time.Duration(i-2) * 24 * time.Hour)}
		r.Link, l.Link = teleport.AccessListLinks("https://prod.example.org", l.Name)
		r.Lists = append(r.Lists, l)
	}
	return r
}

func TestRemindersLookAsAgreed(t *testing.T) {
	for name, r := range map[string]remind.Reminder{
		"one": due(1, "Payments team"), "some": due(4, "Payments team"), "many": due(100, "Payments team"),
		"no-link": {Now: time.Unix(0, 0), Lists: []remind.Due{{Title: "Payments team", Audit: time.Unix(0, 0)}}},
	} {
		golden(t, "reminder-"+name, reminderText(r)+"\n")
	}
}

// Titles of access lists are other people's text.
func TestRemindersCannotPingOrForge(t *testing.T) {
	for name, title := range hostileTexts() {
		for _, n := range []int{1, 2, 100} {
			r := due(n, title)
			allowed := map[string]bool{r.Link: true}
			for _, l := range r.Lists {
				allowed[l.Link] = true
			}
			c := content{text: reminderText(r)}
			_, seen := shape(t, c)
			if size(c.text) > contentLimit || len(seen.Mentions) > 0 {
				t.Errorf("%s: %d characters, mentions %v", name, size(c.text), seen.Mentions)
			}
			for _, link := range seen.Links {
				if !allowed[link] {
					t.Errorf("%s: leads to %s", name, link)
				}
			}
		}
	}
}

func TestAReminderThatIsRepeatedAtOnceIsNotDoubled(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	address, err := b.Resolve(t.Context(), b.Person(t.Context(), "alice@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Remind(t.Context(), address, due(3, "Payments team")); err != nil {
			t.Fatal(err)
		}
	}
	got := b.discord.Messages(discordapi.AliceID)
	if len(got) != 1 {
		t.Fatalf("told %d times", len(got))
	}
	contains(t, got[0].Rendered.Text, "3 access lists", "Payments team", "overdue since")
	if name := b.Person(t.Context(), "mallory"); name != "" {
		t.Errorf("an unknown owner is %q", name)
	}
}
