package proxy

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// phases are the files of the steps of serve, in their order. A phase knows the parts of the
// exchange, whatever file declares them, the shared files, and the packages below. It calls no
// other phase: what happens next only serve decides.
var phases = []string{
	"loadshed.go", "parse.go", "preflight.go", "authenticate.go", "ratelimit.go", "localreply.go", "authorize.go",
	"requestbody.go", "rewrite.go", "forward.go", "invalidate.go", "response.go", "refuse.go", "shadow.go",
}

// drivers know all phases; shared are known by all phases and know none.
var (
	drivers = []string{"server.go", "serve.go", "judge.go", "exchange.go", "doc.go"}
	shared  = []string{
		"call.go", "options.go", "errors.go", "forwarded.go", "budget.go", "bodykeys.go", "responsehead.go",
		"confirm.go", "fanout.go", "fanout_ask.go", "fanout_read.go", "text.go",
	}
)

// TestPhasesCallNoOther shows that no file of a phase calls a function of another phase's file, and
// that no shared file calls one of a phase.
func TestPhasesCallNoOther(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if !slices.Contains(slices.Concat(phases, drivers, shared), name) {
			t.Errorf("%s is no phase, no driver and not shared: say which it is", name)
		}
		f, err := goparser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	// What other packages declare does not matter here, so their names are left unresolved.
	config := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	config.Check("aclgate/proxy", fset, files, info)
	file := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	calls := 0
	for use, object := range info.Uses {
		if _, isFunc := object.(*types.Func); !isFunc || object.Pkg() == nil || object.Pkg().Path() != "aclgate/proxy" {
			continue
		}
		from, to := file(use.Pos()), file(object.Pos())
		calls++
		if !slices.Contains(drivers, from) && from != to && !slices.Contains(shared, to) {
			t.Errorf("%s calls %s of %s: a phase calls no other phase", fset.Position(use.Pos()), object.Name(), to)
		}
	}
	if calls < 100 {
		t.Errorf("only %d calls were looked at", calls)
	}
	for _, name := range slices.Concat(phases, drivers, shared) {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("the table names %s, which is not there", name)
		}
	}
}

// emptyImporter imports packages without any declaration.
type emptyImporter struct{}

func (emptyImporter) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}
