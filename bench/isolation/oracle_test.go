package isolation

import "slices"

// The modes of scope.mode.
const (
	ModeIDs    = "ids"
	ModeBoth   = "both"
	ModeHeader = "header"
)

// maxTarget is upstream.max_url_bytes of the gateway under test.
const maxTarget = 8000

// What becomes of a request.
const (
	Forwarded    = "forwarded"
	Empty        = "empty"         // 200 {"result":[]}
	NotPermitted = "not permitted" // 403, code 8
	DeniedItems  = "denied items"  // 403, one code 6 each
	DeniedCID    = "denied account"
	DeniedBody   = "denied item of the body"
	Malformed    = "malformed" // 400
)

// Ref names an item in an error.
type Ref struct {
	Kind string
	ID   int64
}

// Reach is what a selector may become. Verbatim: it passes as it was asked, and the backend judges
// it.
type Reach struct {
	Verbatim bool
	Whole    bool    // nothing but the scope limits it, and "all" was asked for
	IDs      []int64 // in the order of the answer; of a verbatim one those that exist in the scope
}

// Want is what has to come of a request.
type Want struct {
	Outcome     string
	Denied      []Ref
	Own, Linked Reach
	Rows        []Row
	Split       bool  // the permitted ids do not fit one target
	Hides       bool  // no row may show telemetry
	Scope       int64 // the account of the scope
}

// Row is a row of an answer: an item, or a link.
type Row struct{ ID, Child int64 }

// Judge says what has to come of a request by a token.
func (w *World) Judge(t *Token, a *Ask) *Want {
	j := judge{w, t, t.CID}
	if t.Access == noapi { // step 4: before anything that the request says
		return &Want{Outcome: NotPermitted}
	}
	if asked := a.HeaderCID + a.QueryCID; asked != 0 {
		if !w.Below(t.CID, asked) {
			return &Want{Outcome: DeniedCID, Denied: []Ref{{"accounts", asked}}}
		}
		j.scope = asked
	}
	want := &Want{Outcome: Forwarded, Scope: j.scope, Hides: j.hides(a)}
	if a.creates() {
		j.creation(want, a)
	} else {
		j.selectors(want, a)
	}
	if want.Outcome == Forwarded {
		j.body(want, a)
	}
	if want.Outcome == Forwarded && !a.creates() {
		j.fit(want, a)
		j.rows(want, a)
	}
	return want
}

// creation needs an entry without ids.
func (j *judge) creation(want *Want, a *Ask) {
	if e := j.t.choose(a.Coll, "POST", ""); j.t.Access == aclType && (e == nil || e.IDs != idsAbsent) {
		want.Outcome = NotPermitted
	}
}

// selectors judges each selector on its own, then all of them.
func (j *judge) selectors(want *Want, a *Ask) {
	own, linked := grant{nil, set{everything: true}, false}, grant{nil, set{everything: true}, false}
	if j.t.Access == aclType {
		ok := false
		if own, ok = j.grant(a.Coll, a.Method, subName(a)); !ok {
			want.Outcome = NotPermitted
			return
		}
		if j.listFault(a) {
			want.Outcome = Malformed
			return
		}
		if own, ok = j.atPlace(own, place{a.Coll, a.Sel, false}, a); !ok {
			want.Outcome = NotPermitted
			return
		}
		if a.Linked != "" {
			if linked, ok = j.linkGrant(a); ok {
				linked, ok = j.atPlace(linked, place{a.Linked, a.LinkedSel, true}, a)
			}
			if !ok {
				want.Outcome = NotPermitted
				return
			}
		}
	}
	indexed := j.Mode == ModeIDs || j.Mode == ModeBoth && a.LinkedSel.Form == selCond
	if a.LinkedSel.match() && (linked.limited || j.t.Access == aclType && linked.entry == nil || indexed) {
		want.Outcome = Malformed
		return
	}
	want.Own = j.part(want, place{a.Coll, a.Sel, false}, own)
	if a.Linked != "" {
		want.Linked = j.part(want, place{a.Linked, a.LinkedSel, true}, linked)
		if a.LinkedSel.match() && a.LinkedSel.Form != selCond && a.Method != "POST" {
			want.Linked.IDs = nil // it is about the link, and no link has a color
		}
	}
	nothing := nothingLeft(want.Own) || a.Linked != "" && nothingLeft(want.Linked)
	switch {
	case nothing && len(want.Denied) > 0:
		want.Outcome = DeniedItems
	case nothing:
		want.Outcome = Empty
	}
}

