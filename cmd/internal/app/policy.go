package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"aclgate/config"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/store"
	"aclgate/proxy"
	"aclgate/proxy/login"
)

// Engine returns what the settings say about evaluating requests.
func Engine(s *config.Settings, cat *policy.Catalogue) *policy.Engine {
	p := s.Policy
	return &policy.Engine{
		Catalogue: cat, Query: p.Query, MaxIDs: p.MaxIDs, MaxWrite: p.MaxWrite, Mode: modes[s.Scope.Mode],
		RefuseUnknown: p.QueryUnknown == config.QueryRefuse,
		Owners:        owners(s),
		DenyMatch:     s.Scope.Match == config.MatchDeny,
		StrictLinks:   s.Scope.Linked == config.LinkedStrict,
		MasterRoutes:  p.UnknownRoutes == config.UnknownMaster,
		ForwardKeys:   p.BackendKeys == config.BackendKeysForward,
		CallersKey:    !s.Upstream.Token.IsSet(),
		Unenforced:    !p.Enforce,
		Managed:       managedRoutes(s, cat),
	}
}

var modes = map[config.ScopeMode]policy.Mode{
	config.ScopeNone: policy.ModeNone, config.ScopeHeader: policy.ModeHeader, config.ScopeIDs: policy.ModeIDs, config.ScopeBoth: policy.ModeBoth,
}

// OneScope says why scope.mode none cannot serve the accounts of a tree: it keeps none apart.
func OneScope(s *config.Settings, tree *policy.Tree) error {
	n := len(tree.Accounts())
	if s.Scope.Mode != config.ScopeNone || n == 1 {
		return nil
	}
	return fmt.Errorf("scope.mode none is for one account, and the policy has %d: "+
		"set header if the backend knows accounts and obeys x-flespi-cid, ids if its rows have a cid, ids with scope.owners store if they have none", n)
}

// source is a store that is looked after.
type source interface {
	store.Store
	Run(context.Context)
	Reload() error
	State() store.State
	Kinds() iter.Seq2[policy.Access, []policy.Entry]
	UsesFault() error
	Grants() *policy.Grants
}

// policySource is a policy that is watched and reloaded: the one in force, or that of
// policy.shadow. It implements proxy.ShadowPolicy.
type policySource struct {
	source
	sessions *login.Store // the same store, with the sessions of users in front
	live     *store.Live  // the same store, if it follows a database; nil: a file
	none     *policy.Tree // stands for the tree of a database that was not read yet
	cache    *cache.Cache
	accounts proxy.Accounts // where the backend knows the tree: that one; nil: the file's
}

func (a *App) newSource(file config.File, log *slog.Logger, changed func(store.State, store.What)) (*policySource, error) {
	f, err := store.OpenFile(store.FileOptions{
		Path: file.Path, Catalogue: a.engine.Catalogue, MaxDepth: a.settings.Policy.MaxDepth, Logger: log, Changed: changed,
		Accept: func(t *policy.Tree) error { return OneScope(a.settings, t) },
	})
	if err != nil {
		return nil, err
	}
	p := &policySource{source: f}
	p.sessions = a.withSessions(p, f, f, nil)
	p.cache, err = cache.New(p.sessions, a.engine.Catalogue, a.settings.Cache.MaxBytes)
	return p, err
}

func (p *policySource) close() {
	if p == nil {
		return
	}
	if p.cache != nil {
		p.cache.Close()
	}
	if p.live != nil {
		_ = p.live.Close() // everything that was answered is on the disk
	}
}

// Lookup implements proxy.Tokens. Its errors are a policy.Reason.
func (p *policySource) Lookup(d policy.Digest, now time.Time) (*policy.Token, error) {
	if !p.Fresh(now) {
		return nil, policy.StoreStale
	}
	tok, err := p.cache.Lookup(d)
	switch {
	case err == nil:
		return tok, nil
	case errors.Is(err, store.ErrNotFound):
		return nil, policy.TokenUnknown
	}
	return nil, policy.StoreStale
}

