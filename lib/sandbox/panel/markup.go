package panel

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Markup is how a service marks text up. The first rule that fits a place there
// is the one that holds.
type Markup struct {
	// Starts are the characters that a rule can begin with.
	Starts string
	Rules  []Form
	// Plain undoes what is escaped in plain text; may be nil.
	Plain func(string) string
}

// Form is one rule.
type Form struct {
	// Form fits at the beginning of a text.
	Form *regexp.Regexp
	// Word says that it holds only between borders of words.
	Word bool
	// Make makes the piece; its first argument is what fitted, the others are its
	// groups.
	Make func(m []string) Node
}

// Parse takes a text apart. Plain text is in one piece.
func (k Markup) Parse(s string) (out []Node) {
	var plain strings.Builder
	flush := func() {
		if text := plain.String(); text != "" {
			if k.Plain != nil {
				text = k.Plain(text)
			}
			out = append(out, Node{Text: text})
			plain.Reset()
		}
	}
	before := ' '
	for s != "" {
		next := strings.IndexAny(s, k.Starts)
		if next < 0 {
			next = len(s)
		}
		if next > 0 {
			before, _ = utf8.DecodeLastRuneInString(s[:next])
			plain.WriteString(s[:next])
			s = s[next:]
			continue
		}
		n, length := k.at(s, before)
		switch {
		case length == 0:
			_, length = utf8.DecodeRuneInString(s)
			plain.WriteString(s[:length])
		case n.Kind == Plain && n.Nodes == nil && k.Plain == nil:
			plain.WriteString(n.Text)
		default:
			flush()
			out = append(out, n)
		}
		before, _ = utf8.DecodeLastRuneInString(s[:length])
		s = s[length:]
	}
	flush()
	return out
}

// at reads the piece at the beginning of s; a length of zero says that there is
// nothing in particular.
func (k Markup) at(s string, before rune) (Node, int) {
	for _, r := range k.Rules {
		m := r.Form.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		after, _ := utf8.DecodeRuneInString(s[len(m[0]):])
		if r.Word && (letter(before) || letter(after)) {
			continue
		}
		return r.Make(m), len(m[0])
	}
	return Node{}, 0
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
