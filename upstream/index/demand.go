package index

import (
	"iter"
	"slices"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// TokenShape is what a token is, as far as it says what has to be known.
type TokenShape struct {
	Access  policy.Access
	Entries []policy.Entry
}

// DemandOf returns what the index has to know so that every request of these tokens can be
// judged. It is rather too much than too little: a collection that is not known is a 503. In
// header mode the backend knows whose an item is, and only groups have to be known.
func DemandOf(engine *policy.Engine, holders iter.Seq[TokenShape]) Demand {
	n := needs{engine: engine, groups: engine.Catalogue.WithRole(policy.RoleGroups), seen: map[string]bool{}}
	for h := range holders {
		if name := h.name(); !n.seen[name] {
			n.seen[name] = true
			n.holder(h)
		}
	}
	if !engine.Mode.Index() {
		n.need.Collections = nil
		if len(n.need.Members) > 0 {
			n.need.Collections = []*policy.Collection{n.groups}
		}
	}
	return n.need
}

// needs collects what single tokens need.
type needs struct {
	engine *policy.Engine
	groups *policy.Collection
	need   Demand
	seen   map[string]bool // names of holders
}

// name is the same for holders that need the same: most tokens of a policy look alike.
func (h TokenShape) name() string {
	b := []byte{byte(h.Access)}
	for i := range h.Entries {
		b = append(append(b, h.Entries[i].URI...), byte(h.Entries[i].Rule))
	}
	return string(b)
}

func (n *needs) holder(h TokenShape) {
	for _, c := range n.engine.Catalogue.Collections {
		switch {
		case h.Access == policy.Master, c.MasterOnly:
			if h.Access == policy.Master {
				n.addReachable(c)
			}
		case h.Access == policy.Standard, h.Access == policy.ACLAccess && n.engine.Unenforced:
			n.addReachable(c)
		}
		if h.Access == policy.ACLAccess && !c.MasterOnly {
			n.entries(h.Entries, c)
		}
	}
}

// entries adds what the entries of a token open of a collection: by one of its own, or as
// members of groups.
func (n *needs) entries(entries []policy.Entry, c *policy.Collection) {
	own := covered(entries, c)
	through := c.Grouped && n.groups != nil && covered(entries, n.groups)
	if own || through {
		n.addReachable(c)
	}
	inGroups := slices.ContainsFunc(entries, func(e policy.Entry) bool { return e.Rule == policy.IDsInGroups && e.Covers(c) })
	if through && !own || own && inGroups && c.Grouped {
		n.need.Members = including(n.need.Members, c)
	}
}

func covered(entries []policy.Entry, c *policy.Collection) bool {
	return slices.ContainsFunc(entries, func(e policy.Entry) bool { return e.Covers(c) })
}

// reaches adds a collection and every one that its routes link to.
func (n *needs) addReachable(c *policy.Collection) {
	if c.Topics && !n.engine.Mode.Header() {
		return // closed to everyone
	}
	for _, r := range c.Routes {
		if n.closed(r) {
			continue
		}
		if listing.HasAccounts(c) {
			n.need.Collections = including(n.need.Collections, c)
		}
		for _, linked := range r.Selectors {
			if linked != nil && listing.HasAccounts(linked) {
				n.need.Collections = including(n.need.Collections, linked)
			}
		}
	}
}

// closed reports whether nobody reaches a route: what lists keys is not read either.
func (n *needs) closed(r *policy.Route) bool {
	switch {
	case r.Closed == policy.NotClosed || n.engine.CallersKey:
		return false
	case r.Closed == policy.ByKeys:
		return !n.engine.ForwardKeys
	}
	return true
}

func including(list []*policy.Collection, c *policy.Collection) []*policy.Collection {
	if slices.Contains(list, c) {
		return list
	}
	return append(list, c)
}
