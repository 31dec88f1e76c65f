package admin_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

const (
	now      = int64(1_800_000_000)
	maxDepth = 4
)

// item is one item of the backend.
type item struct {
	uri string
	id  int64
}

// world is a world in memory: documents by id, and whose items are. It answers what the law asks in
// the most literal way.
type world struct {
	accounts, tokens, limits map[int64]record.Value
	items                    map[item]int64
	next                     int64

	grants map[int64]record.Value
	links  map[int64]map[int64]bool // by grant: its grantees

	realms, users, roles map[int64]record.Value
	near                 map[int64]bool // accounts that calls are more often about
}

var _ admin.World = (*world)(nil)

func (w *world) Account(id int64) (admin.Account, bool) {
	doc, found := w.accounts[id]
	return admin.AccountOf(doc), found
}

func (w *world) Limit(id int64) (admin.Limit, bool) {
	doc, found := w.limits[id]
	return admin.LimitOf(doc), found
}

func (w *world) TokenCID(id int64) (int64, bool) {
	doc, found := w.tokens[id]
	return record.NumberOf(doc, "cid"), found
}

func (w *world) HasChildren(cid int64) bool { return len(w.branch(cid)) > 1 }

func (w *world) Bearer(limit int64) (int64, bool) {
	for _, id := range ids(w.accounts) {
		if record.NumberOf(w.accounts[id], "limit_id") == limit {
			return id, true
		}
	}
	return 0, false
}

func (w *world) OtherMaster(cid, id, now int64) bool {
	for other, doc := range w.tokens {
		if t := admin.TokenOf(doc); other != id && t.CID == cid && t.Usable(now) {
			return true
		}
	}
	return false
}

func (w *world) InBranch(word string, cid int64) (n int64) {
	branch := w.branch(cid)
	switch word {
	case "subaccounts":
		return int64(len(branch) - 1)
	case "tokens":
		for _, doc := range w.tokens {
			if branch[record.NumberOf(doc, "cid")] {
				n++
			}
		}
	case "grants":
		for _, doc := range w.grants {
			if branch[record.NumberOf(doc, "cid")] {
				n++
			}
		}
	case "realms":
		for _, doc := range w.realms {
			if branch[record.NumberOf(doc, "cid")] {
				n++
			}
		}
	case "limits":
		for _, doc := range w.limits {
			if branch[record.NumberOf(doc, "cid")] {
				n++
			}
		}
	}
	return n
}

func (w *world) Owners(uri string, id int64) (cids []int64, kept bool) {
	for it, cid := range w.items {
		if it.uri == uri || strings.HasPrefix(it.uri, uri+"/") {
			kept = true
			if it.id == id {
				cids = append(cids, cid)
			}
		}
	}
	return cids, kept
}

func (w *world) Realm(id int64) (record.Value, bool) { doc, found := w.realms[id]; return doc, found }

func (w *world) User(id int64) (record.Value, bool) { doc, found := w.users[id]; return doc, found }

func (w *world) UsersOf(of int64) (all []record.Value) {
	for _, id := range ids(w.users) {
		if num(w.users[id], "realm_id") == of {
			all = append(all, w.users[id])
		}
	}
	return all
}

func (w *world) Roles(of int64) (all []realm.Role) {
	for _, id := range ids(w.roles) {
		if r := realm.RoleOf(w.roles[id]); r.RealmID == of || r.RealmID == 0 {
			all = append(all, r)
		}
	}
	return all
}

func (w *world) Clients(cid int64) (all []int64) {
	for _, id := range ids(w.accounts) {
		if num(w.accounts[id], "consultancy_account_id") == cid {
			all = append(all, id)
		}
	}
	return all
}

func (w *world) TakesTokens(issuer, audience string) int64 {
	for id, doc := range w.realms {
		if doc.Get("claims").Get("issuer").Text == issuer && doc.Get("audience").Text == audience {
			return id
		}
	}
	return 0
}

func (w *world) ItemsOf(cid int64) (n int64) {
	for _, owner := range w.items {
		if owner == cid {
			n++
		}
	}
	return n
}

// branch returns the ids of an account and of all below it: by asking again and again who has a
// parent among them.
func (w *world) branch(top int64) map[int64]bool {
	in := map[int64]bool{}
	if _, found := w.accounts[top]; !found {
		return in
	}
	in[top] = true
	for grown := true; grown; {
		grown = false
		for id, doc := range w.accounts {
			if !in[id] && in[record.NumberOf(doc, "parent")] {
				in[id], grown = true, true
			}
		}
	}
	return in
}

// above returns the accounts strictly above one.
func (w *world) above(cid int64) map[int64]bool {
	up := map[int64]bool{}
	for id := range w.accounts {
		if id != cid && w.branch(id)[cid] {
			up[id] = true
		}
	}
	return up
}

func emptyWorld(next int64) *world {
	return &world{
		map[int64]record.Value{}, map[int64]record.Value{}, map[int64]record.Value{}, map[item]int64{}, next,
		map[int64]record.Value{}, map[int64]map[int64]bool{},
		map[int64]record.Value{}, map[int64]record.Value{}, map[int64]record.Value{}, nil,
	}
}

