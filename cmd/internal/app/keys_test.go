package app

import (
	"os"
	"path/filepath"
	"testing"

	"aclgate/config"
)

// What the file of a key holds counts once two looks agree, or at once by a reload; what cannot be
// used changes nothing.
func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	k := &keyFile{setting: "some.token_file", file: config.File{Path: path, Text: path}, changed: func(key string) { told = append(told, key) }}
	if err := k.read(); err == nil || k.get() != "" {
		t.Errorf("got %v and %q for a file that is not there", err, k.get())
	}
	steps := []struct {
		name, text string
		read       bool // by a reload
		key        string
		changed    bool // a look says so
		fault      bool
	}{
		{"first", "first-key\n", true, "first-key", false, false},
		{"half written", "second-k", false, "first-key", false, false},
		{"written", "second-key\n", false, "first-key", false, false},
		{"still", "second-key\n", false, "second-key", true, false},
		{"nothing new", "second-key\n", false, "second-key", false, false},
		{"emptied", "", false, "second-key", false, false},
		{"still empty", "", false, "second-key", true, true},
		{"a fault is told once", "", false, "second-key", false, true},
		{"reload of the empty one", "", true, "second-key", false, true},
		{"same size", "third--key\n", true, "third--key", false, false},
	}
	for _, s := range steps {
		put(s.text)
		changed := false
		if s.read {
			if err := k.read(); (err != nil) != s.fault {
				t.Errorf("%s: got %v", s.name, err)
			}
		} else {
			changed = k.look()
		}
		if k.get() != s.key || changed != s.changed || (k.lastFault() != nil) != s.fault {
			t.Errorf("%s: got %q, %v, %v; want %q, %v, fault %v", s.name, k.get(), changed, k.lastFault(), s.key, s.changed, s.fault)
		}
	}
	if len(told) != 3 {
		t.Errorf("got %q told, want three keys", told)
	}
	if k := (&keyFile{}); k.read() != nil || k.get() != "" || k.look() || k.look() {
		t.Error("a key without a file is something")
	}
}
