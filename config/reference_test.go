package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// leaves returns the paths of all settings that a file names, in its order.
func leaves(n *yaml.Node, prefix string, paths []string) []string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			paths = leaves(value, key+".", paths)
		} else {
			paths = append(paths, key)
		}
	}
	return paths
}

// Ensure the reference has a row for each setting of the example file and no other, and says
// something.
func TestReferenceCoversTheFile(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal(readTestdata(t, "aclgate.full.yaml"), &doc); err != nil {
		t.Fatal(err)
	}
	want := leaves(doc.Content[0], "", nil)
	var got []string
	for _, row := range Reference() {
		got = append(got, row.Path)
		if row.Type == "" || row.Default == "" || !strings.HasSuffix(row.Doc, ".") {
			t.Errorf("%s: got type %q, default %q, doc %q", row.Path, row.Type, row.Default, row.Doc)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

// Ensure there are as many rows as the struct has fields to fill.
func TestReferenceCoversTheStruct(t *testing.T) {
	var count func(reflect.Type) int
	count = func(typ reflect.Type) (n int) {
		isSection := typ.Kind() == reflect.Struct && typ.PkgPath() == reflect.TypeFor[Settings]().PkgPath()
		if !isSection || typ == reflect.TypeFor[File]() || typ == reflect.TypeFor[Origin]() {
			return 1
		}
		for i := range typ.NumField() {
			if typ.Field(i).IsExported() {
				n += count(typ.Field(i).Type)
			}
		}
		return n
	}
	const unused = 1 // Limits.Unauthenticated.Concurrent
	if got, want := len(Reference()), count(reflect.TypeFor[Settings]())-unused; got != want {
		t.Errorf("got %d rows, want %d", got, want)
	}
}

// Ensure the defaults of the reference, put into a file, are the defaults.
func TestReferenceDefaults(t *testing.T) {
	s, faults := Parse("f", []byte(section("")))
	wantFaults(t, faults)
	if got, want := bare(s), bare(Defaults()); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// section returns the rows below prefix, "" or ending in a dot, as a mapping of YAML.
func section(prefix string) string {
	var pairs, done []string
	for _, row := range Reference() {
		rest, below := strings.CutPrefix(row.Path, prefix)
		key, _, deeper := strings.Cut(rest, ".")
		if !below || slices.Contains(done, key) {
			continue
		}
		done = append(done, key)
		value := row.Default
		if deeper {
			value = section(prefix + key + ".")
		}
		pairs = append(pairs, key+": "+value)
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// Ensure the file that a beginner gets is sound and says what it was asked to say.
func TestSmallest(t *testing.T) {
	file := func(name string) File { return File{name, name} }
	rows := []struct {
		start Start
		says  func(*Settings)
	}{
		{Start{Upstream: "http://127.0.0.1:9000", TokenFile: "upstream.token", Mode: ScopeHeader}, func(s *Settings) { s.Upstream.Token = file("upstream.token") }},
		{Start{Upstream: "https://flespi.io", Mode: ScopeIDs, Why: "seen:\nrows", Accounts: AccountsBackend}, func(s *Settings) {
			s.Scope.Mode, s.Scope.Accounts = ScopeIDs, AccountsBackend
		}},
		{Start{Upstream: "http://h", TokenFile: `odd "name" é\x` + "\u2028", Mode: ScopeHeader}, func(s *Settings) {
			s.Upstream.Token = file(`odd "name" é\x` + "\u2028")
		}},
		{Start{Upstream: "http://h", Mode: ScopeHeader, Schema: "s.json", Listen: ":8443", Admin: ":9090", CertFile: "a", KeyFile: "b", AdminToken: "c", Audit: "d", Policy: "e"},
			func(s *Settings) {
				s.Listen.Address, s.Admin.Address, s.Admin.Token = ":8443", ":9090", file("c")
				s.Listen.TLS.Cert, s.Listen.TLS.Key, s.Audit.Path, s.Store.Path = file("a"), file("b"), file("d"), file("e")
			}},
		{Start{Upstream: "http://h", Mode: ScopeIDs, Owners: OwnersStore}, func(s *Settings) {
			s.Scope.Mode, s.Scope.Owners, s.Store.Kind, s.Store.Path = ScopeIDs, OwnersStore, StoreSQLite, file("aclgate.db")
		}},
	}
	for _, row := range rows {
		s, faults := Parse("aclgate.yaml", Smallest(row.start))
		if faults.Err() != nil {
			t.Errorf("%s\n%v", Smallest(row.start), faults)
			continue
		}
		want := bare(Defaults())
		o, err := parseOrigin(row.start.Upstream)
		want.Upstream.URLs = []Origin{o}
		row.says(&want)
		if got := bare(s); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	}
	if _, faults := Parse("f", Smallest(Start{Upstream: "x\"]\nadmin: {}", Mode: ScopeHeader})); faults.Err() == nil {
		t.Error("got no fault for a URL that is none")
	}
}
