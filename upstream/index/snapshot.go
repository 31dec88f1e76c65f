package index

import (
	"errors"
	"slices"
	"sort"

	"aclgate/policy"
	"aclgate/upstream"
)

// fenceStep is how many ids there are from one fence to the next.
const fenceStep = 64

// snapshot is the accounts of the items of one collection as they were read. It is immutable and
// takes 20 bytes per item: 8 and 4 for id and owner, 8 for the id among those of its owner.
type snapshot struct {
	ids     []int64  // ascending
	owner   []uint32 // of each id, a position in cids
	fences  []int64  // every 64th id: they fit the processor's cache, the ids do not
	cids    []int64  // ascending; 0: items without an account
	runs    []uint32 // where the ids of each owner begin in grouped; one more than cids
	grouped []int64  // ids by owner, ascending
	cache   branchCache
}

// account returns the account of an item, and whether it is known.
func (s *snapshot) account(id int64) (cid int64, known bool) {
	lo := upper(s.fences, id) * fenceStep
	if lo == 0 {
		return 0, false
	}
	lo -= fenceStep
	i := lo + upper(s.ids[lo:min(lo+fenceStep, len(s.ids))], id) - 1
	if s.ids[i] != id {
		return 0, false
	}
	return s.cids[s.owner[i]], true
}

// upper returns how many of the ascending ids are at most id.
func upper(ids []int64, id int64) int {
	lo, hi := 0, len(ids)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if ids[mid] <= id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// of returns the ids of the items in the branch of an account, ascending. They are shared.
func (s *snapshot) of(t *ordinals, cid int64) []int64 {
	return s.cache.get(t, cid, len(s.ids), func() ([]int64, bool) { return s.branch(t.tree, cid) })
}

// branch makes what of returns, and reports whether that took memory of its own.
func (s *snapshot) branch(tree *policy.Tree, top int64) (ids []int64, own bool) {
	in := make([]bool, len(s.cids))
	total, owners, last := 0, 0, 0
	for i, cid := range s.cids {
		if in[i] = tree.Contains(top, cid); in[i] {
			total += int(s.runs[i+1] - s.runs[i])
			owners, last = owners+1, i
		}
	}
	switch {
	case total == len(s.ids):
		return s.ids, false
	case owners == 1:
		return s.run(last), false
	case total > len(s.ids)/16:
		return s.filter(in, total), true
	}
	ids = make([]int64, 0, total)
	for i, yes := range in {
		if yes {
			ids = append(ids, s.run(i)...)
		}
	}
	slices.Sort(ids)
	return ids, true
}

func (s *snapshot) run(owner int) []int64 {
	return slices.Clip(s.grouped[s.runs[owner]:s.runs[owner+1]])
}

// filter walks all items, which is cheaper than sorting many.
func (s *snapshot) filter(in []bool, total int) []int64 {
	ids := make([]int64, 0, total)
	for i, o := range s.owner {
		if in[o] {
			ids = append(ids, s.ids[i])
		}
	}
	return ids
}

// equal reports whether two snapshots hold the same.
func (s *snapshot) equal(o *snapshot) bool {
	return slices.Equal(s.ids, o.ids) && slices.Equal(s.cids, o.cids) && slices.Equal(s.owner, o.owner)
}

// snapshotBuilder collects the rows of a reading, in any order.
type snapshotBuilder struct {
	ids    []int64
	owner  []uint32
	cids   []int64 // in the order met
	number map[int64]uint32
	last   uint32 // rows of one owner often follow each other
}

func newSnapshotBuilder(size int) *snapshotBuilder {
	return &snapshotBuilder{ids: make([]int64, 0, size), owner: make([]uint32, 0, size), number: map[int64]uint32{}}
}

func (b *snapshotBuilder) add(id, cid int64) {
	if len(b.cids) == 0 || b.cids[b.last] != cid {
		n, known := b.number[cid]
		if !known {
			n = uint32(len(b.cids))
			b.number[cid] = n
			b.cids = append(b.cids, cid)
		}
		b.last = n
	}
	b.ids = append(b.ids, id)
	b.owner = append(b.owner, b.last)
}

// Len, Less and Swap sort the rows by id.
func (b *snapshotBuilder) Len() int           { return len(b.ids) }
func (b *snapshotBuilder) Less(i, j int) bool { return b.ids[i] < b.ids[j] }
func (b *snapshotBuilder) Swap(i, j int) {
	b.ids[i], b.ids[j] = b.ids[j], b.ids[i]
	b.owner[i], b.owner[j] = b.owner[j], b.owner[i]
}

// snapshot returns what was collected. An item that came twice is one, unless the two rows name
// different accounts: nothing tells which of them is true.
func (b *snapshotBuilder) snapshot() (*snapshot, error) {
	if !slices.IsSorted(b.ids) {
		sort.Sort(b)
	}
	distinct := 0
	for i := range b.ids {
		if i == 0 || b.ids[i] != b.ids[i-1] {
			distinct++
		} else if b.owner[i] != b.owner[i-1] {
			return nil, &upstream.Error{Kind: upstream.ErrBroken, Cause: errors.New("one item came with two accounts")}
		}
	}
	s := &snapshot{
		ids: make([]int64, 0, distinct), owner: make([]uint32, 0, distinct),
		fences: make([]int64, 0, distinct/fenceStep+1),
	}
	rank := b.rank(s)
	for i, id := range b.ids {
		if i > 0 && id == b.ids[i-1] {
			continue
		}
		if len(s.ids)%fenceStep == 0 {
			s.fences = append(s.fences, id)
		}
		s.ids = append(s.ids, id)
		s.owner = append(s.owner, rank[b.owner[i]])
	}
	s.group()
	return s, nil
}

// rank fills in the accounts ascending and returns the new position of each.
func (b *snapshotBuilder) rank(s *snapshot) []uint32 {
	s.cids = slices.Clone(b.cids)
	slices.Sort(s.cids)
	rank := make([]uint32, len(b.cids))
	for i, cid := range b.cids {
		n, _ := slices.BinarySearch(s.cids, cid)
		rank[i] = uint32(n)
	}
	return rank
}

// group sorts the ids by owner: counted first, then placed.
func (s *snapshot) group() {
	s.runs = make([]uint32, len(s.cids)+1)
	for _, o := range s.owner {
		s.runs[o+1]++
	}
	for i := range s.cids {
		s.runs[i+1] += s.runs[i]
	}
	next := slices.Clone(s.runs)
	s.grouped = make([]int64, len(s.ids))
	for i, o := range s.owner {
		s.grouped[next[o]] = s.ids[i]
		next[o]++
	}
}
