package strict

import (
	"fmt"
	"strings"
	"testing"
)

// faultLines returns what a report holds, one string per fault.
func faultLines(r *Report) []string {
	var lines []string
	for _, f := range r.Faults() {
		lines = append(lines, f.String())
	}
	return lines
}

// wantFaults fails the test unless the report holds exactly these lines.
func wantFaults(t *testing.T, r *Report, want ...string) {
	t.Helper()
	got := faultLines(r)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// Ensure what is no document of ours is named at the line that a reader would look at, which is
// often not the one that the YAML library names.
func TestParseFaults(t *testing.T) {
	const alias = noAliases
	rows := []struct{ name, text, want string }{
		{"bad indent in a mapping", "a: 1\nb: 2\n c: 3\nd: 4\n", "3:2: this is not YAML: mapping values are not allowed in this context"},
		{"less indent, on the first level of a section", "x: 1\na:\n  b: 1\n c: 2\nd: 1\ne: 1\n", "4:2: this is not YAML: did not find expected key"},
		{"mapping in a list", "x: 1\na:\n  - 1\n  b: 2\nc: 3\nd: 3\n", "4:3: this is not YAML: did not find expected '-' indicator"},
		{"a port without quotes", "listen: {address: :8080}\n", "1:1: this is not YAML: did not find expected node content: a value that begins with a colon needs quotes in {} and []"},
		{"list not closed", "x: 1\na: [1, 2\nb: 3\nc: 4\n", "3:1: this is not YAML: did not find expected ',' or ']'"},
		{"text not closed", "x: 1\na: \"open\nb: 3\n", "2:1: this is not YAML: found unexpected end of stream"},
		{"list filled below its brackets", "a: 1\nb: [] # none\n\n# one\n  - c: 1\n    d: 2\n  - c: 3\n", "5:3: line 2 ends the list with []: remove the []"},
		{"the same without indentation", "b: []\n- {c: 1}\ne: 1\n", "2:1: line 1 ends the list with []: remove the []"},
		{"bracket alone", "x: 1\n}\nz: 1\nw: 1\n", "2:1: this is not YAML: did not find expected key"},
		{"quote in quotes, comments behind", "x: 1\na: 'it's'\n# c\n\n# c\nb: 1\nc: 1\n", "2:1: this is not YAML: did not find expected key"},
		{"json without comma", "{\n  \"a\": 1\n  \"b\": 2\n}\n", "3:3: this is not YAML: did not find expected ',' or '}'"},
		{"surrogates", "x: 1\ny: 2\na: \"\\ud83d\"\n", "3:1: this is not YAML: found invalid Unicode character escape code"},
		{"escape in line 1", "a: \"\\q\"\nb: 1\n", "1:1: this is not YAML: found unknown escape character"},
		{"reserved character", "x: 1\ny: @a\nz: 1\n", "2:1: this is not YAML: found character that cannot start any token"},
		{"tab", "x:\n\ty: 2\nz: 3\n", "2:1: a tab in the indentation: indent with spaces"},
		{"tab behind spaces", "x:\n  a: 1\n \ty: 2\nz: 3\n", "3:2: a tab in the indentation: indent with spaces"},
		{"byte order mark", "\xef\xbb\xbfa: 1\n", "1:1: the file begins with a byte order mark: save it as UTF-8 without one"},
		{"utf-16", "\xff\xfea\x00", "1:1: the file is UTF-16: save it as UTF-8"},
		{"latin-1", "x: 1\ny: é\xe9\n", "2:5: this is not UTF-8 text: byte 0xe9"},
		{"control byte", "x: 1\ny: \"a\x1bb\"\n", "2:6: control byte 0x1b"},
		{"a line end of YAML alone", "x: 1\n# a\u2028y: 2\n", `2:4: line end U+2028: write it as "\u2028" in double quotes`},
		{"a next line in a text", "x: \"\u0085\"\n", `1:5: line end U+0085: write it as "\u0085" in double quotes`},
		{"second document", "a: 1\n---\nb: 2\n", "2:1: a second document begins here: one file holds one document"},
		{"fault in a second document", "a: 1\n---\nb: [\n", "3:1: this is not YAML: did not find expected node content"},
		{"anchor", "a: &x 1\nb: 2\n", "1:4: " + alias},
		{"alias of nothing, a password in fact", "a: 1\nb: *secret\nc: 3\n", "2:1: " + alias},
		{"tag", "a: !!binary aGk=\n", "1:4: tags are not read here: leave it out"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, report := Parse("f.yaml", []byte(row.text))
			wantFaults(t, report, "f.yaml:"+row.want)
			if report.Faults().Err() == nil {
				t.Error("got no error")
			}
		})
	}
}

