package discordapi

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"teleport-plugins/lib/sandbox/panel"
)

// markdown is Discord's markup. What an escape or code holds has no meaning, and
// a mark does not end within one.
var markdown = sync.OnceValue(func() *panel.Markup {
	k := &panel.Markup{Starts: "\\`[<@h*_~"}
	const inner = "((?:\\\\.|`[^`]*`|[^\\\\`])+?)"
	form := func(form string, make func(m []string) panel.Node) {
		k.Rules = append(k.Rules, panel.Form{Form: regexp.MustCompile("^(?s)" + form), Make: make})
	}
	marked := func(kind, mark string, word bool) {
		quoted := regexp.QuoteMeta(mark)
		form(quoted+inner+quoted, func(m []string) panel.Node {
			return panel.Node{Kind: kind, Mark: mark, Nodes: k.Parse(m[1])}
		})
		k.Rules[len(k.Rules)-1].Word = word
	}
	form(`\\([^0-9A-Za-z\s])`, func(m []string) panel.Node { return panel.Node{Text: m[1]} })
	form("```(?:[0-9A-Za-z_+.#-]*\n)?(.+?)```", func(m []string) panel.Node { return panel.Node{Kind: panel.Pre, Text: m[1]} })
	form("(?:``(.+?)``|`([^`]+)`)", func(m []string) panel.Node { return panel.Node{Kind: panel.Code, Text: m[1] + m[2]} })
	form(`\[((?:[^\[\]\\]|\\.)+)\]\(<?(https?://[^\s)>]+)>?(?:\s+"[^"]*")?\)`, func(m []string) panel.Node {
		return panel.Node{Kind: panel.Link, Text: panel.Render(k.Parse(m[1])).Text, Href: m[2]}
	})
	web := func(m []string) panel.Node { return panel.Node{Kind: panel.Link, Text: m[1], Href: m[1]} }
	form(`<(https?://[^\s>]+)>`, web)
	form(`(https?://[^\s<]+[^<.,:;"'\])\s])`, web)
	named := func(sign string) func(m []string) panel.Node {
		return func(m []string) panel.Node { return panel.Node{Kind: panel.Mention, Text: sign + m[1], Href: m[1]} }
	}
	form(`<@!?(\d+)>`, named("@"))
	form(`<@&(\d+)>`, named("@&"))
	form(`@(everyone|here)`, named("@"))
	form(`<#(\d+)>`, named("#"))
	form(`<t:(-?\d{1,17})(?::([tTdDfFRsS]))?>`, date)
	marked(panel.Bold, "**", false)
	marked(panel.Under, "__", false)
	marked(panel.Struck, "~~", false)
	marked(panel.Italic, "*", false)
	marked(panel.Italic, "_", true)
	return k
})

// date shows a moment in UTC; relative times, which change as one reads, are
// shown as the moment too.
func date(m []string) panel.Node {
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return panel.Node{Text: m[0]}
	}
	form := "January 2, 2006 15:04 UTC"
	switch m[2] {
	case "t", "T":
		form = "15:04 UTC"
	case "d", "D":
		form = "January 2, 2006"
	}
	t := time.Unix(n, 0).UTC()
	return panel.Node{Kind: panel.Moment, Text: t.Format(form), Href: t.Format(time.RFC3339)}
}

// Render makes a message readable: the content, then a card for each embed, then
// rows of buttons. It never fails; what it does not know is left out.
func Render(content string, embeds, components json.RawMessage) panel.Rendered {
	k := markdown()
	body := []panel.Node{{Kind: panel.Line, Nodes: k.Parse(content)}}
	var list []embed
	_ = json.Unmarshal(embeds, &list)
	for _, e := range list {
		body = append(body, e.card(k))
	}
	var rows []component
	_ = json.Unmarshal(components, &rows)
	for _, row := range rows {
		body = append(body, row.buttons())
	}
	r := panel.Render(body)
	r.Text = strings.TrimSpace(r.Text)
	return r
}

func (e embed) card(k *panel.Markup) panel.Node {
	card := panel.Node{Kind: panel.Card}
	if e.Color != nil && *e.Color != 0 {
		card.Tone = fmt.Sprintf("#%06x", *e.Color)
	}
	add := func(kind, href string, nodes []panel.Node) {
		card.Nodes = append(card.Nodes, panel.Node{Kind: kind, Href: href, Nodes: nodes})
	}
	if e.Author != nil {
		add(panel.Small, "", panel.Text(panel.Plain, e.Author.Name))
	}
	add(panel.Title, e.URL, k.Parse(e.Title))
	add(panel.Line, "", k.Parse(e.Description))
	for _, f := range e.Fields {
		add(panel.Field, "", []panel.Node{{Nodes: k.Parse(f.Name)}, {Nodes: k.Parse(f.Value)}})
	}
	footer := ""
	if e.Footer != nil {
		footer = e.Footer.Text
	}
	if t, err := time.Parse(time.RFC3339, e.Timestamp); err == nil {
		footer = strings.TrimPrefix(footer+" • ", " • ") + t.UTC().Format("January 2, 2006 15:04 UTC")
	}
	add(panel.Small, "", panel.Text(panel.Plain, footer))
	return card
}

func (row component) buttons() panel.Node {
	out := panel.Node{Kind: panel.Row}
	tones := map[int]string{1: "primary", 3: "good", 4: "danger"}
	for _, b := range row.Components {
		out.Nodes = append(out.Nodes, panel.Node{Kind: panel.Button, Text: b.Label, ID: b.CustomID, Href: b.URL, Tone: tones[b.Style]})
	}
	return out
}
