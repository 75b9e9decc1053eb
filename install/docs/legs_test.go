package docs_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/install/sentences"
)

// ofConstant goes before the name of a constant.
const ofConstant = "$"

// legs are the names of what the command check tries and says, as the source has them.
func legs(t *testing.T) (names []string) {
	t.Helper()
	constants := make(map[string]string)
	var found []string
	err := sentences.Files(root, func(_ string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					constants[n.Names[i].Name] = sentences.Text(v)
				}
			case *ast.CompositeLit:
				found = append(found, legName(n)...)
			case *ast.CallExpr: // the legs of what people press
				if fn, ok := n.Fun.(*ast.Ident); ok && fn.Name == "add" && len(n.Args) == 3 {
					found = append(found, sentences.Text(n.Args[0]))
				}
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		if constant, ok := strings.CutPrefix(name, ofConstant); ok {
			if name = constants[constant]; name == "" {
				continue // a variable
			}
		}
		if !strings.Contains(name, sentences.Gap) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// legName is the name, or the name of a constant, of a leg or a line of check; lists of
// legs leave the type of their elements out.
func legName(lit *ast.CompositeLit) []string {
	var name string
	var leg bool
	for _, e := range lit.Elts {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, ok := pair.Key.(*ast.Ident)
		if !ok {
			continue
		}
		switch key.Name {
		case "Name":
			if name = sentences.Text(pair.Value); name == sentences.Gap {
				if constant, ok := pair.Value.(*ast.Ident); ok {
					name = ofConstant + constant.Name
				}
			}
		case "What", "Result":
			leg = true
		}
	}
	if !leg || name == "" {
		return nil
	}
	return []string{name}
}

func TestReferenceHasEveryLegOfCheck(t *testing.T) {
	same(t, "legs of check", column(rows(read(t, "install/REFERENCE.md").section(t, "### check"), "Name"), 0), legs(t))
}
