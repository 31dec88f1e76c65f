package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func ttlToken(i int) string {
	return head + fmt.Sprintf("- {id: %d, key_sha256: %s, cid: 1, ttl: 1h, created: 5, access: {type: standard}}\n", i, digestOf(i))
}

func TestLastUsesSurvive(t *testing.T) {
	f := open(t, ttlToken(1))
	touch(t, f, 1, 1000)
	write(t, f.opts.Path, ttlToken(1)+"# changed\n")
	if err := f.Reload(); err != nil || f.Revision(0) != 2 {
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
		if err := f.uses.save(1 << 40); err != nil {
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
	if _, err := os.Stat(path); err != nil {
		t.Error("a file that was taken away is not written again")
	}
	old := time.Unix(1000, 0)
	os.Chtimes(path, old, old)
	save()
	if info, _ := os.Stat(path); !info.ModTime().Equal(old) {
		t.Error("written again without a change")
	}
	f.uses.path = filepath.Join(path, "nowhere")
	touch(t, f, 1, 8)
	if err := f.uses.save(1 << 40); err == nil {
		t.Error("no error")
	}
}

// Two gateways beside one file: neither overwrites what the other has seen, and each learns it.
func TestUsesOfTwoGateways(t *testing.T) {
	const now = 1 << 40
	one := open(t, ttlToken(1)+strings.TrimPrefix(ttlToken(2), head))
	two, err := OpenFile(options(t, one.opts.Path))
	if err != nil {
		t.Fatal(err)
	}
	touch(t, one, 1, 1000)
	touch(t, two, 2, 2000)
	touch(t, two, 1, 900)
	for _, f := range []*File{one, two, one} {
		if f.uses.keep(now); f.UsesFault() != nil {
			t.Fatal(f.UsesFault())
		}
	}
	for _, f := range []*File{one, two} {
		if a, b := used(t, f, 1), used(t, f, 2); a != 1000 || b != 2000 {
			t.Errorf("got %d and %d, want 1000 and 2000", a, b)
		}
	}
	text, _ := os.ReadFile(one.opts.Path + usesSuffix)
	if want := usesHead + "1 1000\n2 2000\n"; string(text) != want {
		t.Errorf("got %q, want %q", text, want)
	}
	if all, _ := filepath.Glob(one.opts.Path + "*"); len(all) != 2 {
		t.Errorf("got %v, want the policy and its uses", all)
	}
}

// A folder that cannot be written is a fault from the start, before there is a use, and until it can
// be written again; without a token that needs it there is none.
func TestUsesThatCannotBeKept(t *testing.T) {
	f := open(t, ttlToken(1))
	there := f.uses.path
	f.uses.path = filepath.Join(filepath.Dir(there), "missing", "uses")
	f.uses.begin()
	if f.UsesFault() == nil {
		t.Error("no fault at the start")
	}
	f.uses.keep(1)
	if f.UsesFault() == nil {
		t.Error("no fault while there is nothing to write")
	}
	f.uses.path = there
	if f.uses.keep(1); f.UsesFault() != nil {
		t.Errorf("got %v, want an end of the fault", f.UsesFault())
	}
	p, _ := ReadPolicy("p.yaml", []byte(ttlToken(1)), nil, 4)
	missing := filepath.Join(filepath.Dir(there), "missing", "policy.yaml")
	if p.CheckUses(missing) == nil || p.CheckUses(f.opts.Path) != nil {
		t.Errorf("got %v and %v, want one fault", p.CheckUses(missing), p.CheckUses(f.opts.Path))
	}
	if p, _ = ReadPolicy("p.yaml", []byte(head+"[]\n"), nil, 4); p != nil && p.CheckUses(missing) != nil {
		t.Error("a fault without a token that has a ttl")
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
		if err := u.save(now); err != nil {
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
