package isolation

import "slices"

// body judges the keys of a body that mean something (SPEC 2, 4.4).
func (j *judge) body(want *Want, a *Ask) {
	b := a.Body
	if b == nil {
		return
	}
	switch {
	case a.creates() && b.ID != 0:
		want.Outcome = Malformed
	case a.item() && b.ID != 0 && !addressed(want, a, b.ID):
		want.Outcome, want.Denied = DeniedBody, []Ref{{kind(a.Coll), b.ID}}
	case b.CID == 0:
	case !j.Below(j.scope, b.CID):
		want.Outcome, want.Denied = DeniedCID, []Ref{{"accounts", b.CID}}
	case a.item() && (a.Method == "PUT" || a.Method == "PATCH") && !j.mayMove(want, a):
		want.Outcome = NotPermitted
	}
}

// addressed reports whether an id is one of those that the request goes to.
func addressed(want *Want, a *Ask, id int64) bool {
	if !want.Own.Verbatim {
		return slices.Contains(want.Own.IDs, id)
	}
	return a.Sel.Form == selAll || slices.Contains(a.Sel.IDs, id)
}

// mayMove reports whether the token may move all items that it changes: a cid in the body is the
// same move as PUT …/cid.
func (j *judge) mayMove(want *Want, a *Ask) bool {
	if j.t.Access != aclType {
		return true
	}
	g, ok := j.grant(a.Coll, "PUT", "cid")
	if !ok || !g.limited {
		return ok
	}
	ids := want.Own.IDs
	if want.Own.Verbatim {
		if ids = a.Sel.IDs; a.Sel.Form != selIDs {
			return false
		}
	}
	return !slices.ContainsFunc(ids, func(id int64) bool { return !g.has(id) })
}

// fit says what becomes of lists that are too long for one target (SPEC 4.5).
func (j *judge) fit(want *Want, a *Ask) {
	if len(j.target(want, a)) <= maxTarget {
		return
	}
	if j.Mode == ModeBoth { // "all" under the header says the same
		want.Own.Verbatim = want.Own.Verbatim || want.Own.Whole
		want.Linked.Verbatim = want.Linked.Verbatim || want.Linked.Whole
		if len(j.target(want, a)) <= maxTarget {
			return
		}
	}
	perItem := a.Sub == "telemetry" || a.item()
	if a.Method != "GET" || !perItem {
		want.Outcome = Malformed
		return
	}
	want.Split = true
	if a.Paged {
		want.Own.IDs = page(want.Own.IDs, a)
	}
}

// target prints what the backend would be sent.
func (j *judge) target(want *Want, a *Ask) string {
	return a.path(reachText(want.Own, a.Sel), reachText(want.Linked, a.LinkedSel)) + a.query(0)
}

func reachText(r Reach, s Selector) string {
	if r.Verbatim {
		return s.printed()
	}
	return joinIDs(r.IDs, ",")
}

// rows says what the client has to be shown; nil where that is not judged.
func (j *judge) rows(want *Want, a *Ask) {
	seen := make([]int64, 0, len(want.Own.IDs))
	for _, id := range want.Own.IDs { // in header mode an entry may name what is not there
		if j.Items[a.Coll][id] != nil && (j.Mode != ModeHeader || j.inScope(a.Coll, id)) {
			seen = append(seen, id)
		}
	}
	switch {
	case a.Linked != "":
		want.Rows = j.pairs(want, a, seen)
		return
	case a.Sub != "" && a.Sub != "telemetry" && a.Sub != "cid":
		return
	case a.Paged && a.Sub == "" && !want.Split && a.Method == "GET":
		seen = page(seen, a)
	}
	want.Rows = make([]Row, 0, len(seen))
	for _, id := range seen {
		want.Rows = append(want.Rows, Row{ID: id})
	}
}

// pairs returns the links between what may be reached on both sides.
func (j *judge) pairs(want *Want, a *Ask, parents []int64) []Row {
	rows := []Row{}
	for _, parent := range parents {
		children := j.Links[a.link()][parent]
		for _, child := range want.Linked.IDs {
			exists := j.Items[a.Linked][child] != nil && (j.Mode != ModeHeader || j.inScope(a.Linked, child))
			if exists && (children[child] || a.Method == "POST") {
				rows = append(rows, Row{parent, child})
			}
		}
	}
	return rows
}

// page returns the part of ids that limit and offset ask for.
func page(ids []int64, a *Ask) []int64 {
	ids = ids[min(a.Offset, len(ids)):]
	return ids[:min(a.Limit, len(ids))]
}
