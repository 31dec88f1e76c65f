package upstream

import (
	"sync"
	"sync/atomic"

	"aclgate/policy"
)

// trees is how many trees are judged by at one time: that of the policy in force and that of
// policy.shadow. What is derived from a tree is kept for as many of them, in slots.
const trees = 2

// numbering remembers the places of the trees that were asked for last.
type numbering struct {
	mu   sync.Mutex
	kept [trees]*places
	next int
}

// of returns the places of a tree. A new one takes the slot that was taken longest ago.
func (n *numbering) of(tree *policy.Tree) *places {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.kept {
		if p != nil && p.tree == tree {
			return p
		}
	}
	p := placesOf(tree)
	p.slot = n.next
	n.kept[n.next] = p
	n.next = (n.next + 1) % trees
	return p
}

// places numbers the accounts of one tree, so that what is derived per account can lie in
// an array that is read without a lock. It is immutable.
type places struct {
	tree *policy.Tree
	at   map[int64]int32
	slot int
}

func placesOf(tree *policy.Tree) *places {
	accounts := tree.Accounts()
	p := &places{tree: tree, at: make(map[int64]int32, len(accounts))}
	for i, a := range accounts {
		p.at[a.ID] = int32(i)
	}
	return p
}

// branches remembers the ids of branches, each derived once. The zero value is empty.
type branches struct {
	lists [trees]atomic.Pointer[branchLists]
}

// branchLists are those for one tree.
type branchLists struct {
	places *places
	list   []atomic.Pointer[[]int64]
	kept   atomic.Int64 // ids in memory of their own
}

// minKept may be remembered of any collection, however small.
const minKept = 4096

// get returns the ids of a branch, remembered or as derive makes them, which reports whether
// they have memory of their own. Of such memory no more than half the items is kept: what
// is too much is derived again.
func (b *branches) get(p *places, cid int64, items int, derive func() ([]int64, bool)) []int64 {
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
func (b *branches) of(p *places) *branchLists {
	slot := &b.lists[p.slot]
	for {
		lists := slot.Load()
		if lists != nil && lists.places == p {
			return lists
		}
		fresh := &branchLists{places: p, list: make([]atomic.Pointer[[]int64], len(p.at))}
		if slot.CompareAndSwap(lists, fresh) {
			return fresh
		}
	}
}
