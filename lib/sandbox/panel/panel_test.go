package panel_test

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"teleport-plugins/lib/sandbox/panel"
)

func TestAReaderSeesTextLinksMentionsAndButtons(t *testing.T) {
	got := panel.Render([]panel.Node{
		{Kind: panel.Title, Text: "Request", Href: "https://e.org/t"},
		{Kind: panel.Line, Nodes: []panel.Node{
			{Text: "by "},
			{Kind: panel.Bold, Mark: "*", Nodes: []panel.Node{{Kind: panel.Mention, Text: "@U1", Href: "U1"}}},
			{Text: " see "},
			{Kind: panel.Link, Text: "there", Href: "https://e.org"},
			{Text: " or "},
			{Kind: panel.Link, Text: "https://e.com", Href: "https://e.com"},
		}},
		{Kind: panel.Line},
		{Kind: panel.Rule},
		{Kind: panel.Card, Tone: "#00ff00", Nodes: []panel.Node{{Kind: panel.Field, Nodes: []panel.Node{{Text: "Role"}, {Text: "editor"}}}}},
		{Kind: panel.Row, Nodes: []panel.Node{{Kind: panel.Button, Text: "Open", Href: "https://e.org/b"}, {Kind: panel.Button, Text: "Deny", ID: "deny"}}},
	})
	const want = "Request\nby *@U1* see there (https://e.org) or https://e.com\n---\n---\nRole: editor\n[Open] (https://e.org/b) [Deny]"
	if got.Text != want {
		t.Errorf("got\n%s\nwant\n%s", got.Text, want)
	}
	if !slices.Equal(got.Mentions, []string{"U1"}) || !slices.Equal(got.Tones, []string{"#00ff00"}) || len(got.Buttons) != 2 ||
		!slices.Equal(got.Links, []string{"https://e.org/t", "https://e.org", "https://e.com", "https://e.org/b"}) {
		t.Errorf("got %+v", got)
	}
}

func TestMarkupIsATableOfRules(t *testing.T) {
	var k panel.Markup
	k = panel.Markup{Starts: "*<", Rules: []panel.Form{
		{Form: regexp.MustCompile(`^\*([^*]+)\*`), Word: true, Make: func(m []string) panel.Node {
			return panel.Node{Kind: panel.Bold, Nodes: k.Parse(m[1])}
		}},
		{Form: regexp.MustCompile(`^<([^<>]+)>`), Make: func(m []string) panel.Node { return panel.Node{Kind: panel.Link, Text: m[1], Href: m[1]} }},
	}}
	for text, want := range map[string][]panel.Node{
		"":          nil,
		"plain":     {{Text: "plain"}},
		"1 < 2 * 3": {{Text: "1 < 2 * 3"}},
		"a*b*c":     {{Text: "a*b*c"}},
		"é*b*":      {{Text: "é*b*"}},
		"a *b <c>* d": {
			{Text: "a "}, {Kind: panel.Bold, Nodes: []panel.Node{{Text: "b "}, {Kind: panel.Link, Text: "c", Href: "c"}}}, {Text: " d"},
		},
	} {
		if got := k.Parse(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
}

func TestSightsAreAnnouncementsWithWhatStandsBelow(t *testing.T) {
	read := func(m panel.Message, text string) panel.Message { m.Read(text); return m }
	p := panel.Panel{Channels: []panel.Channel{{ID: "C1", Messages: []panel.Message{
		read(panel.Message{ID: "1"}, "*ID*: 0123-a\n*Status*: ⏳ PENDING"),
		read(panel.Message{ID: "2", Thread: "1"}, "bob reviewed the request"),
		read(panel.Message{ID: "3", Thread: "1", Deleted: true}, "gone"),
		read(panel.Message{ID: "4", Deleted: true}, "*ID*: 0123-b\n*Status*: ❌ DENIED"),
		read(panel.Message{ID: "5"}, "hello"),
	}}}}
	got := p.Sights()
	if len(got) != 2 || got[0].Request != "0123-a" || got[0].State != "PENDING" || got[0].Place != "C1" || len(got[0].Replies) != 1 || !got[0].Replies[0].Review {
		t.Fatalf("seen is %+v", got)
	}
	if got[1].Request != "0123-b" || got[1].State != "DENIED" || !got[1].Deleted {
		t.Errorf("seen is %+v", got[1])
	}
}
