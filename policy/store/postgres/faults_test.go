package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/postgres/pgtest"
)

// A DSN gives TLS that names the server, or is refused; whatever it says, no error shows it.
func TestDSN(t *testing.T) {
	t.Setenv("PGSSLMODE", "disable") // the environment has no say
	for _, row := range []struct {
		dsn  string
		want error
	}{
		{"postgres://u:hunter2@db.example.com/x", nil},
		{"postgres://u:hunter2@db.example.com/x?sslmode=verify-full", nil},
		{"host=db.example.com user=u password=hunter2 dbname=x", nil},
		{"host=a.example.com,b.example.com user=u password=hunter2 dbname=x", nil},
		{"postgres://u:hunter2@127.0.0.1/x?sslmode=disable", nil},
		{"postgres://u:hunter2@[::1]/x?sslmode=prefer", nil},
		{"host=/run/postgresql user=u password=hunter2 dbname=x sslmode=disable", nil},
		{"postgres://u:hunter2@db.example.com/x?sslmode=verify-ca", errWeak},
		{"postgres://u:hunter2@db.example.com/x?sslmode=require", errWeak},
		{"postgres://u:hunter2@db.example.com/x?sslmode=prefer", errWeak},
		{"host=db.example.com user=u password=hunter2 dbname=x sslmode=disable", errWeak},
		{"host=127.0.0.1,db.example.com user=u password=hunter2 dbname=x sslmode=allow", errWeak},
		{"postgres://u:hunter2@10.0.0.1/x?sslmode=disable", errWeak},
		{"hunter2", errDSN}, {"", errDSN}, {"postgres://u:hunter2@db:port/x", errDSN}, {"mysql://u:hunter2@db/x", errDSN},
		{"postgres://u:hunter2@db/x?sslmode=hunter2", errDSN}, {"postgres://u:hunter2@db/x?sslrootcert=/hunter2", errDSN},
	} {
		c, err := parse(row.dsn)
		if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%s: got %v, want %v", row.dsn, err, row.want)
			continue
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s is shown by %v", row.dsn, err)
		}
		if err == nil && strings.Contains(name(c), "hunter2") {
			t.Errorf("%s is shown by its name %s", row.dsn, name(c))
		}
	}
	c, err := parse("host=a.example.com,b.example.com user=u dbname=x")
	if err != nil || c.ConnConfig.ValidateConnect == nil {
		t.Errorf("several hosts: got %v, want the one that takes writes to be looked for", err)
	}
}

// Neither login can touch the numbering or the history, and the one that reads writes no record and
// reads no secret.
func TestRights(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	_, database := fresh(t, s)
	for _, row := range []struct {
		login, statement string
		may              bool
	}{
		{"t_admin", "INSERT INTO aclgate.accounts (id, doc) VALUES (1, '{\"id\":1}')", true},
		{"t_admin", "UPDATE aclgate.head SET rev = 0", false},
		{"t_admin", "DELETE FROM aclgate.changes", false},
		{"t_admin", "INSERT INTO aclgate.changes (rev, kind, ids, actor) VALUES (9, 2, '{}', 'x')", false},
		{"t_admin", "TRUNCATE aclgate.tokens", false},
		{"t_admin", "ALTER TABLE aclgate.tokens DISABLE TRIGGER ALL", false},
		{"t_admin", "SET session_replication_role = replica", false},
		{"t_admin", "SELECT aclgate.note_change(2::smallint, '{}', null, null)", false},
		{"t_replica", "SELECT 1 FROM aclgate.tokens", true},
		{"t_replica", "INSERT INTO aclgate.accounts (id, doc) VALUES (2, '{\"id\":2}')", false},
		{"t_replica", "DELETE FROM aclgate.tokens", false},
		{"t_replica", "SELECT 1 FROM aclgate.secrets", false},
		{"t_replica", "SELECT 1 FROM aclgate.sealed", false},
		{"t_replica", "SELECT aclgate.begin_change('operator')", false},
		{"t_replica", "SELECT aclgate.prune(now(), now())", false},
		{"t_nobody", "SELECT 1 FROM aclgate.tokens", false},
	} {
		out, err := s.TrySQL(database, row.login, row.statement)
		if (err == nil) != row.may {
			t.Errorf("%s: %s: got %v %s, want it to be allowed: %t", row.login, row.statement, err, out, row.may)
		}
	}
	if got := s.SQL(database, "SELECT actor FROM aclgate.changes"); got != "db:t_admin" {
		t.Errorf("the actor of a hand: got %q", got)
	}
}

// follow returns a store that follows an engine.
func follow(t *testing.T, e store.Engine) *store.Live {
	t.Helper()
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, Poll: 50 * time.Millisecond, MaxStaleness: 10 * time.Second, Replica: "a", Logger: slog.New(slog.DiscardHandler)})
	if err := l.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// finds reports whether a store has the token that enginetest.Token made.
