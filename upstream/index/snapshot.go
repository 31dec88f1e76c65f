package index

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"aclgate/policy"
	"aclgate/upstream"
)

// snapshot is the accounts of the items of one collection as they were read. It is immutable and
// takes 20 bytes per item: 8 and 4 for id and owner, 8 for the id among those of its owner.
type snapshot struct {
	ids     []int64  // ascending
	owner   []uint32 // of each id, a position in cids
	cids    []int64  // ascending; 0: items without an account
	runs    []uint32 // where the ids of each owner begin in grouped; one more than cids
	grouped []int64  // ids by owner, ascending
	cache   branchCache
}

// account returns the account of an item, and whether it is known.
func (s *snapshot) account(id int64) (cid int64, known bool) {
	n, known := slices.BinarySearch(s.ids, id)
	if !known {
		return 0, false
	}
	return s.cids[s.owner[n]], true
}

// of returns the ids of the items in the branch of an account, ascending. They are shared.
func (s *snapshot) of(tree *policy.Tree, cid int64) []int64 {
	return s.cache.get(tree, cid, len(s.ids), func() ([]int64, bool) { return s.branch(tree, cid) })
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

// itemRow is one row of a reading.
type itemRow struct{ id, cid int64 }

// newSnapshot returns what rows show, which come in any order. An item that came twice is one,
// unless the two rows name different accounts: nothing tells which of them is true.
func newSnapshot(rows []itemRow) (*snapshot, error) {
	byID := func(a, b itemRow) int { return cmp.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(rows, byID) {
		slices.SortFunc(rows, byID)
	}
	rows = slices.Compact(rows)
	s := &snapshot{ids: make([]int64, len(rows)), owner: make([]uint32, len(rows))}
	accounts := map[int64]bool{}
	for i, r := range rows {
		if i > 0 && r.id == rows[i-1].id {
			return nil, &upstream.Error{Kind: upstream.ErrBroken, Cause: errors.New("one item came with two accounts")}
		}
		if i == 0 || r.cid != rows[i-1].cid { // rows of one owner often follow each other
			accounts[r.cid] = true
		}
		s.ids[i] = r.id
	}
	s.cids = slices.Sorted(maps.Keys(accounts))
	last := 0
	for i, r := range rows {
		if s.cids[last] != r.cid {
			last, _ = slices.BinarySearch(s.cids, r.cid)
		}
		s.owner[i] = uint32(last)
	}
	s.group()
	return s, nil
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
