package policy

import "slices"

// limits is what stands between a caller and the items of one collection. An
// id has to be in every set; without a set nothing limits but the scope.
type limits struct {
	sets    [2]idList
	count   int
	nothing bool   // no id passes
	reads   *Entry // the entry whose rights a match needs; nil: no ACL asked
	linked  bool
}

// idList is a set of ids, ascending, and its printed form if there is one.
type idList struct {
	ids  []int64
	text Printed
}

func (b *limits) limited() bool { return b.nothing || b.count > 0 }

// add narrows b to what a right names.
func (l *Engine) add(b *limits, c *Input, col *Collection, r right) {
	var set idList
	switch {
	case r.through != nil || r.entry.Rule == IDsInGroups:
		set.ids = l.members(c, col, r.through)
	case r.entry.Rule == IDsList:
		set = idList{r.entry.IDs.sorted, r.entry.IDs.Printed()}
	default:
		return
	}
	b.sets[b.count] = set
	b.count++
}

// part judges selector i and writes the outcome to the last part of d. A
// reason other than NotJudged denies the whole request.
func (l *Engine) part(d *Decision, c *Input, i int) Reason {
	r := c.Request
	s, p := &r.Selectors[i], &d.Selectors[i]
	if !s.ByID() || s.Collection.Open && r.Method == GET {
		p.As = AsAsked
		return NotJudged
	}
	own := i == 0 && r.Route.Item
	b, reason := l.limitsOf(d, c, s.Collection, own)
	if reason != NotJudged {
		return reason
	}
	d.OnlyAccountScope = d.OnlyAccountScope || !b.limited()
	switch {
	case s.Match():
		return l.match(d, c, i, &b)
	case s.Kind == SelectAll:
		l.all(p, c, s, &b)
	default:
		l.list(d, p, c, s, &b)
	}
	return NotJudged
}

// limitsOf returns what limits the caller on collection col: at the item's own
// place the chosen entry, at a linked place the entry for that collection.
func (l *Engine) limitsOf(d *Decision, c *Input, col *Collection, own bool) (b limits, reason Reason) {
	if !l.acl(c.Token) {
		b.linked = !own
		return b, NotJudged
	}
	if own {
		b.reads = d.Entry
		l.add(&b, c, col, d.right)
		return b, NotJudged
	}
	return l.linkedLimits(c, col)
}

// linkedLimits judges a linked place for an acl token (SPEC 4.3): by its entry
// for that collection, chosen as for a GET of the item.
func (l *Engine) linkedLimits(c *Input, col *Collection) (limits, Reason) {
	acl, r := c.Token.ACL, c.Request
	reads := l.right(acl, col, SlotItem, GET)
	b := limits{linked: true, reads: reads.entry}
	switch {
	case reads.entry != nil:
		l.add(&b, c, col, reads)
	case acl.Covers(col):
		b.nothing = true
	case r.Method.Write() || l.StrictLinks:
		return b, LinkNoEntry
	}
	if r.Method.Write() && r.Method != DELETE && r.Route.CarriesMessages() {
		reason := l.messageLimits(&b, c, col)
		return b, reason
	}
	return b, NotJudged
}

// messageLimits adds what it takes to make a link that carries messages out:
// GET on the messages of what is linked. Of a group nobody knows the members
// to come, so the right has to be there for every device [G].
func (l *Engine) messageLimits(b *limits, c *Input, col *Collection) Reason {
	acl := c.Token.ACL
	if col.URI != groupsURI {
		messages := l.right(acl, col, SlotMessages, GET)
		if messages.entry == nil {
			return LinkMessages
		}
		if messages.entry != b.reads {
			l.add(b, c, col, messages)
		}
		return NotJudged
	}
	devices := l.Catalogue.Collection("gw/devices")
	if devices == nil {
		return LinkMessages
	}
	for _, slot := range []int{SlotItem, SlotMessages} {
		if e := acl.Choose(devices, slot, GET); e == nil || e.Limited() {
			return LinkMessages
		}
	}
	return NotJudged
}

