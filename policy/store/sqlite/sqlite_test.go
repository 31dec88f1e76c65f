package sqlite

import (
	"errors"
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

// An import of many items takes triggers away and puts the same ones back: also when it is undone.
func TestTriggersComeBack(t *testing.T) {
	e, _ := fresh(t)
	triggers := func() (all string) {
		t.Helper()
		if err := e.read.QueryRow(`SELECT group_concat(sql, ';' || char(10)) FROM (SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name)`).Scan(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := triggers()
	e.named = 5
	for _, undone := range []error{nil, errors.New("undone")} {
		_, err := e.Write(t.Context(), "operator", func(w store.Writer) error {
			for id := range int64(ownersNamed + 1) {
				if err := w.PutOwner(store.Owner{Collection: "gw/devices", ID: id + 1, CID: 1}); err != nil {
					return err
				}
			}
			for id := range int64(10) {
				if err := w.Put(store.Tokens, id+1, enginetest.Token(id+1, 1, "a")); err != nil {
					return err
				}
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		if after := triggers(); after != before {
			t.Errorf("the triggers were\n%s\nand are\n%s", before, after)
		}
	}
}

func TestManyOwners(t *testing.T) {
	e, _ := fresh(t)
	enginetest.ManyOwners(t, e)
}
