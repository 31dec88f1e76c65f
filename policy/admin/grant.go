package admin

import (
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/record"
)

// GrantOf returns a grant of a stored document, for the accounts that it is linked to.
func GrantOf(doc record.Value, grantees []int64) policy.Grant { return record.GrantOf(doc, grantees) }

// SeesGrant reports whether a grant is in scope: its grantor is.
func (l *Law) SeesGrant(doc record.Value) bool { return l.InScope(record.NumberOf(doc, "cid")) }

// NewGrant judges the grant that a POST asks for, and returns its document with the grantor.
func (l *Law) NewGrant(asked record.Value) (record.Value, *record.Fault) {
	doc, fault := l.withAccount(asked)
	if fault != nil {
		return record.Value{}, fault
	}
	doc = doc.With("created", record.NewInt(l.Now))
	cid := record.NumberOf(doc, "cid")
	if !l.InScope(cid) {
		return record.Value{}, record.DeniedRecord("accounts", cid)
	}
	if fault := l.grants(record.Value{}, doc); fault != nil {
		return record.Value{}, fault
	}
	return doc, l.room("grants", cid, 1)
}

// ChangeGrant judges a change of a grant. Whoever sees it may take it out of use and describe it;
// whatever else is changed, it is judged as a new one is.
func (l *Law) ChangeGrant(before, after record.Value) *record.Fault {
	if !l.SeesGrant(before) {
		return record.DeniedRecord("grants", record.NumberOf(before, "id"))
	}
	was, is := GrantOf(before, nil), GrantOf(after, nil)
	if was.ID != is.ID || was.CID != is.CID {
		return &record.Fault{Class: record.BadField, Path: "cid", Text: "the account of a grant never changes"}
	}
	rest, restAfter := before, after
	for _, name := range []string{"name", "metadata"} {
		rest, restAfter = rest.Without(name), restAfter.Without(name)
	}
	if was.Enabled == is.Enabled || !is.Enabled {
		rest, restAfter = rest.Without("enabled"), restAfter.Without("enabled")
	}
	if rest.Equal(restAfter) {
		return nil
	}
	return l.grants(before, after)
}

// DeleteGrant judges a deletion.
func (l *Law) DeleteGrant(before record.Value) *record.Fault {
	if !l.SeesGrant(before) {
		return record.DeniedRecord("grants", record.NumberOf(before, "id"))
	}
	return nil
}

// grants judges what a grant gives: the caller, a master over the grantor, holds all that is in its
// branch; but a grant has neither addresses nor pages, and lasts as long as it says, so a caller who is
// bound by such can give none that is not [G]. A user gives none at all: a grant does not end with a
// user who goes, as their tokens do (SPEC 10.4, rule 5).
func (l *Law) grants(was, doc record.Value) *record.Fault {
	is := GrantOf(doc, nil)
	if fault := l.mayGrant(&is); fault != nil {
		return fault
	}
	held := GrantOf(was, nil)
	for i := range is.Access {
		a := &is.Access[i]
		for _, id := range a.IDs.IDs() {
			if !names(&held, a.URI, id) && !l.has(is.CID, a.URI, id) {
				return record.DeniedRecord(a.URI[strings.LastIndexByte(a.URI, '/')+1:], id)
			}
		}
	}
	return nil
}

// mayGrant judges whether the caller is bound by less than a grant is.
func (l *Law) mayGrant(g *policy.Grant) *record.Fault {
	c := &l.Caller
	switch t := &c.Token; {
	case c.Operator:
		return nil
	case t.UserID != 0:
		return stronger("", "a grant would outlive the user whose token makes it: use a token that carries no user")
	case t.Sources != nil:
		return stronger("ips", "a grant is used from anywhere, and this token is not")
	case t.Origins != nil:
		return stronger("origins", "a grant is used by any page, and this token is not")
	case t.Expire > 0 && t.TTL == 0 && (g.Expire == 0 || g.Expire > t.Expire):
		return stronger("expire", "a grant may not last longer than the token that makes it")
	}
	return nil
}

// names reports whether a grant named an item already: what was granted once may be written again.
func names(g *policy.Grant, uri string, id int64) bool {
	for i := range g.Access {
		if a := &g.Access[i]; a.URI == uri && a.IDs.Has(id) {
			return true
		}
	}
	return false
}

// has reports whether an item lies in the branch of an account, as far as an index is kept.
func (l *Law) has(cid int64, uri string, id int64) bool {
	owners, kept := l.World.Owners(uri, id)
	if !kept {
		return true
	}
	for _, owner := range owners {
		if l.Within(cid, owner) {
			return true
		}
	}
	return false
}

// Link judges that a grant gets another grantee: grant and grantee lie in the scope, and the grantee is
// neither the grantor nor above it, where it would see the items anyway (SPEC 10.7).
func (l *Law) Link(grant record.Value, cid int64) *record.Fault {
	g := GrantOf(grant, nil)
	switch {
	case !l.SeesGrant(grant):
		return record.DeniedRecord("grants", g.ID)
	case !l.InScope(cid):
		return record.DeniedRecord("subaccounts", cid)
	case l.Within(cid, g.CID):
		return &record.Fault{Class: record.BadField, Path: "subaccount_id",
			Text: "account " + strconv.FormatInt(cid, 10) + " is the grantor or lies above it, and sees the items anyway"}
	}
	return l.mayGrant(&g)
}

// Unlink judges that a grantee is taken away: by whoever sees the grant.
func (l *Law) Unlink(grant record.Value) *record.Fault { return l.DeleteGrant(grant) }

// Receives reports whether a grant is one that the acting account has got, for the list of grantors:
// there it is seen, and may be given up, without seeing the grantor.
func (l *Law) Receives(grantees []int64) bool {
	for _, cid := range grantees {
		if cid == l.Caller.Scope && l.Caller.Scope != 0 {
			return true
		}
	}
	return false
}
