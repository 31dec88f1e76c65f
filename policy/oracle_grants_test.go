package policy_test

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/policy"
)

// SPEC 10.7 and 11 once more, by maps and loops: what may be done with an item because somebody has
// granted it.

// worldTime is when every request is made.
const worldTime = 50

type worldGrant struct {
	id, cid  int64
	disabled bool
	expire   int64
	to       []int64
	access   []worldAccess
}

type worldAccess struct {
	uri    string
	all    bool
	ids    []int64
	levels []string
}

// Blocked implements policy.Blocks: an account is blocked with all that is above or below it.
func (w *world) Blocked(cid int64) bool {
	for ; cid != 0; cid = w.parent[cid] {
		if w.blocked[cid] {
			return true
		}
	}
	return false
}

func (w *world) compileGrants() *policy.Grants {
	var list []policy.Grant
	for _, g := range w.grants {
		made := policy.Grant{ID: g.id, CID: g.cid, Enabled: !g.disabled, Expire: g.expire, Grantees: g.to}
		for _, a := range g.access {
			access := policy.GrantAccess{URI: a.uri, All: a.all, IDs: policy.NewIDSet(a.ids)}
			for _, word := range a.levels {
				level, creates := policy.ParseLevel(word)
				access.Levels |= level
				if creates != "" {
					access.Creates = append(access.Creates, creates)
				}
			}
			made.Access = append(made.Access, access)
		}
		list = append(list, made)
	}
	return policy.NewGrants(list)
}

// gives tells whether a grant gives its grantee anything today.
func (w *world) gives(g worldGrant) bool {
	return !g.disabled && (g.expire == 0 || worldTime < g.expire) && len(g.access) > 0 && !w.Blocked(g.cid)
}

// says tells whether a grant says a word about the whole account of its grantor.
func (g worldGrant) says(word string) bool {
	return slices.ContainsFunc(g.access, func(a worldAccess) bool { return a.uri == "account" && slices.Contains(a.levels, word) })
}

// findPaths finds by what the request may reach anything: the branch of the account that it is made
// under, with what was granted to that account; or, outside of the branch of the token, what that
// account has granted to the token's. False: by nothing.
func (t *trial) findPaths() bool {
	w := t.w
	branch := w.inBranch(t.tok.cid, t.scope)
	if branch && t.mode == "header" {
		return true
	}
	operates := false
	for _, g := range w.grants {
		to := t.tok.cid
		if branch {
			to = t.scope
		}
		if w.gives(g) && slices.Contains(g.to, to) && (branch || g.cid == t.scope) {
			t.granted = append(t.granted, g)
			operates = operates || g.says("operate-as")
		}
	}
	if branch {
		return true
	}
	if _, known := w.parent[t.scope]; !known || len(t.granted) == 0 {
		return false
	}
	if t.cross = !operates; operates {
		t.guest, t.granted = true, nil
	}
	return true
}

// ungranted names what closes the route to a request under a grantor's account.
func (t *trial) ungranted(method string) []string {
	route := t.r.route
	path := strings.Join(route.pattern, "/")
	switch {
	case t.guest && route.pattern[0] == "platform":
		read := []string{"platform/customer", "platform/subaccounts/{}", "platform/limits/{}"}
		if method != "GET" || !slices.Contains(read, path) {
			return []string{"no-grant"}
		}
	case !t.cross:
	case route.creates && method == "POST":
		kind, isItem := strings.CutPrefix(route.of.URI, "gw/")
		if !isItem || !route.of.Scoped || !slices.ContainsFunc(t.granted, func(g worldGrant) bool { return g.says("create-" + kind) }) {
			return []string{"no-grant"}
		}
	case !route.own || !grantable(route.of.URI):
		return []string{"no-grant"}
	}
	return nil
}

// permit is section 11 for one item at a place of the path: some access path has to hold its account,
// or the item itself, and to give what is asked.
func (t *trial) permit(i int, s selection, id int64) bool {
	account := t.account(s, id)
	if !t.cross && t.w.inBranch(t.scope, account) {
		return true
	}
	for _, g := range t.granted {
		if t.w.inBranch(g.cid, account) && t.names(g, i, s, id) {
			return true
		}
	}
	return false
}

