package isolation

import "slices"

// set is what a right is about: everything, or some ids.
type set struct {
	everything bool
	ids        map[int64]bool
}

func (s set) has(id int64) bool { return s.everything || s.ids[id] }

// grant is a right that a token has on a collection: the entry that gives it and the items.
type grant struct {
	entry *Entry
	set
	limited bool
}

// covers reports whether an entry is about a collection, whatever it permits.
func (e *Entry) covers(uri string) bool { return e.URI == uri || e.URI+"/" == kindless(uri) }

// kindless returns the module with its slash: "gw/".
func kindless(uri string) string { return uri[:len(uri)-len(kind(uri))] }

// permits reports whether an entry permits a method on the item ("") or a submodule (SPEC 4.1).
func (e *Entry) permits(method, sub string) bool {
	methods := e.Methods
	switch {
	case sub == "":
	case e.Named:
		methods = e.Subs[sub]
	case sub == "cid": // moving is never implied
		return false
	}
	return slices.Contains(methods, method) || method == "PATCH" && slices.Contains(methods, "PUT")
}

// choose returns the one entry that decides, or nil: longer uri first, then with ids before
// without, then the order of the list.
func (t *Token) choose(uri, method, sub string) *Entry {
	var best *Entry
	for i := range t.Entries {
		e := &t.Entries[i]
		switch {
		case !e.covers(uri) || !e.permits(method, sub):
		case best == nil, len(e.URI) > len(best.URI):
			best = e
		case len(e.URI) == len(best.URI) && e.IDs != idsAbsent && best.IDs == idsAbsent:
			best = e
		}
	}
	return best
}

// hasEntry reports whether any entry is about a collection.
func (t *Token) hasEntry(uri string) bool {
	return slices.ContainsFunc(t.Entries, func(e Entry) bool { return e.covers(uri) })
}

// grouped reports whether items of a collection are members of groups.
func grouped(uri string) bool { return uri == devices || uri == geofences }

// judge is the oracle's view of one request: who asks in which scope.
type judge struct {
	*World
	t     *Token
	scope int64
}

// grant returns the right to do something to items of a collection, or none.
func (j *judge) grant(uri, method, sub string) (grant, bool) {
	e := j.t.choose(uri, method, sub)
	if e != nil {
		switch e.IDs {
		case idsList:
			ids := map[int64]bool{}
			for _, id := range e.List {
				ids[id] = true
			}
			return grant{e, set{ids: ids}, true}, true
		case idsGroups:
			return grant{e, j.members(uri, j.confers(uri, "GET")), true}, true
		}
		return grant{e, set{everything: true}, false}, true
	}
	g := j.confers(uri, method)
	if j.t.hasEntry(uri) || g == nil || sub == "cid" || sub != "" && g.Named {
		return grant{}, false
	}
	return grant{g, j.members(uri, g), true}, true
}

// confers returns the entry for groups that gives a method on their members, or nil. An entry that
// lets its holder choose the members gives nothing.
func (j *judge) confers(uri, method string) *Entry {
	if !grouped(uri) {
		return nil
	}
	g := j.t.choose(groups, method, "")
	if g == nil || g.permits("POST", kind(uri)) {
		return nil
	}
	return g
}

// members returns the items in a group that g is about, that is in the scope, and whose members the
// token cannot choose by any entry.
func (j *judge) members(uri string, g *Entry) set {
	ids := map[int64]bool{}
	if g == nil {
		return set{ids: ids}
	}
	key := memberKey{branchKey{uri, j.scope}, j.t, g}
	if known, ok := j.memo.members[key]; ok {
		return set{ids: known}
	}
	chooser := j.t.choose(groups, "POST", kind(uri))
	for group, children := range j.Links[Link{groups, uri}] {
		it := j.Items[groups][group]
		if it == nil || !j.Below(j.scope, it.CID) || !g.names(group) || chooser != nil && chooser.names(group) {
			continue
		}
		for id := range children {
			// No single scope can show an item below another root than its group.
			if member := j.Items[uri][id]; member != nil && j.root(member.CID) == j.root(it.CID) {
				ids[id] = true
			}
		}
	}
	j.memo.members[key] = ids
	return set{ids: ids}
}

// names reports whether an entry for groups is about a group. Groups are in no groups.
func (e *Entry) names(id int64) bool {
	switch e.IDs {
	case idsList:
		return slices.Contains(e.List, id)
	case idsGroups:
		return false
	}
	return true
}

// linkGrant returns what an acl token may name at a linked place (SPEC 4.3), and whether it may at
// all.
func (j *judge) linkGrant(a *Ask) (grant, bool) {
	g, ok := j.grant(a.Linked, "GET", "")
	writes := a.Method != "GET"
	switch {
	case ok:
	case j.t.hasEntry(a.Linked): // an entry without GET permits no id
		g = grant{nil, set{}, true}
	case writes:
		return grant{}, false
	default:
		g = grant{nil, set{everything: true}, false}
	}
	carries := a.Coll == streams || a.Coll == calcs || a.Coll == groups
	if !carries || a.Method != "POST" && a.Method != "PUT" {
		return g, true
	}
	if a.Linked == groups {
		read, any := j.t.choose(devices, "GET", ""), j.t.choose(devices, "GET", "messages")
		return g, read != nil && any != nil && !limits(read) && !limits(any)
	}
	m, ok := j.grant(a.Linked, "GET", "messages")
	if !ok {
		return grant{}, false
	}
	return both(g, m), true
}

func limits(e *Entry) bool { return e.IDs == idsList || e.IDs == idsGroups }

// both returns what two rights have in common.
func both(g, m grant) grant {
	switch {
	case m.everything:
	case g.everything:
		g.set = m.set
	default:
		common := map[int64]bool{}
		for id := range g.ids {
			common[id] = m.ids[id]
		}
		g.ids = common
	}
	g.limited = g.limited || m.limited
	return g
}
