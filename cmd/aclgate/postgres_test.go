package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aclgate/policy/store"
	"aclgate/policy/store/postgres/pgtest"
)

// shared is a database of several gateways.
type shared struct {
	*pgtest.Server
	database string
}

// newShared starts a server with an empty database.
func newShared(t *testing.T, settings ...string) *shared {
	t.Helper()
	s := pgtest.Start(t, settings...)
	return &shared{s, s.Database()}
}

// options are those of a site on the database. port is where it is reached.
func (d *shared) options(port int, more string) siteOptions {
	return siteOptions{
		store: "kind: postgres, url_file: read.dsn, admin_url_file: write.dsn" + more,
		files: map[string]string{
			"read.dsn": pgtest.URL(port, d.database, "t_replica"), "write.dsn": pgtest.URL(port, d.database, "t_admin"),
			"owner.dsn": d.URL(d.database, "t_owner"),
		},
	}
}

// fill makes the schema and imports the policy of a site.
func (d *shared) fill(s *site) {
	s.t.Helper()
	s.runs(exitOK, "store", "migrate", "--url-file", filepath.Join(s.folder, "owner.dsn"))
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
}

// The commands work on PostgreSQL as they do on SQLite.
func TestPostgresCommands(t *testing.T) {
	t.Parallel()
	d := newShared(t)
	o := d.options(d.Port, "")
	o.settings = "log: {level: error}\n"
	s := newSite(t, o)
	if out := s.runs(exitSettings, "serve"); !strings.Contains(out, "aclgate store migrate") {
		t.Errorf("without a schema: got %s", out)
	}
	if out := s.runs(exitSettings, "store", "migrate"); !strings.Contains(out, "aclgate_owner") {
		t.Errorf("as a login that may not: got %s", out)
	}
	d.fill(s)
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	out := g.runs(exitOK, "token", "new", "--cid", "1", "--access", `{"type":1}`)
	id := strings.Fields(out[strings.Index(out, "Token ")+6:])[0]
	if out := g.runs(exitOK, "token", "revoke", strings.TrimSuffix(id, "."), "--wait"); strings.Count(out, " obeys\n") != 1 {
		t.Errorf("--wait does not name the gateway: %s", out)
	}
	for _, args := range [][]string{{"status"}, {"status", "--offline"}, {"verify"}, {"verify", "--offline"}, {"prune"}, {"export"}, {"import", filepath.Join(s.folder, "policy.yaml")},
		{"migrate", "--url-file", filepath.Join(s.folder, "owner.dsn")}} {
		g.runs(exitOK, append([]string{"store"}, args...)...)
	}
	g.dumps(d)
	g.runs(exitOK, "check")
	if out := g.runs(exitOK, "store", "status"); strings.Count(out, `"applied"`) != 2 { // its own, and that of the one gateway
		t.Errorf("a check is still waited for: %s", out)
	}
	d.SQL(d.database, "ALTER TABLE aclgate.tokens DISABLE TRIGGER note_d")
	if out := g.runs(exitFailed, "store", "verify", "--offline"); !strings.Contains(out, "aclgate.tokens") {
		t.Errorf("without a trigger: got %s", out)
	}
}

// dumps has a shell do what backup prints, with the login that it asks for.
func (g *gate) dumps(d *shared) {
	t := g.t
	t.Helper()
	if out := g.runs(exitUsage, "store", "backup", "x"); !strings.Contains(out, "backup needs --url-file FILE") {
		t.Errorf("without the login: got %s", out)
	}
	file := filepath.Join(g.folder, "it's.dump")
	_, line, back := once(t, "store", "backup", file, "--url-file", filepath.Join(g.folder, "owner.dsn"), "-c", g.file())
	if !strings.Contains(back, "pg_restore --clean --if-exists --single-transaction -d DATABASE ") {
		t.Errorf("the way back is not said: %s", back)
	}
	skip := regexp.MustCompile(`(?m)^psql -d DATABASE -c '(.*)'$`).FindStringSubmatch(back)
	if skip == nil {
		t.Fatalf("ids are given again after a restore: %s", back)
	}
	g.leavesIDsOut(d, skip[1])
	sh := exec.Command("sh", "-c", line)
	sh.Env = append(os.Environ(), "PATH="+filepath.Dir(pgtest.Program(t, "pg_dump"))+":"+os.Getenv("PATH"))
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", line, err, out)
	}
	if list, err := exec.Command(pgtest.Program(t, "pg_restore"), "--list", file).Output(); err != nil || !strings.Contains(string(list), "TABLE DATA aclgate tokens") {
		t.Errorf("the dump holds no tokens: %v %s", err, list)
	}
}

// leavesIDsOut checks what a statement does to the ids that are given next, and takes it back.
func (g *gate) leavesIDsOut(d *shared, statement string) {
	g.t.Helper()
	const next = "SELECT coalesce((SELECT next FROM aclgate.ids WHERE kind = k), 1) FROM generate_series(1, 7) k ORDER BY k;"
	ids := strings.Fields(d.SQL(d.database, "BEGIN;"+next+statement+";"+next+"ROLLBACK"))
	numbers := slices.DeleteFunc(ids, func(s string) bool { return strings.Trim(s, "0123456789") != "" })
	if len(numbers) != 14 || numbers[0] == "1" {
		g.t.Fatalf("got %v, want two times the next ids of seven tables, after the first account", ids)
	}
	for i, before := range numbers[:7] {
		var from, to int64
		if _, err := fmt.Sscan(before+" "+numbers[7+i], &from, &to); err != nil || to != from+store.BackupGap {
			g.t.Errorf("table %d: the next id was %s and is %s, %v", 1+i, before, numbers[7+i], err)
		}
	}
}

