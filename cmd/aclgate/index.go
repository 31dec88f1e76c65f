package main

import (
	"context"
	"sync"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/upstream/index"
)

// makeIndex builds the item index: in ids and both mode of every item, in header
// mode only of groups whose members some token gains rights by. It also chooses
// where the account tree comes from.
func (a *app) makeIndex() {
	s := a.settings.Scope
	if s.Accounts == config.AccountsBackend {
		a.accounts = index.NewAccounts(index.AccountsOptions{
			Backend: a.transport, Key: a.ownKey, Mode: a.engine.Mode, Policy: a.store.Tree,
			MaxDepth: a.settings.Policy.MaxDepth, Refresh: s.Refresh, MaxStaleness: s.MaxStaleness, Log: a.log,
			Changed: func() { a.index.PolicyLoaded() },
		})
	}
	a.index = index.New(index.Options{
		Backend: a.transport, Key: a.ownKey, Mode: a.engine.Mode, Catalogue: a.engine.Catalogue, Tree: a.Tree,
		Demand:  func() index.Demand { return index.DemandOf(a.engine, a.tokenShapes) },
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

// tokenShapes yields every kind of token of the policy, for what the index has
// to read.
func (a *app) tokenShapes(yield func(index.TokenShape) bool) {
	for access, entries := range a.store.Kinds() {
		if !yield(index.TokenShape{Access: access, Entries: entries}) {
			return
		}
	}
}
