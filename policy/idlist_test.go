package policy

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// wideIDs returns n ids of every number of digits, neighbours often close.
func wideIDs(r *rand.Rand, n int) []int64 {
	ids, id := make([]int64, n), int64(1)
	for i := range ids {
		switch r.IntN(4) {
		case 0:
			id = 1 + r.Int64()>>r.IntN(63)
		case 1:
			id = id/10000*10000 + 1 // a front that ends in zeros
		default:
			id = min(id, MaxID-20000) + r.Int64N(20000)
		}
		ids[i] = max(1, id)
	}
	return ids
}

// TestAppendIDs: a list is printed as strconv prints each of its ids, behind what is there already,
// whatever room there is.
func TestAppendIDs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for n := range 400 {
		ids := wideIDs(r, n)
		want := []byte("before")
		for i, id := range ids {
			if i > 0 {
				want = append(want, ',')
			}
			want = strconv.AppendInt(want, id, 10)
		}
		room := append(make([]byte, 0, r.IntN(30*n+10)+6), "before"...)
		if got := appendIDs(room, ids); !bytes.Equal(got, want) {
			t.Fatalf("%v: got %s, want %s", ids, got, want)
		}
		if n == 0 {
			continue
		}
		if got, ok := parseIDs(nil, want[len("before"):]); !ok || !slices.Equal(got, ids) {
			t.Fatalf("%s was read as %v, %v", want, got, ok)
		}
	}
}

// TestAppendIDsBound: of the longest ids, too, none is cut, and room for a list is not made for
// many times its length.
func TestAppendIDsBound(t *testing.T) {
	for _, id := range []int64{1, 9999, 10000, 99999999, MaxID} {
		ids := slices.Repeat([]int64{id}, 1000)
		got := appendIDs(nil, ids)
		word := strconv.FormatInt(id, 10) + ","
		if want := bytes.Repeat([]byte(word), 1000); !bytes.Equal(got, want[:len(want)-1]) {
			t.Errorf("%d is not printed 1000 times", id)
		}
		if cap(got) > 2*len(got)+2*atOnce*maxPrinted {
			t.Errorf("%d: got room for %d bytes, %d are used", id, cap(got), len(got))
		}
	}
}

// FuzzPlainRun: nothing but digits and commas is passed over, and the word that ends a run holds
// something else.
func FuzzPlainRun(f *testing.F) {
	for _, s := range []string{"", "1,2,3", "12345678", "1234567/", "123456789,1234567890;", "1\xac345678", "\xb0\xb1\xb2\xb3\xb4\xb5\xb6\xb7"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		plain := func(c byte) bool { return c == ',' || c >= '0' && c <= '9' }
		n := plainRun(text)
		if i := slices.IndexFunc(text[:n], func(c byte) bool { return !plain(c) }); i >= 0 {
			t.Errorf("%q: %d bytes were passed over, with %q at %d", text, n, text[i], i)
		}
		if len(text)-n >= 8 && !slices.ContainsFunc(text[n:n+8], func(c byte) bool { return !plain(c) }) {
			t.Errorf("%q: the run ends at %d for no reason", text, n)
		}
	})
}

// TestPlainBytes: every byte is judged alike at every place of a word.
func TestPlainBytes(t *testing.T) {
	for place := range 8 {
		for c := range 256 {
			for _, beside := range []byte{'0', '9', ','} {
				b := bytes.Repeat([]byte{beside}, 8)
				b[place] = byte(c)
				if got, want := plainRun(b) == 8, c == ',' || c >= '0' && c <= '9'; got != want {
					t.Fatalf("%q: got %v, want %v", b, got, want)
				}
				digits := uint(place)
				if c >= '0' && c <= '9' {
					digits = 8
				}
				if got := leading(binary.LittleEndian.Uint64(b) ^ '0'*eachByte); beside != ',' && got != digits {
					t.Fatalf("%q: got %v digits, want %v", b, got, digits)
				}
			}
		}
	}
}
