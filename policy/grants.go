package policy

import (
	"cmp"
	"slices"
)

// Grant is what one account lets other accounts do with its items, as it was loaded (SPEC 10.7).
type Grant struct {
	ID       int64
	CID      int64 // the grantor
	Name     string
	Enabled  bool
	Expire   int64 // unix seconds; 0: never
	Access   []GrantAccess
	Grantees []int64
}

// GrantAccess is one element of a grant's access.
type GrantAccess struct {
	URI     string // of a collection, or AccountURI
	All     bool   // every item; else IDs
	IDs     IDSet
	Levels  LevelSet
	Creates []string // types of the collections of which it permits to create items
}

// covers reports whether the element is about the items of a collection.
func (a *GrantAccess) covers(c *Collection) bool {
	return (a.URI == c.URI || a.URI == AccountURI) && c.Grantable()
}

// Grantable reports whether items of the collection can be granted: those whose account the gateway
// can know, without topics and records of accounts.
func (c *Collection) Grantable() bool {
	return c.Scoped && c.IDs == IDInt && !c.MasterOnly && !c.Topics
}

// Names reports whether the element is about an item, whatever it gives.
func (a *GrantAccess) Names(c *Collection, id int64) bool {
	return a.covers(c) && (a.All || a.URI == AccountURI || a.IDs.Has(id))
}

// Grants are the grants of one state of the world by who gets something by them. They are immutable;
// nil are none. What comes with time, their expiry and a grantor that is blocked, is judged when
// they are used, and so is the account of an item.
type Grants struct {
	all    []Grant
	to     map[int64][]*Grant // by grantee, ascending
	fromTo map[[2]int64][]*Grant
}

// NewGrants returns what is left of a list of grants without those that give nothing.
func NewGrants(list []Grant) *Grants {
	g := &Grants{all: slices.Clone(list), to: map[int64][]*Grant{}, fromTo: map[[2]int64][]*Grant{}}
	g.all = slices.DeleteFunc(g.all, func(g Grant) bool { return !g.Enabled || len(g.Access) == 0 || len(g.Grantees) == 0 })
	slices.SortFunc(g.all, func(a, b Grant) int { return cmp.Compare(a.ID, b.ID) })
	if len(g.all) == 0 {
		return nil
	}
	for i := range g.all {
		for _, grantee := range g.all[i].Grantees {
			pair := [2]int64{g.all[i].CID, grantee}
			g.to[grantee] = append(g.to[grantee], &g.all[i])
			g.fromTo[pair] = append(g.fromTo[pair], &g.all[i])
		}
	}
	return g
}

// To returns the grants whose grantee is an account, by ascending id. They must not be changed.
func (g *Grants) To(grantee int64) []*Grant {
	if g == nil {
		return nil
	}
	return g.to[grantee]
}

// From returns those of them that are a grantor's. They must not be changed.
func (g *Grants) From(grantor, grantee int64) []*Grant {
	if g == nil {
		return nil
	}
	return g.fromTo[[2]int64{grantor, grantee}]
}

// All returns the grants that may give something, by ascending id. They must not be changed.
func (g *Grants) All() []Grant {
	if g == nil {
		return nil
	}
	return g.all
}

// Blocks knows which accounts are blocked now, by themselves or by one above.
type Blocks interface {
	Blocked(cid int64) bool
}

// InForce reports whether a grant gives something now.
func (in *Input) InForce(g *Grant) bool {
	return (g.Expire == 0 || in.At < g.Expire) && (in.Blocks == nil || !in.Blocks.Blocked(g.CID))
}

// gives reports whether an element gives one of some levels on the items of c.
func (a *GrantAccess) gives(c *Collection, need LevelSet) bool {
	return a.Levels&need != 0 && a.covers(c)
}

// operates reports whether a grant lets its grantee act as the grantor.
func (g *Grant) operates() bool {
	return slices.ContainsFunc(g.Access, func(a GrantAccess) bool { return a.URI == AccountURI && a.Levels&LevelOperateAs != 0 })
}

// creates reports whether a grant permits to create items of c.
func (g *Grant) creates(c *Collection) bool {
	return slices.ContainsFunc(g.Access, func(a GrantAccess) bool {
		return a.URI == AccountURI && c.Scoped && c.Module == "gw" && slices.Contains(a.Creates, c.Type)
	})
}
