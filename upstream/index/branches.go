package index

import (
	"sync"
	"sync/atomic"

	"aclgate/policy"
)

// trees is how many trees are judged by at one time: that of the policy in force and that of
// policy.shadow. What is derived from a tree is kept for as many of them, in slots.
const trees = 2

// ordinalCache remembers the ordinals of the trees that were asked for last.
type ordinalCache struct {
	mu   sync.Mutex
	kept [trees]*ordinals
	next int
}

// of returns the ordinals of a tree. A new one takes the slot that was taken longest ago.
func (n *ordinalCache) of(tree *policy.Tree) *ordinals {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.kept {
		if p != nil && p.tree == tree {
			return p
		}
	}
	p := ordinalsOf(tree)
	p.slot = n.next
	n.kept[n.next] = p
	n.next = (n.next + 1) % trees
	return p
}

// ordinals numbers the accounts of one tree, so that what is derived per account can be
// in an array that is read without a lock. It is immutable.
type ordinals struct {
	tree *policy.Tree
	at   map[int64]int32
	slot int
}

func ordinalsOf(tree *policy.Tree) *ordinals {
	accounts := tree.Accounts()
	p := &ordinals{tree: tree, at: make(map[int64]int32, len(accounts))}
	for i, a := range accounts {
		p.at[a.ID] = int32(i)
	}
	return p
}

// branchCache remembers the ids of items in branches, each derived once. The zero value is empty.
type branchCache struct {
	lists [trees]atomic.Pointer[branchLists]
}

// branchLists are those for one tree.
type branchLists struct {
	ordinals *ordinals
	list     []atomic.Pointer[[]int64]
	kept     atomic.Int64 // ids in memory of their own
}

// minKept may be remembered of any collection, however small.
const minKept = 4096

// get returns the ids of a branch, remembered or as derive makes them, which reports whether
// they have memory of their own. Of such memory no more than half the items is kept: the
// rest is derived again.
func (b *branchCache) get(p *ordinals, cid int64, items int, derive func() ([]int64, bool)) []int64 {
	n, known := p.at[cid]
	if !known {
		return nil
	}
	lists := b.of(p)
	if ids := lists.list[n].Load(); ids != nil {
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
	lists.list[n].Store(&ids)
	return ids
}

// of returns what is remembered for a tree. Another tree in its slot begins anew.
func (b *branchCache) of(p *ordinals) *branchLists {
	slot := &b.lists[p.slot]
	for {
		lists := slot.Load()
		if lists != nil && lists.ordinals == p {
			return lists
		}
		fresh := &branchLists{ordinals: p, list: make([]atomic.Pointer[[]int64], len(p.at))}
		if slot.CompareAndSwap(lists, fresh) {
			return fresh
		}
	}
}
