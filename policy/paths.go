package policy

// A request may have several access paths (SPEC 11): the branch of the acting account, and what was
// granted to that account. They are united per item, at the level of accounts; then the entry of the
// token narrows what is left. Most requests have the branch alone, and are judged by the code that
// knows nothing else: what follows costs them one comparison.

// accessPaths are the access paths of a request. The zero value is the branch of Input.Scope.
type accessPaths struct {
	grants []*Grant  // beside the branch, or instead of it; some may not be in force
	cross  bool      // Input.Scope is a grantor outside of the branch of the token's account
	full   bool      // cross: a grant says operate-as, so that the grantor's branch is the path
	roles  bool      // they are what the roles of the token reach, instead of the branch
	role   *UserRole // whose entries count now; nil: the token's own
	state  uint64    // which of the grants were in force
}

// PathState says on which grants a decision rests, to be compared later.
type PathState struct {
	paths  accessPaths
	grants *Grants
	blocks Blocks
}

// PathState returns on which grants the decision about in rests.
func (in *Input) PathState() PathState { return PathState{in.paths, in.Grants, in.Blocks} }

// Moved reports whether a grant has come into force or has ended since: grants are those of now.
func (p *PathState) Moved(grants *Grants, at int64) bool {
	if p.grants != grants {
		return true
	}
	if p.paths.state == 0 && p.paths.grants == nil {
		return false
	}
	in := Input{At: at, Blocks: p.blocks}
	return in.stateOf(p.paths.grants) != p.paths.state
}

// stateOf returns a number that tells apart which of some grants are in force; 0: none is.
func (in *Input) stateOf(grants []*Grant) (state uint64) {
	for _, g := range grants {
		if in.InForce(g) {
			x := uint64(g.ID) * 0x9e3779b97f4a7c15
			state += (x ^ x>>29) | 1
		}
	}
	return state
}

// findPaths adds what was granted to the acting account, whose branch the request may touch. Where
// the backend enforces the tree by a header nothing is united: there is one header, and one path.
func (e *Engine) findPaths(in *Input) {
	if in.Grants == nil || !e.Mode.Index() {
		return
	}
	if grants := in.Grants.to[in.Scope]; len(grants) > 0 {
		if state := in.stateOf(grants); state != 0 {
			in.paths = accessPaths{grants: grants, state: state}
		}
	}
}

// crossAccount judges a request under an account outside of the branch: one that has granted
// something to the token's own account. Its grants are the only paths then, and they are not
// followed further.
func (e *Engine) crossAccount(in *Input) Reason {
	grants := in.Grants.From(in.Scope, in.Token.CID)
	_, found := in.Tree.Account(in.Scope)
	state := in.stateOf(grants)
	if state == 0 || !found || e.Mode == ModeNone {
		in.Scope = 0
		return ForeignAccount
	}
	in.paths = accessPaths{grants: grants, cross: true, state: state}
	for _, g := range grants {
		in.paths.full = in.paths.full || g.operates() && in.InForce(g)
	}
	return NotJudged
}

// CrossAccount reports whether the request is made under an account that granted something to the
// token's account, outside of its branch.
func (in *Input) CrossAccount() bool { return in.paths.cross }

// OperatesAs reports whether it is made as that account.
func (in *Input) OperatesAs() bool { return in.paths.full }

// United reports whether there is more than the branch of in.Scope, or less.
func (in *Input) United() bool { return in.paths.roles || in.paths.grants != nil && !in.paths.full }

// HasGrants reports whether something is granted to the acting account beside what it has, or in its place.
func (in *Input) HasGrants() bool { return in.paths.grants != nil && !in.paths.full }

// crossRoute reports whether a cross-account request may use its route at all. Who operates as the
// grantor may read its accounts and limits below /platform, and nothing else: a guest leaves no key
// behind [G].
func (e *Engine) crossRoute(in *Input) bool {
	r, col := in.Request, in.Request.Route.Collection
	switch {
	case col.OpenTo(r.Method):
		return true
	case col.MasterOnly || col.Module == "platform":
		return in.paths.full && r.Method == GET && guestReads(r.Route)
	case in.paths.full:
		return true
	case r.Route.Creates && r.Method == POST:
		for _, g := range in.paths.grants {
			if g.creates(col) && in.InForce(g) {
				return true
			}
		}
		return false
	}
	return r.Route.Item && col.Grantable()
}

