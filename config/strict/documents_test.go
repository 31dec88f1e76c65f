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
		}
	}
}
