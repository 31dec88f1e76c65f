package explain

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/policy"
)

// selector describes selector i and what the engine made of it.
func (x *explainer) selector(i int) Selector {
	s := &x.req.Selectors[i]
	d := Selector{Number: i + 1, Kind: s.Kind.String(), Asked: clean(string(s.Text))}
	switch s.Kind {
	case policy.SelectIDs:
		d.Asked = joinIDs(s.IDs)
	case policy.SelectConditions:
		d.Asked = joinIDs(s.IDs) + "," + d.Asked
	}
	if s.Collection != nil {
		d.Collection = s.Collection.URI
	}
	d.Linked = x.req.Route != nil && s.ByID() && !(i == 0 && x.req.Route.Item)
	// A selector at which the request ended says nothing about its items.
	if i < len(x.dec.Selectors) && (x.verdict != policy.Deny || x.bodyFault() || leftNothing(x.reason)) {
		d.Outcomes = x.outcomes(i, d.Asked)
	}
	return d
}

// bodyFault reports whether the selectors had passed when the body failed.
func (x *explainer) bodyFault() bool {
	return x.verdict == policy.Deny && x.dec.Element != policy.Keys{}
}

// outcomes groups the items of selector i by what became of them and why.
func (x *explainer) outcomes(i int, asked string) []ItemOutcome {
	s, p := &x.req.Selectors[i], &x.dec.Selectors[i]
	b := x.limitsOf(i)
	var list outcomeList
	switch {
	case x.groups(b) != nil && b.nothing == "":
		why := fmt.Sprintf("members of the groups of entry %d pass, and only the gateway's index knows those", x.groups(b).source().Number)
		return []ItemOutcome{{Outcome: Unknown, What: shorten(asked), Why: why}}
	case p.Match && len(s.IDs) == 0:
		return []ItemOutcome{{Outcome: Unknown, What: "the items that match", Why: "which these are only the backend can say"}}
	case s.Kind != policy.SelectIDs && p.As == policy.AsAsked:
		if x.accountsOpen(i) {
			return []ItemOutcome{{Outcome: Unknown, What: shorten(asked), Why: x.whyPermitted(s, b) + x.ifInScope()}}
		}
		return []ItemOutcome{{Outcome: Passes, What: shorten(asked), Why: x.whole(s, b)}}
	case len(s.IDs) > 0:
		return x.listed(i, b)
	}
	for _, id := range p.IDs {
		if x.accountsOpen(i) {
			list.add(Unknown, id, x.whyPermitted(s, b)+x.ifInScope())
			continue
		}
		by := x.scopeClause(s, 0)
		if len(x.Paths) > 0 {
			by = x.scopeOf(i, id)
		}
		list.add(Passes, id, x.whyPermitted(s, b)+by)
	}
	permitted := setOf(p.IDs)
	for _, id := range b.candidates() {
		if !permitted[id] {
			list.add(Dropped, id, x.whyDenied(i, b, id))
		}
	}
	if len(list) == 0 {
		return []ItemOutcome{{Outcome: Dropped, What: "every item", Why: x.whyEmpty(s, b)}}
	}
	return list
}

// listed says what became of each id of a list, with conditions behind it or without.
func (x *explainer) listed(i int, b limits) (list outcomeList) {
	s, p := &x.req.Selectors[i], &x.dec.Selectors[i]
	denied, unknown, kept := setOf(p.Denied), setOf(p.Unknown), setOf(p.IDs)
	owners := x.owners(s, p.IDs)
	for _, id := range s.IDs {
		switch {
		case unknown[id]:
			list.add(Unknown, id, x.whyUnknown())
		case denied[id]:
			list.add(Refused, id, x.whyDenied(i, b, id))
		case p.Match:
			list.add(Unknown, id, "whether it satisfies the conditions only the backend can say")
		case !kept[id]:
			list.add(Dropped, id, "it does not satisfy the conditions")
		case x.accountsOpen(i):
			list.add(Unknown, id, x.whyPermitted(s, b)+x.ifInScope())
		default:
			list.add(Passes, id, x.whyPermitted(s, b)+x.scopeOf(i, id)+x.owned(owners, id))
		}
	}
	return list
}

