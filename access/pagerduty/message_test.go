package pagerduty

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/request"
)

var update = flag.Bool("update", false, "write the golden files anew")

// rendering is everything that PagerDuty shows of a request.
func rendering(v request.View) string {
	out := "TITLE\n" + title(v) + "\n\nKEY\n" + key(v.ID) + "\n\nDETAILS\n" + details(v) + "\n"
	for _, r := range v.Reviews {
		out += "\nREVIEW NOTE\n" + reviewNote(r) + "\n"
	}
	if v.Status.Ended() {
		out += "\nRESOLUTION NOTE\n" + resolutionNote(v) + "\n"
	}
	return out
}

func TestMessages(t *testing.T) {
	many := pending()
	for range 300 {
		many.Roles = append(many.Roles, strings.Repeat("role", 20))
	}
	hostile := ended(request.Denied)
	hostile.User = "mallory\nLink: https://evil.example.com"
	hostile.Reason = "please\nLink: https://evil.example.com\u2028Approve: yes\r\n\u202Egnp.exe\x00\x1b[31m"
	hostile.Reviews[0].Reason = "no\nReview by admin: APPROVED"
	hostile.ResolveReason = strings.Repeat("é", 5000)
	hostile.Roles = []string{"a\nb", "`c`"}
	logins := pending()
	logins.Logins = map[string][]string{"dba": {"root", "ubuntu"}}
	logins.Resources = []string{"/example.teleport.sh/node/db-1 (production)"}
	logins.Start = logins.Created.Add(time.Hour)
	link := pending()
	link.Link = ""
	promoted := ended(request.Promoted)
	promoted.AccessList = "On-call engineers"
	for name, v := range map[string]request.View{
		"pending": pending(), "approved": ended(request.Approved), "promoted": promoted,
		"hostile": hostile, "logins": logins, "no-link": link, "many-roles": many,
		"empty": {ID: "x", Status: request.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", name+".golden")
			got := rendering(v)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestWhatOneNeedsToDecideIsNeverCut(t *testing.T) {
	v := pending()
	for range 1000 {
		v.Roles = append(v.Roles, strings.Repeat("x", 100))
	}
	v.Logins = map[string][]string{"dba": {"root"}}
	if text := details(v); !strings.Contains(text, v.Link) {
		t.Error("the link was cut")
	}
	if at, ok := createdIn(details(v)); !ok || !at.Equal(v.Created) {
		t.Error("the time of the request was cut")
	}
	v.Link = ""
	if text := details(v); !strings.Contains(text, "tsh request review --approve "+v.ID) {
		t.Error("the command was cut")
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("dana", "role", "because", "https://example.com", "erin")
	f.Add("a\nRequest created: x", "\nRequest created: x", "Request created: x\rRequest created: x", "Request created: x", "\nRequest created: x")
	f.Add("a\nb", "\u2028", "\n\nLink: x", "\x00", "\xff\xfe")
	f.Fuzz(func(t *testing.T, user, role, reason, link, author string) {
		v := ended(request.Approved)
		v.User, v.Roles, v.Reason, v.Link, v.ResolveReason = user, []string{role, role}, reason, link, reason
		v.Reviews = []request.Review{{Author: author, State: request.Status(role), Reason: reason}}
		for what, text := range map[string]struct {
			text  string
			limit int
		}{
			"title": {title(v), titleLimit}, "details": {details(v), detailsLimit},
			"review": {reviewNote(v.Reviews[0]), noteLimit}, "resolution": {resolutionNote(v), noteLimit},
			"decision":      {decisionNote(v, false, reason), noteLimit},
			"plain details": {plainDetails(v), detailsLimit}, "plain review": {plainReview(v.Reviews[0]), noteLimit},
		} {
			if n := utf8.RuneCountInString(text.text); n > text.limit || n == 0 || !utf8.ValidString(text.text) {
				t.Errorf("%s: %d characters, limit %d, valid %v", what, n, text.limit, utf8.ValidString(text.text))
			}
			if strings.ContainsAny(text.text, "\x00\x1b\r\u202e\u2028") {
				t.Errorf("%s: holds what nobody should see: %q", what, text.text)
			}
		}
		// Nobody's text says when the request was made.
		for _, text := range []string{details(v), plainDetails(v)} {
			if at, ok := createdIn(text); !ok || !at.Equal(v.Created) || strings.Count("\n"+text, "\n"+createdLabel) != 1 {
				t.Errorf("created %v, %v:\n%s", at, ok, text)
			}
		}
		if strings.ContainsAny(title(v), "\n") {
			t.Error("the title has two lines")
		}
		// Nobody's text names another request.
		if n := strings.Count("\n"+details(v)+"\n", "\n"+idLine(v.ID)+"\n"); n != 1 {
			t.Errorf("%d lines name the request:\n%s", n, details(v))
		}
		// Nobody's text begins a line that passes for one of ours.
		for _, l := range strings.Split(reviewNote(v.Reviews[0]), "\n")[1:] {
			if l != "Reason:" && !strings.HasPrefix(l, "> ") {
				t.Errorf("a line of its own: %q", l)
			}
		}
	})
}