// permits reports whether id passes; cur holds a walk per set.
func (b *limits) permits(cur *[2]cursor, id int64) bool {
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
func (b *limits) run(cur *[2]cursor, ids []int64) int {
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
func (b *limits) walks() (cur [2]cursor) {
	for i := range b.count {
		cur[i].set = b.sets[i].ids
	}
	return cur
}

// scoped reports whether the index has a say about col.
func (l *Engine) scoped(col *Collection) bool { return l.Mode.Index() && col.Scoped }

// all judges the selector "all": everything in scope, or what is permitted.
func (l *Engine) all(p *SelectorDecision, c *Input, s *Selector, b *limits) {
	col := s.Collection
	if !b.limited() && !l.scoped(col) {
		p.As = AsAsked
		return
	}
	p.As = AsIDs
	switch {
	case b.nothing:
	case !b.limited():
		p.IDs, p.Whole = c.Scope.Items.Of(col, c.Scope.CID), true
	case b.count == 1 && !l.scoped(col):
		p.IDs, p.Text = b.sets[0].ids, b.sets[0].text
	default:
		l.intersect(p, c, col, b, b.sets[0].ids)
	}
}

// intersect keeps of candidates what passes the limits and the scope. It is
// the slow path of `all` and of matches and may allocate.
func (l *Engine) intersect(p *SelectorDecision, c *Input, col *Collection, b *limits, candidates []int64) {
	cur := b.walks()
	p.IDs = make([]int64, 0, len(candidates))
	for _, id := range candidates {
		if b.permits(&cur, id) && (!l.scoped(col) || c.inScope(col, id)) {
			p.IDs = append(p.IDs, id)
		}
	}
}

func (c *Input) inScope(col *Collection, id int64) bool {
	cid, known := c.Scope.Items.Account(col, id)
	return known && c.Scope.Tree.Contains(c.Scope.CID, cid)
}

// list judges an id list. What the entries do not permit is denied at once,
// whether it exists or not. What the index does not place in the scope, known
// or not, waits for the same look-up, so that time tells nothing.
func (l *Engine) list(d *Decision, p *SelectorDecision, c *Input, s *Selector, b *limits) {
	scoped := l.scoped(s.Collection)
	p.As, p.IDs = AsAsked, s.IDs
	if !b.limited() && !scoped {
		return
	}
	cur, from := b.walks(), 0
	if !scoped {
		from = b.run(&cur, s.IDs)
	}
	lookedUp := c.Resolved != nil && c.Resolved.LookedUp
	kept, denied, unknown := len(d.kept), len(d.denied), len(d.unknown)
	for i := from; i < len(s.IDs); i++ {
		id := s.IDs[i]
		ok := b.permits(&cur, id)
		if ok && scoped && !c.inScope(s.Collection, id) {
			ok = false
			if !lookedUp {
				d.unknown = append(d.unknown, id)
			}
		}
		switch {
		case ok && len(d.denied) == denied:
			// Nothing to write as long as nothing is denied.
		case ok:
			d.kept = append(d.kept, id)
		default:
			if len(d.denied) == denied {
				p.As = AsIDs
				d.kept = append(d.kept, s.IDs[:i]...)
			}
			d.denied = append(d.denied, id)
		}
	}
	p.Denied, p.Unknown = slices.Clip(d.denied[denied:]), slices.Clip(d.unknown[unknown:])
	if p.As == AsIDs {
		p.IDs = slices.Clip(d.kept[kept:])
	}
}

// match judges field=value and {…}: what reads more than the entry permits is
// refused; what is not limited is the backend's to evaluate; the rest has to
// be resolved first and is then judged like "all" (SPEC 4.3).
func (l *Engine) match(d *Decision, c *Input, i int, b *limits) Reason {
	s, p := &c.Request.Selectors[i], &d.Selectors[i]
	if reason := readable(s, b.reads); reason != NotJudged {
		return reason
	}
	indexed := l.scoped(s.Collection)
	switch {
	case b.linked && (b.limited() || indexed && !l.Mode.Header()):
		return LinkedMatch
	case b.linked || !b.limited() && !indexed:
		p.As = AsAsked
		return NotJudged
	case b.limited() && l.DenyMatch:
		return MatchDenied
	}
	p.As = AsIDs
	ids, resolved := c.Resolved.match(i)
	if !resolved {
		p.Match = true
		return NotJudged
	}
	l.intersect(p, c, s.Collection, b, ids)
	return NotJudged
}

// readable judges whether an entry permits what a match reads: the fields of
// the item, and for an expression everything below it. Without an ACL there is
// nothing to ask.
func readable(s *Selector, e *Entry) Reason {
	if e == nil {
		return NotJudged
	}
	if !e.permits(GET, "") || s.Kind == SelectExpression && e.Named {
		return MatchUnreadable
	}
	return NotJudged
}
