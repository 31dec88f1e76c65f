package main

import (
	"slices"
	"strings"
)

// SPEC 10.6 and 13 for the naive law: realms, and users and roles below them.

// paramsIn are those of a body, which PATCH adds to those that there were. It reports false where entries
// would stay beside an access that has none.
func paramsIn(body map[string]any, or *naiveParams, patch bool) (p *naiveParams, sound bool) {
	said, is := body["token_params"].(map[string]any)
	if !is {
		return or, true
	}
	p = &naiveParams{kind: -1}
	if patch && or != nil {
		*p = *or
	}
	was := p.kind
	if p.ips = textOr(said, "ips", p.ips); said["ips"] == nil && hasKey(said, "ips") {
		p.ips = ""
	}
	if access, said := said["access"].(map[string]any); said {
		p.kind = access["type"].(int)
	}
	if origins, is := said["origins"].([]string); is {
		p.origin = origins[0]
	} else if hasKey(said, "origins") {
		p.origin = ""
	}
	return p, was != 2 || p.kind == 2
}

// homeIn is that of a body, which PATCH adds to the one that there was; null takes a part away.
func homeIn(body map[string]any, or naiveHome, patch bool) naiveHome {
	said, is := body["home"].(map[string]any)
	if !is {
		return or
	}
	var h naiveHome
	if patch {
		h = or
	}
	return naiveHome{numberOr(said, "type", h.kind), numberOr(said, "subaccount_id", h.at), numberOr(said, "limit_id", h.limit)}
}

func (r naiveRealm) with(body map[string]any, patch bool) (is naiveRealm, sound bool) {
	r.name, r.most, r.home = textOr(body, "name", r.name), numberOr(body, "max_users", r.most), homeIn(body, r.home, patch)
	r.params, sound = paramsIn(body, r.params, patch)
	if enabled, said := body["enabled"].(bool); said {
		r.disabled = !enabled
	}
	r.audience = textOr(body, "audience", r.audience)
	if claims, said := body["claims"].(map[string]any); said {
		r.claims = claims
	}
	return r, sound
}

func (u naiveUser) with(body map[string]any, patch bool) (is naiveUser, sound bool) {
	u.name = textOr(body, "name", u.name)
	u.params, sound = paramsIn(body, u.params, patch)
	if enabled, said := body["enabled"].(bool); said {
		u.disabled = !enabled
	}
	if roles, said := body["roles"].([]string); said {
		u.roles = roles
	}
	return u, sound
}

func (r naiveRole) with(body map[string]any) naiveRole {
	r.name, r.reach = textOr(body, "name", r.name), textOr(body, "reach", r.reach)
	if access, said := body["access"].(map[string]any); said {
		r.kind, r.methods = access["type"].(int), nil
		if acl, said := access["acl"].([]map[string]any); said {
			r.methods = acl[0]["methods"].([]string)
		}
	}
	if platform, said := body["platform"].([]map[string]any); said {
		r.platform = map[string][]string{}
		for _, p := range platform {
			r.platform[p["uri"].(string)] = p["methods"].([]string)
		}
	}
	if givers, said := body["assignable_by"].([]string); said {
		r.givers = givers
	}
	return r
}

func sameParams(a, b *naiveParams) bool { return a == b || a != nil && b != nil && *a == *b }

// knows reports whether the caller may name a realm: it is in scope, or some user of it is.
func (l *naiveLaw) knows(id int64) bool {
	r, found := l.realms[id]
	return found && (l.scope[r.cid] || slices.ContainsFunc(l.usersOf(id), func(u int64) bool { return l.scope[l.users[u].cid] }))
}

// home judges where users of a realm are to live.
func (l *naiveLaw) home(is *naiveRealm) []naiveFault {
	h := is.home
	switch {
	case h.kind == 0 && h == naiveHome{}:
		return nil
	case h.kind == 0, h.at == 0:
		return []naiveFault{faultField}
	case !l.scope[h.at]:
		return []naiveFault{faultDenied}
	case !l.branch(is.cid)[h.at], h.kind == 1 && h.limit != 0:
		return []naiveFault{faultField}
	}
	return l.accountFaults(0, h.at, map[string]any{"limit_id": h.limit})
}

