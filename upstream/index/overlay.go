package index

import (
	"cmp"
	"slices"
	"time"

	"aclgate/policy"
)

// gone is the account of an item that was deleted.
const gone = -1

// change is what became of one item after a reading began.
type change struct {
	id, cid int64  // cid: gone; 0 for no account; policy.AtRoots
	seq     uint64 // grows with every change
}

// overlay is a snapshot with the changes since: what is known of one collection at one moment. It
// is immutable; a change makes a new one that shares nearly everything.
//
// The changes are in lists, each sorted, the newest last. A list that is no longer much smaller
// than the one before it is merged into it, so that there are few of them and a change costs
// little, whatever their number.
type overlay struct {
	base   *snapshot
	began  time.Time // of the reading; zero: never read
	deltas [][]change
	doubts []doubt     // by id; each is a change to gone as well
	cache  branchCache // of base with the changes
}

// doubt is an item of which a write has left open what became of it: nobody has it until it was read
// again.
type doubt struct {
	id  int64
	was int64 // the account before; 0: none
	to  int64 // the account, or the branch, that the write was to give it to; 0: none
	seq uint64
}

// and returns the doubt about an item of which a further write has left open what became of it. Where
// the two were to give it to different accounts, every branch below the root may have it.
func (d doubt) and(next doubt, tree *policy.Tree) doubt {
	next.was = d.was
	switch {
	case next.to == 0:
		next.to = d.to
	case d.to != 0 && d.to != next.to:
		tree.Ancestors(d.to, func(cid int64) { next.to = cid })
	}
	return next
}

func doubtByID(d doubt, id int64) int { return cmp.Compare(d.id, id) }

// concerns reports whether the branch of an account may have the item.
func (d *doubt) concerns(tree *policy.Tree, cid int64) bool {
	return tree.Contains(cid, d.was) || tree.Contains(cid, d.to) || tree.Contains(d.to, cid)
}

// inDoubt returns the doubt about an item, or nil.
func (o *overlay) inDoubt(id int64) *doubt {
	n, found := slices.BinarySearchFunc(o.doubts, id, doubtByID)
	if !found {
		return nil
	}
	return &o.doubts[n]
}

// doubtful returns the items in doubt that the branch of an account may have, ascending.
func (o *overlay) doubtful(tree *policy.Tree, cid int64) (ids []int64) {
	for _, d := range o.doubts {
		if d.concerns(tree, cid) {
			ids = append(ids, d.id)
		}
	}
	return ids
}

// settled returns the doubts that the changes, sorted by id, do not end.
func settled(doubts []doubt, changes []change) []doubt {
	if len(doubts) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(doubts), func(d doubt) bool {
		_, found := slices.BinarySearchFunc(changes, d.id, byID)
		return found
	})
}

// deltaRatio is how much larger than the next a list has to be to stay on its own.
const deltaRatio = 4

// account returns the account of an item, and whether it is known.
func (o *overlay) account(id int64) (cid int64, known bool) {
	if c, changed := o.changed(id); changed {
		if c.cid == gone {
			return 0, false
		}
		return c.cid, true
	}
	return o.base.account(id)
}

// knows reports whether an item is known, or known to be gone.
func (o *overlay) knows(id int64) bool {
	_, known := o.account(id)
	_, changed := o.changed(id)
	return known || changed
}

// changes returns how many changes are kept, those of one item in two lists counted twice.
func (o *overlay) changes() int {
	n := 0
	for _, delta := range o.deltas {
		n += len(delta)
	}
	return n
}

// changed returns the newest change of an item, if there is one.
func (o *overlay) changed(id int64) (change, bool) {
	for i := len(o.deltas) - 1; i >= 0; i-- {
		if n, found := slices.BinarySearchFunc(o.deltas[i], id, byID); found {
			return o.deltas[i][n], true
		}
	}
	return change{}, false
}

func byID(c change, id int64) int { return cmp.Compare(c.id, id) }

// of returns the ids of the items in the branch of an account, ascending. They are shared.
func (o *overlay) of(tree *policy.Tree, cid int64) []int64 {
	if len(o.deltas) == 0 {
		return o.base.of(tree, cid)
	}
	return o.cache.get(tree, cid, len(o.base.ids), func() ([]int64, bool) { return o.branch(tree, cid) })
}

// branch merges the changes into the branch of the snapshot, and reports whether they made a
// difference.
func (o *overlay) branch(tree *policy.Tree, cid int64) (ids []int64, own bool) {
	before := o.base.of(tree, cid)
	ids, from := nil, 0
	for _, c := range o.flat() {
		i, was := slices.BinarySearch(before[from:], c.id)
		i += from
		is := c.cid != gone && tree.Contains(cid, c.cid)
		if is == was {
			continue
		}
		ids = append(ids, before[from:i]...)
		if from = i; is {
			ids = append(ids, c.id)
		} else {
			from++
		}
		own = true
	}
	if !own {
		return before, false
	}
	return append(ids, before[from:]...), true
}

// flat returns the newest change of every item that was changed, by id.
func (o *overlay) flat() []change {
	if len(o.deltas) == 0 {
		return nil
	}
	all := o.deltas[0]
	for _, delta := range o.deltas[1:] {
		all = mergeChanges(all, delta)
	}
	return all
}

// apply returns o after further changes, which are sorted by id and distinct.
func (o *overlay) apply(changes []change) *overlay {
	doubts := settled(o.doubts, changes)
	deltas := slices.Clip(o.deltas)
	for n := len(deltas); n > 0 && len(deltas[n-1]) < deltaRatio*len(changes); n = len(deltas) {
		changes = mergeChanges(deltas[n-1], changes)
		deltas = slices.Clip(deltas[:n-1])
	}
	return &overlay{base: o.base, began: o.began, deltas: append(deltas, changes), doubts: doubts}
}

// rebase returns o above what a reading has shown that began after change seq. Later changes stay:
// the reading may or may not have seen them. Where nothing is different, all that was derived is
// kept.
func (o *overlay) rebase(base *snapshot, began time.Time, seq uint64) *overlay {
	if o.base.equal(base) {
		base = o.base
	}
	fresh := &overlay{base: base, began: began}
	later := slices.DeleteFunc(slices.Clone(o.flat()), func(c change) bool { return c.seq <= seq })
	if len(later) > 0 {
		fresh.deltas = [][]change{later}
	}
	fresh.doubts = slices.DeleteFunc(slices.Clone(o.doubts), func(d doubt) bool { return d.seq <= seq })
	return fresh
}

// mergeChanges returns both lists as one; of two changes of an item the newer one counts.
func mergeChanges(older, newer []change) []change {
	all := make([]change, 0, len(older)+len(newer))
	for len(older) > 0 && len(newer) > 0 {
		switch o, n := older[0], newer[0]; {
		case o.id < n.id:
			all, older = append(all, o), older[1:]
		case o.id == n.id:
			older = older[1:]
		default:
			all, newer = append(all, n), newer[1:]
		}
	}
	return append(append(all, older...), newer...)
}
