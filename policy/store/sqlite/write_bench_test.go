package sqlite

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy/store"
	"aclgate/policy/store/enginetest"
)

// One change of a token by a gateway, of eight that write at once.
func BenchmarkWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bench.db")
	if _, err := Migrate(b.Context(), path); err != nil {
		b.Fatal(err)
	}
	e, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	l := store.NewLive(store.LiveOptions{Engine: e, MaxDepth: 4, MaxStaleness: time.Minute, Replica: "a"})
	ctx := context.Background()
	if _, err := e.Write(ctx, "b", func(w store.Writer) error { return w.Put(store.Accounts, 1, []byte(`{"id":1}`)) }); err != nil {
		b.Fatal(err)
	}
	var id atomic.Int64
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := id.Add(1)
			if _, err := l.Write(ctx, "b", func(tx *store.Tx) error {
				if err := tx.PutDoc(store.Tokens, n, enginetest.Token(n, 1, "a")); err != nil {
					return err
				}
				_, err := tx.Get(store.Tokens, n)
				return err
			}); err != nil {
				b.Error(err)
			}
		}
	})
}
