package cache

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"aclgate/policy/routes"
	"aclgate/policy/store"
)

var long = flag.Bool("long", false, "the full number of reloads")

// policyOf returns a policy file with n tokens from first on.
func policyOf(first, n int) []byte {
	text := []byte("accounts: [{id: 1}]\ntokens:\n")
	for i := range n {
		d := digest(first + i)
		text = fmt.Appendf(text, "- id: %d\n  key_sha256: %x\n  info: customer\n  cid: 1\n  expire: 2100-01-01T00:00:00Z\n", first+i, d[:])
		text = fmt.Appendf(text, "  access: {type: acl, acl: [{uri: gw/devices, methods: [GET, PUT], ids: [%d, %d, %d]}, {uri: gw/calcs, methods: [GET], ids: all},"+
			" {uri: storage, methods: [GET]}]}\n", i+1, i+2, i+3)
	}
	return text
}

func openFile(t testing.TB, text []byte) (f *store.File, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	f, err = store.OpenFile(store.FileOptions{Path: path, Catalogue: cat, MaxDepth: 4, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

// TestFileReloadsAgainstLookups: after Reload returned, no Lookup that begins later finds a token
// that the file does not hold any more.
func TestFileReloadsAgainstLookups(t *testing.T) {
	f, path := openFile(t, policyOf(1, 1))
	c := newCache(t, f, 0)
	var gone atomic.Int64
	stop := make(chan bool)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := int(gone.Load())
				if tok, err := c.Lookup(digest(n)); err != store.ErrNotFound {
					t.Errorf("token %d after its revocation: got %v, %v", n, tok, err)
					return
				}
				c.Lookup(digest(n + 1))
			}
		})
	}
	reloads := 200
	if *long {
		reloads = 1000
	}
	for n := 2; n < reloads; n++ {
		os.WriteFile(path, policyOf(n, 1), 0o600)
		if err := f.Reload(); err != nil {
			t.Fatal(err)
		}
		gone.Store(int64(n - 1))
	}
	close(stop)
	wg.Wait()
}

// BenchmarkTenThousandTokens reports what a policy of 10,000 tokens takes in store and cache, when
// all of them are in use.
func BenchmarkTenThousandTokens(b *testing.B) {
	before := heap()
	f, _ := openFile(b, policyOf(1, 10000))
	cat, _ := routes.Default()
	stored := heap()
	c, err := New(f, cat, 128<<20)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for i := range 10000 {
		if _, err := c.Lookup(digest(i + 1)); err != nil {
			b.Fatal(err)
		}
	}
	c.memory.Wait()
	after := heap()
	for b.Loop() {
	}
	b.ReportMetric(float64(stored-before)/(1<<20), "MiB-store")
	b.ReportMetric(float64(after-stored)/(1<<20), "MiB-cache")
	b.ReportMetric(float64(c.Stats().Bytes)/(1<<20), "MiB-cost")
	runtime.KeepAlive(f)
}
