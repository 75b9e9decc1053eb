package predicate

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
)

const (
	// MaxLength is the length in bytes of the longest condition that is read.
	MaxLength = 32 << 10
	// maxDepth bounds the nesting of a condition. A chain of as many terms
	// joined by one operator is nested as deeply.
	maxDepth = 1000
)

// Condition is a condition that was parsed. It is safe for concurrent use. The
// zero value matches nothing.
type Condition struct {
	root   node
	traits bool
	labels bool
}

// UsesTraits reports whether the condition mentions the traits of the
// requester.
func (c Condition) UsesTraits() bool { return c.traits }

// UsesLabels reports whether the condition mentions labels of the requested
// resources.
func (c Condition) UsesLabels() bool { return c.labels }

// Match reports whether the condition holds. It fails where a function cannot
// work with the values of the request, such as email.local of something that is
// not an e-mail address; the error then names the function.
func (c Condition) Match(env Environment) (bool, error) {
	if c.root.eval == nil {
		return false, nil
	}
	v, err := c.root.eval(newScope(env))
	if err != nil {
		return false, err
	}
	return v.(bool), nil
}

// Parse reads a condition of at most [MaxLength] bytes. Names, types and
// literals are checked here. Every error is an [*Error].
func Parse(condition string) (Condition, error) {
	if len(condition) > MaxLength {
		return Condition{}, errorAt(condition, 0, "the condition is longer than %d bytes", MaxLength)
	}
	files := token.NewFileSet()
	tree, err := parser.ParseExprFrom(files, "", oneLine(condition), 0)
	if err != nil {
		return Condition{}, syntaxError(condition, err)
	}
	c := &compiler{source: condition, files: files, variables: variables(), functions: functions()}
	root, err := c.compile(tree)
	if err != nil {
		return Condition{}, err
	}
	if root.kind != kindBool {
		return Condition{}, c.fail(tree, "the condition gives %s, and must give true or false", root.kind.one())
	}
	return Condition{root: root, traits: c.traits, labels: c.labels}, nil
}

// syntaxError takes the first fault that Go's parser found.
func syntaxError(source string, err error) error {
	var faults scanner.ErrorList
	if !errors.As(err, &faults) || len(faults) == 0 {
		return errorAt(source, 0, "%v", err)
	}
	return errorAt(source, faults[0].Pos.Offset, "%s", faults[0].Msg)
}

// fail says what is wrong with a part of the condition.
func (c *compiler) fail(at ast.Node, format string, args ...any) error {
	return errorAt(c.source, c.files.Position(at.Pos()).Offset, format, args...)
}
