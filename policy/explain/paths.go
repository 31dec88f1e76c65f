package explain

import (
	"fmt"
	"strings"

	"aclgate/policy"
)

// Path is one access path of the request (SPEC 11).
type Path struct {
	Grant int64  `json:"grant,omitempty"` // 0: the branch, or a role
	Role  string `json:"role,omitempty"`
	Says  string `json:"says"`
	Ended string `json:"ended,omitempty"` // why it gives nothing now
}

// paths lists the access paths of the request; none where it has the branch alone.
func (x *explainer) paths() (all []Path) {
	grants := x.received()
	switch {
	case x.in.Token != nil && x.in.Token.IsUser && x.in.Scope != 0:
		for i := range x.in.Token.Roles {
			r := &x.in.Token.Roles[i]
			all = append(all, Path{Role: r.Name, Says: fmt.Sprintf("the role %s, which reaches %s: %s", clean(r.Name), x.reachOf(r), permits(r))})
		}
	case len(grants) == 0:
		return nil
	case !x.in.CrossAccount():
		all = append(all, Path{Says: "the branch of account " + x.accountName(x.in.Scope)})
	}
	for _, g := range grants {
		p := Path{Grant: g.ID, Says: fmt.Sprintf("%s of account %s: %s", grantName(g), x.accountName(g.CID), gives(g))}
		if !x.in.InForce(g) {
			p.Ended = x.ended(g)
		}
		all = append(all, p)
	}
	return all
}

// reachOf says what a role reaches.
func (x *explainer) reachOf(r *policy.UserRole) string {
	home := x.accountName(x.in.Token.CID)
	switch r.Reach {
	case policy.ReachBranch:
		return "account " + home + " and all below it"
	case policy.ReachClients:
		if len(r.Clients) == 0 {
			return "the clients of account " + home + ", which has none"
		}
		return fmt.Sprintf("the clients of account %s: %s", home, shortIDs(r.Clients))
	case policy.ReachTree:
		return "every account"
	}
	return "account " + home
}

// permits says what the entries of a role permit, in one line.
func permits(r *policy.UserRole) string {
	if r.ACL == nil {
		return "everything"
	}
	var parts []string
	entries := r.ACL.Entries()
	for i := range entries {
		parts = append(parts, says(&entries[i]))
	}
	return strings.Join(parts, "; ")
}

// received returns the grants that the request may use, in force or not.
func (x *explainer) received() []*policy.Grant {
	switch {
	case x.in.Scope == 0 || x.in.Token == nil:
		return nil
	case x.in.CrossAccount():
		return x.in.Grants.From(x.in.Scope, x.in.Token.CID)
	case !x.engine.Mode.Index():
		return nil // one header, one path
	}
	return x.in.Grants.To(x.in.Scope)
}

// ended says why a grant gives nothing.
func (x *explainer) ended(g *policy.Grant) string {
	if g.Expire > 0 && x.in.At >= g.Expire {
		return "expired at " + moment(g.Expire)
	}
	return "its grantor is blocked"
}

func grantName(g *policy.Grant) string {
	if g.Name == "" {
		return fmt.Sprintf("grant %d", g.ID)
	}
	return fmt.Sprintf("grant %d (%s)", g.ID, clean(g.Name))
}

// gives says what is in a grant, in one line.
func gives(g *policy.Grant) string {
	var parts []string
	for i := range g.Access {
		a := &g.Access[i]
		words := a.Levels.Words()
		for _, kind := range a.Creates {
			words = append(words, "create-"+kind)
		}
		part := clean(a.URI)
		switch {
		case a.All:
			part += " all"
		case a.URI != policy.AccountURI:
			part += " " + shorten(joinIDs(a.IDs.IDs()))
		}
		parts = append(parts, part+" "+strings.Join(words, ", "))
	}
	return strings.Join(parts, "; ")
}

// scopeOf says by which access path an item is in reach that the entries permit.
func (x *explainer) scopeOf(i int, id int64) string {
	s := &x.req.Selectors[i]
	if x.ask.Items != nil && x.engine.Mode.Index() && s.Collection.Scoped {
		if g, ok := x.dec.Admits(&x.in, i, id); ok && g != nil {
			return fmt.Sprintf("; %s of account %s lets it in", grantName(g), x.accountName(g.CID))
		}
		if r := x.dec.RoleOf(&x.in, i, id); r != nil {
			cid, _ := x.ask.Items.Account(s.Collection, id)
			return fmt.Sprintf("; the role %s reaches account %s", clean(r.Name), x.accountName(cid))
		}
	}
	return x.scopeClause(s, id)
}

// ungranted says of an item outside of the branch why no grant lets it in; "" where none was given.
func (x *explainer) ungranted(i int, id, cid int64) string {
	s := &x.req.Selectors[i]
	grants := x.received()
	for _, g := range grants {
		names := false
		for j := range g.Access {
			names = names || g.Access[j].Names(s.Collection, id)
		}
		switch {
		case !names:
		case !x.in.InForce(g):
			return fmt.Sprintf("; %s names it: %s", grantName(g), x.ended(g))
		case !x.in.Tree.Contains(g.CID, cid):
			return fmt.Sprintf("; %s names it, and it is not in the branch of account %s now", grantName(g), x.accountName(g.CID))
		default:
			return fmt.Sprintf("; %s names it, and does not give this", grantName(g))
		}
	}
	if len(grants) > 0 {
		return "; no grant names it"
	}
	return ""
}

// String returns the path, on one line.
func (p Path) String() string {
	if p.Ended != "" {
		return p.Says + " (gives nothing: " + p.Ended + ")"
	}
	return p.Says
}
