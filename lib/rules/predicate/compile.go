package predicate

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"teleport-plugins/lib/message"
)

// nameLimit bounds what is shown of a name in an error.
const nameLimit = 80

// node is an expression whose names and types were checked.
type node struct {
	kind kind
	// of is the kind of the value that an option holds.
	of kind
	// literal is the value of a string that is written in the condition.
	literal *string
	// eval gives a value of the kind.
	eval func(*scope) (any, error)
}

// compiler turns the syntax tree of a condition into nodes.
type compiler struct {
	source    string
	files     *token.FileSet
	variables map[string]variable
	functions map[string]function
	depth     int

	traits, labels bool // what the condition was found to mention
}

func constant(k kind, value any) node {
	return node{kind: k, eval: func(*scope) (any, error) { return value, nil }}
}

func (c *compiler) compile(e ast.Expr) (node, error) {
	if c.depth++; c.depth > maxDepth {
		return node{}, c.fail(e, "the condition is nested more than %d levels deep", maxDepth)
	}
	defer func() { c.depth-- }()
	switch e := e.(type) {
	case *ast.ParenExpr:
		return c.compile(e.X)
	case *ast.BasicLit:
		return c.literal(e)
	case *ast.Ident:
		return c.name(e, e.Name)
	case *ast.SelectorExpr:
		return c.selector(e)
	case *ast.IndexExpr:
		return c.index(e)
	case *ast.UnaryExpr:
		return c.not(e)
	case *ast.BinaryExpr:
		return c.binary(e)
	case *ast.CallExpr:
		return c.call(e)
	}
	return node{}, c.fail(e, "this is not part of the language of conditions")
}

func (c *compiler) literal(e *ast.BasicLit) (node, error) {
	switch e.Kind {
	case token.STRING:
		text, err := strconv.Unquote(e.Value)
		if err != nil {
			return node{}, c.fail(e, "the string is malformed")
		}
		n := constant(kindString, text)
		n.literal = &text
		return n, nil
	case token.INT:
		number, err := strconv.Atoi(e.Value)
		if err != nil {
			return node{}, c.fail(e, "%s is not a whole number in decimal notation", message.Cut(e.Value, nameLimit))
		}
		return constant(kindInt, number), nil
	case token.CHAR:
		return node{}, c.fail(e, "strings are written in double quotes or back quotes")
	}
	return node{}, c.fail(e, "there are no numbers of this kind in conditions")
}

// name is the value of a variable or a constant.
func (c *compiler) name(at ast.Expr, name string) (node, error) {
	switch name {
	case "true", "false":
		return constant(kindBool, name == "true"), nil
	}
	v, ok := c.variables[name]
	if !ok {
		if _, ok := c.functions[name]; ok {
			return node{}, c.fail(at, "%s is a function and must be called", name)
		}
		return node{}, c.unknown(at, "name", name, names(c.variables))
	}
	c.traits = c.traits || v.traits
	c.labels = c.labels || v.labels
	return node{kind: v.kind, eval: func(s *scope) (any, error) { return v.value(s), nil }}, nil
}

// unknown names the known name that is spelled most alike.
func (c *compiler) unknown(at ast.Expr, what, name string, known []string) error {
	short := message.Cut(name, nameLimit)
	best, distance := "", 0
	for _, k := range known {
		if d := levenshtein.ComputeDistance(short, k); best == "" || d < distance {
			best, distance = k, d
		}
	}
	return c.fail(at, "the %s %s is unknown; did you mean %s?", what, short, best)
}

// path is the dotted name that an expression is written as, if it is one.
func path(e ast.Expr) (string, bool) {
	var parts []string
	for {
		switch x := e.(type) {
		case *ast.Ident:
			parts = append(parts, x.Name)
			for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
				parts[i], parts[j] = parts[j], parts[i]
			}
			return strings.Join(parts, "."), true
		case *ast.SelectorExpr:
			parts = append(parts, x.Sel.Name)
			e = x.X
		default:
			return "", false
		}
	}
}

