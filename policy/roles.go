package policy

// Reach says which accounts a role is about (SPEC 13).
type Reach uint8

// The reaches. The zero value is the smallest.
const (
	ReachOwn     Reach = iota // the account of the user
	ReachBranch               // with all below it
	ReachClients              // the branches of the accounts that it consults
	ReachTree                 // everything
)

var reachNames = [...]string{"own", "branch", "clients", "tree"}

// String returns the word of the reach.
func (r Reach) String() string { return reachNames[r] }

// UserRole is what one role of a user lets a token do: an access path with entries of its own. It is
// immutable.
type UserRole struct {
	Name    string
	Reach   Reach
	Clients []int64 // of ReachClients: the accounts at their tops
	ACL     *ACL    // nil: every item, and everything with it

	// Administers says that the role is about managed records too. About which is judged where they are
	// read (policy/admin).
	Administers bool
}

// Several roles are an OR, and within one the entry is chosen as ever (SPEC 4.1). So a request is
// judged once for each role: in.paths.role is the one whose entries count meanwhile. Without one no
// entry of a role counts, and the token has none of its own.

// roleScope finds the scope of a token that has roles: its own account, or one that a role reaches.
func (e *Engine) roleScope(in *Input) Reason {
	in.Scope = in.Token.CID
	_, found := in.Tree.Account(in.Scope)
	if in.AskedCID != 0 && in.AskedCID != in.Scope {
		in.Scope, found = in.AskedCID, false
		for i := range in.Token.Roles {
			found = found || in.Token.Roles[i].covers(in, in.AskedCID)
		}
	}
	if !found {
		in.Scope = 0
		return ForeignAccount
	}
	if in.Grants != nil {
		e.findPaths(in)
	}
	in.paths.roles = e.Mode.Index()
	return NotJudged
}

// covers reports whether a role reaches an account.
func (r *UserRole) covers(in *Input, cid int64) (covers bool) {
	r.tops(in, func(top int64, whole bool) {
		covers = covers || top == cid || whole && in.Tree.Contains(top, cid)
	})
	return covers
}

// coversBranch reports whether a role reaches an account with all that is below it.
func (r *UserRole) coversBranch(in *Input, cid int64) bool {
	if r.Reach != ReachOwn {
		return r.covers(in, cid)
	}
	n, found := in.Tree.Ordinal(cid)
	return found && cid == in.Token.CID && in.Tree.branches[n].in == in.Tree.branches[n].out
}

// tops calls f with the accounts at the tops of what a role reaches, and whether that is their whole
// branches. An account that is not in the tree has none.
func (r *UserRole) tops(in *Input, f func(top int64, whole bool)) {
	each := func(cid int64, whole bool) {
		if _, found := in.Tree.Account(cid); found {
			f(cid, whole)
		}
	}
	switch r.Reach {
	case ReachOwn:
		each(in.Token.CID, false)
	case ReachBranch:
		each(in.Token.CID, true)
	case ReachClients:
		for _, cid := range r.Clients {
			each(cid, true)
		}
	case ReachTree:
		for _, a := range in.Tree.Accounts() {
			if a.Parent == 0 {
				f(a.ID, true)
			}
		}
	}
}

// roleEntry reports whether some role permits the request at all. Where the backend enforces the tree
// by a header there is one path: the first role that reaches the whole branch of the scope and
// permits the request, without a list of items if there is one.
func (e *Engine) roleEntry(in *Input) (chosen right, reason Reason) {
	defer func() {
		if in.paths.roles {
			in.paths.role = nil
		}
	}()
	r := in.Request
	creates := r.Route.Creates && r.Method == POST
	if in.paths.roles && !creates && !(r.Route.Item && e.scoped(r.Route.Collection)) {
		return right{}, ClosedScope
	}
	var best *UserRole
	reason = NoEntry
	for i := range in.Token.Roles {
		role := &in.Token.Roles[i]
		if !in.paths.roles && !role.coversBranch(in, in.Scope) || creates && !role.covers(in, in.Scope) {
			continue
		}
		in.paths.role = role
		found, why := e.ownEntry(in)
		switch {
		case why != NotJudged:
			if reason != NotJudged {
				reason = why
			}
			continue
		case best == nil || chosen.entry != nil && chosen.entry.Limited() && (found.entry == nil || !found.entry.Limited()):
			best, chosen, reason = role, found, NotJudged
		}
	}
	in.paths.role = best
	if in.paths.roles && !creates { // each role has its own, at each selector
		chosen = right{}
	}
	return chosen, reason
}

