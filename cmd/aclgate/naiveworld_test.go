package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"aclgate/policy/record"
)

// A world of accounts, tokens, limits and items as the naive law sees it (naivelaw_test.go): maps, and
// sets that are made anew for every question.
type naiveWorld struct {
	accounts map[int64]naiveAccount
	tokens   map[int64]naiveToken
	bearers  map[int64]naiveToken // from elsewhere
	limits   map[int64]naiveLimit
	channels map[int64]int64 // item → account

	grants map[int64]naiveGrant
	realms map[int64]naiveRealm
	users  map[int64]naiveUser
	roles  map[int64]naiveRole
}

type naiveAccount struct {
	parent, limit, consultancy int64 // 0: none
	name                       string
	disabled                   bool
}

type naiveToken struct {
	cid, expire, ttl, by   int64 // by: the token that made it; 0: none
	kind                   int   // 0 standard, 1 master, 2 acl, 3 noapi
	user                   int64 // whom it carries; 0: nobody
	login                  bool  // it is a session
	ids                    []int64
	disabled               bool
	ips, origin, info, key string

	audience, subject string // of one from elsewhere
	groups            []string
}

type naiveLimit struct {
	cid    int64
	name   string
	zero   bool             // all 41 bounds are 0
	bounds map[string]int64 // of those that count records; absent: none
}

// What tokens are bound to. The caller is at 127.0.0.1.
var (
	naiveIPs    = []string{"", "", "", "127.0.0.0/8", "127.0.0.1", "10.0.0.0/8"}
	naiveWithin = map[string][]string{"127.0.0.0/8": {"127.0.0.0/8", "127.0.0.1"}, "127.0.0.1": {"127.0.0.1"}, "10.0.0.0/8": {"10.0.0.0/8"}}
	naiveNow    = time.Now().Unix()
	naiveSoon   = naiveNow + 2*365*86400 // of a token that makes nothing that lasts
	naiveEnds   = []int64{naiveSoon, 4102440000, 4102441000, 4102444800}
)

// The counts of records.
var naiveBounds = []string{"tokens_count", "subaccounts_count", "limits_count", "grants_count", "realms_count"}

const naiveMaxTTL = 3600

func (w *naiveWorld) clone() *naiveWorld {
	return &naiveWorld{maps.Clone(w.accounts), maps.Clone(w.tokens), w.bearers, maps.Clone(w.limits), maps.Clone(w.channels),
		maps.Clone(w.grants), maps.Clone(w.realms), maps.Clone(w.users), maps.Clone(w.roles)}
}

// chain returns an account and all above it.
func (w *naiveWorld) chain(cid int64) (all []int64) {
	for a, found := w.accounts[cid]; found; a, found = w.accounts[cid] {
		all = append(all, cid)
		cid = a.parent
	}
	return all
}

// branch returns the accounts that have top in their chain; all for 0.
func (w *naiveWorld) branch(top int64) map[int64]bool {
	in := map[int64]bool{}
	for cid := range w.accounts {
		if top == 0 || slices.Contains(w.chain(cid), top) {
			in[cid] = true
		}
	}
	return in
}

// state is what a row says of the block of an account.
func (w *naiveWorld) state(cid int64) int {
	state := 0
	for _, up := range w.chain(cid) {
		switch a := w.accounts[up]; {
		case a.disabled:
			return 2
		case a.limit != 0 && w.limits[a.limit].zero:
			state = 1
		}
	}
	return state
}

// used counts what a bound counts, in the branch of an account.
func (w *naiveWorld) used(bound string, cid int64) (n int64) {
	in := w.branch(cid)
	switch bound {
	case "tokens_count":
		for _, t := range w.tokens {
			if in[t.cid] && !t.login {
				n++
			}
		}
	case "grants_count":
		for _, g := range w.grants {
			if in[g.cid] {
				n++
			}
		}
	case "realms_count":
		for _, r := range w.realms {
			if in[r.cid] {
				n++
			}
		}
	case "limits_count":
		for _, l := range w.limits {
			if in[l.cid] {
				n++
			}
		}
	case "subaccounts_count":
		n = int64(len(in) - 1)
	}
	return n
}

// bound is what the limit of one account says; -1: nothing.
func (w *naiveWorld) bound(name string, cid int64) int64 {
	l, found := w.limits[w.accounts[cid].limit]
	if n, says := l.bounds[name]; found && says {
		return n
	}
	if found && l.zero {
		return 0
	}
	return -1
}

// full reports whether one more of what a bound counts is too many below cid.
func (w *naiveWorld) full(bound string, cid int64) bool {
	return slices.ContainsFunc(w.chain(cid), func(up int64) bool {
		most := w.bound(bound, up)
		return most >= 0 && w.used(bound, up) >= most
	})
}

// usable reports whether a token keeps its root from being locked out.
func (t *naiveToken) usable() bool { return t.kind == 1 && !t.disabled && t.user == 0 }

// dropAccount takes along what ends with an account.
func (w *naiveWorld) dropAccount(cid int64) {
	delete(w.accounts, cid)
	maps.DeleteFunc(w.tokens, func(_ int64, t naiveToken) bool { return t.cid == cid })
	maps.DeleteFunc(w.limits, func(_ int64, l naiveLimit) bool { return l.cid == cid })
	maps.DeleteFunc(w.channels, func(_, of int64) bool { return of == cid })
	for id, a := range w.accounts {
		if a.consultancy == cid {
			a.consultancy = 0
			w.accounts[id] = a
		}
	}
}

func naiveIDs[T any](m map[int64]T) []int64 { return slices.Sorted(maps.Keys(m)) }