// selector is a dotted name, or a member of a value: x.length of a list,
// x.key of a dict for x["key"].
func (c *compiler) selector(e *ast.SelectorExpr) (node, error) {
	name, dotted := path(e)
	if _, ok := c.variables[name]; dotted && (ok || !c.memberOfVariable(name)) {
		return c.name(e, name)
	}
	x, err := c.compile(e.X)
	if err != nil {
		return node{}, err
	}
	switch {
	case x.kind == kindDict:
		return lookup(x, constant(kindString, e.Sel.Name)), nil
	case x.kind == kindResources && e.Sel.Name == "length":
		return node{kind: kindInt, eval: func(s *scope) (any, error) {
			v, err := x.eval(s)
			if err != nil {
				return nil, err
			}
			return v.(resources).count, nil
		}}, nil
	}
	return node{}, c.fail(e.Sel, "%s has no member %s", x.kind.one(), message.Cut(e.Sel.Name, nameLimit))
}

// memberOfVariable reports that a dotted name begins with that of a variable.
func (c *compiler) memberOfVariable(name string) bool {
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if _, ok := c.variables[name[:i]]; ok {
			return true
		}
	}
	return false
}

func (c *compiler) index(e *ast.IndexExpr) (node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return node{}, err
	}
	key, err := c.compile(e.Index)
	if err != nil {
		return node{}, err
	}
	if x.kind != kindDict {
		return node{}, c.fail(e, "%s has no keys; only a dict has", x.kind.one())
	}
	if key.kind != kindString {
		return node{}, c.fail(e.Index, "the key of a dict is a string and not %s", key.kind.one())
	}
	return lookup(x, key), nil
}

// lookup gives the set under a key, empty if there is none.
func lookup(x, key node) node {
	return node{kind: kindSet, eval: func(s *scope) (any, error) {
		d, err := x.eval(s)
		if err != nil {
			return nil, err
		}
		k, err := key.eval(s)
		if err != nil {
			return nil, err
		}
		return d.(dict)[k.(string)], nil
	}}
}

func (c *compiler) not(e *ast.UnaryExpr) (node, error) {
	if e.Op != token.NOT {
		return node{}, c.fail(e, "there is no operator %s; the only one in front of a value is !", e.Op)
	}
	x, err := c.compile(e.X)
	if err != nil {
		return node{}, err
	}
	if x.kind != kindBool {
		return node{}, c.fail(e, "! takes a bool and not %s", x.kind.one())
	}
	return node{kind: kindBool, eval: func(s *scope) (any, error) {
		v, err := x.eval(s)
		if err != nil {
			return nil, err
		}
		return !v.(bool), nil
	}}, nil
}

func (c *compiler) binary(e *ast.BinaryExpr) (node, error) {
	x, err := c.compile(e.X)
	if err != nil {
		return node{}, err
	}
	y, err := c.compile(e.Y)
	if err != nil {
		return node{}, err
	}
	at := at{e.OpPos}
	switch e.Op {
	case token.LAND, token.LOR:
		if x.kind != kindBool || y.kind != kindBool {
			return node{}, c.fail(at, "%s takes two bools and not %s", e.Op, list([]kind{x.kind, y.kind}))
		}
		return connect(x, y, e.Op == token.LOR), nil
	case token.EQL, token.NEQ:
		if x.kind != y.kind || !x.kind.comparable() {
			return node{}, c.fail(at, "%s cannot compare %s", e.Op, list([]kind{x.kind, y.kind}))
		}
		return compare(x, y, e.Op == token.EQL), nil
	}
	return node{}, c.fail(at, "there is no operator %s; there are &&, ||, !, == and !=", e.Op)
}

// at is the place of an operator.
type at struct{ pos token.Pos }

func (a at) Pos() token.Pos { return a.pos }
func (a at) End() token.Pos { return a.pos }

// connect is x || y if the first value that is enough is true, else x && y.
func connect(x, y node, enough bool) node {
	return node{kind: kindBool, eval: func(s *scope) (any, error) {
		v, err := x.eval(s)
		if err != nil || v.(bool) == enough {
			return v, err
		}
		return y.eval(s)
	}}
}

func compare(x, y node, want bool) node {
	return node{kind: kindBool, eval: func(s *scope) (any, error) {
		a, err := x.eval(s)
		if err != nil {
			return nil, err
		}
		b, err := y.eval(s)
		if err != nil {
			return nil, err
		}
		return equal(a, b) == want, nil
	}}
}
