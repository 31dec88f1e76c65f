package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/record"
)

// Grants returns what accounts have granted to others; nil: nothing.
func (p *Policy) Grants() *policy.Grants { return p.grants }

// Grants returns what accounts have granted to others, as it is obeyed; nil: nothing.
func (f *File) Grants() *policy.Grants { return f.current.Load().policy.grants }

// Grants returns what accounts have granted to others, as it is obeyed; nil: nothing.
func (l *Live) Grants() *policy.Grants { return l.grants.Load() }

// compileGrants puts the grants in force that the documents hold. One that does not read gives
// nothing: keepDoc has said so.
func (l *Live) compileGrants() {
	grants := grantRows{map[int64]record.Value{}, map[int64][]int64{}}
	for id, doc := range l.Docs(Grants) {
		if v, err := record.Parse(doc); err == nil {
			grants.docs[id], grants.links[id] = v, l.Links(id)
		}
	}
	l.grants.Store(grants.compile())
}

// grantRows are grants and whom they are for.
type grantRows struct {
	docs  map[int64]record.Value
	links map[int64][]int64
}

// add adds a row of grants, or of their links.
func (g *grantRows) add(row Row) (err error) {
	if err = soundDoc(row); err != nil {
		return err
	}
	if row.Table == Grants {
		g.docs[row.ID], err = record.Parse(row.Doc)
	} else {
		g.links[row.ID], err = readLinks(row.Doc)
	}
	return err
}

func (g *grantRows) compile() *policy.Grants {
	var list []policy.Grant
	for id, v := range g.docs {
		list = append(list, record.GrantOf(v, g.links[id]))
	}
	return policy.NewGrants(list)
}

// soundGrant returns why a document is no grant.
func soundGrant(doc []byte) error {
	v, err := record.Parse(doc)
	if err != nil {
		return err
	}
	if _, fault := record.Grants.ReadStored(v); fault != nil {
		return fmt.Errorf("%s", fault.Reason())
	}
	return nil
}

// readGrants reads the grants of a policy file: records with a list of grantees beside the fields of
// platform/grants.
func (r *reader) readGrants(list *strict.Node) {
	seen := map[int64]strict.Pos{}
	var grants []policy.Grant
	for i, n := range list.List() {
		v, err := record.Parse(n.AppendJSON(nil))
		if err != nil {
			n.Fault("%s", err)
			continue
		}
		grantees := v.Get("grantees")
		doc, fault := record.Grants.ReadStored(v.Without("grantees"))
		if fault != nil {
			r.fault(n.Pos(), "grants[%d].%s", i, fault.Reason())
			continue
		}
		g := record.GrantOf(doc, r.grantees(n.Pos(), i, grantees))
		if was, twice := seen[g.ID]; twice {
			r.fault(n.Pos(), "grants[%d].id: the grant in line %d has this id too", i, was.Line)
			continue
		}
		seen[g.ID] = n.Pos()
		r.judgeGrant(n.Pos(), i, &g)
		r.policy.keepDoc(Grants, g.ID, doc.Append(nil))
		if len(g.Grantees) > 0 {
			links, _ := json.Marshal(g.Grantees) // numbers have no fault
			r.policy.keepDoc(GrantLinks, g.ID, links)
		}
		grants = append(grants, g)
	}
	r.policy.grants = policy.NewGrants(grants)
}

// grantees reads whom a grant is for.
func (r *reader) grantees(at strict.Pos, index int, list record.Value) (cids []int64) {
	if list.Shape != record.Absent && list.Shape != record.List {
		r.fault(at, "grants[%d].grantees: expected a list of accounts", index)
	}
	for _, v := range list.Items {
		cid, ok := v.ID()
		if _, found := r.policy.Tree.Account(cid); !ok || !found {
			r.fault(at, "grants[%d].grantees: no account has the id %s", index, v.Append(nil))
			continue
		}
		cids = append(cids, cid)
	}
	slices.Sort(cids)
	return slices.Compact(cids)
}

// judgeGrant judges between whom a grant is: who is above the grantor, or is the grantor, sees the
// items anyway (SPEC 10.7).
func (r *reader) judgeGrant(at strict.Pos, index int, g *policy.Grant) {
	tree := r.policy.Tree
	if _, found := tree.Account(g.CID); !found {
		r.fault(at, "grants[%d].cid: no account has the id %d", index, g.CID)
	}
	for _, cid := range g.Grantees {
		if tree.Contains(cid, g.CID) {
			r.fault(at, "grants[%d].grantees: account %d is the grantor or lies above it, and sees the items anyway", index, cid)
		}
	}
	for _, a := range g.Access {
		cat := r.lint.catalogue
		if a.URI == policy.AccountURI || cat == nil {
			continue
		}
		if c := cat.Collection(a.URI); c == nil || !c.Grantable() {
			r.warn(at, "grants[%d].access: no collection of items with accounts is called %q", index, a.URI)
		}
	}
}

// grantYAML appends a grant as an element of the list of a policy file, with its grantees.
func grantYAML(b, doc []byte, grantees []int64) ([]byte, error) {
	v, err := record.Parse(doc)
	if err != nil {
		return nil, err
	}
	if len(grantees) > 0 {
		list := record.NewList()
		for _, cid := range grantees {
			list.Items = append(list.Items, record.NewInt(cid))
		}
		v = v.With("grantees", list)
	}
	return yamlDoc(b, v.Append(nil))
}
