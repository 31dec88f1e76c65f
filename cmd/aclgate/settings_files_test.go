package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aclgate/config"
)

// fileOthers are the settings that a file needs beside it to be looked at.
var fileOthers = map[string]values{
	"listen.tls.cert_file":      {"listen.tls.key_file": "cert.key"},
	"listen.tls.key_file":       {"listen.tls.cert_file": "cert.pem"},
	"listen.tls.client_ca_file": {"listen.tls.cert_file": "cert.pem", "listen.tls.key_file": "cert.key"},
	"upstream.tls.cert_file":    {"upstream.tls.key_file": "client.key"},
	"store.url_file":            {"store.kind": "postgres"},
	"limits.redis_url_file":     {"limits.shared": "redis"},
	"upstream.tls.key_file":     {"upstream.tls.cert_file": "client.pem"},
}

// brokenFiles are what may be where a setting names a file.
var brokenFiles = map[string]func(path string) error{
	"nothing":          func(string) error { return nil },
	"a folder":         func(path string) error { return os.Mkdir(path, 0o700) },
	"an empty file":    func(path string) error { return os.WriteFile(path, nil, 0o600) },
	"bytes":            func(path string) error { return os.WriteFile(path, []byte{0xff, 0, '{', '\n'}, 0o600) },
	"half a file":      func(path string) error { return os.WriteFile(path, []byte(pems()["cert.pem"][:200]), 0o600) },
	"a file as folder": func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o600) },
	"a circle":         func(path string) error { return os.Symlink(path, path) },
}

// What stops serve is found by check, and nothing else: whatever is where a setting names a file.
func TestCheckSaysWhatStopsServe(t *testing.T) {
	for _, row := range config.Reference() {
		if row.Type != "file" {
			continue
		}
		for name, spoil := range brokenFiles {
			for _, https := range []bool{false, true} {
				v := values{row.Path: "spoilt/file"}
				for path, value := range fileOthers[row.Path] {
					v[path] = value
				}
				if https && !strings.HasPrefix(row.Path, "upstream.tls.") {
					continue
				}
				if https {
					v["upstream.urls"] = `["https://127.0.0.1:9"]`
				}
				t.Run(row.Path+"/"+name, func(t *testing.T) {
					t.Parallel()
					s := newTrial(t, v)
					folder := filepath.Join(s.folder, "spoilt")
					if name != "a file as folder" {
						if err := os.Mkdir(folder, 0o700); err != nil {
							t.Fatal(err)
						}
					}
					if err := spoil(filepath.Join(folder, "file")); err != nil {
						t.Fatal(err)
					}
					s.compare()
				})
			}
		}
	}
}

// compare has check and serve look at the same files.
func (s *trial) compare() {
	s.t.Helper()
	code, _, said := once(s.t, "check", "-c", s.file())
	g, err := s.serve()
	if g != nil {
		s.end(g)
	}
	if (err != nil) != (code != exitOK) {
		s.t.Errorf("check ends with %d and says %q, serve with %v", code, said, err)
	}
}
