package admin

import "aclgate/policy/record"

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
	return l.Caller.Scope != 0 && l.Within(l.Caller.Scope, cid)
}

// Below reports whether an account lies in the scope and is not the acting account itself: only
// from there may it be written.
func (l *Law) Below(cid int64) bool { return cid != l.Caller.Scope && l.InScope(cid) }

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
