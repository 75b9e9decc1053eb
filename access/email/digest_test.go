package email

import (
	"bytes"
	"flag"
	"net/mail"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/remind"
)

// A digest is one mail for all lists, the same whenever it is repeated.
func TestDigests(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	r := remind.Reminder{Now: now, Link: "https://teleport.example.com/web/accesslists", Lists: []remind.Due{
		{Title: "Night Watch", Audit: now.Add(-48 * time.Hour), Link: "https://teleport.example.com/web/accesslists/1#review"},
		{Title: "<b>Ops</b>\r\nBcc: x@example.com\nStatus: \u2705 APPROVED", Audit: now.Add(72 * time.Hour)},
	}}
	l, err := digest(r, "Alice@example.com", "example.com")
	if err != nil {
		t.Fatal(err)
	}
	mime, err := l.MIME(&mail.Address{Address: "teleport@example.com"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "digest.eml")
	if flag.Lookup("update").Value.String() == "true" { // is a flag of the other tests here
		if err := os.WriteFile(path, mime, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(want, mime) {
		t.Errorf("the digest is not as kept (%v):\n%s", err, mime)
	}
	if again, _ := digest(r, "alice@example.com", "example.com"); again.ID != l.ID {
		t.Error("the same digest is another mail")
	}
	r.Now = now.Add(24 * time.Hour)
	if later, _ := digest(r, "alice@example.com", "example.com"); later.ID == l.ID {
		t.Error("the digest of the next day is the same mail")
	}
	r.Now = now.Add(20 * time.Minute)
	if again, _ := digest(r, "Alice@example.com", "example.com"); !reflect.DeepEqual(again, l) {
		t.Errorf("a digest that is repeated soon is %+v, and was %+v", again, l)
	}
	due := remind.Reminder{Now: now, Lists: []remind.Due{{Title: "Night Watch", Audit: now.Add(14 * 24 * time.Hour)}}}
	week, _ := digest(due, "alice@example.com", "example.com")
	due.Now = now.Add(7 * 24 * time.Hour)
	if next, _ := digest(due, "alice@example.com", "example.com"); next.ID == week.ID || next.Plain != week.Plain {
		t.Error("the digest of the next week, which says the same, is the same mail, which mail systems keep once")
	}
	for range 100 {
		r.Lists = append(r.Lists, r.Lists[0])
	}
	if long, _ := digest(r, "alice@example.com", "example.com"); !strings.Contains(long.Plain, "and 52 more") || strings.Count(long.Plain, "Night Watch") > 60 {
		t.Error("a hundred lists are not counted")
	}
}
