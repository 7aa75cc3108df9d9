package main

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// edit replaces one stretch of a source file, so that all the rest stays as upstream wrote it.
type edit struct {
	from, to int
	text     string
}

// operator is a mistake that can be made at many places. It says what it would make of one node of the syntax tree, which has the given
// ancestors, the innermost last.
type operator struct {
	name string
	at   func(s *site, n ast.Node) []fault
}

var operators = []operator{
	{"negate", negate},
	{"boundary", boundary},
	{"arithmetic", arithmetic},
	{"logic", logic},
	{"drop", drop},
	{"zero", zero},
	{"early", early},
}

// fault is a node that is replaced, and what it says then; nothing where it is left out.
type fault struct {
	from, to token.Pos
	text     string
	// shown is what a reader is shown of the source, where the replaced stretch alone would say too little.
	shown ast.Node
	wrong string
}

// site is where an operator looks: a function of a file.
type site struct {
	source    string
	file      *token.File
	function  *ast.FuncDecl
	ancestors []ast.Node // of the node that is looked at, the innermost last
}

func (s *site) text(n ast.Node) string { return s.between(n.Pos(), n.End()) }

func (s *site) between(from, to token.Pos) string {
	return s.source[s.file.Offset(from):s.file.Offset(to)]
}

// mutate returns every mutant that the operators make of a source file, whether it compiles or not.
func mutate(name, source string) ([]mutant, error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []mutant
	seen := map[string]int{}
	for _, d := range tree.Decls {
		function, ok := d.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		s := &site{source: source, file: files.File(tree.Pos()), function: function}
		ast.PreorderStack(function, nil, func(n ast.Node, ancestors []ast.Node) bool {
			if s.silent(n) {
				return false
			}
			s.ancestors = ancestors
			for _, o := range operators {
				for _, f := range o.at(s, n) {
					all = append(all, s.mutant(name, o, f, seen))
				}
			}
			return true
		})
	}
	return all, nil
}

// mutant names a fault by what is changed and where, not by its line, so that the name holds while other lines come and go.
func (s *site) mutant(name string, o operator, f fault, seen map[string]int) mutant {
	before := s.between(f.from, f.to)
	what := strings.Join([]string{o.name, name, s.function.Name.Name, s.text(f.shown), before, f.text}, "\x00")
	ordinal := seen[what]
	seen[what]++
	short := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(name), ".go"), "daemon_")
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%d", what, ordinal)))
	return mutant{
		ID:     fmt.Sprintf("%s-%s-%x", o.name, strings.ReplaceAll(short, "daemonset_", ""), sum[:3]),
		Wrong:  fmt.Sprintf("in %s %s", s.function.Name.Name, f.wrong),
		change: change{File: name, edit: &edit{from: s.file.Offset(f.from), to: s.file.Offset(f.to), text: f.text}},
	}
}

// apply makes the edit; what comes out is formatted, which only what parses can be.
func (e edit) apply(source string) (string, error) {
	out, err := format.Source([]byte(source[:e.from] + e.text + source[e.to:]))
	return string(out), err
}

// silent says whether a node only tells people something, in a log, an event or an error's text, or counts for metrics: whether that is
// wrong no cluster shows.
func (s *site) silent(n ast.Node) bool {
	if statement, ok := n.(*ast.DeferStmt); ok {
		return s.silent(statement.Call)
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	callee := s.text(call.Fun)
	for _, told := range []string{"logger", "klog", "metrics", "HandleError", "HandleCrash", "eventRecorder", "eventBroadcaster", "fmt.Errorf"} {
		if strings.Contains(callee, told) {
			return true
		}
	}
	return false
}
