package admin_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclgate/policy/admin"
	"aclgate/policy/record"
)

var calls = flag.Int("calls", 0, "how many random administrative calls TestEscalation and TestEscalationByRealms make; 0: some hundreds")

// What a right depends on beside item and method. A right is one tuple of all of them.
var (
	addresses  = []string{"10.9.9.9", "10.1.9.9", "10.1.2.3", "10.1.2.77", "192.168.1.1", "8.8.8.8"}
	pages      = append([]string{"", "https://other.example"}, origins...)
	moments    = []int64{now, now + 11, now + 7200, now + 2*86400, now + 20*86400, now + 100*86400}
	deadUsers  = []int64{0, 1, 2}
	everything = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
)

// rights is what somebody can do: every tuple of one element of each.
type rights struct {
	what                     map[string]bool // item and method, collection of an account and POST, account and administration
	addr, page, when, states []bool
}

// beyond returns a tuple of a that neither b nor c has, "" if there is none.
func (a *rights) beyond(b, c *rights) string {
	for what := range a.what {
		inB, inC := b.what[what], c.what[what]
		for i, x := range a.addr {
			for j, y := range a.page {
				for k, z := range a.when {
					for n, u := range a.states {
						if !x || !y || !z || !u || inB && b.addr[i] && b.page[j] && b.when[k] && b.states[n] || inC && c.addr[i] && c.page[j] && c.when[k] && c.states[n] {
							continue
						}
						return fmt.Sprint(what, " from ", addresses[i], " by page ", pages[j], " at ", moments[k], " with user dead: ", deadUsers[n])
					}
				}
			}
		}
	}
	return ""
}

// ofToken returns what a token can do, naively: its document is read anew.
func (w *world) ofToken(doc record.Value) *rights {
	a := &rights{what: map[string]bool{}}
	typ := doc.Get("access").Get("type").Text
	branch := w.branch(num(doc, "cid"))
	if doc.Get("enabled").Text == "false" {
		branch = nil
	}
	for it, cid := range w.items {
		for _, m := range everything {
			if branch[cid] && (typ == "0" || typ == "1" || typ == "2" && aclPermits(doc, it, m)) {
				a.what[fmt.Sprint(it, m)] = true
			}
		}
	}
	for cid := range branch {
		for _, uri := range uris {
			if typ == "0" || typ == "1" || typ == "2" && aclPermits(doc, item{uri, 0}, "POST") {
				a.what[fmt.Sprint("create ", uri, " of ", cid)] = true
			}
		}
		if typ == "1" {
			a.what[fmt.Sprint("administer ", cid)] = true
		}
	}
	w.addGranted(a, doc, branch)
	ips, own := texts(doc, "ips"), texts(doc, "origins")
	for _, addr := range addresses {
		a.addr = append(a.addr, ips == nil || slices.ContainsFunc(ips, func(text string) bool { return hasAddress(text, addr) }))
	}
	for _, page := range pages {
		a.page = append(a.page, page == "" || own == nil || slices.Contains(own, page))
	}
	for _, at := range moments {
		a.when = append(a.when, at < num(doc, "expire") || num(doc, "ttl") > 0)
	}
	for _, dead := range deadUsers {
		a.states = append(a.states, dead == 0 || num(doc, "user_id") != dead)
	}
	return a
}

// hasAddress compares texts: of networks, the samples have only whole bytes.
func hasAddress(text, addr string) bool {
	switch text {
	case "10.0.0.0/8":
		return strings.HasPrefix(addr, "10.")
	case "10.1.0.0/16":
		return strings.HasPrefix(addr, "10.1.")
	case "10.1.*", "10.*":
		return strings.HasPrefix(addr, strings.TrimSuffix(text, "*"))
	case "10.1.2.?":
		return strings.HasPrefix(addr, "10.1.2.") && len(addr) == len(text)
	}
	return netip.MustParseAddr(text) == netip.MustParseAddr(addr)
}

