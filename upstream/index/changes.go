package index

import (
	"context"
	"slices"
	"time"

	"aclgate/policy"
)

// Created notes an item that was created through the gateway. Like all changes it counts for every
// View taken later, and outlives readings that began before it. Where Options.Owners knows accounts,
// the item has the one that it says.
func (x *ItemIndex) Created(c *policy.Collection, id, cid int64) { x.change(c, []int64{id}, cid) }

// Moved notes items that were given to another account.
func (x *ItemIndex) Moved(c *policy.Collection, ids []int64, cid int64) { x.change(c, ids, cid) }

// Deleted notes items that are gone.
func (x *ItemIndex) Deleted(c *policy.Collection, ids []int64) { x.change(c, ids, gone) }

// Doubted notes items of which a write has left open what became of them: they are nobody's until
// they were read again, which is before their next use. The write was to give them to an account, or to
// one below it; 0: to none.
func (x *ItemIndex) Doubted(c *policy.Collection, ids []int64, to int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	changes := x.changes(c, s, ids, gone)
	if len(changes) == 0 {
		return
	}
	next := s.apply(changes)
	tree := x.opt.Tree()
	for _, ch := range changes {
		d := doubt{id: ch.id, to: to, seq: ch.seq}
		d.was, _ = s.account(ch.id)
		if before := s.inDoubt(ch.id); before != nil {
			d = before.and(d, tree)
		}
		next.doubts = append(next.doubts, d)
	}
	slices.SortFunc(next.doubts, func(a, b doubt) int { return doubtByID(a, b.id) })
	x.put(c, next)
}

func (x *ItemIndex) change(c *policy.Collection, ids []int64, cid int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	if changes := x.changes(c, s, ids, cid); len(changes) > 0 {
		x.put(c, s.apply(changes))
	}
}

// changes makes one change of items, sorted and distinct. The caller holds mu.
func (x *ItemIndex) changes(c *policy.Collection, s *overlay, ids []int64, cid int64) []change {
	changes := make([]change, 0, len(ids))
	full := cid == gone && s.changes() >= maxForgotten
	for _, id := range ids {
		if full && !s.knows(id) {
			continue
		}
		to := cid
		if to != gone && x.opt.Owners != nil {
			to = x.owner(c, id)
		}
		changes = append(changes, change{id, to, x.seq + 1})
	}
	if len(changes) > 0 {
		x.seq++
	}
	return distinct(changes)
}

// maxForgotten is how many changes there may be until no more are kept of items that were not known
// before. In header mode a caller may name any number of them.
const maxForgotten = 1 << 16

// distinct sorts changes and drops those of items that come twice.
func distinct(changes []change) []change {
	slices.SortFunc(changes, func(a, b change) int { return byID(a, b.id) })
	return slices.CompactFunc(changes, func(a, b change) bool { return a.id == b.id })
}

// found notes what a look-up of ids that began after change seq has shown and that was not known. What
// has changed since counts more: the look-up may have seen the item before it was moved. Of the items
// in doubt that it would have shown, wherever they are, the others are gone.
func (x *ItemIndex) found(c *policy.Collection, open []int64, rows []change, seq uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state.Load().overlays[c.Index]
	if s == nil {
		return
	}
	rows = distinct(rows)
	for i := range rows {
		if x.opt.Owners != nil {
			rows[i].cid = x.owner(c, rows[i].id)
		}
	}
	for _, id := range open {
		if s.inDoubt(id) != nil && !slices.ContainsFunc(rows, func(row change) bool { return row.id == id }) {
			rows = append(rows, change{id: id, cid: gone})
		}
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
	overlays := slices.Clone(now.overlays)
	overlays[c.Index] = s
	x.become(overlays, now.members, x.same(now.overlays[c.Index], s))
}

// putMembers makes l what is known about the members of groups in c. The caller holds mu.
func (x *ItemIndex) putMembers(c *policy.Collection, l *groupMembers) {
	now := x.state.Load()
	members := slices.Clone(now.members)
	members[c.Index] = l
	was := now.members[c.Index]
	x.become(now.overlays, members, was != nil && l != nil && !x.old(was.began) && was.equal(l))
}

// same reports whether a reading has shown what was known, and was not too old.
func (x *ItemIndex) same(was, is *overlay) bool {
	return was != nil && is != nil && !x.old(was.began) && was.base == is.base && slices.Equal(was.flat(), is.flat())
}

// become puts another state in force. The caller holds mu.
func (x *ItemIndex) become(overlays []*overlay, members []*groupMembers, same bool) {
	next := &state{version: x.state.Load().version, overlays: overlays, members: members}
	if !same {
		next.version++
	}
	note := func(began time.Time) {
		if !began.IsZero() && (next.oldest.IsZero() || began.Before(next.oldest)) {
			next.oldest = began
		}
	}
	for _, s := range overlays {
		if s != nil {
			note(s.began)
		}
	}
	for _, l := range members {
		if l != nil {
			note(l.began)
		}
	}
	x.state.Store(next)
	x.tell()
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
