package main

import (
	"slices"
	"strings"
)

// Who asks, and for which accounts: SPEC 10.1, 10.6, 11 and 13 for the naive law.

// caller returns the token of a call as it may be used now; false: nobody accepts it. Of a user's token
// its kind and addresses are what is left of both, and a user whom roles alone permit has some.
func (w *naiveWorld) caller(q *naiveCall) (self naiveToken, roles []naiveRole, known bool) {
	if self, known = w.tokens[q.token]; q.token >= firstBearer && q.token < 1<<47 {
		self, known = w.bearer(q.token)
	}
	if known = known && !self.disabled; !known || self.user == 0 {
		return self, nil, known
	}
	u, r := w.users[self.user], w.realms[w.users[self.user].realm]
	params := w.paramsOf(&u, &r)
	switch {
	case !w.letIn(&u), params.ips != "" && self.ips != "", params.origin != "" && self.origin != "":
		return self, nil, false
	case self.login && w.byRoles(&u, &r):
		self.kind, roles = 2, w.rolesOf(&u, self.groups)
	case self.login:
		self.kind = params.kind
	default: // made with a session: within what the user may
		rank := []int{2, 3, 1, 0}
		if w.byRoles(&u, &r) || params.kind == 2 || rank[self.kind] > rank[params.kind] || !w.branch(u.cid)[self.cid] {
			return self, nil, false
		}
	}
	self.ips += params.ips // one of them is empty
	self.origin += params.origin
	return self, roles, true
}

// roleWord is the collection as rights of roles spell it.
func (q *naiveCall) roleWord() string {
	switch q.collection {
	case "customer/tokens":
		return "tokens"
	case "links":
		return "grants"
	case "realms/users", "login", "logout", "password":
		return "users"
	case "realms/roles":
		return "roles"
	}
	return q.collection
}

// ask judges one call, in the order of faults of SPEC 2.
func (w *naiveWorld) ask(q *naiveCall) naiveAnswer {
	self, roles, known := w.caller(q)
	if !q.operator {
		switch {
		case !known || self.ips != "" && !strings.HasPrefix(self.ips, "127."):
			return refused(faultNobody)
		case self.kind == 3:
			return refused(faultACL, faultBlocked)
		case w.state(self.cid) != 0 && self.subject != "": // it is not verified, where it is not known yet
			return refused(faultBlocked, faultNobody)
		case w.state(self.cid) != 0:
			return refused(faultBlocked)
		}
	}
	l := w.lawOf(q)
	served := slices.Contains(q.methods(), q.method)
	if q.operator && !served { // the admin listener says so before it asks for whom
		return refused(naiveFault{405, 405})
	}
	guest, foreign := l.reachable()
	switch {
	case foreign:
		return refused(faultDenied)
	case !q.operator && self.kind == 2 && roles == nil:
		return refused(faultACL)
	case !served && roles != nil:
		return refused(faultACL)
	case !served:
		return refused(naiveFault{405, 405})
	case !q.operator && self.kind != 1 && roles == nil:
		return refused(faultACL)
	case guest != "" && !(guest == "all" && q.method == "GET" && !q.logs && slices.Contains([]string{"subaccounts", "limits", "customer"}, q.collection)):
		return refused(faultACL)
	case roles != nil && l.permits == nil:
		return refused(faultACL)
	case q.fields == "nope" || q.selector != nil && q.selector.bad || q.second != nil && q.second.bad:
		return refused(faultField)
	}
	return l.serve()
}

// lawOf is the law for the caller of a call, in a world of its own.
func (w *naiveWorld) lawOf(q *naiveCall) *naiveLaw {
	self, roles, _ := w.caller(q)
	l := &naiveLaw{naiveWorld: w.clone(), q: q, self: self, holders: roles, acting: q.cid}
	if !q.operator && q.cid == 0 {
		l.acting = self.cid
	}
	l.permitted()
	l.scope = l.whole()
	return l
}

// reachable judges the acting account: foreign, or one where the caller is a guest.
func (l *naiveLaw) reachable() (guest string, foreign bool) {
	_, found := l.accounts[l.acting]
	switch {
	case l.q.operator:
		return "", l.acting != 0 && !found
	case !found:
		return "", true
	case l.holders != nil:
		return "", l.acting != l.self.cid && !slices.ContainsFunc(l.holders, func(r naiveRole) bool { return l.reached(&r)[l.acting] })
	case slices.Contains(l.chain(l.acting), l.self.cid):
		return "", false
	}
	guest = l.guest(l.acting, l.self.cid)
	return guest, guest == ""
}

// reached are the accounts that a role of the caller reaches.
func (l *naiveLaw) reached(r *naiveRole) map[int64]bool {
	in := map[int64]bool{}
	switch r.reach {
	case "own":
		in[l.self.cid] = true
	case "branch":
		in = l.branch(l.self.cid)
	case "tree":
		in = l.branch(0)
	default:
		for id, a := range l.accounts {
			for cid := range l.branch(id) {
				in[cid] = in[cid] || a.consultancy == l.self.cid
			}
		}
	}
	return in
}

// permitted finds the roles that permit the call.
func (l *naiveLaw) permitted() {
	for _, r := range l.holders {
		if r.may(l.q.roleWord(), l.q.method) && (!l.q.logs || r.may("logs", "GET")) {
			l.permits = append(l.permits, r)
		}
	}
}

// whole is the scope: the branch of the acting account, or what the roles that permit the call reach of
// all, or of it where the call names it.
func (l *naiveLaw) whole() map[int64]bool {
	branch := l.branch(l.acting)
	if l.holders == nil {
		return branch
	}
	in := map[int64]bool{}
	for i := range l.permits {
		for cid, reached := range l.reached(&l.permits[i]) {
			in[cid] = in[cid] || reached && (l.q.cid == 0 || branch[cid])
		}
	}
	return in
}

// seesBelow reports whether an account lies in the scope and below something of it: nobody administers
// the account that is their own, but who reaches everything.
func (l *naiveLaw) seesBelow(id int64) bool {
	if l.holders == nil {
		return l.scope[id] && id != l.acting
	}
	everywhere := l.q.cid == 0 && slices.ContainsFunc(l.permits, func(r naiveRole) bool { return r.reach == "tree" })
	return l.scope[id] && (everywhere || l.scope[l.accounts[id].parent] && !(l.q.cid != 0 && id == l.acting))
}

// serve judges what a caller asks who may use the route.
func (l *naiveLaw) serve() naiveAnswer {
	q := l.q
	if q.collection == "customer" {
		switch {
		case l.acting == 0:
			return refused(faultField)
		case !l.scope[l.acting]:
			return refused(faultDenied)
		}
	}
	switch {
	case q.collection == "links":
		return l.linked()
	case q.collection == "grantors":
		return l.received()
	case slices.Contains([]string{"login", "logout", "password"}, q.collection):
		return l.act()
	case q.method == "POST":
		return l.post()
	}
	return l.named()
}

// methods are those of the path.
func (q *naiveCall) methods() []string {
	switch {
	case q.logs:
		return []string{"GET"}
	case q.collection == "customer":
		return []string{"GET", "PUT", "PATCH"}
	case q.collection == "links":
		return []string{"GET", "POST", "DELETE"}
	case q.collection == "grantors":
		return []string{"GET", "DELETE"}
	case q.collection == "login" || q.collection == "logout":
		return []string{"POST"}
	case q.collection == "password":
		return []string{"DELETE"}
	case strings.HasPrefix(q.collection, "realms/") && q.second == nil, q.selector == nil:
		return []string{"POST"}
	}
	return []string{"GET", "PUT", "PATCH", "DELETE"}
}
