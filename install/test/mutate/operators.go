package main

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// The operators, by the names that stand in survivors.txt.
const (
	swapOperator    = "operator"
	negateCondition = "negate"
	removeNot       = "not"
	changeConstant  = "constant"
	dropStatement   = "drop"
	returnEarly     = "return early"
	returnOther     = "return"
)

// swapped is what stands in for each operator.
var swapped = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
	token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND,
}

func (f *finder) binary(n *ast.BinaryExpr) {
	if n.Op == token.MUL && (isUnit(n.X) || isUnit(n.Y)) {
		f.exact[n.X], f.exact[n.Y] = true, true
		return
	}
	if to, ok := swapped[n.Op]; ok && !isString(n.X) && !isString(n.Y) {
		f.add(swapOperator, n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), to.String(), f.textOf(n)+" -> "+to.String(), choiceOf(n))
		f.found[len(f.found)-1].within = [2]int{f.file.Offset(n.Pos()), f.file.Offset(n.End())}
	}
}

// isUnit reports whether something is a unit of time, such as time.Second.
func isUnit(e ast.Expr) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := selector.X.(*ast.Ident)
	return ok && from.Name == "time"
}

func isString(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING
}

// condition turns a condition round, where no other operator does.
func (f *finder) condition(e ast.Expr) {
	switch e := e.(type) {
	case nil:
		return
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			return
		}
	case *ast.BinaryExpr:
		if e.Op == token.EQL || e.Op == token.NEQ {
			return
		}
	}
	f.replace(negateCondition, e, "!("+f.textOf(e)+")", eitherCondition)
}

// cases turns round the conditions of a switch without a value.
func (f *finder) cases(n *ast.SwitchStmt) {
	if n.Tag != nil {
		return
	}
	for _, clause := range n.Body.List {
		for _, e := range clause.(*ast.CaseClause).List {
			f.condition(e)
		}
	}
}

func (f *finder) literal(n *ast.BasicLit) {
	if n.Kind != token.INT {
		return
	}
	value, err := strconv.ParseInt(n.Value, 0, 64)
	if err != nil {
		return
	}
	if value != 0 {
		f.replace(changeConstant, n, "0", eitherValue)
	}
	if !f.exact[n] {
		f.replace(changeConstant, n, strconv.FormatInt(value+1, 10), eitherValue)
	}
}

func (f *finder) identifier(n *ast.Ident) {
	switch n.Name {
	case "true":
		f.replace(changeConstant, n, "false", eitherCondition)
	case "false":
		f.replace(changeConstant, n, "true", eitherCondition)
	case "min":
		f.replace(changeConstant, n, "max", alone)
	case "max":
		f.replace(changeConstant, n, "min", alone)
	}
}

// statements leaves out one statement at a time.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		if canBeLeftOut(s) {
			// What it names stays in use, so that the rest compiles.
			f.add(dropStatement, s.Pos(), s.End(), "if false { "+f.textOf(s)+" }", f.textOf(s), leftOut)
		}
	}
}

// canBeLeftOut reports whether the code compiles without a statement, and does
// something else.
func canBeLeftOut(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		return !isDebug(s.X)
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	case *ast.BranchStmt:
		return s.Tok == token.BREAK || s.Tok == token.CONTINUE
	case *ast.ReturnStmt:
		return len(s.Results) == 0
	case *ast.DeferStmt:
		return !isCancel(s.Call)
	case *ast.IncDecStmt, *ast.GoStmt, *ast.SendStmt:
		return true
	}
	return false
}

// isDebug reports whether something is a line in the log that is written for
// debugging alone.
func isDebug(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Debug"
}

// isCancel reports whether something only lets go of a context, which go vet sees to.
func isCancel(call *ast.CallExpr) bool {
	name, ok := call.Fun.(*ast.Ident)
	return ok && name.Name == "cancel"
}

// early lets a function return zeros at once, if it does anything else.
func (f *finder) early(d *ast.FuncDecl) {
	if len(d.Body.List) == 0 {
		return
	}
	var zeros []string
	if d.Type.Results != nil {
		for _, field := range d.Type.Results.List {
			for range max(1, len(field.Names)) {
				zeros = append(zeros, "*new("+f.textOf(field.Type)+")")
			}
		}
	}
	at := d.Body.Lbrace
	f.add(returnEarly, at, at+1, "{ if true { return "+strings.Join(zeros, ", ")+" };", strings.Join(zeros, ", "), putIn)
}

// returned hides an error, or turns round what a function says.
func (f *finder) returned(n *ast.ReturnStmt) {
	for _, result := range n.Results {
		if name, ok := result.(*ast.Ident); ok && name.Name == "err" {
			f.replace(returnOther, result, "nil", eitherValue)
		}
	}
	if len(n.Results) == 1 && returnsBool(f.results[len(f.results)-1]) {
		if _, ok := n.Results[0].(*ast.Ident); !ok {
			f.condition(n.Results[0])
		}
	}
}

func returnsBool(results *ast.FieldList) bool {
	if results == nil || len(results.List) != 1 {
		return false
	}
	name, ok := results.List[0].Type.(*ast.Ident)
	return ok && name.Name == "bool"
}
