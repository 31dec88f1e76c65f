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
	r.policy.Tree = r.tree()
}

// tree builds the account tree. Each kind of fault hides the next one, so a
// faulty account is mended and the rest is judged again, until all are named.
func (r *reader) tree() *policy.Tree {
	homes := slices.Clone(r.homes)
	for {
		accounts := make([]policy.Account, len(homes))
		for i, h := range homes {
			accounts[i] = h.account
		}
		tree, faults := policy.NewTree(accounts, r.maxDepth)
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

// keep packs a draft into the policy, and judges what only the tokens before it
// and the accounts can tell.
func (r *reader) keep(d draft, kind int) {
	p, t := r.policy, &d.record.Token
	var sameKey, sameID []byte
	if d.hasDigest {
		sameKey = p.digests.withDigest(&t.Digest)
	}
	if t.ID != 0 {
		sameID = r.ids.withID(t.ID)
	}
	if sameKey != nil {
		r.fault(d.key.pos(), "tokens[%d]: this is also the key of the token in line %d", d.index, lineOf(sameKey))
	}
	// Two tokens of one id would keep each other's ttl alive, and no log
	// could tell them apart.
	if sameID != nil {
		r.fault(d.id.pos(), "tokens[%d].id: the token in line %d has this id too", d.index, lineOf(sameID))
	}
	if _, found := p.Tree.Account(t.CID); t.CID != 0 && !found {
		r.fault(d.cid.pos(), "tokens[%d].cid: no account has the id %d", d.index, t.CID)
	}
	place := p.add(d.record, kind)
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
