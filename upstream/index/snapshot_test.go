package index

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
)

// snapshotOf returns the snapshot of items given as id and account, alternating.
func snapshotOf(t testing.TB, rows ...int64) *snapshot {
	t.Helper()
	var b []itemRow
	for i := 0; i < len(rows); i += 2 {
		b = append(b, itemRow{rows[i], rows[i+1]})
	}
	s, err := newSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// chain is the tree 1 → 11 → 111, 1 → 12, and 2 apart.
func chain(t testing.TB) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{
		{ID: 1}, {ID: 11, Parent: 1}, {ID: 111, Parent: 11}, {ID: 12, Parent: 1}, {ID: 2},
	}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

func TestSnapshot(t *testing.T) {
	s := snapshotOf(t, 9, 12, 3, 11, 5, 11, 3, 11, 7, 111, 8, 777, 6, 0, 10, 2)
	p := chain(t)
	accounts := map[int64]int64{3: 11, 5: 11, 6: 0, 7: 111, 8: 777, 9: 12, 10: 2}
	for id := range int64(12) {
		cid, known := s.account(id)
		if want, there := accounts[id]; known != there || cid != want {
			t.Errorf("item %d: got %d, %v", id, cid, known)
		}
	}
	rows := []struct {
		cid  int64
		want []int64
	}{{1, []int64{3, 5, 7, 9}}, {11, []int64{3, 5, 7}}, {111, []int64{7}}, {12, []int64{9}}, {2, []int64{10}},
		{777, nil}, {0, nil}, {5, nil}}
	for _, row := range rows {
		for range 2 {
			if got := s.of(p, row.cid); !slices.Equal(got, row.want) {
				t.Errorf("branch of %d: got %v, want %v", row.cid, got, row.want)
			}
		}
	}
	if got := new(snapshot).of(p, 1); len(got) != 0 {
		t.Errorf("an empty snapshot has %v", got)
	}
}

// Two rows that disagree about an item: whichever is believed, somebody loses.
func TestSnapshotConflict(t *testing.T) {
	var b []itemRow
	b = append(b, itemRow{3, 11})
	b = append(b, itemRow{4, 11})
	b = append(b, itemRow{3, 12})
	if _, err := newSnapshot(b); !errors.Is(err, upstream.ErrBroken) {
		t.Errorf("got %v", err)
	}
}

// Ensure that what was derived for one tree is not shown for another.
func TestSnapshotOtherTree(t *testing.T) {
	s := snapshotOf(t, 3, 11, 5, 12, 6, 12)
	before := chain(t)
	tree, _ := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12}}, 4)
	after := tree
	for range 2 {
		if got := s.of(before, 1); !slices.Equal(got, []int64{3, 5, 6}) {
			t.Errorf("before: got %v", got)
		}
		if got := s.of(after, 1); !slices.Equal(got, []int64{3}) {
			t.Errorf("after: got %v", got)
		}
	}
}

// world is the naive index: a map.
type world map[int64]int64

