package slack

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/access/slack/slackapi/contract"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/teleport"
)

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

// What matters most stays in a message, however much else is in it.
func TestReasonLinkAndStatusAreNeverPushedOut(t *testing.T) {
	for name, v := range map[string]request.View{
		"many roles": sample(manyRoles(500)),
		"long roles": sample(manyRoles(30), func(v *request.View) { v.Roles[3] = strings.Repeat("&", 5000) }),
		"long roles and logins": sample(manyRoles(roleLines), func(v *request.View) {
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
func everywhere(s string) request.View {
	return request.View{
		ID: s, Cluster: s, User: s, Roles: []string{s, s + "2"}, Logins: map[string][]string{s: {s, s}},
		Resources: []string{s, s}, Reason: s, Link: teleport.RequestLink("https://prod.example.org", s),
		Status: request.Promoted, ResolveReason: s, AccessList: s, Created: created, AccessUntil: created.Add(time.Hour),
		Reviews: []request.Review{{Author: s, State: request.Status(s), Reason: s, Created: created}},
	}
}

func TestRoomForRolesIsUsedToItsEdge(t *testing.T) {
	for n := 1; n <= roleLines+2; n++ {
		v := sample(manyRoles(n))
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
			want = message.AndMore(n-roleLines) + " roles"
		}
		if shown != min(n, roleLines) || more != want {
			t.Errorf("%d roles: %d are shown, and %q", n, shown, more)
		}
	}
}

// Only our own words are in bold: a name or a title that looks like the status is no
// status.
func TestNobodysTextIsMarkup(t *testing.T) {
	const fake = "x *Status*: ✅ *APPROVED* ~old~ `code`"
	v := sample(decided(request.Promoted, ""), reviewed("", request.Approved), func(v *request.View) {
		v.User, v.Cluster, v.AccessList, v.Reviews[0].Author = fake, fake, fake, fake
	})
	list := due(2, fake)
	for name, c := range map[string]content{
		"announcement": announcement(v), "review": reviewReply(v, 0), "end": stateReply(v), "notice": notice(v), "reminder": reminder(list),
	} {
		for _, text := range append(blockTexts(c, ""), c.text) {
			if strings.Contains(text, "*Status*: ✅ *APPROVED*") || strings.Contains(text, "~old~") || strings.Contains(text, "`code`") {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
	if got := line("svc_deploy_bot"); got != "svc_deploy_bot" {
		t.Errorf("a name became %q", got)
	}
}

func TestAPartOfAnAddressIsNeverALink(t *testing.T) {
	long := "https://prod.example.org/" + strings.Repeat("a", valueLimit)
	if got := address(long, ""); strings.ContainsAny(got, "<>") || utf8.RuneCountInString(got) > valueLimit {
		t.Errorf("got %q", got)
	}
	if got := address("https://prod.example.org/?a=1&b=<x>", ""); got != "<https://prod.example.org/?a=1&amp;b=&lt;x&gt;>" {
		t.Errorf("got %q", got)
	}
}

var dateMark = regexp.MustCompile(`<!date\^-?[0-9]+\^\{date_short_pretty\} at \{time\}\|[0-9]{2} [A-Z][a-z]{2} -?[0-9]{2,} [0-9]{2}:[0-9]{2} UTC>`)

// checkContent holds what every message must hold, whatever the users wrote.
func checkContent(t *testing.T, v request.View, c content) {
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
			rest = strings.ReplaceAll(rest, address(v.Link, ""), "")
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

func checkView(t *testing.T, server *slackapi.Server, s *service, v request.View) {
	t.Helper()
	checkContent(t, v, announcement(v))
	checkContent(t, v, notice(v))
	checkContent(t, v, stateReply(v))
	ctx := t.Context()
	m, err := announceAt(ctx, s, general, v)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Show(ctx, m, v); err != nil {
		t.Fatal(err)
	}
	if err := tellRequester(ctx, s, alice, v); err != nil {
		t.Fatal(err)
	}
	for i := range v.Reviews {
		checkContent(t, v, reviewReply(v, i))
		if err := reply(ctx, s, m, v, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(ctx, s, m, v); err != nil {
		t.Fatal(err)
	}
	if found, err := findAt(ctx, s, general, v); err != nil || len(found) != 1 {
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
			contract.Keep(t, server.Requests())
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
		v.ID, v.User, v.Status, v.Created = id, user, request.Status(status), time.Unix(at%(1<<38), 0)
		v.Link = teleport.RequestLink("https://prod.example.org", id)
		v.Roles, v.Logins, v.Resources = nil, map[string][]string{}, nil
		for i := range min(max(n, 0), 300) {
			v.Roles = append(v.Roles, fmt.Sprint(role, i))
			v.Logins[v.Roles[i]] = []string{role, reason}
		}
		if resource != "" {
			v.Resources = []string{resource, user}
		}
		server := slackapi.New(slackapi.Options{Options: apiserver.Options{Now: func() time.Time { return time.Unix(1<<38, 0) }}})
		service, _ := build(t, "http://slack.test/api/", direct{server})
		checkView(t, server, service, v)
	})
}
