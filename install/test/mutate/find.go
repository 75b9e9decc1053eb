package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
)

// findAll lists the mutants of packages in folders below root, in no order.
func findAll(root string, packages []string) ([]mutant, error) {
	var all []mutant
	for _, pkg := range packages {
		found, err := build.Default.ImportDir(filepath.Join(root, pkg), 0)
		if err != nil {
			return nil, fmt.Errorf("reading package %s: %w", pkg, err)
		}
		for _, name := range found.GoFiles {
			file := path.Join(pkg, name)
			source, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return nil, err
			}
			mutants, err := find(file, source)
			if err != nil {
				return nil, err
			}
			all = append(all, mutants...)
		}
	}
	return all, nil
}

// find lists the mutants of a file, in the order of the source.
func find(file string, source []byte) ([]mutant, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &finder{file: fset.File(parsed.Pos()), source: source, path: file, exact: make(map[ast.Node]bool)}
	for _, d := range parsed.Decls {
		f.declaration(d)
	}
	number(f.found)
	return f.found, nil
}

// finder walks a file and notes what can be changed.
type finder struct {
	file     *token.File
	source   []byte
	path     string
	function string
	results  []*ast.FieldList // of the functions around, the inmost last
	// exact are numbers that one more or less does not change visibly, such as
	// seconds.
	exact map[ast.Node]bool
	found []mutant
}

// text is the code between two places.
func (f *finder) text(from, to token.Pos) string {
	return string(f.source[f.file.Offset(from):f.file.Offset(to)])
}

func (f *finder) textOf(n ast.Node) string { return f.text(n.Pos(), n.End()) }

// add notes that the code between two places can be replaced; shown is what a
// reader is shown of that.
func (f *finder) add(operator string, from, to token.Pos, after, shown string, c choice) {
	m := mutant{
		file: f.path, line: f.file.Line(from), function: f.function, operator: operator, shown: oneLine(shown),
		after: after, from: f.file.Offset(from), to: f.file.Offset(to), source: f.source, choice: c,
	}
	m.within = [2]int{m.from, m.to}
	f.found = append(f.found, m)
}

func (f *finder) replace(operator string, n ast.Node, after string, c choice) {
	f.add(operator, n.Pos(), n.End(), after, f.textOf(n)+" -> "+after, c)
}

func (f *finder) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Body == nil {
			return
		}
		f.function = d.Name.Name
		if d.Recv != nil {
			f.function = "(" + f.textOf(d.Recv.List[0].Type) + ")." + d.Name.Name
		}
		f.early(d)
		f.walk(d.Type.Results, d.Body)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				f.function = v.Names[0].Name
				for _, value := range v.Values {
					f.walk(nil, value)
				}
			}
		}
	}
}

// walk visits what is in a function, or in another one's results.
func (f *finder) walk(results *ast.FieldList, n ast.Node) {
	f.results = append(f.results, results)
	ast.Inspect(n, func(n ast.Node) bool {
		if inner, ok := n.(*ast.FuncLit); ok {
			f.walk(inner.Type.Results, inner.Body)
			return false
		}
		f.visit(n)
		return true
	})
	f.results = f.results[:len(f.results)-1]
}

func (f *finder) visit(n ast.Node) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.replace(removeNot, n, f.textOf(n.X), eitherCondition)
		}
	case *ast.BasicLit:
		f.literal(n)
	case *ast.Ident:
		f.identifier(n)
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.ForStmt:
		f.condition(n.Cond)
	case *ast.SwitchStmt:
		f.cases(n)
	case *ast.ReturnStmt:
		f.returned(n)
	default:
		f.statements(listIn(n))
	}
}

// listIn gives the statements that stand one after the other in a node.
func listIn(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}
