package admin_test

import (
	"fmt"
	"math/rand/v2"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
)

// newRealmWorld is newWorld with realms, users and roles, as the operator could have made them.
func newRealmWorld(r *rand.Rand) *world {
	w := newWorld(r)
	for id, doc := range w.tokens {
		w.tokens[id] = doc.Without("user_id")
	}
	for _, id := range ids(w.accounts) {
		if r.IntN(3) == 0 {
			w.accounts[id] = w.accounts[id].With("consultancy_account_id", record.NewInt(pick(r, ids(w.accounts)...)))
		}
		if r.IntN(3) == 0 {
			w.accounts[id] = w.accounts[id].With("account_roles", mustParse(`["agent"]`))
		}
	}
	for _, cid := range append(ids(w.accounts)[:6], ids(w.accounts)[:3]...) {
		id := w.id()
		doc := mustParse(`{"access":{"type":1},"ttl":3600}`).With("created", record.NewInt(now-1)).With("id", record.NewInt(id)).With("cid", record.NewInt(cid))
		if r.IntN(4) == 0 {
			doc = doc.With("ips", record.NewText(pick(r, ipTexts...)))
		}
		w.tokens[id] = doc
	}
	for _, id := range ids(w.accounts) { // a blocked branch shows nothing here
		w.accounts[id] = w.accounts[id].Without("enabled")
	}
	operator := w.law(admin.Caller{Operator: true})
	for i := range 12 {
		w.near = w.branch(ids(w.accounts)[i%3]) // near the roots there is most to do
		w.newRealm(r, operator)
		w.newRole(r, operator)
		w.near = nil
	}
	if r.IntN(2) == 0 { // one of the operator's
		id := w.id()
		doc, fault := record.Roles.ReadNew(w.randomRole(r, pick(r, "consultant", "r3")))
		if fault == nil {
			w.roles[id] = doc[0].With("id", record.NewInt(id))
		}
	}
	for range 30 {
		w.newUser(r, operator)
	}
	return w
}

// realmCall is one call about realms, users and roles, and what it touched.
type realmCall struct {
	what    string
	fault   *record.Fault
	taken   int64   // the user as whom the caller can act now
	session *rights // how a session is bound that was made for that user; nil: not at all
}

func (w *world) may(l *admin.Law, path string, m policy.Method) *record.Fault {
	for _, route := range admin.Routes() {
		if route.Path == path {
			return l.MayCall(&route, m, false)
		}
	}
	panic(path)
}

// The paths of routes.
const (
	realmsPath = "platform/realms"
	usersPath  = "platform/realms/{}/users"
	rolesPath  = "platform/realms/{}/roles"
)

// administerRealms makes one random call, and changes the world if the law permits it.
func (w *world) administerRealms(r *rand.Rand, l *admin.Law) realmCall {
	w.near = w.branch(l.Caller.Scope)
	if l.Caller.Roles != nil {
		for cid := range w.accounts {
			w.near[cid] = w.near[cid] && l.Reaches(cid)
		}
	}
	switch r.IntN(18) {
	case 0, 14:
		return w.newRealm(r, l)
	case 1, 15, 16:
		return w.changeRealm(r, l)
	case 2, 3, 4:
		return w.newUser(r, l)
	case 5, 6, 7:
		return w.changeUser(r, l)
	case 8:
		return w.newRole(r, l)
	case 9, 10:
		return w.changeRole(r, l)
	case 11:
		return w.loginAs(r, l)
	case 12:
		return w.mint(r, l)
	}
	before := w.accounts[w.anyAccount(r)]
	asked := pick(r, record.NewObject(record.Member{Name: "consultancy_account_id", Value: record.NewInt(w.anyAccount(r))}), mustParse(`{"account_roles":["agent"]}`), mustParse(`{"account_roles":[]}`))
	after, fault := record.Subaccounts.Put(before, asked)
	if denied := w.may(l, "platform/subaccounts", policy.PUT); fault == nil {
		fault = denied
	}
	if fault == nil {
		fault = l.ChangeAccount(before, asked, after)
	}
	if fault == nil {
		w.accounts[num(before, "id")] = after
	}
	return realmCall{what: fmt.Sprint("PUT account ", before, " as ", after), fault: fault}
}

