package policy_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

// worldRole is a role as a token with entries of its own, and the accounts that it reaches.
type worldRole struct {
	reach   policy.Reach
	clients []int64
	tok     *worldToken
}

// accounts are those that a role of a user in home reaches, written out.
func (r *worldRole) accounts(w *world, home int64) map[int64]bool {
	of := map[int64]bool{}
	for _, cid := range w.order {
		switch r.reach {
		case policy.ReachOwn:
			of[cid] = cid == home
		case policy.ReachBranch:
			of[cid] = w.inBranch(home, cid)
		case policy.ReachTree:
			of[cid] = true
		default:
			of[cid] = slices.ContainsFunc(r.clients, func(top int64) bool { return w.inBranch(top, cid) })
		}
	}
	return of
}

// TestRolesAreUnited compares a token that has roles with the oracle, which knows none: it is asked, without grants, once for each root of
// the tree as a token that has the role's entries and that account, and of what it lets pass the accounts
// count that the role reaches, and what was granted to the user's account, where the role reaches that. The roles permit what one of them permits, and nothing else.
func TestRolesAreUnited(t *testing.T) {
	t.Parallel()
	compared, passed, granted, single, several, worlds := 0, 0, 0, 0, 0, uint64(4000)
	if *long {
		worlds = 20000
	}
	for seed := range worlds {
		dice := rand.New(rand.NewPCG(13, seed))
		data := spread(seed ^ 0x5eed)
		w, a := newDice(data).world()
		w.settings.unenforced, w.settings.callersKey = false, false
		home := w.order[dice.IntN(len(w.order))]
		for i := range w.grants {
			w.grants[i].to = append(w.grants[i].to, home)
		}
		var roles []worldRole
		for n := range 1 + dice.IntN(3) {
			other, _ := newDice(spread(seed*7 + uint64(n))).world()
			role := worldRole{reach: policy.Reach(dice.IntN(4)), tok: other.tokens["t"]}
			if role.tok.access != "acl" {
				role.tok = &worldToken{access: "standard"}
			}
			for range dice.IntN(3) {
				role.clients = append(role.clients, w.order[dice.IntN(len(w.order))])
			}
			roles = append(roles, role)
		}
		a.token = "u"
		w.tokens["u"] = &worldToken{access: "acl", cid: home}
		e := newEngine(t, w)
		user := e.tokens["u"]
		user.IsUser = true
		for _, r := range roles {
			role := policy.UserRole{Reach: r.reach, Clients: r.clients}
			if r.tok.access == "acl" {
				role.ACL = r.tok.compile(e.engine.Catalogue).ACL
			}
			user.Roles = append(user.Roles, role)
		}
		got := e.ask(a)
		r := read(w, a.method, a.target)
		if len(r.faults) > 0 || r.route == nil || r.route.of.Open && a.method == "GET" {
			continue
		}
		if w.settings.mode == "header" {
			switch fit := checkOneRole(t, w, a, r, got, roles, home); {
			case fit > 1:
				several++
				fallthrough
			case fit == 1:
				single++
			}
			continue
		}
		passes := got.verdict == "allow" || got.verdict == "narrow"
		if e.d.Granted() {
			granted++
		}
		asked := max(a.cid, r.cid)
		if passes && got.reason != "own-answer" && got.reason != "public-route" {
			passed++
			checkReach(t, w, a, r, e, roles, home, asked)
		}
		// Where the path has one selector, and nothing else decides, what passes is the whole union.
		nothing := slices.Contains([]string{"denied-items", "nothing-left", "no-entry"}, got.reason)
		if len(r.sels) != 1 || !r.route.own || isMatch(r.sels[0]) || asked != 0 || !passes && !nothing {
			continue
		}
		var gotIDs []int64
		if passes {
			compared++
			gotIDs = idsOf(e.d.Selectors[0].IDs)
		}
		if want := unionOf(w, a, r, roles, home); !slices.Equal(gotIDs, want) {
			t.Fatalf("seed %d: %v of %d with %+v: got %v, want %v\n%s", seed, a, home, roles, gotIDs, want, w.describeRoles())
		}
	}
	t.Logf("%d requests passed, %d were compared, %d go to granted items; %d passed by one header, %d of them where several roles fit",
		passed, compared, granted, single, several)
	if single < int(worlds/100) || several < int(worlds/400) || compared < int(worlds/400) || passed < int(worlds/100) || granted < int(worlds/400) {
		t.Errorf("only %d requests passed, %d were compared and %d went to granted items: that shows little", passed, compared, granted)
	}
}

