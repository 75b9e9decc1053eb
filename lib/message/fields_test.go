package message_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var created = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// sample is a pending request for two roles; change makes it another one.
func sample(change ...func(*request.View)) request.View {
	v := request.View{
		ID: "0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77", Cluster: "prod.example.org", User: "mia@example.org",
		Roles: []string{"db-admin", "editor"}, Status: request.Pending, Created: created,
		Link: "https://prod.example.org/web/requests/0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77",
	}
	for _, c := range change {
		c(&v)
	}
	return v
}

func ended(s request.Status) func(*request.View) {
	return func(v *request.View) {
		v.Status, v.ResolveReason = s, "decided"
		v.Start, v.AccessUntil, v.Expires = created.Add(time.Hour), created.Add(9*time.Hour), created.Add(time.Hour)
	}
}

func withoutLink(v *request.View) { v.Link = "" }

func TestFieldsOfEveryKindOfRequest(t *testing.T) {
	for name, v := range map[string]request.View{
		"roles": sample(),
		"roles-with-logins": sample(func(v *request.View) {
			v.Logins = map[string][]string{"db-admin": {"root", "postgres"}, "editor": nil}
		}),
		"no-user":   sample(func(v *request.View) { v.User = "" }),
		"resources": sample(func(v *request.View) { v.Roles = nil; v.Resources = []string{"app/wiki", "node/db-1"} }),
		"long-term": sample(func(v *request.View) {
			v.Resources, v.LongTerm, v.Reason = []string{"node/db-1 (logins: root, ubuntu)"}, true, "INC-204"
		}),
		"roles-and-resources": sample(func(v *request.View) {
			v.Resources = []string{"node/db-1"}
			v.Reason = "INC-204\nreplica lag"
		}),
		"reason": sample(func(v *request.View) { v.Reason = "INC-204" }),
		"times": sample(func(v *request.View) {
			v.AccessUntil, v.Expires = created.Add(8*time.Hour), created.Add(time.Hour)
		}),
		"later-start": sample(func(v *request.View) {
			v.Start, v.AccessUntil, v.Expires = created.Add(24*time.Hour), created.Add(30*time.Hour), created.Add(time.Hour)
		}),
		"ends-before-it-begins": sample(func(v *request.View) { v.AccessUntil = created.Add(-time.Hour) }),
		"unknown-creation":      sample(func(v *request.View) { v.Created, v.AccessUntil = time.Time{}, created }),
		"commands":              sample(withoutLink),
		"approved":              sample(ended(request.Approved)),
		"denied":                sample(ended(request.Denied)),
		"promoted":              sample(ended(request.Promoted)),
		"expired":               sample(ended(request.Expired)),
		"approved-without-link": sample(withoutLink, ended(request.Approved)),
		"nothing-known":         {},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, list(message.Fields(v))) })
	}
}

