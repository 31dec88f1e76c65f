package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/memory"
)

// recording follows an engine and notes what is told.
type recording struct {
	*store.Live
	e     *memory.Engine
	what  []store.What
	owned [][]store.Owner
}

func record(t *testing.T) *recording {
	r := &recording{e: memory.New()}
	r.Live = newLive(t, r.e, func(o *store.LiveOptions) {
		o.Changed = func(_ store.State, w store.What) { r.what = append(r.what, w) }
		o.Owned = func(all []store.Owner) { r.owned = append(r.owned, slices.Clone(all)) }
	})
	return r
}

// do makes a change and returns what was told of it.
func (r *recording) do(t *testing.T, change func(*store.Tx) error) (store.What, [][]store.Owner) {
	t.Helper()
	r.what, r.owned = nil, nil
	if _, err := r.Write(t.Context(), "test", change); err != nil {
		t.Fatal(err)
	}
	if len(r.what) != 1 {
		t.Fatalf("told %d times, want once", len(r.what))
	}
	return r.what[0], r.owned
}

func tables(all ...store.Table) (s store.TableSet) {
	for _, t := range all {
		s = s.With(t)
	}
	return s
}

// Every kind is kept as it is, by id, and who judges by it is told that it moved, once for a
// transaction.
func TestLiveKeepsDocuments(t *testing.T) {
	r := record(t)
	docs := map[store.Table]string{
		store.Roles: `{"id":2,"realm_id":3,"x":1}`, store.Grants: `{"id":2,"cid":1}`, store.Limits: `{"id":2,"cid":1,"tokens_count":5}`,
		store.Realms: `{"id":3,"cid":1,"public_id":"r"}`, store.Users: `{"id":2,"cid":1,"realm_id":3,"name":"Zoë"}`,
	}
	what, _ := r.do(t, func(tx *store.Tx) (err error) {
		for _, table := range []store.Table{store.Realms, store.Roles, store.Grants, store.Limits, store.Users} {
			id := int64(2)
			if table == store.Realms {
				id = 3
			}
			err = errors.Join(err, tx.PutDoc(table, id, []byte(docs[table])))
		}
		return errors.Join(err, tx.Link(2, 1))
	})
	if want := tables(store.Roles, store.Grants, store.Limits, store.Realms, store.Users, store.GrantLinks); !reflect.DeepEqual(what, store.What{Tables: want, Users: []int64{2}}) {
		t.Errorf("told %+v, want %b and user 2", what, want)
	}
	for table, want := range docs {
		n := 0
		for id, doc := range r.Docs(table) {
			if n++; string(doc) != want || string(r.Doc(table, id)) != want {
				t.Errorf("%s/%d: got %s, want %s", table, id, doc, want)
			}
		}
		if n != 1 || r.State().Rows[table] != 1 {
			t.Errorf("%s: got %d documents, %d in the state", table, n, r.State().Rows[table])
		}
	}
	if got := r.Links(2); !slices.Equal(got, []int64{1}) || len(r.Links(9)) > 0 {
		t.Errorf("the grant is for %v, want 1", got)
	}
	r.do(t, func(tx *store.Tx) error { return tx.Delete(store.Grants, 2) })
	if r.Doc(store.Grants, 2) != nil || r.Links(2) != nil {
		t.Error("a grant that is gone is kept")
	}
	r.do(t, func(tx *store.Tx) error { return tx.Undelete(store.Grants, 2) })
	if string(r.Doc(store.Grants, 2)) != docs[store.Grants] || r.Links(2) != nil {
		t.Error("a grant that was put back is not there, or its links are")
	}
}