// addRoles adds what the roles open at selector i. Whatever a role does not permit there, for a field
// or a match too, it opens nothing.
func (e *Engine) addRoles(d *Decision, in *Input, i int) {
	s, p := &in.Request.Selectors[i], &d.Selectors[i]
	own := i == 0 && in.Request.Route.Item
	was := d.right
	for k := range in.Token.Roles {
		role := &in.Token.Roles[k]
		in.paths.role = role
		if b, opens := e.roleBounds(d, in, i, own); opens {
			ids := b.sets[0].ids
			if b.count > 1 {
				ids = intersection(ids, b.sets[1].ids)
			}
			if !(s.Match() && b.limited() && e.DenyMatch) {
				role.tops(in, func(top int64, whole bool) {
					d.granted.addRole(in, role, reach{top: top, single: !whole, some: b.limited(), ids: cursor{set: ids}})
				})
				d.granted.addGrantsOf(in, i, role, b.limited(), ids)
			}
		}
	}
	in.paths.role = nil
	d.right, d.Entry = was, was.entry
	p.Fields = 0
}

// roleBounds returns what limits the role in.paths.role at selector i, and whether it opens anything.
func (e *Engine) roleBounds(d *Decision, in *Input, i int, own bool) (b bounds, opens bool) {
	s := &in.Request.Selectors[i]
	if own {
		found, reason := e.ownEntry(in)
		if reason != NotJudged {
			return b, false
		}
		d.right, d.Entry = found, found.entry
	}
	b, reason := e.boundsOf(d, in, s.Collection, own)
	if reason != NotJudged {
		return b, false
	}
	var fields SelectorDecision
	if e.reachInto(&fields, &b, d, in, i) != NotJudged || b.nothing {
		return b, false
	}
	if s.Match() && e.acl(in) && (b.reads == nil || !readable(in.acl(), s, b.reads)) {
		return b, false
	}
	return b, true
}

// addRole appends what a role opens below one account, as far as it is in the branch that was asked for.
func (g *granted) addRole(in *Input, role *UserRole, r reach) {
	r.role = role
	if in.AskedCID != 0 && !in.Tree.Contains(in.AskedCID, r.top) {
		if r.single || !in.Tree.Contains(r.top, in.AskedCID) {
			return
		}
		r.top = in.AskedCID
	}
	r.roots = role.Reach == ReachTree && !r.some && in.Tree.Root(r.top)
	g.add(in, r)
}

// addGrantsOf appends what was granted to the acting account and a role lets its bearer use: the role has to
// reach that account, and its entries narrow what they name to ids.
func (g *granted) addGrantsOf(in *Input, i int, role *UserRole, limited bool, ids []int64) {
	if in.paths.grants == nil || !role.covers(in, in.Scope) {
		return
	}
	need := in.levelsAt(i)
	for _, from := range in.paths.grants {
		if need == 0 || !in.InForce(from) {
			continue
		}
		for j := range from.Access {
			a := &from.Access[j]
			if !a.givesAt(&in.Request.Selectors[i], need) {
				continue
			}
			r := reach{top: from.CID, grant: from, role: role, some: limited, ids: cursor{set: ids}}
			switch named := !a.All && a.URI != AccountURI; {
			case named && limited:
				r.ids.set = intersection(a.IDs.sorted, ids)
			case named:
				r.some, r.ids.set = true, a.IDs.sorted
			}
			g.add(in, r)
		}
	}
}

// roleTakes judges an account that a body names: one role has to reach it and, for a move, to permit
// that of every item.
func (e *Engine) roleTakes(d *Decision, in *Input, cid int64) Reason {
	r := in.Request
	moves := r.Route.Moves() || r.Route.Item && r.Route.Slot == SlotItem && (r.Method == PUT || r.Method == PATCH)
	defer func() { in.paths.role = nil }()
	reason := BodyAccount
	for i := range in.Token.Roles {
		role := &in.Token.Roles[i]
		if !role.covers(in, cid) {
			continue
		}
		in.paths.role = role
		switch {
		case moves && !e.roleMoves(d, in, role):
			reason = MoveNoEntry
			continue
		case r.Route.Creates && e.acl(in):
			entry := in.acl().Choose(r.Route.Collection, SlotItem, POST)
			if entry == nil || entry.Rule != IDsAbsent {
				continue
			}
		}
		return NotJudged
	}
	return reason
}

// roleMoves reports whether a role permits to move every item that the request goes to, and reaches
// them all.
func (e *Engine) roleMoves(d *Decision, in *Input, role *UserRole) bool {
	if !e.mayMove(d, in) || len(d.Selectors) == 0 || d.Selectors[0].As == AsAsked && in.Request.Selectors[0].Kind != SelectIDs {
		return false
	}
	col := in.Request.Route.Collection
	for _, id := range d.Selectors[0].IDs {
		if cid, known := in.Items.Account(col, id); !known || !role.covers(in, cid) {
			return false
		}
	}
	return true
}
