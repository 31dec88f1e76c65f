package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"aclgate/config/strict"
)

// wantFaults fails the test unless the faults are exactly these, one string each.
func wantFaults(t *testing.T, got strict.Faults, want ...string) {
	t.Helper()
	text := ""
	if len(got) > 0 {
		text = got.Error()
	}
	if text != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", text, strings.Join(want, "\n"))
	}
}

// readTestdata returns a file of testdata.
func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bare returns settings without what says where they come from.
func bare(s *Settings) Settings {
	if s == nil {
		return Settings{}
	}
	c := *s
	c.file, c.dir, c.places = "", "", nil
	return c
}

// Ensure the defaults are those of the file that documents them, and of a file with nothing in it.
func TestDefaults(t *testing.T) {
	for _, text := range []string{string(readTestdata(t, "aclgate.full.yaml")), "", "# nothing\n", "{}", "listen:\nscope:\nlisten2: 1"} {
		s, faults := Parse("aclgate.full.yaml", []byte(text))
		if strings.HasSuffix(text, "listen2: 1") {
			wantFaults(t, faults, `aclgate.full.yaml:3:1: unknown key "listen2": did you mean "listen"?`)
		} else {
			wantFaults(t, faults)
		}
		if got, want := bare(s), bare(Defaults()); !reflect.DeepEqual(got, want) {
			t.Errorf("%.20q: got\n%+v\nwant\n%+v", text, got, want)
		}
	}
}

// Ensure every field of the settings is read from the file: none keeps its default when each row
// has another value.
func TestEveryField(t *testing.T) {
	s, faults := Parse("testdata/other.yaml", readTestdata(t, "other.yaml"))
	wantFaults(t, faults,
		"testdata/other.yaml:38:12: warning: policy.enforce: acl tokens are judged as standard ones: their entries are not enforced",
		"testdata/other.yaml:43:17: warning: policy.backend_keys: master tokens can list and issue keys of the backend, which go around the gateway")
	var compare func(path string, a, b reflect.Value)
	compare = func(path string, a, b reflect.Value) {
		if a.Kind() == reflect.Struct && a.Type().PkgPath() == reflect.TypeFor[Settings]().PkgPath() {
			for i := range a.NumField() {
				if f := a.Type().Field(i); f.IsExported() {
					compare(path+"."+f.Name, a.Field(i), b.Field(i))
				}
			}
			return
		}
		isFixed := path == ".Limits.Unauthenticated.Concurrent" || strings.HasPrefix(path, ".Store.Path.") || // PostgreSQL has none
			path == ".Scope.Owners" || path == ".Scope.Unowned" || path == ".Metrics.Accounts" // do not go with scope.accounts: backend
		if !isFixed && reflect.DeepEqual(a.Interface(), b.Interface()) && !strings.HasSuffix(path, ".Scheme") {
			t.Errorf("%s got its default %v", path, a)
		}
	}
	compare("", reflect.ValueOf(*s), reflect.ValueOf(*Defaults()))
}

// Ensure values come out as they are documented: hosts in lower case, paths relative to the file
// that names them.
func TestValues(t *testing.T) {
	s, _ := Parse("testdata/other.yaml", readTestdata(t, "other.yaml"))
	rows := []struct {
		name      string
		got, want any
	}{
		{"hosts", s.Listen.Hosts, []string{"gw.example.com", "10.0.0.1", "[2001:db8::1]"}},
		{"public url", s.Listen.PublicURL.String(), "https://gw.example.com"},
		{"region", s.Listen.Region, []Member{{"media", "https://media.example"}, {"gw-ip", "192.0.2.7"}}},
		{"beside the file", s.Listen.TLS.Cert, File{"tls/cert.pem", "testdata/tls/cert.pem"}},
		{"absolute", s.Listen.TLS.Key.Path, "/etc/key.pem"},
		{"above the file", s.Listen.TLS.ClientCA.Path, "ca.pem"},
		{"url", s.Upstream.URLs[0], Origin{"https", "api.example.com"}},
		{"with port", s.Upstream.URLs[2].Host, "backend_1:80"},
		{"headers", s.Upstream.Headers, []string{"x-custom", "accept-charset"}},
		{"burst", s.Limits.PerToken.Size(), 7},
		{"no burst", Limit{Rate: strict.Rate{Count: 600, Per: 60e9}}.Size(), 10},
		{"slow", Limit{Rate: strict.Rate{Count: 1, Per: 60e9}}.Size(), 1},
		{"place", s.Pos("listen.timeouts.idle"), strict.Pos{Line: 15, Col: 41}},
		{"no place", Defaults().Pos("listen.timeouts.idle"), strict.Pos{}},
		{"name", s.Name(), "testdata/other.yaml"},
		{"no url", Origin{}.String(), ""},
	}
	for _, row := range rows {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
}

// Ensure Load names the file that it cannot read, and reads one that it can.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	big, good, absent := filepath.Join(dir, "big"), filepath.Join(dir, "good"), filepath.Join(dir, "absent")
	write(t, big, strings.Repeat("#\n", 1<<20))
	write(t, good, "listen: {address: 127.0.0.1:1}")
	s, faults := Load(absent)
	wantFaults(t, faults, absent+": cannot read the settings: no such file or directory: \"aclgate init --upstream URL\" writes them; -c names another file")
	if s != nil {
		t.Error("got settings of a file that is not there")
	}
	_, faults = Load(big)
	wantFaults(t, faults, big+": cannot read the settings: it is larger than 1MiB")
	_, faults = Load(dir)
	wantFaults(t, faults, dir+": cannot read the settings: is a directory")
	s, faults = Load(good)
	wantFaults(t, faults)
	if got, want := s.Store.Path.Path, filepath.Join(dir, "policy.yaml"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s, faults = Parse("f", []byte("a: ["))
	if s != nil || faults.Err() == nil {
		t.Errorf("got %v, %v for no YAML, want faults alone", s, faults)
	}
}

// write makes a file.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Ensure a backend has no more URLs than its client can tell apart.
func TestManyURLs(t *testing.T) {
	text := "upstream: {urls: ["
	for i := range maxURLs {
		text += "\"http://127.0.0.1:" + strconv.Itoa(9000+i) + "\", "
	}
	_, faults := Parse("f", []byte(text+"]}"))
	wantFaults(t, faults)
	_, faults = Parse("f", []byte(text+"\"http://127.0.0.1:8999\"]}"))
	wantFaults(t, faults, "f:1:18: upstream.urls: more than 64 URLs")
}
