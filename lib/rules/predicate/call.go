package predicate

import (
	"errors"
	"go/ast"
	"strings"

	"teleport-plugins/lib/message"
)

// function is what can be called by a name.
type function struct {
	// method says that the function may also be called on its first argument.
	method bool
	// overloads are the forms that the function has, by the kinds of its
	// arguments.
	overloads []overload
	// special makes the call where the kinds of the arguments depend on each
	// other; there are then no overloads.
	special func(c *compiler, at ast.Node, args []node) (node, error)
}

// overload is one form of a function.
type overload struct {
	params []kind
	// variadic says that the last parameter stands for any number of
	// arguments, none included.
	variadic bool
	result   kind
	// literal, if there is one, looks at an argument that is a literal when
	// the condition is parsed, so that a mistake is found before a request is.
	literal func(arg int, text string) error
	// eval is given arguments of the kinds of params.
	eval func(args []any) (any, error)
}

// takes reports whether arguments of these kinds fit.
func (o overload) takes(args []node) bool {
	fixed := len(o.params)
	if o.variadic {
		fixed--
	}
	if len(args) < fixed || !o.variadic && len(args) > fixed {
		return false
	}
	for i, arg := range args {
		if arg.kind != o.params[min(i, len(o.params)-1)] {
			return false
		}
	}
	return true
}

// String writes the parameters, as in (dict, string, string...).
func (o overload) String() string {
	s := list(o.params)
	if o.variadic {
		s = strings.TrimSuffix(s, ")") + "...)"
	}
	return s
}

func (c *compiler) call(e *ast.CallExpr) (node, error) {
	if e.Ellipsis.IsValid() {
		return node{}, c.fail(e, "... is not part of the language of conditions")
	}
	name, receiver, err := c.callee(e.Fun)
	if err != nil {
		return node{}, err
	}
	var args []node
	for _, arg := range append(receiver, e.Args...) {
		n, err := c.compile(arg)
		if err != nil {
			return node{}, err
		}
		args = append(args, n)
	}
	f := c.functions[name]
	if f.special != nil {
		return f.special(c, e, args)
	}
	return c.overloaded(e, name, f, args)
}

// callee finds the function that is called, and the value that it is called on
// if it is called as a method.
func (c *compiler) callee(fun ast.Expr) (name string, receiver []ast.Expr, err error) {
	name, dotted := path(fun)
	if _, ok := c.functions[name]; ok && dotted {
		return name, nil, nil
	}
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok || c.namespace(selector.X) {
		if !dotted {
			return "", nil, c.fail(fun, "this cannot be called")
		}
		return "", nil, c.unknown(fun, "function", name, names(c.functions))
	}
	method := selector.Sel.Name
	if f, ok := c.functions[method]; !ok || !f.method {
		return "", nil, c.unknown(selector.Sel, "method", method, c.methods())
	}
	return method, []ast.Expr{selector.X}, nil
}

// namespace reports whether an expression is the first part of the name of a
// function, such as strings in strings.upper.
func (c *compiler) namespace(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	for name := range c.functions {
		if strings.HasPrefix(name, id.Name+".") {
			return true
		}
	}
	return false
}

func (c *compiler) methods() []string {
	var out []string
	for _, name := range names(c.functions) {
		if c.functions[name].method {
			out = append(out, name)
		}
	}
	return out
}

func (c *compiler) overloaded(at *ast.CallExpr, name string, f function, args []node) (node, error) {
	for _, o := range f.overloads {
		if !o.takes(args) {
			continue
		}
		for i, arg := range args {
			if arg.literal == nil || o.literal == nil {
				continue
			}
			if err := o.literal(i, *arg.literal); err != nil {
				return node{}, c.fail(at, "%s: %v", name, err)
			}
		}
		return apply(name, o, args), nil
	}
	var forms []string
	for _, o := range f.overloads {
		forms = append(forms, o.String())
	}
	return node{}, c.fail(at, "%s takes %s and not %s", name, strings.Join(forms, " or "), list(kindsOf(args)))
}

func apply(name string, o overload, args []node) node {
	return node{kind: o.result, eval: func(s *scope) (any, error) {
		values := make([]any, len(args))
		for i, arg := range args {
			v, err := arg.eval(s)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		v, err := o.eval(values)
		if err != nil {
			return nil, &evalError{name, err}
		}
		return v, nil
	}}
}

// evalError is the failure of a function with the values of a request.
type evalError struct {
	function string
	err      error
}

// Error names the function; what came from the request is cut.
func (e *evalError) Error() string { return e.function + ": " + message.Cut(e.err.Error(), 200) }

// Unwrap gives the cause.
func (e *evalError) Unwrap() error { return e.err }

func kindsOf(args []node) []kind {
	var kinds []kind
	for _, arg := range args {
		kinds = append(kinds, arg.kind)
	}
	return kinds
}

// ifelse evaluates only the value that it gives.
func ifelse(c *compiler, at ast.Node, args []node) (node, error) {
	if len(args) != 3 || args[0].kind != kindBool || args[1].kind != args[2].kind || args[1].kind == kindOption {
		return node{}, c.fail(at, "ifelse takes a bool and two values of one kind, and not %s", list(kindsOf(args)))
	}
	return node{kind: args[1].kind, eval: func(s *scope) (any, error) {
		v, err := args[0].eval(s)
		if err != nil {
			return nil, err
		}
		if v.(bool) {
			return args[1].eval(s)
		}
		return args[2].eval(s)
	}}, nil
}

// choice is the value of an option: what it would give, and whether it holds.
type choice struct {
	holds bool
	value func() (any, error)
}

func option(c *compiler, at ast.Node, args []node) (node, error) {
	if len(args) != 2 || args[0].kind != kindBool || args[1].kind == kindOption {
		return node{}, c.fail(at, "option takes a bool and a value, and not %s", list(kindsOf(args)))
	}
	return node{kind: kindOption, of: args[1].kind, eval: func(s *scope) (any, error) {
		v, err := args[0].eval(s)
		if err != nil {
			return nil, err
		}
		return choice{v.(bool), func() (any, error) { return args[1].eval(s) }}, nil
	}}, nil
}

var errNoOption = errors.New("choose: no option holds; add a last one of option(true, …)")

// choose gives the value of the first option that holds, and evaluates none of
// the others.
func choose(c *compiler, at ast.Node, args []node) (node, error) {
	for _, arg := range args {
		if arg.kind != kindOption || arg.of != args[0].of {
			return node{}, c.fail(at, "choose takes options whose values are of one kind, and not %s", list(kindsOf(args)))
		}
	}
	if len(args) == 0 {
		return node{}, c.fail(at, "choose takes at least one option")
	}
	return node{kind: args[0].of, eval: func(s *scope) (any, error) {
		for _, arg := range args {
			v, err := arg.eval(s)
			if err != nil {
				return nil, err
			}
			if c := v.(choice); c.holds {
				return c.value()
			}
		}
		return nil, errNoOption
	}}, nil
}
