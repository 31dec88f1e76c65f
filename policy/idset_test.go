package policy

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	rows := []struct {
		text string
		want int64 // 0: no id
	}{
		{"1", 1}, {"9", 9}, {"10", 10}, {"2024", 2024}, {"9223372036854775807", MaxID},
		{"9223372036854775808", 0}, {"9999999999999999999", 0}, {"18446744073709551617", 0}, {"92233720368547758070", 0},
		{"", 0}, {"0", 0}, {"01", 0}, {"-1", 0}, {"+1", 0}, {" 1", 0}, {"1 ", 0}, {"1.0", 0}, {"1e2", 0}, {"0x1", 0}, {"1_0", 0}, {"1,2", 0},
		{"１", 0}, {"1\x00", 0}, {"all", 0},
	}
	for _, row := range rows {
		got, ok := ParseID([]byte(row.text))
		if ok != (row.want != 0) || ok && got != row.want {
			t.Errorf("%q: got %v %v, want %v", row.text, got, ok, row.want)
		}
	}
}

// FuzzParseIDs: a list is one exactly when the grammar of SPEC 2 says so, and then it is printed as
// it was written.
func FuzzParseIDs(f *testing.F) {
	for _, s := range []string{"1", "3,1,2", "1,", ",1", "01", "0", "9223372036854775807", "9223372036854775808", "1,99999999999999999999", "1,,2"} {
		f.Add(s)
	}
	for _, word := range []string{"9999", "10000,9999", "12345678", "123456789,7", "9223372036854775807,1", "12,03", "1;2"} {
		f.Add(strings.Repeat("100001,", 9) + word + strings.Repeat(",100002", 9))
	}
	grammar := regexp.MustCompile(`^[1-9][0-9]*(,[1-9][0-9]*)*$`)
	f.Fuzz(func(t *testing.T, text string) {
		want := grammar.MatchString(text)
		for _, word := range strings.Split(text, ",") {
			_, err := strconv.ParseInt(word, 10, 64)
			want = want && err == nil
		}
		ids, got := parseIDs(nil, []byte(text))
		if got != want {
			t.Fatalf("%q: got %v, want %v", text, got, want)
		}
		if printed := string(appendIDs(nil, ids)); got && printed != text {
			t.Errorf("%q was read and printed as %q", text, printed)
		}
		if id, one := ParseID([]byte(text)); one != (want && len(ids) == 1) || one && id != ids[0] {
			t.Errorf("%q: ParseID got %v %v, want %v", text, id, one, ids)
		}
	})
}

func randomIDs(r *rand.Rand, n, below int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(r.IntN(below) + 1)
	}
	return ids
}

func TestDropDuplicates(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var scratch []int64
	for range 2000 {
		ids := randomIDs(r, r.IntN(20), 1+r.IntN(30))
		if r.IntN(3) == 0 {
			slices.Sort(ids)
		}
		var want []int64
		for _, id := range ids {
			if !slices.Contains(want, id) {
				want = append(want, id)
			}
		}
		asked := slices.Clone(ids)
		var got []int64
		got, scratch = dropDuplicates(ids, scratch)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: got %v, want %v", asked, got, want)
		}
	}
}

func TestDropDuplicatesOfTheLargest(t *testing.T) {
	got, _ := dropDuplicates([]int64{MaxID, 1, MaxID, 1, 2}, nil)
	if want := []int64{MaxID, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCursor walks sets of every size in every kind of order beside a map.
func TestCursor(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 3000 {
		set := NewIDSet(randomIDs(r, r.IntN(200), 1+r.IntN(400)))
		in := map[int64]bool{}
		for _, id := range set.IDs() {
			in[id] = true
		}
		asked := randomIDs(r, r.IntN(60), 420)
		if r.IntN(2) == 0 {
			slices.Sort(asked)
		}
		passes := slices.IndexFunc(asked, func(id int64) bool { return !in[id] })
		if passes < 0 {
			passes = len(asked)
		}
		c := cursor{set: set.IDs()}
		if r.IntN(2) == 0 {
			if got := c.run(asked); got != passes {
				t.Fatalf("set %v asked %v: a run of %v, want %v", set.IDs(), asked, got, passes)
			}
			asked = asked[passes:]
		}
		for i, id := range asked {
			if got := c.has(id); got != in[id] {
				t.Fatalf("set %v asked %v: id %v at %v: got %v, want %v", set.IDs(), asked, id, i, got, in[id])
			}
		}
	}
}

func TestIDSet(t *testing.T) {
	rows := []struct {
		ids  []int64
		want string
	}{
		{nil, ""}, {[]int64{}, ""}, {[]int64{7}, "7"}, {[]int64{9, 2, 4, 2, 9}, "2,4,9"}, {[]int64{MaxID, 1}, "1,9223372036854775807"},
	}
	for _, row := range rows {
		asked := slices.Clone(row.ids)
		s := NewIDSet(row.ids)
		if string(s.Text()) != row.want || !slices.Equal(row.ids, asked) {
			t.Errorf("%v: got %q, want %q; the argument became %v", asked, s.Text(), row.want, row.ids)
		}
		if s.Len() != len(s.IDs()) || string(appendIDs(nil, s.IDs())) != row.want {
			t.Errorf("%v: got %v of length %v, want %v", asked, s.IDs(), s.Len(), row.want)
		}
		for _, id := range []int64{1, 2, 3, 7, 9, MaxID} {
			if got, want := s.Has(id), slices.Contains(asked, id); got != want {
				t.Errorf("%v: Has(%v): got %v, want %v", asked, id, got, want)
			}
		}
	}
}
