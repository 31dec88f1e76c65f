package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

// byHand changes a database as an operator with sqlite3 would.
func byHand(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "deferred", "foreign_keys(0)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// wantAdvice compares an error with what it has to say.
func wantAdvice(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want one with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %q, want %q in it", err, w)
		}
	}
}

// Whatever stands in the place of a database is refused, with what to do, and stays as it is.
func TestWhatIsNoDatabase(t *testing.T) {
	sized := func(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }
	for name, row := range map[string]struct {
		make  func(path string) error
		words []string
	}{
		"nothing":   {func(string) error { return nil }, []string{"there is no database", "aclgate store migrate"}},
		"empty":     {func(p string) error { return os.WriteFile(p, nil, 0o600) }, []string{"has no schema", "aclgate store migrate"}},
		"a policy":  {func(p string) error { return os.WriteFile(p, sized(5000, 'a'), 0o600) }, []string{"no SQLite database", "backup"}},
		"a folder":  {func(p string) error { return os.Mkdir(p, 0o700) }, []string{"no regular file"}},
		"foreign":   {func(p string) error { byHandErr(p, `CREATE TABLE t (x)`); return nil }, []string{"none of aclgate", "store.path"}},
		"newer":     {func(p string) error { return made(p, `UPDATE head SET version = 9`) }, []string{"version 9", "upgrade aclgate"}},
		"no head":   {func(p string) error { return made(p, `DELETE FROM head`) }, []string{"head says nothing", "backup"}},
		"truncated": {func(p string) error { return cut(p) }, []string{"damaged"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			if err := row.make(path); err != nil {
				t.Fatal(err)
			}
			e, err := Open(path)
			if err == nil { // what is damaged further inside shows when it is read
				_, _, err = e.All(t.Context(), func(store.Row) error { return nil })
				e.Close()
			}
			wantAdvice(t, err, row.words...)
			if Passes(err) {
				t.Errorf("%v does not pass by itself", err)
			}
		})
	}
}

func byHandErr(path string, statement string) error {
	db, err := sql.Open("sqlite", dsn(path, "deferred", "foreign_keys(0)"))
	if err == nil {
		_, err = db.Exec(statement)
		err = errors.Join(err, db.Close())
	}
	return err
}

// made makes a database and changes it.
func made(path, statement string) error {
	if _, err := Migrate(context.Background(), path); err != nil {
		return err
	}
	return byHandErr(path, statement)
}

// cut makes a database that has lost its second half.
func cut(path string) error {
	if err := made(path, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO limits (id, doc) SELECT i, json_object('id', i, 'cid', 1) FROM n`); err != nil {
		return err
	}
	if err := byHandErr(path, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()/2)
	}
	return err
}

// A full disk is said to be one, nothing of the transaction stays, and with room it goes on.
func TestFullDisk(t *testing.T) {
	e, path := fresh(t)
	var pages int64
	if err := e.write.QueryRow(`PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	room := func(n int64) {
		t.Helper()
		if _, err := e.write.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, n)); err != nil {
			t.Fatal(err)
		}
	}
	put := func() (store.Head, error) {
		return e.Write(t.Context(), "operator", func(w store.Writer) error {
			for id := int64(1); id < 500; id++ {
				if err := w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")); err != nil {
					return err
				}
			}
			return nil
		})
	}
	room(pages + 3)
	_, err := put()
	wantAdvice(t, err, path, "disk is full", "nothing was changed")
	if b, err := e.Since(t.Context(), 0); err != nil || b.Head.Rev != 0 {
		t.Errorf("got %+v, %v, want nothing changed", b, err)
	}
	room(1 << 20)
	if head, err := put(); err != nil || head.Rev != 499 {
		t.Errorf("with room: got %+v, %v", head, err)
	}
}

