package topic

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// words3 is every sequence of one to three words, and those with an ending.
func sequences(alphabet []string, most int) (all []string) {
	level := []string{""}
	for range most {
		var next []string
		for _, head := range level {
			for _, w := range alphabet {
				text := w
				if head != "" {
					text = strings.TrimPrefix(head, "^") + "/" + w
				}
				if text == "" {
					text = "^" // one empty level, kept apart from none
				}
				next = append(next, text)
			}
		}
		all = append(all, next...)
		level = next
	}
	for i := range all {
		all[i] = strings.TrimPrefix(all[i], "^")
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// smallFilters are all filters over a small alphabet, with empty levels, $, lists and wildcards.
func smallFilters() (all []string) {
	for _, s := range sequences([]string{"a", "b", "", "+", "$s", "a,b"}, 3) {
		all = append(all, s)
		if strings.Count(s, "/") < 2 {
			all = append(all, s+"/#")
		}
	}
	return append(all, "#")
}

func levelsOf(topic string) [][]byte { return bytes.Split([]byte(topic), []byte("/")) }

// TestFilterAlgebra compares matching, meeting, overlapping and covering with the topics that a naive
// matcher finds, for all filters over a small alphabet.
func TestFilterAlgebra(t *testing.T) {
	topics := sequences([]string{"a", "b", "c", "", "$s"}, 4)
	var filters []Filter
	var matched [][]bool
	for _, text := range smallFilters() {
		f, fault := parseFilter(text, true, MaxLevels)
		if fault != "" {
			t.Fatalf("%q: %s", text, fault)
		}
		if f.String() != text {
			t.Fatalf("%q is printed %q", text, f.String())
		}
		m := make([]bool, len(topics))
		for i, topic := range topics {
			m[i] = matchNaively(text, topic, true)
			if got := f.matches(levelsOf(topic)); got != m[i] {
				t.Fatalf("%q matches %q: got %v, want %v", text, topic, got, m[i])
			}
		}
		filters, matched = append(filters, f), append(matched, m)
	}
	if !*long {
		filters = filters[:len(filters)/3]
	}
	for i, a := range filters {
		for j, b := range filters {
			both, within := 0, true
			for k := range topics {
				if matched[i][k] && matched[j][k] {
					both++
				}
				within = within && (matched[i][k] || !matched[j][k])
			}
			met, ok := meet(a, b)
			if ok != (both > 0) || overlap(a, b) != ok {
				t.Fatalf("%q and %q meet: got %v, overlap %v, want %v", a, b, ok, overlap(a, b), both > 0)
			}
			// No topic in sight is below the last level of b and not of a: four levels tell.
			if got := covers(a, b); got != within && both > 0 {
				t.Fatalf("%q covers %q: got %v, want %v", a, b, got, within)
			}
			if !ok {
				continue
			}
			for k, topic := range topics {
				if got := met.matches(levelsOf(topic)); got != (matched[i][k] && matched[j][k]) {
					t.Fatalf("%q and %q meet in %q, which matches %q: %v", a, b, met, topic, got)
				}
			}
		}
	}
}

func TestFaultsOfFilters(t *testing.T) {
	for _, text := range []string{"", "a+", "+a/b", "#/a", "a/#/b", "a#", "##", "++", "a\x00", "a\x1f/b", "\x7f", "a,/b", ",", "a,,b",
		strings.Repeat("a/", MaxLevels) + "a", strings.Repeat("a", maxBytes+1)} {
		if _, fault := parseFilter(text, true, MaxLevels); fault == "" {
			t.Errorf("%.40q is read", text)
		}
	}
	list := strings.Repeat("a,", maxList) + "b"
	if f, fault := parseFilter(list, true, MaxLevels); fault != "" || len(f[0].words) != 2 {
		t.Errorf("a list of equal words: got %v, %s", f, fault)
	}
	for topic, want := range map[string]bool{"": true, "flespi": true, "flespi/#": true, "flespi/state/#": true, "$SYS/#": true, "$a": true,
		"a/#/b": true, "a": false, "#": false, "+/+": false, "/flespi": false, "Flespi/#": false} {
		if got := EntryFault(topic) != ""; got != want {
			t.Errorf("entry with %q: got %q", topic, EntryFault(topic))
		}
	}
}

// FuzzMeet holds the algebra to single topics, of any bytes.
func FuzzMeet(f *testing.F) {
	f.Add("a/+", "#", "a/b")
	f.Add("+/#", "$SYS/a", "$SYS/a")
	f.Add("a,b/#", "b/+", "b/c")
	f.Fuzz(func(t *testing.T, a, b, topic string) {
		fa, faultA := parseFilter(a, true, MaxLevels)
		fb, faultB := parseFilter(b, true, MaxLevels)
		if faultA != "" || faultB != "" || topic == "" {
			t.Skip()
		}
		levels := levelsOf(topic)
		inA, inB := fa.matches(levels), fb.matches(levels)
		met, ok := meet(fa, fb)
		if got := ok && met.matches(levels); got != (inA && inB) {
			t.Errorf("%q and %q meet in %q, %v", a, b, met, got)
		}
		if inB && !inA && covers(fa, fb) {
			t.Errorf("%q covers %q, but not %q", a, b, topic)
		}
		if inA && inB && !overlap(fa, fb) {
			t.Errorf("%q and %q do not overlap, but for %q", a, b, topic)
		}
	})
}
