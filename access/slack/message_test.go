package slack

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/sandbox/slackapi"
)

var update = flag.Bool("update", false, "write the golden files anew")

var created = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// request is a pending request; change makes it another one.
func request(change ...func(*message.View)) message.View {
	v := message.View{
		ID: "0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77", Cluster: "prod.example.org", User: "alice@example.com",
		Roles: []string{"editor"}, Status: message.Pending, Created: created, Reason: "INC-204, replica lag",
		Link: "https://prod.example.org/web/requests/0c0f37dd-3c0f-4a6c-8c5e-0d7a2d6f9a77",
	}
	for _, c := range change {
		c(&v)
	}
	return v
}

func because(reason string) func(*message.View) { return func(v *message.View) { v.Reason = reason } }

func decided(s message.Status, reason string) func(*message.View) {
	return func(v *message.View) { v.Status, v.ResolveReason = s, reason }
}

func reviewed(reason string, states ...message.Status) func(*message.View) {
	return func(v *message.View) {
		for _, s := range states {
			v.Reviews = append(v.Reviews, message.Review{Author: "bob@example.com", State: s, Reason: reason, Created: created.Add(time.Minute)})
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

func manyRoles(n int) func(*message.View) {
	return func(v *message.View) {
		v.Roles, v.Logins = many(n, "role"), map[string][]string{}
		for _, r := range v.Roles {
			v.Logins[r] = []string{"root", "postgres"}
		}
	}
}

// hostile are texts that try to be more than text.
var hostile = map[string]string{
	"ping":      "<!channel> <!here> <!everyone> @channel",
	"mention":   "<@U0SANDBOX01> <#C0SANDBOX01> <!subteam^S1>",
	"link":      "<https://evil.example|click here> https://evil.example",
	"date":      "<!date^0^{date}^https://evil.example|now>",
	"backticks": "``` `a` ``` *Status*: APPROVED",
	"ampersand": strings.Repeat("&<>", 2000),
	"4096":      strings.Repeat("x", 4096),
	"cyrillic":  strings.Repeat("Пожалуйста ", 200),
	"japanese":  strings.Repeat("緊急対応", 350),
	"arabic":    strings.Repeat("عاجل ", 500),
	"emoji":     strings.Repeat("👩‍💻🔥", 5000),
	"rtl":       "safe \u202Eneddih\u202C \u200Ftext\u2066\u2069",
	"controls":  "a\x00b\x1b[31mred\x07",
	"blank":     " \n\t ",
	"fences":    strings.Repeat("`", 500),
}

func TestEveryMessageIsAsItIsMeantToBe(t *testing.T) {
	messages := map[string]content{
		"pending":          announcement(request()),
		"pending-progress": announcement(request(reviewed("", message.Approved, message.Denied), func(v *message.View) { v.ApprovalsNeeded = 3 })),
		"approved":         announcement(request(decided(message.Approved, "fine"))),
		"denied":           announcement(request(decided(message.Denied, "not during the freeze"))),
		"promoted":         announcement(request(decided(message.Promoted, ""), func(v *message.View) { v.AccessList = "Database <admins>" })),
		"expired":          announcement(request(decided(message.Expired, ""))),
		"times": announcement(request(func(v *message.View) {
			v.Start, v.AccessUntil, v.Expires = created.Add(time.Hour), created.Add(5*time.Hour), created.Add(2*time.Hour)
		})),
		"resources":      announcement(request(func(v *message.View) { v.Roles, v.Resources = nil, []string{"app/wiki", "node/db-1"} })),
		"many-resources": announcement(request(func(v *message.View) { v.Resources = many(1000, "node/host") })),
		"many-roles":     announcement(request(manyRoles(500))),
		"no-link":        announcement(request(func(v *message.View) { v.Link = "" })),
		"nothing-known":  announcement(message.View{}),
		"review":         reviewReply(request(reviewed("looks *good* <@U1>", message.Approved)), 0),
		"review-denied":  reviewReply(request(reviewed("", message.Denied)), 0),
		"review-unknown": reviewReply(message.View{Reviews: make([]message.Review, 1)}, 0),
		"edit-refused":   stateReply(request(decided(message.Denied, "no"))),
		"notice-approved": notice(request(decided(message.Approved, "fine"), func(v *message.View) {
			v.AccessUntil = created.Add(8 * time.Hour)
		})),
		"notice-approved-no-link": notice(request(decided(message.Approved, ""), func(v *message.View) { v.Link = "" })),
		"notice-denied":           notice(request(decided(message.Denied, "not during the freeze"))),
		"notice-promoted":         notice(request(decided(message.Promoted, ""), func(v *message.View) { v.AccessList = "Database admins" })),
		"notice-promoted-unnamed": notice(request(decided(message.Promoted, ""))),
		"notice-expired":          notice(request(decided(message.Expired, ""), func(v *message.View) { v.Resources = []string{"node/db-1"} })),
	}
	for name, reason := range hostile {
		messages["hostile-"+name] = announcement(request(because(reason)))
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
	add := func(b slack.Block, text string) {
		if kind != "" {
			out = append(out, fmt.Sprintf(kind, b.BlockType()))
		}
		out = append(out, text)
	}
	for _, b := range c.blocks {
		switch b := b.(type) {
		case *slack.SectionBlock:
			add(b, b.Text.Text)
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				add(b, e.(*slack.TextBlockObject).Text)
			}
		default:
			add(b, fmt.Sprintf("a block of the unknown kind %T", b))
		}
	}
	return out
}

// What matters most stays in a message, however much else is in it.
func TestReasonLinkAndStatusAreNeverPushedOut(t *testing.T) {
	for name, v := range map[string]message.View{
		"many roles": request(manyRoles(500)),
		"long roles": request(manyRoles(30), func(v *message.View) { v.Roles[3] = strings.Repeat("&", 5000) }),
		"long roles and logins": request(manyRoles(roleLines), func(v *message.View) {
			for i, role := range v.Roles {
				v.Roles[i] += strings.Repeat("r", 300)
				v.Logins[v.Roles[i]] = []string{role, strings.Repeat("l", 300)}
			}
		}),
		"hostile in all parts": everywhere(strings.Repeat("&", 5000)),
	} {
		t.Run(name, func(t *testing.T) {
			checkContent(t, v, announcement(v))
			all := strings.Join(blockTexts(announcement(v), ""), "\n")
			for _, part := range []string{"*Reason*: ", "*Link*: ", "*Status*: "} {
				if !strings.Contains(all, part) {
					t.Errorf("%s is missing", part)
				}
			}
			if len(v.Roles) > roleLines && !strings.Contains(all, "\n… and ") {
				t.Error("that roles are left out is not said")
			}
		})
	}
}

// everywhere is a view with the text in each of its parts.
func everywhere(s string) message.View {
	return message.View{
		ID: s, Cluster: s, User: s, Roles: []string{s, s + "2"}, Logins: map[string][]string{s: {s, s}},
		Resources: []string{s, s}, Reason: s, Link: message.RequestLink("https://prod.example.org", s),
		Status: message.Promoted, ResolveReason: s, AccessList: s, Created: created, AccessUntil: created.Add(time.Hour),
		Reviews: []message.Review{{Author: s, State: message.Status(s), Reason: s, Created: created}},
	}
}

func TestRoomForRolesIsUsedToItsEdge(t *testing.T) {
	for n := 1; n <= roleLines+2; n++ {
		v := request(manyRoles(n))
		lines := fieldLines(v, blocksLimit)
		shown, more := 0, ""
		for _, l := range lines {
			if strings.HasPrefix(l, "*Role*: ") {
				shown++
			}
			if strings.HasPrefix(l, "… and ") {
				more = l
			}
		}
		want := ""
		if n > roleLines {
			want = andMore(n - roleLines)
		}
		if shown != min(n, roleLines) || more != want {
			t.Errorf("%d roles: %d are shown, and %q", n, shown, more)
		}
	}
}

func TestAPartOfAnAddressIsNeverALink(t *testing.T) {
	long := "https://prod.example.org/" + strings.Repeat("a", valueLimit)
	if got := address(long); strings.ContainsAny(got, "<>") || utf8.RuneCountInString(got) > valueLimit {
		t.Errorf("got %q", got)
	}
	if got := address("https://prod.example.org/?a=1&b=<x>"); got != "<https://prod.example.org/?a=1&amp;b=&lt;x&gt;>" {
		t.Errorf("got %q", got)
	}
}

var dateMark = regexp.MustCompile(`<!date\^-?[0-9]+\^\{date_short_pretty\} at \{time\}\|[0-9]{2} [A-Z][a-z]{2} -?[0-9]{2,} [0-9]{2}:[0-9]{2} UTC>`)

// checkContent holds what every message must hold, whatever the users wrote.
func checkContent(t *testing.T, v message.View, c content) {
	t.Helper()
	total := 0
	for i, text := range append([]string{c.text}, blockTexts(c, "")...) {
		if !utf8.ValidString(text) || text == "" {
			t.Errorf("not a text: %q", text)
		}
		n, limit := utf8.RuneCountInString(text), textLimit
		if i == 0 {
			limit = fallbackLimit
		} else {
			total += n
		}
		if n > limit {
			t.Errorf("%d characters where %d may be", n, limit)
		}
		rest := dateMark.ReplaceAllString(text, "")
		if v.Link != "" {
			rest = strings.ReplaceAll(rest, address(v.Link), "")
		}
		if strings.ContainsAny(rest, "<>") {
			t.Errorf("a text of the user's breaks out: %q", rest)
		}
	}
	if total > blocksLimit {
		t.Errorf("%d characters in all blocks", total)
	}
	if got := slackapi.Render(c.text, nil); len(got.Mentions) > 0 {
		t.Errorf("the text pings %q", got.Mentions)
	}
}

func checkView(t *testing.T, server *slackapi.Server, s *service, v message.View) {
	t.Helper()
	checkContent(t, v, announcement(v))
	checkContent(t, v, notice(v))
	checkContent(t, v, stateReply(v))
	ctx := t.Context()
	m, err := s.Post(ctx, general, v)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Edit(ctx, m, v); err != nil {
		t.Fatal(err)
	}
	if err := s.Notice(ctx, alice, v); err != nil {
		t.Fatal(err)
	}
	for i := range v.Reviews {
		checkContent(t, v, reviewReply(v, i))
		if err := s.Reply(ctx, m, v, i); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := s.Find(ctx, general, v); err != nil || !found {
		t.Errorf("the announcement is not found again: %v", err)
	}
	for _, r := range server.Requests() {
		if r.Error != "" {
			t.Errorf("%s was refused: %s", r.Method, r.Error)
		}
	}
	if got, _ := server.Message(m.Channel, m.ID); len(got.Rendered.Mentions) > 0 || got.Edits != 1 {
		t.Errorf("pings %q, edited %d times", got.Rendered.Mentions, got.Edits)
	}
}

func TestHostileTextInEveryPartIsTaken(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			server := slackapi.New(slackapi.Options{})
			service, logged := build(t, "http://slack.test/api/", direct{server})
			checkView(t, server, service, everywhere(s))
			keepsContract(t, server)
			if logged.Len() > 0 {
				t.Errorf("logged %v", logged.All())
			}
		})
	}
}

func FuzzAnyRequestIsTakenAndNeverBreaksOut(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, "alice", s, "editor", s, "PENDING", int64(0), 1)
	}
	f.Add("id", "u", "r", "role", "res", "APPROVED", int64(1<<40), 300)
	f.Fuzz(func(t *testing.T, id, user, reason, role, resource, status string, at int64, n int) {
		for _, s := range []string{id, user, reason, role, resource, status} {
			if !utf8.ValidString(s) {
				t.Skip("the cluster's protocol carries only valid UTF-8")
			}
		}
		v := everywhere(reason)
		v.ID, v.User, v.Status, v.Created = id, user, message.Status(status), time.Unix(at%(1<<38), 0)
		v.Link = message.RequestLink("https://prod.example.org", id)
		v.Roles, v.Logins, v.Resources = nil, map[string][]string{}, nil
		for i := range min(max(n, 0), 300) {
			v.Roles = append(v.Roles, fmt.Sprint(role, i))
			v.Logins[v.Roles[i]] = []string{role, reason}
		}
		if resource != "" {
			v.Resources = []string{resource, user}
		}
		server := slackapi.New(slackapi.Options{Now: func() time.Time { return time.Unix(1<<38, 0) }})
		service, _ := build(t, "http://slack.test/api/", direct{server})
		checkView(t, server, service, v)
	})
}