// What is wrong with a database is said with what to do, and never with the DSN.
func TestBadPostgres(t *testing.T) {
	t.Parallel()
	d := newShared(t)
	good := newSite(t, d.options(d.Port, ""))
	d.fill(good)
	closed := pgtest.FreePort(t)
	other := d.Database()
	for name, row := range map[string]struct {
		dsn  string
		do   string
		code int
		says string
	}{
		"no DSN":         {"hunter2", "", exitSettings, "this is no DSN"},
		"another scheme": {"mysql://u:hunter2@127.0.0.1/x", "", exitSettings, "this is no DSN"},
		"weak TLS":       {"postgres://u:hunter2@db.example.com/x?sslmode=require", "", exitSettings, "below verify-full"},
		"no TLS":         {fmt.Sprintf("postgres://t_replica:hunter2@127.0.0.1:%d/%s", d.Port, d.database), "", exitFailed, "TLS is verify-full"},
		"password":       {fmt.Sprintf("postgres://t_locked:hunter2@127.0.0.1:%d/%s?sslmode=disable", d.Port, d.database), "", exitSettings, "refuses the login"},
		"no database":    {fmt.Sprintf("postgres://t_replica:hunter2@127.0.0.1:%d/nothing?sslmode=disable", d.Port), "", exitSettings, "no such database"},
		"no rights":      {fmt.Sprintf("postgres://t_nobody:hunter2@127.0.0.1:%d/%s?sslmode=disable", d.Port, d.database), "", exitSettings, "aclgate_replica"},
		"no schema":      {fmt.Sprintf("postgres://t_owner:hunter2@127.0.0.1:%d/%s?sslmode=disable", d.Port, other), "", exitSettings, "store migrate"},
		"unreachable":    {fmt.Sprintf("postgres://t_replica:hunter2@127.0.0.1:%d/x?sslmode=disable", closed), "", exitFailed, "refused"},
		"newer":          {pgtest.URL(d.Port, d.database, "t_replica"), "UPDATE aclgate.head SET version = 9", exitSettings, "upgrade aclgate first"},
		"older":          {pgtest.URL(d.Port, d.database, "t_replica"), "UPDATE aclgate.head SET version = 0", exitSettings, "store migrate"},
		"no head":        {pgtest.URL(d.Port, d.database, "t_replica"), "DELETE FROM aclgate.head", exitSettings, "backup"},
	} {
		t.Run(name, func(t *testing.T) {
			if row.do != "" {
				d.SQL(d.database, row.do)
				defer d.SQL(d.database, "DELETE FROM aclgate.head; INSERT INTO aclgate.head (rev, version) SELECT max(rev), 1 FROM aclgate.changes")
			}
			s := newSite(t, siteOptions{store: "kind: postgres, url_file: read.dsn", files: map[string]string{"read.dsn": row.dsn}})
			out := s.runs(row.code, "store", "status", "--offline")
			if !strings.Contains(out, row.says) || strings.Contains(out, "hunter2") {
				t.Errorf("got %s, want %q", out, row.says)
			}
			if row.code == exitSettings {
				out = s.runs(exitSettings, "serve")
			} else {
				out = s.runs(exitSettings, "check")
			}
			if !strings.Contains(out, row.says) || strings.Contains(out, "hunter2") {
				t.Errorf("got %s, want %q", out, row.says)
			}
		})
	}
}

// A gateway starts before its database: 503 until it was read, then it serves.
func TestPostgresComesLater(t *testing.T) {
	t.Parallel()
	d := newShared(t)
	o := d.options(d.Port, "")
	o.settings = "log: {level: error}\n"
	s := newSite(t, o)
	d.fill(s)
	d.Kill()
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 503)
	if status, body := call(t, validKey, "GET", g.api+channel, ""); status != 503 {
		t.Errorf("without a database: got %d %s", status, body)
	}
	d.Up()
	g.await(g.admin+"/readyz", 200)
	if status, body := call(t, validKey, "GET", g.api+channel, ""); status != 200 {
		t.Errorf("with it: got %d %s", status, body)
	}
}

// The benchmark measures a PostgreSQL database, directly and behind a pooler in transaction mode, and
// takes what it made there away. With -long and -v it shows how long a change takes to the last gateway.
func TestBenchOfPostgres(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("measures: not beside the race detector, whose work lets the lease run out")
	}
	d := newShared(t)
	s := newSite(t, siteOptions{})
	d.SQL(d.database, "ALTER ROLE t_owner SUPERUSER")
	ports, tokens := map[string]int{"directly": d.Port}, "50"
	if *long {
		ports["by pgbouncer"], tokens = d.Pooler(), "5000"
	}
	for name, port := range ports {
		out := s.runs(exitOK, "bench", "store", "--tokens", tokens, "--replicas", "3", "--postgres", pgtest.URL(port, d.database, "t_owner"))
		for _, want := range []string{tokens + " tokens", "written in one transaction", "10,000 changes at once: read and applied", "obeyed by the last of 3 gateways, p99"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: the table has no %q:\n%s", name, want, out)
			}
		}
		_, spread, _ := strings.Cut(out, "obeyed by the last")
		t.Logf("%s: obeyed by the last%s", name, spread)
		d.SQL(d.database, "CREATE SCHEMA aclgate; DROP SCHEMA aclgate") // there is none any more
	}
}
