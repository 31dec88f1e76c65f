package policy

import "slices"

// match judges field=value, {…} and an id list with conditions: what reads more than the entry
// permits is refused; what is not limited the backend evaluates; the rest has to be resolved first
// and is then judged like "all", or like the list (SPEC 4.3).
func (e *Engine) match(d *Decision, in *Input, i int, b *bounds) Reason {
	s, p := &in.Request.Selectors[i], &d.Selectors[i]
	if b.reads != nil && !readable(in.acl(), s, b.reads) {
		return MatchUnreadable
	}
	indexed, listed := e.scoped(s.Collection), s.Kind == SelectConditions
	switch {
	case b.linked && e.linkedMatch(in, s, b):
		return LinkedMatch
	case b.linked || !b.limited() && !indexed:
		p.As, p.IDs = AsAsked, s.IDs
		return NotJudged
	case b.limited() && !b.granted && e.DenyMatch:
		return MatchDenied
	}
	if listed {
		e.list(d, p, in, s, b)
	} else {
		e.doubts(p, in, s.Collection, b)
	}
	p.As = AsIDs
	if listed && len(p.IDs)+len(p.Unknown) == 0 {
		return NotJudged // what a match would add to that is nothing
	}
	if cid, only := s.AccountOnly(); only && indexed {
		e.ofAccount(p, in, s, b, cid)
		return NotJudged
	}
	found := in.Resolved.match(i)
	if found == nil {
		p.Match, p.Alone = true, !listed && !b.limited() && e.Mode.Unindexed()
		p.Ask = e.asked(p, in, s, b)
		return NotJudged
	}
	p.Refused = found.Refused
	if listed {
		p.IDs = slices.DeleteFunc(slices.Clone(p.IDs), func(id int64) bool {
			_, matches := slices.BinarySearch(found.IDs, id)
			return !matches
		})
		return NotJudged
	}
	e.intersect(p, in, s.Collection, b, found.IDs)
	return NotJudged
}

// linkedMatch reports whether a match at a linked place, where it speaks of the link, cannot be
// forwarded: nobody here can tell what it names. An acl token without an entry for the collection
// has nothing that permits to read what a match compares. Ids beside conditions the index would have
// to judge, and could not take out again.
func (e *Engine) linkedMatch(in *Input, s *Selector, b *bounds) bool {
	indexed := e.scoped(s.Collection)
	switch {
	case b.limited(), e.acl(in) && b.reads == nil:
		return true
	case s.Kind == SelectConditions:
		return indexed
	}
	return indexed && !e.Mode.Unindexed()
}

// ofAccount keeps what belongs to one account, which the index knows without the backend: of the
// ids of a list, or of all items.
func (e *Engine) ofAccount(p *SelectorDecision, in *Input, s *Selector, b *bounds, cid int64) {
	elsewhere := func(id int64) bool {
		owner, known := in.Items.Account(s.Collection, id)
		return !known || owner != cid
	}
	switch {
	case s.Kind == SelectConditions:
		p.IDs = slices.DeleteFunc(slices.Clone(p.IDs), elsewhere)
	case in.Tree.Contains(in.Scope, cid):
		e.intersect(p, in, s.Collection, b, in.Items.Of(s.Collection, cid))
		p.IDs = slices.DeleteFunc(p.IDs, elsewhere)
	}
}

// asked returns the ids that a match may be resolved over, where the backend knows such a form: all
// that are permitted, as far as that is known before. nil: every item.
func (e *Engine) asked(p *SelectorDecision, in *Input, s *Selector, b *bounds) []int64 {
	switch {
	case s.Kind == SelectExpression:
		return nil
	case s.Kind == SelectConditions:
		return append(slices.Clone(p.IDs), p.Unknown...)
	case b.limited():
		return b.sets[0].ids
	}
	return in.Items.Of(s.Collection, in.Scope)
}

// readable reports whether an entry permits what a match reads: the item and, for an expression,
// which may be about anything, everything below it.
func readable(acl *ACL, s *Selector, e *Entry) bool {
	below := !e.HasSubmodules && !acl.selection.of(s.Collection).split
	return e.permits(GET, "") && (s.Kind != SelectExpression || below)
}