// names tells whether a grant names an item and gives what is asked with it. id 0: every item.
func (t *trial) names(g worldGrant, i int, s selection, id int64) bool {
	return slices.ContainsFunc(g.access, func(a worldAccess) bool {
		about := a.uri == "account" || a.uri == s.collection && (a.all || slices.Contains(a.ids, id))
		reads := !isMatch(s) || slices.Contains(a.levels, "view")
		return about && reads && grantable(s.collection) && !t.asksLogs(i, s) && slices.ContainsFunc(a.levels, func(level string) bool { return t.levelGives(level, i, s) })
	})
}

// grantable tells the collections of items that have an account and may be somebody else's.
func grantable(collection string) bool {
	c := collectionOf(collection)
	return c.Scoped && c.ID == "int" && !strings.HasPrefix(collection, "platform/") && !strings.HasPrefix(collection, "mqtt/")
}

// levelGives is the table of SPEC 10.7.
func (t *trial) levelGives(level string, i int, s selection) bool {
	route, m, kind := t.r.route, t.method, s.collection[strings.LastIndex(s.collection, "/")+1:]
	link := route.linkLast && (m == "POST" || m == "DELETE")
	if !t.isOwn(i) {
		geofence := link && route.of.URI == "gw/devices" && kind == "geofences"
		return level == "view" && (m == "GET" || geofence)
	}
	hasLogs := slices.Contains([]string{"calcs", "plugins", "streams", "groups"}, kind)
	takesOthers := slices.Contains([]string{"calcs", "plugins", "groups"}, kind)
	switch level + " " + m {
	case "view GET":
		return route.sub != "logs" || !hasLogs
	case "view POST", "view DELETE":
		return link && takesOthers
	case "edit PUT", "edit PATCH", "delete DELETE":
		return route.sub == ""
	case "command POST":
		return kind == "devices" && (route.sub == "commands" || route.sub == "commands-queue")
	case "command PUT":
		return kind == "devices" && route.sub == "settings"
	case "command DELETE":
		return kind == "devices" && (route.sub == "settings" || route.sub == "commands-queue")
	}
	return false
}

// asksLogs tells whether logs are asked for as a field, where view does not give them.
func (t *trial) asksLogs(i int, s selection) bool {
	if !slices.Contains([]string{"gw/calcs", "gw/plugins", "gw/streams", "gw/groups"}, s.collection) {
		return false
	}
	if s.kind == "expression" {
		return true
	}
	var fields []string
	if isMatch(s) {
		for _, test := range strings.Split(s.text, ",") {
			field, _, _ := strings.Cut(test, "=")
			fields = append(fields, field)
		}
	}
	last := i == len(t.r.sels)-1 && t.r.route.linkLast
	if last || t.isOwn(i) && t.r.route.sub == "" {
		l := t.lists(t.method)
		if l.bad || l.eight {
			return true
		}
		fields = append(fields, l.names...)
	}
	return slices.ContainsFunc(fields, func(field string) bool {
		first, _, _ := strings.Cut(strings.ToLower(field), ".")
		return first == "logs"
	})
}

// boundByGrants: where the backend keeps accounts apart by the header alone, a request under a
// grantor's account goes to the items that its grants name, or to all of them.
func (t *trial) boundByGrants(i int, s selection, b *bound) {
	if !isInt(s.collection) || !t.cross || t.mode != "header" && collectionOf(s.collection).Scoped {
		return
	}
	var named []int64
	for _, g := range t.granted {
		if t.names(g, i, s, 0) {
			return
		}
		for id := range int64(30) {
			if t.names(g, i, s, id) {
				named = append(named, id)
			}
		}
	}
	b.lists = append(b.lists, sortedCopy(named))
}

