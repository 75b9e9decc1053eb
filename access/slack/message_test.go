package slack

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/request"

	"github.com/slack-go/slack"
)

var update = flag.Bool("update", false, "write the golden files anew")

var created = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// sample is a pending request; change makes it another one.
func sample(change ...func(*request.View)) request.View {
	v := request.View{
		ID: "0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77", Cluster: "prod.example.org", User: "alice@example.com",
		Roles: []string{"editor"}, Status: request.Pending, Created: created, Reason: "INC-204, replica lag",
		Link: "https://prod.example.org/web/requests/0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77",
	}
	for _, c := range change {
		c(&v)
	}
	return v
}

func because(reason string) func(*request.View) { return func(v *request.View) { v.Reason = reason } }

func decided(s request.Status, reason string) func(*request.View) {
	return func(v *request.View) { v.Status, v.ResolveReason = s, reason }
}

func reviewed(reason string, states ...request.Status) func(*request.View) {
	return func(v *request.View) {
		for _, s := range states {
			v.Reviews = append(v.Reviews, request.Review{Author: "bob@example.com", State: s, Reason: reason, Created: created.Add(time.Minute)})
		}
	}
}

// many is n names.
func many(n int, name string) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%03d", name, i)
	}
	return list
}

func manyRoles(n int) func(*request.View) {
	return func(v *request.View) {
		v.Roles, v.Logins = many(n, "role"), map[string][]string{}
		for _, r := range v.Roles {
			v.Logins[r] = []string{"root", "postgres"}
		}
	}
}

// soon is twenty minutes before a request lapses that was made forty minutes ago.
func soon(v *request.View) { v.Now, v.Expires = created.Add(40*time.Minute), created.Add(time.Hour) }

func TestEveryMessageIsAsItIsMeantToBe(t *testing.T) {
	messages := map[string]content{
		"pending":          announcement(sample()),
		"pending-progress": announcement(sample(reviewed("", request.Approved, request.Denied), func(v *request.View) { v.ApprovalsNeeded = 3 })),
		"approved":         announcement(sample(decided(request.Approved, "fine"))),
		"denied":           announcement(sample(decided(request.Denied, "not during the freeze"))),
		"promoted":         announcement(sample(decided(request.Promoted, ""), func(v *request.View) { v.AccessList = "Database <admins>" })),
		"expired":          announcement(sample(decided(request.Expired, ""))),
		"times": announcement(sample(func(v *request.View) {
			v.Start, v.AccessUntil, v.Expires = created.Add(time.Hour), created.Add(5*time.Hour), created.Add(2*time.Hour)
		})),
		"resources":              announcement(sample(func(v *request.View) { v.Roles, v.Resources = nil, []string{"app/wiki", "node/db-1"} })),
		"many-resources":         announcement(sample(func(v *request.View) { v.Resources = many(1000, "node/host") })),
		"many-roles":             announcement(sample(manyRoles(500))),
		"no-link":                announcement(sample(func(v *request.View) { v.Link = "" })),
		"nothing-known":          announcement(request.View{}),
		"review":                 reviewReply(sample(reviewed("looks *good* <@U1>", request.Approved)), 0),
		"review-denied":          reviewReply(sample(reviewed("", request.Denied)), 0),
		"review-unknown":         reviewReply(request.View{Reviews: make([]request.Review, 1)}, 0),
		"edit-refused":           stateReply(sample(decided(request.Denied, "no"))),
		"decided-after-reminder": stateReply(sample(reviewed("", request.Approved), decided(request.Approved, ""))),
		"reminder": pendingReply(sample(soon, reviewed("", request.Approved), func(v *request.View) {
			v.ApprovalsNeeded, v.SuggestedReviewers = 2, []string{"bob@example.com", "*mallory* <!here>", v.Reviews[0].Author}
		})),
		"reminder-bare": pendingReply(request.View{}),
		"ending": ending(sample(soon, decided(request.Approved, ""), func(v *request.View) {
			v.AccessUntil = v.Now.Add(15 * time.Minute)
		})),
		"ending-resources": ending(sample(soon, decided(request.Approved, ""), func(v *request.View) { v.Roles, v.Resources = nil, []string{"node/db-1"} })),
		"notice-approved": notice(sample(decided(request.Approved, "fine"), func(v *request.View) {
			v.AccessUntil = created.Add(8 * time.Hour)
		})),
		"notice-approved-no-link": notice(sample(decided(request.Approved, ""), func(v *request.View) { v.Link = "" })),
		"notice-denied":           notice(sample(decided(request.Denied, "not during the freeze"))),
		"notice-promoted":         notice(sample(decided(request.Promoted, ""), func(v *request.View) { v.AccessList = "Database admins" })),
		"notice-promoted-unnamed": notice(sample(decided(request.Promoted, ""))),
		"notice-expired":          notice(sample(decided(request.Expired, ""), func(v *request.View) { v.Resources = []string{"node/db-1"} })),
	}
	for name, reason := range hostile {
		messages["hostile-"+name] = announcement(sample(because(reason)))
	}
	for name, c := range messages {
		t.Run(name, func(t *testing.T) { golden(t, name, show(c)) })
	}
}

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

// show writes a message out as it is sent.
func show(c content) string {
	var b strings.Builder
	for _, text := range append([]string{"--- text", c.text}, blockTexts(c, "--- %s")...) {
		b.WriteString(text + "\n")
	}
	return b.String()
}

// blockTexts lists the texts of the blocks, each below its kind if a format for
// that is given.
func blockTexts(c content, kind string) []string {
	var out []string
	for _, b := range c.blocks {
		for _, text := range textsOf(b) {
			if kind != "" {
				out = append(out, fmt.Sprintf(kind, b.BlockType()))
			}
			out = append(out, text)
		}
	}
	return out
}

func textsOf(b slack.Block) (texts []string) {
	if c, ok := b.(*slack.ContextBlock); ok {
		for _, e := range c.ContextElements.Elements {
			texts = append(texts, e.(*slack.TextBlockObject).Text)
		}
		return texts
	}
	return []string{b.(*slack.SectionBlock).Text.Text}
}
