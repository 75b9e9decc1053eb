package slackapi

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"teleport-plugins/lib/sandbox/panel"
)

// mrkdwn is Slack's markup. Sequences in angle brackets hold everywhere, also in
// code; a mark does not reach into one.
var mrkdwn = sync.OnceValue(func() panel.Markup {
	sequences := []panel.Form{{Form: regexp.MustCompile(`^<([^<>]+)>`), Make: func(m []string) panel.Node { return sequence(m[1]) }}}
	code := panel.Markup{Starts: "<", Rules: sequences, Plain: decodeEntities}
	var k panel.Markup
	marked := func(kind, mark, form string, inside *panel.Markup) panel.Form {
		return panel.Form{Form: regexp.MustCompile(form), Word: inside == &k, Make: func(m []string) panel.Node {
			return panel.Node{Kind: kind, Mark: mark, Nodes: inside.Parse(m[1])}
		}}
	}
	stretch := func(mark string) string {
		inner := `(?:[^\s<>` + mark + `]|<[^<>]+>)`
		return `^[` + mark + `](` + inner + `(?:(?:[ \t]|` + inner + `)*` + inner + `)?)[` + mark + `]`
	}
	k = panel.Markup{Starts: "<`*_~", Plain: decodeEntities, Rules: append([]panel.Form{
		marked(panel.Pre, "```", "^(?s)```((?:[^`<>]|<[^<>]+>)+)```", &code),
		marked(panel.Code, "`", "^`((?:[^`\n<>]|<[^<>]+>)+)`", &code),
		marked(panel.Bold, "*", stretch("*"), &k),
		marked(panel.Italic, "_", stretch("_"), &k),
		marked(panel.Struck, "~", stretch("~"), &k),
	}, sequences...)}
	return k
})

