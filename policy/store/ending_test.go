package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"aclgate/policy/store"
)

// Tokens that end in time are counted alike in a file and in a database; those that a ttl keeps
// alive, that have ended, or that end later are not.
func TestEnding(t *testing.T) {
	const now, until = 1_000_000, 2_000_000
	policy := "accounts: [{id: 1}]\ntokens:\n"
	for i, times := range []string{
		"expire: 1000001", "expire: 2000000", "expire: 1500000", // these three
		"expire: 1000000", "expire: 2000001", "expire: 1500000, ttl: 30d, created: 5", "ttl: 30d, created: 5",
	} {
		policy += fmt.Sprintf("  - {id: %d, key_sha256: %064x, cid: 1, access: {type: noapi}, %s}\n", i+1, i+0xab, times)
	}
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := store.OpenFile(store.FileOptions{Path: path, MaxDepth: 4})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := file.Ending(context.Background(), now, until); n != 3 || err != nil {
		t.Errorf("of the file: got %d, %v, want 3", n, err)
	}
	live := store.NewLive(store.LiveOptions{Engine: imported(t, path, policy), MaxDepth: 4, MaxStaleness: time.Minute})
	if n, err := live.Ending(context.Background(), now, until); n != 3 || err != nil {
		t.Errorf("of the database: got %d, %v, want 3", n, err)
	}
}
