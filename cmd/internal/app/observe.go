package app

import (
	"errors"
	"log/slog"
	"net/url"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/admin"
	"aclgate/upstream/share"
)

// errDraining is what /readyz says while the gateway ends.
var errDraining = errors.New("the gateway is draining")

// openAdmin makes the admin listener and has everything that counts export what it counts.
func (a *App) openAdmin() error {
	a.admin = admin.New(admin.Options{
		Gatherer: a.registry, Checks: a.checks(), Key: a.adminKey.get(), Reload: a.Reload, Notice: a.Notice, Ring: a.ring, Explain: a.explainNow,
		Log: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	})
	a.admin.HandleItems(a.missing)
	if a.policy.live != nil {
		a.admin.HandleStore(a.policy.live)
		a.metrics.CollectStore(a.storeStats)
	} else {
		a.admin.HandleFile(a.settings.Store.Path.Text)
	}
	if a.platform != nil {
		a.admin.HandlePlatform(admin.Platform{API: a.platform, Engine: a.engine, Live: a.policy.live, Log: a.log})
	}
	if a.logins != nil {
		a.admin.HandleRealms(a.logins, a.engine)
	}
	a.metrics.CollectCache(func() metrics.CacheStats {
		s := a.policy.cache.Stats()
		return metrics.CacheStats{
			Hits: s.Hits, Misses: s.Misses, Negative: s.NegativeHits, Stale: s.StaleHits, Evictions: s.Evictions,
			DroppedSets: s.Dropped + s.Rejected, Entries: s.Entries, Bytes: s.Bytes,
		}
	})
	a.metrics.CollectPolicy(func() metrics.PolicyStats {
		state := a.policy.State()
		return metrics.PolicyStats{Tokens: state.Tokens, Accounts: state.Accounts, Grants: len(a.policy.Grants().All())}
	})
	a.metrics.CollectUpstream(a.upstreamStats)
	a.metrics.CollectShares(a.shareStats)
	a.metrics.CollectIndex(a.indexStats)
	a.metrics.CollectListener(func() metrics.ListenerStats {
		if a.server == nil { // not listening yet
			return metrics.ListenerStats{}
		}
		l := a.server.Listener()
		return metrics.ListenerStats{Open: l.Open(), Refused: l.RefusedConns(), RefusedPerIP: l.RefusedPerIP()}
	})
	a.metrics.CollectAdministration(a.administrationStats)
	a.metrics.CollectExpiry(a.certificates, func() int { return int(a.ending.Load()) })
	a.metrics.CollectAudit(a.audit)
	a.metrics.CollectLost(func() metrics.LostStats {
		s := metrics.LostStats{Notify: a.notifier.lost.Load()}
		if a.options.LogLost != nil {
			s.Log = a.options.LogLost()
		}
		return s
	})
	a.metrics.Build(a.options.Version, a.options.Revision)
	return nil
}

// openAudit opens the audit log, if the settings name one.
func (a *App) openAudit() (err error) {
	s := a.settings.Audit
	if !s.Path.IsSet() {
		return nil
	}
	a.audit, err = record.OpenAudit(record.AuditOptions{
		Path: s.Path.Path, AllowSample: s.AllowSample, MaxSize: s.MaxSize, Keep: s.Keep, Log: a.log,
	})
	return err
}

// checks are the conditions under which a balancer may send requests here.
func (a *App) checks() []admin.Check {
	checks := []admin.Check{{Name: "draining", Func: func() error {
		if a.draining.Load() {
			return errDraining
		}
		return nil
	}}}
	if a.policy.live != nil {
		checks = append(checks, admin.Check{Name: "store", Func: a.storeReady})
	}
	if a.engine.Mode == policy.ModeNone {
		checks = append(checks, admin.Check{Name: "scope", Func: func() error { return OneScope(a.settings, a.policy.Tree()) }})
	}
	if a.probe != nil {
		checks = append(checks, admin.Check{Name: "scope", Func: a.probe.Ready})
	}
	if a.accounts != nil {
		checks = append(checks, admin.Check{Name: "accounts", Func: a.accounts.Ready})
	}
	checks = append(checks, admin.Check{Name: "index", Func: a.index.Ready})
	if a.mqtt != nil {
		checks = append(checks, admin.Check{Name: "broker", Func: a.mqtt.brokerFault, Advisory: true})
	}
	return checks
}

// ready returns why a balancer must not send requests here; nil if it may.
func (a *App) ready() error {
	for _, c := range a.checks() {
		if err := c.Func(); err != nil && !c.Advisory {
			return err
		}
	}
	return nil
}

func (a *App) upstreamStats() ([]metrics.UpstreamStats, metrics.QueueStats) {
	var urls []metrics.UpstreamStats
	var queue metrics.QueueStats
	for _, s := range a.transport.Stats() {
		name := s.URL
		if u, err := url.Parse(s.URL); err == nil {
			name = u.Host
		}
		urls = append(urls, metrics.UpstreamStats{
			Name: name, Requests: s.Dials + s.Reuses, Retries: s.Repeats, Failures: s.Failures, DialErrors: s.DialErrors,
			Busy: int64(s.InUse()), Idle: int64(s.Idle), Ejected: s.Ejected,
		})
		queue.Waiting += int64(s.Waiting)
	}
	return urls, queue
}

// shareStats adds up what the urls count.
func (a *App) shareStats() []metrics.ShareStats {
	var conns, queue share.Met
	for _, s := range a.transport.Stats() {
		conns.Add(s.Conns)
		queue.Add(s.Queue)
	}
	stats := func(resource string, m share.Met) metrics.ShareStats {
		return metrics.ShareStats{
			Resource: resource, Token: m.Token, Account: m.Account, Strangers: m.Strangers, Callers: m.Callers,
		}
	}
	return []metrics.ShareStats{stats("connections", conns), stats("queue", queue)}
}

func (a *App) indexStats() metrics.IndexStats {
	s := a.index.Stats()
	out := metrics.IndexStats{Succeeded: s.Worked, Failed: s.Failed}
	for _, p := range s.Collections {
		out.Parts = append(out.Parts, metrics.IndexPart(p))
	}
	return out
}
