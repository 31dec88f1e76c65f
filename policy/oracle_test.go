package policy_test

import (
	"slices"
	"strings"
)

// opinion is what the oracle expects. Where the SPEC gives a code but no order among its reasons,
// any of reasons will do.
type opinion struct {
	verdicts []string
	reasons  []string
	segments []string // of the printed target, decoded; nil: nothing is printed
	query    [][2]string
	denied   []string // type/id, in path order, then order asked
	under    int64    // the account that it goes out under; 0: not told
	parts    []string // or those that it goes out under in parts, with the ids of each
}

func deny(reasons ...string) opinion {
	return opinion{verdicts: []string{"deny"}, reasons: reasons}
}

// trial is one request before the oracle.
type trial struct {
	w     *world
	r     *reading
	tok   *worldToken
	as    string // the access type that it is judged as
	scope int64
	mode  string
	right right // what permits it to an acl token

	granted []worldGrant // the access paths beside the branch, or without it
	guest   bool         // the scope is that of a grantor who lets the account operate as it
	method  string
	cross   bool // there is no branch: the request is made under an account outside of it

	listed []string    // submodules that its lists of fields reach into
	query  [][2]string // as it is printed
}

// judge is the order of faults of SPEC 2, steps 2 and 6 to 9.
func judge(w *world, a ask) opinion {
	r := read(w, a.method, a.target)
	if len(r.faults) > 0 {
		return deny(r.faults...)
	}
	t := &trial{w: w, r: r, tok: w.tokens[a.token], mode: w.settings.mode, query: r.query, method: a.method}
	t.as = t.tok.access
	if t.as == "acl" && w.settings.unenforced {
		t.as = "standard"
	}
	if a.cid != 0 && r.cid != 0 {
		return deny("bad-query")
	}
	if r.route != nil && r.route.public { // nobody's token or account is asked for
		return t.forward("allow", "public-route")
	}
	t.scope = t.tok.cid
	if asked := max(a.cid, r.cid); asked != 0 {
		t.scope = asked
	}
	switch {
	case t.as == "noapi":
		return deny("token-noapi")
	case !t.findPaths():
		return deny("foreign-account")
	case r.shape == nil:
		return t.unknown(a.method)
	case r.route == nil:
		return deny("unknown-method")
	}
	return t.known(a.method)
}

// rootMaster tells the master tokens of a root account. In ids mode nobody else enforces a narrower
// x-flespi-cid, so there it must not be one.
func (t *trial) rootMaster() bool {
	root := t.tok.access == "master" && t.w.parent[t.tok.cid] == 0 && !t.cross && !t.guest
	return root && (t.mode != "ids" || t.scope == t.tok.cid)
}

// unknown is a path that no route has. Under policy.unknown_routes: master the masters of a root
// account get through, but not to what stays closed.
func (t *trial) unknown(method string) opinion {
	known := slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method)
	if t.w.settings.masterRoutes && known && t.rootMaster() && !t.nearClosed() {
		return t.forward("allow", "master-route")
	}
	return deny("unknown-route")
}

// nearClosed is SPEC 4, "Closed", for paths that the catalogue lacks, whatever the settings open:
// what acts on the credential by its first segment or by one that assists, and what continues a
// closed route or leads to nothing but closed ones. Backends that do not mind the case of letters
// must not open it.
func (t *trial) nearClosed() bool {
	var path []string
	for _, s := range t.r.segments {
		path = append(path, strings.ToLower(s))
	}
	if slices.Contains([]string{"auth", "realm", "ai", "mqtt"}, path[0]) || slices.Contains(path, "assistance") {
		return true
	}
	for n := 1; n <= len(path); n++ {
		below, shut, here := 0, 0, false
		for _, r := range oracleRoutes() {
			if len(r.pattern) < n || !fits(r.pattern[:n], path[:n]) {
				continue
			}
			below++
			if r.closed != "" {
				shut++
				here = here || len(r.pattern) == n
			}
		}
		if here || below > 0 && below == shut {
			return true
		}
	}
	return false
}

func fits(pattern, path []string) bool {
	for i, p := range pattern {
		if p != "{}" && p != path[i] {
			return false
		}
	}
	return true
}

func (t *trial) forward(verdict, reason string) opinion {
	printed := slices.Clone(t.r.segments)
	for _, s := range t.r.sels {
		printed[s.at] = s.printed()
	}
	return opinion{verdicts: []string{verdict}, reasons: []string{reason}, segments: printed, query: t.query}
}

