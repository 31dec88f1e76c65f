package admin_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// The names of roles that there are or may be, and the words of what they administer.
var (
	roleNames     = []string{"member", "account-admin", "consultant", "admin-reader", "admin", "r1", "r2", "r3"}
	platformWords = []string{"customer", "grantors", "grants", "limits", "logs", "realms", "roles", "subaccounts", "tokens", "users"}
)

// builtIn are the built-in roles as SPEC 13 has them, word by word.
var builtIn = map[string]string{
	"member": `{"reach":"own","access":{"type":2,"acl":[{"uri":"gw","ids":"all","methods":["GET","PUT","PATCH","POST"]},{"uri":"storage","ids":"all","methods":["GET","PUT","PATCH","POST"]}]},
		"platform":[{"uri":"customer","methods":["GET"]}]}`,
	"account-admin": `{"reach":"own","access":{"type":2,"acl":[{"uri":"gw","methods":["GET","POST","PUT","PATCH","DELETE"]},{"uri":"storage","methods":["GET","POST","PUT","PATCH","DELETE"]}]},
		"platform":[{"uri":"customer","methods":["GET","PUT"]},{"uri":"users","methods":["GET","POST","PUT","PATCH"]},{"uri":"logs","methods":["GET"]}]}`,
	"consultant": `{"reach":"clients","access":{"type":2,"acl":[{"uri":"gw","methods":["GET"]},{"uri":"storage","methods":["GET"]}]},
		"platform":[{"uri":"customer","methods":["GET"]},{"uri":"users","methods":["GET"]},{"uri":"logs","methods":["GET"]}]}`,
	"admin-reader": `{"reach":"tree","access":{"type":2,"acl":[{"uri":"gw","methods":["GET"]},{"uri":"storage","methods":["GET"]}]},"platform":[{"uri":"all","methods":["GET"]}]}`,
	"admin":        `{"reach":"tree","access":{"type":1},"platform":[{"uri":"all","methods":["GET","POST","PUT","PATCH","DELETE"]}]}`,
}

// roleCalled finds the role that a name means in a realm: the realm's, the operator's, the built-in one.
func (w *world) roleCalled(of int64, name string) record.Value {
	for _, where := range []int64{of, 0} {
		for _, id := range ids(w.roles) {
			if doc := w.roles[id]; num(doc, "realm_id") == where && doc.Get("name").Text == name {
				return doc
			}
		}
	}
	if text, found := builtIn[name]; found {
		return mustParse(text)
	}
	return record.Value{}
}

// addAccess adds what an access permits with the items of accounts.
func (w *world) addAccess(a *rights, access record.Value, accounts map[int64]bool) {
	doc := record.NewObject(record.Member{Name: "access", Value: access})
	typ := access.Get("type").Text
	permits := func(it item, m string) bool { return typ == "0" || typ == "1" || typ == "2" && aclPermits(doc, it, m) }
	for it, cid := range w.items {
		for _, m := range everything {
			if accounts[cid] && permits(it, m) {
				a.what[fmt.Sprint(it, m)] = true
			}
		}
	}
	for cid := range accounts {
		for _, uri := range uris {
			if permits(item{uri, 0}, "POST") {
				a.what[fmt.Sprint("create ", uri, " of ", cid)] = true
			}
		}
	}
}

// addPlatform adds what rights over records there are in accounts.
func addPlatform(a *rights, platform record.Value, accounts map[int64]bool) {
	for _, right := range platform.Items {
		for _, word := range platformWords {
			if uri := right.Get("uri").Text; uri != word && uri != "all" {
				continue
			}
			for _, m := range everything {
				for cid := range accounts {
					if strings.Contains(right.Get("methods").String(), `"`+m+`"`) {
						a.what[fmt.Sprint(word, " ", m, " of ", cid)] = true
					}
				}
			}
		}
	}
}

// master is what a master administers.
var master = mustParse(`[{"uri":"all","methods":["GET","POST","PUT","PATCH","DELETE"]}]`)

