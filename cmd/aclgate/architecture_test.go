package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	docs         = "../../docs/"
	architecture = docs + "architecture.md"

	mostWalked = 25 // files that one request goes through
)

// section returns what is between the marks <!-- name --> and <!-- /name -->.
func section(t *testing.T, text, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "<!-- "+name+" -->\n")
	inside, _, ended := strings.Cut(rest, "<!-- /"+name+" -->")
	if !found || !ended {
		t.Fatalf("there is no section %s", name)
	}
	return inside
}

// TestDocsImports: the table of imports in docs/architecture.md is the one that is tested. -update
// writes it.
func TestDocsImports(t *testing.T) {
	quoted := func(paths []string) string {
		if len(paths) == 0 {
			return "–"
		}
		return "`" + strings.Join(paths, "`, `") + "`"
	}
	var b strings.Builder
	b.WriteString("\n| package | may import of ours | must not import | not even through others | because |\n|---|---|---|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(table)) {
		r := table[path]
		may := strings.ReplaceAll(quoted(r.may), "`*`", "all")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", path, may, quoted(r.never), quoted(r.reach), r.reason)
	}
	b.WriteString("\n")
	text := readText(t, architecture)
	was := section(t, text, "imports")
	if was == b.String() {
		return
	}
	if !*update {
		t.Fatal("the table of docs/architecture.md is another: run go test ./cmd/aclgate -run TestDocsImports -update")
	}
	const end = "<!-- /imports -->"
	text = strings.Replace(text, was+end, b.String()+end, 1)
	if err := os.WriteFile(architecture, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDocsPicture: every package of the table is in the picture.
func TestDocsPicture(t *testing.T) {
	picture := readText(t, docs+"packages.svg")
	for path := range table {
		if !strings.HasPrefix(path, "bench/") && !strings.Contains(picture, ">"+path+"<") {
			t.Errorf("docs/packages.svg does not show %s", path)
		}
	}
}

var (
	named = regexp.MustCompile("`([a-z]+/[a-z/0-9_.]+\\.go)`")
	test  = regexp.MustCompile("[^A-Za-z](Test|Benchmark|Fuzz)([A-Z][A-Za-z0-9]+)")
)

// testFiles returns the text of all tests.
func testFiles(t *testing.T) string {
	var b strings.Builder
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			b.WriteString(readText(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestDocsNames: the files and tests that pages name are there, and a request goes
// through few files.
func TestDocsNames(t *testing.T) {
	pages, err := filepath.Glob(docs + "*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../README.md", "../../CONTRIBUTING.md")
	tests := testFiles(t)
	for _, page := range pages {
		text := readText(t, page)
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", filepath.Base(page), m[1])
			}
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(tests, "\nfunc "+m[1]+m[2]) {
				t.Errorf("%s names %s%s, which is no test", filepath.Base(page), m[1], m[2])
			}
		}
	}
	walked := named.FindAllString(section(t, readText(t, architecture), "walk"), -1)
	slices.Sort(walked)
	if n := len(slices.Compact(walked)); n < 10 || n > mostWalked {
		t.Errorf("got %d files on the way of a request, want at most %d", n, mostWalked)
	}
}