// Ensure an alias bomb costs what its text costs, and each anchor and alias is named once.
func TestParseAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("l0: &l0 [x]\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "l%d: &l%d [%s*l%d]\n", i, i, strings.Repeat(fmt.Sprintf("*l%d,", i-1), 9), i-1)
	}
	root, report := Parse("f", []byte(b.String()))
	if got := len(report.Faults()); got != 60 {
		t.Errorf("got %d faults, want one per line, 60", got)
	}
	if m := root.Map("l0", "l1"); m.Get("l1").List() != nil {
		t.Error("a refused value was read")
	}
}

// Ensure a value that contains itself, deep nesting and a flood of faults end.
func TestParseBounds(t *testing.T) {
	_, report := Parse("f", []byte("a: &a [*a]\n"))
	wantFaults(t, report, "f:1:4: "+noAliases)

	_, report = Parse("f", []byte(strings.Repeat("[", 65)+strings.Repeat("]", 65)))
	wantFaults(t, report, "f:1:65: more than 64 lists and mappings inside each other")

	for _, text := range []string{strings.Repeat("[", 100000), strings.Repeat("{a: ", 100000), strings.Repeat("- ", 100000)} {
		if _, report = Parse("f", []byte(text)); report.Faults().Err() == nil {
			t.Errorf("%.10s…: got no error", text)
		}
	}

	root, report := Parse("f", []byte(strings.Repeat("k: 1\n", 5000)))
	root.Map("k")
	faults := report.Faults()
	if got := len(faults); got != maxFaults+1 {
		t.Errorf("got %d faults, want %d", got, maxFaults+1)
	}
	if got, want := faults[maxFaults].Message, "too many faults: the rest is not shown"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure a file with nothing in it is an empty mapping, and JSON is read as it is.
func TestParseForms(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "{}", "{}\n...\n"} {
		root, report := Parse("f", []byte(text))
		wantFaults(t, report)
		if got := root.Kind(); got != Mapping {
			t.Errorf("%q: got kind %v, want a mapping", text, got)
		}
	}
	root, report := Parse("f", []byte("{\r\n\t\"a\\/b\": [1,\r\n\t\t\"\\u00e9\"]\r\n}\r\n"))
	items := root.Map("a/b").Get("a/b").List()
	wantFaults(t, report)
	if len(items) != 2 {
		t.Fatalf("got %d items, want 2", len(items))
	}
	if text, _ := Str(items[1]); text != "é" {
		t.Errorf("got %q, want %q", text, "é")
	}
	if got, want := items[1].Pos(), (Pos{3, 3}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Ensure faults print in the form that editors follow, warnings are marked, and only faults are
// errors.
func TestFaults(t *testing.T) {
	r := NewReport("b.yaml")
	r.Warn(Pos{3, 1}, "odd")
	if err := r.Faults().Err(); err != nil {
		t.Errorf("got %v for a warning alone, want nil", err)
	}
	r.Fault(Pos{2, 7}, "bad %d", 1)
	r.Fault(Pos{}, "cannot be read")
	faults := append(r.Faults(), Fault{File: "a.yaml", Line: 9, Col: 9, Message: "first"}).Sorted()
	want := "a.yaml:9:9: first\nb.yaml: cannot be read\nb.yaml:2:7: bad 1\nb.yaml:3:1: warning: odd"
	if err := faults.Err(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%v", err, want)
	}
}

// Ensure slashes may be escaped as in JSON, wherever YAML accepts escapes, and columns stay right.
func TestParseEscapedSlash(t *testing.T) {
	text := `{"uri": "gw\/devices", "a\/b": 1, "c": "\\/", "d": "\\\/", e: g\/h, f: 'i\/j', "k": "\u002f` + "\uE000" + `", "l\/m": 1}`
	root, report := Parse("f", []byte(text))
	m := root.Map("uri", "a/b", "c", "d", "e", "f", "k")
	rows := []struct{ key, want string }{
		{"uri", "gw/devices"}, {"a/b", "1"}, {"c", `\/`}, {"d", `\/`}, {"e", `g\/h`}, {"f", `i\/j`}, {"k", "/\uE000"},
	}
	for _, row := range rows {
		if got, _ := Str(m.Get(row.key)); got != row.want {
			t.Errorf("%s: got %q, want %q", row.key, got, row.want)
		}
	}
	wantFaults(t, report, `f:1:96: unknown key "l/m"`)

	var all []byte
	for c := rune(privateUse); c <= privateUseEnd; c++ {
		all = append(all, string(c)...)
	}
	_, report = Parse("f", append(all, `: "\/"`...))
	wantFaults(t, report, "f: the file cannot be read: it holds all of Unicode's private characters")
}
