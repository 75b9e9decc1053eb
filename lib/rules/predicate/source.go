package predicate

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a condition, and where.
type Error struct {
	// Line and Column count from one; columns count bytes.
	Line, Column int
	// Text is the fault in one sentence without its position.
	Text string
}

// Error gives the position and the fault.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// errorAt makes the error of a place given by its offset in bytes.
func errorAt(source string, offset int, format string, args ...any) *Error {
	before := source[:min(max(offset, 0), len(source))]
	return &Error{
		Line:   1 + strings.Count(before, "\n"),
		Column: len(before) - strings.LastIndexByte(before, '\n'),
		Text:   fmt.Sprintf(format, args...),
	}
}

// oneLine replaces line breaks and comments by as many spaces. In Go a line
// break may end an expression; in a condition it is plain white space. What is
// inside a literal stays as it is.
func oneLine(source string) string {
	out := []byte(source)
	for i := 0; i < len(source); {
		end := i + 1
		switch rest := source[i:]; {
		case rest[0] == '"', rest[0] == '\'', rest[0] == '`':
			end = i + literalEnd(rest)
		case strings.HasPrefix(rest, "//"):
			end = i + ending(rest, "\n")
			blank(out[i:end])
		case strings.HasPrefix(rest, "/*"):
			end = i + ending(rest, "*/")
			blank(out[i:end])
		case rest[0] == '\n', rest[0] == '\r':
			out[i] = ' '
		}
		i = end
	}
	return string(out)
}

// literalEnd is the length of the literal that a text begins with. A quoted one
// that is not closed ends with its line.
func literalEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return i + 1
		case s[0] == '`':
		case s[i] == '\\':
			i++
		case s[i] == '\n':
			return i
		}
	}
	return len(s)
}

func ending(s, mark string) int {
	if i := strings.Index(s, mark); i >= 0 {
		return i + len(mark)
	}
	return len(s)
}

func blank(b []byte) {
	for i := range b {
		b[i] = ' '
	}
}
