// Package sentences gathers from the source of the plugins what they say that asks a
// person to do something, for the table of it in the documents.
package sentences

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Gap stands for what a sentence takes from elsewhere.
const Gap = "…"

// Sentence is what a plugin says, and what it says to do about it; empty where it does
// not say.
type Sentence struct {
	Group, Text, Do string
	// Asks says that something must be done.
	Asks bool
}

// Complete reports whether a sentence says what to do, in words of its own.
func (s Sentence) Complete() bool { return strings.Trim(s.Do, Gap+" ") != "" }

var verb = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// Text is the text of an expression, with gaps.
func Text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return verb.ReplaceAllString(text, Gap)
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return Text(e.X) + Text(e.Y)
		}
	case *ast.ParenExpr:
		return Text(e.X)
	case *ast.CallExpr:
		if callee(e) == "fmt.Sprintf" {
			return Text(e.Args[0])
		}
	case *ast.Ident:
		if e.Obj != nil {
			return constant(e.Obj.Decl, e.Name)
		}
	}
	return Gap
}

// constant is the text of a constant of the same file.
func constant(declared any, name string) string {
	spec, ok := declared.(*ast.ValueSpec)
	if !ok {
		return Gap
	}
	i := slices.IndexFunc(spec.Names, func(n *ast.Ident) bool { return n.Name == name })
	if i < 0 || i >= len(spec.Values) {
		return Gap
	}
	return Text(spec.Values[i])
}

// Files calls fn for each file of the plugins themselves below the top of the repository.
func Files(root string, fn func(path string, file *ast.File)) error {
	for _, top := range []string{"lib", "access"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (slices.Contains([]string{"sandbox", "conformance", "e2e", "testdata", "farend", "services"}, d.Name()) || strings.HasSuffix(d.Name(), "api")):
				return filepath.SkipDir
			case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err == nil {
				path, err = filepath.Rel(root, path)
			}
			if err == nil {
				fn(filepath.ToSlash(path), file)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("reading the source: %w", err)
		}
	}
	return nil
}

// Gather finds the sentences of the config, of the connection to the cluster, and of the
// command check, each once, in the order of their groups.
func Gather(root string) (list []Sentence, err error) {
	err = Files(root, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := said(path, n); ok && strings.Trim(s.Text, Gap+" :") != "" {
				s.Group = group(path, s.Group)
				list = append(list, s)
			}
			return true
		})
	})
	slices.SortStableFunc(list, func(a, b Sentence) int { return cmp.Compare(rank(a.Group), rank(b.Group)) })
	seen := make(map[Sentence]bool, len(list))
	return slices.DeleteFunc(list, func(s Sentence) bool {
		known := seen[s]
		seen[s] = true
		return known
	}), err
}

// The groups of sentences that no service has for itself.
const (
	inConfig  = "The config"
	inCluster = "The identity and the cluster"
	inCheck   = "The command check"
)

// group names the service for what stands in its folder.
func group(path, otherwise string) string {
	if rest, ok := strings.CutPrefix(path, "access/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return otherwise
}

func rank(group string) string {
	i := slices.Index([]string{inConfig, inCluster, inCheck}, group)
	if i < 0 {
		return "9" + group
	}
	return strconv.Itoa(i)
}

// said finds a sentence in a node of the source.
func said(path string, n ast.Node) (s Sentence, ok bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		return called(path, n)
	case *ast.CompositeLit: // a problem of the config
		s = Sentence{Group: inConfig, Asks: true}
		for _, e := range n.Elts {
			if pair, isPair := e.(*ast.KeyValueExpr); isPair {
				s.fill(pair.Key, pair.Value)
			}
		}
		return s, s.Text != "" && s.Do != ""
	case *ast.AssignStmt:
		s = Sentence{Group: inConfig, Asks: true}
		for i, left := range n.Lhs {
			if field, isField := left.(*ast.SelectorExpr); isField && len(n.Lhs) == len(n.Rhs) {
				s.fill(field.Sel, n.Rhs[i])
			}
		}
		return s, s.Text != "" && s.Do != ""
	}
	return s, false
}

// fill takes a field of a problem.
func (s *Sentence) fill(name, value ast.Expr) {
	if field, ok := name.(*ast.Ident); ok {
		switch field.Name {
		case "What":
			s.Text = Text(value)
		case "Do":
			s.Do = Text(value)
		}
	}
}

// called finds what a call says.
func called(path string, call *ast.CallExpr) (s Sentence, ok bool) {
	name, n := callee(call), len(call.Args)
	is := func(names ...string) bool { return slices.Contains(names, name) }
	switch {
	case n == 3 && is("Add", "Warn", "fault", "warn", "mismatch", "grave") && path != "lib/calls/address.go":
		return Sentence{inConfig, Text(call.Args[1]), Text(call.Args[2]), true}, true
	case n >= 3 && is("newFault"):
		return split(inCluster, Text(call.Args[2]), true), true
	case n >= 1 && is("check.Lack", "check.Remark", "check.Fault", "lack"):
		return split(inCheck, Text(call.Args[0]), false), true
	case n >= 1 && is("fmt.Errorf", "errors.New"):
		return proven(path, call)
	}
	return s, false
}

// proven finds what a leg of check says in an error.
func proven(path string, call *ast.CallExpr) (s Sentence, ok bool) {
	proves := strings.Contains(path, "/inspect") || path == "lib/decision/check.go"
	if !proves && !strings.HasPrefix(path, "lib/plugin/check") {
		return s, false
	}
	return split(inCheck, Text(call.Args[0]), proves), true
}

// callee is the name of what is called, with the package where that is one of those that
// make errors.
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && slices.Contains([]string{"check", "fmt", "errors"}, x.Name) {
			return x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}

// split takes a sentence apart: what is wrong, and what to do.
func split(group, text string, asks bool) Sentence {
	what, do, _ := strings.Cut(text, "; ")
	return Sentence{group, what, do, asks}
}

// Table is the table of the sentences that say what to do, with a heading for each group.
func Table(list []Sentence) string {
	var b strings.Builder
	group := ""
	for _, s := range list {
		if !s.Complete() {
			continue
		}
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n## %s\n\n| Sentence | What to do |\n|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", cell(s.Text), cell(s.Do))
	}
	return b.String()
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(strings.TrimSpace(text))
}