func finds(l *store.Live, id int64, salt string) bool {
	_, err := l.Load(store.DigestOf(fmt.Appendf(nil, "%d/%s", id, salt)))
	return err == nil
}

// A row that a hand breaks, in whatever field, costs its own token and nothing else.
func TestRowsBrokenByHand(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e, database := fresh(t, s)
	_, err := e.Write(t.Context(), "operator", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, 5, enginetest.Token(5, 1, "a")), w.Put(store.Tokens, 6, enginetest.Token(6, 1, "a")))
	})
	if err != nil {
		t.Fatal(err)
	}
	l := follow(t, e)
	sound := string(enginetest.Token(5, 1, "a"))
	for _, broken := range [][2]string{
		{`"cid":1`, `"cid":0`}, {`"cid":1`, `"cid":77`}, {`"expire":4102444800`, `"expire":"soon"`}, {`"expire":4102444800`, `"expire":-1`},
		{`"expire":4102444800,`, ``}, {`"access":{"type":1}`, `"access":{"type":7}`}, {`"access":{"type":1}`, `"access":[]`},
		{`"access":{"type":1}`, `"access":{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"],"ids":null}]}`},
		{`"access":{"type":1}`, `"access":{"type":2,"acl":[{"uri":"gw/devices","methods":["FETCH"],"ids":[1]}]}`},
		{`"info":"a"`, `"info":["a"]`}, {`"info":"a"`, `"ips":["no address"]`}, {`"info":"a"`, `"origins":["no origin"]`}, {`"info":"a"`, `"ttl":"x"`},
		{`"info":"a"`, `"enabled":"yes"`}, {`"info":"a"`, `"unknown":1`}, {`"info":"a"`, `"info":"a","info":"b"`}, {`"info":"a"`, `"created":"x"`},
	} {
		doc := strings.Replace(sound, broken[0], broken[1], 1)
		s.SQL(database, "UPDATE aclgate.tokens SET doc = '"+doc+"' WHERE id = 5")
		if err := l.Follow(t.Context()); err != nil {
			t.Fatalf("%s: the feed stops: %v", doc, err)
		}
		if finds(l, 5, "a") || !finds(l, 6, "a") {
			t.Errorf("%s: token 5 is known: %t, token 6: %t", doc, finds(l, 5, "a"), finds(l, 6, "a"))
		}
		s.SQL(database, "UPDATE aclgate.tokens SET doc = '"+sound+"' WHERE id = 5")
		if err := l.Follow(t.Context()); err != nil || !finds(l, 5, "a") {
			t.Errorf("mended after %s: got %v, known: %t", doc, err, finds(l, 5, "a"))
		}
	}
	s.SQL(database, "SET session_replication_role = replica; DELETE FROM aclgate.tokens WHERE id = 5")
	if err := l.Follow(t.Context()); err != nil || finds(l, 5, "a") {
		t.Errorf("a hand that puts triggers to sleep: got %v, still known: %t", err, finds(l, 5, "a"))
	}
}