// realm judges what a realm gives to the users that it has or may have.
func (l *naiveLaw) realm(id int64, was, is *naiveRealm, home bool) (faults []naiveFault) {
	if home {
		faults = l.home(is)
	}
	faults = append(faults, l.mapping(id, was, is)...)
	for _, cid := range []int64{is.cid, is.home.at} {
		if cid != 0 {
			u := &naiveUser{realm: id, cid: cid}
			faults = append(faults, l.outOf(l.gets(u, is, l.meant(u, is)))...)
		}
	}
	for _, user := range l.usersOf(id) {
		u := l.users[user]
		faults = append(append(faults, l.holdsUser(&u, was)...), l.holdsUser(&u, is)...)
	}
	params := is.params
	return append(faults, l.wider(params)...)
}

func (l *naiveLaw) postRealm(id int64, body map[string]any) []naiveFault {
	is, _ := naiveRealm{cid: numberOr(body, "cid", l.acting), most: -1}.with(body, false)
	switch {
	case is.cid == 0:
		return []naiveFault{faultField}
	case !l.scope[is.cid]:
		return []naiveFault{faultDenied}
	}
	faults := l.realm(id, &naiveRealm{}, &is, true)
	if l.full("realms_count", is.cid) {
		faults = append(faults, faultBlocked)
	}
	l.realms[id] = is
	return faults
}

func (l *naiveLaw) putRealm(id int64, body map[string]any) []naiveFault {
	was := l.realms[id]
	is, sound := was.with(body, l.q.method == "PATCH")
	if !sound {
		return []naiveFault{faultField}
	}
	l.realms[id] = is
	if was.home == is.home && sameParams(was.params, is.params) && sameClaims(was.claims, is.claims) && was.audience == is.audience && (was.disabled == is.disabled || is.disabled) {
		return nil
	}
	return l.realm(id, &was, &is, was.home != is.home)
}

func (l *naiveLaw) deleteRealm(id int64) []naiveFault {
	for _, u := range l.usersOf(id) {
		if !l.scope[l.users[u].cid] {
			return []naiveFault{faultACL}
		}
	}
	l.dropRealm(id)
	return nil
}

// roleFaults judges what a role of a realm is to be, and what becomes of its bearers.
func (l *naiveLaw) roleFaults(id int64, was, is *naiveRole) (faults []naiveFault) {
	r := l.realms[is.realm]
	for _, name := range is.givers {
		if _, found := l.role(is.realm, name); !found && name != is.name {
			faults = append(faults, faultField)
		}
	}
	if is.reach == "tree" {
		faults = append(faults, faultField)
	}
	for other, role := range l.roles {
		if other != id && role.realm == is.realm && role.name == is.name {
			faults = append(faults, faultConflict)
		}
	}
	for _, role := range []*naiveRole{was, is} {
		if role.name != "" {
			set := naiveSet{}
			set.add(l.branchPlaces(r.cid), role.rights())
			faults = append(faults, l.outOf(set)...)
		}
	}
	faults = append(faults, l.lasts()...)
	bears := func() {
		for _, user := range l.usersOf(is.realm) {
			if u := l.users[user]; slices.Contains(u.roles, is.name) || r.gives(is.name) || was.name != "" && slices.Contains(u.roles, was.name) {
				faults = append(faults, l.holdsUser(&u, &r)...)
			}
		}
	}
	bears()
	l.roles[id] = *is
	bears()
	return faults
}

func (l *naiveLaw) given(r *naiveRole) bool {
	of := l.realms[r.realm]
	return of.gives(r.name) || slices.ContainsFunc(l.usersOf(r.realm), func(u int64) bool { return slices.Contains(l.users[u].roles, r.name) })
}

func (l *naiveLaw) putRole(id int64, body map[string]any) (faults []naiveFault) {
	was := l.roles[id]
	is := was.with(body)
	if was.name != is.name && l.given(&was) {
		faults = append(faults, faultConflict)
	}
	if slices.ContainsFunc(l.ownRoles(), func(r naiveRole) bool { return r.realm == was.realm && r.name == was.name }) {
		faults = append(faults, faultACL) // of their own
	}
	return append(faults, l.roleFaults(id, &was, &is)...)
}

// ownRoles are those of the caller that are a realm's.
func (l *naiveLaw) ownRoles() []naiveRole {
	return slices.DeleteFunc(slices.Clone(l.holders), func(r naiveRole) bool { return r.realm == 0 })
}