// decodeEntities undoes the escaping of the only characters that Slack escapes.
func decodeEntities(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// sequence reads what stands between < and >.
func sequence(s string) panel.Node {
	body, label, _ := strings.Cut(s, "|")
	body, label = decodeEntities(body), decodeEntities(label)
	show := func(otherwise string) string {
		if label != "" {
			return label
		}
		return otherwise
	}
	switch {
	case strings.HasPrefix(body, "@"):
		return panel.Node{Kind: panel.Mention, Text: "@" + show(body[1:]), Href: body[1:]}
	case strings.HasPrefix(body, "#"):
		return panel.Node{Kind: panel.Named, Text: "#" + show(body[1:]), Href: body[1:]}
	case strings.HasPrefix(body, "!date^"):
		return date(body, show(body))
	case strings.HasPrefix(body, "!subteam^"):
		id := strings.TrimPrefix(body, "!subteam^")
		return panel.Node{Kind: panel.Mention, Text: "@" + strings.TrimPrefix(show(id), "@"), Href: id}
	case strings.HasPrefix(body, "!"):
		return panel.Node{Kind: panel.Mention, Text: "@" + body[1:], Href: body[1:]}
	}
	return panel.Node{Kind: panel.Link, Text: show(body), Href: body}
}

// date reads !date^<seconds>^<form>[^<link>]; anything else shows the fallback.
func date(body, fallback string) panel.Node {
	parts := strings.SplitN(body, "^", 4)
	if len(parts) < 3 {
		return panel.Node{Text: fallback}
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return panel.Node{Text: fallback}
	}
	t := time.Unix(seconds, 0).UTC()
	moment := panel.Node{Kind: panel.Moment, Text: dateForm(parts[2], t), Href: t.Format(time.RFC3339)}
	if len(parts) == 4 {
		return panel.Node{Kind: panel.Link, Href: parts[3], Nodes: []panel.Node{moment}}
	}
	return moment
}

// dateForm fills in the tokens of a date. The pretty tokens, which may say
// "today", are written as the plain ones here.
func dateForm(form string, t time.Time) string {
	long, short := t.Format("January 2, 2006"), t.Format("Jan 2, 2006")
	return strings.NewReplacer(
		"{date_num}", t.Format("2006-01-02"),
		"{date_slash}", t.Format("01/02/2006"),
		"{date_long_full}", long, "{date_long}", t.Format("Monday, January 2, 2006"),
		"{date_long_pretty}", t.Format("Monday, January 2, 2006"),
		"{date}", long, "{date_pretty}", long,
		"{date_short}", short, "{date_short_pretty}", short,
		"{time}", t.Format("15:04")+" UTC",
		"{time_secs}", t.Format("15:04:05")+" UTC",
		"{ago}", short,
	).Replace(form)
}

// block is the shape of all blocks and elements together, as far as they are
// shown. Text is an object in some places and a string in others.
type block struct {
	Type     string          `json:"type"`
	ActionID string          `json:"action_id"`
	Text     json.RawMessage `json:"text"`
	Fields   []block         `json:"fields"`
	Elements []block         `json:"elements"`
	Button   *block          `json:"accessory"`
	URL      string          `json:"url"`
	Style    json.RawMessage `json:"style"`
	AltText  string          `json:"alt_text"`
	Name     string          `json:"name"`
	UserID   string          `json:"user_id"`
	Range    string          `json:"range"`
}

type renderer struct{ panel.Markup }

// Render makes a message readable: the blocks, or the text when there are none.
// It never fails; what it does not know is left out. Mentions in a text that
// blocks hide count as well, since Slack makes the notification from that text.
func Render(text string, blocks json.RawMessage) panel.Rendered {
	r := renderer{mrkdwn()}
	var list []block
	shown := []panel.Node{{Kind: panel.Line, Nodes: r.Parse(text)}}
	if len(blocks) == 0 || json.Unmarshal(blocks, &list) != nil || len(list) == 0 {
		return panel.Render(shown)
	}
	var body []panel.Node
	for _, b := range list {
		body = append(body, r.block(b)...)
	}
	out, hidden := panel.Render(body), panel.Render(shown)
	out.Mentions = append(out.Mentions, hidden.Mentions...)
	return out
}

func (r renderer) block(b block) []panel.Node {
	line := func(kind string, nodes []panel.Node) panel.Node { return panel.Node{Kind: kind, Nodes: nodes} }
	switch b.Type {
	case "divider":
		return []panel.Node{{Kind: panel.Rule}}
	case "context", "actions":
		row := panel.Node{Kind: panel.Row}
		for _, e := range b.Elements {
			row.Nodes = append(row.Nodes, line("", r.element(e)))
		}
		return []panel.Node{row}
	case "rich_text":
		var lines []panel.Node
		for _, e := range b.Elements {
			lines = append(lines, r.richLines(e)...)
		}
		return lines
	}
	kind := panel.Line
	if b.Type == "header" {
		kind = panel.Title
	}
	lines := []panel.Node{line(kind, r.textOf(b.Text))}
	for _, f := range b.Fields {
		lines = append(lines, line(panel.Line, r.element(f)))
	}
	if b.Button != nil {
		lines = append(lines, line(panel.Line, r.element(*b.Button)))
	}
	return append(lines, panel.Node{Kind: panel.Line, Text: b.AltText})
}

// element shows a text object, a button or an image.
func (r renderer) element(e block) []panel.Node {
	switch e.Type {
	case "mrkdwn":
		return r.Parse(plainString(e.Text))
	case "plain_text":
		return panel.Text(panel.Plain, plainString(e.Text))
	case "button":
		return []panel.Node{{Kind: panel.Button, ID: e.ActionID, Href: e.URL, Tone: plainString(e.Style), Nodes: r.textOf(e.Text)}}
	}
	return panel.Text(panel.Plain, e.AltText)
}

// richLines shows an element of a rich_text block, each entry of a list on a
// line of its own.
func (r renderer) richLines(e block) (lines []panel.Node) {
	if e.Type != "rich_text_list" {
		return []panel.Node{{Kind: panel.Line, Nodes: r.rich(e)}}
	}
	for _, sub := range e.Elements {
		lines = append(lines, r.richLines(sub)...)
	}
	return lines
}

// rich shows what stands in a line of a rich_text block, whose text has no
// markup.
func (r renderer) rich(e block) (nodes []panel.Node) {
	switch e.Type {
	case "text":
		return panel.Text(panel.Plain, plainString(e.Text))
	case "link":
		label := plainString(e.Text)
		if label == "" {
			label = e.URL
		}
		return []panel.Node{{Kind: panel.Link, Text: label, Href: e.URL}}
	case "user":
		return []panel.Node{{Kind: panel.Mention, Text: "@" + e.UserID, Href: e.UserID}}
	case "broadcast":
		return []panel.Node{{Kind: panel.Mention, Text: "@" + e.Range, Href: e.Range}}
	case "emoji":
		return panel.Text(panel.Plain, ":"+e.Name+":")
	}
	for _, sub := range e.Elements {
		nodes = append(nodes, r.rich(sub)...)
	}
	return nodes
}

// textOf shows a text object, or a bare string as a markdown block has it.
func (r renderer) textOf(raw json.RawMessage) []panel.Node {
	var obj block
	if len(raw) > 0 && raw[0] == '{' && json.Unmarshal(raw, &obj) == nil {
		return r.element(obj)
	}
	return panel.Text(panel.Plain, plainString(raw))
}

func plainString(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
