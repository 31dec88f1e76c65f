package strict

import (
	"strings"
	"testing"
)

func TestAliasesStandForCopies(t *testing.T) {
	root, report := ParseWithAliases("f.yaml", []byte("a: &x [one, two]\nb: *x\n"))
	m := root.Map("a", "b")
	var a, b []string
	Into(&a, m.Get("a"), ListOf(Word))
	Into(&b, m.Get("b"), ListOf(Word))
	if err := report.Faults().Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(b, " "), strings.Join(a, " "); got != want || got != "one two" {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := m.Get("b").Pos(); got != (Pos{2, 4}) {
		t.Errorf("the alias stands at %v, want its own place", got)
	}
}

// Ten lines of aliases to aliases mean 10^10 nodes: they are refused before anybody holds them.
func TestAliasBomb(t *testing.T) {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		name, prev := string(rune('1'+i)), string(rune('0'+i))
		text += "a" + name + ": &a" + name + " [" + strings.Repeat("*a"+prev+", ", 9) + "*a" + prev + "]\n"
	}
	_, report := ParseWithAliases("f.yaml", []byte(text))
	if report.Faults().Err() == nil {
		t.Error("an alias bomb was taken")
	}
}
