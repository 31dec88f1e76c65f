package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/cache"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/proxy"
	"aclgate/proxy/admin"
	"aclgate/upstream"
	"aclgate/upstream/index"
	"aclgate/upstream/probe"
)

// ringSize is how many requests `why` can find.
const ringSize = 4096

// app is one running gateway: everything that New made and Run serves.
type app struct {
	settings  *config.Settings
	log       *slog.Logger
	engine    *policy.Engine
	store     *store.File
	cache     *cache.Cache
	shadow    *shadow // nil: there is no policy.shadow
	transport *upstream.Transport
	resolver  *index.Resolver
	index     *index.ItemIndex
	accounts  *index.Accounts // nil: the tree is the policy's
	probe     *probe.Probe    // nil: nothing has to be checked
	metrics   *metrics.Metrics
	registry  *prometheus.Registry
	ring      *record.Ring
	audit     *record.Audit // nil: there is no audit log
	noted     record.Change // the last reading of the policy, as the audit log has it, less its time
	gateway   *proxy.Gateway
	admin     *admin.Server
	key       atomic.Pointer[string]
	draining  atomic.Bool
	ready     func() // told when both addresses are taken

	public, private net.Listener
	server          *proxy.Server
	tlsFault        func() error // of the public listener's files; nil: it has none
}

// newApp builds a gateway from settings. Nothing runs yet and no address is
// taken. The error may hold many faults.
func newApp(s *config.Settings, log *slog.Logger) (*app, error) {
	a := &app{settings: s, log: log, registry: prometheus.NewRegistry()}
	for _, step := range []func() error{a.readKey, a.makeLaw, a.openAudit, a.openStore, a.makeUpstream, a.openShadow, a.makeGateway, a.makeAdmin} {
		if err := step(); err != nil {
			a.close()
			return nil, err
		}
	}
	return a, nil
}

// readKey reads the gateway's own credential, again on every reload.
func (a *app) readKey() error {
	key := ""
	if f := a.settings.Upstream.Token; f.IsSet() {
		var err error
		if key, err = config.ReadKeyFile(f.Path); err != nil {
			return fmt.Errorf("cannot read upstream.token_file: %w", err)
		}
	}
	a.key.Store(&key)
	return nil
}

func (a *app) makeLaw() error {
	cat, err := routes.Load(a.settings.Policy.RoutesFile.Path)
	if err != nil {
		return err
	}
	a.engine = engineOf(a.settings, cat)
	a.metrics = metrics.New(a.registry, cat)
	a.ring = record.NewRing(ringSize)
	return nil
}

// lawOf returns what the settings say about judging.
func engineOf(s *config.Settings, cat *policy.Catalogue) *policy.Engine {
	p := s.Policy
	return &policy.Engine{
		Catalogue: cat, Query: p.Query, MaxIDs: p.MaxIDs, Mode: modes[s.Scope.Mode],
		DenyMatch:    s.Scope.Match == config.MatchDeny,
		StrictLinks:  s.Scope.Linked == config.LinkedStrict,
		MasterRoutes: p.UnknownRoutes == config.UnknownMaster,
		ForwardKeys:  p.BackendKeys == config.BackendKeysForward,
		CallersKey:   !s.Upstream.Token.IsSet(),
		Unenforced:   !p.Enforce,
	}
}

var modes = map[config.ScopeMode]policy.Mode{
	config.ScopeHeader: policy.ModeHeader, config.ScopeIDs: policy.ModeIDs, config.ScopeBoth: policy.ModeBoth,
}

func (a *app) openStore() (err error) {
	a.store, err = store.OpenFile(store.FileOptions{
		Path: a.settings.Store.Path.Path, Catalogue: a.engine.Catalogue, MaxDepth: a.settings.Policy.MaxDepth, Logger: a.log,
		Changed: a.policyChanged,
	})
	if err != nil {
		return err
	}
	a.cache, err = cache.New(a.store, a.engine.Catalogue, a.settings.Cache.MaxBytes)
	return err
}

// policyChanged hears of every reading of the policy.
func (a *app) policyChanged(s store.State) {
	var refused error
	if s.Stale {
		refused = s.Faults
	}
	a.metrics.Reloaded(refused, s.Revision, time.Now())
	a.auditPolicy(s)
	if s.Stale {
		return
	}
	if a.probe != nil {
		a.probe.PolicyLoaded()
	}
	if a.accounts != nil {
		a.accounts.PolicyLoaded()
	}
	if a.index != nil {
		a.index.PolicyLoaded()
	}
}

// Lookup implements proxy.Tokens.
func (a *app) Lookup(d policy.Digest) (*policy.Token, error) { return lookup(a.cache, d) }