// mayGive judges whether the caller may give a role at all.
func (l *naiveLaw) mayGive(r *naiveRole, of int64) bool { return l.mayGiveIn(r, l.realms[of].cid) }

// mayGiveIn is mayGive, in a realm of an account.
func (l *naiveLaw) mayGiveIn(r *naiveRole, top int64) bool {
	switch {
	case l.q.operator || r.name == "member" && r.realm == 0:
		return true
	case r.reach == "tree":
		return false
	case l.holders == nil:
		return r.realm == 0 || l.scope[top]
	}
	return slices.ContainsFunc(l.holders, func(has naiveRole) bool {
		return has.name == "admin" && has.realm == 0 || slices.Contains(r.givers, has.name)
	})
}

// soundUser judges name, roles and params of a user.
func (l *naiveLaw) soundUser(id int64, was, is *naiveUser) (faults []naiveFault) {
	if len(is.roles) > 0 && is.params != nil && is.params.kind >= 0 {
		faults = append(faults, faultField)
	}
	for _, name := range is.roles {
		r, found := l.role(is.realm, name)
		switch {
		case !found:
			faults = append(faults, faultField)
		case !slices.Contains(was.roles, name) && !l.mayGive(&r, is.realm):
			faults = append(faults, faultACL)
		}
	}
	for _, other := range l.usersOf(is.realm) {
		if other != id && strings.EqualFold(l.users[other].name, is.name) && !strings.EqualFold(was.name, is.name) {
			faults = append(faults, faultConflict)
		}
	}
	return faults
}

func (l *naiveLaw) postUser(id, of int64, body map[string]any) []naiveFault {
	r := l.realms[of]
	home := r.cid
	_, asked := body["cid"]
	switch {
	case r.home.kind == 2 && !asked:
		home = id + ownOffset
		if faults := l.ownAccount(home, &r, body); len(faults) > 0 {
			return faults
		}
	case r.home.kind != 0:
		home = r.home.at
	}
	is, _ := naiveUser{realm: of, cid: numberOr(body, "cid", home)}.with(body, false)
	switch {
	case asked && !l.scope[is.cid]:
		return []naiveFault{faultDenied}
	case !l.scope[is.cid], !l.branch(r.cid)[is.cid]:
		return []naiveFault{faultField}
	}
	faults := append(l.soundUser(id, &naiveUser{}, &is), l.holdsUser(&is, &r)...)
	if r.most >= 0 && int64(len(l.usersOf(of))) >= r.most {
		faults = append(faults, faultBlocked)
	}
	l.users[id] = is
	return faults
}

// ownOffset is from the id that the law gives to a new user to that of the account made for the user.
const ownOffset = 500_000

// ownAccount makes the account of a new user.
func (l *naiveLaw) ownAccount(id int64, r *naiveRealm, body map[string]any) (faults []naiveFault) {
	at := r.home.at
	if !l.scope[at] {
		return []naiveFault{faultField}
	}
	if _, found := l.limits[r.home.limit]; r.home.limit != 0 && !found {
		faults = append(faults, faultConflict)
	}
	if len(l.chain(at)) >= 4 {
		faults = append(faults, faultField)
	}
	if l.full("subaccounts_count", at) {
		faults = append(faults, faultBlocked)
	}
	l.accounts[id] = naiveAccount{parent: at, limit: r.home.limit, name: textOr(body, "name", "")}
	l.scope = l.whole()
	return faults
}

func (l *naiveLaw) putUser(id int64, body map[string]any) (faults []naiveFault) {
	was := l.users[id]
	is, sound := was.with(body, l.q.method == "PATCH")
	if !sound {
		return []naiveFault{faultField}
	}
	r := l.realms[was.realm]
	password := body["password"] != nil
	rights := !slices.Equal(was.roles, is.roles) || !sameParams(was.params, is.params)
	if id == l.self.user && !l.q.operator && (rights || was.disabled != is.disabled || password) {
		faults = append(faults, faultACL)
	}
	if rights || was.name != is.name || was.disabled && !is.disabled || password {
		faults = append(faults, l.soundUser(id, &was, &is)...)
		faults = append(append(faults, l.holdsUser(&was, &r)...), l.holdsUser(&is, &r)...)
	}
	if l.users[id] = is; password || is.disabled && !was.disabled {
		l.endSessions(id)
	}
	return faults
}

