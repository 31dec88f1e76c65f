package policy_test

import "slices"

// right is what permits something to an acl token: an entry, and the ids that it is about where it
// is about some only.
type right struct {
	entry *worldEntry
	some  bool
	ids   []int64
}

func (r right) limited() bool { return r.some }

// rightOn is SPEC 4.4, Groups: the entry for the collection alone decides; where the token has
// none, or where it says in-groups, its groups do.
func (t *trial) rightOn(collection, sub, method string) right {
	if t.tok.covers(collection) {
		entry := t.tok.choose(collection, sub, method)
		switch {
		case entry == nil:
			return right{}
		case entry.rule == "list":
			return right{entry, true, entry.ids}
		case entry.rule == "in-groups":
			return right{entry, true, t.members(collection, t.conferring(collection, "GET"))}
		}
		return right{entry: entry}
	}
	group := t.conferring(collection, method)
	if group == nil || sub == "cid" || sub != "" && group.named {
		return right{}
	}
	return right{group, true, t.members(collection, group)}
}

// conferring is the groups entry that confers a method of its item. One that permits to choose the
// members confers nothing.
func (t *trial) conferring(collection, method string) *worldEntry {
	kind := map[string]string{"gw/devices": "devices", "gw/assets": "assets", "gw/geofences": "geofences"}[collection]
	if kind == "" {
		return nil
	}
	group := t.tok.choose("gw/groups", "", method)
	if group == nil || group.permits(kind, "POST") {
		return nil
	}
	return group
}

// members are the items in the groups that the entry permits and that lie in the scope, without
// groups whose members another entry lets the token choose.
func (t *trial) members(collection string, group *worldEntry) (ids []int64) {
	if group == nil || t.cross {
		return nil // a group of somebody else gives nothing on its members
	}
	chooser := t.tok.choose("gw/groups", collection[len("gw/"):], "POST")
	for id, owner := range t.w.index["gw/groups"] {
		if t.w.inBranch(t.scope, owner) && group.names(id) && (chooser == nil || !chooser.names(id)) {
			ids = append(ids, t.w.members[collection][id]...)
		}
	}
	return ids
}

func (e *worldEntry) names(id int64) bool {
	return e.rule == "" || e.rule == "all" || e.rule == "list" && slices.Contains(e.ids, id)
}
