package record

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// CheckAudit refuses what OpenAudit refuses, and leaves the folder as it was.
func TestCheckAudit(t *testing.T) {
	spoil := map[string]func(path string) error{
		"nothing":   func(string) error { return nil },
		"a file":    func(path string) error { return os.WriteFile(path, []byte("kept\n"), 0o600) },
		"a folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a circle":  func(path string) error { return os.Symlink(path, path) },
		"no folder": func(path string) error { return os.Remove(filepath.Dir(path)) },
	}
	for name, make := range spoil {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "logs")
			path := filepath.Join(folder, "audit.jsonl")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := make(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadDir(folder)
			checked := CheckAudit(path)
			if after, _ := os.ReadDir(folder); len(after) != len(before) {
				t.Errorf("it left %v", after)
			}
			a, err := OpenAudit(AuditOptions{Path: path, MaxSize: 1 << 20, Log: slog.New(slog.DiscardHandler)})
			if err == nil {
				a.Close()
			}
			if (checked == nil) != (err == nil) {
				t.Errorf("got %v before %v", checked, err)
			}
			if text, _ := os.ReadFile(path); name == "a file" && string(text) != "kept\n" {
				t.Errorf("got %q", text)
			}
		})
	}
}