func (w *world) randomRealm(r *rand.Rand, post bool) record.Value {
	v := record.NewObject()
	if post {
		v = mustParse(`{"name":"r"}`).With("cid", record.NewInt(w.anyAccount(r)))
	}
	if r.IntN(2) == 0 {
		v = v.With("token_params", w.randomParams(r))
	}
	if r.IntN(3) > 0 {
		v = v.With("claims", w.randomClaims(r))
		if post || r.IntN(4) > 0 {
			v = v.With("audience", record.NewText(fmt.Sprint(w.next, "-", r.IntN(1000))))
		}
		if p := v.Get("token_params"); p.Shape == record.Object && r.IntN(4) > 0 {
			v = v.With("token_params", p.Without("access"))
		}
	}
	if r.IntN(3) == 0 {
		v = v.With("home", mustParse(pick(r, `{"type":0}`, fmt.Sprintf(`{"type":1,"subaccount_id":%d}`, w.anyAccount(r)), fmt.Sprintf(`{"type":2,"subaccount_id":%d}`, w.anyAccount(r)))))
	}
	if r.IntN(4) == 0 || len(v.Members) == 0 {
		v = v.With("enabled", record.NewBool(r.IntN(2) == 0))
	}
	return v
}

// claimValues are those that tokens from elsewhere may have in the claim groups.
var claimValues = []string{"a", "b", "c"}

// randomClaims has values of groups give roles, those of an issuer mostly.
func (w *world) randomClaims(r *rand.Rand) record.Value {
	rules := record.NewList()
	for _, value := range claimValues {
		if r.IntN(2) == 0 {
			rules.Items = append(rules.Items, mustParse(fmt.Sprintf(`{"claim":"groups","value":"%s","gives":["%s"]}`, value, pick(r, append(roleNames, "account-admin", "account-admin", "consultant", "r1", "r1", "r2")...))))
		}
	}
	v := record.NewObject(record.Member{Name: "roles", Value: rules})
	if r.IntN(8) > 0 {
		v = v.With("issuer", record.NewText("corp"))
	}
	return v
}

// someAccess is randomAccess, or one that is nearly a built-in role's: what is a little more than it, and
// a little less.
func (w *world) someAccess(r *rand.Rand) record.Value {
	if r.IntN(3) == 0 {
		return w.randomAccess(r)
	}
	methods := pick(r, `["GET"]`, `["GET","PUT","PATCH","POST"]`, `["GET","PUT","PATCH","POST","DELETE"]`)
	ids := pick(r, ``, `"ids":"all",`, fmt.Sprintf(`"ids":[%d,%d],`, 1+r.IntN(9), 1+r.IntN(9)))
	return mustParse(fmt.Sprintf(`{"type":2,"acl":[{"uri":"%s",%s"methods":%s}]}`, pick(r, "gw", "storage", "gw/devices"), ids, methods))
}

func (w *world) randomParams(r *rand.Rand) record.Value {
	v := record.NewObject()
	if r.IntN(3) > 0 {
		v = v.With("access", w.someAccess(r))
	}
	if r.IntN(3) == 0 {
		v = v.With("ips", record.NewText(pick(r, ipTexts...)))
	}
	if r.IntN(5) == 0 {
		v = v.With("origins", record.NewList(record.NewText(pick(r, origins...))))
	}
	return v
}

func (w *world) newRealm(r *rand.Rand, l *admin.Law) realmCall {
	doc, fault := first(record.Realms.ReadNew(w.randomRealm(r, true))), w.may(l, realmsPath, policy.POST)
	if fault == nil {
		doc, fault = l.NewRealm(doc)
	}
	if fault == nil {
		id := w.id()
		w.realms[id] = doc.With("id", record.NewInt(id)).With("public_id", record.NewText(fmt.Sprint("p", id)))
	}
	return realmCall{what: "POST realm" + mapping(doc), fault: fault}
}

