package message

import (
	"slices"
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

// maxLine bounds a Line, in characters.
const maxLine = 2000

// Line is a text as one line for a terminal. What strangers have written into it ends
// no line, and cannot control the terminal.
func Line(s string) string {
	return Text(strings.Join(strings.Fields(s), " "), maxLine, nil)
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
	n, before := 0, rune(0)
	for _, r := range s {
		if n == limit {
			return b.String(), true
		}
		n++
		if Invisible(r) || joiner(r) && idle(before) {
			continue
		}
		before = r
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

// Invisible reports whether a character has no place in a message, since with it a
// message can show something else than it says, or two names can look the same:
// control characters other than tab and line break, the marks that turn the direction
// of the text around it or join what is beside it, tags, and letters that are blank.
func Invisible(r rune) bool {
	if r < utf8.RuneSelf { // as nearly all are
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7F
	}
	formats := unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && !joiner(r)
	return formats || unicode.IsControl(r) || slices.Contains(blanks, r)
}

// joiner reports whether a character joins its neighbours, or keeps them apart. Emoji
// and many scripts need that.
func joiner(r rune) bool { return r == 0x200C || r == 0x200D }

// idle reports whether a joiner behind a character does nothing that can be seen.
func idle(before rune) bool {
	return before < unicode.MaxASCII || unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Han, unicode.Hangul)
}

// blanks are letters and marks that show nothing: the combining grapheme joiner, the
// fillers of Hangul, the inherent vowels of Khmer, and selectors of Mongolian.
var blanks = []rune{0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0}

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