// login judges a session that the caller makes for a user.
func (l *naiveLaw) login(id int64) (faults []naiveFault) {
	u := l.users[id]
	r := l.realms[u.realm]
	params := l.paramsOf(&u, &r)
	if !l.letIn(&u) || l.state(u.cid) != 0 {
		faults = append(faults, faultConflict)
	}
	is := naiveToken{cid: u.cid, kind: 3, user: id, login: true, info: "login", key: "new"}
	if !l.q.operator {
		if id == l.self.user {
			faults = append(faults, faultACL)
		}
		faults = append(faults, l.outOf(l.gets(&u, &r, l.meant(&u, &r)))...)
		if l.self.ips != "" && params.ips != "" && !slices.Contains(naiveWithin[l.self.ips], params.ips) || l.self.origin != "" && params.origin != "" && l.self.origin != params.origin {
			faults = append(faults, faultACL)
		}
		if params.ips == "" {
			is.ips = l.self.ips
		}
		if params.origin == "" {
			is.origin = l.self.origin
		}
	}
	l.tokens[fresh+id] = is
	return faults
}

// people judges a call on users and roles below realms that the path names.
func (l *naiveLaw) people() (a naiveAnswer) {
	users := l.q.collection != "realms/roles"
	realms := l.pick(&a, l.q.selector, naiveIDs(l.realms), l.knows)
	if s := l.q.selector; s.match() {
		realms = slices.DeleteFunc(realms, func(id int64) bool {
			return !l.matches(s, l.realms[id].name, l.realms[id].cid, l.scope[l.realms[id].cid])
		})
	}
	sees := func(id int64) bool {
		if users {
			u, found := l.users[id]
			return found && slices.Contains(realms, u.realm) && l.scope[u.cid]
		}
		r, found := l.roles[id]
		return found && slices.Contains(realms, r.realm) && l.scope[l.realms[r.realm].cid]
	}
	known := naiveIDs(l.roles)
	if users {
		known = naiveIDs(l.users)
	}
	a.rows = slices.Sorted(slices.Values(l.pick(&a, l.q.second, known, sees)))
	if s := l.q.second; s.match() {
		a.rows = slices.DeleteFunc(a.rows, func(id int64) bool {
			if users {
				return !l.matches(s, l.users[id].name, l.users[id].cid, true)
			}
			return !l.matches(s, l.roles[id].name, 0, false)
		})
	}
	return a
}

// matches reports whether a record with this name and account fulfils the conditions of a selector.
func (l *naiveLaw) matches(s *naiveSelector, name string, cid int64, shown bool) bool {
	return (s.cid == 0 || shown && s.cid == cid) && strings.HasPrefix(name, s.name)
}

// below makes a record below a realm, which is named alone.
func (l *naiveLaw) below() (a naiveAnswer) {
	switch s := l.q.selector; {
	case s.match() || len(s.ids) != 1:
		return refused(faultField)
	case !l.knows(s.ids[0]):
		return refused(faultDenied)
	}
	of := l.q.selector.ids[0]
	for i, body := range l.q.body {
		id, faults := fresh+int64(i), []naiveFault(nil)
		if l.q.collection == "realms/users" {
			faults = l.postUser(id, of, body)
		} else if !l.scope[l.realms[of].cid] {
			faults = []naiveFault{faultDenied}
		} else {
			is := naiveRole{realm: of, reach: "own"}.with(body)
			faults = l.roleFaults(id, &naiveRole{}, &is)
		}
		if len(faults) > 0 {
			return refused(faults...)
		}
		a.rows = append(a.rows, id)
	}
	a.after = l.naiveWorld
	return a
}

// act does what a call is about to users: logins, logouts, and passwords that are taken away.
func (l *naiveLaw) act() naiveAnswer {
	a := l.people()
	for _, id := range a.rows {
		var faults []naiveFault
		switch l.q.collection {
		case "login":
			faults = l.login(id)
		default:
			l.endSessions(id)
		}
		if len(faults) > 0 {
			return refused(faults...)
		}
	}
	return l.done(a, len(a.rows))
}
