package sqlite

import (
	"flag"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

var long = flag.Bool("long", false, "the full number of writes")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fresh returns an empty database with the schema.
func fresh(t testing.TB) (e *Engine, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a b?#%41.db")
	m, err := Migrate(t.Context(), path)
	if err != nil || m.From != 0 || m.To != len(steps) || m.Backup != "" {
		t.Fatalf("got %+v, %v", m, err)
	}
	return reopen(t, path), path
}

func reopen(t testing.TB, path string) *Engine {
	t.Helper()
	e, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) store.Engine {
		e, _ := fresh(t)
		return e
	})
}

// Nothing is missed and nothing out of order, however many write (the short version is in TestEngine).
func TestFiftyWriters(t *testing.T) {
	if !*long {
		t.Skip("the short version is in TestEngine: run with -long")
	}
	e, _ := fresh(t)
	enginetest.Writers(t, e, 60)
}
