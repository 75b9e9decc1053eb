// Package markdown finds what stands between fences in the documents, for the tests
// that load, run and compare it.
package markdown

import "strings"

// Block is what stands between fences.
type Block struct {
	// Line is that of the opening fence, from 1 on.
	Line           int
	Language, Text string
	// Step says that the block stands in a list, as the steps of a way do.
	Step bool
}

// Blocks are the fenced blocks of a page, without the indent of the list that they
// stand in.
func Blocks(page string) (found []Block) {
	var b *Block
	indent, n := 0, 0
	for line := range strings.Lines(page) {
		n++
		trimmed := strings.TrimSpace(line)
		switch {
		case b == nil && strings.HasPrefix(trimmed, "```"):
			b = &Block{Line: n, Language: strings.TrimPrefix(trimmed, "```")}
			indent = strings.Index(line, "`")
			b.Step = indent > 0
		case b != nil && trimmed == "```":
			found = append(found, *b)
			b = nil
		case b != nil:
			b.Text += line[min(indent, len(line)-len(strings.TrimLeft(line, " "))):]
		}
	}
	return found
}
