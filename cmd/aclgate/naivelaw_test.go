package main

import (
	"maps"
	"slices"
	"strings"
)

// The naive law: SPEC 10.1 to 10.5, 10.8 and 12 spelled as they are written there, over sets. It calls
// nothing of the gateway.

// naiveCaller is who asks: the operator, or a token, for an account that it names.
type naiveCaller struct {
	operator bool
	token    int64 // 0: a key that nobody has
	cid      int64 // of x-flespi-cid; 0: none
}

// naiveCall is one request.
type naiveCall struct {
	naiveCaller
	method, collection string
	selector           *naiveSelector // nil: the path alone
	second             *naiveSelector // of what is below a realm or a grant
	logs               bool
	fields             string // "": those that rows are compared by
	body               []map[string]any
	badBody            int // the code of a fault that any reader of the body finds; 0: none
	release            bool
}

// naiveSelector is all, or ids, with conditions.
type naiveSelector struct {
	text string
	bad  bool // refused as it stands
	ids  []int64
	cid  int64  // a condition; 0: none
	name string // a condition: what the name or the info begins with; "": none
}

// naiveFault is a refusal: a status and the code of its first error.
type naiveFault struct{ status, code int }

var (
	faultNobody   = naiveFault{401, 401}
	faultBlocked  = naiveFault{403, 403}
	faultDenied   = naiveFault{403, 6}
	faultACL      = naiveFault{403, 8}
	faultField    = naiveFault{400, 2}
	faultConflict = naiveFault{409, 409}
)

// naiveAnswer is what the law wants: one of some faults, or rows.
type naiveAnswer struct {
	faults []naiveFault // any of them may be the one that is found; none: it is permitted
	rows   []int64      // the records, in order
	links  []naiveLink  // instead of rows
	denied []int64
	after  *naiveWorld // of a write: as if the new records had the ids from fresh on
}

// fresh is the first id that the law gives to new records, until the answer says the true one.
const fresh = int64(1_000_000)

func refused(all ...naiveFault) naiveAnswer { return naiveAnswer{faults: all} }

// naiveLaw judges the records of one call, in a world of its own.
type naiveLaw struct {
	*naiveWorld
	q      *naiveCall
	self   naiveToken
	acting int64
	scope  map[int64]bool // the accounts that the call may be about

	holders []naiveRole // the roles of a user whom roles alone permit
	permits []naiveRole // those of them that permit the call
}

// sees reports whether a record of the collection is in scope.
func (l *naiveLaw) sees(id int64) bool {
	switch l.q.collection {
	case "subaccounts":
		return l.seesBelow(id)
	case "customer":
		return id == l.acting && l.scope[id]
	case "grants":
		return l.scope[l.grants[id].cid]
	case "realms":
		return l.q.method == "GET" && !l.q.logs && l.knows(id) || l.scope[l.realms[id].cid]
	case "limits":
		limit, found := l.limits[id]
		return found && l.scope[limit.cid]
	}
	t, found := l.tokens[id]
	return found && l.scope[t.cid]
}

// known returns the ids of all records of the collection.
func (l *naiveLaw) known() []int64 {
	switch l.q.collection {
	case "subaccounts", "customer":
		return naiveIDs(l.accounts)
	case "limits":
		return naiveIDs(l.limits)
	case "grants":
		return naiveIDs(l.grants)
	case "realms":
		return naiveIDs(l.realms)
	}
	return naiveIDs(l.tokens)
}

// fits reports whether a record fulfils the conditions of the selector.
func (l *naiveLaw) fits(id int64) bool {
	s := l.q.selector
	if s == nil {
		return true
	}
	name, cid := l.tokens[id].info, l.tokens[id].cid
	switch l.q.collection {
	case "subaccounts":
		name, cid = l.accounts[id].name, l.accounts[id].parent
	case "limits":
		name, cid = l.limits[id].name, l.limits[id].cid
	case "grants":
		name, cid = l.grants[id].name, l.grants[id].cid
	case "realms":
		return l.matches(s, l.realms[id].name, l.realms[id].cid, l.scope[l.realms[id].cid])
	}
	return l.matches(s, name, cid, true)
}

