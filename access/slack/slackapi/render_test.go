package slackapi_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"teleport-plugins/access/slack/slackapi"
	"teleport-plugins/lib/sandbox/panel"
)

func TestMrkdwnIsSplitAtItsSequences(t *testing.T) {
	type span = panel.Node
	plain := func(s string) []span { return []span{{Text: s}} }
	for in, want := range map[string][]span{
		"":                                    nil,
		"a &lt;!channel&gt; b &amp;amp; c":    plain("a <!channel> b &amp; c"),
		"&quot; stays":                        plain("&quot; stays"),
		"1 < 2":                               plain("1 < 2"),
		"2 > 1":                               plain("2 > 1"),
		"<>":                                  plain("<>"),
		"<a":                                  plain("<a"),
		"x<!channel>":                         {{Text: "x"}, {Kind: panel.Mention, Text: "@channel", Href: "channel"}},
		"<!here|ignored>":                     {{Kind: panel.Mention, Text: "@here", Href: "here"}},
		"<@U1>":                               {{Kind: panel.Mention, Text: "@U1", Href: "U1"}},
		"<@U1|mia>":                           {{Kind: panel.Mention, Text: "@mia", Href: "U1"}},
		"<!subteam^S1|@ops>":                  {{Kind: panel.Mention, Text: "@ops", Href: "S1"}},
		"<#C1|general>":                       {{Kind: panel.Named, Text: "#general", Href: "C1"}},
		"<https://e.org/?a=1&amp;b=2|A&lt;B>": {{Kind: panel.Link, Text: "A<B", Href: "https://e.org/?a=1&b=2"}},
		"<https://e.org>":                     {{Kind: panel.Link, Text: "https://e.org", Href: "https://e.org"}},
		"<<https://e.org>":                    {{Text: "<"}, {Kind: panel.Link, Text: "https://e.org", Href: "https://e.org"}},
		"<!date^0^{date_num} {time}|then>":    {{Kind: panel.Moment, Text: "1970-01-01 00:00 UTC", Href: "1970-01-01T00:00:00Z"}},
		"<!date^0^{date}^https://e.org|then>": {{Kind: panel.Link, Href: "https://e.org", Nodes: []span{{Kind: panel.Moment, Text: "January 1, 1970", Href: "1970-01-01T00:00:00Z"}}}},
		"*a <!here>* b":                       {{Kind: panel.Bold, Mark: "*", Nodes: []span{{Text: "a "}, {Kind: panel.Mention, Text: "@here", Href: "here"}}}, {Text: " b"}},
		"a*b*c_d_":                            plain("a*b*c_d_"),
		"`<@U1>`":                             {{Kind: panel.Code, Mark: "`", Nodes: []span{{Kind: panel.Mention, Text: "@U1", Href: "U1"}}}},
		"<!date^soon^{date}|then>":            plain("then"),
		"<!date^0|then>":                      plain("then"),
	} {
		t.Run(in, func(t *testing.T) {
			if got := slackapi.Parse(in); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAMessageIsShownAsItsReaderSeesIt(t *testing.T) {
	blocks := `[
		{"type":"header","text":{"type":"plain_text","text":"A <request>"}},
		{"type":"section","text":{"type":"mrkdwn","text":"*User*: mia &lt;x&gt;, see <https://e.org|there>"},
		 "fields":[{"type":"mrkdwn","text":"<@U1>"},{"type":"plain_text","text":"<!here>"}],
		 "accessory":{"type":"button","text":{"type":"plain_text","text":"Open"},"url":"https://e.org/r"}},
		{"type":"divider"},
		{"type":"context","elements":[{"type":"mrkdwn","text":"⏳"},{"type":"image","alt_text":"clock","image_url":"https://e.org/c.png"}]},
		{"type":"rich_text","elements":[
			{"type":"rich_text_section","elements":[{"type":"text","text":"<raw> ","style":{"bold":true}},{"type":"link","url":"https://e.org/2","text":"two"},{"type":"emoji","name":"ok"}]},
			{"type":"rich_text_list","elements":[{"type":"rich_text_section","elements":[{"type":"broadcast","range":"channel"}]},{"type":"rich_text_section","elements":[{"type":"user","user_id":"U2"}]}]}]},
		{"type":"actions","block_id":"b","elements":[
			{"type":"button","action_id":"approve","style":"primary","value":"r1","text":{"type":"plain_text","text":"Approve"}},
			{"type":"button","action_id":"deny","text":{"type":"plain_text","text":"Deny"}}]}]`
	got := slackapi.Render("a fallback for <!everyone>", json.RawMessage(blocks))
	want := panel.Rendered{
		Text: strings.Join([]string{
			"A <request>",
			"*User*: mia <x>, see there (https://e.org)",
			"@U1",
			"<!here>",
			"[Open] (https://e.org/r)",
			"---",
			"⏳ clock",
			"<raw> two (https://e.org/2):ok:",
			"@channel",
			"@U2",
			"[Approve] [Deny]",
		}, "\n"),
		Mentions: []string{"U1", "channel", "U2", "everyone"},
		Links:    []string{"https://e.org", "https://e.org/r", "https://e.org/2"},
		Buttons: []panel.Node{
			{Kind: panel.Button, Nodes: []panel.Node{{Text: "Open"}}, Href: "https://e.org/r"},
			{Kind: panel.Button, ID: "approve", Nodes: []panel.Node{{Text: "Approve"}}, Tone: "primary"},
			{Kind: panel.Button, ID: "deny", Nodes: []panel.Node{{Text: "Deny"}}},
		},
	}
	got.Body = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestWithoutBlocksTheTextIsShown(t *testing.T) {
	for _, blocks := range []string{"", "[]", "nonsense"} {
		if got := slackapi.Render("<!channel> hi", json.RawMessage(blocks)); got.Text != "@channel hi" || len(got.Mentions) != 1 {
			t.Errorf("with blocks %q: %+v", blocks, got)
		}
	}
}

// Escaped text must come out as it was and do nothing; that is what Slack
// promises to those who escape the three characters.
func FuzzEscapedTextIsInert(f *testing.F) {
	for _, s := range []string{"<!channel>", "a & b", "&lt;", "<https://e.org|x>", "*b* `c`", "<!date^0^{date}|x>", "\xff"} {
		f.Add(s)
	}
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	f.Fuzz(func(t *testing.T, s string) {
		got := slackapi.Render(escape.Replace(s), nil)
		if want := strings.TrimSuffix(s, "\n"); got.Text != want && got.Text != s || got.Mentions != nil || got.Links != nil {
			t.Errorf("%q is shown as %+v", s, got)
		}
	})
}

func FuzzRender(f *testing.F) {
	f.Add("a <b|c> d", `[{"type":"section","text":{"type":"mrkdwn","text":"<!date^1^{date}^l|f>"}}]`)
	f.Add("", `[{"type":"rich_text","elements":[{"type":"rich_text_list","elements":[{}]}]}]`)
	f.Add("", `[{"type":"actions","elements":[{"type":"button","text":{"type":"button","text":{"text":1}}}]}]`)
	f.Fuzz(func(t *testing.T, text, blocks string) {
		_ = slackapi.Render(text, json.RawMessage(blocks))
	})
}