// A standby that lacks what was acknowledged and is promoted has the same numbers soon, and other
// marks: that is noticed, and what was revoked in the lost revisions is not served.
func TestPromotedStandbyThatIsBehind(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e, database := fresh(t, s)
	put := func(e *Engine, id int64) store.Head {
		t.Helper()
		head, err := e.Write(t.Context(), "operator", func(w store.Writer) error { return w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")) })
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	if _, err := e.Write(t.Context(), "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, []byte(`{"id":1}`)) }); err != nil {
		t.Fatal(err)
	}
	for id := int64(1); id <= 5; id++ {
		put(e, id)
	}
	b := s.Standby()
	turned := &turning{Engine: e}
	l := follow(t, turned)
	behind := reopen(t, b.Port, database)
	deadline := time.Now().Add(time.Minute)
	for b.SQL(database, "SELECT rev FROM aclgate.head") != s.SQL(database, "SELECT rev FROM aclgate.head") && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if warnings, err := e.Durability(t.Context()); err != nil || !strings.Contains(strings.Join(warnings, "\n"), "the standbys are asynchronous") {
		t.Errorf("an asynchronous standby: got %q, %v", warnings, err)
	}
	if _, err := behind.Since(t.Context(), 0); !errors.Is(err, errStandby) {
		t.Errorf("a standby answers: %v", err)
	}
	if err := behind.Beat(t.Context(), store.Beat{Replica: "x"}); code(err) != codeReadOnly || !strings.Contains(err.Error(), "standby") {
		t.Errorf("a standby takes a beat: %v", err)
	}
	b.SQL("postgres", "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()")
	for b.SQL("postgres", "SELECT count(*) FROM pg_stat_wal_receiver") != "0" && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := e.Write(t.Context(), "operator", func(w store.Writer) error { return w.Delete(store.Tokens, 3) }); err != nil {
		t.Fatal(err)
	}
	if err := l.Follow(t.Context()); err != nil || finds(l, 3, "a") {
		t.Fatalf("got %v, token 3 is known: %t", err, finds(l, 3, "a"))
	}
	last := put(e, 20)
	if err := l.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	b.Promote()
	for b.SQL("postgres", "SELECT pg_is_in_recovery()") != "f" && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	for head := (store.Head{}); head.Rev <= last.Rev; {
		head = put(behind, 100+head.Rev)
	}
	turned.Engine = behind
	if err := l.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	stats := l.Stats()
	if stats.Resyncs["rewind"] != 1 || stats.InDoubt == 0 {
		t.Errorf("got %+v, want a rewind, and tokens in doubt", stats)
	}
	if finds(l, 3, "a") || !finds(l, 4, "a") {
		t.Errorf("a token that was revoked and came back is served: %t; one that nobody touched: %t", finds(l, 3, "a"), finds(l, 4, "a"))
	}
}

// turning is an engine behind which another one can be put, as a name in DNS is.
type turning struct{ *Engine }

// Writers at once, of which some give up, and a server that is killed in the middle of it: what was
// acknowledged is there, numbers have no gaps, and who follows has seen every change in its order.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e, database := fresh(t, s)
	rounds, writers := 4, 50
	if testing.Short() {
		rounds, writers = 1, 10
	}
	var mu sync.Mutex
	acknowledged := map[int64]bool{}
	for round := range rounds {
		ctx, stop := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for k := range writers {
			group.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					id := int64(1 + i + 100000*(k+writers*round))
					_, err := e.Write(ctx, "w", func(w store.Writer) error {
						if err := w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")); err != nil || i%20 == 7 {
							return errors.Join(err, errors.New("given up"))
						}
						return nil
					})
					if err == nil {
						mu.Lock()
						acknowledged[id] = true
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(1500 * time.Millisecond)
		s.Kill()
		stop()
		group.Wait()
		s.Up()
	}
	there := map[int64]bool{}
	head, _, err := e.All(t.Context(), func(r store.Row) error { there[r.ID] = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("token %d was acknowledged and is gone", id)
		}
	}
	rev := int64(0)
	err = e.Changes(t.Context(), store.ChangeQuery{Limit: 1 << 30}, func(c store.Change) error {
		if rev++; c.Rev != rev {
			t.Fatalf("revision %d after %d", c.Rev, rev-1)
		}
		return nil
	})
	if err != nil || rev != head.Rev || len(acknowledged) < rounds*writers/2 {
		t.Errorf("%d changes, head %d, %d acknowledged, %v", rev, head.Rev, len(acknowledged), err)
	}
	t.Logf("%d kills, %d acknowledged changes, %d rows in %s", rounds, len(acknowledged), len(there), database)
}

// Settings by which a change that was answered can be lost are named, and no others.
func TestDurability(t *testing.T) {
	for _, row := range []struct {
		commit, fsync, names string
		standbys             int
		want                 string
	}{
		{"on", "on", "", 0, ""}, {"on", "on", "a", 1, ""}, {"remote_apply", "on", "a", 1, ""}, {"local", "on", "", 0, ""},
		{"on", "off", "", 0, "fsync is off"}, {"off", "on", "", 0, "synchronous_commit is off"}, {"off", "on", "a", 1, "synchronous_commit is off"},
		{"local", "on", "a", 1, "is local"}, {"remote_write", "on", "a", 1, "is remote_write"}, {"on", "on", "", 1, "are asynchronous"},
	} {
		got := lossy(row.commit, row.fsync, row.names, row.standbys)
		if len(got) > 1 || row.want == "" != (len(got) == 0) || len(got) == 1 && !strings.Contains(got[0], row.want) {
			t.Errorf("%+v: got %q", row, got)
		}
	}
}

// A server that waits for a standby which is away commits nothing: no beat that a lease may rest on
// comes back. What others wait for is told all the same, and so is what it says then.
func TestLazyBeatWaitsForNobody(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	e, _ := fresh(t, s)
	if err := e.Beat(t.Context(), store.Beat{Replica: "x", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	s.SQL("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	s.SQL("postgres", "SELECT pg_reload_conf()")
	for end := time.Now().Add(time.Minute); ; {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := e.Beat(ctx, store.Beat{Replica: "x", Version: "1"})
		cancel()
		if err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server still commits")
		}
	}
	if err := e.Beat(t.Context(), store.Beat{Replica: "x", Version: "2", Lazy: true}); err != nil {
		t.Fatal(err)
	}
	if all, err := e.Replicas(t.Context()); err != nil || len(all) != 1 || all[0].Version != "2" {
		t.Errorf("got %+v, %v", all, err)
	}
}
