package app

import (
	"slices"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/index"
	"aclgate/upstream/probe"
)

func (a *App) ownKey() string { return a.key.get() }

func (a *App) openBackend() (err error) {
	u := a.settings.Upstream
	urls := make([]string, len(u.URLs))
	for i, o := range u.URLs {
		urls[i] = o.String()
	}
	if !slices.ContainsFunc(u.URLs, config.Origin.TLS) {
		u.TLS = config.ClientTLS{} // without effect, of which check warns
	}
	a.transport, err = upstream.New(upstream.Options{
		URLs: urls, CAFile: u.TLS.CA.Path, CertFile: u.TLS.Cert.Path, KeyFile: u.TLS.Key.Path,
		Dial: u.Timeouts.Dial, FirstByte: u.Timeouts.FirstByte, Silence: u.Timeouts.Silence, Idle: u.Timeouts.Idle,
		Marker: a.marker, MaxConns: u.MaxConnections, QueueMax: u.Queue.Max, QueueFor: u.Queue.For,
		EjectFailures: u.Eject.Failures, EjectFor: u.Eject.For, HealthCheck: u.Probe,
	})
	if err != nil {
		return err
	}
	a.openIndex()
	a.resolver = index.NewResolver(index.ResolverOptions{
		Backend: a.transport, Key: a.ownKey, Mode: a.engine.Mode, MaxTarget: u.MaxURLBytes, Index: a.index,
		Conditions: u.Conditions, MaxResolved: a.settings.Policy.MaxResolved, Within: u.Timeouts.FirstByte,
	})
	// Where x-flespi-cid is all that keeps accounts apart, the backend has to obey it. Without a
	// credential of its own the gateway cannot ask; then the callers' own keys keep them apart.
	if a.engine.Mode == policy.ModeHeader && !a.settings.Scope.TrustHeader && a.ownKey() != "" {
		a.probe = probe.New(probe.Options{
			Backend: a.transport, Key: a.ownKey, Tree: a.readTree, Catalogue: a.engine.Catalogue, Log: a.log,
			Changed: func(o probe.Support) {
				a.metrics.SetBool(metrics.ScopeHeaderIgnored, o == probe.Ignored)
				a.metrics.SetBool(metrics.ScopeHeaderChecked, o == probe.Honoured)
			},
		})
	}
	return nil
}

// openIndex makes the item index: in ids and both mode of every item, in header mode only of groups
// whose members some token gains rights by. It also chooses where the account tree comes from.
func (a *App) openIndex() {
	s := a.settings.Scope
	if s.Accounts == config.AccountsBackend {
		a.accounts = index.NewAccounts(index.AccountsOptions{
			Backend: a.transport, Key: a.ownKey, Mode: a.engine.Mode, Policy: a.policy.ownTree,
			MaxDepth: a.settings.Policy.MaxDepth, Refresh: s.Refresh, MaxStaleness: s.MaxStaleness, Log: a.log,
			Changed: a.accountsChanged,
		})
		a.policy.accounts = a.accounts
		if a.shadow != nil {
			a.shadow.accounts = a.accounts
		}
	}
	a.index = index.New(index.Options{
		Backend: a.transport, Key: a.ownKey, Mode: a.engine.Mode, Catalogue: a.engine.Catalogue, Tree: a.policy.Tree,
		Owners:  a.openOwners(),
		Demand:  a.demand,
		Refresh: s.Refresh, MaxStaleness: s.MaxStaleness, MaxTarget: a.settings.Upstream.MaxURLBytes, Log: a.log,
		Connections: a.settings.Upstream.MaxConnections,
	})
}

// accountsChanged has everything looked at again that rests on the account tree.
func (a *App) accountsChanged() {
	a.index.PolicyLoaded()
	if a.probe != nil {
		a.probe.PolicyLoaded()
	}
}

// readTree returns the accounts in force, nil as long as those of the backend were not read: below
// the roots alone there are no leaves to look at.
func (a *App) readTree() *policy.Tree {
	if a.accounts != nil && a.accounts.Ready() != nil {
		return nil
	}
	return a.policy.Tree()
}

// tokenShapes yields every kind of token of the policy, for what the index has to read.
func (a *App) tokenShapes(yield func(index.TokenShape) bool) {
	for access, entries := range a.policy.Kinds() {
		if !yield(index.TokenShape{Access: access, Entries: entries}) {
			return
		}
	}
}
