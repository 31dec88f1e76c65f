package store

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/record"
)

// What a policy file says of accounts beside their tree, and of limits, is kept as documents: the
// same ones that a database holds, read by the tables of policy/record (SPEC 8).

// accountDoc returns the document of an account that says more than its place in the tree; nil for
// all others.
func (r *reader) accountDoc(m *strict.Map, a policy.Account) []byte {
	doc := record.NewObject()
	value := func(name string, v record.Value) { doc = doc.With(name, v) }
	if enabled, ok := readIfThere(m.Get("enabled"), strict.Bool); ok && m.Get("enabled") != nil {
		value("enabled", record.NewBool(enabled))
	}
	for _, name := range []string{"limit_id", "consultancy_account_id"} {
		if id, ok := readIfThere(m.Get(name), strict.ID); ok && id > 0 {
			value(name, record.NewInt(id))
		}
	}
	if at, ok := readIfThere(m.Get("created"), moment); ok && at > 0 {
		value("created", record.NewInt(at))
	}
	if email, ok := readIfThere(m.Get("email"), strict.Str); ok && m.Get("email") != nil {
		value("email", record.NewText(email))
	}
	for _, name := range []string{"email", "account_roles", "metadata"} {
		n := m.Get(name)
		if n == nil {
			continue
		}
		v, err := record.Parse(n.AppendJSON(nil))
		if name == "email" {
			v = doc.Get(name)
		}
		if err != nil {
			n.Fault("%s", err)
		} else if read, fault := record.Subaccounts.Field(name).Type.Read(v); fault != nil {
			n.Fault("%s", fault.Reason())
		} else {
			value(name, read)
		}
	}
	if len(doc.Members) == 0 {
		return nil
	}
	value("id", record.NewInt(a.ID))
	if a.Name != "" {
		value("name", record.NewText(a.Name))
	}
	if a.Parent != 0 {
		value("parent", record.NewInt(a.Parent))
	}
	return doc.Append(nil)
}

// limitAt is a limit and where it stands.
type limitAt struct {
	cid int64
	at  strict.Pos
}

// readLimits reads the limits, and judges those that accounts bear.
func (r *reader) readLimits(list *strict.Node) {
	limits := map[int64]limitAt{}
	for i, n := range list.List() {
		v, err := record.Parse(n.AppendJSON(nil))
		if err != nil {
			n.Fault("%s", err)
			continue
		}
		doc, fault := record.Limits.ReadStored(v)
		if fault != nil {
			r.fault(n.Pos(), "limits[%d].%s", i, fault.Reason())
			continue
		}
		id, cid := record.NumberOf(doc, "id"), record.NumberOf(doc, "cid")
		if was, twice := limits[id]; twice {
			r.fault(n.Pos(), "limits[%d].id: the limit in line %d has this id too", i, was.at.Line)
			continue
		}
		if _, found := r.policy.Tree.Account(cid); !found {
			r.fault(n.Pos(), "limits[%d].cid: no account has the id %d", i, cid)
		}
		limits[id] = limitAt{cid, n.Pos()}
		r.policy.keepDoc(Limits, id, doc.Append(nil))
	}
	for _, a := range r.accounts {
		r.judgeLimit(&a, limits)
	}
}

// judgeLimit judges the limit that an account bears: only one that was made strictly above it bounds
// it (SPEC 10.5).
func (r *reader) judgeLimit(a *accountAt, limits map[int64]limitAt) {
	doc, err := record.Parse(a.doc)
	if a.doc == nil || err != nil {
		return
	}
	r.policy.keepDoc(Accounts, a.account.ID, a.doc)
	id := record.NumberOf(doc, "limit_id")
	limit, found := limits[id]
	switch {
	case id == 0:
	case !found:
		r.fault(a.at, "accounts[%d].limit_id: no limit has the id %d", a.index, id)
	case a.account.Parent == 0 || !r.policy.Tree.Contains(limit.cid, a.account.Parent):
		r.fault(a.at, "accounts[%d].limit_id: limit %d is account %d's, which is not above this one", a.index, id, limit.cid)
	}
}

func (p *Policy) keepDoc(t Table, id int64, doc []byte) {
	if p.docs == nil {
		p.docs = map[Table]map[int64][]byte{}
	}
	if p.docs[t] == nil {
		p.docs[t] = map[int64][]byte{}
	}
	p.docs[t][id] = doc
}

// Docs yields the documents of a table by ascending id; of tokens and owners none. They must not be
// changed.
func (p *Policy) Docs(t Table) iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		if t != Accounts {
			for _, id := range slices.Sorted(maps.Keys(p.docs[t])) {
				if !yield(id, p.docs[t][id]) {
					return
				}
			}
			return
		}
		accounts := slices.Clone(p.Tree.Accounts())
		slices.SortFunc(accounts, func(a, b policy.Account) int { return cmp.Compare(a.ID, b.ID) })
		for _, a := range accounts {
			doc := p.docs[t][a.ID]
			if doc == nil {
				doc = AppendAccountDoc(nil, a)
			}
			if !yield(a.ID, doc) {
				return
			}
		}
	}
}

// Policy returns the policy in force. It must not be changed.
func (f *File) Policy() *Policy { return f.current.Load().policy }

// Path returns the name of the policy file.
func (f *File) Path() string { return f.opts.Path }

// yamlDoc appends a document as an element of a list, in one line.
func yamlDoc(b, doc []byte) ([]byte, error) {
	root, report := strict.ParseDocument("", doc)
	if err := report.Faults().Err(); err != nil {
		return nil, err
	}
	return append(root.AppendYAML(append(b, "  - "...)), '\n'), nil
}
