package policy

import "slices"

// limits is what stands between a caller and the items of one collection. An
// id has to pass all of it.
type limits struct {
	entries [2]*Entry // id lists and groups; nil: none
	nothing bool      // no id passes
	reads   *Entry    // the entry whose rights a match needs; nil: no ACL asked
	linked  bool
}

func (b *limits) limited() bool {
	return b.nothing || b.entries[0] != nil || b.entries[1] != nil
}

func (b *limits) add(e *Entry) {
	switch {
	case !e.Limited():
	case b.entries[0] == nil || b.entries[0] == e:
		b.entries[0] = e
	default:
		b.entries[1] = e
	}
}

// part judges selector i and writes the outcome to the last part of d. A
// reason other than NotJudged denies the whole request.
func (l *Law) part(d *Decision, c *Case, i int) Reason {
	r := c.Request
	s, p := &r.Selectors[i], &d.Parts[i]
	if !s.ByID() || s.Collection.Open && r.Method == GET {
		p.As = AsAsked
		return NotJudged
	}
	own := i == 0 && r.Route.Item
	b, reason := l.limitsOf(d, c, s.Collection, own)
	if reason != NotJudged {
		return reason
	}
	d.ScopeAlone = d.ScopeAlone || !b.limited()
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
func (l *Law) limitsOf(d *Decision, c *Case, col *Collection, own bool) (b limits, reason Reason) {
	if !l.acl(c.Token) {
		b.linked = !own
		return b, NotJudged
	}
	if own {
		b.reads = d.Entry
		b.add(d.Entry)
		return b, NotJudged
	}
	return l.linkedLimits(c, col)
}

// linkedLimits judges a linked place for an acl token (SPEC 4.3): by its entry
// for that collection, chosen as for a GET of the item.
func (l *Law) linkedLimits(c *Case, col *Collection) (limits, Reason) {
	acl, r := c.Token.ACL, c.Request
	b := limits{linked: true, reads: acl.Choose(col, SlotItem, GET)}
	switch {
	case b.reads != nil:
		b.add(b.reads)
	case acl.Covers(col):
		b.nothing = true
	case r.Method.Write() || l.StrictLinks:
		return b, LinkNoEntry
	}
	if r.Method.Write() && r.Method != DELETE && r.Route.CarriesMessages() {
		reason := l.messageLimits(&b, acl, col)
		return b, reason
	}
	return b, NotJudged
}

// messageLimits adds what it takes to make a link that carries messages out:
// GET on the messages of what is linked. Of a group nobody knows the members
// to come, so the right has to be there for every device [G].
func (l *Law) messageLimits(b *limits, acl *ACL, col *Collection) Reason {
	if col.URI != "gw/groups" {
		e := acl.Choose(col, SlotMessages, GET)
		if e == nil {
			return LinkMessages
		}
		b.add(e)
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

// permits reports whether id passes the entries; cur holds a walk per entry.
func (b *limits) permits(cur *[2]cursor, id int64) bool {
	if b.nothing {
		return false
	}
	for i, e := range b.entries {
		if e != nil && !cur[i].has(id) {
			return false
		}
	}
	return true
}

// walks returns a cursor for each entry over the ids that it permits.
func (l *Law) walks(c *Case, col *Collection, b *limits) (cur [2]cursor) {
	for i, e := range b.entries {
		if e != nil {
			cur[i].set = l.named(c, col, e)
		}
	}
	return cur
}

// named returns the ids that a limited entry names, ascending.
func (l *Law) named(c *Case, col *Collection, e *Entry) []int64 {
	if e.Rule == IDsList {
		return e.IDs.sorted
	}
	return nil
}

// scoped reports whether the index has a say about col.
func (c *Case) scoped(col *Collection) bool { return c.Scope.Items != nil && col.Scoped }

// all judges the selector "all": everything in scope, or what is permitted.
func (l *Law) all(p *Part, c *Case, s *Selector, b *limits) {
	col := s.Collection
	if !b.limited() && !c.scoped(col) {
		p.As = AsAsked
		return
	}
	p.As = AsIDs
	switch {
	case b.nothing:
	case !b.limited():
		p.IDs = c.Scope.Items.Of(col, c.Scope.CID)
	case b.entries[1] == nil && b.entries[0].Rule == IDsList && !c.scoped(col):
		p.IDs, p.Text = b.entries[0].IDs.sorted, b.entries[0].IDs.text
	default:
		l.intersect(p, c, col, b, l.named(c, col, b.entries[0]))
	}
}

// intersect keeps of candidates what passes the limits and the scope. It is
// the slow path of `all` and of matches and may allocate.
func (l *Law) intersect(p *Part, c *Case, col *Collection, b *limits, candidates []int64) {
	cur := l.walks(c, col, b)
	p.IDs = make([]int64, 0, len(candidates))
	for _, id := range candidates {
		if b.permits(&cur, id) && (!c.scoped(col) || c.inScope(col, id)) {
			p.IDs = append(p.IDs, id)
		}
	}
}

func (c *Case) inScope(col *Collection, id int64) bool {
	cid, known := c.Scope.Items.Account(col, id)
	return known && c.Scope.Tree.Contains(c.Scope.CID, cid)
}

// list judges an id list. What the entries do not permit is denied at once,
// whether it exists or not. What the index does not place in the scope, known
// or not, waits for the same look-up, so that time tells nothing.
func (l *Law) list(d *Decision, p *Part, c *Case, s *Selector, b *limits) {
	scoped := c.scoped(s.Collection)
	p.As, p.IDs = AsAsked, s.IDs
	if !b.limited() && !scoped {
		return
	}
	cur := l.walks(c, s.Collection, b)
	lookedUp := c.Facts != nil && c.Facts.LookedUp
	kept, denied, unknown := len(d.kept), len(d.denied), len(d.unknown)
	for i, id := range s.IDs {
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
func (l *Law) match(d *Decision, c *Case, i int, b *limits) Reason {
	s, p := &c.Request.Selectors[i], &d.Parts[i]
	if reason := readable(s, b.reads); reason != NotJudged {
		return reason
	}
	indexed := c.scoped(s.Collection)
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
	ids, resolved := c.Facts.match(i)
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
