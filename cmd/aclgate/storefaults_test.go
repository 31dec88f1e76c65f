package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// handOn changes a database as an operator with sqlite3 would, past its checks.
func handOn(t *testing.T, path string, statements ...string) {
	t.Helper()
	if err := tryHandOn(t, path, statements...); err != nil {
		t.Fatal(err)
	}
}

func tryHandOn(t *testing.T, path string, statements ...string) error {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(0)&_pragma=ignore_check_constraints(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// lock holds a database so that nobody else can open it, until unlock.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=locking_mode(exclusive)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`UPDATE head SET actor = ''`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// sqliteSite is a site whose store is a database, into which nothing was imported yet.
func sqliteSite(t *testing.T, path string) *site {
	t.Helper()
	return newSite(t, siteOptions{store: "kind: sqlite, path: " + path, settings: "log: {level: info}\n"})
}

// Whatever is wrong with the database is said in these words, with what to do, and its exit code
// says whether something has to be mended (3) or may pass (1).
func TestBadSQLite(t *testing.T) {
	hand := func(statements ...string) func(*testing.T, string) {
		return func(t *testing.T, path string) { handOn(t, path, statements...) }
	}
	text := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, err := os.ReadFile("../../policy/store/sqlite/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		migrate bool // make it first
		bad     func(*testing.T, string)
		args    []string
		code    int
		says    string // DB is the path
	}{
		"not there":       {false, nil, []string{"store", "export"}, exitSettings, "there is no database DB: `aclgate store migrate` makes an empty one, `aclgate store import policy.yaml` fills it; if there was one, put its newest backup there"},
		"not there serve": {false, nil, []string{"serve"}, exitSettings, "there is no database DB: `aclgate store migrate` makes an empty one, `aclgate store import policy.yaml` fills it; if there was one, put its newest backup there"},
		"no schema":       {false, text(nil), []string{"serve"}, exitSettings, "DB has no schema: run `aclgate store migrate`, then `aclgate store import policy.yaml`"},
		"older":           {false, hand(string(first)), []string{"store", "export"}, exitSettings, "DB has version 1 of the schema, and this aclgate needs 3: run `aclgate store migrate`"},
		"older check":     {false, hand(string(first)), []string{"check"}, exitSettings, "DB has version 1 of the schema, and this aclgate needs 3: run `aclgate store migrate`"},
		"newer":           {true, hand(`UPDATE head SET version = 9`), []string{"serve"}, exitSettings, "DB has version 9 of the schema, and this aclgate knows 3 at most: upgrade aclgate first, or put the backup from before the migration in its place"},
		"newer migrate":   {true, hand(`UPDATE head SET version = 9`), []string{"store", "migrate"}, exitSettings, "DB has version 9 of the schema, and this aclgate knows 3 at most"},
		"another program's": {false, hand(`CREATE TABLE t (x)`), []string{"serve"}, exitSettings,
			"DB: this is a SQLite database, but none of aclgate: store.path names another file"},
		"no database": {false, text(bytes.Repeat([]byte("tokens: []\n"), 500)), []string{"serve"}, exitSettings,
			"DB: this is no SQLite database, or a damaged one: store.path names another file, or it is time for the newest backup"},
		"a folder": {false, func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, []string{"store", "status", "--offline"}, exitSettings, "DB is no regular file: store.path names the database itself"},
		"no head":  {true, hand(`DELETE FROM head`), []string{"serve"}, exitSettings, "DB: the table head says nothing: the database is damaged, put the newest backup in its place"},
		"corrupt": {true, corrupt, []string{"serve"}, exitSettings,
			"DB: the file is damaged: keep it, put the newest backup in its place, and see with `aclgate store verify --offline` whether that one is sound"},
		"corrupt verify": {true, corrupt, []string{"store", "verify", "--offline"}, exitSettings, "the file is damaged: keep it"},
		"locked": {true, func(t *testing.T, path string) { lock(t, path) }, []string{"store", "export"}, exitFailed,
			"DB: another process holds it locked: end that one (`fuser` shows which), then try again"},
		"locked migrate": {true, func(t *testing.T, path string) { lock(t, path) }, []string{"store", "migrate"}, exitFailed,
			"DB: another process holds it locked: end that one (`fuser` shows which), then try again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait for a lock
			path := filepath.Join(t.TempDir(), "bad.db")
			s := sqliteSite(t, path)
			if row.migrate {
				s.runs(exitOK, "store", "migrate")
			}
			if row.bad != nil {
				row.bad(t, path)
			}
			if out, want := s.runs(row.code, row.args...), strings.ReplaceAll(row.says, "DB", path); !strings.Contains(out, want) {
				t.Errorf("got %s, want %s", out, want)
			}
		})
	}
}

// corrupt makes a database lose its second half.
func corrupt(t *testing.T, path string) {
	handOn(t, path, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO limits (id, doc) SELECT i, json_object('id', i, 'cid', 1) FROM n`,
		`PRAGMA wal_checkpoint(TRUNCATE)`)
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()/2)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A gateway over a database with an older schema brings it to date, after a copy beside it, for its
// owner alone.
func TestOlderSQLite(t *testing.T) {
	t.Parallel()
	first, err := os.ReadFile("../../policy/store/sqlite/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "old.db")
	s := sqliteSite(t, path)
	handOn(t, path, string(first))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	copies, _ := filepath.Glob(path + ".v1-*")
	if len(copies) != 1 {
		t.Fatalf("got the copies %q, want one", copies)
	}
	if info, err := os.Stat(copies[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a copy for its owner alone", info, err)
	}
	if log := g.stderr.String(); !strings.Contains(log, "the store has a newer schema") || !strings.Contains(log, filepath.Base(copies[0])) {
		t.Errorf("the log does not name the copy: %s", log)
	}
}

// A database that is locked at the start keeps no gateway from running: it answers 503, is not
// ready, and serves once the lock is gone.
func TestLockedAtTheStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locked.db")
	s := sqliteSite(t, path)
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	unlock := lock(t, path)
	g := &gate{start(t, "serve", "-c", s.file()), s}
	for began := time.Now(); ; time.Sleep(25 * time.Millisecond) { // the look takes as long as a lock may
		resp, err := http.Get(g.admin + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("not ready: got %d, want 503", resp.StatusCode)
			}
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("the gateway does not run: %s", g.stderr.String())
		}
	}
	if status, body := call(t, validKey, "GET", g.api+channel, ""); status != 503 || !strings.Contains(body, "tokens cannot be checked now") {
		t.Errorf("got %d %s, want 503", status, body)
	}
	if status, _ := g.asOperator("GET", "/platform/tokens/all", ""); status == 200 {
		t.Error("the administration lists tokens of a database that is locked")
	}
	if log := g.stderr.String(); !strings.Contains(log, "the store cannot be read yet") || !strings.Contains(log, "another process holds it locked") {
		t.Errorf("the log does not say why: %s", log)
	}
	unlock()
	g.await(g.admin+"/readyz", 200)
	if status, body := call(t, validKey, "GET", g.api+channel, ""); status != 200 {
		t.Errorf("after the lock: got %d %s", status, body)
	}
}

// Why the records cannot be reached is told to the operator, who can do something about it, and to no
// master.
func TestOperatorIsToldWhy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "locked.db")
	s := sqliteSite(t, path)
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	master := newKeyOf(t, g.runs(exitOK, "token", "new", "--cid", "1", "--access", `{"type":1}`))
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Begin(); err != nil { // and nobody ends it
		t.Fatal(err)
	}
	if out := g.runs(exitFailed, "token", "new", "--cid", "1"); !strings.Contains(out, path+": another process holds it locked: end that one") {
		t.Errorf("the operator: got %s", out)
	}
	if status, body := call(t, master, "POST", g.api+"/platform/tokens", `[{"info":"x","access":{"type":0},"expire":1}]`); status != 503 || strings.Contains(body, "locked") {
		t.Errorf("a master: got %d %s", status, body)
	}
}

// fullDisk returns a folder that holds two megabytes.
func fullDisk(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "none", folder).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", folder).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	})
	return folder
}

// A full disk fails the command that writes, in these words, and no request; with room it goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	folder := fullDisk(t)
	path := filepath.Join(folder, "full.db")
	s := sqliteSite(t, path)
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	many := fmt.Sprintf(gatePolicy, "")
	for id := 100; id < 5000; id++ {
		many += fmt.Sprintf(gateToken, id, fmt.Sprintf("token-%d", id))
	}
	s.replace("many.yaml", many)
	before := g.runs(exitOK, "store", "export")
	want := path + ": the disk is full: make room, then try again; nothing was changed"
	if out := s.runs(exitFailed, "store", "import", filepath.Join(s.folder, "many.yaml")); !strings.Contains(out, want) {
		t.Errorf("got %s, want %s", out, want)
	}
	if status, body := call(t, validKey, "GET", g.api+channel, ""); status != 200 {
		t.Errorf("a request on a full disk: got %d %s", status, body)
	}
	if after := g.runs(exitOK, "store", "export"); after != before {
		t.Errorf("the import that failed left\n%s\nof\n%s", after, before)
	}
	s.runs(exitOK, "token", "disable", "1")
	if status, _ := call(t, validKey, "GET", g.api+channel, ""); status != 401 {
		t.Errorf("with room again: got %d", status)
	}
}

// brokenFields are statements of a hand that break one field each of the token whose id is :id. What
// the schema itself would refuse is written past its checks.
var brokenFields = []string{
	`doc = json_set(doc, '$.id', 1000000 + :id)`, `doc = json_set(doc, '$.id', 'x')`,
	`doc = json_set(doc, '$.key_sha256', 'abc')`, `doc = json_set(doc, '$.key_sha256', :id)`,
	`doc = json_set(doc, '$.key', 'a-key-beside-its-digest')`,
	`doc = json_set(doc, '$.cid', 'x')`, `doc = json_set(doc, '$.cid', -1)`, `doc = json_set(doc, '$.cid', 1.5)`,
	`doc = json_set(doc, '$.info', json('[]'))`, `doc = json_set(doc, '$.enabled', 'perhaps')`, `doc = json_set(doc, '$.enabled', 2)`,
	`doc = json_set(doc, '$.expire', -1)`, `doc = json_set(doc, '$.expire', 1e30)`, `doc = json_remove(doc, '$.expire')`,
	`doc = json_set(doc, '$.ttl', -1)`, `doc = json_set(doc, '$.ttl', 60)`, `doc = json_set(doc, '$.created', 'yesterday')`,
	`doc = json_set(doc, '$.ips', '10.0.0.1/8')`, `doc = json_set(doc, '$.ips', 7)`,
	`doc = json_set(doc, '$.origins', 'https://x')`, `doc = json_set(doc, '$.origins', json('["no origin"]'))`,
	`doc = json_remove(doc, '$.access')`, `doc = json_set(doc, '$.access', 2)`, `doc = json_set(doc, '$.access.type', 9)`,
	`doc = json_set(doc, '$.access.type', 'root')`, `doc = json_set(doc, '$.access.acl', 7)`, `doc = json_set(doc, '$.access.acl[0]', 'x')`,
	`doc = json_remove(doc, '$.access.acl[0].uri')`, `doc = json_set(doc, '$.access.acl[0].methods', 'GET')`,
	`doc = json_set(doc, '$.access.acl[0].methods[0]', 'FETCH')`, `doc = json_set(doc, '$.access.acl[0].ids', json('null'))`,
	`doc = json_set(doc, '$.access.acl[0].ids', json('["x"]'))`, `doc = json_set(doc, '$.access.acl[0].ids', 7)`,
	`doc = json_set(doc, '$.access.acl[0].submodules', 7)`, `doc = json_set(doc, '$.access.acl[0].more', 1)`,
	`doc = json_set(doc, '$.unknown', 1)`,
	`doc = json_insert(substr(doc, 1, length(doc) - 1) || ', "cid": 1}')`,
}

// A row that a hand broke, in whatever field, costs its own token: 401, a count, a line in the log.
// All others go on, and so do changes; a row that is mended is obeyed again.
func TestRowsBrokenByHand(t *testing.T) {
	t.Parallel()
	policy := fmt.Sprintf(gatePolicy, "")
	for i := range brokenFields {
		policy += fmt.Sprintf(gateToken, 100+i, fmt.Sprintf("broken-key-%d", i))
	}
	path := filepath.Join(t.TempDir(), "rows.db")
	s := newSite(t, siteOptions{store: "kind: sqlite, path: " + path, settings: "log: {level: error}\n", policy: policy})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	handOn(t, path, `CREATE TABLE sound AS SELECT id, doc FROM tokens`)
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	asks := func(key string, want int) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			got, body := call(t, key, "GET", g.api+channel, "")
			if got == want {
				return
			}
			if time.Since(began) > 20*time.Second {
				t.Fatalf("%s: got %d %s, want %d", key, got, body, want)
			}
		}
	}
	broken := 0
	for i, statement := range brokenFields {
		key := fmt.Sprintf("broken-key-%d", i)
		asks(key, 200)
		statement = strings.ReplaceAll(`UPDATE tokens SET `+statement+` WHERE id = :id`, ":id", fmt.Sprint(100+i))
		if err := tryHandOn(t, path, statement); err != nil { // no hand gets past the types of columns
			if !strings.Contains(err.Error(), "constraint failed") {
				t.Fatal(err)
			}
			continue
		}
		broken++
		asks(key, 401)
		asks(validKey, 200)
		if want := fmt.Sprintf("aclgate_store_bad_rows %d\n", broken); !strings.Contains(g.scrape(), want) {
			t.Errorf("after %s: the metrics do not say %s", statement, want)
		}
		if log := g.stderr.String(); broken <= 20 && !strings.Contains(log, fmt.Sprintf(`"id":%d`, 100+i)) {
			t.Errorf("after %s: the log does not name token %d: %s", statement, 100+i, log)
		}
	}
	if out := g.runs(exitFailed, "store", "verify"); strings.Count(out, "tokens/1") < broken || broken < len(brokenFields)-5 {
		t.Errorf("verify does not name %d rows: %s", broken, out)
	}
	handOn(t, path, `DELETE FROM tokens WHERE id >= 100`, `INSERT INTO tokens (id, doc) SELECT id, doc FROM sound WHERE id >= 100`)
	for i := range brokenFields {
		asks(fmt.Sprintf("broken-key-%d", i), 200)
	}
	if !strings.Contains(g.scrape(), "aclgate_store_bad_rows 0\n") {
		t.Error("rows that were mended are counted")
	}
}