// guestReads reports whether a guest may read a route below /platform.
func guestReads(r *Route) bool {
	switch r.Collection.URI {
	case "platform/subaccounts", "platform/limits":
		return r.Path == "/{}"
	case "platform/customer":
		return r.Path == "/"
	}
	return false
}

// reach is what one access path opens at one selector: the items of the accounts from in to out in
// the walk through the tree; where some is set, only those of them that are in ids.
type reach struct {
	top     int64 // the account above them
	grant   *Grant
	role    *UserRole
	single  bool // of a role: the account itself, and not those below it
	in, out int32
	some    bool
	roots   bool // and what waits at the roots
	ids     cursor
}

// granted is what a Decision holds for requests that have other access paths than the branch. It is
// made once, and reused with the Decision.
type granted struct {
	reaches []reach
	at      [][]reach // by selector; nil: it is judged by the branch, or holds no ids
	account int64     // under which the request goes out; 0: that of the scope
	apart   bool      // no account is above all its items, so that it goes out in parts
	used    bool      // some item is permitted by a grant
}

func (g *granted) reset() {
	*g = granted{reaches: g.reaches[:0], at: g.at[:0]}
}

// Granted reports whether some of the items are permitted by a grant.
func (d *Decision) Granted() bool { return d.granted != nil && d.granted.used }

// reachesAt returns what the access paths open at selector i, and whether there is more than the
// branch to judge it by, or less.
func (d *Decision) reachesAt(i int) (reaches []reach, united bool) {
	if d.granted == nil || i >= len(d.granted.at) || d.granted.at[i] == nil {
		return nil, false
	}
	return d.granted.at[i], true
}

// united reports whether some selector is judged by more than the branch, or less.
func (d *Decision) united() bool { return d.granted != nil && len(d.granted.at) > 0 }

// findReaches finds what the paths open at selector i. A path that does not permit the request's method
// opens nothing.
func (e *Engine) findReaches(d *Decision, in *Input, i int) []reach {
	if d.granted == nil {
		d.granted = new(granted)
	}
	g := d.granted
	from := len(g.reaches)
	switch {
	case in.paths.roles:
		e.addRoles(d, in, i)
	case !in.paths.cross:
		g.add(in, reach{top: in.Scope, roots: in.Tree.Root(in.Scope)})
		fallthrough
	default:
		e.addGranted(g, in, i)
	}
	for len(g.at) <= i {
		g.at = append(g.at, nil)
	}
	found := g.reaches[from:len(g.reaches):len(g.reaches)]
	if found == nil {
		found = noReach[:0]
	}
	g.at[i] = found
	return found
}

// noReach is what no path opens.
var noReach [0]reach

func (e *Engine) addGranted(d *granted, in *Input, i int) {
	s := &in.Request.Selectors[i]
	need := in.levelsAt(i)
	if need == 0 {
		return
	}
	for _, g := range in.paths.grants {
		if !in.InForce(g) {
			continue
		}
		for j := range g.Access {
			if a := &g.Access[j]; a.givesAt(s, need) {
				d.add(in, reach{top: g.CID, grant: g, some: !a.All && a.URI != AccountURI, ids: cursor{set: a.IDs.sorted}})
			}
		}
	}
}

// levelsAt returns the levels one of which has to be granted on the items of selector i; 0: no grant
// gives what is asked for there.
func (in *Input) levelsAt(i int) LevelSet {
	r, s := in.Request, &in.Request.Selectors[i]
	need := linkedLevels(r.Route, r.Method, s.Collection)
	if i == 0 && r.Route.Item {
		need = r.Route.levels[r.Method]
	}
	if need != 0 && s.Collection.keepsLogs() && in.readsLogs(i) {
		return 0
	}
	return need
}

