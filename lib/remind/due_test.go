package remind_test

import (
	"testing"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
)

// As many lists are named as there is room for, and the others counted.
func TestTheTextOfAReminder(t *testing.T) {
	d := message.Dialect{
		Bold: "!", Line: func(s string) string { return "<" + s + ">" }, Link: func(address, name string) string { return name + "@" + address },
	}
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	r := remind.Reminder{Now: now, Link: "all", Lists: []remind.Due{{Title: "a", Audit: now, Link: "1"}, {Title: "b", Audit: now}, {Title: "c", Audit: now}}}
	const first, more, all = "!3 access lists are to be reviewed!\n• <a>: due by 2026-03-04 Review@1", "\n… and 2 more", "\nAll access lists: @all"
	short := func(text string) bool { return len(text) <= len(first+more+all) }
	anything := func(string) bool { return true }
	for name, tc := range map[string]struct {
		most int
		fits func(string) bool
		want string
	}{
		"all":      {3, anything, first + "\n• <b>: due by 2026-03-04\n• <c>: due by 2026-03-04" + all},
		"too many": {1, anything, first + more + all},
		"too long": {3, short, first + more + all},
	} {
		if got := r.Text(d, tc.most, tc.fits); got != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tc.want)
		}
	}
	r.Lists = r.Lists[:1]
	if got := r.Text(d, 3, anything); got != "!An access list is to be reviewed!\n• <a>: due by 2026-03-04 Review@1" {
		t.Errorf("got %s", got)
	}
}
