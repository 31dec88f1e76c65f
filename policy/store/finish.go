package store

import (
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
)

// readAccounts reads the accounts; what they are to each other is judged when
// all are known.
func (r *reader) readAccounts(n *strict.Node) {
	for i, c := range n.List() {
		m := c.Map("id", "name", "parent")
		h := home{at: c.Pos(), index: i}
		strict.Into(&h.account.ID, m.Need("id"), strict.ID)
		strict.Into(&h.account.Name, m.Get("name"), strict.Str)
		strict.Into(&h.account.Parent, m.Opt("parent"), strict.ID)
		if h.account.ID > 0 {
			r.homes = append(r.homes, h)
		}
	}
}

// tree builds the account tree. Each kind of fault hides the next one, so a
// faulty account is mended and the rest is judged again, until all are named.
func (r *reader) tree(maxDepth int) *policy.Tree {
	homes := slices.Clone(r.homes)
	for {
		accounts := make([]policy.Account, len(homes))
		for i, h := range homes {
			accounts[i] = h.account
		}
		tree, faults := policy.NewTree(accounts, maxDepth)
		if len(faults) == 0 {
			return tree
		}
		for _, f := range faults {
			h := &homes[f.Index]
			r.fault(h.at, "accounts[%d]: %s", h.index, f.Message)
			h.account.Parent = 0
		}
		homes = distinctHomes(homes)
	}
}

// distinctHomes returns the first account of each id.
func distinctHomes(homes []home) (distinct []home) {
	seen := make(map[int64]bool, len(homes))
	for _, h := range homes {
		if !seen[h.account.ID] {
			distinct = append(distinct, h)
		}
		seen[h.account.ID] = true
	}
	return distinct
}

// finish judges what only the whole file can tell, and makes the Policy if
// nothing was wrong.
func (r *reader) finish(maxDepth int) (*Policy, strict.Faults) {
	p := &Policy{Tree: r.tree(maxDepth), Records: make([]*Record, 0, len(r.drafts))}
	p.byDigest = make(map[policy.Digest]*Record, len(r.drafts))
	byID := make(map[int64]*Record, len(r.drafts))
	for i := range r.drafts {
		d := &r.drafts[i]
		t := &d.record.Token
		if first := p.byDigest[t.Digest]; d.hasDigest && first != nil {
			r.fault(d.key.pos(), "tokens[%d]: this is also the key of the token in line %d", d.index, first.Token.Line)
		} else if d.hasDigest {
			p.byDigest[t.Digest] = d.record
		}
		// Two tokens of one id would keep each other's ttl alive, and no log
		// could tell them apart.
		if first := byID[t.ID]; t.ID != 0 && first != nil {
			r.fault(d.id.pos(), "tokens[%d].id: the token in line %d has this id too", d.index, first.Token.Line)
		} else {
			byID[t.ID] = d.record
		}
		if _, found := p.Tree.Account(t.CID); t.CID != 0 && !found {
			r.fault(d.cid.pos(), "tokens[%d].cid: no account has the id %d", d.index, t.CID)
		}
		p.Records = append(p.Records, d.record)
	}
	faults := r.all()
	if faults.Err() != nil {
		return nil, faults
	}
	return p, faults
}