// subName is what an entry calls the submodule of a request.
func subName(a *Ask) string {
	if a.Linked != "" {
		return kind(a.Linked)
	}
	return a.Sub
}

// atPlace narrows a right by the fields at one place, and reports whether a match there may read
// what it reads.
func (j *judge) atPlace(g grant, p place, a *Ask) (grant, bool) {
	list := a.Fields
	if a.rowsOf() != p.uri || p.linked != (a.Linked != "") {
		list = ""
	}
	narrowed, ok := j.reach(g, p, list)
	readable := !p.sel.match() || g.entry == nil || g.entry.permits("GET", "") &&
		!(p.sel.Form == selExpr && (g.entry.Named || j.t.hasEntry(p.uri) && j.splits(p.uri)))
	return narrowed, ok && readable
}

func nothingLeft(r Reach) bool { return !r.Verbatim && len(r.IDs) == 0 }

// place is where a selector is.
type place struct {
	uri    string
	sel    Selector
	linked bool
}

// part returns what becomes of one selector and notes what is denied.
func (j *judge) part(want *Want, p place, g grant) Reach {
	uri, s := p.uri, p.sel
	indexed := j.Mode != ModeHeader
	if !g.limited && (!indexed || s.match() && p.linked) {
		return Reach{Verbatim: true, IDs: j.visible(uri, s)}
	}
	permitted := func(id int64) bool { return g.has(id) && (!indexed || j.inScope(uri, id)) }
	var r Reach
	switch {
	case s.Form == selIDs, s.Form == selCond:
		for _, id := range s.IDs {
			it := j.Items[uri][id]
			switch {
			case !permitted(id):
				want.Denied = append(want.Denied, Ref{kind(uri), id})
			case s.Form == selIDs, j.inScope(uri, id) && s.satisfied(it):
				r.IDs = append(r.IDs, id)
			}
		}
	case s.match():
		for _, id := range j.visible(uri, s) {
			if permitted(id) {
				r.IDs = append(r.IDs, id)
			}
		}
	case g.everything:
		r.IDs, r.Whole = j.Branch(uri, j.scope), !g.limited
	default:
		for id, yes := range g.ids {
			if yes && permitted(id) {
				r.IDs = append(r.IDs, id)
			}
		}
		slices.Sort(r.IDs)
	}
	return r
}

// visible returns what a selector names in the scope, in the order of an answer.
func (j *judge) visible(uri string, s Selector) []int64 {
	var ids []int64
	switch {
	case s.Form == selAll:
		return j.Branch(uri, j.scope)
	case len(s.IDs) > 0:
		for _, id := range s.IDs {
			if j.inScope(uri, id) && (!s.match() || s.satisfied(j.Items[uri][id])) {
				ids = append(ids, id)
			}
		}
	default:
		for _, id := range j.Branch(uri, j.scope) {
			if s.satisfied(j.Items[uri][id]) && (s.Form != selHidden || uri == devices) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

func (j *judge) inScope(uri string, id int64) bool {
	it := j.Items[uri][id]
	return it != nil && j.Below(j.scope, it.CID)
}

// Branch returns the items of an account and all below it, ascending.
func (w *World) Branch(uri string, cid int64) []int64 {
	key := branchKey{uri, cid}
	if ids, known := w.memo.branches[key]; known {
		return ids
	}
	var ids []int64
	for _, id := range w.sorted[uri] {
		if w.Below(cid, w.Items[uri][id].CID) {
			ids = append(ids, id)
		}
	}
	w.memo.branches[key] = ids
	return ids
}

// memo keeps what takes long to compute and is needed again and again. Any change empties it.
type memo struct {
	branches map[branchKey][]int64
	members  map[memberKey]map[int64]bool
}

type branchKey struct {
	uri string
	cid int64
}

type memberKey struct {
	branchKey
	token *Token
	entry *Entry
}

// Changed forgets what was derived from the world as it was.
func (w *World) Changed() {
	w.memo = memo{map[branchKey][]int64{}, map[memberKey]map[int64]bool{}}
}
