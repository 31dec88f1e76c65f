package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"aclgate/config/strict"

	"go.yaml.in/yaml/v3"
)

// Ensure settings that are taken are taken however the file is laid out: with comments and empty
// lines in front, and printed by a YAML writer, it means the same; and all that was read is within
// its bounds.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"listen": {"hosts": ["a\/b", "c"]}, "upstream": {"urls": ["http:\/\/a"]}}`))
	f.Add([]byte("limits: {per_token: {rate: 5/s, burst: 3}}\nshutdown: {delay: 1h30m}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, faults := Parse("dir/f", text)
		if faults.Err() != nil {
			return
		}
		wantBounds(t, s)
		moved, faults := Parse("dir/f", append([]byte("# c\n\n  # c\n"), text...))
		wantSame(t, moved, s, faults)
		for _, row := range Reference() {
			if was, is := s.Pos(row.Path), moved.Pos(row.Path); s.isNamed(row.Path) && (is.Line != was.Line+3 || is.Col != was.Col) {
				t.Fatalf("%s got place %v, want three lines below %v", row.Path, is, was)
			}
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Content) == 0 {
			return // JSON's escaped slashes, which the YAML library does not know, or an empty file
		}
		printed, err := yaml.Marshal(&doc)
		if err != nil {
			return
		}
		again, faults := Parse("dir/f", printed)
		wantSame(t, again, s, faults)
	})
}

// wantSame fails the test unless two readings give equal settings.
func wantSame(t *testing.T, got, want *Settings, faults strict.Faults) {
	t.Helper()
	if faults.Err() != nil {
		t.Fatalf("got %v, want no faults", faults)
	}
	if a, b := bare(got), bare(want); !reflect.DeepEqual(a, b) {
		t.Fatalf("got\n%+v\nwant\n%+v", a, b)
	}
}

// wantBounds fails the test if settings without faults hold what the gateway could not run with.
func wantBounds(t *testing.T, s *Settings) {
	t.Helper()
	l, u := s.Listen, s.Upstream
	sound := len(u.URLs) > 0 && l.MaxHeaderBytes >= kib && l.MaxHeaderBytes <= mib && l.MaxBodyBytes > 0 && l.MaxUploadBytes > 0 &&
		l.Timeouts.Read > 0 && l.Timeouts.Write > 0 && l.Timeouts.Idle > 0 && u.Timeouts.Dial > 0 && u.Timeouts.FirstByte > 0 &&
		u.Timeouts.Idle > 0 && u.Timeouts.Silence > 0 && u.MaxConnections > 0 && u.MaxURLBytes > 0 && l.TLS.Cert.IsSet() == l.TLS.Key.IsSet() &&
		u.TLS.Cert.IsSet() == u.TLS.Key.IsSet() && s.Policy.MaxIDs > 0 && s.Policy.MaxResolved > 0 && s.Policy.MaxDepth > 0 && s.Scope.Refresh > 0 &&
		s.Scope.MaxStaleness >= s.Scope.Refresh && s.Store.Path.IsSet() && s.Shutdown.Drain > 0
	if !sound {
		t.Fatalf("got %+v", bare(s))
	}
	for _, name := range u.Headers {
		if _, err := parseHeader(name); err != nil {
			t.Fatalf("got header %q", name)
		}
	}
	for _, o := range u.URLs {
		if again, err := parseOrigin(o.String()); again != o || err != nil {
			t.Fatalf("got %q, read again %q, %v", o, again, err)
		}
	}
}
