package index

import (
	"slices"
	"time"
)

// gone is the account of an item that was deleted.
const gone = -1

// change is what became of one item after a reading began.
type change struct {
	id, cid int64  // cid: gone, 0 for nobody
	seq     uint64 // grows with every change
}

// overlay is a snapshot with the changes since: what is known of one collection at one moment.
// It is immutable; a change makes a new one that shares nearly everything.
//
// The changes lie in layers, each sorted, the newest last. A layer that is no longer much
// smaller than the one before it is merged into it, so that there are few of them and a
// change costs little, whatever their number.
type overlay struct {
	base   *snapshot
	began  time.Time // of the reading; zero: never read
	deltas [][]change
	cache  branchCache // of base with the changes
}

// deltaRatio is how much larger than the next a layer has to be to stay on its own.
const deltaRatio = 4

// account returns whose an item is, and whether it is known.
func (s *overlay) account(id int64) (cid int64, known bool) {
	if c, changed := s.changed(id); changed {
		return max(c.cid, 0), c.cid != gone
	}
	return s.base.account(id)
}

// knows reports whether an item was ever heard of, be it that it is gone.
func (s *overlay) knows(id int64) bool {
	_, known := s.account(id)
	_, changed := s.changed(id)
	return known || changed
}

// changes returns how many changes are kept, those of one item in two layers counted twice.
func (s *overlay) changes() int {
	n := 0
	for _, layer := range s.deltas {
		n += len(layer)
	}
	return n
}

// changed returns the newest change of an item, if there is one.
func (s *overlay) changed(id int64) (change, bool) {
	for i := len(s.deltas) - 1; i >= 0; i-- {
		if n, found := slices.BinarySearchFunc(s.deltas[i], id, byID); found {
			return s.deltas[i][n], true
		}
	}
	return change{}, false
}

func byID(c change, id int64) int {
	switch {
	case c.id < id:
		return -1
	case c.id > id:
		return 1
	}
	return 0
}

// of returns the ids of the items in the branch of an account, ascending. They are shared.
func (s *overlay) of(p *ordinals, cid int64) []int64 {
	if len(s.deltas) == 0 {
		return s.base.of(p, cid)
	}
	return s.cache.get(p, cid, len(s.base.ids), func() ([]int64, bool) { return s.branch(p, cid) })
}

// branch merges the changes into the branch of the snapshot, and reports whether they made a
// difference.
func (s *overlay) branch(p *ordinals, cid int64) (ids []int64, own bool) {
	before := s.base.of(p, cid)
	ids, from := nil, 0
	for _, c := range s.flat() {
		i, was := slices.BinarySearch(before[from:], c.id)
		i += from
		is := c.cid != gone && p.tree.Contains(cid, c.cid)
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
func (s *overlay) flat() []change {
	if len(s.deltas) == 0 {
		return nil
	}
	all := s.deltas[0]
	for _, layer := range s.deltas[1:] {
		all = mergeChanges(all, layer)
	}
	return all
}

// with returns s after further changes, which are sorted by id and distinct.
func (s *overlay) apply(changes []change) *overlay {
	layers := slices.Clip(s.deltas)
	for n := len(layers); n > 0 && len(layers[n-1]) < deltaRatio*len(changes); n = len(layers) {
		changes = mergeChanges(layers[n-1], changes)
		layers = slices.Clip(layers[:n-1])
	}
	return &overlay{base: s.base, began: s.began, deltas: append(layers, changes)}
}

// reread returns s with what a reading has shown that began after change seq. Later changes
// stay: the reading may or may not have seen them. Where nothing is different, all that was
// derived is kept.
func (s *overlay) rebase(base *snapshot, began time.Time, seq uint64) *overlay {
	if s.base.equal(base) {
		base = s.base
	}
	fresh := &overlay{base: base, began: began}
	later := slices.DeleteFunc(slices.Clone(s.flat()), func(c change) bool { return c.seq <= seq })
	if len(later) > 0 {
		fresh.deltas = [][]change{later}
	}
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
