package message

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Truncated follows a text that was cut.
const Truncated = " (truncated)"

// Empty stands for a text that holds nothing to show.
const Empty = "(empty)"

const (
	// byteOrderMark is put behind each backtick of a fenced text, so that three
	// of them never stand together. It takes no room on the screen.
	byteOrderMark = "\uFEFF"
	// graveAccent takes the place of a backtick in an inline quotation, which a
	// single one would close. It looks much the same.
	graveAccent = "\u02CB"
)

// Escape returns what the service's markup needs in the place of a character, or
// nothing where the character stands for itself.
type Escape func(r rune) string

// Text trims, cleans and cuts a text to at most limit characters of its own,
// and escapes each. A character is never split, nor an escape; a cut is marked.
func Text(s string, limit int, esc Escape) string {
	out, cut := escaped(strings.TrimSpace(s), limit, esc)
	if cut {
		out += Truncated
	}
	return out
}

// CodeText quotes a text in single backticks. Line breaks become spaces, since
// an inline quotation ends at the end of its line, and a backtick becomes a
// grave accent, since it would end the quotation too.
func CodeText(s string, limit int, esc Escape) string {
	return quoted(strings.Join(strings.Fields(s), " "), limit, esc, graveAccent, "`", "`")
}

// BlockText quotes a text of several lines between fences.
func BlockText(s string, limit int, esc Escape) string {
	return quoted(strings.TrimSpace(s), limit, esc, "`"+byteOrderMark, "```\n", "```")
}

// quoted puts a text between two marks, and the given text in the place of each
// backtick.
func quoted(s string, limit int, esc Escape, backtick, before, after string) string {
	out, cut := escaped(s, limit, func(r rune) string {
		if r == '`' {
			return backtick
		}
		if esc == nil {
			return ""
		}
		return esc(r)
	})
	if out == "" {
		out = Empty
	}
	out = before + out + after
	if cut {
		out += Truncated
	}
	return out
}

// escaped writes the first limit characters of s through esc.
func escaped(s string, limit int, esc Escape) (out string, cut bool) {
	var b strings.Builder
	b.Grow(min(len(s), limit))
	n := 0
	for _, r := range s {
		if n == limit {
			return b.String(), true
		}
		n++
		if Invisible(r) {
			continue
		}
		instead := ""
		if esc != nil {
			instead = esc(r)
		}
		if instead == "" {
			b.WriteRune(r)
		} else {
			b.WriteString(instead)
		}
	}
	return b.String(), false
}

// Invisible reports whether a character has no place in a message: control
// characters other than tab and line break, and the marks that turn the
// direction of the text around it, with which one can make a message show
// something else than it says.
func Invisible(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0x061C:
		return true
	}
	return unicode.IsControl(r)
}

// Cut shortens a finished text to at most limit characters without splitting
// one; what is cut is marked. Texts with markup are cut before they are marked
// up, by Text, CodeText and BlockText: use Cut for plain ones.
func Cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	limit = max(limit, 0)
	mark := Truncated[:min(len(Truncated), limit)]
	return string([]rune(s)[:limit-len(mark)]) + mark
}