// aclPermits finds the one entry that decides (SPEC 4.1); id 0 is the collection.
func aclPermits(doc record.Value, it item, method string) bool {
	rank := func(uri string, limited bool) int {
		n := len(uri) * 2
		if limited {
			n++
		}
		return n
	}
	best, permitted := -1, false
	for _, e := range doc.Get("access").Get("acl").Items {
		uri, ids := e.Get("uri").Text, e.Get("ids")
		methods := fmt.Sprint(e.Get("methods"))
		if uri != it.uri && !strings.HasPrefix(it.uri, uri+"/") || !strings.Contains(methods, `"`+method+`"`) && !(method == "PATCH" && strings.Contains(methods, `"PUT"`)) {
			continue
		}
		limited := ids.Shape != record.Absent
		if n := rank(uri, limited); n > best {
			best = n
			permitted = !limited || it.id != 0 && (ids.Text == "all" || slices.ContainsFunc(ids.Items, record.NewInt(it.id).Equal))
		}
	}
	return permitted
}

// blocked reports whether an account cannot act, naively.
func (w *world) blocked(cid int64) bool {
	for id, doc := range w.accounts {
		if !w.branch(id)[cid] {
			continue
		}
		limit, found := w.limits[num(doc, "limit_id")]
		zero := found
		for _, b := range record.Bounds() {
			zero = zero && limit.Get(b.Name).Text == "0"
		}
		if zero || doc.Get("enabled").Text == "false" {
			return true
		}
	}
	return false
}

// call is one administrative call and what it touched.
type call struct {
	what  string
	token int64 // that was made or changed; 0: none
	fault *record.Fault

	grants bool // it was about grants
}

// administer makes one random call, and changes the world if the law permits it.
func (w *world) administer(r *rand.Rand, l *admin.Law) call {
	change := func(k *record.Kind, before, fields record.Value) (record.Value, *record.Fault) {
		if r.IntN(2) == 0 {
			return k.Patch(before, fields)
		}
		return k.Put(before, fields)
	}
	if r.IntN(3) == 0 {
		return w.administerGrants(r, l)
	}
	switch r.IntN(10) {
	case 0, 1, 2:
		doc, fault := l.NewToken(first(record.Tokens.ReadNew(w.randomToken(r, true))))
		if fault != nil {
			return call{"POST token", 0, fault, false}
		}
		id := w.id()
		w.tokens[id] = doc.With("id", record.NewInt(id))
		return call{"POST token", id, nil, false}
	case 3, 4, 5:
		before, asked := w.tokens[w.target(r, l)], w.randomToken(r, false)
		if r.IntN(4) == 0 {
			asked = pick(r, mustParse(`{"enabled":false}`), mustParse(`{"enabled":true}`))
		}
		after, fault := change(record.Tokens, before, asked)
		if fault == nil {
			fault = l.ChangeToken(before, after)
		}
		if fault == nil {
			w.tokens[num(before, "id")] = after
		}
		return call{fmt.Sprint("PUT token ", before, " as ", after), num(before, "id"), fault, false}
	case 6:
		id := w.target(r, l)
		fault := l.DeleteToken(w.tokens[id])
		if fault == nil {
			delete(w.tokens, id)
		}
		return call{"DELETE token", 0, fault, false}
	}
	return w.administerAccounts(r, l)
}

// target returns the id of a token: the caller's own, one of its account, or any.
func (w *world) target(r *rand.Rand, l *admin.Law) int64 {
	if l.Caller.Operator || r.IntN(3) == 0 {
		return anyID(r, w.tokens)
	}
	if r.IntN(2) == 0 {
		return l.Caller.Token.ID
	}
	var own []int64
	for _, id := range ids(w.tokens) {
		if num(w.tokens[id], "cid") == l.Caller.Token.CID {
			own = append(own, id)
		}
	}
	return pick(r, own...)
}