// Revision implements proxy.Tokens.
func (p *policySource) Revision(key uint64) uint64 { return p.sessions.Revision(key) }

// Kinds yields what tokens there are, those of users too: the index has to know what they may ask for.
func (p *policySource) Kinds() iter.Seq2[policy.Access, []policy.Entry] {
	return p.sessions.Kinds(p.source.Kinds())
}

// Tree implements proxy.Accounts: the tree in force, wherever it comes from.
func (p *policySource) Tree() *policy.Tree {
	if p.accounts != nil {
		return p.accounts.Tree()
	}
	return p.ownTree()
}

// ownTree returns the tree of the store itself.
func (p *policySource) ownTree() *policy.Tree {
	if t := p.source.Tree(); t != nil {
		return t
	}
	return p.none
}

// openPolicies reads the policy and, if there is one, that of policy.shadow. A broken one is a fault
// at start; later the last sound one stays.
func (a *App) openPolicies() (err error) {
	if a.policy, err = a.openStore(); err != nil {
		return err
	}
	a.useLimits() // the first load was told before the store was known
	if shadow := a.settings.Policy.Shadow; shadow.IsSet() {
		if a.shadow, err = a.newSource(shadow, a.log.With("policy", "shadow"), a.shadowChanged); err != nil {
			return fmt.Errorf("cannot read policy.shadow: %w", err)
		}
	}
	return nil
}

// shadowChanged is called after every reading of the second policy.
func (a *App) shadowChanged(s store.State, _ store.What) {
	if a.shadow != nil && !s.Stale {
		a.shadow.sessions.Changed()
	}
}

// policyChanged is called after every reading of the policy, one at a time.
func (a *App) policyChanged(s store.State, what store.What) {
	var refused error
	if s.Stale {
		refused = cmp.Or[error](s.Faults.Err(), errUnread)
	}
	a.metrics.Reloaded(refused, s.Revision, time.Now())
	if a.policy == nil || a.policy.live == nil || s.Stale || what.Tables == store.AllTables || a.lastPolicyChange.Result != "succeeded" {
		a.auditPolicy(s) // of a database each change has its own line
	}
	if !s.Stale && (what.Tree || what.Tables.Has(store.Limits) || what.Tables.Has(store.Accounts)) {
		a.useLimits()
	}
	if a.logins != nil && !s.Stale {
		what.Kinds = a.tellLogins(what) || what.Kinds
	}
	if s.Stale || !what.Tree && !what.Kinds {
		return
	}
	if a.probe != nil {
		a.probe.PolicyLoaded()
	}
	if a.accounts != nil {
		a.accounts.PolicyLoaded()
	}
	if a.index != nil {
		if a.engine.Owners == policy.OwnersFile {
			a.owned(nil)
		}
		a.index.PolicyLoaded()
	}
}

// tellLogins tells the logins what is another one now, and reports whether users may have tokens of
// another kind than before.
func (a *App) tellLogins(what store.What) (kinds bool) {
	all, users := what.Tables.Has(store.Realms) || what.Tables.Has(store.Roles), what.Tables.Has(store.Users)
	switch {
	case all || what.Tree:
		a.logins.Changed()
	case users:
		a.logins.UsersChanged(what.Users)
	}
	return all || users
}

// auditPolicy writes a reading of the policy that changed something: what was in force, and since
// when, is part of why a request was denied. The first reading is written as the start.
func (a *App) auditPolicy(s store.State) {
	c := record.Change{Event: "reload", Result: "succeeded", Revision: s.Revision}
	if s.Stale {
		c.Result, c.Faults = "failed", cmp.Or[error](s.Faults.Err(), errUnread).Error()
	}
	first := a.lastPolicyChange == record.Change{}
	if c == a.lastPolicyChange {
		return
	}
	if a.lastPolicyChange.Result == "failed" && !s.Stale {
		a.log.Info("the policy can be read again", "revision", s.Revision)
	}
	a.lastPolicyChange = c
	if !first {
		c.Time = time.Now()
		a.audit.Change(c)
	}
}
