package config

import (
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// keyLines tells for each key of a TOML text the line, counted from 1, on which
// it is set; a table counts as set where its header stands, or else where it is
// first mentioned. The decoder gives no positions for keys, hence this other parser.
//
// The text must be one that the decoder has accepted. From a place on that this
// parser does not understand, nothing has a line.
func keyLines(text string) map[string]int {
	text = strings.TrimPrefix(text, "\ufeff")
	l := locator{lines: map[string]int{}, arrays: map[string]int{}}
	for i := range len(text) {
		if text[i] == '\n' {
			l.ends = append(l.ends, i)
		}
	}
	l.Reset([]byte(text))
	table := ""
	for l.NextExpression() {
		switch e := l.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = l.header(e)
		case unstable.KeyValue:
			l.pair(table, e)
		}
	}
	return l.lines
}

// locator walks over a TOML text once, from front to back.
type locator struct {
	unstable.Parser
	ends   []int // where lines end
	line   int   // of what was last read that has a place of its own
	lines  map[string]int
	arrays map[string]int // number of elements so far of each array of tables
}

// at notes the line of a node. An array has none of its own, and stands where its
// first element does.
func (l *locator) at(n *unstable.Node) {
	for n.Kind == unstable.Array && n.Child().Valid() {
		n = n.Child()
	}
	if n.Raw.Length > 0 {
		before, _ := slices.BinarySearch(l.ends, int(n.Raw.Offset))
		l.line = before + 1
	}
}

// header reads `[a.b]` or `[[a.b]]`, and returns the path of the table that it opens.
func (l *locator) header(e *unstable.Node) (path string) {
	for keys := e.Key(); keys.Next(); {
		l.at(keys.Node())
		path = join(path, string(keys.Node().Data))
		last := keys.IsLast()
		if !last {
			l.mention(path)
		} else if e.Kind == unstable.Table || l.arrays[path] == 0 {
			l.lines[path] = l.line
		}
		if last && e.Kind == unstable.ArrayTable {
			l.arrays[path]++
		}
		if n := l.arrays[path]; n > 0 {
			path = element(path, n-1)
			l.mention(path)
		}
	}
	return path
}

// pair reads `key = value` in the table with the given path.
func (l *locator) pair(path string, e *unstable.Node) {
	for keys := e.Key(); keys.Next(); {
		l.at(keys.Node())
		path = join(path, string(keys.Node().Data))
		l.mention(path)
	}
	l.value(path, e.Value())
}

// value reads what is inside an array or an inline table.
func (l *locator) value(path string, v *unstable.Node) {
	i := 0
	for inside := v.Children(); inside.Next(); {
		n := inside.Node()
		switch {
		case v.Kind == unstable.InlineTable && n.Kind == unstable.KeyValue:
			l.pair(path, n)
		case v.Kind == unstable.Array:
			l.at(n)
			l.mention(element(path, i))
			l.value(element(path, i), n)
			i++
		}
	}
}

// mention records the line of a path that has none yet.
func (l *locator) mention(path string) {
	if _, ok := l.lines[path]; !ok {
		l.lines[path] = l.line
	}
}