func pickOne[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// newNaiveWorld makes two trees with tokens of every kind, limits and three channels.
func newNaiveWorld(r *rand.Rand) *naiveWorld {
	w := &naiveWorld{map[int64]naiveAccount{}, map[int64]naiveToken{}, map[int64]naiveToken{}, map[int64]naiveLimit{}, map[int64]int64{},
		map[int64]naiveGrant{}, map[int64]naiveRealm{}, map[int64]naiveUser{}, map[int64]naiveRole{}}
	for cid := int64(1); cid <= 9; cid++ {
		a := naiveAccount{name: fmt.Sprint("a", cid), disabled: cid > 2 && r.IntN(9) == 0}
		if cid > 2 {
			for a.parent = 0; a.parent == 0 || len(w.chain(a.parent)) > 3; {
				a.parent = pickOne(r, naiveIDs(w.accounts)...)
			}
		}
		w.accounts[cid] = a
	}
	for id := int64(1); id <= 5; id++ {
		l := naiveLimit{cid: pickOne(r, naiveIDs(w.accounts)...), name: fmt.Sprint("l", id), zero: id == 5, bounds: map[string]int64{}}
		for _, name := range naiveBounds {
			if !l.zero && r.IntN(2) == 0 {
				l.bounds[name] = int64(4 + r.IntN(20))
			}
		}
		if l.zero {
			l.cid = 1
		}
		w.limits[id] = l
	}
	for _, cid := range naiveIDs(w.accounts) {
		a := w.accounts[cid]
		if fit := w.above(cid); len(fit) > 0 && r.IntN(2) == 0 {
			a.limit = pickOne(r, fit...)
		}
		if r.IntN(4) == 0 {
			if a.consultancy = pickOne(r, naiveIDs(w.accounts)...); a.consultancy == cid {
				a.consultancy = 0
			}
		}
		w.accounts[cid] = a
	}
	for id := int64(1); id <= 18; id++ {
		t := naiveToken{cid: pickOne(r, naiveIDs(w.accounts)...), kind: pickOne(r, 1, 1, 1, 0, 2, 3), expire: pickOne(r, naiveEnds...), info: fmt.Sprint("t", id),
			disabled: r.IntN(12) == 0, key: fmt.Sprint("key-of-naive-", id), ips: pickOne(r, naiveIPs...), origin: pickOne(r, "", "", "https://a.example")}
		switch {
		case id <= 2: // a root has a master
			t = naiveToken{cid: id, kind: 1, expire: naiveEnds[3], info: fmt.Sprint("t", id), key: t.key}
		case t.kind == 2:
			t.ids = []int64{pickOne(r, int64(2024), 2025, 2026)}
		case r.IntN(3) == 0:
			t.ttl = 600
		}
		w.tokens[id] = t
	}
	for id := int64(2024); id <= 2026; id++ {
		w.channels[id] = pickOne(r, naiveIDs(w.accounts)...)
	}
	return w
}

// above returns the limits that an account may bear: made strictly above it.
func (w *naiveWorld) above(cid int64) (fit []int64) {
	for _, id := range naiveIDs(w.limits) {
		if l := w.limits[id]; l.cid != cid && slices.Contains(w.chain(cid), l.cid) {
			fit = append(fit, id)
		}
	}
	return fit
}

// yaml is the world as a policy file.
func (w *naiveWorld) yaml() string {
	var b strings.Builder
	b.WriteString("accounts:\n")
	for _, id := range naiveIDs(w.accounts) {
		a := w.accounts[id]
		fmt.Fprintf(&b, "  - {id: %d, name: %s, enabled: %t", id, a.name, !a.disabled)
		for name, n := range map[string]int64{"parent": a.parent, "limit_id": a.limit, "consultancy_account_id": a.consultancy} {
			if n != 0 {
				fmt.Fprintf(&b, ", %s: %d", name, n)
			}
		}
		b.WriteString("}\n")
	}
	b.WriteString("limits:\n")
	for _, id := range naiveIDs(w.limits) {
		l := w.limits[id]
		fmt.Fprintf(&b, "  - {id: %d, cid: %d, name: %s", id, l.cid, l.name)
		for name, n := range l.bounds {
			fmt.Fprintf(&b, ", %s: %d", name, n)
		}
		for _, bound := range record.Bounds() {
			if l.zero {
				fmt.Fprintf(&b, ", %s: 0", bound.Name)
			}
		}
		b.WriteString("}\n")
	}
	b.WriteString("tokens:\n")
	for _, id := range naiveIDs(w.tokens) {
		t := w.tokens[id]
		fmt.Fprintf(&b, "  - {id: %d, key: %s, cid: %d, enabled: %t, created: %d, expire: %d, info: %s, access: {type: %s",
			id, t.key, t.cid, !t.disabled, time.Now().Unix(), t.expire, t.info, []string{"standard", "master", "acl", "noapi"}[t.kind])
		if t.kind == 2 {
			fmt.Fprintf(&b, ", acl: [{uri: gw/channels, methods: [GET], ids: [%d]}]", t.ids[0])
		}
		b.WriteString("}")
		if t.ttl > 0 {
			fmt.Fprintf(&b, ", ttl: %d", t.ttl)
		}
		if t.ips != "" {
			fmt.Fprintf(&b, ", ips: %q", t.ips)
		}
		if t.origin != "" {
			fmt.Fprintf(&b, ", origins: [%q]", t.origin)
		}
		b.WriteString("}\n")
	}
	b.WriteString("owners: {gw/channels: {")
	for i, cid := range naiveIDs(w.accounts) {
		var ids []string
		for _, id := range naiveIDs(w.channels) {
			if w.channels[id] == cid {
				ids = append(ids, fmt.Sprint(id))
			}
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d: [%s]", cid, strings.Join(ids, ", "))
	}
	return b.String() + "}}\n"
}