// under is the account that a request goes out under (SPEC 11, both); or the parts that it goes out in.
func (t *trial) under(bounds []bound) (cid int64, parts []string, fault string) {
	if t.mode != "both" || !t.cross && len(t.granted) == 0 {
		return t.scope, nil, ""
	}
	var accounts []int64
	of := map[int64]int64{} // of the items at the first place
	forwarded := false
	for i, s := range t.r.sels {
		if !isInt(s.collection) || !collectionOf(s.collection).Scoped {
			continue
		}
		o := t.outcome(i, s, bounds[i])
		forwarded = forwarded || o.asked
		for _, id := range o.ids {
			accounts = append(accounts, t.account(s, id))
			if i == 0 {
				of[id] = t.account(s, id)
			}
		}
	}
	outside := func(cid int64) bool { return t.cross || !t.w.inBranch(t.scope, cid) }
	switch {
	case !slices.ContainsFunc(accounts, outside):
		return t.scope, nil, ""
	case forwarded:
		return 0, nil, "linked-match"
	case t.method != "GET" && slices.Max(accounts) != slices.Min(accounts):
		return 0, nil, "mixed-accounts"
	}
	if top := t.above(accounts); top != 0 {
		return top, nil, ""
	}
	if !t.divides() {
		return 0, nil, "mixed-accounts"
	}
	return 0, t.partsOf(of), ""
}

// above is the nearest account above all of some, or 0.
func (t *trial) above(accounts []int64) int64 {
	for top := accounts[0]; top != 0; top = t.w.parent[top] {
		if !slices.ContainsFunc(accounts, func(cid int64) bool { return !t.w.inBranch(top, cid) }) {
			return top
		}
	}
	return 0
}

// divides tells whether the answer is the sum of the answers for some of the items (SPEC 4.5): rows of
// items or one for each item, of one list, and nothing that sorts or counts.
func (t *trial) divides() bool {
	route := t.r.route
	if t.method != "GET" || !route.own || len(t.r.sels) > 1 && slices.ContainsFunc(t.r.sels[1:], func(s selection) bool { return isInt(s.collection) }) {
		return false
	}
	if len(route.pattern) > 3 && !route.perItem {
		return false
	}
	return !slices.ContainsFunc(t.query, func(pair [2]string) bool { return !slices.Contains([]string{"fields", "limit", "offset"}, pair[0]) })
}

// partsOf divides items by root, in the order in which the accounts were made, each part under the
// nearest account above its items.
func (t *trial) partsOf(of map[int64]int64) (parts []string) {
	for _, root := range t.w.order {
		var ids, accounts []int64
		inside := true
		for id, cid := range of {
			if t.w.parent[root] == 0 && t.w.inBranch(root, cid) {
				ids, accounts = append(ids, id), append(accounts, cid)
				inside = inside && !t.cross && t.w.inBranch(t.scope, cid)
			}
		}
		switch {
		case len(ids) == 0:
		case inside:
			parts = append(parts, fmt.Sprintf("%d:%s", t.scope, joinIDs(sortedCopy(ids))))
		default:
			parts = append(parts, fmt.Sprintf("%d:%s", t.above(accounts), joinIDs(sortedCopy(ids))))
		}
	}
	return parts
}

// grantsOf adds grants, mostly to the token's account.
func (d *dice) grantsOf(w *world, r *route) {
	if !d.rarely(2) {
		return
	}
	account := func() int64 { return w.order[d.n(len(w.order))] }
	for id := range int64(d.n(4) + 1) {
		g := worldGrant{id: id + 1, cid: account(), disabled: d.rarely(9), to: []int64{account(), w.tokens["t"].cid}}
		g.expire = []int64{0, 0, 0, worldTime, worldTime + 1}[d.n(5)]
		for range d.n(3) + 1 {
			a := worldAccess{uri: d.one(append([]string{r.of.URI, "gw/devices", "account"}, r.places...)...), all: d.rarely(4), ids: d.ids(5)}
			a.levels = []string{d.one("view", "view", "edit", "delete", "command")}
			if d.rarely(2) {
				a.levels = append(a.levels, d.one("view", "edit", "command"))
			}
			if a.uri == "account" {
				a.levels = []string{d.one("view", "operate-as", "create-devices", "create-"+strings.TrimPrefix(r.of.URI, "gw/"))}
			}
			g.access = append(g.access, a)
		}
		w.grants = append(w.grants, g)
	}
	if d.rarely(6) {
		w.blocked[account()] = true
	}
}
