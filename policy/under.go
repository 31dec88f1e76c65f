package policy

import (
	"cmp"
	"slices"
)

// Where both the backend and the index know accounts, a request that may reach beyond the branch goes
// out under an account that is above its items (SPEC 11).

// Account returns the account under which the request goes out to the backend: that of the scope,
// unless it reaches beyond. Of one that is apart it is 0, which no backend takes for an account:
// each part has its own.
func (d *Decision) Account(in *Input) int64 {
	switch {
	case d.Apart():
		return 0
	case d.granted != nil && d.granted.account != 0:
		return d.granted.account
	}
	return in.Scope
}

// Apart reports whether no account is above all items of the request. It is a GET then that
// FanOutIDs divides, and goes out in parts.
func (d *Decision) Apart() bool { return d.granted != nil && d.granted.apart }

// chooseAccount finds that account: the one of the scope if all items are there. Else a GET goes out
// under the nearest account above them all, or in parts where there is none, and a write under the
// one that they all belong to: ids in its body are the backend's to judge.
func (e *Engine) chooseAccount(d *Decision, in *Input) Reason {
	if !e.Mode.Header() || !e.Mode.Index() || !d.united() {
		return NotJudged
	}
	s := span{tree: in.Tree}
	links := false
	for i := range d.Selectors {
		sel, p := &in.Request.Selectors[i], &d.Selectors[i]
		switch {
		case !sel.ByID() || !e.scoped(sel.Collection):
		case p.As == AsAsked && sel.Match():
			links = true
		default:
			for _, id := range p.IDs {
				cid, _ := in.Items.Account(sel.Collection, id)
				s.add(cid)
			}
		}
	}
	switch {
	case s.first == 0 || !s.apart && s.account(in) == in.Scope:
		return NotJudged
	case links:
		return LinkedMatch
	case in.Request.Method.Write() && s.several, s.apart && d.FanOutIDs(in.Request) == nil:
		return MixedAccounts
	case s.apart:
		d.granted.apart = true
	default:
		d.granted.account = s.top
	}
	return NotJudged
}

// ByRoot returns ids that FanOutIDs returned in the order in which they are asked for when they are
// apart: those below one root together, ascending.
func (d *Decision) ByRoot(in *Input, ids []int64) []int64 {
	type item struct {
		root int32
		id   int64
	}
	items := make([]item, len(ids))
	for i, id := range ids {
		cid, _ := in.Items.Account(in.Request.Selectors[0].Collection, id)
		items[i] = item{in.Tree.root(cid), id}
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Or(cmp.Compare(a.root, b.root), cmp.Compare(a.id, b.id)) })
	ordered := make([]int64, len(ids))
	for i := range items {
		ordered[i] = items[i].id
	}
	return ordered
}

// Under returns how many of ids, from the first on, one account is above, at least one; and the
// account that a request for them goes out under.
func (d *Decision) Under(in *Input, ids []int64) (n int, cid int64) {
	s := span{tree: in.Tree}
	for _, id := range ids {
		of, _ := in.Items.Account(in.Request.Selectors[0].Collection, id)
		s.add(of)
		if s.apart {
			break
		}
		n++
	}
	return n, s.account(in)
}

// root returns the place in Accounts of the root above an account; -1: it is not in the tree.
func (t *Tree) root(cid int64) int32 {
	n, found := t.Ordinal(cid)
	if !found {
		return -1
	}
	at := int32(n)
	for t.branches[at].up >= 0 {
		at = t.branches[at].up
	}
	return at
}

// span is the nearest account above some accounts.
type span struct {
	tree    *Tree
	first   int64 // one of them; 0: there is none
	top     int64
	several bool
	apart   bool // nothing is above them all; top is above those before
}

func (s *span) add(cid int64) {
	switch {
	case s.first == 0:
		s.first, s.top = cid, cid
		return
	case cid == s.first:
		return
	}
	s.several = true
	if s.apart || s.tree.Contains(s.top, cid) {
		return
	}
	if top, found := s.tree.common(s.top, cid); found {
		s.top = top
	} else {
		s.apart = true
	}
}

// account returns the account that a request for what is in the span goes out under.
func (s *span) account(in *Input) int64 {
	if !in.paths.cross && in.Tree.Contains(in.Scope, s.top) {
		return in.Scope
	}
	return s.top
}
