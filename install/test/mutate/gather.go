package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// choice is how a program chooses, while it runs, between the code as it is and
// a change of it. It spares compiling each mutant.
type choice int

const (
	alone           choice = iota // it cannot; the mutant is compiled alone
	eitherCondition               // one of two conditions is worked out
	eitherValue                   // both values are worked out and one is taken
	leftOut                       // a statement is passed over
	putIn                         // further code is run
)

// choiceOf is that between an expression and the one with another operator.
func choiceOf(n *ast.BinaryExpr) choice {
	switch n.Op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.LAND, token.LOR:
		return eitherCondition
	case token.ADD, token.SUB:
		calls := false
		ast.Inspect(n, func(n ast.Node) bool {
			_, call := n.(*ast.CallExpr)
			calls = calls || call
			return true
		})
		if !calls { // which would be made twice
			return eitherValue
		}
	}
	return alone
}

// variable is the environment variable that chooses the mutant.
const variable = "MUTANT"

// chooser is the file that is added to a package of which mutants were gathered.
const chooser = `package %s

import "os"

var mutantChosen = os.Getenv("` + variable + `")

func mutant(n string) bool { return mutantChosen == n }

func mutantEither[T any](n string, as, changed T) T {
	if mutant(n) {
		return changed
	}
	return as
}
`

// gathered is a file with many mutants in it, none of which is chosen yet.
type gathered struct {
	text bytes.Buffer
	// at is where in the text each mutant is, by its number.
	at map[int][2]int
}

// gather puts the mutants of one file into it that can be chosen. Their numbers are
// their places in the list; those that are left out are not put in.
func gather(file string, source []byte, mutants []mutant, leave map[int]bool) *gathered {
	g := &gathered{at: make(map[int][2]int)}
	var order []int
	for i, m := range mutants {
		if m.file == file && m.choice != alone && !leave[i] {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := mutants[a].within, mutants[b].within
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(y[1], x[1]))
	})
	g.write(source, mutants, order, 0, len(source))
	return g
}

// write writes a part of the source with the mutants in it, the outer ones first.
func (g *gathered) write(source []byte, mutants []mutant, order []int, from, to int) {
	for len(order) > 0 {
		n, rest := order[0], order[1:]
		m := mutants[n]
		inner := slices.IndexFunc(rest, func(i int) bool { return mutants[i].within[0] >= m.within[1] })
		if inner < 0 {
			inner = len(rest)
		}
		g.text.Write(source[from:m.within[0]])
		start := g.text.Len()
		before, after := m.around(n)
		g.text.WriteString(before)
		g.write(source, mutants, rest[:inner], m.within[0], m.within[1])
		g.text.WriteString(after)
		g.at[n] = [2]int{start, g.text.Len()}
		from, order = m.within[1], rest[inner:]
	}
	g.text.Write(source[from:to])
}

// around is what is written before and after the code of a mutant so that it can
// be chosen by its number. It breaks lines, since the compiler gives no column far
// out on one.
func (m mutant) around(n int) (before, after string) {
	chosen := fmt.Sprintf("mutant(%q)", strconv.Itoa(n))
	changed := string(slices.Concat(m.source[m.within[0]:m.from], []byte(m.after), m.source[m.to:m.within[1]]))
	switch m.choice {
	case eitherCondition:
		return "(" + chosen + " && (\n" + changed + ") ||\n!" + chosen + " && (\n", "))"
	case eitherValue:
		return fmt.Sprintf("mutantEither(%q,\n", strconv.Itoa(n)), ",\n" + changed + ")"
	case leftOut:
		return "if !" + chosen + " {\n", " }"
	case putIn:
		return "", strings.Replace(strings.TrimPrefix(changed, "{"), "if true", "if "+chosen, 1)
	}
	return "", ""
}

// culprit is the mutant that makes the compiler complain of a place in the text:
// the inmost around it, or where there is none the last one before it.
func (g *gathered) culprit(line, column int) (n int, ok bool) {
	place := max(column, 1) - 1
	for _, l := range bytes.SplitAfter(g.text.Bytes(), []byte("\n"))[:line-1] {
		place += len(l)
	}
	best := [2]int{-1, 0} // how near: inside before behind, and then the size
	for i, at := range g.at {
		near := [2]int{1, at[0] - at[1]}
		if place >= at[1] {
			near = [2]int{0, at[1]}
		}
		if place >= at[0] && slices.Compare(near[:], best[:]) > 0 {
			n, ok, best = i, true, near
		}
	}
	return n, ok
}
