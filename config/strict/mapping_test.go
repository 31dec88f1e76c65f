package strict

import (
	"strings"
	"testing"
)

// record is what the decoder of the tests fills.
type record struct {
	id    int64
	name  string
	kind  string
	inner []record
}

// decodeRecord is a decoder as other packages write them.
func decodeRecord(n *Node) (record, bool) {
	m := n.Map("id", "name", "kind", "inner")
	var r record
	Into(&r.id, m.Need("id"), ID)
	Into(&r.name, m.Get("name"), Word)
	Into(&r.kind, m.Get("kind"), Enum("red", "green", "blue"))
	Into(&r.inner, m.Opt("inner"), ListOf(decodeRecord))
	return r, true
}

// Ensure one run names every fault of a file, each in its place and with what was expected.
func TestMapFaults(t *testing.T) {
	text := strings.Join([]string{
		`id: 1`,
		`nmae: x`,
		`id: 2`,
		`kind: gren`,
		`inner:`,
		`  - {id: 1, name: , kind: ~}`,
		`  - 7`,
		`  - [1]`,
		`  -`,
		`  - name: ""`,
		`    inner:`,
		`      - {id: 0x1}`,
		`      - {? [a] : 1, "": 2, id: 3, <<: {id: 4}}`,
		`      - {id: 5, name: é, kind: [red]}`,
		`name: {a: 1}`,
	}, "\n")
	root, report := Parse("f", []byte(text))
	decodeRecord(root)
	wantFaults(t, report,
		`f:2:1: unknown key "nmae": did you mean "name"?`,
		`f:3:1: key "id" stands here twice: first in line 1`,
		`f:4:7: kind: expected red, green or blue, found "gren": did you mean "green"?`,
		`f:6:19: inner[0].name: expected a text, found no value`,
		`f:6:27: inner[0].kind: expected red, green or blue, found no value`,
		`f:7:5: inner[1]: expected a mapping, found text`,
		`f:8:5: inner[2]: expected a mapping, found a list`,
		`f:9:4: inner[3]: expected a mapping, found no value`,
		`f:10:5: inner[4]: missing key "id"`,
		`f:10:11: inner[4].name: expected a text, found an empty one`,
		`f:12:14: inner[4].inner[0].id: expected an id (digits without leading zero, at most 9223372036854775807), found "0x1"`,
		`f:13:12: inner[4].inner[1]: expected a word as key`,
		`f:13:21: inner[4].inner[1]: expected a word as key`,
		`f:13:35: unknown key "<<"`,
		`f:14:32: inner[4].inner[2].kind: expected red, green or blue, found a list`,
		`f:15:7: name: expected a text, found a mapping`,
	)
}

// Ensure a node of the wrong kind brings one fault and no others: what is missing in it is not
// asked for.
func TestMapQuiet(t *testing.T) {
	root, report := Parse("f", []byte("inner: [x]\n"))
	m := root.Map("inner")
	inner := m.Get("inner").List()[0].Map("id")
	inner.Need("id")
	m.Get("absent").Map("id").Need("id")
	if got := m.Get("absent").List(); got != nil {
		t.Errorf("got %v, want nil", got)
	}
	wantFaults(t, report, "f:1:9: inner[0]: expected a mapping, found text")
}

// Ensure decoders can remember where keys and values are.
func TestPositions(t *testing.T) {
	root, _ := Parse("f", []byte("# c\na:\n    bé: [x,  y]\n"))
	list := root.Map("a").Get("a").Map("bé").Get("bé")
	items := list.List()
	rows := []struct {
		name      string
		got, want Pos
	}{
		{"key", list.KeyPos(), Pos{3, 5}},
		{"value", list.Pos(), Pos{3, 9}},
		{"item", items[1].Pos(), Pos{3, 14}},
		{"item as key", items[1].KeyPos(), Pos{3, 14}},
		{"root", root.KeyPos(), Pos{2, 1}},
		{"absent", (*Node)(nil).Pos(), Pos{}},
	}
	for _, row := range rows {
		if row.got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, row.got, row.want)
		}
	}
	if got, want := items[1].Path(), "a.bé[1]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure the path of the deepest value that can be costs no more than its length.
func TestPathDeep(t *testing.T) {
	n, _ := Parse("f", []byte(strings.Repeat("{a: ", maxDepth-1)+"x"+strings.Repeat("}", maxDepth-1)))
	for n.Kind() == Mapping {
		n = n.Map("a").Get("a")
	}
	if got, want := n.Path(), strings.Repeat(".a", maxDepth-1)[1:]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Ensure values are shown escaped and cut, since a terminal obeys what it is shown.
func TestQuote(t *testing.T) {
	root, report := Parse("f", []byte(`a: "\e[2J`+strings.Repeat("é", 40)+`"`))
	Bool(root.Map("a").Get("a"))
	wantFaults(t, report, `f:1:4: a: expected true or false, found "\x1b[2J`+strings.Repeat(`\u00e9`, 14)+`"…`)
}

// Ensure a parser's own reason is added, and warnings are warnings.
func TestParsedAndWarn(t *testing.T) {
	root, report := Parse("f", []byte("a: 10.0.0.1/8\nb: [1]\nc: 1\n"))
	m := root.Map("a", "b", "c")
	Prefix(m.Get("a"))
	Prefix(m.Get("b"))
	m.Get("c").Warn("has no effect")
	wantFaults(t, report,
		`f:1:4: a: expected an address range such as 10.0.0.0/8, found "10.0.0.1/8": bits are set behind the length: did you mean 10.0.0.0/8?`,
		"f:2:4: b: expected an address range such as 10.0.0.0/8, found a list",
		"f:3:4: warning: c: has no effect")
}
