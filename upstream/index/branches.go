package index

import (
	"sync/atomic"

	"aclgate/policy"
)

// perTree keeps what is derived from a tree, of as many trees as are used at one time: that of the
// policy in force and that of policy.shadow. The zero value is empty.
type perTree[T any] struct {
	kept [2]atomic.Pointer[derived[T]]
	turn atomic.Uint32
}

type derived[T any] struct {
	tree  *policy.Tree
	value *T
}

// get returns what is kept for a tree, or else what derive makes, in the place of what came first.
func (p *perTree[T]) get(tree *policy.Tree, derive func() *T) *T {
	for i := range p.kept {
		if d := p.kept[i].Load(); d != nil && d.tree == tree {
			return d.value
		}
	}
	d := &derived[T]{tree, derive()}
	p.kept[p.turn.Add(1)%uint32(len(p.kept))].Store(d)
	return d.value
}

// branchCache remembers the ids of items in branches, each derived once. The zero value is empty.
type branchCache struct{ trees perTree[branchLists] }

// branchLists are the ids by Tree.Ordinal of the account on top of the branch. They are read
// without a lock.
type branchLists struct {
	ids  []atomic.Pointer[[]int64]
	kept atomic.Int64 // ids in memory of their own
}

// minKept may be remembered of any collection, however small.
const minKept = 4096

// get returns the ids of a branch, remembered or as derive makes them, which reports whether they
// have memory of their own. Of such memory no more than half the items is kept: the rest is derived
// again.
func (b *branchCache) get(tree *policy.Tree, cid int64, items int, derive func() ([]int64, bool)) []int64 {
	n, known := tree.Ordinal(cid)
	if !known {
		return nil
	}
	lists := b.trees.get(tree, func() *branchLists {
		return &branchLists{ids: make([]atomic.Pointer[[]int64], len(tree.Accounts()))}
	})
	if ids := lists.ids[n].Load(); ids != nil {
		return *ids
	}
	ids, own := derive()
	if own {
		size := int64(len(ids))
		if lists.kept.Add(size) > int64(max(items/2, minKept)) {
			lists.kept.Add(-size)
			return ids
		}
	}
	lists.ids[n].Store(&ids)
	return ids
}
