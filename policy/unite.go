package policy

import "slices"

// unite judges a selector of a request that has other access paths than its branch. It says of one
// path what narrow does.
func (e *Engine) unite(d *Decision, in *Input, i int, b *bounds) Reason {
	s, p := &in.Request.Selectors[i], &d.Selectors[i]
	u := union{e: e, d: d, in: in, p: p, col: s.Collection, b: *b, cur: b.walks()}
	own := 0
	if s.Kind == SelectIDs {
		if own = u.own(s.IDs); own == len(s.IDs) { // the common case: no other path is asked
			p.As, p.IDs = AsAsked, s.IDs
			return NotJudged
		}
	}
	u.reaches = e.findReaches(d, in, i)
	switch {
	case s.Match():
		return u.match(i)
	case s.Kind == SelectAll:
		u.all()
	default:
		u.list(s, own)
	}
	return NotJudged
}

// own returns how many of ids, from the first on, the branch permits.
func (u *union) own(ids []int64) int {
	if u.in.paths.cross || u.in.paths.roles {
		return 0
	}
	for i, id := range ids {
		if !u.in.inScope(u.col, id) || !u.b.permits(&u.cur, id) {
			return i
		}
	}
	return len(ids)
}

// boundByGrants narrows b to what the grants of a cross-account request name, where the index has no
// say: that the items are the grantor's is the backend's to know, by the header.
func (e *Engine) boundByGrants(d *Decision, in *Input, i int, b *bounds) {
	if !in.paths.cross {
		return // the branch
	}
	reaches := e.findReaches(d, in, i)
	d.OnlyAccountScope, d.granted.used, b.granted = true, true, !b.limited()
	if len(reaches) == 0 {
		b.nothing = true
		return
	}
	set := reaches[0].ids.set
	for i := range reaches {
		if !reaches[i].some {
			return // every item of the grantor
		}
		if i > 0 {
			set = d.merge(set, reaches[i].ids.set)
		}
	}
	b.addSet(idList{ids: set}, right{})
}

// union is what the access paths and the entries permit at one selector.
type union struct {
	e       *Engine
	d       *Decision
	in      *Input
	p       *SelectorDecision
	col     *Collection
	reaches []reach
	b       bounds
	cur     [2]cursor
	last    place
}

// opens reports whether an access path holds an item.
func (u *union) opens(id int64) bool {
	r := opens(u.in, u.col, u.reaches, id, &u.last)
	u.d.granted.used = u.d.granted.used || r != nil && r.grant != nil
	return r != nil
}

// lookedUp reports whether ids that the index does not know were looked up.
func (u *union) lookedUp() bool { return u.in.Resolved != nil && u.in.Resolved.LookedUp }

// keep narrows the decision to those of candidates, ascending, that are permitted.
func (u *union) keep(candidates []int64) {
	u.p.As = AsIDs
	from := len(u.d.kept)
	for _, id := range candidates {
		if u.b.permits(&u.cur, id) && u.opens(id) {
			u.d.kept = append(u.d.kept, id)
		}
	}
	u.p.IDs = slices.Clip(u.d.kept[from:])
}

// all judges "all": what the entries name of what the paths hold, else all that these hold.
func (u *union) all() {
	u.p.As = AsIDs
	u.doubts()
	switch {
	case u.b.nothing:
	case u.b.limited():
		u.keep(u.b.sets[0].ids)
	default:
		u.p.IDs = u.everything()
	}
}

// everything returns all that the paths hold, ascending. Where that is the branch alone nothing is
// copied, and "all" under it says the same.
func (u *union) everything() []int64 {
	if len(u.reaches) == 1 && u.in.paths.roles && u.reaches[0].grant == nil && !u.reaches[0].some && !u.reaches[0].single {
		return u.in.Items.Of(u.col, u.reaches[0].top)
	}
	var branch []int64
	from := len(u.d.kept)
	for i := range u.reaches {
		switch r := &u.reaches[i]; {
		case r.role != nil && (r.some || r.single):
			for _, id := range u.in.Items.Of(u.col, r.top) {
				if opens(u.in, u.col, u.reaches[i:i+1], id, &u.last) != nil {
					u.d.kept = append(u.d.kept, id)
				}
			}
		case r.role != nil:
			u.d.kept = append(u.d.kept, u.in.Items.Of(u.col, r.top)...)
		case r.grant == nil:
			branch = u.in.Items.Of(u.col, r.top)
		case !r.some:
			u.d.kept = append(u.d.kept, u.in.Items.Of(u.col, r.top)...)
		default:
			for _, id := range r.ids.set {
				if opens(u.in, u.col, u.reaches[i:i+1], id, &u.last) != nil {
					u.d.kept = append(u.d.kept, id)
				}
			}
		}
	}
	granted := u.d.kept[from:]
	if len(granted) == 0 {
		u.p.Whole = !u.in.paths.cross && !u.in.paths.roles
		return branch
	}
	u.d.granted.used = u.d.granted.used || !u.in.paths.roles || slices.ContainsFunc(u.reaches, func(r reach) bool { return r.grant != nil })
	if !ascending(granted) {
		slices.Sort(granted)
		granted = slices.Compact(granted)
	}
	return u.d.merge(branch, granted)
}

