package postgres

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
// query is a constant of this package, a field of the table of statements, or the parameter of a
// function here that was handed one of these.
func TestStatementsAreConstants(t *testing.T) {
	// Where the query stands among the arguments, by the name of what is called.
	at := map[string]int{"Exec": 1, "Query": 1, "QueryRow": 1, "exec": 0, "affect": 0, "needed": 0, "later": 0, "one": 0, "page": 2, "ask": 2, "precede": 0, "transaction": 2, "rows": 1}
	places := map[string]int{"e.exec": 2}
	passed := []string{"query", "step", "roles"} // parameters, a step of the schema, and the file of the roles
	set, constants, files := sources(t)
	calls := 0
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name, qualified := called(call)
			i, known := at[name]
			if place, special := places[qualified]; special {
				i = place
			}
			if !known || len(call.Args) <= i {
				return true
			}
			calls++
			switch a := call.Args[i].(type) {
			case *ast.Ident:
				if slices.Contains(constants, a.Name) || slices.Contains(passed, a.Name) {
					return true
				}
			case *ast.SelectorExpr: // tables[t].get
				if x, indexed := a.X.(*ast.IndexExpr); indexed && x.X.(*ast.Ident).Name == "tables" {
					return true
				}
			}
			t.Errorf("%s: this statement is no constant", set.Position(call.Pos()))
			return true
		})
	}
	if calls < 40 {
		t.Errorf("found %d statements: the test looks in the wrong place", calls)
	}
}

// called returns the name of what is called, bare and with what stands before it.
func called(call *ast.CallExpr) (name, qualified string) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name, f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return f.Sel.Name, x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name, ""
	}
	return "", ""
}

// sources parses the package without its tests, and returns the names of its constants.
func sources(t *testing.T) (set *token.FileSet, constants []string, files []*ast.File) {
	t.Helper()
	set = token.NewFileSet()
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
						constants = append(constants, name.Name)
					}
				}
			}
		}
	}
	return set, constants, files
}

// What the table of statements holds is written there whole: no function and no sum makes it.
func TestTableOfStatements(t *testing.T) {
	set, _, files := sources(t)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || v.Names[0].Name != "tables" {
				return true
			}
			ast.Inspect(v, func(n ast.Node) bool {
				if pair, ok := n.(*ast.KeyValueExpr); ok {
					switch pair.Value.(type) {
					case *ast.BasicLit, *ast.CompositeLit:
					default:
						t.Errorf("%s: this statement is put together", set.Position(pair.Pos()))
					}
				}
				return true
			})
			return false
		})
	}
}
