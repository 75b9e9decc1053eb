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
	out, more := escaped(strings.TrimSpace(s), limit, esc)
	if more > 0 {
		out += Truncated
	}
	return out
}

// LineText is Text on one line.
func LineText(s string, limit int, esc Escape) string {
	return Text(strings.Join(strings.Fields(s), " "), limit, esc)
}

// maxLine bounds a Line, in characters.
const maxLine = 2000

// Line is a text as one line for a terminal. What strangers have written into it ends
// no line, and cannot control the terminal.
func Line(s string) string { return LineText(s, maxLine, nil) }

// CodeText quotes a text in single backticks. Line breaks become spaces, since
// an inline quotation ends at the end of its line, and a backtick becomes a
// grave accent, since it would end the quotation too.
func CodeText(s string, limit int, esc Escape) string {
	out, more := quoted(strings.Join(strings.Fields(s), " "), limit, esc, graveAccent, "`", "`")
	if more > 0 {
		out += Truncated
	}
	return out
}

// BlockText quotes a text of several lines between fences. Of one that was cut it says
// how much more there is.
func BlockText(s string, limit int, esc Escape) string {
	out, more := quoted(strings.TrimSpace(s), limit, esc, "`"+byteOrderMark, "```\n", "```")
	if more > 0 {
		out += " (" + counted(more, "more character") + ")"
	}
	return out
}

// quoted puts a text between two marks, and the given text in the place of each
// backtick. It says how many characters are left out.
func quoted(s string, limit int, esc Escape, backtick, before, after string) (out string, more int) {
	out, more = escaped(s, limit, func(r rune) string {
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
	return before + out + after, more
}

// escaped writes the first limit characters of s through esc, and says how many more
// there are.
func escaped(s string, limit int, esc Escape) (out string, more int) {
	var b strings.Builder
	b.Grow(min(len(s), limit))
	n, before := 0, rune(0)
	for i, r := range s {
		if n == limit {
			return b.String(), utf8.RuneCountInString(s[i:])
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
	return b.String(), 0
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

// Fit writes a text in which at most limit characters of each value stand, and fewer where
// the text would take more room than there is. size says how much it takes.
func Fit(limit, room int, size func(string) int, write func(limit int) string) string {
	for ; ; limit /= 2 {
		if text := write(limit); size(text) <= room || limit < leastValue {
			return text
		}
	}
}

// leastValue is how much of a value is left in any case, in characters.
const leastValue = 10

// IsWebAddress reports whether a text has a web address in it, which may hold a secret.
// Nobody is told at one.
func IsWebAddress(text string) bool { return strings.Contains(text, "://") }
