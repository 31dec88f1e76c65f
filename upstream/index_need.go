package upstream

import (
	"slices"

	"aclgate/policy"
)

// NeedOf returns what the index has to know so that every request of these tokens can be
// judged. It is rather too much than too little: a collection that is not known is a 503.
func NeedOf(law *policy.Law, tokens []*policy.Token) Need {
	n := needs{law: law, groups: law.Catalogue.Collection("gw/groups")}
	for _, t := range tokens {
		n.token(t)
	}
	return n.need
}

// needs collects what single tokens need.
type needs struct {
	law    *policy.Law
	groups *policy.Collection
	need   Need
}

func (n *needs) token(t *policy.Token) {
	for _, c := range n.law.Catalogue.Collections {
		switch {
		case t.Access == policy.Master, c.Module == "platform":
			if t.Access == policy.Master {
				n.reaches(c)
			}
		case t.Access == policy.Standard, t.Access == policy.ACLAccess && n.law.Unenforced:
			n.reaches(c)
		}
		if t.Access == policy.ACLAccess && c.Module != "platform" {
			n.entries(t.ACL, c)
		}
	}
}

// entries adds what the entries of a token open of a collection: by one of its own, or as
// members of groups.
func (n *needs) entries(acl *policy.ACL, c *policy.Collection) {
	own := acl.Covers(c)
	through := grouped(c) && n.groups != nil && acl.Covers(n.groups)
	if own || through {
		n.reaches(c)
	}
	inGroups := slices.ContainsFunc(acl.Entries(), func(e policy.Entry) bool { return e.Rule == policy.IDsInGroups })
	if through && !own || own && inGroups && grouped(c) {
		n.need.Members = including(n.need.Members, c)
	}
}

// reaches adds a collection and every one that its routes link to.
func (n *needs) reaches(c *policy.Collection) {
	if c.Module == "mqtt" && !n.law.Mode.Header() {
		return // closed to everyone
	}
	for _, r := range c.Routes {
		if n.closed(r) {
			continue
		}
		if indexed(c) {
			n.need.Collections = including(n.need.Collections, c)
		}
		for _, linked := range r.Selectors {
			if linked != nil && indexed(linked) {
				n.need.Collections = including(n.need.Collections, linked)
			}
		}
	}
}

// closed reports whether nobody reaches a route: what lists keys is not read either.
func (n *needs) closed(r *policy.Route) bool {
	switch {
	case r.Closed == policy.NotClosed || n.law.CallersKey:
		return false
	case r.Closed == policy.ByKeys:
		return !n.law.ForwardKeys
	}
	return true
}

// grouped reports whether items of c can be members of groups (SPEC 4.4, Groups).
func grouped(c *policy.Collection) bool {
	return c.URI == "gw/devices" || c.URI == "gw/assets" || c.URI == "gw/geofences"
}

func including(list []*policy.Collection, c *policy.Collection) []*policy.Collection {
	if slices.Contains(list, c) {
		return list
	}
	return append(list, c)
}
