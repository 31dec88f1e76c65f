package postgres

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/postgres/pgtest"
)

var long = flag.Bool("long", false, "the full number of writes")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file writes a DSN to a file.
func file(t testing.TB, dsn string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(path, []byte(dsn+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// fresh returns an engine over an empty database with the schema.
func fresh(t testing.TB, s *pgtest.Server) (e *Engine, database string) {
	t.Helper()
	database = s.Database()
	if m, err := Migrate(t.Context(), file(t, s.URL(database, "t_owner"))); err != nil || m.From != 0 || m.To != len(steps) {
		t.Fatalf("got %+v, %v", m, err)
	}
	return reopen(t, s.Port, database), database
}

func reopen(t testing.TB, port int, database string) *Engine {
	t.Helper()
	e, err := Open(Options{URLFile: file(t, pgtest.URL(port, database, "t_replica")), AdminURLFile: file(t, pgtest.URL(port, database, "t_admin"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// The login of a superuser makes the roles and the schema itself; that of nobody reads how they are made.
func TestMigrateMakesTheRoles(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	s.SQL("postgres", "DROP ROLE aclgate_owner, aclgate_admin, aclgate_replica")
	s.SQL("postgres", "CREATE DATABASE bare")
	if _, err := Migrate(t.Context(), file(t, s.URL("bare", "t_nobody"))); !errors.Is(err, errNoRoles) {
		t.Errorf("nobody: got %v, want %v", err, errNoRoles)
	}
	if m, err := Migrate(t.Context(), file(t, s.URL("bare", "root"))); err != nil || m.From != 0 || m.To != len(steps) {
		t.Errorf("a superuser: got %+v, %v", m, err)
	}
	s.SQL("bare", Roles()) // what is there stays
}

func TestEngine(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	enginetest.Run(t, func(t *testing.T) store.Engine {
		e, _ := fresh(t, s)
		return e
	})
	t.Run("pruned under who follows", func(t *testing.T) {
		e, _ := fresh(t, s)
		l := follow(t, e)
		for id := range int64(5) {
			if _, err := e.Write(t.Context(), "operator", func(w store.Writer) error {
				return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, id+1, enginetest.Token(id+1, 1, "a")))
			}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := e.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil || n == 0 {
			t.Fatalf("%d changes were forgotten, %v", n, err)
		}
		if err := l.Follow(t.Context()); err != nil || !finds(l, 5, "a") || l.Stats().Resyncs["pruned"] != 1 {
			t.Errorf("got %v, %v", err, l.Stats().Resyncs)
		}
	})
	t.Run("many owners", func(t *testing.T) {
		e, _ := fresh(t, s)
		enginetest.ManyOwners(t, e)
	})
}

// A pooler in transaction mode gives every transaction another connection.
func TestEngineBehindPooler(t *testing.T) {
	if testing.Short() {
		t.Skip("the same as without a pooler")
	}
	s := pgtest.Start(t)
	port := s.Pooler()
	enginetest.Run(t, func(t *testing.T) store.Engine {
		_, database := fresh(t, s)
		return reopen(t, port, database)
	})
}

// Nothing is missed and nothing out of order, however many write (the short version is in TestEngine).
func TestFiftyWriters(t *testing.T) {
	if !*long {
		t.Skip("the short version is in TestEngine: run with -long")
	}
	e, _ := fresh(t, pgtest.Start(t))
	enginetest.Writers(t, e, 60)
}
