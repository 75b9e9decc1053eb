package message_test

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/message"
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

// request is a pending request for two roles; change makes it another one.
func request(change ...func(*message.View)) message.View {
	v := message.View{
		ID: "0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77", Cluster: "prod.example.org", User: "mia@example.org",
		Roles: []string{"db-admin", "editor"}, Status: message.Pending, Created: created,
		Link: "https://prod.example.org/web/requests/0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77",
	}
	for _, c := range change {
		c(&v)
	}
	return v
}

func ended(s message.Status) func(*message.View) {
	return func(v *message.View) {
		v.Status, v.ResolveReason = s, "decided"
		v.Start, v.AccessUntil, v.Expires = created.Add(time.Hour), created.Add(9*time.Hour), created.Add(time.Hour)
	}
}

func withoutLink(v *message.View) { v.Link = "" }

func TestFieldsOfEveryKindOfRequest(t *testing.T) {
	for name, v := range map[string]message.View{
		"roles": request(),
		"roles-with-logins": request(func(v *message.View) {
			v.Logins = map[string][]string{"db-admin": {"root", "postgres"}, "editor": nil}
		}),
		"no-user":   request(func(v *message.View) { v.User = "" }),
		"resources": request(func(v *message.View) { v.Roles = nil; v.Resources = []string{"app/wiki", "node/db-1"} }),
		"long-term": request(func(v *message.View) {
			v.Resources, v.LongTerm, v.Reason = []string{"node/db-1 (logins: root, ubuntu)"}, true, "INC-204"
		}),
		"roles-and-resources": request(func(v *message.View) {
			v.Resources = []string{"node/db-1"}
			v.Reason = "INC-204\nreplica lag"
		}),
		"reason": request(func(v *message.View) { v.Reason = "INC-204" }),
		"times": request(func(v *message.View) {
			v.AccessUntil, v.Expires = created.Add(8*time.Hour), created.Add(time.Hour)
		}),
		"later-start": request(func(v *message.View) {
			v.Start, v.AccessUntil, v.Expires = created.Add(24*time.Hour), created.Add(30*time.Hour), created.Add(time.Hour)
		}),
		"ends-before-it-begins": request(func(v *message.View) { v.AccessUntil = created.Add(-time.Hour) }),
		"unknown-creation":      request(func(v *message.View) { v.Created, v.AccessUntil = time.Time{}, created }),
		"commands":              request(withoutLink),
		"approved":              request(ended(message.Approved)),
		"denied":                request(ended(message.Denied)),
		"promoted":              request(ended(message.Promoted)),
		"expired":               request(ended(message.Expired)),
		"approved-without-link": request(withoutLink, ended(message.Approved)),
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
	for _, f := range message.Fields(request(func(v *message.View) { v.Roles, v.Resources = names, names })) {
		if n := len(f.Text); n > 4*message.InlineLimit+100 {
			t.Errorf("%s has %d bytes", f.Label, n)
		}
		if cut := message.CodeText(f.Text, message.InlineLimit, nil); f.Kind == message.Code && !strings.HasSuffix(cut, message.Truncated) {
			t.Errorf("%s does not show that it is cut", f.Label)
		}
	}
}

func TestProgressCountsWhatPendsOnly(t *testing.T) {
	yes, no := message.Review{State: message.Approved}, message.Review{State: message.Denied}
	other := message.Review{State: message.Promoted}
	for _, c := range []struct {
		status  message.Status
		needed  int
		reviews []message.Review
		want    string
	}{
		{message.Pending, 0, nil, ""},
		{message.Pending, 1, nil, ""},
		{message.Pending, 2, nil, "0 of 2 approvals"},
		{message.Pending, 2, []message.Review{yes}, "1 of 2 approvals"},
		{message.Pending, 3, []message.Review{yes, no, yes}, "2 of 3 approvals, 1 denial"},
		{message.Pending, 0, []message.Review{yes}, "1 approval"},
		{message.Pending, 1, []message.Review{yes, yes}, "2 approvals"},
		{message.Pending, 0, []message.Review{no, no}, "2 denials"},
		{message.Pending, 0, []message.Review{yes, no}, "1 approval, 1 denial"},
		{message.Pending, 0, []message.Review{other}, ""},
		{message.Approved, 2, []message.Review{yes, yes}, ""},
		{message.Denied, 2, []message.Review{no}, ""},
	} {
		v := message.View{Status: c.status, ApprovalsNeeded: c.needed, Reviews: c.reviews}
		if got := v.Progress(); got != c.want {
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

func TestRequestLinkKeepsTheIDInItsPlace(t *testing.T) {
	const proxy = "https://teleport.example.com"
	for _, c := range []struct{ proxy, id, want string }{
		{proxy, "0c0f-77", proxy + "/web/requests/0c0f-77"},
		{proxy + "/", "0c0f", proxy + "/web/requests/0c0f"},
		{proxy + ":3080", "0c0f", proxy + ":3080/web/requests/0c0f"},
		{proxy, "a/../../b?c#d", proxy + "/web/requests/a%2F..%2F..%2Fb%3Fc%23d"},
		{proxy, "a|b>c <d", proxy + "/web/requests/a%7Cb%3Ec%20%3Cd"},
		{proxy, "..", ""},
		{proxy, "", ""},
		{"", "0c0f", ""},
		{"teleport.example.com:443", "0c0f", ""},
		{"teleport.example.com", "0c0f", ""},
		{"https://bad host/", "0c0f", ""},
	} {
		if got := message.RequestLink(c.proxy, c.id); got != c.want {
			t.Errorf("RequestLink(%q, %q) = %q, want %q", c.proxy, c.id, got, c.want)
		}
	}
}

func TestAccessListLinks(t *testing.T) {
	const proxy = "https://teleport.example.com"
	for _, c := range []struct{ proxy, list, all, review string }{
		{proxy, "payments", proxy + "/web/accesslists", proxy + "/web/accesslists/payments#review"},
		{proxy, "a/../b c#d", proxy + "/web/accesslists", proxy + "/web/accesslists/a%2F..%2Fb%20c%23d#review"},
		{proxy, "..", proxy + "/web/accesslists", ""},
		{"", "payments", "", ""},
		{"teleport.example.com", "payments", "", ""},
	} {
		if all, review := message.AccessListLinks(c.proxy, c.list); all != c.all || review != c.review {
			t.Errorf("AccessListLinks(%q, %q) = %q, %q, want %q, %q", c.proxy, c.list, all, review, c.all, c.review)
		}
	}
}

func FuzzRequestLinkNamesTheIDAndNothingElse(f *testing.F) {
	f.Add("0c0f")
	f.Add("../../evil")
	f.Add("a%2Fb")
	f.Add("\xff<|>")
	f.Fuzz(func(t *testing.T, id string) {
		link := message.RequestLink("https://teleport.example.com", id)
		if link == "" {
			return
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "teleport.example.com" || u.Path != "/web/requests/"+id || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q leads to %+v", id, u)
		}
		if strings.ContainsAny(link, "<>| \n`") {
			t.Errorf("%q would break out of a message's link", link)
		}
	})
}

func TestVersionChangesWithEachReviewAndState(t *testing.T) {
	seen := map[message.Version]bool{}
	for _, v := range []message.View{
		{Status: message.Pending},
		{Status: message.Pending, Reviews: make([]message.Review, 1)},
		{Status: message.Approved, Reviews: make([]message.Review, 1)},
		{Status: message.Denied, Reviews: make([]message.Review, 1)},
	} {
		if seen[v.Version()] {
			t.Errorf("%v is the version of two states", v.Version())
		}
		seen[v.Version()] = true
	}
	if a, b := request(), request(func(v *message.View) { v.Logins = map[string][]string{"editor": {"root"}} }); a.Version() != b.Version() {
		t.Error("the version depends on what is looked up")
	}
}

func TestWordsForEachState(t *testing.T) {
	for s, want := range map[message.Status]struct {
		emoji string
		ended bool
	}{
		message.Pending: {"⏳", false}, message.Approved: {"✅", true}, message.Denied: {"❌", true},
		message.Promoted: {"", true}, message.Expired: {"⌛", true},
	} {
		if s.Emoji() != want.emoji || s.Ended() != want.ended {
			t.Errorf("%s: %q, %v", s, s.Emoji(), s.Ended())
		}
	}
	if got := request().Title(); got != "You have a new Role Request:" {
		t.Errorf("title of roles: %q", got)
	}
	if got := request(func(v *message.View) { v.Resources = []string{"a"} }).Title(); got != "You have a new Resource Request:" {
		t.Errorf("title of resources: %q", got)
	}
}