// Whose items are is told change by change, and as a whole after a reading of everything.
func TestLiveKeepsOwners(t *testing.T) {
	r := record(t)
	dev := func(id, cid int64) store.Owner { return store.Owner{Collection: "gw/devices", ID: id, CID: cid} }
	step := func(want []store.Owner, change func(*store.Tx) error) {
		t.Helper()
		what, owned := r.do(t, change)
		if !reflect.DeepEqual(what, store.What{Tables: tables(store.Items)}) || len(owned) != 1 || !slices.Equal(owned[0], want) {
			t.Errorf("told %+v, %+v, want %+v", what, owned, want)
		}
	}
	step([]store.Owner{dev(7, 1), dev(8, 1)}, func(tx *store.Tx) error { return errors.Join(tx.PutOwner(dev(7, 1)), tx.PutOwner(dev(8, 1))) })
	step([]store.Owner{dev(8, 0)}, func(tx *store.Tx) error { return tx.DeleteOwner("gw/devices", 8) })
	if cid, found := r.Owner("gw/devices", 7); !found || cid != 1 {
		t.Errorf("got %d, %t", cid, found)
	}
	for _, absent := range []store.Owner{dev(8, 0), {Collection: "gw/calcs", ID: 7}} {
		if cid, found := r.Owner(absent.Collection, absent.ID); found {
			t.Errorf("%+v is of %d", absent, cid)
		}
	}
	if _, err := r.Write(t.Context(), "test", func(tx *store.Tx) error { return tx.PutOwner(dev(9, 99)) }); !store.IsFault(err) {
		t.Errorf("an account that is not there: got %v", err)
	}
	back := r.e.Snapshot()
	r.do(t, func(tx *store.Tx) error { return tx.PutOwner(dev(9, 1)) })
	r.e.Restore(back)
	r.owned = nil
	follow(t, r.Live)
	if len(r.owned) != 1 || r.owned[0] != nil {
		t.Errorf("after all was read anew told %+v, want nil once", r.owned)
	}
	if all := slices.Collect(r.Owners()); !slices.Equal(all, []store.Owner{dev(7, 1)}) {
		t.Errorf("got %+v", all)
	}
}

// A row of any kind that does not read is not kept, is counted, and is mended by a good one.
func TestLiveBadDocuments(t *testing.T) {
	for _, table := range []store.Table{store.Roles, store.Grants, store.Limits, store.Realms, store.Users, store.Accounts} {
		r := record(t)
		for i, doc := range []string{`{"id":5}`, `{"id":5`, `[5]`, `{"id":6}`, `{}`, `null`, `{"id":5}`} {
			good := i == 0 || i == 6
			if table == store.Grants && good {
				doc = `{"id":5,"cid":1,"name":"a","access":[{"uri":"gw/devices","ids":"all","levels":["view"]}]}`
			}
			write(t, r.e, func(w store.Writer) error { return w.Put(table, 5, []byte(doc)) })
			follow(t, r.Live)
			if (r.Doc(table, 5) != nil) != good || (r.Stats().BadRows == 0) != good {
				t.Errorf("%s %s: kept %s, %d bad rows", table, doc, r.Doc(table, 5), r.Stats().BadRows)
			}
			if _, err := r.Write(t.Context(), "test", func(tx *store.Tx) error { return tx.PutDoc(table, 7, []byte(doc)) }); err == nil {
				t.Errorf("%s takes %s as row 7", table, doc)
			}
		}
	}
}

// Everything in an engine is found again by a gateway that starts.
func TestLiveStartsWithEverything(t *testing.T) {
	e := memory.New()
	write(t, e, func(w store.Writer) (err error) {
		for id := int64(1); id <= 3; id++ {
			err = errors.Join(err, w.Put(store.Accounts, id, fmt.Appendf(nil, `{"id":%d}`, id)), w.Put(store.Tokens, id, enginetest.Token(id, 1, "")),
				w.Put(store.Grants, id, fmt.Appendf(nil, `{"id":%d,"cid":1}`, id)), w.Link(id, id), w.PutOwner(store.Owner{Collection: "gw/calcs", ID: id, CID: 1}))
		}
		return err
	})
	l := newLive(t, e, nil)
	rows := l.State().Rows
	if rows[store.Grants] != 3 || rows[store.GrantLinks] != 3 || rows[store.Items] != 3 || !slices.Equal(l.Links(3), []int64{3}) {
		t.Errorf("got %+v", rows)
	}
	if got := string(l.Doc(store.Accounts, 2)); got != `{"id":2}` {
		t.Errorf("account 2 is %s", got)
	}
}