// merge returns what is in one of two ascending lists, ascending. The shorter one is looked up in the
// longer one, which is copied in pieces.
func (d *Decision) merge(a, b []int64) []int64 {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(b) == 0 {
		return a
	}
	from := len(d.kept)
	cur := cursor{set: a}
	copied := 0
	for _, id := range b {
		found := cur.has(id)
		until := cur.next // behind id, where it was found
		d.kept = append(d.kept, a[copied:until]...)
		copied = until
		if !found {
			d.kept = append(d.kept, id)
		}
	}
	d.kept = append(d.kept, a[copied:]...)
	return slices.Clip(d.kept[from:])
}

// doubts has the items looked up that a path could hold, and of which a write has left open what
// became of them.
func (u *union) doubts() {
	if u.lookedUp() {
		return
	}
	for i := range u.reaches {
		r := &u.reaches[i]
		for _, id := range u.in.Items.Doubtful(u.col, r.top) {
			if u.b.permits(&u.cur, id) && (!r.some || r.ids.has(id)) {
				u.p.Unknown = append(u.p.Unknown, id)
			}
		}
	}
	slices.Sort(u.p.Unknown)
	u.p.Unknown = slices.Compact(u.p.Unknown)
}

// list judges an id list, in the order asked, of which the first ones are permitted: an id that no path
// holds waits for a look-up, wherever it is, and is denied after it.
func (u *union) list(s *Selector, from int) {
	list := u.d.divide(u.p, s.IDs)
	for i := from; i < len(s.IDs); i++ {
		id := s.IDs[i]
		ok := u.b.permits(&u.cur, id)
		if ok && !u.opens(id) {
			ok = false
			if !u.lookedUp() {
				u.d.unknown = append(u.d.unknown, id)
			}
		}
		list.add(i, ok)
	}
	list.end()
}

// match judges what compares fields: see Engine.match, which says it of one path. What a linked match
// is about the backend knows, by the header; so it is forwarded for the branch alone.
func (u *union) match(i int) Reason {
	s, p, b := &u.in.Request.Selectors[i], u.p, &u.b
	listed := s.Kind == SelectConditions
	switch {
	case b.reads != nil && !readable(u.in.acl(), s, b.reads):
		return MatchUnreadable
	case b.linked && (u.in.paths.cross || u.in.paths.roles || u.e.linkedMatch(u.in, s, b)):
		return LinkedMatch
	case b.linked:
		p.As = AsAsked
		return NotJudged
	case b.limited() && u.e.DenyMatch:
		return MatchDenied
	case listed:
		u.list(s, 0)
	default:
		u.doubts()
	}
	p.As = AsIDs
	if listed && len(p.IDs)+len(p.Unknown) == 0 {
		return NotJudged
	}
	if cid, only := s.AccountOnly(); only {
		u.ofAccount(listed, cid)
		return NotJudged
	}
	found := u.in.Resolved.match(i)
	switch {
	case found == nil:
		p.Match = true
		return NotJudged
	case listed:
		p.IDs = slices.DeleteFunc(slices.Clone(p.IDs), func(id int64) bool {
			_, matches := slices.BinarySearch(found.IDs, id)
			return !matches
		})
	default:
		u.keep(found.IDs)
	}
	p.Refused = found.Refused
	return NotJudged
}

// ofAccount keeps what belongs to one account.
func (u *union) ofAccount(listed bool, cid int64) {
	if !listed {
		u.keep(u.in.Items.Of(u.col, cid))
	}
	u.p.IDs = slices.DeleteFunc(slices.Clone(u.p.IDs), func(id int64) bool {
		of, known := u.in.Items.Account(u.col, id)
		return !known || of != cid
	})
}

// ownsAll reports whether the items that a request goes to are all in the branch of in.Scope: what a
// grant lets somebody do never moves an item.
func (d *Decision) ownsAll(in *Input) bool {
	switch {
	case !in.United():
		return true
	case in.paths.cross || len(d.Selectors) == 0:
		return false
	}
	outside := func(id int64) bool { return !in.inScope(in.Request.Selectors[0].Collection, id) }
	_, united := d.reachesAt(0)
	return !united || !slices.ContainsFunc(d.Selectors[0].IDs, outside)
}
