package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
	"aclgate/policy/store/memory"
)

// wantDoubt: the store cannot tell of a key.
func wantDoubt(t *testing.T, l *store.Live, id int64, salt string) {
	t.Helper()
	if rec, err := l.Load(digestOf(id, salt)); !errors.Is(err, store.ErrStale) {
		t.Errorf("token %d %q: got %+v, %v, want %v", id, salt, rec, err, store.ErrStale)
	}
}

// A standby that lacks the last changes takes over, and is written to until its number is above the
// one that was obeyed. What was revoked in the lost changes is valid there. Nobody gets in with it,
// whoever was not touched does, and what is written again is right again.
func TestDatabaseThatWentBack(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	put := func(id int64, salt string) {
		write(t, e, func(w store.Writer) error { return w.Put(store.Tokens, id, enginetest.Token(id, 1, salt)) })
		follow(t, l)
	}
	for id := int64(1); id <= 9; id++ {
		put(id, "a")
	}
	standby := e.Snapshot()
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Delete(store.Tokens, 1), w.Delete(store.Tokens, 2), w.Put(store.Tokens, 3, enginetest.Token(3, 1, "b")),
			w.Put(store.Tokens, 10, enginetest.Token(10, 1, "a")), w.Delete(store.Tokens, 4))
	})
	follow(t, l)
	e.Restore(standby)
	write(t, e, func(w store.Writer) error {
		var err error
		for id := int64(20); id < 30; id++ {
			err = errors.Join(err, w.Put(store.Tokens, id, enginetest.Token(id, 1, "a")))
		}
		return errors.Join(err, w.Delete(store.Tokens, 4), w.Put(store.Tokens, 5, enginetest.Token(5, 1, "b")))
	})
	follow(t, l)
	for _, x := range []struct {
		id   int64
		salt string
	}{{1, "a"}, {2, "a"}, {3, "a"}, {3, "b"}, {10, "a"}} {
		wantDoubt(t, l, x.id, x.salt)
	}
	wantToken(t, l, digestOf(4, "a"), 0) // deleted again
	wantToken(t, l, digestOf(5, "b"), 5)
	wantToken(t, l, digestOf(6, "a"), 6)
	wantToken(t, l, digestOf(20, "a"), 20)
	if s := l.Stats(); s.Resyncs["rewind"] != 1 || s.InDoubt != 4 || !l.InDoubt(store.Tokens, 1) || l.InDoubt(store.Tokens, 6) {
		t.Errorf("got %+v", s)
	}
	d := digestOf(1, "a")
	before := l.Revision(d.Key())
	write(t, e, func(w store.Writer) error { return w.Delete(store.Tokens, 1) })
	put(3, "c")
	wantToken(t, l, digestOf(1, "a"), 0)
	wantToken(t, l, digestOf(3, "a"), 0)
	wantToken(t, l, digestOf(3, "c"), 3)
	wantDoubt(t, l, 2, "a")
	if l.Revision(d.Key()) == before {
		t.Error("who remembers that token 1 is in doubt is not told")
	}
	if n := l.Accept(); n != 2 || l.Stats().InDoubt != 0 {
		t.Errorf("accepted %d rows, want 2", n)
	}
	wantToken(t, l, digestOf(2, "a"), 2)
	wantToken(t, l, digestOf(10, "a"), 0)
}

// Where more is lost than is remembered, every token that is another one is in doubt.
func TestDatabaseThatWentFarBack(t *testing.T) {
	e := memory.New()
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, 1, enginetest.Token(1, 1, "a")), w.Put(store.Tokens, 2, enginetest.Token(2, 1, "a")))
	})
	old := e.Snapshot()
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Delete(store.Tokens, 1), w.Put(store.Tokens, 3, enginetest.Token(3, 1, "a")))
	})
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, MaxStaleness: time.Minute, Logger: quiet})
	follow(t, l)
	e.Restore(old)
	follow(t, l)
	wantDoubt(t, l, 1, "a")
	wantDoubt(t, l, 3, "a")
	wantToken(t, l, digestOf(2, "a"), 2)
}

// Tokens of an account that was changed in the lost revisions are in doubt, with all below it.
func TestAccountsInDoubt(t *testing.T) {
	e := memory.New()
	l := newLive(t, e, nil)
	step := func(change func(store.Writer) error) {
		write(t, e, change)
		follow(t, l)
	}
	step(func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":1}`)), w.Put(store.Accounts, 3, []byte(`{"id":3,"parent":2}`)),
			w.Put(store.Tokens, 1, enginetest.Token(1, 1, "a")), w.Put(store.Tokens, 2, enginetest.Token(2, 2, "a")), w.Put(store.Tokens, 3, enginetest.Token(3, 3, "a")))
	})
	old := e.Snapshot()
	step(func(w store.Writer) error { return w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":1,"name":"x"}`)) })
	e.Restore(old)
	follow(t, l)
	wantToken(t, l, digestOf(1, "a"), 1)
	wantDoubt(t, l, 2, "a")
	wantDoubt(t, l, 3, "a")
	step(func(w store.Writer) error { return w.Put(store.Accounts, 2, []byte(`{"id":2,"parent":1,"name":"x"}`)) })
	wantToken(t, l, digestOf(3, "a"), 3)
}

// Every change is reported once, in the order in which it happened.
func TestLiveTellsChanges(t *testing.T) {
	e := memory.New()
	var told []string
	l := newLive(t, e, func(o *store.LiveOptions) {
		o.Applied = func(all []store.Change) {
			for _, c := range all {
				if c.Before != nil || c.After != nil || time.Since(c.At) > time.Minute {
					t.Errorf("told %+v", c)
				}
				told = append(told, fmt.Sprintf("%d %s %v %s", c.Rev, c.Table, c.IDs, c.Actor))
			}
		}
	})
	told = nil
	write(t, e, func(w store.Writer) error {
		return errors.Join(w.Put(store.Tokens, 7, enginetest.Token(7, 1, "a")), w.Delete(store.Tokens, 7))
	})
	follow(t, l)
	follow(t, l)
	if want := "[2 tokens [7] test 3 tokens [7] test]"; fmt.Sprint(told) != want {
		t.Errorf("told %v, want %s", told, want)
	}
}