func (w *world) administerAccounts(r *rand.Rand, l *admin.Law) call {
	switch r.IntN(6) {
	case 0:
		doc, fault := l.NewAccount(first(record.Subaccounts.ReadNew(w.randomAccount(r, true))))
		if fault == nil {
			id := w.id()
			w.accounts[id] = doc.With("id", record.NewInt(id))
		}
		return call{"POST account", 0, fault, false}
	case 1, 2:
		before := w.accounts[w.anyAccount(r)]
		asked := w.randomAccount(r, false)
		after, _ := record.Subaccounts.Patch(before, asked)
		fault := l.ChangeAccount(before, asked, after)
		if fault == nil {
			w.accounts[num(before, "id")] = after
		}
		return call{fmt.Sprint("PUT account ", before, " as ", after), 0, fault, false}
	case 3:
		id := w.anyAccount(r)
		fault := l.DeleteAccount(id, false)
		if fault == nil {
			w.dropAccount(id)
		}
		return call{fmt.Sprint("DELETE account ", id), 0, fault, false}
	case 4:
		doc, fault := l.NewLimit(w.randomLimit(r))
		if fault == nil {
			id := w.id()
			w.limits[id] = doc.With("id", record.NewInt(id))
		}
		return call{"POST limit", 0, fault, false}
	}
	before := w.limits[anyID(r, w.limits)]
	if r.IntN(3) == 0 {
		fault := l.DeleteLimit(before)
		if fault == nil {
			delete(w.limits, num(before, "id"))
		}
		return call{"DELETE limit", 0, fault, false}
	}
	after, _ := record.Limits.Put(before, w.randomLimit(r))
	fault := l.ChangeLimit(before, after)
	if fault == nil {
		w.limits[num(before, "id")] = after
	}
	return call{fmt.Sprint("PUT limit ", before, " as ", after), 0, fault, false}
}

func (w *world) dropAccount(id int64) {
	delete(w.accounts, id)
	for t, doc := range w.tokens {
		if num(doc, "cid") == id {
			delete(w.tokens, t)
		}
	}
	for t, doc := range w.limits {
		if num(doc, "cid") == id {
			delete(w.limits, t)
		}
	}
	for t, doc := range w.grants {
		delete(w.links[t], id)
		if num(doc, "cid") == id {
			delete(w.grants, t)
			delete(w.links, t)
		}
	}
	for a, doc := range w.accounts {
		if num(doc, "consultancy_account_id") == id {
			w.accounts[a] = doc.Without("consultancy_account_id")
		}
	}
}

// TestEscalation: random callers make random calls. After each, whatever any token can do that it
// could not before, the caller could do before: on that item, by that method, from that address and
// page, at that time, and with that user dead (SPEC 14, 1). Beside it the tree stays a tree of four
// levels, every limit is from strictly above, who is blocked stays so unless it is lifted from above, and
// roots keep a master (SPEC 14, 6 and 8).
func TestEscalation(t *testing.T) {
	n := *calls
	if n == 0 {
		n = 400
	}
	made, permitted := 0, 0
	for seed := uint64(0); made < n; seed++ {
		r := rand.New(rand.NewPCG(14, seed))
		w := newWorld(r)
		for range 400 {
			c, found := w.randomCaller(t, r)
			if !found {
				continue
			}
			made++
			before := w.clone()
			self := w.tokens[c.Token.ID]
			done := w.administer(r, w.law(c))
			if done.fault == nil {
				permitted++
			}
			if why := w.gained(before, c, self, done); why != "" {
				t.Fatalf("world %d: %s by %s for account %d: %s", seed, done.what, self, c.Scope, why)
			}
			if why := w.unsound(before, c); why != "" {
				t.Fatalf("world %d: %s by %s for account %d: %s", seed, done.what, self, c.Scope, why)
			}
		}
	}
	t.Logf("%d calls, %d permitted", made, permitted)
	if permitted*10 < made {
		t.Errorf("only %d of %d calls were permitted: that shows nothing", permitted, made)
	}
}

