package policy

import (
	"bytes"
	"slices"
)

// selectors judges step 9: every selector on its own, then all of them.
func (e *Engine) selectors(d *Decision, in *Input) {
	r := in.Request
	open := r.Route.Collection.OpenTo(r.Method)
	if e.Mode.Index() && in.Items == nil {
		d.end(Deny, IndexStale) // the accounts of items are unknown
		return
	}
	d.OnlyAccountScope = !open && (len(r.Selectors) == 0 || !r.Route.Item)
	tooMany := false
	for i := range r.Selectors {
		d.Selectors = append(d.Selectors, SelectorDecision{})
		tooMany = tooMany || e.MaxIDs > 0 && len(r.Selectors[i].IDs) > e.MaxIDs
		if reason := e.narrow(d, in, i); reason != NotJudged {
			d.end(Deny, reason)
			return
		}
	}
	if tooMany { // after what an entry does not permit (SPEC 2, Order of faults)
		d.end(Deny, TooManyIDs)
		return
	}
	d.conclude()
	if e.tooWide(d, r) {
		d.end(Deny, WriteTooWide)
		return
	}
	if in.United() && (d.Verdict == Allow || d.Verdict == Narrow) {
		if reason := e.chooseAccount(d, in); reason != NotJudged {
			d.end(Deny, reason)
			return
		}
	}
	if d.Verdict == Allow && open {
		d.Reason = OpenRoute
	}
}

// tooWide reports whether a write that would pass reaches too many items by `all` or a match, which
// name none of them (SPEC 8, policy.max_write): one call deletes a fleet. d.Reach is how many then,
// Uncounted where only the backend knows.
func (e *Engine) tooWide(d *Decision, r *Request) bool {
	if e.MaxWrite <= 0 || d.Verdict != Allow && d.Verdict != Narrow || r.Method != PUT && r.Method != PATCH && r.Method != DELETE {
		return false
	}
	for i := range d.Selectors {
		s, p := &r.Selectors[i], &d.Selectors[i]
		switch {
		case !s.reachesAll():
			continue
		case p.As == AsAsked:
			d.Reach = Uncounted
			return true
		case len(p.IDs) > e.MaxWrite:
			d.Reach = len(p.IDs)
			return true
		}
	}
	return false
}

// reachesAll reports whether the selector reaches items of a collection without naming one of them.
// Where ids are strings only the backend reads it, and `all` is the one word that it does not take
// for an item.
func (s *Selector) reachesAll() bool {
	switch {
	case s.Collection == nil:
		return false
	case s.Kind == SelectLocal:
		return bytes.EqualFold(s.Text, []byte("all")) || bytes.ContainsAny(s.Text, "=*{")
	}
	return s.Kind == SelectAll || s.Kind == SelectFields || s.Kind == SelectExpression
}

// narrow judges selector i and writes the outcome to d.Selectors[i]. A reason other than NotJudged
// denies the whole request.
func (e *Engine) narrow(d *Decision, in *Input, i int) Reason {
	r := in.Request
	s, p := &r.Selectors[i], &d.Selectors[i]
	if !s.ByID() || s.Collection.OpenTo(r.Method) {
		p.As = AsAsked
		return NotJudged
	}
	own := i == 0 && r.Route.Item
	if in.paths.roles {
		if !e.scoped(s.Collection) {
			return ClosedScope // whose items these are nobody knows
		}
		return e.unite(d, in, i, &bounds{linked: !own})
	}
	b, reason := e.boundsOf(d, in, s.Collection, own)
	if reason != NotJudged {
		return reason
	}
	if reason := e.reachInto(p, &b, d, in, i); reason != NotJudged {
		return reason
	}
	d.OnlyAccountScope = d.OnlyAccountScope || !b.limited()
	if in.United() {
		if e.scoped(s.Collection) {
			return e.unite(d, in, i, &b)
		}
		e.boundByGrants(d, in, i, &b)
	}
	switch {
	case s.Match():
		return e.match(d, in, i, &b)
	case s.Kind == SelectAll:
		e.all(p, in, s, &b)
	default:
		e.list(d, p, in, s, &b)
	}
	return NotJudged
}