// givesAt reports whether an element gives one of some levels on the items that a selector names. What a
// match compares it reads.
func (a *GrantAccess) givesAt(s *Selector, need LevelSet) bool {
	return a.gives(s.Collection, need) && (!s.Match() || a.gives(s.Collection, LevelView))
}

// add appends a reach; top has to be in the tree.
func (g *granted) add(in *Input, r reach) {
	n, found := in.Tree.Ordinal(r.top)
	if !found {
		return
	}
	r.in, r.out = in.Tree.branches[n].in, in.Tree.branches[n].out
	if r.single && r.in == r.out {
		r.single = false // nothing is below it
	}
	if r.single {
		r.out = r.in
	}
	g.reaches = append(g.reaches, r)
}

// readsLogs reports whether the request asks for logs of the items of selector i as a field, or by an
// expression, which may be about anything.
func (in *Input) readsLogs(i int) bool {
	r, s := in.Request, &in.Request.Selectors[i]
	if s.Kind == SelectExpression {
		return true
	}
	logs := s.Collection.Slot("logs")
	named := s.Collection.tested(s)
	if i == r.Route.RowsAt {
		asked, _, ok := s.Collection.readFields(r.param(paramFields))
		inData, _, dataOK := s.Collection.readFields(in.DataFields.Names)
		if !ok || !dataOK || in.DataFields.Bad || in.DataFields.Filter {
			return true
		}
		named |= asked | inData
	}
	return logs > 0 && named.Has(logs)
}

// place is where in the walk through the tree an account is: neighbours in a list mostly have the same.
type place struct {
	cid int64
	at  int32
}

// opens returns the first reach that holds an item, or nil. last is reused from item to item.
func opens(in *Input, col *Collection, reaches []reach, id int64, last *place) *reach {
	cid, known := in.Items.Account(col, id)
	if !known {
		return nil
	}
	if cid == AtRoots {
		for i := range reaches {
			if reaches[i].roots {
				return &reaches[i]
			}
		}
		return nil
	}
	if cid != last.cid {
		n, found := in.Tree.Ordinal(cid)
		if !found {
			return nil
		}
		*last = place{cid, in.Tree.branches[n].in}
	}
	for i := range reaches {
		if r := &reaches[i]; r.in <= last.at && last.at <= r.out && (!r.some || r.ids.has(id)) {
			return r
		}
	}
	return nil
}

// Admits reports whether the accounts of the request's access paths let it reach an item at selector
// i, whatever the entries say, and by which grant: nil is the branch.
func (d *Decision) Admits(in *Input, i int, id int64) (by *Grant, ok bool) {
	col := in.Request.Selectors[i].Collection
	reaches, united := d.reachesAt(i)
	if !united {
		return nil, in.inScope(col, id)
	}
	r := opens(in, col, reaches, id, new(place))
	if r == nil {
		return nil, false
	}
	return r.grant, true
}

// RoleOf returns the role by which an item at selector i is reached, nil where none is or the token has none.
func (d *Decision) RoleOf(in *Input, i int, id int64) *UserRole {
	reaches, united := d.reachesAt(i)
	if !united {
		return nil
	}
	if r := opens(in, in.Request.Selectors[i].Collection, reaches, id, new(place)); r != nil {
		return r.role
	}
	return nil
}

// Tops returns the accounts under which the items are found that the match at selector i may name: one
// for each root above the access paths, as near to them as can be.
func (d *Decision) Tops(in *Input, i int) (tops []int64) {
	reaches, united := d.reachesAt(i)
	if !united {
		return []int64{in.Scope}
	}
next:
	for _, r := range reaches {
		for j, top := range tops {
			if common, found := in.Tree.common(top, r.top); found {
				tops[j] = common
				continue next
			}
		}
		tops = append(tops, r.top)
	}
	return tops
}

// common returns the nearest account whose branch holds both.
func (t *Tree) common(a, b int64) (int64, bool) {
	i, found := t.Ordinal(a)
	if !found {
		return 0, false
	}
	for at := int32(i); at >= 0; at = t.branches[at].up {
		if cid := t.accounts[at].ID; t.Contains(cid, b) {
			return cid, true
		}
	}
	return 0, false
}