// checkOneRole: where there is one header there is one role, which reaches the whole branch of the scope. What
// passes one such role lets pass, as a token of that account with its entries; what all of them let pass,
// one or several, passes. It returns how many there are, 0 where the request does not pass.
func checkOneRole(t *testing.T, w *world, a ask, r *reading, got answer, roles []worldRole, home int64) int {
	t.Helper()
	passes := got.verdict == "allow" || got.verdict == "narrow"
	if got.reason == "own-answer" || got.reason == "public-route" || r.route.pattern[0] == "mqtt" {
		return 0
	}
	scope := home
	if asked := max(a.cid, r.cid); asked != 0 {
		scope = asked
	}
	grants := w.grants
	w.grants = nil
	defer func() { w.grants = grants }()
	candidates, let, agree := 0, 0, false
	for _, role := range roles {
		accounts, whole := role.accounts(w, home), true
		for _, cid := range w.order {
			whole = whole && (accounts[cid] || !w.inBranch(scope, cid))
		}
		if _, known := w.parent[scope]; !known || !whole {
			continue
		}
		candidates++
		w.tokens["r"] = &worldToken{access: role.tok.access, cid: scope, entries: role.tok.entries}
		alone := a
		alone.token = "r"
		said := judge(w, alone)
		may := slices.Contains(said.verdicts, "allow") || slices.Contains(said.verdicts, "narrow")
		agree = agree || passes && may && targetDiffers(got.target, said) == ""
		if may {
			let++
		}
	}
	switch {
	case passes && !agree:
		t.Fatalf("%v of %d with %+v: %s passes, and no role lets it", a, home, roles, got.target)
	case !passes && candidates > 0 && let == candidates:
		t.Fatalf("%v of %d with %+v: denied (%s), and each role that fits lets it pass", a, home, roles, got.reason)
	case !passes:
		return 0
	}
	return candidates
}

func (w *world) describeRoles() string {
	w.tokens["t"] = w.tokens["u"]
	return w.describe()
}

func idsOf(ids []int64) []int64 { return sortedCopy(ids) }

// account returns the account of an item wherever it is known.
func (w *world) accountOf(collection string, id int64) (int64, bool) {
	if cid, found := w.index[collection][id]; found {
		return cid, true
	}
	cid, found := w.unlisted[collection][id]
	return cid, found
}

// checkReach says that every item that goes to the backend is one that a role reaches.
func checkReach(t *testing.T, w *world, a ask, r *reading, e *engine, roles []worldRole, home, asked int64) {
	t.Helper()
	for i := range e.d.Selectors {
		p, s := &e.d.Selectors[i], &e.r.Selectors[i]
		if !s.ByID() || !s.Collection.Scoped {
			continue
		}
		if p.As == policy.AsAsked && s.Kind != policy.SelectIDs {
			t.Fatalf("%v: a selector goes out as it was asked", a)
		}
		for _, id := range p.IDs {
			cid, found := w.accountOf(s.Collection.URI, id)
			reached := found && (asked == 0 || w.inBranch(asked, cid)) &&
				slices.ContainsFunc(roles, func(r worldRole) bool { return r.accounts(w, home)[cid] })
			acting := home
			if asked != 0 {
				acting = asked
			}
			acts := slices.ContainsFunc(roles, func(r worldRole) bool { return r.accounts(w, home)[acting] })
			if !reached && !(found && acts && w.grantedTo(acting, a, r, i, id, cid)) {
				t.Fatalf("%v of %d with %+v: item %d of account %d is not reached", a, home, roles, id, cid)
			}
		}
	}
	if r.route.creates && a.method == "POST" {
		scope := e.c.Scope
		if !slices.ContainsFunc(roles, func(r worldRole) bool { return r.accounts(w, home)[scope] }) {
			t.Fatalf("%v of %d: created in account %d, which no role reaches", a, home, scope)
		}
	}
}

// unionOf returns the ids that one of the roles permits, by the oracle.
func unionOf(w *world, a ask, r *reading, roles []worldRole, home int64) []int64 {
	union := map[int64]bool{}
	grants := w.grants
	for _, role := range roles {
		accounts := role.accounts(w, home)
		reaches := func(id, cid int64) bool {
			return accounts[cid] || accounts[home] && w.grantedTo(home, a, r, 0, id, cid)
		}
		for _, root := range w.order {
			if w.parent[root] != 0 {
				continue
			}
			w.tokens["r"] = &worldToken{access: role.tok.access, cid: root, entries: role.tok.entries}
			alone := a
			alone.token = "r"
			w.grants = nil
			said := judge(w, alone)
			w.grants = grants
			if !slices.Contains(said.verdicts, "allow") && !slices.Contains(said.verdicts, "narrow") {
				continue
			}
			printed := said.segments[r.sels[0].at]
			for word := range strings.SplitSeq(printed, ",") {
				id := parseWord(word)
				if cid, found := w.accountOf(r.sels[0].collection, id); found && reaches(id, cid) {
					union[id] = true
				}
			}
			if printed == "all" {
				for id, cid := range w.index[r.sels[0].collection] {
					union[id] = union[id] || reaches(id, cid)
				}
				for id, cid := range w.unlisted[r.sels[0].collection] {
					union[id] = union[id] || reaches(id, cid) && slices.Contains(w.doubts[r.sels[0].collection], id)
				}
			}
		}
	}
	var ids []int64
	for id, in := range union {
		if in {
			ids = append(ids, id)
		}
	}
	return sortedCopy(ids)
}

// grantedTo tells whether a grant to an account gives what is asked with an item of account cid at selector i.
func (w *world) grantedTo(acting int64, a ask, r *reading, i int, id, cid int64) bool {
	t := &trial{w: w, r: r, tok: w.tokens["u"], mode: w.settings.mode, as: "acl", method: a.method}
	return slices.ContainsFunc(w.grants, func(g worldGrant) bool {
		return w.gives(g) && slices.Contains(g.to, acting) && w.inBranch(g.cid, cid) && t.names(g, i, r.sels[i], id)
	})
}

func parseWord(word string) (n int64) {
	for _, c := range word {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