// list writes fields as label, kind and value, one a line.
func list(fields []message.Field) string {
	kinds := map[message.Kind]string{
		message.Plain: "plain", message.Code: "code", message.Block: "block", message.Address: "address", message.Moment: "moment",
	}
	var b strings.Builder
	for _, f := range fields {
		for part := &f; part != nil; part = part.Also {
			text := fmt.Sprintf("%q", part.Text)
			if part.Kind == message.Moment {
				text = part.Time.Format(time.RFC3339)
			}
			fmt.Fprintf(&b, "%s [%s] %s", part.Label, kinds[part.Kind], text)
			if part.Also != nil {
				b.WriteString(" + ")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestManyNamesCostNoMoreThanCanBeShown(t *testing.T) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("node/host-%d", i)
	}
	for _, f := range message.Fields(sample(func(v *request.View) { v.Roles, v.Resources = names, names })) {
		if f.Key != message.FieldRoles && f.Key != message.FieldResources {
			continue
		}
		shown := strings.Count(f.Text, ",") + 1
		if want := fmt.Sprintf(" … and %d more", 10_000-shown); shown < 20 || !strings.HasSuffix(f.Text, want) {
			t.Errorf("%s does not end in %q: %q", f.Label, want, f.Text)
		}
		if whole := message.CodeText(f.Text, message.InlineLimit, nil); whole != "`"+f.Text+"`" {
			t.Errorf("%s has no room for its count: %q", f.Label, whole)
		}
	}
}

func TestAListOfNamesIsCountedNotCut(t *testing.T) {
	long := strings.Repeat("é", message.InlineLimit)
	for name, c := range map[string]struct {
		names []string
		want  string
	}{
		"all have room":         {[]string{"a", "b"}, "a,b"},
		"one fills the room":    {[]string{long}, long},
		"the first is too long": {[]string{long + "é", "b"}, message.Cut(long+"é", message.InlineLimit-24) + " … and 1 more"},
		"one alone is too long": {[]string{long + "é"}, message.Cut(long+"é", message.InlineLimit-24)},
		"the last has no room":  {[]string{"a", long}, "a … and 1 more"},
		"all that follow, too":  {[]string{"a", long, "b"}, "a … and 2 more"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range message.Fields(sample(func(v *request.View) { v.Roles = c.names })) {
				if f.Key == message.FieldRoles && f.Text != c.want {
					t.Errorf("got %q, want %q", f.Text, c.want)
				}
			}
		})
	}
}

// A role of which nothing is known hides nothing of the others.
func TestLoginsThatAreKnownAreShown(t *testing.T) {
	got := list(message.Fields(sample(func(v *request.View) {
		v.Roles, v.Logins = []string{"known", "unknown", "none"}, map[string][]string{"known": {"root"}, "none": nil}
	})))
	want := "Role [code] \"known\" + Login(s) [code] \"root\"\nRole [code] \"unknown\"\nRole [code] \"none\" + Login(s) [code] \"-\"\n"
	if !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProgressCountsWhatPendsOnly(t *testing.T) {
	yes, no := request.Review{State: request.Approved}, request.Review{State: request.Denied}
	other := request.Review{State: request.Promoted}
	for _, c := range []struct {
		status  request.Status
		needed  int
		reviews []request.Review
		want    string
	}{
		{request.Pending, 0, nil, ""},
		{request.Pending, 1, nil, ""},
		{request.Pending, 2, nil, "0 of 2 approvals"},
		{request.Pending, 2, []request.Review{yes}, "1 of 2 approvals"},
		{request.Pending, 3, []request.Review{yes, no, yes}, "2 of 3 approvals, 1 denial"},
		{request.Pending, 0, []request.Review{yes}, "1 approval"},
		{request.Pending, 1, []request.Review{yes, yes}, "2 approvals"},
		{request.Pending, 0, []request.Review{no, no}, "2 denials"},
		{request.Pending, 0, []request.Review{yes, no}, "1 approval, 1 denial"},
		{request.Pending, 0, []request.Review{other}, ""},
		{request.Approved, 2, []request.Review{yes, yes}, ""},
		{request.Denied, 2, []request.Review{no}, ""},
	} {
		v := request.View{Status: c.status, ApprovalsNeeded: c.needed, Reviews: c.reviews}
		if got := message.Progress(v); got != c.want {
			t.Errorf("%s, %d needed, %v: got %q, want %q", c.status, c.needed, c.reviews, got, c.want)
		}
	}
}

func TestDurationsAreWrittenAsPeopleSayThem(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour:                      "less than a minute",
		0:                               "less than a minute",
		29 * time.Second:                "less than a minute",
		30 * time.Second:                "1 minute",
		90 * time.Second:                "2 minutes",
		59*time.Minute + 40*time.Second: "1 hour",
		time.Hour + time.Minute:         "1 hour 1 minute",
		8 * time.Hour:                   "8 hours",
		day:                             "1 day",
		2*day + 4*time.Hour:             "2 days 4 hours",
		400*day + 3*time.Minute:         "400 days 3 minutes",
		day - time.Second:               "1 day",
	} {
		if got := message.Duration(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestWordsForEachState(t *testing.T) {
	for s, want := range map[request.Status]struct {
		emoji string
		ended bool
	}{
		request.Pending: {"⏳", false}, request.Approved: {"✅", true}, request.Denied: {"❌", true},
		request.Promoted: {"", true}, request.Expired: {"⌛", true},
	} {
		if message.Emoji(s) != want.emoji || s.Ended() != want.ended {
			t.Errorf("%s: %q, %v", s, message.Emoji(s), s.Ended())
		}
	}
	if got := message.Title(sample()); got != "You have a new Role Request:" {
		t.Errorf("title of roles: %q", got)
	}
	if got := message.Title(sample(func(v *request.View) { v.Resources = []string{"a"} })); got != "You have a new Resource Request:" {
		t.Errorf("title of resources: %q", got)
	}
}