// clients returns the branches of the accounts that one consults.
func (w *world) clients(cid int64) map[int64]bool {
	all := map[int64]bool{}
	for id, doc := range w.accounts {
		if num(doc, "consultancy_account_id") == cid {
			for below := range w.branch(id) {
				all[below] = true
			}
		}
	}
	return all
}

// addRole adds what a role gives who lives in an account and logs in at a realm.
func (w *world) addRole(a *rights, role, of record.Value, home int64) {
	accounts := map[int64]bool{}
	switch role.Get("reach").Text {
	case "branch":
		accounts = w.branch(home)
	case "clients":
		accounts = w.clients(home)
		if num(role, "realm_id") != 0 {
			accounts = both(accounts, w.branch(num(of, "cid")))
		}
	case "tree":
		if num(role, "realm_id") == 0 && num(w.accounts[num(of, "cid")], "parent") == 0 {
			for id := range w.accounts {
				accounts[id] = true
			}
		}
	default:
		accounts[home] = true
	}
	for _, need := range role.Get("when").Get("account_roles").Items {
		if !slices.Contains(texts(w.accounts[home], "account_roles"), need.Text) {
			return
		}
	}
	w.addAccess(a, role.Get("access"), accounts)
	addPlatform(a, role.Get("platform"), accounts)
}

func both(a, b map[int64]bool) map[int64]bool {
	all := map[int64]bool{}
	for id := range a {
		all[id] = b[id]
	}
	return all
}

// ofUser returns what a user can do who logs in, naively.
func (w *world) ofUser(id int64) *rights {
	a := &rights{what: map[string]bool{}}
	user := w.users[id]
	of := w.realms[num(user, "realm_id")]
	params := of.Get("token_params")
	if user.Get("token_params").Shape == record.Object {
		params = user.Get("token_params")
	}
	home := num(user, "cid")
	in := user.Get("enabled").Text != "false" && of.Get("enabled").Text != "false" && w.branch(num(of, "cid"))[home]
	names := texts(user, "roles")
	access := params.Get("access")
	switch {
	case !in:
	case len(names) == 0 && access.Shape == record.Object:
		w.addAccess(a, access, w.branch(home))
		if access.Get("type").Text == "1" {
			addPlatform(a, master, w.branch(home))
		}
	default:
		for _, rule := range of.Get("claims").Get("roles").Items { // with the claims that give most
			names = append(names, texts(rule, "gives")...)
		}
		for _, name := range append(names, "member") {
			w.addRole(a, w.roleCalled(num(of, "id"), name), of, home)
		}
	}
	w.addBounds(a, params)
	return a
}

// addBounds adds where from and by which pages; at any time, since users log in again.
func (w *world) addBounds(a *rights, params record.Value) {
	ips, own := texts(params, "ips"), texts(params, "origins")
	for _, addr := range addresses {
		a.addr = append(a.addr, ips == nil || slices.ContainsFunc(ips, func(text string) bool { return hasAddress(text, addr) }))
	}
	for _, page := range pages {
		a.page = append(a.page, page == "" || own == nil || slices.Contains(own, page))
	}
	a.when, a.states = slices.Repeat([]bool{true}, len(moments)), slices.Repeat([]bool{true}, len(deadUsers))
}

// counting adds what who administers accounts counts as holding: the reach of their consultancies, by any
// role (SPEC 13).
func (w *world) counting(a *rights, accounts map[int64]bool, names []string) {
	for cid := range accounts {
		for _, name := range names {
			roles := []record.Value{w.roleCalled(0, name)}
			for _, doc := range w.roles {
				if doc.Get("name").Text == name {
					roles = append(roles, doc)
				}
			}
			for _, role := range roles {
				if role.Get("reach").Text == "clients" {
					w.addRole(a, role.Without("realm_id").Without("when"), record.Value{}, cid)
				}
			}
		}
	}
}

// someone is a caller and what they could do before the call.
type someone struct {
	law   *admin.Law
	could *rights
	says  string
}

// groups are claims of a token from elsewhere that has nothing but groups.
type groups []string