// scoped reports whether the index has a say about col.
func (e *Engine) scoped(col *Collection) bool { return e.Mode.Index() && col.Scoped }

// all judges the selector "all": everything in scope, or what is permitted.
func (e *Engine) all(p *SelectorDecision, in *Input, s *Selector, b *bounds) {
	col := s.Collection
	if !b.limited() && !e.scoped(col) {
		p.As = AsAsked
		return
	}
	p.As = AsIDs
	switch {
	case b.nothing:
	case !b.limited():
		e.doubts(p, in, col, b)
		p.IDs, p.Whole = in.Items.Of(col, in.Scope), true
	case b.count == 1 && !e.scoped(col):
		p.IDs, p.Text = b.sets[0].ids, b.sets[0].text
	default:
		e.doubts(p, in, col, b)
		e.intersect(p, in, col, b, b.sets[0].ids)
	}
}

// doubts has the items looked up that could belong to what is permitted, and of which a write has
// left open what became of them. What is asked for by number is looked up anyway.
func (e *Engine) doubts(p *SelectorDecision, in *Input, col *Collection, b *bounds) {
	if !e.scoped(col) || in.Resolved != nil && in.Resolved.LookedUp {
		return
	}
	cur := b.walks()
	for _, id := range in.Items.Doubtful(col, in.Scope) {
		if b.permits(&cur, id) {
			p.Unknown = append(p.Unknown, id)
		}
	}
}

// intersect keeps of candidates what passes the limits and the scope. It is the slow path of `all`
// and of matches and may allocate.
func (e *Engine) intersect(p *SelectorDecision, in *Input, col *Collection, b *bounds, candidates []int64) {
	cur := b.walks()
	p.IDs = make([]int64, 0, len(candidates))
	for _, id := range candidates {
		if b.permits(&cur, id) && (!e.scoped(col) || in.inScope(col, id)) {
			p.IDs = append(p.IDs, id)
		}
	}
}

// list judges an id list. What the entries do not permit is denied at once, whether it exists or
// not. What the index does not know to be in the scope waits for the same look-up, wherever it is,
// so that time tells nothing.
func (e *Engine) list(d *Decision, p *SelectorDecision, in *Input, s *Selector, b *bounds) {
	scoped := e.scoped(s.Collection)
	list := d.divide(p, s.IDs)
	if !b.limited() && !scoped {
		return
	}
	cur, from := b.walks(), 0
	if !scoped {
		from = b.run(&cur, s.IDs)
	}
	lookedUp := in.Resolved != nil && in.Resolved.LookedUp
	for i := from; i < len(s.IDs); i++ {
		id := s.IDs[i]
		ok := b.permits(&cur, id)
		if ok && scoped && !in.inScope(s.Collection, id) {
			ok = false
			if !lookedUp {
				d.unknown = append(d.unknown, id)
			}
		}
		list.add(i, ok)
	}
	list.end()
}

// division divides an id list into what is permitted and what is denied. Nothing is written as long as
// nothing is denied.
type division struct {
	d                     *Decision
	p                     *SelectorDecision
	kept, denied, unknown int // where those of this list begin
}

// divide begins with a list of which everything is permitted.
func (d *Decision) divide(p *SelectorDecision, ids []int64) division {
	p.As, p.IDs = AsAsked, ids
	return division{d, p, len(d.kept), len(d.denied), len(d.unknown)}
}

// add says whether the i-th id is permitted. Those before it have been added, or are permitted.
func (v *division) add(i int, permitted bool) {
	d, p := v.d, v.p
	switch {
	case !permitted:
		if p.As == AsAsked {
			p.As = AsIDs
			d.kept = append(d.kept, p.IDs[:i]...)
		}
		d.denied = append(d.denied, p.IDs[i])
	case p.As == AsIDs:
		d.kept = append(d.kept, p.IDs[i])
	}
}

// end puts the result into the decision of the selector.
func (v *division) end() {
	d, p := v.d, v.p
	p.Denied, p.Unknown = slices.Clip(d.denied[v.denied:]), slices.Clip(d.unknown[v.unknown:])
	if p.As == AsIDs {
		p.IDs = slices.Clip(d.kept[v.kept:])
	}
}