func (a *app) makeUpstream() (err error) {
	u := a.settings.Upstream
	urls := make([]string, len(u.URLs))
	for i, o := range u.URLs {
		urls[i] = o.String()
	}
	a.transport, err = upstream.New(upstream.Options{
		URLs: urls, CAFile: u.TLS.CA.Path, CertFile: u.TLS.Cert.Path, KeyFile: u.TLS.Key.Path,
		Dial: u.Timeouts.Dial, FirstByte: u.Timeouts.FirstByte, Idle: u.Timeouts.Idle,
		MaxConns: u.MaxConnections, QueueMax: u.Queue.Max, QueueFor: u.Queue.For,
		EjectFailures: u.Eject.Failures, EjectFor: u.Eject.For, HealthCheck: u.Probe,
	})
	if err != nil {
		return err
	}
	a.makeIndex()
	a.resolver = index.NewResolver(index.ResolverOptions{
		Backend: a.transport, Key: a.ownKey, Mode: a.engine.Mode, MaxTarget: u.MaxURLBytes, Index: a.index,
	})
	a.makeProbe()
	return nil
}

// makeProbe checks that the backend obeys x-flespi-cid, where that
// is the only wall between accounts. Without a credential of its own the
// gateway cannot look; the callers' own keys are the wall then.
func (a *app) makeProbe() {
	if a.engine.Mode != policy.ModeHeader || a.settings.Scope.TrustHeader || a.ownKey() == "" {
		return
	}
	a.probe = probe.New(probe.Options{
		Backend: a.transport, Key: a.ownKey, Tree: a.Tree, Catalogue: a.engine.Catalogue, Log: a.log,
		Changed: func(o probe.Support) {
			a.metrics.SetBool(metrics.ScopeHeaderIgnored, o == probe.Ignored)
			a.metrics.SetBool(metrics.ScopeHeaderChecked, o == probe.Honoured)
		},
	})
}

func (a *app) ownKey() string { return *a.key.Load() }

func (a *app) makeGateway() error {
	l := a.settings.Listen
	o := proxy.Options{
		Engine: a.engine, Tokens: a, Accounts: a, Index: a.index, Backend: a.transport, Limits: a.makeLimits(),
		Metrics: a.metrics, Ring: a.ring, Audit: a.audit, Log: a.log,
		Resolver: a.resolver, Key: a.ownKey,
		PassHeaders: a.settings.Upstream.Headers, PublicURL: l.PublicURL.String(),
		TLS: l.TLS.Cert.IsSet(), TrustedProxies: l.TrustedProxies,
		Origins: l.CORS.Origins, CORSMaxAge: int(l.CORS.MaxAge / time.Second),
		MaxBody: l.MaxBodyBytes, MaxUpload: l.MaxUploadBytes, MaxURL: a.settings.Upstream.MaxURLBytes,
		MaxBodies: maxBodies(l.MaxBodyBytes),
	}
	if a.probe != nil {
		o.ScopeProbe = a.probe
	}
	if a.accounts != nil {
		o.AccountTree = a.accounts
	}
	if a.shadow != nil {
		o.Shadow = a.shadow
	}
	a.gateway = proxy.New(o)
	return nil
}

// run takes the addresses, serves until ctx ends, and drains.
func (a *app) run(ctx context.Context) error {
	if err := a.listen(); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { a.store.Run(background) })
	a.runShadow(background, &group)
	a.runAudit(background, &group)
	a.runIndex(background, &group)
	a.guard(background, &group)
	if a.probe != nil {
		group.Go(func() { a.probe.Run(background) })
	}
	group.Go(func() { a.admin.Serve(a.private) })
	ended := make(chan error, 1)
	group.Go(func() { ended <- a.server.Serve() })
	a.log.Info("serving", "address", a.public.Addr().String(), "admin", a.private.Addr().String(),
		"mode", a.settings.Scope.Mode, "version", version())
	if a.ready != nil {
		a.ready()
	}
	var err error
	select {
	case <-ctx.Done():
		err = a.shutdown()
	case err = <-ended:
	}
	stop()
	a.stopAdmin()
	group.Wait()
	a.close()
	return err
}

// shutdown ends without failing a request: readiness off, time for balancers
// to see it, then Connection: close on every answer until nobody is left.
func (a *app) shutdown() error {
	s := a.settings.Shutdown
	a.draining.Store(true)
	a.notify(notifyStopping)
	a.metrics.SetBool(metrics.Draining, true)
	a.log.Info("draining", "delay", s.Delay, "drain", s.Drain)
	time.Sleep(s.Delay)
	ctx, cancel := context.WithTimeout(context.Background(), s.Drain)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were cut: shutdown.drain of %s was too short", s.Drain)
	}
	a.log.Info("drained")
	return nil
}

func (a *app) stopAdmin() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.admin.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		a.log.Debug("the admin listener ended late", "error", err)
	}
}

func (a *app) close() {
	if a.transport != nil {
		a.transport.Close()
	}
	if a.cache != nil {
		a.cache.Close()
	}
	a.closeShadow()
	a.audit.Close()
}

// reload reads the policy and the gateway's own credential again. When it
// returns nil, every request judged later obeys the new ones.
func (a *app) reload() error {
	if err := a.readKey(); err != nil {
		a.metrics.Reloaded(err, 0, time.Now())
		return err
	}
	return errors.Join(a.store.Reload(), a.reloadShadow())
}