// Has implements realm.Claims.
func (g groups) Has(claim []string, value string) bool {
	return slices.Equal(claim, []string{"groups"}) && slices.Contains(g, value)
}

// withGroups is ofUser, of a token with groups; nil: of a login.
func (w *world) withGroups(id int64, has []string) *rights {
	user := w.users[id]
	of := num(user, "realm_id")
	was := w.realms[of]
	defer func() { w.realms[of] = was }()
	rules := record.NewList()
	for _, rule := range was.Get("claims").Get("roles").Items {
		if slices.Contains(has, rule.Get("value").Text) {
			rules.Items = append(rules.Items, rule)
		}
	}
	w.realms[of] = was.With("claims", record.NewObject(record.Member{Name: "roles", Value: rules}))
	return w.ofUser(id)
}

// randomSomeone returns a master or a user who is let in.
func (w *world) randomSomeone(r *rand.Rand) (s someone, found bool) {
	if r.IntN(3) == 0 {
		doc := w.tokens[pick(r, ids(w.tokens)...)]
		token := admin.TokenOf(doc)
		if token.Access != policy.Master || !token.Enabled || !token.Alive(now) || token.UserID != 0 || w.blocked(token.CID) {
			return s, false
		}
		c := admin.Caller{Token: token, Scope: pick(r, append(sorted(w.branch(token.CID)), token.CID, token.CID)...)}
		s = someone{w.law(c), w.ofToken(doc), fmt.Sprint(doc, " for ", c.Scope)}
		addPlatform(s.could, master, w.branch(token.CID))
		w.counting(s.could, w.branch(token.CID), roleNames)
		return s, true
	}
	if len(w.users) == 0 {
		return s, false
	}
	id := pick(r, ids(w.users)...)
	user := w.users[id]
	params := w.realms[num(user, "realm_id")].Get("token_params")
	if user.Get("token_params").Shape == record.Object {
		params = user.Get("token_params")
	}
	bound := admin.TokenOf(params)
	c := admin.Caller{Token: admin.Token{ID: 1 << 50, CID: num(user, "cid"), Access: policy.NoAPI, Enabled: true, Expire: now + 3600, UserID: id, Sources: bound.Sources, Origins: bound.Origins}, Scope: num(user, "cid")}
	l := w.law(c)
	var has groups
	if r.IntN(2) == 0 { // who comes with a token from elsewhere
		has = append(has, claimValues[:r.IntN(len(claimValues)+1)]...)
		l.Caller.Claims = has
	}
	if !l.Session(true) || w.blocked(c.Scope) {
		return s, false
	}
	if l.Caller.Roles != nil && r.IntN(4) > 0 && !slices.ContainsFunc(l.Caller.Roles, func(r realm.Role) bool { return len(r.Platform) > 1 || r.Name[0] == 'r' }) {
		return s, false // members have little to do
	}
	s = someone{l, w.withGroups(id, has), fmt.Sprint("user ", user, " in ", has)}
	if l.Caller.Roles == nil {
		w.counting(s.could, w.branch(c.Scope), roleNames)
		l.Caller.Scope = pick(r, append(sorted(w.branch(c.Scope)), c.Scope)...)
	} else {
		if cid := pick(r, ids(w.accounts)...); r.IntN(3) == 0 && l.Reaches(cid) {
			l.Caller.Scope, l.Caller.Narrowed = cid, true
		}
		admin := func(r realm.Role) bool { return r.Name == "account-admin" }
		if slices.ContainsFunc(l.Caller.Roles, admin) && num(w.roleCalled(num(user, "realm_id"), "account-admin"), "realm_id") == 0 {
			w.counting(s.could, map[int64]bool{c.Scope: true}, []string{"consultant"})
		}
	}
	return s, true
}

