package cases

import (
	"fmt"
	"maps"
	"slices"

	"aclgate/policy"
)

// Finding is what coverage has to say about an entry, or a token without one.
type Finding struct {
	Line    int // in the policy file
	Message string
}

// Unused names the entries of tested tokens that no case chose.
func (r *Result) Unused() (found []Finding) {
	r.eachEntry(func(t *policy.Token, e *policy.Entry) {
		if !r.used[t.ID][e.Number] && r.above(t, e) == nil {
			found = append(found, Finding{e.Line, fmt.Sprintf("entry %d (%s) of token %d is exercised by no case", e.Number, e.URI, t.ID)})
		}
	})
	return found
}

// Shadowed names the entries of tested tokens that can never be chosen.
func (r *Result) Shadowed() (found []Finding) {
	r.eachEntry(func(t *policy.Token, e *policy.Entry) {
		if by := r.above(t, e); by != nil {
			found = append(found, Finding{e.Line, fmt.Sprintf("entry %d (%s) of token %d is never chosen: entry %d (%s:%d) comes first",
				e.Number, e.URI, t.ID, by.Number, r.world.File, by.Line)})
		}
	})
	return found
}

func (r *Result) eachEntry(visit func(*policy.Token, *policy.Entry)) {
	for _, id := range slices.Sorted(maps.Keys(r.used)) {
		t := r.world.Token(id)
		if t.Access != policy.ACLAccess || t.IsUser { // a user's entries are those of roles
			continue
		}
		entries := t.ACL.Entries()
		for i := range entries {
			visit(t, &entries[i])
		}
	}
}

// above returns an entry that is chosen wherever e could be, nil if e is chosen anywhere, or if
// there is nothing that it is about.
func (r *Result) above(t *policy.Token, e *policy.Entry) (first *policy.Entry) {
	alone := policy.NewACL([]policy.Entry{*e}, r.world.Engine.Catalogue)
	for _, c := range r.world.Engine.Catalogue.Collections {
		for slot := range c.Submodules {
			for m := policy.GET; m <= policy.DELETE; m++ {
				if alone.Choose(c, slot, m) == nil {
					continue
				}
				by := t.ACL.Choose(c, slot, m)
				if by == nil || by.Number == e.Number {
					return nil
				}
				first = by
			}
		}
	}
	return first
}