// owners returns the accounts of items that only the backend knows; nil where it was not asked.
func (x *explainer) owners(s *policy.Selector, ids []int64) map[int64]int64 {
	if x.ask.Accounts == nil || len(ids) == 0 || !s.Collection.Scoped || x.engine.Mode != policy.ModeHeader {
		return nil
	}
	return x.ask.Accounts(s.Collection, ids)
}

// owned says what the backend answered about the account of an item, and what follows from it.
func (x *explainer) owned(owners map[int64]int64, id int64) string {
	cid, shown := owners[id]
	switch {
	case owners == nil:
		return ""
	case !shown:
		return ", and shows no such item now"
	case cid == 0:
		return ", and names none for it now"
	case x.in.Tree.Contains(x.in.Scope, cid):
		return fmt.Sprintf(": it belongs to account %s, in the branch of account %d", x.accountName(cid), x.in.Scope)
	}
	return fmt.Sprintf(": it belongs to account %s, outside the branch of account %d, so the backend refuses it", x.accountName(cid), x.in.Scope)
}

// outcomeList collects ids with the same outcome and reason.
type outcomeList []ItemOutcome

func (l *outcomeList) add(outcome string, id int64, why string) {
	for i := range *l {
		if f := &(*l)[i]; f.Outcome == outcome && f.Why == why {
			f.IDs = append(f.IDs, id)
			return
		}
	}
	*l = append(*l, ItemOutcome{Outcome: outcome, IDs: []int64{id}, Why: why})
}