// Somebody who holds the database locked is said to, and readers do not wait for them.
func TestLocked(t *testing.T) {
	t.Parallel()
	e, path := fresh(t)
	db, err := sql.Open("sqlite", dsn(path, "immediate", "foreign_keys(0)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Since(t.Context(), 0); err != nil {
		t.Errorf("reading beside a writer: %v", err)
	}
	_, err = e.Write(t.Context(), "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, []byte(`{"id":1}`)) })
	wantAdvice(t, err, path, "locked", "try again")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(t.Context(), "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, []byte(`{"id":1}`)) }); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// upgrade opens a database as a gateway does that brings it to date.
func upgrade(path string) (m Migration, err error) {
	e := OpenLater(path, func(made Migration) { m = made })
	err = e.Check(context.Background())
	return m, errors.Join(err, e.Close())
}

// A database that is locked when a gateway starts is looked at again, and is then used, brought to
// date too. Whoever cannot wait for a look ends in time.
func TestOpenLater(t *testing.T) {
	was := steps // that others read: no other test runs meanwhile
	defer func() { steps = was }()
	steps = was[:1:1]
	old, path := fresh(t)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	steps = was
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=locking_mode(exclusive)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`UPDATE head SET actor = ''`); err != nil {
		t.Fatal(err)
	}
	var made Migration
	e := OpenLater(path, func(m Migration) { made = m })
	defer e.Close()
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := e.Since(short, 0); !errors.Is(err, context.DeadlineExceeded) || !Passes(err) {
		t.Errorf("got %v, want the end of the context", err)
	}
	_, err = e.Since(t.Context(), 0)
	wantAdvice(t, err, path, "another process holds it locked")
	if !Passes(err) {
		t.Errorf("%v does not pass", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := e.Since(t.Context(), 0); err != nil || b.Head.Version != len(steps) || made.Backup == "" {
		t.Errorf("got %+v, %v, %+v", b, err, made)
	}
}

// A schema of before is kept beside, and brought to date in one transaction; a step that fails
// changes nothing.
func TestMigrations(t *testing.T) {
	was := steps
	defer func() { steps = was }()
	steps = was[:1:1]
	_, path := fresh(t)
	byHand(t, path, `INSERT INTO accounts (id, doc) VALUES (1, '{"id":1}')`)
	steps = append(was[:1:1], `CREATE TABLE more (x); UPDATE head SET version = 2; THIS IS NO SQL`)
	if m, err := upgrade(path); err == nil {
		t.Errorf("a step that is no SQL: got %+v", m)
	}
	_, err := Open(path)
	wantAdvice(t, err, "version 1", "needs 2", "aclgate store migrate")
	steps[1] = `CREATE TABLE more (x); UPDATE head SET version = 2`
	m, err := upgrade(path)
	if err != nil || m.From != 1 || m.To != 2 || m.Backup == "" {
		t.Fatalf("got %+v, %v", m, err)
	}
	reopen(t, path)
	info, err := os.Stat(m.Backup)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	steps = was[:1:1]
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "upgrade aclgate") {
		t.Errorf("the older program: got %v", err)
	}
	old := reopen(t, m.Backup)
	n := 0
	if err := old.read.QueryRow(`SELECT count(*) FROM accounts`).Scan(&n); err != nil || n != 1 {
		t.Errorf("the copy has %d rows, %v", n, err)
	}
}

// A database of version 1 keeps its rows, revisions and marks, and has what version 2 added.
func TestMigrationToVersion2(t *testing.T) {
	was := steps
	defer func() { steps = was }()
	steps = was[:1:1]
	old, path := fresh(t)
	_, err := old.Write(t.Context(), "operator", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, 5, enginetest.Token(5, 1, "a")),
			w.Put(store.Grants, 4, []byte(`{"id":4,"cid":1}`)))
	})
	if err != nil {
		t.Fatal(err)
	}
	before, err := old.Since(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	steps = was
	if m, err := upgrade(path); err != nil || m.From != 1 || m.To != len(steps) {
		t.Fatalf("got %+v, %v", m, err)
	}
	e := reopen(t, path)
	after, err := e.Since(t.Context(), 3)
	if err != nil || after.At != before.At || after.Head.Rev != 3 {
		t.Errorf("got %+v, %v, want the head as it was: %+v", after, err, before)
	}
	_, err = e.Write(t.Context(), "operator", func(w store.Writer) error {
		return errors.Join(w.Seal(5, []byte("x")), w.Link(4, 1), w.PutOwner(store.Owner{Collection: "gw/devices", ID: 1, CID: 1}), w.Delete(store.Grants, 4))
	})
	if err != nil {
		t.Error(err)
	}
	b, err := e.Since(t.Context(), 3)
	if err != nil || len(b.Changes) != 4 {
		t.Errorf("got %+v, %v, want a link, an owner, a grant and a link less", b, err)
	}
}

// What is changed by hand is a change like any other: it has a revision, and its actor is db.
func TestByHand(t *testing.T) {
	e, path := fresh(t)
	if _, err := e.Write(t.Context(), "operator", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, 5, enginetest.Token(5, 1, "a")))
	}); err != nil {
		t.Fatal(err)
	}
	if b, err := e.Since(t.Context(), 2); err != nil || len(b.Changes) > 0 {
		t.Fatalf("got %+v, %v", b, err)
	}
	byHand(t, path, `DELETE FROM tokens WHERE id = 5`)
	b, err := e.Since(t.Context(), 2)
	if err != nil || len(b.Changes) != 1 || b.Changes[0].Actor != "db" || b.Rows[0].Doc != nil {
		t.Errorf("got %+v, %v, want the deletion by db", b, err)
	}
	for _, bad := range []string{
		`UPDATE accounts SET id = 2`, `INSERT INTO tokens (id, doc) VALUES (6, '{"id":6,"cid":1}')`,
		`INSERT INTO tokens (id, doc) VALUES (6, '{"id":7}')`, `INSERT INTO tokens (id, doc) VALUES (-1, '{"id":-1}')`,
		`INSERT INTO tokens (id, doc) VALUES (6, 'x')`,
	} {
		if err := byHandErr(path, bad); err == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// A file that takes the place of the database is not followed: it may be an older one. Nor is what is
// open changed any more, also where the file was only moved away: the next start would not find it.
func TestReplacedFile(t *testing.T) {
	e, path := fresh(t)
	backup := path + ".copy"
	if err := e.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(t.Context(), backup); err == nil {
		t.Error("a backup overwrites another one")
	}
	write := func() error {
		_, err := e.Write(t.Context(), "operator", func(w store.Writer) error { return w.Put(store.Accounts, 77, []byte(`{"id":77}`)) })
		return err
	}
	for _, move := range [][2]string{{path, path + ".moved"}, {backup, path}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
		_, err := e.Since(t.Context(), 0)
		wantAdvice(t, err, "in its place", "restart")
		wantAdvice(t, write(), "in its place", "restart")
	}
	if err := errors.Join(os.Remove(path), os.Rename(path+".moved", path), write()); err != nil {
		t.Errorf("the file is back: %v", err)
	}
}

// Ids that were given after a backup are given to nobody else where it is put back, as far as there are
// ids. A database without accounts still begins with account 1.
func TestBackupLeavesIDsOut(t *testing.T) {
	const last = math.MaxInt64 - 7
	for name, row := range map[string]struct {
		given int64 // an account that was made before the backup; 0: none was
		want  int64
	}{"no account": {0, 1}, "some": {77, 78 + store.BackupGap}, "at the end": {last, math.MaxInt64 - 1}} {
		e, path := fresh(t)
		if row.given > 0 {
			if _, err := e.Write(t.Context(), "", func(w store.Writer) error {
				return w.Put(store.Accounts, row.given, fmt.Appendf(nil, `{"id":%d}`, row.given))
			}); err != nil {
				t.Fatal(err)
			}
		}
		copied := path + ".copy"
		if err := os.WriteFile(copied+".part", []byte("left by a backup that was killed"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := e.Backup(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(copied + "?*"); len(left) > 0 {
			t.Errorf("%s: %v is beside the copy", name, left)
		}
		next := func(e *Engine, table store.Table) (id int64) {
			if _, err := e.Write(t.Context(), "", func(w store.Writer) (err error) {
				id, err = w.NewID(table)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return id
		}
		if got := next(reopen(t, copied), store.Accounts); got != row.want {
			t.Errorf("%s: the next account is %d, want %d", name, got, row.want)
		}
		for table := store.Tokens; table <= store.Users; table++ {
			if before, after := next(e, table), next(reopen(t, copied), table); before != 1 || after != 1+store.BackupGap {
				t.Errorf("%s: the next ids of %s are %d in the database and %d in its copy", name, table, before, after)
			}
		}
	}
}

// Looking for news costs nothing where there are none.
func TestIdlePollsReadNothing(t *testing.T) {
	e, _ := fresh(t)
	first, err := e.Since(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Since(t.Context(), 0)
	if err != nil || second.Head != first.Head || second != e.last {
		t.Errorf("got %+v, %v, want what was remembered", second, err)
	}
	began := time.Now()
	for range 200 {
		if _, err := e.Since(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%v an idle poll", time.Since(began)/200)
}

// A backup that fails leaves nothing that looks like one.
func TestBackupThatFails(t *testing.T) {
	e, path := fresh(t)
	copied := path + ".copy"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Backup(ctx, copied); err == nil {
		t.Error("it succeeds")
	}
	if left, _ := filepath.Glob(copied + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
