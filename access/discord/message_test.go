package discord

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/panel"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
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

// shape is a message as it is sent and as a reader sees it.
func shape(t *testing.T, c content) (string, panel.Rendered) {
	t.Helper()
	sent, err := json.MarshalIndent(map[string]any{"content": strings.Split(c.text, "\n"), "embeds": c.embeds, "components": c.buttons}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	embeds, _ := json.Marshal(c.embeds)
	buttons, _ := json.Marshal(c.buttons)
	seen := discordapi.Render(c.text, embeds, buttons)
	return "# Seen\n" + seen.Text + "\n\n# Sent\n" + string(sent) + "\n", seen
}

func fixed() request.View {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	v := sample()
	v.Created, v.Expires, v.AccessUntil = at, at.Add(time.Hour), at.Add(8*time.Hour)
	return v
}

func fixedReviews(n int) []request.Review {
	var out []request.Review
	for i := range n {
		r := request.Review{Author: "reviewer-" + string(rune('a'+i%26)), State: request.Approved, Reason: "fine with me", Created: fixed().Created.Add(time.Duration(i) * time.Minute)}
		if i%3 == 2 {
			r.State, r.Reason = request.Denied, ""
		}
		out = append(out, r)
	}
	return out
}

// hostile puts a text wherever a user or an administrator can put one.
func hostile(s string) request.View {
	v := fixed()
	v.ID, v.User, v.Cluster, v.Reason, v.ResolveReason, v.AccessList = s, s, s, s, s, s
	v.Roles, v.Logins, v.Resources = []string{s, s + "2"}, map[string][]string{s: {s, s}}, []string{s, s}
	v.Status = request.Promoted
	v.Reviews = []request.Review{{Author: s, State: request.Status(s), Reason: s, Created: v.Created}}
	return v
}

func hostileTexts() map[string]string {
	return map[string]string{
		"everyone":  "@everyone @here <@&123456789> <@!42> <#7> <t:0:R> </cmd:1> <a:x:1>",
		"links":     "[Approve](https://evil.example/) https://evil.example/ <https://evil.example/>",
		"markdown":  "**bold** __u__ ~~s~~ ||spoiler|| # head\n# Head\n> quote\n- list\n*Status*: ✅ APPROVED",
		"backticks": "` ``` ```` `[x](https://evil.example)` ```\n*Status*: ✅ APPROVED\n``` \\`",
		"emoji":     strings.Repeat("😀", 10_000),
		"direction": "user\u202Egnp.exe\u2066 @every\u202Eone \u200Fabc \x00\x1b[31m",
		"marks":     strings.Repeat("*_`~|<[]:\\@here", 1000),
	}
}

func TestMessagesLookAsAgreed(t *testing.T) {
	for name, change := range map[string]func(*request.View){
		"pending":   func(*request.View) {},
		"resources": func(v *request.View) { v.Resources, v.Logins = []string{"node/db-1", "app/grafana"}, nil },
		"no-page":   func(v *request.View) { v.Link = "" },
		"reviewed":  func(v *request.View) { v.Reviews = fixedReviews(3) },
		"many-reviews": func(v *request.View) {
			v.Reviews, v.Status, v.ResolveReason = fixedReviews(30), request.Approved, "enough"
		},
		"promoted": func(v *request.View) { v.Status, v.AccessList = request.Promoted, "Database admins" },
	} {
		v := fixed()
		change(&v)
		withCard, _ := shape(t, announcement(v, full, ""))
		golden(t, name, withCard)
		withoutCard, _ := shape(t, announcement(v, plain, ""))
		golden(t, name+"-plain", withoutCard)
	}
	v := fixed()
	v.Status = request.Approved
	golden(t, "notice", noticeNote(v, v.Status).text()+"\n")
	v.Reviews = fixedReviews(2)
	golden(t, "end", endNote(v, v.Status).text()+"\n")
	v.AccessUntil, v.Now = v.Created.Add(time.Hour), v.Created.Add(45*time.Minute)
	golden(t, "ending", endingNote(integration.Effect{Kind: integration.Ending, Index: 2700}, v).text()+"\n")
	v.Status, v.Expires, v.SuggestedReviewers = request.Pending, v.Created.Add(time.Hour), []string{"bob", "@everyone **carol**", v.Reviews[0].Author}
	golden(t, "reminder", pendingNote(integration.Effect{Kind: integration.Pending, Index: 2700}, v).text()+"\n")
	golden(t, "reply", reviewNote(fixedReviews(1)[0]).text()+"\n")
}

func TestHostileTextsCannotPingBreakOrForge(t *testing.T) {
	for name, s := range hostileTexts() {
		for style, c := range map[string]content{
			"": announcement(hostile(s), full, ""), "-plain": announcement(hostile(s), plain, ""),
			"-reply": {text: reviewNote(hostile(s).Reviews[0]).text()}, "-notice": {text: noticeNote(hostile(s), request.Promoted).text()},
		} {
			text, seen := shape(t, c)
			golden(t, "hostile-"+name+style, text)
			checkHarmless(t, name+style, c, seen)
		}
		c := announcement(hostile(s), bare, "")
		_, seen := shape(t, c)
		checkHarmless(t, name+"-bare", c, seen)
	}
}

// checkHarmless holds a message against the limits, and looks that it mentions
// nobody and leads nowhere but to Teleport.
func checkHarmless(t *testing.T, name string, c content, seen panel.Rendered) {
	t.Helper()
	if n := size(c.text); n > contentLimit {
		t.Errorf("%s: content of %d", name, n)
	}
	if len(c.embeds) > embedsLimit {
		t.Errorf("%s: %d embeds", name, len(c.embeds))
	}
	if len(seen.Mentions) != 0 {
		t.Errorf("%s: mentions %v", name, seen.Mentions)
	}
	for _, link := range seen.Links {
		if link != fixed().Link {
			t.Errorf("%s: leads to %s", name, link)
		}
	}
	states := 0
	for l := range strings.Lines(fence.ReplaceAllString(c.text, "")) {
		if strings.HasPrefix(l, "*Status*: ") {
			states++
		}
	}
	if states > 1 {
		t.Errorf("%s: tells %d states\n%s", name, states, c.text)
	}
}

// fence is quoted text of several lines.
var fence = regexp.MustCompile("(?s)```.*?```")

func TestTheBareFormHoldsNoTextOfStrangers(t *testing.T) {
	v := hostile("strange")
	v.ID, v.Cluster = fixed().ID, fixed().Cluster
	v.Reviews[0].State = request.Approved
	for _, s := range []request.Status{request.Pending, request.Denied, request.Promoted} {
		v.Status = s
		if got, seen := shape(t, announcement(v, bare, discordapi.AliceID)); strings.Contains(got, "strange") || len(seen.Mentions) > 0 {
			t.Errorf("%s:\n%s", s, got)
		}
	}
}

// Teleport's own plugin shows as many reviews as there can be embeds.
func TestReviewsThatAMessageShowsAreKeptWithinTheLimits(t *testing.T) {
	for _, c := range []struct{ shown, letters, want int }{{0, 1, 1}, {9, 1, 10}, {10, 1, 10}, {8, 1000, 7}} {
		e := &discordgo.MessageEmbed{Title: strings.Repeat("x", c.letters)}
		got := keepReviews(card(fixed(), ""), slices.Repeat([]*discordgo.MessageEmbed{e}, c.shown))
		total := 0
		for _, e := range got {
			total += embedSize(e)
		}
		if len(got) != c.want || total > embedsSize {
			t.Errorf("%+v: %d embeds with %d characters", c, len(got), total)
		}
	}
}

func TestTheNewestReviewsAreShownInFull(t *testing.T) {
	for _, n := range []int{0, 1, 8, 9, 50, 1000} {
		v := fixed()
		v.Reviews = fixedReviews(n)
		embeds := announcement(v, full, "").embeds
		shown := 0
		for _, e := range embeds {
			if e.Author != nil {
				shown++
			}
		}
		if want := min(n, embedsLimit-2); shown != want {
			t.Errorf("%d reviews: %d shown, want %d", n, shown, want)
		}
		if n > 0 && embeds[len(embeds)-1].Author.Name != v.Reviews[n-1].Author {
			t.Errorf("%d reviews: the newest is not last", n)
		}
	}
}

func TestTheRequesterIsNamedInTheCard(t *testing.T) {
	_, seen := shape(t, announcement(fixed(), full, discordapi.AliceID))
	if !slices.Equal(seen.Mentions, []string{discordapi.AliceID}) {
		t.Errorf("mentions %v", seen.Mentions)
	}
}

func FuzzAnnouncement(f *testing.F) {
	for _, s := range hostileTexts() {
		f.Add(s, "x", s, 3, 1)
	}
	f.Add("", "", "", 0, 0)
	f.Fuzz(func(t *testing.T, name, list, reason string, n, f int) {
		n = min(max(n, 0), 60)
		v := hostile(name)
		v.Reason, v.Status = reason, request.Pending
		v.Resources = slices.Repeat([]string{list}, n)
		for i := range n {
			role := list + string(rune('a'+i))
			v.Roles = append(v.Roles, role)
			v.Logins[role] = []string{name, list}
			v.Reviews = append(v.Reviews, request.Review{Author: name, State: request.Status(list), Reason: reason})
		}
		c := announcement(v, form(uint(f)%3), "")
		_, seen := shape(t, c)
		if size(c.text) > contentLimit || len(seen.Mentions) != 0 {
			t.Errorf("content of %d mentions %v\n%s", size(c.text), seen.Mentions, c.text)
		}
		sent, err := json.Marshal(body{Content: c.text, Embeds: c.embeds, Components: c.buttons})
		if err != nil {
			t.Fatal(err)
		}
		if err := discordapi.Check(sent); err != nil {
			t.Errorf("%v in %s", err, sent)
		}
	})
}
