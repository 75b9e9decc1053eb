package slack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
)

// layout is an announcement as it is documented, which Teleport's own plugin posts.
func layout(title, id, reason string) string {
	fields := "*ID*: " + id + "\n*Cluster*: prod\n*User*: mia@example.org\n*Role(s)*: `editor`\n*Reason*: ```\n" + reason + "```"
	return written(append(append(sections(title), sections(fields)...), slack.NewContextBlock("", markdown("*Status*: ⏳ PENDING"))))
}

// written is blocks as they stand in a form.
func written(blocks []slack.Block) string {
	text, _ := json.Marshal(blocks)
	return string(text)
}

// postByApp posts with the app's token, as another plugin with the same app does.
func postByApp(t *testing.T, server *slackapi.Server, args url.Values) plugindata.Message {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://slack.test/api/chat.postMessage", strings.NewReader(args.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+server.Token())
	resp, err := direct{server}.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var a struct{ Channel, TS string }
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.TS == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	return plugindata.Message{Channel: a.Channel, ID: a.TS}
}

// What Teleport's own plugin left has no mark of ours. Its ID field says which
// request it is about; all other text is of people.
func TestAnAnnouncementOfTeleportsOwnPluginIsFound(t *testing.T) {
	const role = "You have a new Role Request:"
	v := sample(now)
	for name, c := range map[string]struct {
		blocks string
		found  bool
	}{
		"its own":                      {layout(role, v.ID, "x"), true},
		"for resources":                {layout("You have a new Resource Request:", v.ID, "x"), true},
		"for a long time":              {layout("You have a new Role Request (long-term access):", v.ID, "x"), true},
		"without fields behind the id": {strings.Replace(layout(role, v.ID, "x"), `\n*Cluster*`, `\n\n*Cluster*`, 1), true},
		"another request":              {layout(role, "0c0f37dd-0000-4a6c-8c5e-0d7a2d6f9a77", "x"), false},
		"an id that begins alike":      {layout(role, v.ID+"0", "x"), false},
		"quoted in a reason":           {layout(role, "0c0f37dd-0000-4a6c-8c5e-0d7a2d6f9a77", "like\n*ID*: "+v.ID+"\n"), false},
		"another title":                {layout("A reminder of "+role, v.ID, "x"), false},
		"no status":                    {written(slices.Concat(sections(role), sections("*ID*: "+v.ID), sections("*Status*: ⏳ PENDING"))), false},
		"fields without the title":     {written(append(sections("*ID*: "+v.ID), slack.NewContextBlock("", markdown("x")))), false},
		"a text of the blocks' own":    {`[{"type":"markdown","text":"You have a new Role Request:"},{"type":"divider"},{"type":"divider"}]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			server, s := inProcess(t)
			m := postByApp(t, server, url.Values{"channel": {general}, "blocks": {c.blocks}, "text": {"*ID*: " + v.ID}})
			var want []plugindata.Message
			if c.found {
				want = append(want, m)
			}
			if got, err := findAt(t.Context(), s, general, v); err != nil || !slices.Equal(got, want) {
				t.Errorf("found %+v, %v; want %+v", got, err, want)
			}
			later := integration.Effect{Kind: integration.Announce, Index: 1}
			if got, err := s.Find(t.Context(), integration.Place{Address: general}, later, v); err != nil || len(got) > 0 {
				t.Errorf("found as another announcement: %+v, %v", got, err)
			}
		})
	}
}

// One of before the request is about another one with the same id.
func TestAnOldAnnouncementIsThatOfAnotherRequest(t *testing.T) {
	server, s := inProcess(t)
	v := sample(now)
	postByApp(t, server, url.Values{"channel": {general}, "blocks": {layout("You have a new Role Request:", v.ID, "x")}})
	if got, err := findAt(t.Context(), s, general, v); err != nil || len(got) != 1 {
		t.Fatalf("found %+v, %v", got, err)
	}
	v.Created = v.Created.Add(time.Hour)
	if got, err := findAt(t.Context(), s, general, v); err != nil || len(got) > 0 {
		t.Errorf("found %+v, %v", got, err)
	}
}
