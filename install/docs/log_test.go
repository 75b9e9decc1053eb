package docs_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/install/sentences"
)

// source is what the code of the plugins says.
type source struct {
	texts []string // every text, with gaps
	logs  []string // of them, what is logged as a warning or an error
}

func readSource(t *testing.T) (s source) {
	t.Helper()
	if err := sentences.Files(root, func(_ string, file *ast.File) { ast.Inspect(file, s.visit) }); err != nil {
		t.Fatal(err)
	}
	if len(s.texts) < 500 || len(s.logs) < 30 {
		t.Fatalf("found %d texts and %d sentences of the log", len(s.texts), len(s.logs))
	}
	return s
}

func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		s.texts = append(s.texts, sentences.Text(n))
	case *ast.BasicLit:
		s.texts = append(s.texts, sentences.Text(n))
	case *ast.CallExpr:
		if text, ok := logged(n); ok {
			s.logs = append(s.logs, text)
		}
	case *ast.CompositeLit: // the problems of access monitoring rules
		if name, ok := n.Type.(*ast.Ident); ok && name.Name == "problem" && len(n.Elts) > 1 {
			s.logs = append(s.logs, sentences.Text(n.Elts[1]))
		}
	}
	return true
}

// logged is the sentence of a call that logs a warning or an error.
func logged(call *ast.CallExpr) (text string, ok bool) {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	if fn.Sel.Name == "lack" { // the rules router's way to warn
		return sentences.Text(call.Args[1]), sentences.Text(call.Args[0]) != ""
	}
	if fn.Sel.Name != "Warn" && fn.Sel.Name != "Error" {
		return "", false
	}
	logger := ""
	switch x := fn.X.(type) {
	case *ast.Ident:
		logger = x.Name
	case *ast.SelectorExpr:
		logger = x.Sel.Name
	}
	return sentences.Text(call.Args[0]), slices.Contains([]string{"log", "Log", "digest", "Logger"}, logger)
}

// parts are the pieces of a sentence between its gaps that are long enough to tell
// it from others.
func parts(text string, least int) (list []string) {
	for part := range strings.SplitSeq(text, sentences.Gap) {
		if part = strings.Trim(part, " \"`,:;."); len(part) >= least {
			list = append(list, part)
		}
	}
	return list
}

// says are the sentences of the log that the pages explain.
func says(list []page) (cells []string) {
	for _, p := range list {
		for _, row := range rows(p.prose(), "The log says") {
			cells = append(cells, row[0])
		}
	}
	return cells
}

func TestSentencesThatAreExplainedExist(t *testing.T) {
	s := readSource(t)
	cells := says(pages(t))
	if len(cells) < 60 {
		t.Errorf("only %d sentences were found", len(cells))
	}
	for _, cell := range cells {
		if cell[0] >= '0' && cell[0] <= '9' {
			continue // the service's own code and words
		}
		if slices.Contains(conditions(), strings.TrimPrefix(cell, "Not ")) {
			continue // a condition that does not hold
		}
		if !slices.ContainsFunc(s.texts, func(text string) bool { return covers(text, cell) }) {
			t.Errorf("nothing in the code says %q", cell)
		}
	}
}

// covers reports whether a text of the code is what a page quotes.
func covers(text, cell string) bool {
	in := func(whole string) func(string) bool {
		return func(part string) bool { return strings.Contains(whole, part) }
	}
	return slices.ContainsFunc(parts(cell, 10), in(text)) || slices.ContainsFunc(parts(text, 15), in(cell))
}

func TestWarningsAndErrorsAreExplained(t *testing.T) {
	cells := says(pages(t))
	for _, text := range readSource(t).logs {
		list := parts(text, 10)
		if len(list) == 0 {
			continue // the words come from elsewhere
		}
		if !slices.ContainsFunc(cells, func(cell string) bool { return strings.Contains(cell, list[0]) }) {
			t.Errorf("no table of troubleshooting explains %q", text)
		}
	}
}

// What does not hold is logged with "Not" before the condition.
func TestConditionsAreExplained(t *testing.T) {
	cells := says(pages(t))
	for _, name := range conditions() {
		if !slices.Contains(cells, "Not "+name) {
			t.Errorf("no table of troubleshooting explains %q", "Not "+name)
		}
	}
}
