package policy

// bounds are what limits a caller on the items of one collection. An id has to be in every set;
// without a set nothing limits but the scope.
type bounds struct {
	sets    [2]idList
	from    [2]right // where they come from
	count   int
	nothing bool   // no id passes
	reads   *Entry // the entry that has to permit what a match reads; nil: no ACL asked
	linked  bool
	granted bool // what limits are grants alone, not the entries
}

// idList is a set of ids, ascending, and its printed form if there is one.
type idList struct {
	ids  []int64
	text Printed
}

func (b *bounds) limited() bool { return b.nothing || b.count > 0 }

// addRight narrows b to what a right names.
func (e *Engine) addRight(b *bounds, in *Input, col *Collection, g right) {
	var set idList
	switch {
	case b.count > 0 && b.from[0] == g, b.count > 1 && b.from[1] == g:
		return
	case g.viaGroup != nil || g.entry.Rule == IDsInGroups:
		set.ids = e.members(in, col, g.viaGroup)
	case g.entry.Rule == IDsList:
		set = idList{g.entry.IDs.sorted, g.entry.IDs.Printed()}
	default:
		return
	}
	b.addSet(set, g)
}

// addSet narrows b to a set of ids that comes from g.
func (b *bounds) addSet(set idList, g right) {
	if b.count == len(b.sets) { // rare: several submodules, each by an entry of its own
		last := &b.sets[b.count-1]
		*last = idList{ids: intersection(last.ids, set.ids)}
		return
	}
	b.sets[b.count], b.from[b.count] = set, g
	b.count++
}

// intersection returns the ids that are in both of two ascending lists.
func intersection(a, b []int64) []int64 {
	both := make([]int64, 0, min(len(a), len(b)))
	cur := cursor{set: b}
	for _, id := range a {
		if cur.has(id) {
			both = append(both, id)
		}
	}
	return both
}

// boundsOf returns what limits the caller on collection col: for the item's own selector the chosen
// entry, for a linked one the entry for that collection.
func (e *Engine) boundsOf(d *Decision, in *Input, col *Collection, own bool) (b bounds, reason Reason) {
	if !e.acl(in) {
		b.linked = !own
		return b, NotJudged
	}
	if own {
		b.reads = d.Entry
		e.addRight(&b, in, col, d.right)
		return b, NotJudged
	}
	return e.linkedBounds(in, col)
}

// linkedBounds judges a linked selector for an acl token (SPEC 4.3): by its entry for that
// collection, chosen as for a GET of the item.
func (e *Engine) linkedBounds(in *Input, col *Collection) (bounds, Reason) {
	acl, r := in.acl(), in.Request
	reads := e.rightOn(acl, col, SlotItem, GET)
	b := bounds{linked: true, reads: reads.entry}
	switch {
	case reads.entry != nil:
		e.addRight(&b, in, col, reads)
	case acl.Covers(col):
		b.nothing = true
	case r.Method.Write() || e.StrictLinks:
		return b, LinkNoEntry
	}
	if r.Method.Write() && r.Method != DELETE && r.Route.CarriesMessages() {
		reason := e.addMessageBounds(&b, in, col)
		return b, reason
	}
	return b, NotJudged
}

// addMessageBounds adds what it takes to hand on messages of linked items: GET on the messages of
// what is linked. The members that a linked group will have are unknown, so the right has to be
// there for every device [G].
func (e *Engine) addMessageBounds(b *bounds, in *Input, col *Collection) Reason {
	acl := in.acl()
	if col.Role != RoleGroups {
		messages := e.rightOn(acl, col, SlotMessages, GET)
		if messages.entry == nil {
			return LinkMessages
		}
		e.addRight(b, in, col, messages)
		return NotJudged
	}
	devices := e.Catalogue.WithRole(RoleDevices)
	if devices == nil {
		return LinkMessages
	}
	for _, slot := range []int{SlotItem, SlotMessages} {
		if entry := acl.Choose(devices, slot, GET); entry == nil || entry.Limited() {
			return LinkMessages
		}
	}
	return NotJudged
}

// permits reports whether id passes; cur holds a walk per set.
func (b *bounds) permits(cur *[2]cursor, id int64) bool {
	if b.nothing {
		return false
	}
	for i := range b.count {
		if !cur[i].has(id) {
			return false
		}
	}
	return true
}

// run returns how many of ids, from the first on, pass.
func (b *bounds) run(cur *[2]cursor, ids []int64) int {
	if !b.nothing && b.count == 1 {
		return cur[0].run(ids)
	}
	for i, id := range ids {
		if !b.permits(cur, id) {
			return i
		}
	}
	return len(ids)
}

// walks returns a cursor for each set.
func (b *bounds) walks() (cur [2]cursor) {
	for i := range b.count {
		cur[i].set = b.sets[i].ids
	}
	return cur
}
