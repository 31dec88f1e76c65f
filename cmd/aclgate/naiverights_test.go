package main

import (
	"fmt"
	"slices"
)

// Who holds what, as sets that are made anew for every question (SPEC 10.6, 13): a caller gives users
// and roles nothing that is not in the caller's own set. The word before the space is a place.

// branchPlaces are the accounts of a branch, and what may come to be below them.
func (w *naiveWorld) branchPlaces(top int64) (places []string) {
	for cid := range w.branch(top) {
		places = append(places, fmt.Sprint(cid), fmt.Sprintf("below-%d", cid))
	}
	return places
}

// places are those that a reach is about, for somebody who lives in an account.
func (w *naiveWorld) places(reach string, cid int64) (places []string) {
	switch reach {
	case "own":
		return []string{fmt.Sprint(cid)}
	case "branch":
		return w.branchPlaces(cid)
	case "tree":
		return []string{"tree"}
	}
	places = []string{fmt.Sprintf("clients-%d", cid)}
	for id, a := range w.accounts {
		if a.consultancy == cid {
			places = append(places, w.branchPlaces(id)...)
		}
	}
	return places
}

var naiveWords = []string{"all", "customer", "grantors", "grants", "limits", "logs", "realms", "roles", "subaccounts", "tokens", "users"}

// accessRights are those of entries at gw and storage with these methods, or of a standard token.
func accessRights(kind int, methods []string, items bool) (rights []string) {
	if kind == 0 || kind == 1 {
		methods, rights = everyMethod, []string{"standard"}
	}
	for _, m := range methods {
		rights = append(rights, m+" item")
		if !items || kind != 2 {
			rights = append(rights, m+" collection")
		}
	}
	return rights
}

func (r *naiveRole) rights() (rights []string) {
	rights = accessRights(r.kind, r.methods, r.items)
	for word, methods := range r.platform {
		for _, m := range methods {
			if rights = append(rights, m+" "+word); word == "all" {
				for _, each := range naiveWords {
					rights = append(rights, m+" "+each)
				}
			}
		}
	}
	return rights
}

// masterRights are all that there are.
func masterRights() []string {
	rights := append(accessRights(0, nil, false), "master")
	for _, word := range naiveWords {
		for _, m := range everyMethod {
			rights = append(rights, m+" "+word)
		}
	}
	return rights
}

// holds is what the caller of a call holds.
func (l *naiveLaw) holds() naiveSet {
	set := naiveSet{}
	if l.holders == nil {
		for cid := range l.branch(l.acting) {
			set.add([]string{fmt.Sprint(cid), fmt.Sprintf("below-%d", cid)}, masterRights())
			set.add(l.places("clients", cid), masterRights()) // a master counts as holding them
		}
		return set
	}
	for i := range l.holders {
		r := &l.holders[i]
		set.add(l.places(r.reach, l.self.cid), r.rights())
		if r.name == "account-admin" && r.realm == 0 { // they count as holding the reach of consultancies
			consultant, _ := l.role(0, "consultant")
			set.add(l.places("clients", l.self.cid), consultant.rights())
		}
	}
	return set
}

// gets is what the tokens of a user can do, whether or not they are let in now.
func (w *naiveWorld) gets(u *naiveUser, r *naiveRealm, roles []naiveRole) naiveSet {
	set := naiveSet{}
	if !w.byRoles(u, r) {
		params := w.paramsOf(u, r)
		rights := accessRights(params.kind, []string{"GET"}, false)
		if params.kind == 1 {
			rights = masterRights()
		}
		set.add(w.places("branch", u.cid), rights)
		return set
	}
	for i := range roles {
		set.add(w.places(roles[i].reach, u.cid), roles[i].rights())
	}
	return set
}

// meant are the roles that a user's names stand for, whatever else is asked of roles.
func (w *naiveWorld) meant(u *naiveUser, of *naiveRealm) (roles []naiveRole) {
	names := append([]string{"member"}, u.roles...)
	for _, role := range of.mapped() { // any claims may come
		names = append(names, role)
	}
	for _, name := range names {
		if r, found := w.role(u.realm, name); found {
			roles = append(roles, r)
		}
	}
	return roles
}

// outOf judges whether a set lies within what the caller holds.
func (l *naiveLaw) outOf(set naiveSet) []naiveFault {
	if l.q.operator || set.within(l.holds()) {
		return nil
	}
	return []naiveFault{faultACL}
}

// wider judges whether what is used from these addresses and pages is bound by less than the caller.
func (l *naiveLaw) wider(p *naiveParams) []naiveFault {
	switch {
	case l.q.operator:
	case l.self.ips != "" && (p == nil || !slices.Contains(naiveWithin[l.self.ips], p.ips)),
		l.self.origin != "" && (p == nil || p.origin != l.self.origin):
		return []naiveFault{faultACL}
	}
	return l.lasts()
}

// lasts judges whether the caller ends with a token, so that nothing may be made that does not.
func (l *naiveLaw) lasts() []naiveFault {
	if !l.q.operator && l.self.expire == naiveSoon && l.self.ttl == 0 && l.self.user == 0 {
		return []naiveFault{faultACL}
	}
	return nil
}

// holdsUser judges whether the caller holds all that a user of a realm can do.
func (l *naiveLaw) holdsUser(u *naiveUser, r *naiveRealm) []naiveFault {
	faults := l.outOf(l.gets(u, r, l.meant(u, r)))
	return append(faults, l.wider(l.paramsOf(u, r))...)
}