func (w *world) changeRealm(r *rand.Rand, l *admin.Law) realmCall {
	id := w.nearID(r, w.realms)
	before := w.realms[id]
	if r.IntN(5) == 0 {
		fault := w.may(l, realmsPath, policy.DELETE)
		if fault == nil {
			fault = l.DeleteRealm(before)
		}
		if fault == nil {
			delete(w.realms, id)
			for user, doc := range w.users {
				if num(doc, "realm_id") == id {
					delete(w.users, user)
				}
			}
		}
		return realmCall{what: "DELETE realm", fault: fault}
	}
	after, fault := record.Realms.Put(before, w.randomRealm(r, false))
	if denied := w.may(l, realmsPath, policy.PUT); fault == nil {
		fault = denied
	}
	if fault == nil {
		fault = l.ChangeRealm(before, after)
	}
	if fault == nil {
		w.realms[id] = after
	}
	if before.Get("claims").Equal(after.Get("claims")) {
		return realmCall{what: fmt.Sprint("PUT realm ", before, " as ", after), fault: fault}
	}
	return realmCall{what: fmt.Sprint("PUT realm", mapping(after), " ", before, " as ", after), fault: fault}
}

// mapping is the word of a call by which claims give roles.
func mapping(doc record.Value) string {
	if len(doc.Get("claims").Get("roles").Items) > 0 {
		return "+claims"
	}
	return ""
}

func (w *world) randomUser(r *rand.Rand, post bool) record.Value {
	v := record.NewObject()
	if post {
		v = v.With("name", record.NewText(fmt.Sprint("u", w.next)))
		if r.IntN(3) > 0 {
			v = v.With("cid", record.NewInt(w.anyAccount(r)))
		}
	}
	switch r.IntN(4) {
	case 0, 1:
		names := record.NewList()
		for range r.IntN(3) {
			names.Items = append(names.Items, record.NewText(pick(r, append(roleNames, "account-admin", "r1", "r2")...)))
		}
		v = v.With("roles", names)
	case 2:
		v = v.With("token_params", w.randomParams(r))
	}
	if r.IntN(4) == 0 || len(v.Members) == 0 {
		v = v.With("enabled", record.NewBool(r.IntN(2) == 0))
	}
	return v
}

func (w *world) newUser(r *rand.Rand, l *admin.Law) realmCall {
	of, asked := w.realms[w.nearID(r, w.realms)], first(record.Users.ReadNew(w.randomUser(r, true)))
	fault := w.may(l, usersPath, policy.POST)
	own, home := int64(0), record.Value{}
	if fault == nil {
		home, fault = l.HomeAccount(of, asked)
	}
	doc := record.Value{}
	if fault == nil {
		if home.Shape != record.Absent {
			own = w.id()
			w.accounts[own] = home.With("id", record.NewInt(own))
		}
		if doc, fault = l.NewUser(of, asked, own); fault != nil {
			delete(w.accounts, own)
		}
	}
	if fault == nil {
		id := w.id()
		w.users[id] = doc.With("id", record.NewInt(id))
	}
	return realmCall{what: fmt.Sprint("POST user ", doc), fault: fault}
}

func (w *world) changeUser(r *rand.Rand, l *admin.Law) realmCall {
	id := w.nearID(r, w.users)
	before := w.users[id]
	of := w.realms[num(before, "realm_id")]
	if r.IntN(6) == 0 {
		fault := w.may(l, usersPath, policy.DELETE)
		if fault == nil {
			fault = l.DeleteUser(before)
		}
		if fault == nil {
			delete(w.users, id)
		}
		return realmCall{what: "DELETE user", fault: fault}
	}
	after, fault := record.Users.Put(before, w.randomUser(r, false))
	password := r.IntN(3) == 0
	if password && r.IntN(2) == 0 {
		after = before
	}
	if denied := w.may(l, usersPath, policy.PUT); fault == nil {
		fault = denied
	}
	if fault == nil {
		fault = l.ChangeUser(of, before, after, password)
	}
	done := realmCall{what: fmt.Sprint("PUT user ", before, " as ", after, " with a password: ", password), fault: fault}
	if fault == nil {
		w.users[id] = after
		if password {
			done.taken = id
		}
	}
	return done
}

