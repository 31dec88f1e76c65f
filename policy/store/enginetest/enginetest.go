// Package enginetest is what every engine below policy/store has to pass.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"aclgate/policy/store"
)

// Run tests an engine. open returns an empty one that ends with the test.
func Run(t *testing.T, open func(*testing.T) store.Engine) {
	for name, test := range map[string]func(*testing.T, store.Engine){
		"rows": rows, "changes": changes, "transactions": transactions, "marks": marks, "uses": uses,
		"prune": prune, "ids": ids, "many": many, "owners": owners, "counted": counted, "belonging": belonging, "links": links, "secrets": secrets, "deleted": deleted, "leave": leave, "referred": referred, "parts": parts, "writers": func(t *testing.T, e store.Engine) { Writers(t, e, 6) },
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var ctx = context.Background()

// Key returns the key of a Token.
func Key(id int64, salt string) []byte { return fmt.Appendf(nil, "%d/%s", id, salt) }

// Token returns the document of a sound token: its key differs by id and salt.
func Token(id, cid int64, salt string) []byte {
	d := store.DigestOf(Key(id, salt))
	return fmt.Appendf(nil, `{"id":%d,"key_sha256":"%x","info":"%s","cid":%d,"expire":4102444800,"access":{"type":1}}`, id, d[:], salt, cid)
}

func account(id, parent int64) []byte {
	if parent == 0 {
		return fmt.Appendf(nil, `{"id":%d}`, id)
	}
	return fmt.Appendf(nil, `{"id":%d,"parent":%d}`, id, parent)
}

func write(t *testing.T, e store.Engine, actor string, change func(store.Writer) error) store.Head {
	t.Helper()
	head, err := e.Write(ctx, actor, change)
	if err != nil {
		t.Fatalf("cannot write: %v", err)
	}
	return head
}

func put(w store.Writer, table store.Table, docs map[int64][]byte) (err error) {
	for _, id := range sorted(docs) {
		err = errors.Join(err, w.Put(table, id, docs[id]))
	}
	return err
}

func sorted(docs map[int64][]byte) (ids []int64) {
	for id := range docs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func since(t *testing.T, e store.Engine, after int64) *store.Batch {
	t.Helper()
	b, err := e.Since(ctx, after)
	if err != nil {
		t.Fatalf("cannot read what is new: %v", err)
	}
	return b
}

// rows: what was put is there, as it was put, for every way of reading.
func rows(t *testing.T, e store.Engine) {
	unicode := []byte(`{"id":7,"key_sha256":"` + fmt.Sprintf("%064x", 7) + `","info":"ж \u0000 😀","cid":1,"expire":4102444800,"access":{"type":1},"metadata":{"n":123456789012345678901234567890.5}}`)
	write(t, e, "operator", func(w store.Writer) error {
		return errors.Join(put(w, store.Accounts, map[int64][]byte{1: account(1, 0), 2: account(2, 1)}),
			put(w, store.Tokens, map[int64][]byte{7: unicode, 1<<63 - 1: Token(1<<63-1, 2, "x")}))
	})
	var found []string
	head, mark, err := e.All(ctx, func(r store.Row) error {
		found = append(found, fmt.Sprintf("%s/%d", r.Table, r.ID))
		if r.Table == store.Tokens && r.ID == 7 && string(r.Doc) != string(unicode) {
			t.Errorf("got %s, want %s", r.Doc, unicode)
		}
		return nil
	})
	if want := []string{"accounts/1", "accounts/2", "tokens/7", "tokens/9223372036854775807"}; err != nil || !slices.Equal(found, want) {
		t.Errorf("got %v, %v, want %v", found, err, want)
	}
	if b := since(t, e, head.Rev); b.At != mark || len(b.Changes) != 0 || b.Head != head {
		t.Errorf("after all of it got %+v, want nothing new at %v", b, head)
	}
	err = e.View(ctx, func(r store.Reader) error {
		row, err := r.Get(store.Tokens, 7)
		if err != nil || string(row.Doc) != string(unicode) || row.Mark == (store.Mark{}) {
			t.Errorf("got %+v, %v", row, err)
		}
		if doc, err := r.Doc(store.Tokens, 7); err != nil || string(doc) != string(row.Doc) {
			t.Errorf("the document alone: got %s, %v", doc, err)
		}
		if _, err := r.Doc(store.Tokens, 8); !errors.Is(err, store.ErrNoRow) {
			t.Errorf("the document of no row: got %v", err)
		}
		if _, err := r.Get(store.Tokens, 8); !errors.Is(err, store.ErrNoRow) {
			t.Errorf("a row that is not there: got %v", err)
		}
		for _, h := range []struct {
			table store.Table
			id    int64
			want  bool
		}{{store.Tokens, 1, true}, {store.Tokens, 2, true}, {store.Tokens, 3, false}, {store.Accounts, 1, true}, {store.Accounts, 2, false}} {
			if got, err := r.Holds(h.table, h.id); err != nil || got != h.want {
				t.Errorf("%s of account %d: got %v, %v", h.table, h.id, got, err)
			}
		}
		stop := errors.New("stop")
		if err := r.Each(store.Accounts, func(store.Row) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v, want what yield returned", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// changes: each has its number, the rows are named, and the history says who, before and after.
func changes(t *testing.T, e store.Engine) {
	write(t, e, "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, account(1, 0)) })
	from := write(t, e, "17", func(w store.Writer) error { return w.Put(store.Tokens, 5, Token(5, 1, "a")) })
	write(t, e, "17", func(w store.Writer) error { return w.Put(store.Tokens, 5, Token(5, 1, "b")) })
	last := write(t, e, "18", func(w store.Writer) error { return w.Delete(store.Tokens, 5) })
	b := since(t, e, from.Rev-1)
	for i, c := range b.Changes {
		if c.Rev != from.Rev+int64(i) || c.Table != store.Tokens || !slices.Equal(c.IDs, []int64{5}) || c.Mark == (store.Mark{}) {
			t.Errorf("change %d: got %+v", i, c)
		}
	}
	if len(b.Changes) != 3 || len(b.Rows) != 1 || b.Rows[0].Doc != nil || b.Head.Rev != last.Rev {
		t.Errorf("got %+v, want three changes of one row that is gone", b)
	}
	var said []string
	err := e.Changes(ctx, store.ChangeQuery{Table: store.Tokens, ID: 5, Limit: 9}, func(c store.Change) error {
		said = append(said, fmt.Sprintf("%s %t %t", c.Actor, c.Before != nil, c.After != nil))
		if age := time.Since(c.At); age > time.Hour || age < -time.Hour {
			t.Errorf("a change of now has the time %v", c.At)
		}
		return nil
	})
	if want := []string{"17 false true", "17 true true", "18 true false"}; err != nil || !slices.Equal(said, want) {
		t.Errorf("got %q, %v, want %q", said, err, want)
	}
	n := 0
	if err := e.Changes(ctx, store.ChangeQuery{After: from.Rev, Limit: 1}, func(store.Change) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("with a limit of 1: got %d, %v", n, err)
	}
}

// transactions: one that fails leaves nothing, and sees itself.
func transactions(t *testing.T, e store.Engine) {
	head := write(t, e, "operator", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, account(1, 0)), w.Put(store.Tokens, 5, Token(5, 1, "a")))
	})
	stop := errors.New("stop")
	_, err := e.Write(ctx, "operator", func(w store.Writer) error {
		if err := w.Delete(store.Tokens, 5); err != nil {
			t.Error(err)
		}
		if _, err := w.Get(store.Tokens, 5); !errors.Is(err, store.ErrNoRow) {
			t.Errorf("it does not see its own change: %v", err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want %v", err, stop)
	}
	if b := since(t, e, head.Rev); b.Head.Rev != head.Rev || len(b.Changes) > 0 {
		t.Errorf("a transaction that failed left %+v", b)
	}
	_, err = e.Write(ctx, "operator", func(w store.Writer) error {
		return w.Put(store.Tokens, 6, []byte(`{"id":6,"key_sha256":"`+fmt.Sprintf("%x", store.DigestOf([]byte("5/a")))+`","cid":1,"expire":4102444800,"access":{"type":1}}`))
	})
	if !errors.Is(err, store.ErrTaken) {
		t.Errorf("a key twice: got %v, want %v", err, store.ErrTaken)
	}
	if _, err = e.Write(ctx, "operator", func(w store.Writer) error { return w.Delete(store.Tokens, 99) }); !errors.Is(err, store.ErrNoRow) {
		t.Errorf("deleting what is not there: got %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = e.Write(ended, "operator", func(w store.Writer) error { return w.Delete(store.Tokens, 5) }); err == nil {
		t.Error("a context that has ended changed something")
	}
}

// marks: the same number has another mark where something else was done, and a row has that of its
// last change.
func marks(t *testing.T, e store.Engine) {
	seen := map[store.Mark]bool{}
	for i := range 50 {
		head := write(t, e, "operator", func(w store.Writer) error {
			return w.Put(store.Accounts, 1, fmt.Appendf(nil, `{"id":1,"name":"%d"}`, i))
		})
		b := since(t, e, head.Rev)
		if seen[b.At] {
			t.Fatalf("the mark of revision %d came before", head.Rev)
		}
		seen[b.At] = true
		err := e.View(ctx, func(r store.Reader) error {
			row, err := r.Get(store.Accounts, 1)
			if row.Mark != b.At {
				t.Errorf("the row has mark %s, its last change %s", row.Mark, b.At)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if b := since(t, e, 1<<40); b.At != (store.Mark{}) {
		t.Errorf("a revision that is not there has the mark %s", b.At)
	}
}

// uses: the highest counts, of tokens that there are, and no revision moves.
func uses(t *testing.T, e store.Engine) {
	head := write(t, e, "operator", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, account(1, 0)), w.Put(store.Tokens, 5, Token(5, 1, "a")), w.Put(store.Tokens, 6, Token(6, 1, "a")))
	})
	for _, u := range [][]store.Use{{{Token: 5, At: 100}, {Token: 6, At: 50}, {Token: 9, At: 1}}, {{Token: 5, At: 90}, {Token: 6, At: 60}}} {
		if err := e.SaveUses(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	got := map[int64]int64{}
	if err := e.Uses(ctx, func(u store.Use) error { got[u.Token] = u.At; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[5] != 100 || got[6] != 60 {
		t.Errorf("got %v, want 5 at 100 and 6 at 60", got)
	}
	if b := since(t, e, head.Rev); b.Head.Rev != head.Rev {
		t.Errorf("a use made revision %d", b.Head.Rev)
	}
}

// prune: the history ends, the rows stay, and where the database is can still be told.
func prune(t *testing.T, e store.Engine) {
	var head store.Head
	for i := range 5 {
		head = write(t, e, "operator", func(w store.Writer) error { return w.Put(store.Accounts, int64(i+1), account(int64(i+1), 0)) })
	}
	mark := since(t, e, head.Rev).At
	if n, err := e.Prune(ctx, time.Now().Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("pruning what is an hour old: got %d, %v", n, err)
	}
	if n, err := e.Prune(ctx, time.Now().Add(time.Hour)); err != nil || n != 4 {
		t.Errorf("pruning everything: got %d, %v, want 4: the last change says where the database is", n, err)
	}
	b := since(t, e, head.Rev)
	if b.Head.Floor != head.Rev || b.At != mark || b.Head.Rev != head.Rev {
		t.Errorf("got %+v, want the floor at %d and the mark as it was", b, head.Rev)
	}
	n := 0
	if _, _, err := e.All(ctx, func(store.Row) error { n++; return nil }); err != nil || n != 5 {
		t.Errorf("got %d rows, %v, want 5", n, err)
	}
}

// ids: none comes twice, whatever was deleted or put by number.
func ids(t *testing.T, e store.Engine) {
	given := map[int64]bool{}
	for range 20 {
		write(t, e, "operator", func(w store.Writer) error {
			id, err := w.NewID(store.Accounts)
			if err != nil || given[id] || id < 1 {
				t.Fatalf("got id %d, %v, after %v", id, err, given)
			}
			given[id] = true
			given[id+5] = true
			return errors.Join(w.Put(store.Accounts, id, account(id, 0)), w.Put(store.Accounts, id+5, account(id+5, 0)), w.Delete(store.Accounts, id+5))
		})
	}
}

// many: what one answer does not hold comes with the next ones, without a gap.
func many(t *testing.T, e store.Engine) {
	const n = 12000
	write(t, e, "operator", func(w store.Writer) error { return w.Put(store.Accounts, 1, account(1, 0)) })
	head := write(t, e, "operator", func(w store.Writer) error {
		for id := int64(1); id <= n; id++ {
			if err := w.Put(store.Limits, id, fmt.Appendf(nil, `{"id":%d,"cid":1}`, id)); err != nil {
				return err
			}
		}
		return nil
	})
	at, answers := int64(1), 0
	for at < head.Rev {
		b := since(t, e, at)
		answers++
		for _, c := range b.Changes {
			if at++; c.Rev != at && len(c.IDs) == 1 {
				t.Fatalf("got revision %d, want %d", c.Rev, at)
			}
		}
		if len(b.Changes) == 0 {
			t.Fatalf("nothing after %d, and the head is %d", at, b.Head.Rev)
		}
	}
	t.Logf("%d answers", answers)
}
