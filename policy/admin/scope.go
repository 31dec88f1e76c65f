package admin

import (
	"slices"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// maxAncestors ends a walk up the tree that a broken store would make endless.
const maxAncestors = 64

// ancestors calls yield with cid and every account above it, until it returns false.
func (l *Law) ancestors(cid int64, yield func(Account) bool) {
	for range maxAncestors {
		a, found := l.World.Account(cid)
		if !found || !yield(a) || a.Parent == 0 {
			return
		}
		cid = a.Parent
	}
}

// Within reports whether cid is top or lies below it. An account that does not exist is nowhere.
func (l *Law) Within(top, cid int64) bool {
	within := false
	l.ancestors(cid, func(a Account) bool {
		within = within || a.ID == top
		return !within
	})
	return within
}

// InScope reports whether an account lies in the scope of the caller.
func (l *Law) InScope(cid int64) bool {
	if l.above() {
		_, found := l.World.Account(cid)
		return found
	}
	if l.Caller.Scope == 0 || l.Caller.Roles == nil {
		return l.Caller.Scope != 0 && l.Within(l.Caller.Scope, cid)
	}
	if l.Caller.Narrowed && !l.Within(l.Caller.Scope, cid) {
		return false
	}
	return slices.ContainsFunc(l.Caller.permits, func(r realm.Role) bool { return l.roleReaches(&r, cid) })
}

// roleReaches reports whether a role of the caller reaches an account that there is.
func (l *Law) roleReaches(r *realm.Role, cid int64) bool {
	if _, found := l.World.Account(cid); !found {
		return false
	}
	h := l.rolePowerOf(r)
	return l.reaches(&h, &power{reach: policy.ReachOwn, cid: cid})
}

// Reaches reports whether some role of the caller reaches an account, whatever it may do there.
func (l *Law) Reaches(cid int64) bool {
	return slices.ContainsFunc(l.Caller.Roles, func(r realm.Role) bool { return l.roleReaches(&r, cid) })
}

// Tops returns the accounts in whose branches all that is in scope lies; 0 is above all roots. Not all
// there has to be in scope.
func (l *Law) Tops() (tops []int64) {
	c := &l.Caller
	if c.Roles == nil || c.Narrowed {
		return []int64{c.Scope}
	}
	for i := range c.permits {
		switch c.permits[i].Reach {
		case policy.ReachTree:
			return []int64{0}
		case policy.ReachClients:
			tops = append(tops, l.World.Clients(c.Token.CID)...)
		default:
			tops = append(tops, c.Token.CID)
		}
	}
	return tops
}

// Below reports whether an account lies in the scope and is not the acting account itself: only
// from there may it be written.
func (l *Law) Below(cid int64) bool {
	if l.Caller.Roles == nil {
		return cid != l.Caller.Scope && l.InScope(cid)
	}
	a, found := l.World.Account(cid)
	return found && l.InScope(cid) && (a.Parent != 0 && l.InScope(a.Parent) && !(l.Caller.Narrowed && cid == l.Caller.Scope) || l.everywhere())
}

// everywhere reports whether a role that permits the call reaches everything.
func (l *Law) everywhere() bool {
	return !l.Caller.Narrowed && slices.ContainsFunc(l.Caller.permits, func(r realm.Role) bool { return r.Reach == policy.ReachTree })
}

// above reports whether the caller acts above all roots.
func (l *Law) above() bool { return l.Caller.Operator && l.Caller.Scope == 0 }

// depth returns how many levels there are from the root down to cid, 1 for a root, 0 for an account
// that does not exist.
func (l *Law) depth(cid int64) int {
	n := 0
	l.ancestors(cid, func(Account) bool { n++; return true })
	return n
}

// acting returns the acting account, or a fault where the operator named none and one is needed.
func (l *Law) acting() (int64, *record.Fault) {
	if l.Caller.Scope == 0 {
		return 0, &record.Fault{Class: record.BadField, Path: "x-flespi-cid", Text: "expected the account to act for"}
	}
	return l.Caller.Scope, nil
}

// withAccount returns a document that names an account: its own, or else the acting one.
func (l *Law) withAccount(doc record.Value) (record.Value, *record.Fault) {
	if doc.Get("cid").Shape != record.Absent {
		return doc, nil
	}
	cid, fault := l.acting()
	if fault != nil {
		return record.Value{}, fault
	}
	return doc.With("cid", record.NewInt(cid)), nil
}