func setOf(ids []int64) map[int64]bool {
	set := make(map[int64]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// limits are what limits the caller on the items of one selector.
type limits struct {
	collection *policy.Collection
	linked     bool
	asked      bool          // the ACL was asked
	entry      *policy.Entry // that decides about the items; nil: none
	nothing    string        // why no item passes at all
	grants     []grant       // those with an id list or groups
}

// limitsOf finds what limits selector i.
func (x *explainer) limitsOf(i int) limits {
	c := x.req.Selectors[i].Collection
	b := limits{collection: c, linked: x.linked(i)}
	qs := x.questions()
	if len(qs) == 0 || c == nil {
		return b
	}
	b.asked = true
	asked := qs[:1]
	if b.linked {
		asked = x.linkQuestions(c)
		if c.Role == policy.RoleGroups {
			asked = asked[:1] // the rest is about devices
		}
	}
	asked = slices.Concat(asked, x.fieldQuestions(i))
	for n, q := range asked {
		r := x.grant(q)
		switch {
		case r.entry == nil && x.nearest(q) != nil:
			b.nothing = "no entry permits " + q.String()
		case r.limited() && !slices.Contains(b.grants, r):
			b.grants = append(b.grants, r)
		}
		if n == 0 {
			b.entry = r.entry
		}
	}
	return b
}

// groups returns the grant of which only an index of groups can tell the items, if there is no such
// index here.
func (x *explainer) groups(b limits) *grant {
	for i := range b.grants {
		if r := &b.grants[i]; x.ask.Items == nil && (r.viaGroup != nil || r.entry.Rule == policy.IDsInGroups) {
			return r
		}
	}
	return nil
}

// candidates returns every id that a limit names.
func (b limits) candidates() []int64 {
	if len(b.grants) == 0 || b.grants[0].viaGroup != nil {
		return nil
	}
	return b.grants[0].entry.IDs.IDs()
}

// whole says why a selector passes as it was asked.
func (x *explainer) whole(s *policy.Selector, b limits) string {
	switch {
	case !s.ByID():
		return "local to its parent, and not judged"
	case s.Collection.OpenTo(x.req.Method):
		return "a dictionary, open to every valid token"
	}
	return x.whyPermitted(s, b) + x.scopeClause(s, 0)
}

// whyPermitted says what of the token lets an item in.
func (x *explainer) whyPermitted(s *policy.Selector, b limits) string {
	text := ""
	switch {
	case len(b.grants) > 0:
		text = namedBy(b.grants)
	case x.in.Token.IsUser:
		text = "a user has what their roles permit"
	case !b.asked:
		text = fmt.Sprintf("a %s token reaches every item of its scope", x.in.Token.Access)
		if x.in.Token.Access == policy.ACLAccess {
			text = "entries are not enforced, so every item of the scope passes"
		}
	case b.entry == nil:
		text = "the token has no entry about " + s.Collection.URI + ", and scope.linked is lenient: the scope alone limits it"
	case b.entry.Rule == policy.IDsAll:
		text = fmt.Sprintf("entry %d has ids: all", b.entry.Number)
	default:
		text = fmt.Sprintf("entry %d has no ids, so it is about every item", b.entry.Number)
	}
	return text
}

// scopeClause says who judges the account of an item that the entries permit and, where it is known
// here, which one that is.
func (x *explainer) scopeClause(s *policy.Selector, id int64) string {
	indexed := x.ask.Items != nil && x.engine.Mode.Index()
	switch {
	case !s.Collection.Scoped:
		return ""
	case indexed && id != 0:
		cid, _ := x.ask.Items.Account(s.Collection, id)
		return fmt.Sprintf("; it belongs to account %s, in the branch of account %d", x.accountName(cid), x.in.Scope)
	case indexed:
		return fmt.Sprintf("; it lies in the branch of account %d", x.in.Scope)
	case !x.engine.Mode.Header():
		return ""
	}
	return "; the backend checks its account by x-flespi-cid"
}

// whyDenied says what kept an id out.
func (x *explainer) whyDenied(i int, b limits, id int64) string {
	if b.nothing != "" {
		return b.nothing
	}
	for _, r := range b.grants {
		switch {
		case r.viaGroup != nil:
			return fmt.Sprintf("entry %d lets in members of its groups, which it is not", r.viaGroup.Number)
		case r.entry.Rule == policy.IDsInGroups:
			return fmt.Sprintf("entry %d is about members of groups, and no entry for gw/groups confers them", r.entry.Number)
		case !r.entry.IDs.Has(id):
			return fmt.Sprintf("not among the ids of entry %d", r.entry.Number)
		}
	}
	if x.ask.Items == nil {
		return "not permitted"
	}
	cid, known := x.ask.Items.Account(x.req.Selectors[i].Collection, id)
	if known && cid == policy.AtRoots {
		uri := x.req.Selectors[i].Collection.URI
		return fmt.Sprintf("nobody owns it, so only root accounts reach it (`aclgate item assign %s %d --cid ACCOUNT` gives it to one)", uri, id)
	}
	if x.in.Token.IsUser && known {
		return fmt.Sprintf("it belongs to account %s, and no role that reaches it permits this", x.accountName(cid)) + x.ungranted(i, id, cid)
	}
	switch {
	case !known && !x.engine.Mode.Index() && x.in.Token.IsUser:
		return "no role that they have permits it, or there is no such item"
	case !known && !x.engine.Mode.Index():
		return "no entry permits it, or there is no such item"
	case !known:
		return "no such item is known"
	case x.in.CrossAccount():
		return fmt.Sprintf("it belongs to account %s%s", x.accountName(cid), x.ungranted(i, id, cid))
	}
	if cid == 0 {
		return "the backend names no account for it (it has no cid), so no token reaches it"
	}
	return fmt.Sprintf("it belongs to account %s, outside the branch of account %d%s", x.accountName(cid), x.in.Scope, x.ungranted(i, id, cid))
}

// whyEmpty says why a selector without numbers names nothing at all.
func (x *explainer) whyEmpty(s *policy.Selector, b limits) string {
	switch {
	case b.nothing != "":
		return b.nothing
	case len(b.grants) > 0 && b.grants[0].viaGroup != nil:
		return fmt.Sprintf("the groups of entry %d have no members here", b.grants[0].viaGroup.Number)
	case len(b.grants) > 0 && b.grants[0].entry.Rule == policy.IDsInGroups:
		return fmt.Sprintf("entry %d is about members of groups, and no entry for gw/groups confers them", b.grants[0].entry.Number)
	case len(b.grants) > 0:
		return fmt.Sprintf("the id list of entry %d is empty", b.grants[0].entry.Number)
	}
	return fmt.Sprintf("no item of %s is known in the branch of account %d", s.Collection.URI, x.in.Scope)
}

// source returns the entry that tells which items a limited grant is about.
func (r grant) source() *policy.Entry {
	if r.viaGroup != nil {
		return r.viaGroup
	}
	return r.entry
}

func namedBy(grants []grant) string {
	var names []string
	for _, r := range grants {
		if r.viaGroup != nil {
			names = append(names, fmt.Sprintf("entry %d lets in members of its groups", r.viaGroup.Number))
		} else {
			names = append(names, fmt.Sprintf("entry %d names it", r.entry.Number))
		}
	}
	return strings.Join(names, " and ")
}
