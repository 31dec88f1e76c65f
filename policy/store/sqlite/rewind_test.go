package sqlite

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

// A database into which an older state was written, under the gateway that follows it, brings no
// revoked token back.
func TestRewind(t *testing.T) {
	e, path := fresh(t)
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, MaxStaleness: time.Minute, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	key := func(id int64) error {
		_, err := l.Load(store.DigestOf(enginetest.Key(id, "a")))
		return err
	}
	_, err := e.Write(context.Background(), "operator", func(w store.Writer) error {
		return errors.Join(w.Put(store.Accounts, 1, []byte(`{"id":1}`)), w.Put(store.Tokens, 5, enginetest.Token(5, 1, "a")), w.Put(store.Tokens, 6, enginetest.Token(6, 1, "a")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Follow(t.Context()); err != nil || key(5) != nil {
		t.Fatal(err, key(5))
	}
	if _, err := l.Write(t.Context(), "operator", func(tx *store.Tx) error { return tx.Delete(store.Tokens, 5) }); err != nil || !errors.Is(key(5), store.ErrNotFound) {
		t.Fatal(err, key(5))
	}
	byHand(t, path, `DROP TRIGGER tokens_i`, `INSERT INTO tokens (id, doc) VALUES (5, '`+string(enginetest.Token(5, 1, "a"))+`')`,
		`DELETE FROM changes WHERE rev = 4`, `UPDATE head SET rev = 3`, `INSERT INTO accounts (id, doc) VALUES (2, '{"id":2}')`)
	if err := l.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := key(5); !errors.Is(err, store.ErrStale) {
		t.Errorf("a token that was revoked is back: got %v, want %v", err, store.ErrStale)
	}
	if err := key(6); err != nil {
		t.Errorf("a token that nobody touched: got %v", err)
	}
	if n := l.Accept(); n != 1 || key(5) != nil {
		t.Errorf("accepted %d records, and then got %v", n, key(5))
	}
}
