package main

import (
	"maps"
	"slices"
	"strings"
)

// Grants, realms, users and roles of the naive world (SPEC 10.6, 10.7, 13).

type naiveGrant struct {
	cid, expire int64
	name        string
	disabled    bool
	uri, level  string
	ids         []int64 // none: all, or an account
	to          []int64 // the accounts that it is for, ascending
}

type naiveRealm struct {
	cid, most int64 // most: max_users, -1: any number
	home      naiveHome
	name      string
	disabled  bool
	params    *naiveParams
	audience  string
	claims    map[string]any // as they were written; nil: none
}

// naiveHome is where users of a realm live: 0 in its account, 1 in another one, 2 each in one of their own
// below that, with a limit or none.
type naiveHome struct{ kind, at, limit int64 }

// naiveParams are token_params. kind is -1 where they have no access.
type naiveParams struct {
	kind        int
	ips, origin string
}

type naiveUser struct {
	realm, cid int64
	name       string
	disabled   bool
	roles      []string
	params     *naiveParams
}

// naiveRole is a role of a realm, or, with realm 0, a built-in one.
type naiveRole struct {
	realm       int64
	name, reach string
	kind        int                 // 0 standard, 2 acl: methods at gw and storage
	methods     []string            // of the entries
	items       bool                // ids: all, so that nothing is created but below items
	platform    map[string][]string // methods by word
	givers      []string            // assignable_by
}

// The table of SPEC 13, as it is written there.
var (
	everyMethod = []string{"DELETE", "GET", "PATCH", "POST", "PUT"}
	builtIns    = []naiveRole{
		{name: "member", reach: "own", kind: 2, methods: []string{"GET", "PUT", "PATCH", "POST"}, items: true, platform: map[string][]string{"customer": {"GET"}}},
		{name: "account-admin", reach: "own", kind: 2, methods: everyMethod,
			platform: map[string][]string{"customer": {"GET", "PUT"}, "users": {"GET", "POST", "PUT", "PATCH"}, "logs": {"GET"}}},
		{name: "consultant", reach: "clients", kind: 2, methods: []string{"GET"}, givers: []string{"account-admin"},
			platform: map[string][]string{"customer": {"GET"}, "users": {"GET"}, "logs": {"GET"}}},
		{name: "admin-reader", reach: "tree", kind: 2, methods: []string{"GET"}, platform: map[string][]string{"all": {"GET"}}},
		{name: "admin", reach: "tree", kind: 0, platform: map[string][]string{"all": everyMethod}},
	}
)

// role is what users of a realm mean by a name.
func (w *naiveWorld) role(of int64, name string) (naiveRole, bool) {
	for _, r := range w.roles {
		if r.realm == of && r.name == name {
			return r, true
		}
	}
	for _, r := range builtIns {
		if r.name == name {
			return r, true
		}
	}
	return naiveRole{}, false
}

// may reports whether a role administers a kind of record by a method.
func (r *naiveRole) may(word, method string) bool {
	return slices.Contains(r.platform[word], method) || slices.Contains(r.platform["all"], method)
}

// paramsOf are those of a user, or else of the realm; never nil.
func (w *naiveWorld) paramsOf(u *naiveUser, r *naiveRealm) *naiveParams {
	switch {
	case u.params != nil:
		return u.params
	case r.params != nil:
		return r.params
	}
	return &naiveParams{kind: -1}
}

// byRoles reports whether roles alone permit what a user does.
func (w *naiveWorld) byRoles(u *naiveUser, r *naiveRealm) bool {
	return len(u.roles) > 0 || w.paramsOf(u, r).kind < 0
}

// rolesOf are those that a user has: a member's, the given ones, and those of the groups of a token.
func (w *naiveWorld) rolesOf(u *naiveUser, groups []string) (all []naiveRole) {
	of := w.realms[u.realm]
	top, names := of.cid, append([]string{"member"}, u.roles...)
	for _, group := range groups {
		if role := of.mapped()[group]; role != "" {
			names = append(names, role)
		}
	}
	for _, name := range names {
		r, found := w.role(u.realm, name)
		if found && (r.reach != "tree" || w.accounts[top].parent == 0) {
			all = append(all, r)
		}
	}
	return all
}

// letIn reports whether a user may be let in.
func (w *naiveWorld) letIn(u *naiveUser) bool {
	r, found := w.realms[u.realm]
	return found && !r.disabled && !u.disabled && w.branch(r.cid)[u.cid]
}

// usersOf returns the ids of the users of a realm.
func (w *naiveWorld) usersOf(of int64) (ids []int64) {
	for _, id := range naiveIDs(w.users) {
		if w.users[id].realm == of {
			ids = append(ids, id)
		}
	}
	return ids
}

// endSessions ends all tokens that carry a user.
func (w *naiveWorld) endSessions(user int64) (n int) {
	before := len(w.tokens)
	maps.DeleteFunc(w.tokens, func(_ int64, t naiveToken) bool { return t.user == user && user != 0 })
	return before - len(w.tokens)
}

func (w *naiveWorld) dropUser(id int64) {
	w.endSessions(id)
	u := w.users[id]
	delete(w.users, id)
	a, found := w.accounts[u.cid]
	home := w.realms[u.realm].home
	if !found || home.kind != 2 || a.parent != home.at {
		return
	}
	if !slices.ContainsFunc(w.usersOf(u.realm), func(other int64) bool { return w.users[other].cid == u.cid }) {
		a.disabled = true // an account of the user's own stays
		w.accounts[u.cid] = a
	}
}

func (w *naiveWorld) dropRealm(id int64) {
	for _, user := range w.usersOf(id) {
		w.dropUser(user)
	}
	maps.DeleteFunc(w.roles, func(_ int64, r naiveRole) bool { return r.realm == id })
	delete(w.realms, id)
}

// dropPeople takes along what ends with an account.
func (w *naiveWorld) dropPeople(cid int64) {
	maps.DeleteFunc(w.grants, func(_ int64, g naiveGrant) bool { return g.cid == cid })
	for id, g := range w.grants {
		g.to = slices.DeleteFunc(slices.Clone(g.to), func(to int64) bool { return to == cid })
		w.grants[id] = g
	}
	for _, id := range naiveIDs(w.realms) {
		if w.realms[id].cid == cid {
			w.dropRealm(id)
		}
	}
	for _, id := range naiveIDs(w.users) {
		if w.users[id].cid == cid {
			w.dropUser(id)
		}
	}
}

// guest is what grants of an account in whose branch a token is not let the token do there: "" nothing,
// "some", or "all" for operate-as.
func (w *naiveWorld) guest(acting, own int64) (is string) {
	for _, g := range w.grants {
		if g.cid != acting || g.disabled || g.expire != 0 && g.expire < naiveNow || !slices.Contains(g.to, own) || w.state(acting) != 0 {
			continue
		}
		if is != "all" {
			is = "some"
		}
		if g.level == "operate-as" {
			is = "all"
		}
	}
	return is
}

// naiveSet is what somebody can do, spelled out: a place, a space, and a right. A place is an account
// that there is, "below N" for what may come to be there, "clients N", or "tree" for all.
type naiveSet map[string]bool

func (s naiveSet) add(places, rights []string) {
	for _, p := range places {
		for _, r := range rights {
			s[p+" "+r] = true
		}
	}
}

// within reports whether a set has all of another one.
func (s naiveSet) within(in naiveSet) bool {
	for what := range s {
		if _, right, _ := strings.Cut(what, " "); !in[what] && !in["tree "+right] {
			return false
		}
	}
	return true
}
