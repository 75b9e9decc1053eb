package farend

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"teleport-plugins/lib/sandbox/panel"
)

// markdown is Mattermost's markup, as far as the clients show it.
var markdown = sync.OnceValue(func() *panel.Markup {
	k := &panel.Markup{Starts: "\\`[!<*_~#@:$hw"}
	form := func(form string, make func(m []string) panel.Node) {
		k.Rules = append(k.Rules, panel.Form{Form: regexp.MustCompile("^(?s)" + form), Make: make})
	}
	marked := func(kind, mark string, word bool) {
		quoted := regexp.QuoteMeta(mark)
		form(quoted+"((?:\\\\.|`[^`]*`|[^\\\\`\n])+?)"+quoted, func(m []string) panel.Node {
			return panel.Node{Kind: kind, Mark: mark, Nodes: k.Parse(m[1])}
		})
		k.Rules[len(k.Rules)-1].Word = word
	}
	form("\\\\([\\\\`*{}\\[\\]()#+\\-.!_>~|<=])", func(m []string) panel.Node { return panel.Node{Text: m[1]} })
	// A fence behind a label is code in a paragraph, which an empty line or the beginning
	// of a block ends.
	form("```\n?([^\\s#>|*+=~0-9`-][^\n]*?(?:\n[^\\s#>|*+=~0-9`-][^\n]*?)*?)```", func(m []string) panel.Node {
		return panel.Node{Kind: panel.Pre, Text: m[1]}
	})
	form("`([^`\n]+)`", func(m []string) panel.Node { return panel.Node{Kind: panel.Code, Text: m[1]} })
	form(`!?\[((?:[^\[\]\\]|\\.)*)\]\(<?([^\s)>]+)>?(?:\s+"[^"]*")?\)`, func(m []string) panel.Node {
		return panel.Node{Kind: panel.Link, Text: panel.Render(k.Parse(m[1])).Text, Href: m[2]}
	})
	web := func(m []string) panel.Node { return panel.Node{Kind: panel.Link, Text: m[1], Href: m[1]} }
	form(`<?((?:https?|ftp)://[^\s<>]+)>?`, web)
	form(`(www\.[a-zA-Z0-9][^\s<]*)`, web)
	form(`~([a-z0-9][a-z0-9_-]+)`, func(m []string) panel.Node { return panel.Node{Kind: panel.Named, Text: m[0], Href: m[1]} })
	form(`#([a-zA-Z][a-zA-Z0-9._-]+)`, func(m []string) panel.Node { return panel.Node{Kind: panel.Named, Text: m[0], Href: m[1]} })
	form(`:([a-z0-9_+-]+):`, func(m []string) panel.Node { return panel.Node{Kind: panel.Named, Text: m[0], Href: m[0]} })
	marked(panel.Bold, "**", false)
	marked(panel.Bold, "__", true)
	marked(panel.Struck, "~~", false)
	marked(panel.Italic, "*", false)
	marked(panel.Italic, "_", true)
	return k
})

// mentions are those whom the server would notify, by their names, as it reads words.
// It notifies nobody who is named in code. Where code ends is seen differently by
// different readers, so nobody may be named there either.
func (w *world) mentions(message string) (found []string) {
	note := func(word string) bool {
		name, ok := strings.CutPrefix(strings.ToLower(word), "@")
		all := name == "all" || name == "channel" || name == "here"
		if !ok || !all && find(w.accounts, func(a *account) bool { return a.name == name }) == nil {
			return false
		}
		found = append(found, name)
		return true
	}
	between := func(r rune) bool {
		return !strings.ContainsRune(":.-_@", r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	}
	text := strings.NewReplacer("&#64;", "@", "&commat;", "@").Replace(message)
	for _, word := range strings.FieldsFunc(text, between) {
		word = strings.TrimLeft(word, ":.-_")
		if note(word) || note(strings.TrimRight(word, ":.-_")) {
			continue
		}
		for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return strings.ContainsRune(":.-", r) }) {
			note(part)
		}
	}
	return slices.Compact(found)
}

// rendered is what a reader of a post sees. It is kept until the post is edited.
func (w *world) rendered(e *entry) panel.Rendered {
	if e.seen == nil {
		seen := w.render(e)
		e.seen = &seen
	}
	return *e.seen
}

func (w *world) render(e *entry) panel.Rendered {
	body := []panel.Node{{Kind: panel.Line, Nodes: markdown().Parse(e.message)}}
	row := panel.Node{Kind: panel.Row}
	for _, b := range e.buttons() {
		tone := map[string]string{"good": "good", "danger": "danger"}[b.style]
		row.Nodes = append(row.Nodes, panel.Node{Kind: panel.Button, Text: b.name, ID: b.id, Tone: tone})
	}
	if len(row.Nodes) > 0 {
		body = append(body, row)
	}
	r := panel.Render(body)
	r.Mentions = w.mentions(e.message)
	return r
}

// button is a button of a post, with where it leads.
type button struct {
	id, name, style, url string
	context              map[string]any
}

// buttons are those of a post that clients show.
func (e *entry) buttons() (all []button) {
	attachments, _ := e.props["attachments"].([]any)
	for _, one := range attachments {
		a, _ := one.(map[string]any)
		actions, _ := a["actions"].([]any)
		for _, one := range actions {
			act, _ := one.(map[string]any)
			integration, _ := act["integration"].(map[string]any)
			text := func(from map[string]any, key string) string { s, _ := from[key].(string); return s }
			context, _ := integration["context"].(map[string]any)
			all = append(all, button{text(act, "id"), text(act, "name"), text(act, "style"), text(integration, "url"), context})
		}
	}
	return all
}
