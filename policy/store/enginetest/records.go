package enginetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"aclgate/policy/store"
)

// wantNoRow: what is not there is said not to be.
func wantNoRow(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNoRow) {
		t.Errorf("%s: got %v, want %v", what, err, store.ErrNoRow)
	}
}

// wantDocs compares the rows of a table with what they have to say, whatever their ids.
func wantDocs(t *testing.T, e store.Engine, table store.Table, want ...any) (ids []int64) {
	t.Helper()
	var docs []any
	_, _, err := e.All(ctx, func(r store.Row) error {
		if r.Table != table {
			return nil
		}
		var v any
		ids = append(ids, r.ID)
		err := json.Unmarshal(r.Doc, &v)
		docs = append(docs, v)
		return err
	})
	got, _ := json.Marshal(docs)
	wanted, _ := json.Marshal(want)
	if err != nil || len(docs) != len(want) || len(want) > 0 && !bytes.Equal(got, wanted) {
		t.Errorf("%s: got %s, %v, want %s", table, got, err, wanted)
	}
	return ids
}

func item(collection string, id, cid int64) any {
	return map[string]any{"collection": collection, "id": id, "cid": cid}
}

// owners: an item has one account, changes name its row, and a number never means another item.
func owners(t *testing.T, e store.Engine) {
	head := write(t, e, "17", func(w store.Writer) error {
		return errors.Join(w.PutOwner(store.Owner{Collection: "gw/devices", ID: 7, CID: 1}), w.PutOwner(store.Owner{Collection: "gw/streams", ID: 7, CID: 2}))
	})
	ids := wantDocs(t, e, store.Items, item("gw/devices", 7, 1), item("gw/streams", 7, 2))
	same := write(t, e, "17", func(w store.Writer) error {
		return w.PutOwner(store.Owner{Collection: "gw/devices", ID: 7, CID: 1})
	})
	if same.Rev != head.Rev {
		t.Error("what was known made a revision")
	}
	moved := write(t, e, "17", func(w store.Writer) error {
		if o, err := w.Owner("gw/devices", 7); err != nil || o.CID != 1 {
			t.Errorf("got %+v, %v", o, err)
		}
		_, err := w.Owner("gw/devices", 8)
		wantNoRow(t, "owner", err)
		return w.PutOwner(store.Owner{Collection: "gw/devices", ID: 7, CID: 3})
	})
	b := since(t, e, head.Rev)
	if len(b.Changes) != 1 || b.Changes[0].Table != store.Items || !slices.Equal(b.Changes[0].IDs, ids[:1]) || len(b.Rows) != 1 {
		t.Errorf("got %+v, want one change of row %d", b, ids[0])
	}
	write(t, e, "17", func(w store.Writer) error {
		wantNoRow(t, "delete", w.DeleteOwner("gw/calcs", 7))
		return errors.Join(w.DeleteOwner("gw/devices", 7), w.PutOwner(store.Owner{Collection: "gw/calcs", ID: 9, CID: 3}))
	})
	if b := since(t, e, moved.Rev); len(b.Changes) != 2 || b.Rows[0].ID != ids[0] || b.Rows[0].Doc != nil {
		t.Errorf("got %+v, want row %d gone and another one", b, ids[0])
	}
	if now := wantDocs(t, e, store.Items, item("gw/streams", 7, 2), item("gw/calcs", 9, 3)); slices.Contains(now, ids[0]) {
		t.Error("the number of a row was given twice")
	}
	holds(t, e, store.Items, 3, true)
	holds(t, e, store.Items, 1, false)
	err := e.Changes(ctx, store.ChangeQuery{After: head.Rev, Table: store.Items, Limit: 1}, func(c store.Change) error {
		if !json.Valid(c.Before) || !json.Valid(c.After) || c.Actor != "17" {
			t.Errorf("got %s, %s by %s", c.Before, c.After, c.Actor)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, table := range []store.Table{store.Items, store.GrantLinks} {
		_, err := e.Write(ctx, "17", func(w store.Writer) error { return w.Put(table, 1, []byte("{}")) })
		_, err2 := e.Write(ctx, "17", func(w store.Writer) error { return w.Delete(table, 1) })
		if err == nil || err2 == nil {
			t.Errorf("%s takes documents", table)
		}
	}
}

func holds(t *testing.T, e store.Engine, table store.Table, account int64, want bool) {
	t.Helper()
	err := e.View(ctx, func(r store.Reader) error {
		got, err := r.Holds(table, account)
		if got != want {
			t.Errorf("%s of %d: got %t", table, account, got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// belonging: rows are found by the account that they belong to, also those that the transaction has
// written.
func belonging(t *testing.T, e store.Engine) {
	of := func(r store.Reader, table store.Table, account int64) (ids []int64) {
		err := r.EachOf(table, account, func(row store.Row) error {
			if row.Table != table || row.Doc == nil {
				t.Errorf("got %+v", row)
			}
			ids = append(ids, row.ID)
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", table, err)
		}
		return ids
	}
	want := func(what string, got []int64, want ...int64) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	write(t, e, "operator", func(w store.Writer) error {
		err := errors.Join(put(w, store.Accounts, map[int64][]byte{1: account(1, 0), 2: account(2, 1), 3: account(3, 1)}),
			put(w, store.Tokens, map[int64][]byte{7: Token(7, 2, "a"), 5: Token(5, 2, "b"), 6: Token(6, 3, "c")}),
			put(w, store.Limits, map[int64][]byte{4: doc(4, "")}), w.PutOwner(store.Owner{Collection: "gw/devices", ID: 9, CID: 3}))
		want("tokens in the transaction", of(w, store.Tokens, 2), 5, 7)
		return errors.Join(err, w.Delete(store.Tokens, 5))
	})
	err := e.View(ctx, func(r store.Reader) error {
		want("tokens of 2", of(r, store.Tokens, 2), 7)
		want("tokens of 1", of(r, store.Tokens, 1))
		want("accounts below 1", of(r, store.Accounts, 1), 2, 3)
		want("limits of 1", of(r, store.Limits, 1), 4)
		if n := len(of(r, store.Items, 3)); n != 1 {
			t.Errorf("items of 3: got %d", n)
		}
		if r.EachOf(store.GrantLinks, 1, func(store.Row) error { return nil }) == nil {
			t.Error("links belong to an account")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func doc(id int64, more string) []byte { return fmt.Appendf(nil, `{"id":%d,"cid":1%s}`, id, more) }

// links: a row is all links of a grant, and goes with it.
func links(t *testing.T, e store.Engine) {
	head := write(t, e, "17", func(w store.Writer) error {
		wantNoRow(t, "unlink", w.Unlink(4, 12))
		return errors.Join(w.Put(store.Accounts, 1, account(1, 0)), w.Put(store.Grants, 4, doc(4, "")), w.Put(store.Grants, 5, doc(5, "")),
			w.Link(4, 13), w.Link(4, 12), w.Link(4, 13), w.Link(5, 12))
	})
	wantDocs(t, e, store.GrantLinks, []int64{12, 13}, []int64{12})
	_, err := e.Write(ctx, "17", func(w store.Writer) error { return w.Link(99, 12) })
	wantNoRow(t, "a grant that is not there", err)
	holds(t, e, store.GrantLinks, 13, true)
	holds(t, e, store.GrantLinks, 14, false)
	write(t, e, "17", func(w store.Writer) error { return w.Unlink(4, 13) })
	b := since(t, e, head.Rev)
	if len(b.Changes) != 1 || b.Changes[0].Table != store.GrantLinks || len(b.Rows) != 1 || b.Rows[0].ID != 4 || string(b.Rows[0].Doc) != "[12]" {
		t.Errorf("got %+v, want the links of grant 4", b)
	}
	gone := write(t, e, "17", func(w store.Writer) error { return w.Delete(store.Grants, 4) })
	wantDocs(t, e, store.GrantLinks, []int64{12})
	var last store.Row
	for _, r := range since(t, e, gone.Rev-2).Rows {
		if r.Table == store.GrantLinks {
			last = r
		}
	}
	if last.ID != 4 || last.Doc != nil {
		t.Errorf("got %+v, want the links of grant 4 gone", last)
	}
}

// secrets: sealed keys and verifiers make no revision, stand in no history, and go with their rows.
func secrets(t *testing.T, e store.Engine) {
	box := []byte{0, 1, 255, 0}
	head := write(t, e, "17", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, account(1, 0)), w.Put(store.Tokens, 5, Token(5, 1, "a")),
			w.Put(store.Realms, 2, doc(2, `,"public_id":"r"`)), w.Put(store.Users, 3, doc(3, `,"realm_id":2,"name":"Zoë"`)))
	})
	after := write(t, e, "17", func(w store.Writer) error {
		return errors.Join(w.Seal(5, []byte("x")), w.Seal(5, box), w.SetSecret(3, "old"), w.SetSecret(3, "$2b$verifier"))
	})
	if after.Rev != head.Rev {
		t.Errorf("secrets made revision %d", after.Rev)
	}
	read := func(there bool) {
		t.Helper()
		err := e.View(ctx, func(r store.Reader) error {
			got, err := r.Sealed(5)
			verifier, err2 := r.Secret(3)
			if there && (!bytes.Equal(got, box) || verifier != "$2b$verifier") {
				t.Errorf("got %v %v, %q %v", got, err, verifier, err2)
			}
			if !there {
				wantNoRow(t, "sealed", err)
				wantNoRow(t, "secret", err2)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	read(true)
	_, err := e.Write(ctx, "17", func(w store.Writer) error { return w.Seal(9, box) })
	wantNoRow(t, "sealing a token that is not there", err)
	_, err = e.Write(ctx, "17", func(w store.Writer) error { return w.SetSecret(9, "x") })
	wantNoRow(t, "the secret of a user who is not there", err)
	write(t, e, "17", func(w store.Writer) error {
		return errors.Join(w.Delete(store.Tokens, 5), w.Delete(store.Users, 3), w.Put(store.Tokens, 5, Token(5, 1, "a")), w.Put(store.Users, 3, doc(3, `,"realm_id":2,"name":"zoe"`)))
	})
	read(false)
	err = e.Changes(ctx, store.ChangeQuery{Limit: 100}, func(c store.Change) error {
		if all := append(c.Before, c.After...); bytes.Contains(all, []byte("verifier")) || bytes.Contains(all, box) {
			t.Errorf("the history says %s", all)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// deleted: documents can be found again, until a row with the id is there; those of tokens never.
func deleted(t *testing.T, e store.Engine) {
	write(t, e, "17", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, account(1, 0)), w.Put(store.Tokens, 5, Token(5, 1, "a")),
			w.Put(store.Limits, 6, doc(6, "")), w.Put(store.Limits, 7, doc(7, "")), w.Delete(store.Limits, 7), w.Delete(store.Limits, 6), w.Delete(store.Tokens, 5))
	})
	gone := func(table store.Table) (ids []int64) {
		t.Helper()
		err := e.View(ctx, func(r store.Reader) error {
			return r.EachDeleted(table, func(d store.Deleted) error {
				if age := time.Since(d.At); d.Table != table || age > time.Hour || age < -time.Hour || !bytes.Equal(d.Doc, doc(d.ID, "")) {
					t.Errorf("got %+v", d)
				}
				ids = append(ids, d.ID)
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
		return ids
	}
	if got := gone(store.Limits); !slices.Equal(got, []int64{6, 7}) {
		t.Errorf("got limits %v, want 6 and 7", got)
	}
	if got := gone(store.Tokens); len(got) > 0 {
		t.Errorf("tokens %v can be found again", got)
	}
	write(t, e, "17", func(w store.Writer) error { return w.Put(store.Limits, 6, doc(6, "")) })
	if got := gone(store.Limits); !slices.Equal(got, []int64{7}) {
		t.Errorf("got limits %v, want 7 alone", got)
	}
}

// referred: what only one record may have is refused, and names are the same in whatever case.
func referred(t *testing.T, e store.Engine) {
	write(t, e, "17", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, account(1, 0)), w.Put(store.Realms, 2, doc(2, `,"public_id":"r"`)),
			w.Put(store.Users, 3, doc(3, `,"realm_id":2,"name":"Ann"`)), w.Put(store.Roles, 4, doc(4, `,"realm_id":2`)))
	})
	for name, change := range map[string]func(store.Writer) error{
		"public_id": func(w store.Writer) error { return w.Put(store.Realms, 9, doc(9, `,"public_id":"r"`)) },
		"name":      func(w store.Writer) error { return w.Put(store.Users, 9, doc(9, `,"realm_id":2,"name":"aNN"`)) },
	} {
		if _, err := e.Write(ctx, "17", change); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrTaken)
		}
	}
	holds(t, e, store.Roles, 2, true)
	holds(t, e, store.Roles, 1, false)
	holds(t, e, store.Users, 1, true)
}

// leave: who left, or has not beaten since it was looked at, is forgotten.
func leave(t *testing.T, e store.Engine) {
	for _, name := range []string{"a", "b", "c"} {
		if err := e.Beat(ctx, store.Beat{Replica: name, Version: "1", Applied: 3}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := e.Replicas(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return // one process at a time
	}
	if err := errors.Join(e.Leave(ctx, "b"), e.Leave(ctx, "nobody"), e.Forget(ctx, "c", 7)); err != nil {
		t.Error(err)
	}
	all, err = e.Replicas(ctx)
	if err != nil || len(all) != 2 || all[0].Replica != "a" || all[1].Replica != "c" {
		t.Errorf("got %+v, %v, want a and c", all, err)
	}
	if err := errors.Join(e.Beat(ctx, store.Beat{Replica: "c", Version: "1", Applied: 4}), e.Forget(ctx, "c", all[1].Beats), e.Forget(ctx, "a", all[0].Beats)); err != nil {
		t.Error(err)
	}
	if all, err = e.Replicas(ctx); err != nil || len(all) != 1 || all[0].Replica != "c" {
		t.Errorf("got %+v, %v, want c alone, which has beaten meanwhile", all, err)
	}
}
