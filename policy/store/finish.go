package store

import (
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
)

// readAccounts reads the accounts; what they are to each other is judged when all are known.
func (r *reader) readAccounts(n *strict.Node) {
	for i, c := range n.List() {
		if h := r.readAccount(c, i); h.account.ID > 0 {
			r.accounts = append(r.accounts, h)
		}
	}
	r.policy.Tree = r.tree()
}

// readAccount reads one account of the list. Its id is 0 where that is faulty.
func (r *reader) readAccount(c *strict.Node, index int) accountAt {
	m := c.Map(accountKeys...)
	h := accountAt{at: c.Pos(), index: index}
	strict.Into(&h.account.ID, m.Need("id"), strict.ID)
	strict.Into(&h.account.Name, m.Get("name"), strict.Str)
	strict.Into(&h.account.Parent, m.Opt("parent"), strict.ID)
	h.doc = r.accountDoc(m, h.account)
	return h
}

// tree builds the account tree. Each kind of fault hides the next one, so a faulty account is
// mended and the rest is judged again, until all are named.
func (r *reader) tree() *policy.Tree {
	read := slices.Clone(r.accounts)
	for {
		accounts := make([]policy.Account, len(read))
		for i, a := range read {
			accounts[i] = a.account
		}
		tree, faults := policy.NewTree(accounts, r.maxDepth)
		if len(faults) == 0 {
			return tree
		}
		for _, f := range faults {
			a := &read[f.Index]
			r.fault(a.at, "accounts[%d]: %s", a.index, f.Message)
			a.account.Parent = 0
		}
		read = distinct(read)
	}
}

// distinct returns the first account of each id.
func distinct(read []accountAt) (first []accountAt) {
	seen := make(map[int64]bool, len(read))
	for _, a := range read {
		if !seen[a.account.ID] {
			first = append(first, a)
		}
		seen[a.account.ID] = true
	}
	return first
}

// keep packs a draft into the policy, and judges what only the tokens before it and the accounts
// can tell.
func (r *reader) keep(d draft) {
	p, t := r.policy, &d.record.Token
	var sameKey, sameID []byte
	if d.hasDigest {
		sameKey = p.digests.withDigest(&t.Digest)
	}
	if t.ID != 0 {
		sameID = r.ids.withID(t.ID)
	}
	if sameKey != nil {
		r.fault(d.key, "tokens[%d]: this is also the key of the token in line %d", d.index, lineOf(sameKey))
	}
	// Two tokens of one id would keep each other's ttl alive, and no log could tell them apart.
	if sameID != nil {
		r.fault(d.id, "tokens[%d].id: the token in line %d has this id too", d.index, lineOf(sameID))
	}
	if _, found := p.Tree.Account(t.CID); t.CID != 0 && !found {
		r.fault(d.cid, "tokens[%d].cid: no account has the id %d", d.index, t.CID)
	}
	place := p.add(d.record, p.kinds.of(d.record.Entries, &r.lint))
	if d.hasDigest && sameKey == nil {
		p.digests.add(place)
	}
	if t.ID != 0 && sameID == nil {
		r.ids.add(place)
	}
}

func lineOf(record []byte) int {
	_, line := headOf(record)
	return line
}

// finish returns the policy if nothing was wrong.
func (r *reader) finish() (*Policy, strict.Faults) {
	faults := r.all()
	if faults.Err() != nil {
		return nil, faults
	}
	r.policy.names, r.policy.kinds.number = nil, nil
	return r.policy, faults
}
