package strict

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"address", "hosts", "public_url", "max_header_bytes", "max_body_bytes", "id", "ids", "name"}
	rows := []struct{ word, want string }{
		{"adress", "address"},
		{"addresss", "address"},
		{"ADDRESS", "address"},
		{"adrdess", "address"},
		{"host", "hosts"},
		{"publicurl", "public_url"},
		{"public-url", "public_url"},
		{"max_header", "max_header_bytes"},
		{"max_bod_ybytes", "max_body_bytes"},
		{"nmae", "name"},
		{"Id", "id"},
		{"ide", "id"},
		{"idss", "ids"},
		{"port", ""},
		{"x", ""},
		{"", ""},
		{"tokens", ""},
		{strings.Repeat("a", 1<<20), ""},
	}
	for _, row := range rows {
		got, ok := Nearest(row.word, known)
		if got != row.want || ok != (row.want != "") {
			t.Errorf("Nearest(%.20q) got %q, %v, want %q", row.word, got, ok, row.want)
		}
	}
}

// Ensure the distance is one: zero for equals alone, the same both ways, never above the longer
// word.
func FuzzDistance(f *testing.F) {
	f.Add("address", "adress")
	f.Add("ab", "ba")
	f.Add("", "x")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > maxWord || len(b) > maxWord {
			return
		}
		d := distance(a, b)
		if back := distance(b, a); d != back {
			t.Errorf("distance(%q, %q) got %d, the other way %d", a, b, d, back)
		}
		if (d == 0) != (a == b) || d > max(len(a), len(b)) {
			t.Errorf("distance(%q, %q) got %d", a, b, d)
		}
	})
}
