package strict

import (
	"fmt"
	"strings"
	"testing"
)

// Values that are parsed in the same room are those that are parsed alone, faults included, whatever
// came before.
func TestDocuments(t *testing.T) {
	long := "[" + strings.TrimSuffix(strings.Repeat(`{"a":[1,2,"x"]},`, 2*maxKept), ",") + "]"
	texts := []string{
		`{"id":17,"info":"ж 😀 \n \u2028","list":[1,[2,{"a":null}],"short"],"id":18}`, `[]`, ``, `{`, `{"a":1} {"b":2}`, "{\"a\":\n  tru}",
		`"text"`, `17`, `null`, long, `{"id":1,"more":{"a":{"b":[]}}}`, "\xff", `{"a":"` + strings.Repeat("b", 100) + `"}`,
		strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2), `{"id":17,"info":"other"}`,
	}
	var d Documents
	for round := range 2 {
		for i, text := range texts {
			got, gotReport := d.Parse("x", []byte(text))
			want, wantReport := ParseDocument("x", []byte(text))
			if g, w := fmt.Sprint(gotReport.Faults()), fmt.Sprint(wantReport.Faults()); g != w {
				t.Errorf("%d, round %d: got the faults %s, want %s", i, round, g, w)
			}
			if (got == nil) != (want == nil) {
				t.Fatalf("%d, round %d: got %v, want %v", i, round, got, want)
			}
			if got == nil {
				continue
			}
			if g, w := string(got.AppendJSON(nil)), string(want.AppendJSON(nil)); g != w || got.LastLine() != want.LastLine() || got.Pos() != want.Pos() {
				t.Errorf("%d, round %d: got %s, want %s", i, round, g, w)
			}
			if g, w := walked(got), walked(want); g != w {
				t.Errorf("%d, round %d: got the values %s, want %s", i, round, g, w)
			}
		}
	}
}

// walked says what lists and mappings hold, as readers find it: all of a list at once, and then each
// of its elements.
func walked(n *Node) string {
	switch n.Kind() {
	case List:
		var b strings.Builder
		for _, element := range n.List() {
			fmt.Fprintf(&b, "%s=%s,", element.Path(), walked(element))
		}
		return "[" + b.String() + "]"
	case Mapping:
		m := n.Map("a", "b", "id", "info", "list", "more")
		return fmt.Sprint(m.Get("id").Path(), walked(m.Get("id")), walked(m.Get("list")), walked(m.Get("more")), walked(m.Get("a")), walked(m.Get("b")), m.Get("info").Pos())
	case Text:
		text, _ := Str(n)
		return text
	}
	return n.Path()
}
