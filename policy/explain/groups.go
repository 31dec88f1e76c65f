package explain

import "aclgate/policy"

// grant is what permits what a question asks: an entry for the collection or, where the token has
// none, its entry for the groups that items belong to (SPEC 4.4, Groups). The zero value permits
// nothing.
type grant struct {
	entry    *policy.Entry
	viaGroup *policy.Entry // the entry for groups, where members are what is permitted
}

// limited reports whether the grant is about some items only.
func (r grant) limited() bool {
	return r.entry != nil && (r.viaGroup != nil || r.entry.Limited())
}

// grant answers a question for good: by entries, and by groups where those are asked.
func (x *explainer) grant(q question) grant {
	covering, _ := q.ranked(x.in.Token.ACL.Entries())
	e := q.winner(covering)
	gq, asked := x.groupQuestion(q, len(covering) == 0, e)
	if !asked {
		return grant{entry: e}
	}
	groups, _ := gq.ranked(x.in.Token.ACL.Entries())
	g := gq.winner(groups)
	if x.confersNothing(q, e, g) != "" {
		g = nil
	}
	if e == nil {
		e = g
	}
	return grant{e, g}
}

// groupQuestion returns what is asked about the groups that items may belong to, and whether it is:
// where no entry is about the collection, or where the one that decides says so.
func (x *explainer) groupQuestion(q question, uncovered bool, e *policy.Entry) (question, bool) {
	groups := x.engine.Catalogue.WithRole(policy.RoleGroups)
	gq := question{collection: groups, slot: policy.SlotItem, method: q.method}
	switch {
	case groups == nil || !q.collection.Grouped || q.creates:
		return gq, false
	case e != nil:
		gq.method = policy.GET
		return gq, e.Rule == policy.IDsInGroups
	}
	return gq, uncovered && q.slot != policy.SlotCID
}

// confersNothing says why the entry g for groups gives members nothing, "" when it gives them what
// q asks. e is the entry for the collection itself, if any.
func (x *explainer) confersNothing(q question, e, g *policy.Entry) string {
	if g == nil {
		return "no entry"
	}
	groups := x.engine.Catalogue.WithRole(policy.RoleGroups)
	adding := question{collection: groups, slot: groups.Slot(q.collection.Type), method: policy.POST}
	switch {
	case adding.slot > 0 && adding.fault(g) == "":
		return "permits it, but could itself choose which " + q.collection.Type + " are members, so it confers nothing on them"
	case e == nil && q.slot != policy.SlotItem && g.HasSubmodules:
		return "permits it, but names its submodules, so it confers the item alone on members"
	}
	return ""
}

// groupChoice describes the choice among entries for groups, and reports whether q asks them and
// there are any.
func (x *explainer) groupChoice(q question) (Choice, bool) {
	covering, _ := q.ranked(x.in.Token.ACL.Entries())
	e := q.winner(covering)
	gq, asked := x.groupQuestion(q, len(covering) == 0, e)
	if !asked || x.nearest(gq) == nil {
		return Choice{}, false
	}
	c := x.choice(gq)
	c.For += ", for " + q.collection.Type + " that are members"
	for i := range c.Entries {
		line := &c.Entries[i]
		if !line.Chosen {
			continue
		}
		line.Why = "decides, for members of the groups it is about"
		groups, _ := gq.ranked(x.in.Token.ACL.Entries())
		if why := x.confersNothing(q, e, gq.winner(groups)); why != "" {
			c.Chosen, line.Chosen, line.Why = 0, false, why
		}
	}
	return c, true
}