// randomCaller returns a caller that the gateway would let in.
func (w *world) randomCaller(t *testing.T, r *rand.Rand) (admin.Caller, bool) {
	if r.IntN(20) == 0 {
		return admin.Caller{Operator: true, Scope: pick(r, append(ids(w.accounts), 0)...)}, true
	}
	if len(w.tokens) == 0 {
		return admin.Caller{}, false
	}
	token := admin.TokenOf(w.tokens[pick(r, ids(w.tokens)...)])
	c := admin.Caller{Token: token, Scope: pick(r, sorted(w.branch(token.CID))...)}
	if r.IntN(2) == 0 {
		c.Scope = token.CID
	}
	if !token.Enabled || !token.Alive(now) {
		return c, false
	}
	l := w.law(c)
	if got, want := l.NotBlocked() != nil, w.blocked(token.CID); got != want {
		t.Fatalf("account %d is blocked: %v, want %v", token.CID, got, want)
	}
	return c, l.NotBlocked() == nil && l.MayCall(&admin.Routes()[0], numbered[1], false) == nil
}

// gained returns what some token can do now that neither it nor the caller could before.
func (w *world) gained(before *world, c admin.Caller, self record.Value, done call) string {
	if c.Operator {
		return ""
	}
	if done.grants {
		could := before.ofToken(self)
		for id, doc := range w.tokens {
			had := before.ofToken(doc)
			for what := range w.ofToken(doc).what {
				if !had.what[what] && !could.what[what] {
					return fmt.Sprint(what, " by token ", id)
				}
			}
		}
		return ""
	}
	could := w.ofToken(self) // with the accounts that are new: who may make one may administer it
	if num(self, "user_id") != 0 {
		could.when = slices.Repeat([]bool{true}, len(moments)) // a lifetime is free for who carries a user
	}
	if done.token != 0 {
		had := &rights{}
		if doc, found := before.tokens[done.token]; found {
			had = before.ofToken(doc)
		}
		return w.ofToken(w.tokens[done.token]).beyond(had, could)
	}
	for id, doc := range w.tokens {
		had := before.ofToken(before.tokens[id])
		for what := range w.ofToken(doc).what {
			if !had.what[what] && !could.what[what] {
				return fmt.Sprint(what, " by token ", id)
			}
		}
	}
	return ""
}

// unsound returns what must never be, and is.
func (w *world) unsound(before *world, c admin.Caller) string {
	for id, doc := range w.accounts {
		if was, found := before.accounts[id]; found && num(was, "parent") != num(doc, "parent") {
			return fmt.Sprint("account ", id, " moved")
		}
		up := w.above(id)
		if up[id] || len(up) >= maxDepth {
			return fmt.Sprint("account ", id, " is below ", sorted(up))
		}
		if limit := num(doc, "limit_id"); limit != 0 && !up[num(w.limits[limit], "cid")] {
			return fmt.Sprint("account ", id, " has limit ", limit, " of account ", num(w.limits[limit], "cid"))
		}
		if _, found := before.accounts[id]; found && before.blocked(id) && !w.blocked(id) && !c.Operator && !w.above(id)[c.Token.CID] {
			return fmt.Sprint("account ", id, " is not blocked any more")
		}
		for _, name := range []string{"limit_id", "enabled", "account_roles"} {
			was, found := before.accounts[id]
			if found && !was.Get(name).Equal(doc.Get(name)) && !c.Operator && !w.above(id)[c.Scope] {
				return fmt.Sprint("account ", id, " has another ", name, ", and not from above")
			}
		}
		if num(doc, "parent") == 0 && !c.Operator && before.masters(id) > 0 && w.masters(id) == 0 {
			return fmt.Sprint("root ", id, " has no master")
		}
	}
	for id, doc := range w.tokens {
		was, found := before.tokens[id]
		if found && (num(was, "user_id") != num(doc, "user_id") || num(was, "cid") != num(doc, "cid")) {
			return fmt.Sprint("token ", id, " has another user or account")
		}
	}
	return ""
}

func (w *world) masters(cid int64) (n int) {
	for _, doc := range w.tokens {
		if num(doc, "cid") == cid && usable(doc) {
			n++
		}
	}
	return n
}
