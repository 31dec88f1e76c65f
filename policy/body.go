package policy

import "slices"

// Judged says which keys at the top level of a body mean something to the gateway (SPEC 2, Body).
type Judged struct {
	ID  bool // names an item
	CID bool // names an account
}

// Judged returns the keys that are judged in the body of a request by m. The data of a POST of
// messages is the customer's own.
func (r *Route) Judged(m Method) Judged {
	switch {
	case r.Body == BodyData && m == POST:
		return Judged{}
	case r.Creates && m == POST, r.Item && r.Slot == SlotItem:
		return Judged{ID: true, CID: true}
	}
	return Judged{CID: true}
}

// Moves reports whether the route is PUT …/cid, whose body is the account and nothing else.
func (r *Route) Moves() bool { return r.Item && r.Slot == SlotCID }

// JudgeBody judges the keys of every element of the body of a request that d permits. The first
// faulty element decides.
func (e *Engine) JudgeBody(d *Decision, in *Input) Reason {
	if in.Request.Route == nil || !in.Request.Method.Write() {
		return NotJudged
	}
	for _, k := range in.Body {
		if reason := e.JudgeElement(d, in, k); reason != NotJudged {
			return reason
		}
	}
	return NotJudged
}

// JudgeElement judges the keys of one element of the body of a request that d permits (SPEC 2, 4.3,
// 4.4). NotJudged lets it pass.
func (e *Engine) JudgeElement(d *Decision, in *Input, k Keys) Reason {
	d.Element = k
	r := in.Request
	judged := r.Route.Judged(r.Method)
	switch {
	case !judged.ID || k.ID == 0:
	case r.Route.Creates:
		return BadBody // an id is not taken on creation
	case !d.addresses(r, k.ID):
		return BodyItem
	}
	if e.Owners != OwnersBackend && judged.CID && k.CID != 0 && !r.Route.Moves() {
		return BodyOwner
	}
	if !judged.CID || k.CID == 0 {
		return NotJudged
	}
	if !in.Tree.Contains(in.Scope, k.CID) {
		return BodyAccount
	}
	if in.paths.roles {
		return e.roleTakes(d, in, k.CID)
	}
	if !r.Route.Creates && !d.ownsAll(in) {
		return MoveNoEntry
	}
	// Inside the branch it still is a move where the item exists already.
	moves := r.Route.Item && r.Route.Slot == SlotItem && (r.Method == PUT || r.Method == PATCH)
	if moves && !e.mayMove(d, in) {
		return MoveNoEntry
	}
	return NotJudged
}

// addresses reports whether id is one of the items that the request goes to. What is forwarded as a
// match is not known here, so it addresses nothing.
func (d *Decision) addresses(r *Request, id int64) bool {
	if len(d.Selectors) == 0 {
		return false
	}
	p := &d.Selectors[0]
	if p.As == AsAsked && r.Selectors[0].Kind == SelectAll {
		return true
	}
	if len(d.sorted) != len(p.IDs) {
		d.sorted = append(d.sorted[:0], p.IDs...)
		slices.Sort(d.sorted)
	}
	_, found := slices.BinarySearch(d.sorted, id)
	return found
}

// mayMove reports whether the token may move every item that the request goes to: by the entry that
// PUT …/cid would be judged by.
func (e *Engine) mayMove(d *Decision, in *Input) bool {
	if !e.acl(in) {
		return true
	}
	entry := in.acl().Choose(in.Request.Route.Collection, SlotCID, PUT)
	if entry == nil || !entry.Limited() {
		return entry != nil
	}
	if d.Selectors[0].As == AsAsked && in.Request.Selectors[0].Kind != SelectIDs {
		return false
	}
	col := in.Request.Route.Collection
	var b bounds
	e.addRight(&b, in, col, e.rightOn(in.acl(), col, SlotCID, PUT))
	cur := b.walks()
	for _, id := range d.Selectors[0].IDs {
		if !b.permits(&cur, id) {
			return false
		}
	}
	return true
}
