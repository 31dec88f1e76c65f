package sqlite

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestStatementsAreConstants: no statement is put together. Whatever is handed to the database as a
// query is a constant, a field of the table of statements, or a parameter of a function here that
// was handed one of these.
func TestStatementsAreConstants(t *testing.T) {
	takes := []string{"Exec", "ExecContext", "Query", "QueryContext", "QueryRow", "QueryRowContext", "Prepare", "PrepareContext", "exec", "query", "row", "prepared", "mark", "remove", "refer", "once"}
	passed := []string{"query", "step"} // parameters, and a step of the schema
	set := token.NewFileSet()
	constants := map[string]bool{}
	var files []*ast.File
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, n.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				for _, s := range g.Specs {
					for _, name := range s.(*ast.ValueSpec).Names {
						constants[name.Name] = true
					}
				}
			}
		}
	}
	calls := 0
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains(takes, sel.Sel.Name) {
				return true
			}
			calls++
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "s" || x.Name == "stmt") {
				return true // it was prepared
			}
			for _, arg := range call.Args[:min(2, len(call.Args))] {
				switch a := arg.(type) {
				case *ast.BasicLit:
					return true
				case *ast.Ident:
					if constants[a.Name] || slices.Contains(passed, a.Name) {
						return true
					}
				case *ast.SelectorExpr: // tables[t].get
					if _, indexed := a.X.(*ast.IndexExpr); indexed {
						return true
					}
				}
			}
			t.Errorf("%s: this statement is no constant", set.Position(call.Pos()))
			return true
		})
	}
	if calls < 20 {
		t.Errorf("found %d statements: the test looks in the wrong place", calls)
	}
}
