package index

import (
	"cmp"
	"context"
	"slices"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// Owners says whose items are, where the backend does not know (SPEC 4.4, scope.owners: store).
type Owners interface {
	// Owner returns the account of an item of c; found is false where nothing says so.
	Owner(c *policy.Collection, id int64) (cid int64, found bool)
	// Listed is told the ids of all items of c, ascending, by every whole reading, before it counts.
	// It may give items to accounts, and take them away from accounts, but not those of which changed
	// says that they were changed since the reading began. The ids must not be kept.
	Listed(ctx context.Context, c *policy.Collection, ids []int64, changed func(id int64) bool) error
}

// Owned is an item whose account has changed.
type Owned struct {
	Collection string
	ID         int64
}

// moves are the items whose accounts changed while a reading was under way: what the reading has made
// of them is looked up once more. It is valid under ItemIndex.mu.
type moves struct {
	ids []int64
	all bool // too many to name
}

// OwnersChanged notes that accounts of items have changed, where Options.Owners knows them. Items nil:
// any may have. Every View taken later says what Owners says.
func (x *ItemIndex) OwnersChanged(items []Owned) {
	if x.opt.Owners == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if items == nil {
		for _, c := range x.opt.Catalogue.Collections {
			if m := x.moving[c]; m != nil {
				m.all = true
			}
			x.ownersOf(c)
		}
		return
	}
	byCollection := map[string][]int64{}
	for _, o := range items {
		byCollection[o.Collection] = append(byCollection[o.Collection], o.ID)
	}
	for _, c := range x.opt.Catalogue.Collections {
		ids := byCollection[c.URI]
		if len(ids) == 0 {
			continue
		}
		if m := x.moving[c]; m != nil {
			m.ids = append(m.ids, ids...)
		}
		x.movedTo(c, ids)
	}
}

// movedTo gives the items of c that are known to the accounts that they have by now. What is not known
// to be there stays so. The caller holds mu.
func (x *ItemIndex) movedTo(c *policy.Collection, ids []int64) {
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	changes := make([]change, 0, len(ids))
	for _, id := range ids {
		was, known := s.account(id)
		if cid := x.owner(c, id); known && cid != was {
			changes = append(changes, change{id, cid, x.seq + 1})
		}
	}
	if len(changes) > 0 {
		x.seq++
		x.put(c, s.apply(distinct(changes)))
	}
}

// ownersOf looks up the accounts of all items of c again. The caller holds mu.
func (x *ItemIndex) ownersOf(c *policy.Collection) {
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	rows := make([]itemRow, 0, len(s.base.ids))
	for _, id := range s.base.ids {
		rows = append(rows, itemRow{id, x.owner(c, id)})
	}
	base, err := newSnapshot(rows)
	if err != nil {
		return // no id comes twice in a snapshot
	}
	later := slices.Clone(s.flat())
	for i := range later {
		if later[i].cid != gone {
			later[i].cid = x.owner(c, later[i].id)
		}
	}
	next := &overlay{base: base, began: s.began, doubts: s.doubts}
	if len(later) > 0 {
		next.deltas = [][]change{later}
	}
	x.seq++
	x.put(c, next)
}

// owner returns the account of an item: where nothing says so it waits at the roots.
func (x *ItemIndex) owner(c *policy.Collection, id int64) int64 {
	if cid, found := x.opt.Owners.Owner(c, id); found {
		return cid
	}
	return policy.AtRoots
}

// ask returns the question for all items of c.
func (x *ItemIndex) ask(c *policy.Collection) listing.Query {
	if x.opt.Owners == nil {
		return listing.Items(c.URI, x.roots())
	}
	return listing.IDs(c.URI, x.roots())
}

// accounts gives the rows of a whole reading, which began after change seq, their accounts, and
// returns them by id, each once. What moves from now on settleMoves looks up once more.
func (x *ItemIndex) accounts(ctx context.Context, c *policy.Collection, rows []itemRow, seq uint64) []itemRow {
	if x.opt.Owners == nil {
		return rows
	}
	slices.SortFunc(rows, func(a, b itemRow) int { return cmp.Compare(a.id, b.id) })
	rows = slices.CompactFunc(rows, func(a, b itemRow) bool { return a.id == b.id })
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	err := x.opt.Owners.Listed(ctx, c, ids, func(id int64) bool {
		s := x.state.Load().overlays[c.Index]
		if s == nil {
			return true
		}
		was, changed := s.changed(id)
		return changed && was.seq > seq
	})
	if err != nil && ctx.Err() == nil {
		x.opt.Log.Warn("cannot record whose the items are that the backend lists", "collection", c.URI, "error", err)
	}
	x.mu.Lock()
	x.moving[c] = &moves{}
	x.mu.Unlock()
	for i := range rows {
		rows[i].cid = x.owner(c, rows[i].id)
	}
	return rows
}

// settleMoves looks up the accounts again that changed since accounts began to look them up, and
// reports whether there are any. The caller holds mu.
func (x *ItemIndex) settleMoves(c *policy.Collection, rows []itemRow) bool {
	m := x.moving[c]
	delete(x.moving, c)
	if m == nil || !m.all && len(m.ids) == 0 {
		return false
	}
	if m.all {
		for i := range rows {
			rows[i].cid = x.owner(c, rows[i].id)
		}
		return true
	}
	for _, id := range m.ids {
		if n, found := slices.BinarySearchFunc(rows, id, func(r itemRow, id int64) int { return cmp.Compare(r.id, id) }); found {
			rows[n].cid = x.owner(c, id)
		}
	}
	return true
}