// named judges a call on records that it names.
func (l *naiveLaw) named() (a naiveAnswer) {
	if strings.HasPrefix(l.q.collection, "realms/") {
		a = l.people()
	} else {
		s := l.q.selector
		if s == nil {
			s = &naiveSelector{}
		}
		a.rows = slices.Sorted(slices.Values(l.pick(&a, s, l.known(), l.sees)))
		a.rows = slices.DeleteFunc(a.rows, func(id int64) bool { return !l.fits(id) })
	}
	if len(a.rows) == 0 && len(a.denied) > 0 {
		a.faults = []naiveFault{faultDenied}
		return a
	}
	if l.q.method == "GET" || len(a.rows) == 0 {
		return a
	}
	if l.q.badBody != 0 && l.q.method != "DELETE" {
		return refused(naiveFault{400, l.q.badBody})
	}
	for _, id := range l.deepestFirst(a.rows) {
		if faults := l.write(id); len(faults) > 0 {
			return refused(faults...)
		}
	}
	a.after = l.naiveWorld
	return a
}

// deepestFirst orders accounts that are deleted, so that a branch can go by one call.
func (l *naiveLaw) deepestFirst(ids []int64) []int64 {
	if l.q.method != "DELETE" || l.q.collection != "subaccounts" {
		return ids
	}
	depth := map[int64]int{}
	for _, id := range ids {
		depth[id] = len(l.chain(id))
	}
	return slices.SortedStableFunc(slices.Values(ids), func(a, b int64) int { return depth[b] - depth[a] })
}

// write changes or deletes one record.
func (l *naiveLaw) write(id int64) []naiveFault {
	deletes := l.q.method == "DELETE"
	switch l.q.collection {
	case "subaccounts":
		if deletes {
			return l.deleteAccount(id)
		}
		return l.putAccount(id, l.q.body[0])
	case "customer":
		a := l.accounts[id]
		a.name = textOr(l.q.body[0], "name", a.name)
		l.accounts[id] = a
	case "limits":
		if deletes {
			return l.deleteLimit(id)
		}
		limit := l.limits[id]
		limit.name = textOr(l.q.body[0], "name", limit.name)
		limit.bounds = boundsOf(l.q.body[0], limit.bounds)
		l.limits[id] = limit
	case "grants", "realms", "realms/users", "realms/roles":
		return l.writePeople(id, deletes)
	default:
		if deletes {
			return l.endToken(id, naiveToken{})
		}
		return l.putToken(id, l.q.body[0])
	}
	return nil
}

// writePeople is write of grants, realms, users and roles.
func (l *naiveLaw) writePeople(id int64, deletes bool) []naiveFault {
	body := l.q.body[0]
	switch l.q.collection {
	case "grants":
		if deletes {
			delete(l.grants, id)
			return nil
		}
		return l.putGrant(id, body)
	case "realms":
		if deletes {
			return l.deleteRealm(id)
		}
		return l.putRealm(id, body)
	case "realms/users":
		if deletes {
			l.dropUser(id)
			return nil
		}
		return l.putUser(id, body)
	}
	if !deletes {
		return l.putRole(id, body)
	}
	if was := l.roles[id]; l.given(&was) {
		return []naiveFault{faultConflict}
	}
	delete(l.roles, id)
	return nil
}

// endToken puts a token in the place of one, the empty one for a deletion, and keeps a root's last
// master from going.
func (l *naiveLaw) endToken(id int64, is naiveToken) (faults []naiveFault) {
	was := l.tokens[id]
	delete(l.tokens, id)
	others := 0
	for _, t := range l.tokens {
		if t.cid == was.cid && t.usable() {
			others++
		}
	}
	if !l.q.operator && l.accounts[was.cid].parent == 0 && was.usable() && !is.usable() && others == 0 {
		faults = append(faults, faultConflict)
	}
	if is.key != "" {
		l.tokens[id] = is
	}
	return faults
}

