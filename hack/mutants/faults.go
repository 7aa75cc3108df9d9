package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// negate turns a condition round. Whether an error happened is not turned round: such a controller does nothing at all, and any spec sees it.
func negate(s *site, n ast.Node) (faults []fault) {
	var conditions []ast.Expr
	switch n := n.(type) {
	case *ast.IfStmt:
		conditions = []ast.Expr{n.Cond}
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, c := range n.Body.List {
				conditions = append(conditions, c.(*ast.CaseClause).List...)
			}
		}
	}
	for _, c := range conditions {
		if text := s.text(c); !strings.HasSuffix(strings.ToLower(text), "err != nil") {
			faults = append(faults, s.replace(c, c, "!("+text+")"))
		}
	}
	return faults
}

// boundary is off by one in a comparison.
func boundary(s *site, n ast.Node) []fault {
	return s.otherwise(n, map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"})
}

// logic takes "and" for "or".
func logic(s *site, n ast.Node) []fault {
	return s.otherwise(n, map[token.Token]string{token.LAND: "||", token.LOR: "&&"})
}

// arithmetic counts in the wrong direction, or with a number that is one too large.
func arithmetic(s *site, n ast.Node) []fault {
	switch n := n.(type) {
	case *ast.IncDecStmt:
		other := map[token.Token]string{token.INC: "--", token.DEC: "++"}[n.Tok]
		return []fault{s.replace(n, n, s.text(n.X)+other)}
	case *ast.BasicLit:
		if value, err := strconv.Atoi(n.Value); n.Kind == token.INT && err == nil {
			return []fault{s.replace(n, s.around(n), strconv.Itoa(value+1))}
		}
	}
	return s.otherwise(n, map[token.Token]string{token.ADD: "-", token.SUB: "+"})
}

// drop leaves a statement out: a call, a count, an assignment, or a way out of an if.
func drop(s *site, n ast.Node) []fault {
	switch n := n.(type) {
	case *ast.ExprStmt:
		if s.silent(n.X) {
			return nil
		}
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return nil
		}
	case *ast.IncDecStmt, *ast.DeferStmt:
	case *ast.BranchStmt, *ast.ReturnStmt:
		if !s.conditional() {
			return nil
		}
	default:
		return nil
	}
	// An if's own statement, a loop's step: they stand where nothing may be left out.
	switch s.ancestors[len(s.ancestors)-1].(type) {
	case *ast.BlockStmt, *ast.CaseClause:
	default:
		return nil
	}
	return []fault{{from: n.Pos(), to: n.End(), shown: n, wrong: fmt.Sprintf("leaves out %s", s.quote(s.context(n)))}}
}

// zero returns nothing instead of what was found.
func zero(s *site, n ast.Node) []fault {
	statement, ok := n.(*ast.ReturnStmt)
	if !ok || len(statement.Results) == 0 || s.literal() {
		return nil
	}
	zeros := strings.Join(s.zeros(), ", ")
	if s.between(statement.Results[0].Pos(), statement.End()) == zeros {
		return nil
	}
	return []fault{{from: statement.Results[0].Pos(), to: statement.End(), text: zeros, shown: statement,
		wrong: fmt.Sprintf("returns %s where it should say %s", s.quote(zeros), s.quote(s.context(statement)))}}
}

// early returns at the start of a function.
func early(s *site, n ast.Node) []fault {
	if n != s.function.Body || len(s.function.Body.List) == 0 {
		return nil
	}
	first := s.function.Body.List[0]
	text := strings.TrimSpace("return " + strings.Join(s.zeros(), ", "))
	return []fault{{from: first.Pos(), to: first.Pos(), text: text + "\n\t", shown: s.function.Type, wrong: "does nothing but " + s.quote(text)}}
}

// otherwise replaces the operator of a binary expression.
func (s *site) otherwise(n ast.Node, other map[token.Token]string) []fault {
	binary, ok := n.(*ast.BinaryExpr)
	if !ok || other[binary.Op] == "" {
		return nil
	}
	end := binary.OpPos + token.Pos(len(binary.Op.String()))
	f := fault{from: binary.OpPos, to: end, text: other[binary.Op], shown: binary}
	f.wrong = s.instead(s.text(binary), s.between(binary.Pos(), binary.OpPos)+f.text+s.between(end, binary.End()))
	return []fault{f}
}

// replace has a stretch say something else; a reader is shown the node around it.
func (s *site) replace(n, shown ast.Node, text string) fault {
	after := s.between(shown.Pos(), n.Pos()) + text + s.between(n.End(), shown.End())
	return fault{from: n.Pos(), to: n.End(), text: text, shown: shown, wrong: s.instead(s.text(shown), after)}
}

func (s *site) instead(before, after string) string {
	return fmt.Sprintf("says %s where it should say %s", s.quote(after), s.quote(before))
}

// quote shows source on one line.
func (s *site) quote(source string) string {
	return "`" + strings.Join(strings.Fields(source), " ") + "`"
}

// context is a way out together with its condition: that alone says too little.
func (s *site) context(n ast.Node) string {
	switch n.(type) {
	case *ast.BranchStmt, *ast.ReturnStmt:
		for _, around := range slices.Backward(s.ancestors) {
			switch around := around.(type) {
			case *ast.IfStmt:
				return s.between(around.Pos(), around.Body.Lbrace) + "{ … " + s.text(n) + " }"
			case *ast.CaseClause:
				return s.between(around.Pos(), around.Colon) + ": … " + s.text(n)
			case *ast.FuncDecl, *ast.FuncLit, *ast.ForStmt, *ast.RangeStmt:
				return s.text(n)
			}
		}
	}
	return s.text(n)
}

// around is the innermost expression or statement that says what a number is for.
func (s *site) around(n ast.Node) ast.Node {
	for _, around := range slices.Backward(s.ancestors) {
		switch around := around.(type) {
		case *ast.BinaryExpr, *ast.CallExpr, *ast.AssignStmt, *ast.ReturnStmt, *ast.IndexExpr, *ast.SliceExpr:
			return around
		case *ast.BlockStmt:
			return n
		}
	}
	return n
}

// conditional says whether the node that is looked at is in an if or a case of its own loop or function.
func (s *site) conditional() bool {
	for _, around := range slices.Backward(s.ancestors) {
		switch around.(type) {
		case *ast.IfStmt, *ast.CaseClause:
			return true
		case *ast.FuncDecl, *ast.FuncLit, *ast.ForStmt, *ast.RangeStmt:
			return false
		}
	}
	return false
}

// literal says whether the node is in a function within the function, whose results are others.
func (s *site) literal() bool {
	return slices.ContainsFunc(s.ancestors, func(n ast.Node) bool { _, is := n.(*ast.FuncLit); return is })
}

// zeros are the function's results, each of them nothing.
func (s *site) zeros() (all []string) {
	if s.function.Type.Results == nil {
		return nil
	}
	for _, field := range s.function.Type.Results.List {
		for range max(1, len(field.Names)) {
			all = append(all, s.zero(field.Type))
		}
	}
	return all
}

func (s *site) zero(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr, *ast.ArrayType, *ast.MapType, *ast.FuncType, *ast.InterfaceType:
		return "nil"
	case *ast.Ident:
		switch of.Name {
		case "error":
			return "nil"
		case "bool":
			return "false"
		case "string":
			return `""`
		case "int", "int32", "int64":
			return "0"
		}
	}
	return "*new(" + s.text(of) + ")"
}
