package config

import (
	"strconv"
	"strings"
)

// keyLines tells for each key of a TOML text the line, counted from 1, on which
// it is set; a table counts as set where its header stands, or else where it is
// first mentioned. The decoder gives no positions for keys, hence this scanner.
//
// The text must be one that the decoder has accepted: the scanner checks
// nothing. On other text it ends without a panic, with lines that mean nothing.
func keyLines(text string) map[string]int {
	s := scanner{
		text:   strings.TrimPrefix(text, "\ufeff"),
		line:   1,
		lines:  map[string]int{},
		arrays: map[string]int{},
	}
	for s.blank(); s.pos < len(s.text); s.blank() {
		if s.text[s.pos] == '[' {
			s.header()
		} else {
			s.pair(s.table)
		}
	}
	return s.lines
}

// scanner walks over a TOML text once, from front to back.
type scanner struct {
	text  string
	pos   int
	line  int    // of pos
	table string // path of the table that the last header opened

	lines  map[string]int
	arrays map[string]int // number of elements so far of each array of tables
}

// header reads `[a.b]` or `[[a.b]]` and makes it the current table.
func (s *scanner) header() {
	s.pos++
	array := s.eat("[")
	keys := s.key()
	s.eat("]")
	if array {
		s.eat("]")
	}
	path := ""
	for i, key := range keys {
		path = join(path, key)
		last := i == len(keys)-1
		if !last {
			s.mention(path)
		} else if !array || s.arrays[path] == 0 {
			s.lines[path] = s.line
		}
		if last && array {
			s.arrays[path]++
		}
		if n := s.arrays[path]; n > 0 {
			path = element(path, n-1)
			s.mention(path)
		}
	}
	s.table = path
}

// pair reads `key = value` in the table with the given path.
func (s *scanner) pair(table string) {
	start := s.pos
	path := table
	for _, key := range s.key() {
		path = join(path, key)
		s.mention(path)
	}
	s.eat("=")
	s.space()
	s.value(path)
	if s.pos == start { // not TOML; go on behind it so that the scan ends
		s.pos++
	}
}

// mention records the line of a path that has none yet.
func (s *scanner) mention(path string) {
	if _, ok := s.lines[path]; !ok {
		s.lines[path] = s.line
	}
}

// key reads a dotted key with the white space around it.
func (s *scanner) key() []string {
	var keys []string
	for {
		s.space()
		keys = append(keys, s.keyPart())
		s.space()
		if !s.eat(".") {
			return keys
		}
	}
}

func (s *scanner) keyPart() string {
	start := s.pos
	if s.eat(`"`) || s.eat(`'`) {
		quote := s.text[start]
		s.stringEnd(string(quote), quote == '"')
		raw := strings.Trim(s.text[start:s.pos], string(quote))
		if quote == '"' {
			raw = strings.TrimSuffix(s.text[start+1:s.pos], `"`)
			return unescape(raw)
		}
		return raw
	}
	for s.pos < len(s.text) && !strings.ContainsRune(".=[]{},# \t\r\n\"'", rune(s.text[s.pos])) {
		s.pos++
	}
	return s.text[start:s.pos]
}

// value reads over one value; keys inside an inline table are recorded.
func (s *scanner) value(path string) {
	switch {
	case s.eat(`"""`):
		s.stringEnd(`"""`, true)
	case s.eat(`'''`):
		s.stringEnd(`'''`, false)
	case s.eat(`"`):
		s.stringEnd(`"`, true)
	case s.eat(`'`):
		s.stringEnd(`'`, false)
	case s.eat("["):
		s.array(path)
	case s.eat("{"):
		s.inlineTable(path)
	default:
		for s.pos < len(s.text) && !strings.ContainsRune(",]}#\n", rune(s.text[s.pos])) {
			s.pos++
		}
	}
}

func (s *scanner) array(path string) {
	for i := 0; ; i++ {
		s.blank()
		if s.pos >= len(s.text) || s.eat("]") {
			return
		}
		start := s.pos
		s.mention(element(path, i))
		s.value(element(path, i))
		s.blank()
		if !s.eat(",") && s.pos == start {
			s.pos++
		}
	}
}

func (s *scanner) inlineTable(path string) {
	for {
		s.blank()
		if s.pos >= len(s.text) || s.eat("}") {
			return
		}
		s.pair(path)
		s.blank()
		s.eat(",")
	}
}

// stringEnd reads to the end of a string whose opening quote has been read.
func (s *scanner) stringEnd(quote string, escapes bool) {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch {
		case escapes && c == '\\' && s.pos+1 < len(s.text):
			s.step()
			s.step()
		case s.eat(quote):
			// A multi-line string may end in up to two quotes of its own.
			for i := 0; len(quote) == 3 && i < 2 && s.eat(quote[:1]); i++ {
			}
			return
		case c == '\n' && len(quote) == 1:
			return // not TOML
		default:
			s.step()
		}
	}
}

// blank reads over white space, line ends and comments.
func (s *scanner) blank() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.step()
		case '#':
			for s.pos < len(s.text) && s.text[s.pos] != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

// space reads over white space within a line.
func (s *scanner) space() {
	for s.pos < len(s.text) && (s.text[s.pos] == ' ' || s.text[s.pos] == '\t') {
		s.pos++
	}
}

// step goes one byte on and counts lines.
func (s *scanner) step() {
	if s.text[s.pos] == '\n' {
		s.line++
	}
	s.pos++
}

// eat reads over a token, which holds no line end, if it comes next.
func (s *scanner) eat(token string) bool {
	if !strings.HasPrefix(s.text[s.pos:], token) {
		return false
	}
	s.pos += len(token)
	return true
}

// unescape resolves the escapes of a TOML basic string on one line.
func unescape(raw string) string {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 >= len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		i++
		if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[raw[i]]; n > 0 && i+n < len(raw) {
			if r, err := strconv.ParseUint(raw[i+1:i+1+n], 16, 32); err == nil {
				b.WriteRune(rune(r))
			}
			i += n
			continue
		}
		b.WriteByte(simpleEscape(raw[i]))
	}
	return b.String()
}

func simpleEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'f':
		return '\f'
	case 'r':
		return '\r'
	case 'e':
		return 0x1b
	}
	return c
}
