package jwt

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// markers are one of each kind.
func markers() map[string]*Marker {
	return map[string]*Marker{"the processor's": NewMarker(), "SHA-256": {}}
}

func (m *Marker) of(token []byte) (d [sha256.Size]byte) {
	for i := range d {
		d[i] = 0xff // what was there before means nothing
	}
	m.Mark(token, &d)
	return d
}

// Of a text like one that is marked, with any bit turned, cut anywhere, grown, or with two blocks in each
// other's place, the mark is another.
func TestMarksTellTextsApart(t *testing.T) {
	text := bytes.Repeat([]byte("eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.x"), 9)
	for name, m := range markers() {
		t.Run(name, func(t *testing.T) {
			right := m.of(text)
			if m.of(bytes.Clone(text)) != right {
				t.Fatal("a text has two marks")
			}
			seen := map[[sha256.Size]byte]string{right: string(text)}
			look := func(other []byte) {
				d := m.of(other)
				if before, found := seen[d]; found && before != string(other) {
					t.Errorf("%q and %q have one mark", before, other)
				}
				seen[d] = string(other)
			}
			for i := range text {
				for bit := range 8 {
					other := bytes.Clone(text)
					other[i] ^= 1 << bit
					look(other)
				}
				look(text[:i])
				look(text[i+1:])
				look(append(bytes.Clone(text), make([]byte, i+1)...))
				if swapped := bytes.Clone(text); i+32 <= len(text) {
					copy(swapped[i:], text[i+16:i+32])
					copy(swapped[i+16:], text[i:i+16])
					look(swapped)
				}
			}
			if want := len(text) * 8; len(seen) < want {
				t.Errorf("%d texts were compared, want at least %d", len(seen), want)
			}
		})
	}
}

// No two gateways make the same marks, so none that was seen anywhere is of use.
func TestMarksAreTheProcesss(t *testing.T) {
	text := []byte("eyJ")
	one, other := NewMarker(), NewMarker()
	if one.hash == nil {
		if got := one.of(text); got != sha256.Sum256(text) {
			t.Errorf("got %x", got)
		}
		t.Skip("marks are digests here")
	}
	if a, b := one.of(text), other.of(text); a == b || bytes.Equal(a[:4], b[:4]) {
		t.Errorf("got %x and %x", a, b)
	}
}

func TestMarksAllocateNothing(t *testing.T) {
	text, d := bytes.Repeat([]byte("a"), 820), new([sha256.Size]byte)
	for name, m := range markers() {
		if n := testing.AllocsPerRun(100, func() { m.Mark(text, d) }); n != 0 {
			t.Errorf("%s: got %v allocations", name, n)
		}
	}
}

// FuzzMark: two texts have one mark if, and only if, they are one.
func FuzzMark(f *testing.F) {
	f.Add([]byte(""), []byte("\x00"))
	f.Add(make([]byte, 16), make([]byte, 32))
	f.Add([]byte("eyJhbGciOiJub25lIn0.e30."), []byte("eyJhbGciOiJub25lIn0.e31."))
	all := markers()
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for name, m := range all {
			if (m.of(a) == m.of(b)) != bytes.Equal(a, b) {
				t.Errorf("%s: %q %x, %q %x", name, a, m.of(a), b, m.of(b))
			}
		}
	})
}

// BenchmarkMark compares what a token of usual length is found by with what a key of ours is: its digest.
func BenchmarkMark(b *testing.B) {
	key, token := bytes.Repeat([]byte("k"), 64), bytes.Repeat([]byte("t"), 820)
	d, m := new([sha256.Size]byte), NewMarker()
	b.Run("digest of a key", func(b *testing.B) {
		for b.Loop() {
			*d = sha256.Sum256(key)
		}
	})
	b.Run("digest of a token", func(b *testing.B) {
		for b.Loop() {
			*d = sha256.Sum256(token)
		}
	})
	b.Run("mark of a token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Mark(token, d)
		}
	})
}
