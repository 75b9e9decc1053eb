package slack

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/teleport"
)

// due is a reminder of n lists with the title, one of them due for each day before
// and after its time.
func due(n int, title string) remind.Reminder {
	now := created
	r := remind.Reminder{Now: now}
	for i := range n {
		l := remind.Due{Name: fmt.Sprint("list-", i), Title: title, Audit: now.Add(time.Duration(i-2) * 24 * time.Hour)}
		r.Link, l.Link = teleport.AccessListLinks("https://prod.example.org", l.Name)
		r.Lists = append(r.Lists, l)
	}
	return r
}

func TestEveryReminderIsAsItIsMeantToBe(t *testing.T) {
	reminders := map[string]remind.Reminder{
		"one": due(1, "Payments team"), "some": due(4, "Payments team"), "many": due(100, "Payments team"),
		"no-link": {Now: created, Lists: []remind.Due{{Title: "Payments team", Audit: created}, {Title: "Ops", Audit: created.Add(time.Hour)}}},
	}
	for name, title := range hostile {
		reminders["hostile-"+name] = due(2, title)
	}
	for name, r := range reminders {
		t.Run(name, func(t *testing.T) { golden(t, "reminder-"+name, show(reminder(r))) })
	}
}

// Titles of access lists are other people's text.
func TestRemindersAreTakenAndNeverBreakOut(t *testing.T) {
	for name, title := range hostile {
		for _, n := range []int{1, 2, 300} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				w := inWorkspace(t)
				r := due(n, title)
				if err := w.Remind(t.Context(), alice, r); err != nil {
					t.Fatal(err)
				}
				checkReminder(t, r, reminder(r))
				got := w.Messages(alice)
				if len(got) != 1 || len(got[0].Rendered.Mentions) > 0 {
					t.Errorf("%d messages, %+v", len(got), got)
				}
			})
		}
	}
}

func checkReminder(t *testing.T, r remind.Reminder, c content) {
	t.Helper()
	total := 0
	for _, text := range append([]string{c.text}, blockTexts(c, "")...) {
		n := utf8.RuneCountInString(text)
		if total += n; n > textLimit || n == 0 || !utf8.ValidString(text) {
			t.Errorf("%d characters: %q", n, text)
		}
		for _, l := range r.Lists {
			text = strings.ReplaceAll(text, address(l.Link, "Review"), "")
		}
		if text = strings.ReplaceAll(text, address(r.Link, ""), ""); strings.ContainsAny(text, "<>") {
			t.Errorf("a title breaks out: %q", text)
		}
	}
	if total > blocksLimit {
		t.Errorf("%d characters in all blocks", total)
	}
	if got := slackapi.Render(c.text, nil); len(got.Mentions) > 0 {
		t.Errorf("the text pings %q", got.Mentions)
	}
}

func TestOwnersAreFoundLikeRequesters(t *testing.T) {
	w := inWorkspace(t, func(c *Config) { c.Identity.Users = map[string]string{"ci-bot": alice} })
	for user, want := range map[string]string{"bob@example.com": "bob@example.com", "ci-bot": alice, "carol": ""} {
		if got := w.Person(t.Context(), user); got != want {
			t.Errorf("%s is %q, want %q", user, got, want)
		}
	}
}
