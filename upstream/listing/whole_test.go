package listing

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aclgate/upstream"
)

// shop is a backend whose list changes while it is read.
type shop struct {
	ids     []int64
	clamp   int                                       // most rows of a page, 0: no bound
	unpaged bool                                      // limit and offset are ignored
	paging  func(limit, offset, rows, all int) string // a further member; nil: none
	between func(s *shop)                             // called after each page
	asked   int
	always  map[int64]bool // in the list all the time
	ever    map[int64]bool // in the list at some time
}

func newShop(n int) *shop {
	s := &shop{always: map[int64]bool{}, ever: map[int64]bool{}}
	for i := range n {
		s.insert(len(s.ids), int64(10*(i+1)))
	}
	for id := range s.ever {
		s.always[id] = true
	}
	return s
}

func (s *shop) insert(at int, id int64) {
	s.ids = slices.Insert(s.ids, at, id)
	s.ever[id] = true
}

func (s *shop) remove(at int) {
	delete(s.always, s.ids[at])
	s.ids = slices.Delete(s.ids, at, at+1)
}

func (s *shop) answer(target, _ string) (int, string) {
	s.asked++
	_, rest, _ := strings.Cut(target, "&limit=")
	var limit, offset int
	if _, err := fmt.Sscanf(rest, "%d&offset=%d", &limit, &offset); err != nil {
		return 400, `{}`
	}
	most, from := limit, offset
	if s.clamp > 0 {
		most = min(most, s.clamp)
	}
	if s.unpaged {
		most, from = len(s.ids), 0
	}
	from = min(from, len(s.ids))
	page := s.ids[from:min(from+most, len(s.ids))]
	var b strings.Builder
	b.WriteString(`{"result":[`)
	for i, id := range page {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"cid":11}`, id)
	}
	b.WriteByte(']')
	if s.paging != nil {
		b.WriteString(`,"pagination":` + s.paging(limit, offset, len(page), len(s.ids)))
	}
	b.WriteByte('}')
	if s.between != nil {
		s.between(s)
	}
	return 200, b.String()
}

// read returns what a reader keeps of the list, and fails the test where it is not what was there:
// everything that was there all the time, and nothing that never was.
func (s *shop) read(t *testing.T, name string) []int64 {
	t.Helper()
	var got []int64
	q := Items("gw/devices", nil)
	q.Again = func(n int) { got = got[:len(got)-n] }
	if err := lister(&backend{answer: s.answer}, "").All(new(upstream.Answer), &q, func(r *Row) { got = append(got, r.ID[0]) }); err != nil {
		t.Errorf("%s: %v after %d pages", name, err, s.asked)
		return nil
	}
	s.check(t, name, got)
	return got
}

func (s *shop) check(t *testing.T, name string, got []int64) {
	t.Helper()
	seen := map[int64]bool{}
	for _, id := range got {
		seen[id] = true
		if !s.ever[id] {
			t.Errorf("%s: %d was never there", name, id)
		}
	}
	for id := range s.always {
		if !seen[id] {
			t.Errorf("%s: %d is missing after %d pages", name, id, s.asked)
		}
	}
}

func repeats(limit, offset, _, all int) string {
	return fmt.Sprintf(`{"limit":%d,"offset":%d,"count":%d}`, limit, offset, all)
}

// Ensure that a list that stands still is read whole, each row once, in as few pages as it takes to
// be sure.
func TestWholeKinds(t *testing.T) {
	rows := []struct {
		name string
		n    int
		set  shop
		want int // requests
	}{
		{"clamped", 350, shop{clamp: 100}, 5},
		{"clamped to its length", 100, shop{clamp: 100}, 2},
		{"clamped to 1", 5, shop{clamp: 1}, 6},
		{"clamped to 2", 5, shop{clamp: 2}, 5},
		{"counted", 350, shop{paging: repeats}, 1},
		{"counted, more than a page", 1500, shop{paging: repeats}, 2},
		{"counted and clamped", 350, shop{clamp: 100, paging: repeats}, 4},
		{"the page counted", 350, shop{clamp: 100, paging: func(_, offset, rows, _ int) string {
			return fmt.Sprintf(`{"limit":100,"offset":%d,"count":%d}`, offset, rows)
		}}, 5},
		{"a full page counted", 1500, shop{paging: func(limit, offset, rows, _ int) string {
			return fmt.Sprintf(`{"limit":%d,"offset":%d,"count":%d}`, limit, offset, rows)
		}}, 3},
		{"too few counted", 350, shop{clamp: 100, paging: func(limit, offset, _, _ int) string {
			return fmt.Sprintf(`{"limit":%d,"offset":%d,"count":3}`, limit, offset)
		}}, 5},
		{"too many counted", 350, shop{clamp: 100, paging: func(limit, offset, _, _ int) string {
			return fmt.Sprintf(`{"limit":%d,"offset":%d,"count":1000000}`, limit, offset)
		}}, 5},
		{"another offset counted", 350, shop{clamp: 100, paging: func(limit, _, rows, _ int) string {
			return fmt.Sprintf(`{"limit":%d,"offset":%d,"count":%d}`, limit, 7, rows)
		}}, 5},
		{"unpaged", 350, shop{unpaged: true}, 3},
		{"unpaged, long", 5000, shop{unpaged: true}, 3},
		{"unpaged, a page", 1000, shop{unpaged: true}, 3},
		{"unpaged, one", 1, shop{unpaged: true}, 3},
		{"unpaged, counted", 350, shop{unpaged: true, paging: repeats}, 1},
	}
	for _, row := range rows {
		s := newShop(row.n)
		s.clamp, s.unpaged, s.paging = row.set.clamp, row.set.unpaged, row.set.paging
		if got := s.read(t, row.name); !slices.Equal(got, s.ids) || s.asked != row.want {
			t.Errorf("%s: got %d rows in %d requests, want %d in %d", row.name, len(got), s.asked, row.n, row.want)
		}
	}
}

// Ensure that what was there all the time is read, whatever is deleted and inserted meanwhile. Pages
// of one row cannot overlap: there a deletion goes unseen.
func TestWholeChanges(t *testing.T) {
	change := func(s *shop, r *rand.Rand, most int) {
		for range r.IntN(most + 1) {
			if s.clamp > 1 && r.IntN(2) == 0 && len(s.ids) > 1 {
				s.remove(r.IntN(len(s.ids)))
			} else {
				s.insert(r.IntN(len(s.ids)+1), int64(1_000_000+r.IntN(1<<40)))
			}
		}
	}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := newShop(1 + r.IntN(400))
		s.clamp = 1 + r.IntN(1+r.IntN(60))
		if r.IntN(3) == 0 {
			s.paging = repeats
		}
		left, most := r.IntN(60), 1+r.IntN(3)
		s.between = func(s *shop) {
			if left--; left >= 0 {
				change(s, r, most)
			}
		}
		s.read(t, fmt.Sprintf("seed %d", seed))
	}
}

// Ensure that a list from which something is deleted before every page for ever is read all the
// same, and one that fits nowhere is an error.
func TestWholeNeverStill(t *testing.T) {
	s := newShop(5000)
	s.clamp = 100
	s.between = func(s *shop) { s.remove(0) }
	s.read(t, "one deleted before each page")
	if s.asked > 200 {
		t.Errorf("it took %d requests", s.asked)
	}
	s = newShop(3000)
	next := int64(1)
	s.between = func(s *shop) { // all is deleted, and as much comes anew
		for i := range s.ids {
			s.ids[i], next = next*10+1, next+1
		}
	}
	q, n := Items("gw/devices", nil), 0
	err := lister(&backend{answer: s.answer}, "").All(new(upstream.Answer), &q, func(*Row) { n++ })
	if !errors.Is(err, upstream.ErrBroken) || s.asked > 1000 {
		t.Errorf("another list each time: got %v after %d requests", err, s.asked)
	}
}

// Ensure that only what is kept counts, that a reading that starts again counts anew, and that rows
// of a backend which never ends are read for no longer than the deadline.
func TestWholeBounds(t *testing.T) {
	for most, want := range map[int]error{10: nil, 9: ErrRowCount} {
		s := newShop(3000)
		once := true
		s.between = func(s *shop) {
			if once && s.asked == 2 {
				once = false
				s.remove(s.asked)
			}
		}
		q, got := Items("gw/devices", nil), 0
		q.Max, q.Keep, q.Again = most, func(r *Row) bool { return r.ID[0]%3000 == 0 }, func(n int) { got -= n }
		err := lister(&backend{answer: s.answer}, "").All(new(upstream.Answer), &q, func(*Row) { got++ })
		if !errors.Is(err, want) || got != most {
			t.Errorf("%d rows of 10 wanted: got %d, %v", most, got, err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ever := new(endless)
		q := Items("gw/devices", nil)
		q.Deadline = time.Now().Add(time.Minute)
		l := Lister{Backend: ever, Key: func() string { return "" }}
		if err := l.All(new(upstream.Answer), &q, func(*Row) {}); !errors.Is(err, upstream.ErrTimeout) || ever.asked < 50 {
			t.Errorf("got %v after %d pages", err, ever.asked)
		}
	})
}

// endless has another page after every page, up to 200 of them.
type endless struct{ asked int }

func (e *endless) Do(_ *upstream.Request, a *upstream.Answer) error {
	time.Sleep(time.Second)
	if e.asked++; e.asked > 200 {
		return &upstream.Error{Kind: upstream.ErrDial}
	}
	a.Fill(200, []byte(rows(2*e.asked, 3)))
	return nil
}
