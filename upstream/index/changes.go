package index

import (
	"context"
	"slices"

	"aclgate/policy"
)

// Created notes an item that was created through the gateway. Like all changes it counts for every
// View taken later, and outlives readings that began before it.
func (x *ItemIndex) Created(c *policy.Collection, id, cid int64) { x.change(c, []int64{id}, cid) }

// Moved notes items that were given to another account.
func (x *ItemIndex) Moved(c *policy.Collection, ids []int64, cid int64) { x.change(c, ids, cid) }

// Deleted notes items that are gone, or whose account is not known any more: they are looked up
// when a request names them.
func (x *ItemIndex) Deleted(c *policy.Collection, ids []int64) { x.change(c, ids, gone) }

func (x *ItemIndex) change(c *policy.Collection, ids []int64, cid int64) {
	x.lookUps.forget(c, ids)
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	changes := make([]change, 0, len(ids))
	full := cid == gone && s.changes() >= maxForgotten
	for _, id := range ids {
		if full && !s.knows(id) {
			continue
		}
		changes = append(changes, change{id, cid, x.seq + 1})
	}
	if len(changes) == 0 {
		return
	}
	x.seq++
	x.put(c, s.apply(distinct(changes)))
}

// maxForgotten is how many changes there may be until no more are kept of items that were not known
// before. In header mode a caller may name any number of them.
const maxForgotten = 1 << 16

// distinct sorts changes and drops those of items that come twice.
func distinct(changes []change) []change {
	slices.SortFunc(changes, func(a, b change) int { return byID(a, b.id) })
	return slices.CompactFunc(changes, func(a, b change) bool { return a.id == b.id })
}

// found notes what a look-up has shown that was not known and that began after change seq. What has
// changed since counts more: the look-up may have seen the item before it was moved.
func (x *ItemIndex) found(c *policy.Collection, rows []change, seq uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	rows = slices.DeleteFunc(rows, func(row change) bool {
		was, changed := s.changed(row.id)
		cid, known := s.account(row.id)
		return changed && was.seq > seq || known && cid == row.cid
	})
	if len(rows) == 0 {
		return
	}
	x.seq++
	for i := range rows {
		rows[i].seq = x.seq
	}
	x.put(c, s.apply(distinct(rows)))
}

// mark returns the number of the last change, from which a question begins.
func (x *ItemIndex) mark() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seq
}

// put makes s what is known about c. The caller holds mu.
func (x *ItemIndex) put(c *policy.Collection, s *overlay) {
	now := x.state.Load()
	next := &state{overlays: slices.Clone(now.overlays), members: now.members}
	next.overlays[c.Index] = s
	x.state.Store(next)
}

// putMembers makes l what is known about the members of groups in c. The caller holds mu.
func (x *ItemIndex) putMembers(c *policy.Collection, l *groupMembers) {
	now := x.state.Load()
	next := &state{overlays: now.overlays, members: slices.Clone(now.members)}
	next.members[c.Index] = l
	x.state.Store(next)
}

// GroupsChanged reads the members of groups in c again, after a link of some groups that passed
// through, and returns when a reading that began after the call has ended. If it failed or did not
// come in time, these groups have no members until one has: those from before could let an item go
// on that was taken out. What is known of others stays, however slow the backend is.
func (x *ItemIndex) GroupsChanged(ctx context.Context, c *policy.Collection, groups []int64) error {
	x.mu.Lock()
	r := x.refreshers[subject{c, true}]
	x.mu.Unlock()
	if r == nil {
		return nil
	}
	generation, err := r.refresh(ctx)
	if err != nil {
		x.withholdMembers(c, groups, generation)
	}
	return err
}

func (x *ItemIndex) withholdMembers(c *policy.Collection, groups []int64, generation uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.state.Load()
	known := now.members[c.Index]
	if known == nil {
		return
	}
	groups = slices.Clone(groups)
	for _, g := range known.groups { // of a match nobody knows whether it named one that was just made
		if _, is := (&View{state: now}).Account(x.groups, g); !is {
			groups = append(groups, g)
		}
	}
	x.putMembers(c, known.withhold(groups, generation))
}
