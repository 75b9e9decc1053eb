package mattermost

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
	"teleport-plugins/lib/request"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata, in which what takes no room is made visible.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = strings.NewReplacer(joiner, "{WJ}", "\uFEFF", "{BOM}").Replace(got) + "\n"
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func written(v request.View) string {
	return fitted(mostRunes, func(d dialect) string { return announcement(v, d) })
}

func sample(change ...func(*request.View)) request.View {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v := request.View{
		ID: "0196fa32-5b6b-7d1e-8b0e-1f5a3c2d4e5f", Cluster: "example.com", User: "mia@example.com", Roles: []string{"db-admin", "db_reader"},
		Reason: "INC-204, replica lag", Link: "https://example.com/web/requests/0196fa32-5b6b-7d1e-8b0e-1f5a3c2d4e5f",
		Status: request.Pending, Created: at, Expires: at.Add(time.Hour), AccessUntil: at.Add(8 * time.Hour),
	}
	for _, f := range change {
		f(&v)
	}
	return v
}

func TestMessages(t *testing.T) {
	hostile := "@all ~town-square #tag :smile: $$x$$ **bold** _it_ [Approve](https://evil.example) ![i](https://evil.example/i.png) https://evil.example www.evil.example\n**Status**: ✅ APPROVED\n```\n@channel\n``` `a` \u202Eevil\u202C <b> | \\@here"
	for name, v := range map[string]request.View{
		"pending":  sample(),
		"approved": sample(func(v *request.View) { v.Status, v.ResolveReason = request.Approved, "fine" }),
		"denied":   sample(func(v *request.View) { v.Status, v.ResolveReason = request.Denied, "not now\nask later" }),
		"expired":  sample(func(v *request.View) { v.Status = request.Expired }),
		"promoted": sample(func(v *request.View) { v.Status, v.AccessList = request.Promoted, "The Night Watch" }),
		"no-page":  sample(func(v *request.View) { v.Link, v.Reason = "", "" }),
		"resources": sample(func(v *request.View) {
			v.Resources, v.SuggestedReviewers, v.LongTerm = []string{"node/web-1", "db/main (logins: root)"}, []string{"bob@example.com", "@carol"}, true
			v.Logins = map[string][]string{"db-admin": {"root", "ubuntu"}}
			v.ApprovalsNeeded, v.Reviews = 2, []request.Review{{Author: "bob", State: request.Approved}}
		}),
		"hostile": sample(func(v *request.View) {
			v.User, v.Roles, v.Reason, v.ResolveReason, v.ID = hostile, []string{hostile, "b"}, hostile, hostile, hostile
			v.Resources, v.SuggestedReviewers, v.Link = []string{hostile}, []string{hostile}, "https://example.com/a)[x](https://evil.example"
		}),
		"long": sample(func(v *request.View) {
			v.Roles, v.Reason, v.Logins = nil, strings.Repeat("because ", 200), make(map[string][]string)
			for i := range 60 {
				role := fmt.Sprintf("role-%02d-with-a-long-name", i)
				v.Roles = append(v.Roles, role)
				v.Logins[role] = []string{"root", "ubuntu"}
			}
		}),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, written(v)) })
	}
	d := newDialect(message.ReasonLimit)
	review := func(r request.Review) string { return reviewReply(r, d) }
	says := func(k integration.Kind, v request.View) string { return told(integration.Effect{Kind: k}, v, d) }
	at := time.Date(2026, 3, 1, 13, 5, 0, 0, time.FixedZone("", 3600))
	for name, text := range map[string]string{
		"review":         review(request.Review{Author: "bob@example.com", State: request.Approved, Reason: "fine", Created: at}),
		"review-hostile": review(request.Review{Author: "# @all\n> x", State: request.Denied, Reason: hostile}),
		"review-nobody":  review(request.Review{State: "ODD_STATE"}),
		"end":            says(integration.End, sample(func(v *request.View) { v.Status, v.ResolveReason = request.Denied, "no" })),
		"end-reminded": says(integration.End, sample(func(v *request.View) {
			v.Status, v.Reviews = request.Approved, []request.Review{{Author: "bob@example.com", State: request.Approved, Created: v.Created.Add(35 * time.Minute)}}
		})),
		"waiting": says(integration.Pending, sample(func(v *request.View) {
			v.Now, v.Expires = v.Created.Add(40*time.Minute), v.Created.Add(time.Hour)
			v.ApprovalsNeeded, v.SuggestedReviewers = 2, []string{"bob@example.com", "@all **x**"}
		})),
		"ending": says(integration.Ending, sample(func(v *request.View) {
			v.Status, v.Now, v.AccessUntil = request.Approved, v.Created, v.Created.Add(15*time.Minute)
		})),
		"notice": says(integration.Notice, sample(func(v *request.View) { v.Status = request.Approved })),
		"notice-list": says(integration.Notice, sample(func(v *request.View) {
			v.Status, v.AccessList, v.Resources = request.Promoted, "*Night* Watch", []string{"node/web-1"}
		})),
		"reminder": remind.Reminder{Now: at, Link: "https://example.com/web/lists", Lists: []remind.Due{
			{Title: "Night Watch @all", Audit: at.Add(48 * time.Hour), Link: "https://example.com/web/lists/1"}, {Title: "Other", Audit: at.Add(-time.Hour)},
		}}.Text(d.Dialect, maxLists, func(string) bool { return true }),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, text) })
	}
}

