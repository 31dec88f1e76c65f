package main

import (
	"context"
	"sync"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/upstream"
)

// makeIndex builds what knows whose an item is: in ids and both mode for every
// item, in header mode only for groups whose members some token gains rights
// by. It also chooses where the account tree comes from.
func (a *app) makeIndex() {
	s := a.settings.Scope
	if s.Accounts == config.AccountsBackend {
		a.accounts = upstream.NewAccounts(upstream.AccountsOptions{
			Backend: a.transport, Key: a.ownKey, Mode: a.law.Mode, Policy: a.store.Tree,
			MaxDepth: a.settings.Policy.MaxDepth, Refresh: s.Refresh, MaxStaleness: s.MaxStaleness, Log: a.log,
			Changed: func() { a.index.PolicyLoaded() },
		})
	}
	a.index = upstream.NewIndex(upstream.IndexOptions{
		Backend: a.transport, Key: a.ownKey, Mode: a.law.Mode, Catalogue: a.law.Catalogue, Tree: a.Tree,
		Need:    func() upstream.Need { return needs(a.law, a.store.Records()) },
		Refresh: s.Refresh, MaxStaleness: s.MaxStaleness, MaxTarget: a.settings.Upstream.MaxURLBytes, Log: a.log,
	})
}

// Tree implements proxy.Accounts: the tree in force, wherever it comes from.
func (a *app) Tree() *policy.Tree {
	if a.accounts != nil {
		return a.accounts.Tree()
	}
	return a.store.Tree()
}

// runIndex reads until ctx ends.
func (a *app) runIndex(ctx context.Context, group *sync.WaitGroup) {
	if a.accounts != nil {
		group.Go(func() { a.accounts.Run(ctx) })
	}
	group.Go(func() { a.index.Run(ctx) })
}

// needs returns what some token can reach: nothing else is read.
func needs(law *policy.Law, records []*store.Record) upstream.Need {
	n := newNeeds(law)
	for _, r := range records {
		switch r.Token.Access {
		case policy.Master, policy.Standard:
			n.everything(r.Token.Access)
		case policy.ACLAccess:
			n.entries(r.Entries)
		}
	}
	return n.need()
}

// needed collects what the index has to read.
type needed struct {
	law     *policy.Law
	items   []bool // by Collection.Index
	members []bool
	all     [2]bool // a standard, a master token was seen
	seen    map[string]bool
}

func newNeeds(law *policy.Law) *needed {
	n := len(law.Catalogue.Collections)
	return &needed{law: law, items: make([]bool, n), members: make([]bool, n), seen: map[string]bool{}}
}

// everything notes a token that only the scope limits.
func (n *needed) everything(access policy.Access) {
	master := access == policy.Master
	if n.all[1] || n.all[0] && !master {
		return
	}
	n.all[0], n.all[1] = true, master
	for _, c := range n.law.Catalogue.Collections {
		if c.Module != "platform" || master {
			n.items[c.Index] = true
		}
	}
}

// entries notes what an ACL is about, what its routes link to, and the members
// of groups that it may confer rights on.
func (n *needed) entries(entries []policy.Entry) {
	groups := false
	for i := range entries {
		groups = groups || entries[i].URI == "gw/groups" || entries[i].URI == "gw"
		n.uri(&entries[i])
	}
	if !groups {
		return
	}
	for _, c := range n.law.Catalogue.Collections {
		if c.Grouped() && conferred(entries, c) {
			n.members[c.Index], n.items[c.Index] = true, true
		}
	}
}

// conferred reports whether groups may decide about a collection: the entries
// have none for it, or one that says in-groups.
func conferred(entries []policy.Entry, c *policy.Collection) bool {
	covered := false
	for i := range entries {
		if entries[i].Covers(c) {
			covered = true
			if entries[i].Rule == policy.IDsInGroups {
				return true
			}
		}
	}
	return !covered
}

func (n *needed) uri(e *policy.Entry) {
	if n.seen[e.URI] {
		return
	}
	n.seen[e.URI] = true
	for _, c := range n.law.Catalogue.Collections {
		if !e.Covers(c) {
			continue
		}
		n.items[c.Index] = true
		for _, r := range c.Routes {
			for _, linked := range r.Selectors {
				if linked != nil {
					n.items[linked.Index] = true
				}
			}
		}
	}
}

func (n *needed) need() upstream.Need {
	var need upstream.Need
	groups := false
	for _, c := range n.law.Catalogue.Collections {
		if n.members[c.Index] {
			need.Members, groups = append(need.Members, c), true
		}
	}
	for _, c := range n.law.Catalogue.Collections {
		indexed := c.Scoped && c.IDs == policy.IDInt
		if indexed && (n.law.Mode.Index() && n.items[c.Index] || groups && c.URI == "gw/groups") {
			need.Collections = append(need.Collections, c)
		}
	}
	return need
}