// putToken changes a token.
func (l *naiveLaw) putToken(id int64, body map[string]any) (faults []naiveFault) {
	was := l.tokens[id]
	is := was.with(body)
	if l.q.method == "PATCH" && was.kind == 2 && is.kind != 2 {
		return []naiveFault{faultField} // objects are merged: the entries stay, and only type 2 has some
	}
	same := was
	same.info = is.info
	if is.disabled {
		same.disabled = true
	}
	if !same.equal(&is) {
		if !l.q.operator && (id == l.q.token || l.holders != nil || l.self.user != 0 && was.user != l.self.user) || was.login {
			faults = append(faults, faultACL)
		} else {
			faults = append(faults, l.tokenFaults(&was, &is)...)
		}
	}
	return append(faults, l.endToken(id, is)...)
}

// tokenFaults are those of rules 3, 4, 5b and 6 of SPEC 10.4.
func (l *naiveLaw) tokenFaults(was, is *naiveToken) (faults []naiveFault) {
	add := func(f naiveFault, found bool) {
		if found {
			faults = append(faults, f)
		}
	}
	add(faultField, is.expire == 0 && is.ttl == 0)
	add(faultACL, is.ttl > naiveMaxTTL && is.ttl != was.ttl)
	for _, id := range is.ids {
		add(faultDenied, !slices.Contains(was.ids, id) && !l.scope[l.channels[id]])
	}
	if l.q.operator {
		return faults
	}
	add(faultACL, l.self.ips != "" && !slices.Contains(naiveWithin[l.self.ips], is.ips))
	add(faultACL, l.self.origin != "" && is.origin != l.self.origin)
	add(faultACL, l.self.ttl == 0 && l.self.user == 0 && (is.ttl > 0 || is.expire > l.self.expire))
	return faults
}

// accountFaults are those of what a body names for an account below parent.
func (l *naiveLaw) accountFaults(id, parent int64, body map[string]any) (faults []naiveFault) {
	if n := numberOr(body, "limit_id", 0); n != 0 {
		limit, found := l.limits[n]
		switch {
		case !found || !l.scope[limit.cid]:
			faults = append(faults, faultDenied)
		case !slices.Contains(l.chain(parent), limit.cid):
			faults = append(faults, faultField)
		}
	}
	if n := numberOr(body, "consultancy_account_id", 0); n != 0 {
		if l.holders != nil && !slices.ContainsFunc(l.permits, func(r naiveRole) bool { return r.reach == "tree" && l.q.cid == 0 }) {
			faults = append(faults, faultACL) // only masters write it
		}
		faults = append(faults, l.lasts()...)
		switch {
		case !l.scope[n]:
			faults = append(faults, faultDenied)
		case n == id:
			faults = append(faults, faultField)
		}
	}
	return faults
}

func (l *naiveLaw) putAccount(id int64, body map[string]any) []naiveFault {
	a := l.accounts[id]
	faults := l.accountFaults(id, a.parent, body)
	l.accounts[id] = a.with(body)
	return faults
}

func (l *naiveLaw) deleteAccount(id int64) []naiveFault {
	for _, a := range l.accounts {
		if a.parent == id {
			return []naiveFault{faultConflict}
		}
	}
	if slices.Contains(slices.Collect(maps.Values(l.channels)), id) && !l.q.release {
		return []naiveFault{faultConflict}
	}
	l.dropPeople(id)
	l.dropAccount(id)
	return nil
}

func (l *naiveLaw) deleteLimit(id int64) []naiveFault {
	for _, a := range l.accounts {
		if a.limit == id {
			return []naiveFault{faultConflict}
		}
	}
	delete(l.limits, id)
	return nil
}