func (w *world) id() int64 { w.next++; return w.next }

func (w *world) clone() *world {
	copied := emptyWorld(w.next)
	copied.items = w.items
	copied.grants, copied.realms, copied.users, copied.roles = maps.Clone(w.grants), maps.Clone(w.realms), maps.Clone(w.users), maps.Clone(w.roles)
	for id, to := range w.links {
		copied.links[id] = maps.Clone(to)
	}
	for id, doc := range w.accounts {
		copied.accounts[id] = doc
	}
	for id, doc := range w.tokens {
		copied.tokens[id] = doc
	}
	for id, doc := range w.limits {
		copied.limits[id] = doc
	}
	return copied
}

func ids(m map[int64]record.Value) []int64 {
	var all []int64
	for id := range m {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

func mustParse(text string) record.Value {
	v, err := record.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// Collections, and what tokens are bound to.
var (
	uris    = []string{"gw/devices", "gw/channels", "storage/cdns"}
	ipTexts = []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.168.1.1", "10.1.*", "10.*", "10.1.2.?"}
	origins = []string{"https://a.example", "https://b.example"}
	expires = []int64{now + 10, now + 3600, now + 86400, now + 10*86400, now + 60*86400}
)

// randomAccess returns an access as a client could write it.
func (w *world) randomAccess(r *rand.Rand) record.Value {
	kind := r.IntN(4)
	if r.IntN(2) == 0 {
		kind = 1
	}
	access := record.NewObject(record.Member{Name: "type", Value: record.NewInt(int64(kind))})
	if kind != 2 {
		return access
	}
	acl := record.NewList()
	for range r.IntN(3) {
		e := record.NewObject(record.Member{Name: "uri", Value: record.NewText(pick(r, append(uris, "gw")...))})
		methods := record.NewList()
		for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if r.IntN(2) == 0 {
				methods.Items = append(methods.Items, record.NewText(m))
			}
		}
		e = e.With("methods", methods)
		switch r.IntN(4) {
		case 0:
			e = e.With("ids", record.NewText("all"))
		case 1, 2:
			list := record.NewList()
			for range 1 + r.IntN(2) {
				list.Items = append(list.Items, record.NewInt(int64(1+r.IntN(9))))
			}
			e = e.With("ids", list)
		}
		acl.Items = append(acl.Items, e)
	}
	return access.With("acl", acl)
}

// randomToken returns the fields of a POST or PUT of tokens.
func (w *world) randomToken(r *rand.Rand, post bool) record.Value {
	v := record.NewObject()
	if post || r.IntN(3) == 0 {
		v = v.With("access", w.randomAccess(r))
	}
	if r.IntN(2) == 0 {
		v = v.With("expire", record.NewInt(pick(r, append(expires, 0)...)))
	}
	if r.IntN(3) == 0 {
		v = v.With("ttl", record.NewInt(pick(r, int64(0), 60, 3600, 7200)))
	}
	if r.IntN(3) == 0 {
		texts := []string{pick(r, ipTexts...)}
		if r.IntN(3) == 0 {
			texts = append(texts, pick(r, ipTexts...))
		}
		v = v.With("ips", record.NewText(strings.Join(texts, ",")))
	} else if r.IntN(5) == 0 {
		v = v.With("ips", record.NewText(""))
	}
	if r.IntN(5) == 0 {
		v = v.With("origins", pick(r, record.NewText("*"), record.NewList(record.NewText(pick(r, origins...)))))
	}
	if r.IntN(4) == 0 {
		v = v.With("enabled", record.NewBool(r.IntN(2) == 0))
	}
	if r.IntN(4) == 0 {
		v = v.With("info", record.NewText(fmt.Sprint("info ", r.IntN(9))))
	}
	if r.IntN(6) == 0 {
		v = v.With("metadata", mustParse(`{"a":1}`))
	}
	if post && r.IntN(3) == 0 {
		v = v.With("cid", record.NewInt(w.anyAccount(r)))
	}
	return v
}

// anyAccount returns the id of an account, or one that is none's.
func (w *world) anyAccount(r *rand.Rand) int64 {
	if r.IntN(12) == 0 {
		return 9999
	}
	if near := sorted(w.near); len(near) > 0 && r.IntN(3) > 0 {
		return pick(r, near...)
	}
	return pick(r, ids(w.accounts)...)
}

// nearID is anyID, more often of a record of an account that is near.
func (w *world) nearID(r *rand.Rand, m map[int64]record.Value) int64 {
	var near []int64
	for _, id := range ids(m) {
		cid := num(m[id], "cid")
		if of := num(m[id], "realm_id"); cid == 0 && of != 0 {
			cid = num(w.realms[of], "cid")
		}
		if w.near[cid] {
			near = append(near, id)
		}
	}
	if len(near) > 0 && r.IntN(4) > 0 {
		return pick(r, near...)
	}
	return anyID(r, m)
}

func anyID(r *rand.Rand, m map[int64]record.Value) int64 {
	if len(m) == 0 || r.IntN(12) == 0 {
		return 9999
	}
	return pick(r, ids(m)...)
}

func (w *world) randomAccount(r *rand.Rand, post bool) record.Value {
	v := record.NewObject()
	if post || r.IntN(3) == 0 {
		v = v.With("name", record.NewText("x"))
	}
	if r.IntN(2) == 0 {
		v = v.With("limit_id", pick(r, record.NewInt(anyID(r, w.limits)), record.NewInt(anyID(r, w.limits)), record.Value{Shape: record.Null}))
	}
	if r.IntN(3) == 0 {
		v = v.With("consultancy_account_id", pick(r, record.NewInt(w.anyAccount(r)), record.Value{Shape: record.Null}))
	}
	if r.IntN(4) == 0 {
		v = v.With("enabled", record.NewBool(r.IntN(2) == 0))
	}
	if len(v.Members) == 0 {
		v = v.With("email", record.NewText("a@example.com"))
	}
	return v
}

func (w *world) randomLimit(r *rand.Rand) record.Value {
	v := record.NewObject(record.Member{Name: "name", Value: record.NewText("l")})
	if r.IntN(6) == 0 {
		for _, b := range record.Bounds() {
			v = v.With(b.Name, record.NewInt(0))
		}
		return v
	}
	for _, name := range []string{"tokens_count", "subaccounts_count", "limits_count", "device_storage"} {
		if r.IntN(3) == 0 {
			v = v.With(name, record.NewInt(int64(r.IntN(30)-1)))
		}
	}
	return v
}

// newWorld makes a world: two trees, tokens of every type in them, limits and items. Users are
// numbers that some tokens carry.
func newWorld(r *rand.Rand) *world {
	w := emptyWorld(100)
	for i := range 12 {
		doc := record.NewObject(record.Member{Name: "name", Value: record.NewText("a")})
		id := w.id()
		if i > 1 {
			parent := pick(r, ids(w.accounts)...)
			if len(w.above(parent)) < maxDepth-1 {
				doc = doc.With("parent", record.NewInt(parent))
			}
		}
		w.accounts[id] = doc.With("id", record.NewInt(id))
	}
	for range 6 {
		id := w.id()
		w.limits[id] = w.randomLimit(r).With("id", record.NewInt(id)).With("cid", record.NewInt(pick(r, ids(w.accounts)...)))
	}
	for _, id := range ids(w.accounts) {
		for _, limit := range ids(w.limits) {
			if w.above(id)[record.NumberOf(w.limits[limit], "cid")] && r.IntN(3) == 0 {
				w.accounts[id] = w.accounts[id].With("limit_id", record.NewInt(limit))
			}
		}
		if r.IntN(10) == 0 {
			w.accounts[id] = w.accounts[id].With("enabled", record.NewBool(false))
		}
	}
	for range 28 {
		asked := w.randomToken(r, true).With("cid", record.NewInt(pick(r, ids(w.accounts)...)))
		doc, fault := record.Tokens.ReadNew(asked)
		if fault != nil {
			panic(fault)
		}
		w.addToken(r, doc[0])
	}
	for _, uri := range uris {
		for id := int64(1); id <= 8; id++ {
			if r.IntN(4) > 0 {
				w.items[item{uri, id}] = pick(r, ids(w.accounts)...)
			}
		}
	}
	return w
}

func (w *world) addToken(r *rand.Rand, doc record.Value) {
	id := w.id()
	doc = doc.With("id", record.NewInt(id)).With("created", record.NewInt(now-1))
	if record.NumberOf(doc, "expire") == 0 && record.NumberOf(doc, "ttl") == 0 {
		doc = doc.With("expire", record.NewInt(expires[1]))
	}
	if r.IntN(4) == 0 {
		doc = doc.With("user_id", record.NewInt(int64(1+r.IntN(2))))
	}
	w.tokens[id] = doc
}

// callers returns every caller that there can be: each token for each account of its branch, and
// the operator above all roots and narrowed to each account.
func (w *world) callers() []admin.Caller {
	all := []admin.Caller{{Operator: true}}
	for _, cid := range ids(w.accounts) {
		all = append(all, admin.Caller{Operator: true, Scope: cid})
	}
	for _, id := range ids(w.tokens) {
		t := admin.TokenOf(w.tokens[id])
		for _, cid := range ids(w.accounts) {
			if w.branch(t.CID)[cid] {
				all = append(all, admin.Caller{Token: t, Scope: cid})
			}
		}
	}
	return all
}

func (w *world) law(c admin.Caller) *admin.Law {
	return &admin.Law{Caller: c, World: w, Settings: admin.Settings{MaxDepth: maxDepth, MaxTTL: 3600, MaxExpire: 30 * 86400, MakesAccounts: true, Audiences: map[string]string{"corp": ""}}, Now: now}
}

// sorted returns a set of numbers in order, for messages.
func sorted(set map[int64]bool) []int64 {
	var all []int64
	for id, in := range set {
		if in {
			all = append(all, id)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

// numbered is policy's methods from GET on.
var numbered = []policy.Method{policy.GET, policy.POST, policy.PUT, policy.PATCH, policy.DELETE}