func (w world) of(tree *policy.Tree, cid int64) []int64 {
	var ids []int64
	for _, id := range slices.Sorted(maps.Keys(w)) {
		if tree.Contains(cid, w[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (w world) compare(t *testing.T, s *overlay, p *policy.Tree) {
	t.Helper()
	for id := range int64(70) {
		cid, known := s.account(id)
		if want, there := w[id]; known != there || cid != want {
			t.Fatalf("item %d: got %d, %v; want %d, %v", id, cid, known, want, there)
		}
	}
	for _, a := range p.Accounts() {
		if got, want := s.of(p, a.ID), w.of(p, a.ID); !slices.Equal(got, want) {
			t.Fatalf("branch of %d: got %v, want %v", a.ID, got, want)
		}
	}
}

// FuzzOverlay plays changes and readings, which show the world as it was when they began, against a
// map that knows the truth: the overlay always says the same.
func FuzzOverlay(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint8(200))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := chain(t)
		owners := []int64{0, 1, 2, 11, 12, 111, 777}
		truth, s := world{}, &overlay{base: new(snapshot)}
		seq := uint64(0)
		var reading []int64 // what the reading in progress will show
		var readingSeq uint64
		for range steps {
			switch r.IntN(10) {
			case 0:
				reading, readingSeq = []int64{}, seq
				for id, cid := range truth {
					reading = append(reading, id, cid)
				}
			case 1:
				if reading != nil {
					s = s.rebase(snapshotOf(t, reading...), time.Now(), readingSeq)
					reading = nil
				}
			default:
				seq++
				id, cid := 1+r.Int64N(64), owners[r.IntN(len(owners))]
				if r.IntN(4) == 0 {
					delete(truth, id)
					cid = gone
				} else {
					truth[id] = cid
				}
				s = s.apply([]change{{id, cid, seq}})
			}
			truth.compare(t, s, p)
		}
	})
}

// Ensure that many changes stay cheap to look through.
func TestOverlayLayers(t *testing.T) {
	s := &overlay{base: new(snapshot)}
	for i := range int64(10_000) {
		s = s.apply([]change{{i * 7919 % 10_007, 11, uint64(i)}})
	}
	if len(s.deltas) > 10 {
		t.Errorf("got %d layers", len(s.deltas))
	}
	if n := len(s.of(chain(t), 11)); n != 10_000 {
		t.Errorf("got %d items", n)
	}
}

// Ensure that a reading that shows nothing new keeps what was derived.
func TestOverlayUnchanged(t *testing.T) {
	p := chain(t)
	s := &overlay{base: snapshotOf(t, 3, 11, 5, 111, 6, 12)}
	before := s.of(p, 11)
	s = s.rebase(snapshotOf(t, 3, 11, 5, 111, 6, 12), time.Now(), 0)
	if after := s.of(p, 11); &before[0] != &after[0] {
		t.Error("the branch was derived again")
	}
}

// What is remembered of branchCache is bounded; what is not remembered is right all the same.
func TestBranchCacheBound(t *testing.T) {
	var b []itemRow
	for i := range int64(20_000) {
		b = append(b, itemRow{i + 1, []int64{11, 111, 12, 2}[i%4]})
	}
	s, err := newSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	p := chain(t)
	for range 2 {
		for cid, want := range map[int64]int{1: 15_000, 11: 10_000, 111: 5000, 12: 5000, 2: 5000} {
			if got := s.of(p, cid); len(got) != want || !slices.IsSorted(got) {
				t.Errorf("branch of %d: got %d items", cid, len(got))
			}
		}
	}
	if kept := s.cache.trees.get(p, nil).kept.Load(); kept > 10_000 {
		t.Errorf("%d ids are kept", kept)
	}
}

func TestGroupMembers(t *testing.T) {
	l := newGroupMembers([]pair{{12, 102}, {12, 101}, {66, 601}, {12, 101}, {7, 601}, {7, 5}})
	rows := []struct{ groups, want []int64 }{
		{nil, nil}, {[]int64{12}, []int64{101, 102}}, {[]int64{7, 66}, []int64{5, 601}},
		{[]int64{1, 12, 99}, []int64{101, 102}}, {[]int64{99}, nil}, {[]int64{7, 12, 66}, []int64{5, 101, 102, 601}},
	}
	for range 2 {
		for _, row := range rows {
			if got := l.of(row.groups); !slices.Equal(got, row.want) {
				t.Errorf("members of %v: got %v, want %v", row.groups, got, row.want)
			}
		}
	}
	for i := range int64(3 * maxGroupSets) {
		l.of([]int64{i, 1000})
	}
	if n := len(l.asked.Load().sets); n > maxGroupSets {
		t.Errorf("%d sets are remembered", n)
	}
	if got := new(groupMembers).of([]int64{1, 2}); len(got) != 0 {
		t.Errorf("nothing has members %v", got)
	}
}

// million is a snapshot of a million items of a thousand accounts below 1.
func million(tb testing.TB) (*snapshot, *policy.Tree) {
	tb.Helper()
	accounts := []policy.Account{{ID: 1}, {ID: 2}}
	for i := range int64(1000) {
		accounts = append(accounts, policy.Account{ID: 1000 + i, Parent: 1 + i/900})
	}
	tree, _ := policy.NewTree(accounts, 4)
	var b []itemRow
	for i := range int64(1_000_000) {
		b = append(b, itemRow{5_000_000 + 3*i, 1000 + i%1000})
	}
	s, err := newSnapshot(b)
	if err != nil {
		tb.Fatal(err)
	}
	return s, tree
}

func BenchmarkSnapshot(b *testing.B) {
	s, p := million(b)
	b.Run("account", func(b *testing.B) {
		i := int64(0)
		for b.Loop() {
			i = (i + 382_723) % 1_000_000
			s.account(5_000_000 + 3*i)
		}
	})
	for _, cid := range []int64{1500, 1} {
		b.Run(fmt.Sprint("first/", cid), func(b *testing.B) {
			for b.Loop() {
				s.branch(p, cid)
			}
		})
		b.Run(fmt.Sprint("again/", cid), func(b *testing.B) {
			for b.Loop() {
				s.of(p, cid)
			}
		})
	}
}

// Two policies that are evaluated beside each other have a tree each. Neither drives out what is
// remembered for the other, and a third takes the place of the one that came first.
func TestTwoTrees(t *testing.T) {
	var b branchCache
	derived := 0
	get := func(tree *policy.Tree, want int) {
		t.Helper()
		b.get(tree, 1, 10, func() ([]int64, bool) { derived++; return []int64{1}, false })
		if derived != want {
			t.Fatalf("derived %d times, want %d", derived, want)
		}
	}
	first, second, third := chain(t), chain(t), chain(t)
	get(first, 1)
	for range 3 {
		get(second, 2)
		get(first, 2)
	}
	get(third, 3)
	get(second, 3)
	get(third, 3)
	get(first, 4)
}
