package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/policy/store/memory"
)

// Tokens that are made are counted by their access type, once, and root accounts whose last master
// goes, or ends before a moment, are too.
func TestMadeAndMasterless(t *testing.T) {
	ctx := context.Background()
	l := store.NewLive(store.LiveOptions{Engine: memory.New(), MaxDepth: 4, Poll: time.Second, MaxStaleness: time.Minute, History: time.Hour})
	write := func(change func(tx *store.Tx) error) {
		t.Helper()
		if _, err := l.Write(ctx, "test", change); err != nil {
			t.Fatal(err)
		}
	}
	put := func(id, cid int64, rest string) {
		t.Helper()
		doc := fmt.Sprintf(`{"id":%d,"cid":%d,"key_sha256":"%064x",%s}`, id, cid, id, rest)
		write(func(tx *store.Tx) error { return tx.PutDoc(store.Tokens, id, []byte(doc)) })
	}
	now := time.Now()
	wants := func(masters, standard uint64, masterless int) {
		t.Helper()
		made := l.Stats().Made
		n, err := l.Masterless(ctx, now.Add(time.Hour))
		if made[policy.Master] != masters || made[policy.Standard] != standard || n != masterless || err != nil {
			t.Errorf("got %d masters, %d standard, %d roots without one, %v; want %d, %d, %d", made[policy.Master], made[policy.Standard], n, err, masters, standard, masterless)
		}
	}
	write(func(tx *store.Tx) error {
		for id, parent := range map[int64]int64{1: 0, 2: 0, 11: 1} {
			if err := tx.PutAccount(policy.Account{ID: id, Parent: parent, Name: "a"}); err != nil {
				return err
			}
		}
		return nil
	})
	wants(0, 0, 2)
	put(5, 1, `"expire":4102444800,"access":{"type":1}`)
	put(6, 2, `"expire":4102444800,"access":{"type":0}`)
	put(7, 11, `"expire":4102444800,"access":{"type":1}`)
	wants(2, 1, 1)
	put(6, 2, `"expire":4102444800,"access":{"type":1}`)
	put(6, 2, `"expire":4102444800,"info":"x","access":{"type":1}`)
	wants(3, 1, 0)
	put(5, 1, fmt.Sprintf(`"expire":%d,"access":{"type":1}`, now.Add(time.Minute).Unix()))
	wants(3, 1, 1)
	put(5, 1, fmt.Sprintf(`"ttl":60,"created":%d,"access":{"type":1}`, now.Unix()))
	wants(3, 1, 0)
	put(5, 1, `"enabled":false,"expire":4102444800,"access":{"type":1}`)
	write(func(tx *store.Tx) error { return tx.Delete(store.Tokens, 6) })
	wants(3, 1, 2)
}
