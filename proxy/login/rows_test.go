package login

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

// followed is a gateway on a database.
type followed struct {
	*Service
	live *store.Live
	st   *Store
}

func follow(t *testing.T, e store.Engine) *followed {
	t.Helper()
	f := &followed{}
	f.live = store.NewLive(store.LiveOptions{
		Engine: e, MaxDepth: 4, MaxStaleness: time.Minute, Replica: fmt.Sprint(&f), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Changed: func(_ store.State, what store.What) {
			switch {
			case f.Service == nil:
			case what.Tree || what.Tables.Has(store.Realms) || what.Tables.Has(store.Roles):
				f.Changed()
			case what.Tables.Has(store.Users):
				f.UsersChanged(what.Users)
			}
		},
	})
	f.Service = New(Options{
		Records: f.live, Tree: f.live.Tree, MaxAge: 6 * time.Hour, MaxSessions: 3, Hashers: 1, Cost: bcrypt.MinCost,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Write: func(ctx context.Context, actor string, change func(*store.Tx) error) error {
			_, err := f.live.Write(ctx, actor, change)
			return err
		},
	})
	f.st = f.Store(f.live)
	if err := f.live.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *followed) write(t *testing.T, change func(*store.Tx) error) {
	t.Helper()
	if err := f.o.Write(context.Background(), "test", change); err != nil {
		t.Fatal(err)
	}
}

