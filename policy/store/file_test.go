package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/config/strict"
	"aclgate/policy"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open writes a policy and opens it.
func open(t testing.TB, text string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, text)
	f, err := OpenFile(options(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func options(t testing.TB, path string) FileOptions {
	t.Helper()
	return FileOptions{Path: path, Catalogue: catalogue(t), MaxDepth: 4, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tokenWith returns a policy with one token of this digest.
func tokenWith(i int) string {
	return head + fmt.Sprintf("- {id: %d, key_sha256: %s, cid: 1, expire: 9, access: {type: standard}}\n", i, digestOf(i))
}

func digest(t testing.TB, i int) policy.Digest {
	t.Helper()
	d, ok := parseDigest([]byte(digestOf(i)))
	if !ok {
		t.Fatal("no digest")
	}
	return d
}

func TestReloadObeysTheNewFile(t *testing.T) {
	f := open(t, tokenWith(1))
	if _, err := f.Load(digest(t, 1)); err != nil || f.Revision(0) != 1 {
		t.Fatalf("got %v, revision %d", err, f.Revision(0))
	}
	write(t, f.opts.Path, tokenWith(2))
	if err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(digest(t, 1)); err != ErrNotFound {
		t.Errorf("the old token: got %v, want %v", err, ErrNotFound)
	}
	if r, err := f.Load(digest(t, 2)); err != nil || r.Token.ID != 2 {
		t.Errorf("the new token: got %v, %v", r, err)
	}
	if err := f.Reload(); err != nil || f.Revision(0) != 2 {
		t.Errorf("the same text again: got %v, revision %d, want 2", err, f.Revision(0))
	}
	st := f.State()
	if st.Stale || st.Tokens[policy.Standard] != 1 || st.Accounts != 2 || st.Revision != 2 || st.Loaded.IsZero() {
		t.Errorf("got %+v", st)
	}
}

func TestBrokenFileChangesNothing(t *testing.T) {
	for _, broken := range []string{"", " \n", "tokens: [", tokenWith(0), head + "- {}\n", "rolls: []", "\x00", "no such file"} {
		f := open(t, tokenWith(1))
		write(t, f.opts.Path, broken)
		if broken == "no such file" {
			os.Remove(f.opts.Path)
		}
		for range 2 { // a text that was judged before is refused again
			err := f.Reload()
			var faults strict.Faults
			if !errors.As(err, &faults) || len(faults) == 0 || faults[0].File != f.opts.Path {
				t.Errorf("%q: got %v, want faults", broken, err)
			}
			if st := f.State(); !st.Stale || len(st.Faults) == 0 || st.Revision != 1 || st.Tokens[policy.Standard] != 1 {
				t.Errorf("%q: got %+v", broken, st)
			}
		}
		if _, err := f.Load(digest(t, 1)); err != nil {
			t.Errorf("%q: the running policy is gone: %v", broken, err)
		}
		write(t, f.opts.Path, tokenWith(1))
		if err := f.Reload(); err != nil || f.State().Stale || f.Revision(0) != 1 {
			t.Errorf("%q: back again: got %v, %+v", broken, err, f.State())
		}
	}
}

func TestBrokenFileAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	if _, err := OpenFile(options(t, path)); err == nil {
		t.Error("a missing file opens")
	}
	write(t, path, head+"- {id: 1, cid: 9}\n- {id: x}\n")
	_, err := OpenFile(options(t, path))
	var faults strict.Faults
	if !errors.As(err, &faults) || len(faults) < 6 {
		t.Errorf("got %v, want all faults", err)
	}
}

// TestReloadAgainstLoads revokes one token after another under load. No Load that begins after
// Reload returned finds it.
func TestReloadAgainstLoads(t *testing.T) {
	f := open(t, tokenWith(1))
	const reloads = 200
	var digests [reloads]policy.Digest
	for i := range digests {
		digests[i] = digest(t, i)
	}
	var gone atomic.Int64 // tokens up to this one are revoked
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := int(gone.Load())
				if _, err := f.Load(digests[n]); n > 0 && err != ErrNotFound {
					t.Errorf("token %d lives after its revocation", n)
					return
				}
			}
		})
	}
	for i := 2; i < reloads; i++ {
		write(t, f.opts.Path, tokenWith(i))
		if err := f.Reload(); err != nil {
			t.Fatal(err)
		}
		gone.Store(int64(i - 1))
	}
	close(stop)
	readers.Wait()
}

func TestRunNoticesChanges(t *testing.T) {
	t.Parallel()
	f := open(t, tokenWith(1))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	temp := f.opts.Path + ".new"
	write(t, temp, tokenWith(2))
	time.Sleep(2 * pollEvery) // so that Run has seen the first file
	if err := os.Rename(temp, f.opts.Path); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return f.Revision(0) == 2 })
	write(t, f.opts.Path, tokenWith(3))
	waitFor(t, func() bool { return f.Revision(0) == 3 })
	write(t, f.opts.Path, "broken: [")
	waitFor(t, func() bool { return f.State().Stale })
	cancel()
	<-done
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing happened")
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "1")
	write(t, b, "2")
	stat := func(path string) os.FileInfo {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first, other := stat(a), stat(b)
	write(t, a, "longer")
	grown := stat(a)
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	steps := []struct {
		ms   int
		info os.FileInfo
		want bool
	}{
		{0, first, false}, {500, first, false}, {1000, first, true}, {1250, first, false}, // once more after the start
		{1500, grown, false}, {2250, grown, false}, {2500, grown, true}, {2750, grown, false}, // written in place
		{3000, other, true}, {3250, other, false}, {4000, other, true}, {4250, other, false}, // replaced
		{4500, nil, false}, {5500, nil, true}, {6500, nil, false}, // gone
		{6750, first, true}, {7000, grown, false}, {8000, grown, true}, // created and growing
	}
	var w watch
	for _, s := range steps {
		if got := w.due(s.info, at(s.ms)); got != s.want {
			t.Errorf("at %d ms: got %v, want %v", s.ms, got, s.want)
		}
	}
}

func TestNoKeyInAnyFault(t *testing.T) {
	const secret = "hush-hush-hush"
	for _, line := range []string{"key: " + secret, "key_sha256: " + secret, "key: '" + secret + " '", "key: [" + secret + "]", "key: {" + secret + ": 1}", "key: *" + secret, "key: !x " + secret, "key: " + secret + "\n  key: " + secret, "key: &" + secret + " x"} {
		text := head + "- id: 5\n  cid: 1\n  access: {type: master}\n  " + line + "\n- id: 6\n  key: " + secret + "\n"
		_, faults := ReadPolicy("p.yaml", []byte(text), catalogue(t), 4)
		if len(faults) == 0 || strings.Contains(faults.Error(), "hush-hush") {
			t.Errorf("%s: got %v", line, faults)
		}
	}
}
