package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/store"
	"aclgate/proxy"
)

// shadow is the policy of policy.shadow: read, watched and reloaded like the one
// in force, judged beside it, and enforced on nobody.
type shadow struct {
	store    *store.File
	cache    *cache.Cache
	accounts proxy.Accounts // where the backend knows the tree: that one; nil: the file's
}

// openShadow reads the second policy, if there is one. A broken one is a fault
// at start; later the last sound one stays.
func (a *app) openShadow() (err error) {
	file := a.settings.Policy.Shadow
	if !file.IsSet() {
		return nil
	}
	s := &shadow{}
	s.store, err = store.OpenFile(store.FileOptions{
		Path: file.Path, Catalogue: a.engine.Catalogue, MaxDepth: a.settings.Policy.MaxDepth,
		Logger: a.log.With("policy", "shadow"),
	})
	if err != nil {
		return fmt.Errorf("policy.shadow: %w", err)
	}
	if s.cache, err = cache.New(s.store, a.engine.Catalogue, a.settings.Cache.MaxBytes); err != nil {
		return err
	}
	if a.accounts != nil {
		s.accounts = a.accounts
	}
	a.shadow = s
	return nil
}

func (a *app) runShadow(ctx context.Context, group *sync.WaitGroup) {
	if a.shadow != nil {
		group.Go(func() { a.shadow.store.Run(ctx) })
	}
}

func (a *app) reloadShadow() error {
	if a.shadow == nil {
		return nil
	}
	if err := a.shadow.store.Reload(); err != nil {
		return fmt.Errorf("policy.shadow: %w", err)
	}
	return nil
}

func (a *app) closeShadow() {
	if a.shadow != nil {
		a.shadow.cache.Close()
	}
}

// Lookup implements proxy.Tokens.
func (s *shadow) Lookup(d policy.Digest) (*policy.Token, error) { return lookup(s.cache, d) }

// Tree implements proxy.Accounts.
func (s *shadow) Tree() *policy.Tree {
	if s.accounts != nil {
		return s.accounts.Tree()
	}
	return s.store.Tree()
}

// lookup finds a token; its errors are a policy.Reason.
func lookup(c *cache.Cache, d policy.Digest) (*policy.Token, error) {
	tok, err := c.Lookup(d)
	switch {
	case err == nil:
		return tok, nil
	case errors.Is(err, store.ErrNotFound):
		return nil, policy.TokenUnknown
	}
	return nil, policy.StoreStale
}
