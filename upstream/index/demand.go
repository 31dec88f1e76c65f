package index

import (
	"iter"
	"slices"

	"aclgate/policy"
	"aclgate/upstream/listing"
)

// Demand is what some token can reach; nothing else is read.
type Demand struct {
	Collections []*policy.Collection // items of
	Members     []*policy.Collection // members of groups in: devices, assets, geofences
}

// TokenShape is what a token is, as far as it says what has to be known.
type TokenShape struct {
	Access  policy.Access
	Entries []policy.Entry
}

// DemandOf returns what the index has to know so that every request of these tokens can be judged.
// It is rather too much than too little: a collection that is not known is a 503. In header mode
// the backend knows the accounts of items, and only groups have to be known.
func DemandOf(engine *policy.Engine, shapes iter.Seq[TokenShape]) Demand {
	b := demandBuilder{engine: engine, groups: engine.Catalogue.WithRole(policy.RoleGroups)}
	seen := map[string]bool{}
	for s := range shapes {
		if key := s.key(); !seen[key] {
			seen[key] = true
			b.addToken(s)
		}
	}
	if !engine.Mode.Index() {
		b.demand.Collections = nil
		if len(b.demand.Members) > 0 {
			b.demand.Collections = []*policy.Collection{b.groups}
		}
	}
	return b.demand
}

// demandBuilder adds up what single tokens need.
type demandBuilder struct {
	engine *policy.Engine
	groups *policy.Collection
	demand Demand
}

// key is the same for shapes that need the same: most tokens of a policy look alike.
func (s TokenShape) key() string {
	b := []byte{byte(s.Access)}
	for i := range s.Entries {
		b = append(append(b, s.Entries[i].URI...), byte(s.Entries[i].Rule))
	}
	return string(b)
}

func (b *demandBuilder) addToken(s TokenShape) {
	for _, c := range b.engine.Catalogue.Collections {
		switch {
		case s.Access == policy.Master, c.MasterOnly:
			if s.Access == policy.Master {
				b.addReachable(c)
			}
		case s.Access == policy.Standard, s.Access == policy.ACLAccess && b.engine.Unenforced:
			b.addReachable(c)
		}
		if s.Access == policy.ACLAccess && !c.MasterOnly {
			b.addEntries(s.Entries, c)
		}
	}
}

// addEntries adds what the entries of a token open of a collection: by one of its own, or as
// members of groups.
func (b *demandBuilder) addEntries(entries []policy.Entry, c *policy.Collection) {
	own := covered(entries, c)
	through := c.Grouped && b.groups != nil && covered(entries, b.groups)
	if own || through {
		b.addReachable(c)
	}
	inGroups := slices.ContainsFunc(entries, func(e policy.Entry) bool { return e.Rule == policy.IDsInGroups && e.Covers(c) })
	if through && !own || own && inGroups && c.Grouped {
		b.demand.Members = including(b.demand.Members, c)
	}
}

func covered(entries []policy.Entry, c *policy.Collection) bool {
	return slices.ContainsFunc(entries, func(e policy.Entry) bool { return e.Covers(c) })
}

// addReachable adds a collection and every one that its routes link to.
func (b *demandBuilder) addReachable(c *policy.Collection) {
	if c.Topics && !b.engine.Mode.Unindexed() {
		return // closed to everyone
	}
	for _, r := range c.Routes {
		if b.closed(r) {
			continue
		}
		if listing.HasAccounts(c) {
			b.demand.Collections = including(b.demand.Collections, c)
		}
		for _, linked := range r.Selectors {
			if linked != nil && listing.HasAccounts(linked) {
				b.demand.Collections = including(b.demand.Collections, linked)
			}
		}
	}
}

// closed reports whether no token reaches a route at the backend: what lists keys is not read either,
// nor what the gateway keeps itself.
func (b *demandBuilder) closed(r *policy.Route) bool {
	_, ours := b.engine.Managed[r]
	switch {
	case ours:
		return true
	case r.Closed == policy.NotClosed || b.engine.CallersKey:
		return false
	case r.Closed == policy.ByKeys:
		return !b.engine.ForwardKeys
	}
	return true
}

func including(list []*policy.Collection, c *policy.Collection) []*policy.Collection {
	if slices.Contains(list, c) {
		return list
	}
	return append(list, c)
}