// TestEscalationByRealms: random masters and users make random calls about realms, users, roles,
// sessions, tokens and accounts. After each, whatever any user or token can do that it could not before,
// the caller could do before: on that item, by that method, over that kind of record, from that address
// and page, at that time. Whose password is written, and who is logged in as, can do nothing that the
// caller could not (SPEC 10.6, 13; 14, 1).
func TestEscalationByRealms(t *testing.T) {
	n := *calls
	if n == 0 {
		n = 1000
	}
	made, permitted, kinds := 0, 0, map[string]int{}
	for seed := uint64(0); made < n; seed++ {
		r := rand.New(rand.NewPCG(16, seed))
		w := newRealmWorld(r)
		for range 120 {
			s, found := w.randomSomeone(r)
			if !found {
				continue
			}
			made++
			before := w.clone()
			done := w.administerRealms(r, s.law)
			if done.fault == nil {
				permitted++
				kinds[strings.Join(strings.Fields(done.what)[:2], " ")]++
			}
			if why := w.gainedByRealms(before, &s, &done); why != "" {
				t.Fatalf("world %d: %s by %s: %s", seed, done.what, s.says, why)
			}
		}
	}
	t.Logf("%d calls, %d permitted: %v", made, permitted, kinds)
	for _, kind := range []string{"POST realm", "POST realm+claims", "PUT realm", "PUT realm+claims", "DELETE realm", "POST user", "PUT user", "DELETE user", "POST role", "PUT role", "DELETE role", "login user", "POST token", "PUT account"} {
		if kinds[kind] == 0 {
			t.Errorf("no %s was permitted: that shows nothing of it", kind)
		}
	}
}

// gainedByRealms returns what somebody can do now that neither they nor the caller could before.
func (w *world) gainedByRealms(before *world, s *someone, done *realmCall) string {
	if done.fault != nil {
		return ""
	}
	could := *s.could
	if s.law.Caller.Token.UserID != 0 {
		could.when = slices.Repeat([]bool{true}, len(moments))
	}
	could.states = slices.Repeat([]bool{true}, len(deadUsers))
	nothing := &rights{}
	for _, id := range ids(w.users) {
		had := nothing
		if _, found := before.users[id]; found && done.taken != id {
			had = before.ofUser(id)
		}
		has := w.old(before, w.ofUser(id))
		if done.session != nil && done.taken == id {
			w.boundSession(has, done.session)
		}
		if what := has.beyond(had, &could); what != "" {
			return fmt.Sprint("user ", w.users[id], ": ", what)
		}
	}
	for _, id := range ids(w.tokens) {
		had := nothing
		if doc, found := before.tokens[id]; found {
			had = before.withUser(doc)
		}
		has := w.old(before, w.withUser(w.tokens[id]))
		has.states = slices.Repeat([]bool{true}, len(deadUsers))
		if what := has.beyond(had, &could); what != "" {
			return fmt.Sprint("token ", w.tokens[id], ": ", what)
		}
	}
	return ""
}

// withUser is ofToken, of one that carries a user within what that user can do now (SPEC 10.4, 5).
func (w *world) withUser(doc record.Value) *rights {
	a := w.ofToken(doc)
	a.states = slices.Repeat([]bool{true}, len(deadUsers))
	if doc.Get("access").Get("type").Text == "1" {
		addPlatform(a, master, w.branch(num(doc, "cid")))
	}
	for what := range a.what {
		if strings.HasPrefix(what, "administer ") {
			delete(a.what, what)
		}
	}
	if user := num(doc, "user_id"); user != 0 {
		of := w.ofUser(user)
		for what := range a.what {
			if !of.what[what] {
				delete(a.what, what)
			}
		}
	}
	return a
}

// old leaves out what is about accounts that are new: whoever may make one may administer it.
func (w *world) old(before *world, a *rights) *rights {
	for what := range a.what {
		if _, of, found := strings.Cut(what, " of "); found {
			var cid int64
			fmt.Sscan(of, &cid)
			if _, was := before.accounts[cid]; !was {
				delete(a.what, what)
			}
		}
	}
	return a
}

// boundSession binds what a session can do as the caller is who made it, where the user is not bound.
func (w *world) boundSession(a *rights, session *rights) {
	for i := range a.addr {
		a.addr[i] = a.addr[i] && session.addr[i]
	}
	for i := range a.page {
		a.page[i] = a.page[i] && session.page[i]
	}
	a.when = session.when
}
