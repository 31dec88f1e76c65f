package policy_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"aclgate/policy"
)

// FuzzNoDeniedID: no id that was denied, and none outside of the entry or of the scope, stands in a
// printed target; nothing is printed of a part that has nothing left.
func FuzzNoDeniedID(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(spread(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { noDeniedID(t, data) })
}

func TestNoDeniedID(t *testing.T) {
	for seed := range uint64(5000) {
		noDeniedID(t, spread(seed))
	}
}

func noDeniedID(t *testing.T, data []byte) {
	t.Helper()
	w, a := newDice(data).world()
	e := newEngine(t, w)
	got := e.ask(a)
	if got.verdict == "unresolved" {
		t.Errorf("%v: unresolved with all facts", a)
	}
	if got.target == "" || e.r.Route == nil {
		return
	}
	path, _, _ := strings.Cut(got.target, "?")
	segments := strings.Split(path, "/")[1:]
	if slices.Contains(segments, "") {
		t.Fatalf("%v: %v has an empty segment", a, got.target)
	}
	pattern := strings.Split(strings.TrimPrefix(e.r.Route.String(), "/"), "/")
	next := 0
	for i, p := range pattern {
		if p != "{}" {
			continue
		}
		place := placeOf{e: e, a: a, i: next, printed: segments[i]}
		place.check(t)
		next++
	}
}

// placeOf is one selector as it was printed.
type placeOf struct {
	e       *engine
	a       ask
	i       int
	printed string
}

func (p placeOf) check(t *testing.T) {
	t.Helper()
	part, s := &p.e.d.Selectors[p.i], &p.e.r.Selectors[p.i]
	if part.As == policy.AsNothing || part.As == policy.AsIDs && len(part.IDs) == 0 {
		t.Errorf("%v: a part with nothing left was printed as %q", p.a, p.printed)
	}
	if !s.ByID() || p.e.d.Reason == policy.OpenRoute {
		return
	}
	if p.printed == "all" || strings.Contains(p.printed, "=") || strings.Contains(p.printed, "%7B") {
		p.checkWide(t)
		return
	}
	for _, word := range strings.Split(p.printed, ",") {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Errorf("%v: %q stands where ids belong", p.a, p.printed)
		}
		p.checkID(t, s, id)
	}
}

// checkWide: a selector that names no ids stays only where nothing but a header limits the token;
// at a linked place a match speaks of the link.
func (p placeOf) checkWide(t *testing.T) {
	t.Helper()
	link := p.i > 0 && p.printed != "all"
	if p.e.w.settings.mode != "header" && p.e.r.Selectors[p.i].Collection.Scoped && (!link || p.e.w.settings.mode == "ids") {
		t.Errorf("%v: %q was printed although the index knows whose items there are", p.a, p.printed)
	}
	if entry := p.entry(); entry != nil && (entry.rule == "list" || entry.rule == "in-groups") {
		t.Errorf("%v: %q was printed for a limited token", p.a, p.printed)
	}
}

// entry is the one that the oracle chooses for the collection of this place, nil for tokens that
// are not judged by any.
func (p placeOf) entry() *worldEntry {
	tok := p.e.w.tokens[p.a.token]
	if tok.access != "acl" || p.e.w.settings.unenforced {
		return nil
	}
	if p.i == 0 && p.e.r.Route.Item {
		sub := strings.Split(strings.Trim(p.e.r.Route.Path, "/")+"/", "/")[1]
		return tok.choose(p.e.r.Route.Collection.URI, sub, p.a.method)
	}
	return tok.choose(p.e.r.Selectors[p.i].Collection.URI, "", "GET")
}

func (p placeOf) checkID(t *testing.T, s *policy.Selector, id int64) {
	t.Helper()
	w := p.e.w
	if slices.Contains(p.e.d.Selectors[p.i].Denied, id) {
		t.Errorf("%v: the denied id %d was printed", p.a, id)
	}
	if entry := p.entry(); entry != nil && entry.rule == "list" && !slices.Contains(entry.ids, id) {
		t.Errorf("%v: %d was printed, which the entry %+v does not name", p.a, id, *entry)
	}
	if w.settings.mode == "header" || !s.Collection.Scoped {
		return
	}
	owner, known := w.index[s.Collection.URI][id]
	if !known {
		owner = w.unlisted[s.Collection.URI][id]
	}
	scope := max(p.a.cid, p.e.r.CID)
	if scope == 0 {
		scope = w.tokens[p.a.token].cid
	}
	granted := slices.ContainsFunc(w.grants, func(g worldGrant) bool {
		named := slices.ContainsFunc(g.access, func(a worldAccess) bool {
			return a.uri == "account" || a.uri == s.Collection.URI && (a.all || slices.Contains(a.ids, id))
		})
		cross := g.cid == scope && slices.Contains(g.to, w.tokens[p.a.token].cid)
		return w.gives(g) && named && w.inBranch(g.cid, owner) && (cross || slices.Contains(g.to, scope))
	})
	if !granted && !w.inBranch(scope, owner) {
		t.Errorf("%v: %d was printed, which lies in account %d", p.a, id, owner)
	}
}
