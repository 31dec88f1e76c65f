package sqlite

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

// Of many tokens in one transaction some are named, and the rest is one change: who follows obeys
// all of them. No key and no id is given twice meanwhile.
func TestManyTokens(t *testing.T) {
	e, _ := fresh(t)
	e.named = 5
	const n = tokensLarge + 10
	put := func(w store.Writer, from, to int64, salt string) (err error) {
		for id := from; id <= to && err == nil; id++ {
			err = w.Put(store.Tokens, id, enginetest.Token(id, 1, salt))
		}
		return err
	}
	write := func(change func(store.Writer) error) store.Head {
		t.Helper()
		head, err := e.Write(t.Context(), "operator", change)
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	first := write(func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), put(w, 2, 3, "old"))
	})
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, Poll: time.Second, MaxStaleness: time.Minute, Replica: "follows", Logger: slog.New(slog.DiscardHandler)})
	if err := l.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	head := write(func(w store.Writer) error {
		err := put(w, 1, n, "new")
		if taken := w.Put(store.Tokens, 5, enginetest.Token(6, 1, "new")); taken == nil {
			t.Error("another id in the record was taken")
		}
		id, idErr := w.NewID(store.Tokens)
		if id != n+1 {
			t.Errorf("a new id is %d, want %d", id, n+1)
		}
		return errors.Join(err, idErr)
	})
	if want := first.Rev + 6; head.Rev != want {
		t.Errorf("got revision %d, want %d: five tokens and the rest", head.Rev, want)
	}
	if err := l.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		id   int64
		salt string
		want error
	}{{1, "new", nil}, {n, "new", nil}, {2, "old", store.ErrNotFound}, {3, "new", nil}, {n + 1, "new", store.ErrNotFound}} {
		if _, err := l.Load(store.DigestOf(enginetest.Key(x.id, x.salt))); err != x.want {
			t.Errorf("token %d with key %q: got %v, want %v", x.id, x.salt, err, x.want)
		}
	}
	if v, err := l.Verify(t.Context()); err != nil || len(v.BadRows) > 0 {
		t.Errorf("got %+v, %v", v, err)
	}
	write(func(w store.Writer) error { return put(w, 7, 7, "newest") })
	if b, err := e.Since(t.Context(), head.Rev); err != nil || len(b.Changes) != 1 || len(b.Changes[0].IDs) != 1 || b.Changes[0].IDs[0] != 7 {
		t.Errorf("afterwards: got %+v, %v", b, err)
	}
}