func (w *world) randomRole(r *rand.Rand, name string) record.Value {
	v := mustParse(fmt.Sprintf(`{"name":"%s","reach":"%s"}`, name, pick(r, "own", "own", "branch", "clients", "clients", "tree")))
	v = v.With("access", w.someAccess(r))
	if r.IntN(4) > 0 {
		rights := record.NewList()
		for range 1 + r.IntN(2) {
			word := pick(r, append(platformWords, "users", "users", "users", "customer", "roles", "realms", "all")...)
			rights.Items = append(rights.Items, mustParse(fmt.Sprintf(`{"uri":"%s","methods":%s}`, word, pick(r, `["GET"]`, `["GET","PUT"]`, `["POST","PUT"]`, `["GET","POST","PUT","PATCH","DELETE"]`))))
		}
		v = v.With("platform", rights)
	}
	if r.IntN(2) == 0 {
		v = v.With("assignable_by", mustParse(pick(r, `["account-admin"]`, `["member"]`, `["r1"]`, `["account-admin","member","r1","r2"]`)))
	}
	if r.IntN(4) == 0 {
		v = v.With("when", mustParse(`{"account_roles":["agent"]}`))
	}
	return v
}

func (w *world) newRole(r *rand.Rand, l *admin.Law) realmCall {
	of := w.realms[w.nearID(r, w.realms)]
	doc, fault := first(record.Roles.ReadNew(w.randomRole(r, pick(r, append(roleNames, "r1", "r2")...)))), w.may(l, rolesPath, policy.POST)
	if fault == nil {
		doc, fault = l.NewRole(of, doc)
	}
	if fault == nil {
		id := w.id()
		w.roles[id] = doc.With("id", record.NewInt(id))
	}
	return realmCall{what: fmt.Sprint("POST role ", doc), fault: fault}
}

func (w *world) changeRole(r *rand.Rand, l *admin.Law) realmCall {
	id := w.nearID(r, w.roles)
	before := w.roles[id]
	of := w.realms[num(before, "realm_id")]
	if r.IntN(3) == 0 {
		fault := w.may(l, rolesPath, policy.DELETE)
		if fault == nil {
			fault = l.DeleteRole(of, before)
		}
		if fault == nil {
			delete(w.roles, id)
		}
		return realmCall{what: "DELETE role", fault: fault}
	}
	asked := w.randomRole(r, before.Get("name").Text)
	if r.IntN(4) == 0 {
		asked = asked.With("name", record.NewText(pick(r, roleNames...)))
	}
	after, fault := record.Roles.Put(before, asked)
	if denied := w.may(l, rolesPath, policy.PUT); fault == nil {
		fault = denied
	}
	if fault == nil {
		fault = l.ChangeRole(of, before, after)
	}
	if fault == nil {
		w.roles[id] = after
	}
	return realmCall{what: fmt.Sprint("PUT role ", before, " as ", after), fault: fault}
}

func (w *world) loginAs(r *rand.Rand, l *admin.Law) realmCall {
	id := w.nearID(r, w.users)
	doc := w.users[id]
	done := realmCall{what: fmt.Sprint("login user ", doc), fault: w.may(l, usersPath, policy.POST)}
	if done.fault != nil {
		return done
	}
	ends, fault := l.Login(w.realms[num(doc, "realm_id")], doc)
	if done.fault = fault; fault != nil {
		return done
	}
	session := record.NewObject()
	if t := &l.Caller.Token; t.Sources != nil {
		session = session.With("ips", record.NewText(record.SourcesText(t.Sources)))
	}
	if l.Caller.Token.Origins != nil {
		list := record.NewList()
		for _, o := range l.Caller.Token.Origins {
			list.Items = append(list.Items, record.NewText(o))
		}
		session = session.With("origins", list)
	}
	done.taken, done.session = id, &rights{}
	w.addBounds(done.session, session)
	for i, at := range moments {
		done.session.when[i] = at < now+6*3600 && (ends == 0 || at < ends)
	}
	return done
}

// mint has a master, of a user perhaps, make a token.
func (w *world) mint(r *rand.Rand, l *admin.Law) realmCall {
	doc, fault := first(record.Tokens.ReadNew(w.randomToken(r, true))), w.may(l, "platform/tokens", policy.POST)
	if fault == nil {
		doc, fault = l.NewToken(doc)
	}
	if fault == nil {
		id := w.id()
		w.tokens[id] = doc.With("id", record.NewInt(id))
	}
	return realmCall{what: "POST token", fault: fault}
}
