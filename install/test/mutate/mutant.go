package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// mutant is one change of the code.
type mutant struct {
	file     string // path from the root of the module, with slashes
	line     int
	function string // in which it is, or the variable's name
	operator string
	shown    string // the change as a reader is shown it, on one line
	from, to int    // bytes of the file that are replaced
	after    string // by this
	source   []byte // the whole file as it is
	choice   choice // how the change is made while the program runs
	within   [2]int // bytes of the file that are chosen between
	// nth tells apart mutants that are otherwise the same, from 1.
	nth int
}

// key names a mutant however far its lines move.
func (m mutant) key() string {
	key := fmt.Sprintf("%s %s: %s: %s", m.file, m.function, m.operator, m.shown)
	if m.nth > 1 {
		key += fmt.Sprintf(" (%d)", m.nth)
	}
	return key
}

// textMax is how much of the code a key quotes, in bytes.
const textMax = 120

func oneLine(code string) string {
	code = strings.Join(strings.Fields(code), " ")
	if len(code) > textMax {
		code = strings.ToValidUTF8(code[:textMax], "") + "…"
	}
	return code
}

// apply returns the file with the change in it. No line moves.
func (m mutant) apply() []byte {
	return slices.Concat(m.source[:m.from], []byte(m.after), m.source[m.to:])
}

// number sets nth of mutants that are in the order of the source.
func number(mutants []mutant) {
	seen := make(map[string]int)
	for i := range mutants {
		mutants[i].nth = 0
		key := mutants[i].key()
		seen[key]++
		mutants[i].nth = seen[key]
	}
}

// shuffle puts mutants into an order that depends on the seed and on each
// mutant's key alone.
func shuffle(mutants []mutant, seed int) {
	rank := make(map[string]uint64, len(mutants))
	for _, m := range mutants {
		sum := sha256.Sum256([]byte(fmt.Sprintf("%d %s", seed, m.key())))
		rank[m.key()] = binary.BigEndian.Uint64(sum[:])
	}
	slices.SortFunc(mutants, func(a, b mutant) int { return cmp.Compare(rank[a.key()], rank[b.key()]) })
}
