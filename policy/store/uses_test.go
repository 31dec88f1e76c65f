package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func ttlToken(i int) string {
	return head + fmt.Sprintf("- {id: %d, key_sha256: %s, cid: 1, ttl: 1h, created: 5, access: {type: standard}}\n", i, digestOf(i))
}

func TestLastUsesSurvive(t *testing.T) {
	f := open(t, ttlToken(1))
	touch(t, f, 1, 1000)
	write(t, f.opts.Path, ttlToken(1)+"# changed\n")
	if err := f.Reload(); err != nil || f.Revision() != 2 {
		t.Fatal(err)
	}
	if got := used(t, f, 1); got != 1000 {
		t.Errorf("after a reload: got %d, want 1000", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f.Run(ctx)
	again, err := OpenFile(options(t, f.opts.Path))
	if err != nil {
		t.Fatal(err)
	}
	if got := used(t, again, 1); got != 1000 {
		t.Errorf("after a restart: got %d, want 1000", got)
	}
	p, _ := ReadPolicy("p.yaml", []byte(ttlToken(1)), nil, 4)
	if faults := p.AdoptUses(f.opts.Path, 5000); len(faults) > 0 || deref(p)[0].Token.LastUsed() != 1000 {
		t.Errorf("without a File: got %d, %v", deref(p)[0].Token.LastUsed(), faults)
	}
	info, err := os.Stat(f.opts.Path + usesSuffix)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}

func touch(t *testing.T, f *File, i int, now int64) {
	t.Helper()
	r, err := f.Load(digest(t, i))
	if err != nil {
		t.Fatal(err)
	}
	r.Token.Touch(now)
}

func used(t *testing.T, f *File, i int) int64 {
	t.Helper()
	r, err := f.Load(digest(t, i))
	if err != nil {
		t.Fatal(err)
	}
	return r.Token.LastUsed()
}

func TestDamagedUsesAreLeftOut(t *testing.T) {
	u := newUses(filepath.Join(t.TempDir(), "uses"))
	write(t, u.path, "# c\n1 100\n\n2 x\n3\n-1 5\n1 90\n4 99999\n\x00\xff\n5 7")
	faults := u.load(1000)
	if len(faults) != 4 || faults.Err() != nil || faults[0].Line != 4 {
		t.Errorf("got %v, want 4 warnings", faults)
	}
	for id, want := range map[int64]int64{1: 100, 4: 1000, 5: 7} { // 4: no use lies in the future
		if got := u.counter(id).Load(); got != want {
			t.Errorf("id %d: got %d, want %d", id, got, want)
		}
	}
	if len(u.last) != 3 {
		t.Errorf("got %d counters, want 3", len(u.last))
	}
}

func TestUsesAreWrittenWhenTheyChange(t *testing.T) {
	f := open(t, ttlToken(1))
	path := f.opts.Path + usesSuffix
	save := func() {
		t.Helper()
		if err := f.uses.save(); err != nil {
			t.Fatal(err)
		}
	}
	save()
	if _, err := os.Stat(path); err == nil {
		t.Error("a file of no uses is written")
	}
	touch(t, f, 1, 7)
	save()
	text, _ := os.ReadFile(path)
	if !strings.HasSuffix(string(text), "\n1 7\n") {
		t.Errorf("got %q", text)
	}
	os.Remove(path)
	save()
	if _, err := os.Stat(path); err == nil {
		t.Error("written again without a change")
	}
	f.uses.path = filepath.Join(path, "nowhere")
	touch(t, f, 1, 8)
	if err := f.uses.save(); err == nil {
		t.Error("no error")
	}
}

// FuzzUses: any text loads with warnings at most, nothing lies in the future, and what is saved
// loads as the same.
func FuzzUses(f *testing.F) {
	f.Add([]byte("# c\n1 100\n2 x\n1 90\n4 99999"))
	f.Fuzz(func(t *testing.T, text []byte) {
		const now = 1000
		u := newUses(filepath.Join(t.TempDir(), "uses"))
		write(t, u.path, string(text))
		if err := u.load(now).Err(); err != nil {
			t.Fatal(err)
		}
		for id, at := range u.last {
			if at.Load() > now {
				t.Fatalf("id %d was used at %d", id, at.Load())
			}
			u.living = append(u.living, id)
		}
		if err := u.save(); err != nil {
			t.Fatal(err)
		}
		again := newUses(u.path)
		if faults := again.load(now); len(u.last) > 0 && len(faults) > 0 || len(u.last) > 0 && len(again.last) != len(u.last) {
			t.Fatalf("saved %d, loaded %d: %v", len(u.last), len(again.last), faults)
		}
		for id, at := range u.last {
			if again.last[id].Load() != at.Load() {
				t.Fatalf("id %d: saved %d, loaded %d", id, at.Load(), again.last[id].Load())
			}
		}
	})
}
