package policy

// right is what permits a method on a slot of a collection: an entry for it or, where a token has
// none, its entry for the groups that the items belong to (SPEC 4.4, Groups). The zero value
// permits nothing.
type right struct {
	entry    *Entry
	viaGroup *Entry // the entry for groups, where members are what is permitted
}

// rightOn returns what permits m on a slot of col. A collection for which the token has an entry is
// decided by that entry alone.
func (e *Engine) rightOn(acl *ACL, col *Collection, slot int, m Method) right {
	entry := acl.Choose(col, slot, m)
	switch {
	case entry == nil && !acl.Covers(col):
		g := e.groupEntry(acl, col, m)
		if g == nil || slot == SlotCID || slot != SlotItem && g.HasSubmodules {
			return right{}
		}
		return right{g, g}
	case entry != nil && entry.Rule == IDsInGroups:
		return right{entry, e.groupEntry(acl, col, GET)}
	}
	return right{entry: entry}
}

// groupEntry returns the entry for groups that confers m on their members in col, or nil. It
// confers nothing if it permits adding members.
func (e *Engine) groupEntry(acl *ACL, col *Collection, m Method) *Entry {
	groups := e.Catalogue.WithRole(RoleGroups)
	if groups == nil || !col.Grouped {
		return nil
	}
	g := acl.Choose(groups, SlotItem, m)
	if g == nil || g.permits(POST, col.Type) {
		return nil
	}
	return g
}

// members returns the ids of the items of col that belong to a group which g permits and which is
// in the scope, ascending. Groups that the token may add members to, by another entry, do not
// count. Without an index there are none.
func (e *Engine) members(in *Input, col *Collection, g *Entry) []int64 {
	if g == nil || in.Items == nil || in.paths.roles || in.paths.cross && !in.paths.full {
		return nil
	}
	groups := e.Catalogue.WithRole(RoleGroups)
	candidates := g.IDs.sorted
	if !g.Limited() {
		candidates = in.Items.Of(groups, in.Scope)
	}
	mayAdd := in.acl().Choose(groups, groups.Slot(col.Type), POST)
	var permitted []int64
	for _, id := range candidates {
		if in.inScope(groups, id) && !(mayAdd != nil && mayAdd.names(id)) {
			permitted = append(permitted, id)
		}
	}
	return in.Items.Members(col, permitted)
}

// names reports whether the entry is about the item.
func (e *Entry) names(id int64) bool {
	return e.Rule == IDsAbsent || e.Rule == IDsAll || e.Rule == IDsList && e.IDs.Has(id)
}