// database holds a realm with Anna, whose password is an imported hash.
func database(t *testing.T) *memory.Engine {
	t.Helper()
	e := memory.New()
	plain, err := bcrypt.GenerateFromPassword([]byte(anna), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Write(context.Background(), store.LiveOptions{Engine: e, MaxDepth: 4}, "test", func(tx *store.Tx) error {
		for _, row := range []struct {
			table store.Table
			id    int64
			doc   string
		}{
			{store.Accounts, 1, `{"id":1}`}, {store.Accounts, 11, `{"id":11,"parent":1}`},
			{store.Realms, 1, `{"id":1,"cid":11,"public_id":"acme","name":"ACME","token_params":{"access":{"type":0},"ttl":3600}}`},
			{store.Users, 5, `{"id":5,"realm_id":1,"cid":11,"name":"anna"}`},
		} {
			if err := tx.PutDoc(row.table, row.id, []byte(row.doc)); err != nil {
				return err
			}
		}
		return tx.SetSecret(5, string(plain))
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Sessions are in the database: every gateway knows them, a restart ends none, and a logout ends them
// everywhere, with the tokens that they made.
func TestSessionsOfADatabase(t *testing.T) {
	e := database(t)
	a, b := follow(t, e), follow(t, e)
	k := key(t, a.try("acme", "Anna", anna, here))
	if err := b.live.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
	d := store.DigestOf([]byte(k))
	for _, f := range []*followed{a, b, follow(t, e)} {
		rec, err := f.st.Load(d)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().Unix()
		tok := &rec.Token
		if tok.UserID != 5 || tok.Access != policy.Standard || tok.CID != 11 || !tok.Alive(now) || tok.Alive(now+3601) || tok.Used == nil {
			t.Errorf("got %+v", tok)
		}
		tok.Touch(now + 6*3600 - 60)
		if tok.Alive(now + 6*3600) {
			t.Error("it outlives max_age")
		}
	}

	// What the session made is the user's: it dies with the user, and can do no more.
	made := policy.Token{ID: 900, CID: 11, Access: policy.Standard, Enabled: true, Expire: time.Now().Unix() + 1000, Digest: policy.Digest{9}}
	a.write(t, func(tx *store.Tx) error {
		return tx.PutToken(&store.Record{Token: made, Made: store.Made{By: 1, User: 5, Realm: 1}}, nil)
	})
	wantEnabled := func(what string, want bool) {
		t.Helper()
		if rec, err := a.st.Load(made.Digest); err != nil || rec.Token.Enabled != want || rec.Token.UserID != 5 {
			t.Errorf("%s: got %+v, %v", what, rec, err)
		}
	}
	wantEnabled("as long as the user may do it", true)
	for _, c := range []struct{ what, doc string }{
		{"a user with fewer rights", `{"id":5,"realm_id":1,"cid":11,"name":"anna","token_params":{"access":{"type":2,"acl":[]}}}`},
		{"a disabled user", `{"id":5,"realm_id":1,"cid":11,"name":"anna","enabled":false}`},
	} {
		a.write(t, func(tx *store.Tx) error { return tx.PutDoc(store.Users, 5, []byte(c.doc)) })
		wantEnabled(c.what, false)
	}
	a.write(t, func(tx *store.Tx) error {
		return tx.PutDoc(store.Users, 5, []byte(`{"id":5,"realm_id":1,"cid":11,"name":"anna"}`))
	})
	wantEnabled("a user who is back", true)
	if n, err := b.Logout(context.Background(), "test", 5); n != 2 || err != nil {
		t.Errorf("%d tokens were ended, %v", n, err)
	}
	if err := a.live.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*followed{a, b} {
		for _, d := range []policy.Digest{d, made.Digest} {
			if _, err := f.st.Load(d); err != store.ErrNotFound {
				t.Errorf("got %v after logout", err)
			}
		}
	}
}

// There are at most so many sessions of a user, and those that have ended go.
func TestMaxSessionsOfADatabase(t *testing.T) {
	f := follow(t, database(t))
	for range 5 {
		key(t, f.try("acme", "anna", anna, here))
	}
	count := func() (n int) {
		err := f.live.View(context.Background(), func(tx *store.Tx) error {
			return tx.EachOf(store.Tokens, 11, func(row store.Row) error {
				doc, err := record.Parse(row.Doc)
				if user, is := store.IsSession(doc); is && user == 5 {
					n++
				}
				return err
			})
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	if n := count(); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
	f.o.MaxAge = -time.Hour
	key(t, f.try("acme", "anna", anna, here))
	f.o.MaxAge = time.Hour
	key(t, f.try("acme", "anna", anna, here))
	if n := count(); n != 3 {
		t.Errorf("%d sessions, want 3: the one that has ended goes first", n)
	}
}

// A hash of another program is made anew at the first login. A password is changed by who shows it,
// and then the other sessions end.
func TestPasswords(t *testing.T) {
	f := follow(t, database(t))
	first := key(t, f.try("acme", "anna", anna, here))
	secret, err := f.live.Secret(5)
	if err != nil || realm.FormOf(secret) != realm.Own {
		t.Fatalf("got %s, %v", secret, err)
	}
	second := key(t, f.try("acme", "anna", anna, here))
	load := func(k string) (*store.Record, error) { return f.st.Load(store.DigestOf([]byte(k))) }
	rec, err := load(second)
	if err != nil {
		t.Fatal(err)
	}
	const fresh = "another good password"
	change := func(old, password string) Answer {
		body := record.NewObject(record.Member{Name: "current_password", Value: record.NewText(old)}, record.Member{Name: "password", Value: record.NewText(password)})
		return f.User(context.Background(), &rec.Token, "acme", body.Append(nil))
	}
	for _, c := range [][3]string{
		{"wrong wrong wrong", fresh, "current_password is not the password"}, {anna, "short", "12 to 1024"}, {anna, "anna", "12 to 1024"},
	} {
		if a := change(c[0], c[1]); a.Reason != policy.BadBody || !strings.Contains(a.Text, c[2]) || bytes.Contains([]byte(a.Text), []byte(c[0])) {
			t.Errorf("%v: got %+v", c, a)
		}
	}
	if a := change(anna, fresh); a.Reason != policy.OwnAnswer || !bytes.Contains(a.Body, []byte(`"name":"anna"`)) {
		t.Fatalf("got %+v", a)
	}
	if _, err := load(first); err != store.ErrNotFound {
		t.Errorf("the other session: %v", err)
	}
	if _, err := load(second); err != nil {
		t.Errorf("the own session: %v", err)
	}
	if a := f.try("acme", "anna", anna, here); a.Reason != policy.LoginFailed {
		t.Errorf("the old password: %v", a.Reason)
	}
	key(t, f.try("acme", "anna", fresh, here))

	// Email and metadata are the user's own, and nothing else is.
	for body, want := range map[string]policy.Reason{
		`{"email":"a@example.com","metadata":{"a":1}}`: policy.OwnAnswer, `{"roles":["admin"]}`: policy.BadBody, `{"enabled":true}`: policy.BadBody,
		`{"token_params":{"access":{"type":1}}}`: policy.BadBody, `{"name":"bert"}`: policy.BadBody, `{}`: policy.BadBody, `[]`: policy.BadBody, `{"email":7}`: policy.BadBody,
	} {
		if a := f.User(context.Background(), &rec.Token, "acme", []byte(body)); a.Reason != want {
			t.Errorf("%s: got %+v", body, a)
		}
	}
	if a := f.User(context.Background(), &rec.Token, "other", nil); a.Reason != policy.NoEntry {
		t.Errorf("got %+v of a realm that is not the user's", a)
	}
	doc, _ := record.Parse(f.live.Doc(store.Users, 5))
	if doc.Get("email").Text != "a@example.com" || strings.Contains(doc.String(), "$") || doc.Get("roles").Shape != record.Absent {
		t.Errorf("got %s", doc)
	}
}

// What another gateway has done, and this one has not heard of yet, counts where a session is written and
// where sessions end: none is made for a user who was closed, and none is overlooked in an account that
// is new.
func TestAnotherGatewayWasFaster(t *testing.T) {
	e := database(t)
	a, b := follow(t, e), follow(t, e)
	key(t, b.try("acme", "anna", anna, here)) // the imported hash is renewed
	if _, err := b.Logout(context.Background(), "test", 5); err != nil {
		t.Fatal(err)
	}
	if err := a.live.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
	a.write(t, func(tx *store.Tx) error {
		return tx.PutDoc(store.Users, 5, []byte(`{"id":5,"realm_id":1,"cid":11,"name":"anna","enabled":false}`))
	})
	_, verifier, err := b.check(&realm.Realm{ID: 1}, "anna", anna, false)
	rights, in := b.directory.rights(5)
	if err != nil || !in {
		t.Fatalf("the second gateway has heard of it already: %v", err)
	}
	if id, err := b.keep(context.Background(), policy.Digest{7}, 5, verifier, &rights, time.Now()); err != errClosed {
		t.Errorf("a session %d was made for a user who is closed: %v", id, err)
	}
	made := policy.Digest{9}
	a.write(t, func(tx *store.Tx) error {
		if err := tx.PutDoc(store.Accounts, 111, []byte(`{"id":111,"parent":11}`)); err != nil {
			return err
		}
		if err := tx.PutDoc(store.Users, 5, []byte(`{"id":5,"realm_id":1,"cid":11,"name":"anna"}`)); err != nil {
			return err
		}
		return tx.PutToken(&store.Record{Token: policy.Token{ID: 900, CID: 111, Access: policy.Standard, Enabled: true, Expire: time.Now().Unix() + 1000, Digest: made}, Made: store.Made{By: 1, User: 5, Realm: 1}}, nil)
	})
	if id, err := b.keep(context.Background(), policy.Digest{8}, 5, "another", &rights, time.Now()); err != errClosed {
		t.Errorf("a session %d was made by a password that is another one now: %v", id, err)
	}
	if n, err := b.Logout(context.Background(), "test", 5); n != 1 || err != nil {
		t.Errorf("%d tokens were ended, want that of the new account: %v", n, err)
	}
}