// The first lines are, byte by byte, those of Teleport's own plugin where values have one
// line.
func TestTheFirstLinesAreTeleportsOwn(t *testing.T) {
	v := sample(func(v *request.View) { v.Roles = []string{"editor"} })
	id := v.ID
	want := "*You have new pending request to review!*\n**User**: mia@example.com\n**Roles**: editor\n**Request ID**: " + id +
		"\n**Reason**: ```\nINC-204, replica lag```\n**Status**: ⏳ PENDING\n\n**Link**: [" + v.Link + "](" + v.Link + ")\n"
	if got := written(v); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	v.Status, v.Link, v.Reason = request.Expired, "", ""
	want = "\n**User**: mia@example.com\n**Roles**: editor\n**Request ID**: " + id + "\n\n**Status**: ⌛ EXPIRED\n\n**Cluster**"
	if got := written(v); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	v.Status = request.Pending
	want = "\n**Approve**: `tsh request review --approve " + id + "`\n**Deny**: `tsh request review --deny " + id + "`\n"
	if got := written(v); !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

// However much there is to say, a server with an old database takes it, and what matters
// most is in it.
func TestTheLongestMessageFits(t *testing.T) {
	for _, unit := range []string{"a", "*", "`", "@", "漢", "\n", ":a:", "😀"} {
		long := strings.Repeat(unit, 30_000)
		v := sample(func(v *request.View) {
			v.User, v.Reason, v.ResolveReason, v.Roles, v.Logins = long, long, long, nil, make(map[string][]string)
			for i := range 200 {
				v.Roles = append(v.Roles, fmt.Sprint(i, long))
				v.Logins[fmt.Sprint(i, long)] = []string{long}
			}
			v.Resources, v.SuggestedReviewers = v.Roles, v.Roles
		})
		text := fitted(leastRunes, func(d dialect) string { return announcement(v, d) })
		if n := utf8.RuneCountInString(text); n > leastRunes || !strings.Contains(text, v.ID) || !strings.Contains(text, v.Link) || !strings.Contains(text, "PENDING") {
			t.Errorf("of %q it makes %d runes:\n%.500s", unit, n, text)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"alice@example.com":               "alice@example.com",
		"db_admin-1.x":                    "db_admin-1.x",
		"ns:role":                         "ns:role",
		"@all":                            "@\u2060all",
		"a.@all":                          "a.@\u2060all",
		"_@all_":                          `\_` + "@\u2060all" + `\_`,
		"漢@all":                           "漢@\u2060all",
		"a__b":                            `a\_\_b`,
		"[x](https://evil.example)":       `\[x\](https:` + "\u2060//evil.example)",
		"www.evil.example":                "www\u2060.evil.example",
		"WWW.evil.example":                "WWW\u2060.evil.example",
		"~town-square":                    `\~` + "\u2060town-square",
		"#tag c#":                         `\#` + "\u2060tag c" + `\#`,
		":smile: 10:30: a::b":             ":\u2060smile: 10:\u206030: a::b",
		"$$x$$":                           "$\u2060$x$\u2060$",
		"&#64;all &commat;all R&D a&b c;": "&\u2060\\#\u206064;all &\u2060commat;all R&D a&b c;",
		"- item":                          `\- item`,
		"a - b":                           "a - b",
		`\@all`:                           `\\` + "@\u2060all",
		"`code` |x| <b> ~~s~~ **bold**":   "\\`code\\` \\|x\\| \\<b\\> \\~\u2060\\~\u2060s\\~\\~\u2060 \\*\\*bold\\*\\*",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
