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
// exchange, whatever file declares them, the shared files, and the packages below. It knows no
// other phase: what happens next only serve decides.
var phases = []string{
	"health.go", "loadshed.go", "parse.go", "preflight.go", "authenticate.go", "accountlimit.go", "ratelimit.go", "localreply.go", "realms.go", "authorize.go", "firstreading.go",
	"requestbody.go", "managed.go", "owners.go", "rewrite.go", "forward.go", "invalidate.go", "response.go", "refuse.go", "shadow.go",
}

// drivers know all phases; shared are known by all phases and know none.
var (
	drivers = []string{"server.go", "redirect.go", "serve.go", "judge.go", "underway.go", "exchange.go", "stateof.go", "doc.go"}
	shared  = []string{
		"call.go", "options.go", "errors.go", "forwarded.go", "budget.go", "bodykeys.go", "datafields.go", "responsehead.go", "cachecontrol.go", "locations.go",
		"confirm.go", "fanout.go", "fanout_ask.go", "fanout_read.go", "text.go", "marker.go", "elsewhere.go",
	}
)

// parts are the types of the exchange's parts. The file of the phase that fills one in declares it,
// and every phase may name it and read its fields.
var parts = []string{"auth", "evaluation", "requestBody", "outgoing", "response"}

// TestPhasesKnowNoOther shows that no file of a phase refers to a function, method, type, constant
// or variable of another phase's file, and no shared file to one of a phase.
func TestPhasesKnowNoOther(t *testing.T) {
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
	pkg, _ := config.Check("aclgate/proxy", fset, files, info)
	file := func(pos token.Pos) string { return filepath.Base(fset.Position(pos).Filename) }
	checked := 0
	for use, object := range info.Uses {
		_, isFunc := object.(*types.Func) // or a method
		if object.Pkg() != pkg || !isFunc && object.Parent() != pkg.Scope() {
			continue
		}
		from, to := file(use.Pos()), file(object.Pos())
		checked++
		if !slices.Contains(drivers, from) && from != to && !slices.Contains(shared, to) && !slices.Contains(parts, object.Name()) {
			t.Errorf("%s needs %s of %s: a phase knows no other phase", fset.Position(use.Pos()), object.Name(), to)
		}
	}
	if checked < 500 {
		t.Errorf("only %d references were looked at", checked)
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