// known judges a route of the catalogue: step 8, then the selectors.
func (t *trial) known(method string) opinion {
	route := t.r.route
	own := []string{"auth/info", "auth/regions", "realm/{}/info", "realm/{}/login", "realm/{}/user"}
	if slices.Contains(own, strings.Join(route.pattern, "/")) {
		return opinion{verdicts: []string{"allow"}, reasons: []string{"own-answer"}}
	}
	closed := t.closed()
	open := route.of.Open && method == "GET"
	if !open {
		closed = append(closed, t.blind()...)
	}
	if !open {
		closed = append(closed, t.ungranted(method)...)
	}
	if t.as == "acl" && !open {
		closed = append(closed, t.choose(method)...)
	}
	if len(closed) > 0 {
		return deny(closed...)
	}
	var eights []string
	if t.listed, t.query, eights = t.fields(method); len(eights) > 0 {
		return deny(eights...)
	}
	if open {
		if t.tooMany() {
			return deny("too-many-ids")
		}
		return t.forward("allow", "open-route")
	}
	return t.selectors(method)
}

// closed names what closes the route to this token whatever it asks for.
func (t *trial) closed() (reasons []string) {
	route, engine := t.r.route, t.w.settings
	own := engine.callersKey && (t.tok.access == "master" || t.tok.access == "standard")
	if route.closed == "credential" && !own {
		reasons = append(reasons, "closed-credential")
	}
	if route.closed == "keys" && !own && !engine.forwardKeys {
		reasons = append(reasons, "closed-keys")
	}
	if route.pattern[0] == "platform" && t.as != "master" {
		reasons = append(reasons, "closed-platform")
	}
	if route.pattern[0] != "mqtt" {
		return reasons
	}
	if t.tok.access == "acl" || t.mode == "ids" { // policy.enforce is about entries, and this is none
		reasons = append(reasons, "closed-mqtt")
	}
	for _, s := range t.r.sels {
		if s.kind == "local" && (strings.HasPrefix(s.text, "flespi/") || strings.HasPrefix(s.text, "$")) {
			reasons = append(reasons, "closed-topic")
		}
	}
	return reasons
}

// blind is what the index cannot judge in ids mode.
func (t *trial) blind() []string {
	route := t.r.route
	if t.mode != "ids" || t.rootMaster() {
		return nil
	}
	if route.of.ID != "int" || !route.of.Scoped || !route.own && !route.creates {
		return []string{"closed-scope"}
	}
	return nil
}

// choose finds the one entry that decides. Groups confer methods of the item on members, which are
// there already: nothing to create.
func (t *trial) choose(method string) []string {
	route := t.r.route
	if route.creates && method == "POST" {
		entry := t.tok.choose(route.of.URI, "", "POST")
		switch {
		case entry == nil:
			return []string{"no-entry"}
		case entry.rule != "":
			return []string{"create-limited"}
		}
		return nil
	}
	t.right = t.rightOn(route.of.URI, route.sub, method)
	if t.right.entry == nil || t.right.limited() && !route.own {
		return []string{"no-entry"} // [G] one that names items, where there is none, is no entry
	}
	return nil
}

func (t *trial) tooMany() bool {
	for _, s := range t.r.sels {
		if t.w.settings.maxIDs > 0 && len(s.ids) > t.w.settings.maxIDs {
			return true
		}
	}
	return false
}

// choose is SPEC 4.1: candidates, rank, the first one and only that one.
func (tok *worldToken) choose(collection, sub, method string) *worldEntry {
	var best *worldEntry
	for i := range tok.entries {
		e := &tok.entries[i]
		if !e.covers(collection) || !e.permits(sub, method) {
			continue
		}
		longer := best != nil && len(e.uri) > len(best.uri)
		firmer := best != nil && len(e.uri) == len(best.uri) && e.rule != "" && best.rule == ""
		if best == nil || longer || firmer {
			best = e
		}
	}
	return best
}

func (tok *worldToken) covers(collection string) bool {
	for i := range tok.entries {
		if tok.entries[i].covers(collection) {
			return true
		}
	}
	return false
}

func (e *worldEntry) covers(collection string) bool {
	return e.uri == collection || e.uri == strings.Split(collection, "/")[0]
}

func (e *worldEntry) permits(sub, method string) bool {
	if sub == "" || !e.named && sub != "cid" {
		return permitted(e.methods, method)
	}
	for _, s := range e.subs {
		if s.name == sub && permitted(s.methods, method) {
			return true
		}
	}
	return false
}

func permitted(methods []string, method string) bool {
	return slices.Contains(methods, method) || method == "PATCH" && slices.Contains(methods, "PUT")
}
