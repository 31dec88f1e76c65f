package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"syscall"
	"time"

	"aclgate/config"
	"aclgate/config/tlsfiles"
	"aclgate/metrics"
	"aclgate/proxy"
	"aclgate/proxy/head"
	"aclgate/proxy/limit"
)

// bodiesAtOnce is how many of the longest bodies may be held at the same time.
const bodiesAtOnce = 32

// maxBodies returns how many bytes of large request bodies may be held at once: as many as
// bodiesAtOnce of the longest, but no more than an eighth of GOMEMLIMIT, because judging a hostile
// one takes four times its length. One body always fits.
func maxBodies(maxBody int64) int64 {
	return max(maxBody+1, min(bodiesAtOnce*maxBody, debug.SetMemoryLimit(-1)/8))
}

// openGateway joins what serves a request.
func (a *App) openGateway() {
	l, limits := a.settings.Listen, a.limiter()
	o := proxy.Options{
		Engine: a.engine, Tokens: a.policy, Accounts: a.policy, Index: a.index, Backend: a.transport, Limits: limits, Quota: a.quota, Owners: a.ownerBook(), Realms: a.logins,
		Grants: a.policy, Blocks: blocks{a},
		Metrics: a.metrics, Ring: a.ring, Audit: a.audit, Log: a.log,
		Resolver: a.resolver, Key: a.ownKey, Marker: a.marker,
		Identity: a.settings.Upstream.Identity, PassHeaders: a.settings.Upstream.Headers, PublicURL: l.PublicURL.String(),
		TLS: l.TLS.Cert.IsSet(), TrustedProxies: l.TrustedProxies,
		Region: region(l.Region), Backends: backends(a.settings.Upstream.URLs),
		Origins: l.CORS.Origins, CORSMaxAge: int(l.CORS.MaxAge / time.Second), HSTS: int(l.HSTS / time.Second),
		MaxBody: l.MaxBodyBytes, MaxUpload: l.MaxUploadBytes, MaxURL: a.settings.Upstream.MaxURLBytes,
		MaxBodies: maxBodies(l.MaxBodyBytes), Served: a.options.Served,
	}
	if l.PublicHealth {
		o.PublicHealth = a.ready
	}
	o.MQTT, o.MQTTWS = a.mqttPlaces()
	// A nil pointer in an interface is not nil.
	if a.probe != nil {
		o.ScopeProbe = a.probe
	}
	if a.accounts != nil {
		o.AccountTree = a.accounts
	}
	if a.platform != nil {
		o.Records = a.platform
	}
	if a.shadow != nil {
		o.Shadow = a.shadow
	}
	a.gateway = proxy.New(o)
	a.shareLimits("", limits, a.gateway.LimitsNow)
}

// region returns the members that /auth/regions has more, as JSON, each after a comma.
func region(members []config.Member) (b []byte) {
	for _, m := range members {
		name, _ := json.Marshal(m.Name) // a string always can be
		value, _ := json.Marshal(m.Value)
		b = append(append(append(append(b, ','), name...), ':'), value...)
	}
	return b
}

// backends returns the URLs of the backend as text.
func backends(urls []config.Origin) (texts []string) {
	for _, u := range urls {
		texts = append(texts, u.String())
	}
	return texts
}

// limiter returns what bounds single callers, nil where the settings set no bound, and has its
// counters exported.
func (a *App) limiter() *limit.Limiter {
	of := func(l config.Limit) limit.Limit {
		return limit.Limit{Rate: l.Rate.PerSecond(), Burst: l.Size(), Concurrent: l.Concurrent}
	}
	s := a.settings.Limits
	l := limit.New(limit.Options{Token: of(s.PerToken.Limit), Account: of(s.PerAccount.Limit), Source: of(s.Unauthenticated), Shared: a.peer != nil})
	a.collectLimits("", l)
	return l
}

// collectLimits has the counters of a limiter exported, with a word in front of their scopes.
func (a *App) collectLimits(what string, l *limit.Limiter) {
	a.metrics.CollectLimits(func() []metrics.LimitStats {
		stats := l.Stats()
		all := make([]metrics.LimitStats, len(stats))
		for i, s := range stats {
			all[i] = metrics.LimitStats(s)
			all[i].Scope = what + s.Scope
		}
		return all
	})
}

// listen takes all addresses; before it returns nil nothing is served.
func (a *App) listen() error {
	l := a.settings.Listen
	var err error
	if a.public, err = net.Listen("tcp", l.Address); err != nil {
		return ListenError("listen.address", l.Address, err)
	}
	if a.private, err = net.Listen("tcp", a.settings.Admin.Address); err != nil {
		a.public.Close()
		return ListenError("admin.address", a.settings.Admin.Address, err)
	}
	heads := head.Config{
		MaxHeadBytes: l.MaxHeaderBytes, Hosts: l.Hosts, Chunked: l.Chunked == "accept", Health: l.PublicHealth,
		MaxConns: l.MaxConnections, MaxConnsPerIP: l.MaxConnectionsPerIP,
		Read: l.Timeouts.Read, Write: l.Timeouts.Write, Idle: l.Timeouts.Idle,
		Body: l.Timeouts.Body, Upload: l.Timeouts.Upload, MinRate: l.Timeouts.MinRate, Watch: a.settings.Policy.CutAfter,
	}
	ln, err := a.secure(a.public)
	if err == nil {
		err = a.listenRedirect(heads)
	}
	if err == nil {
		err = a.mqtt.listen(a.mqttHeads())
	}
	if err != nil {
		a.public.Close()
		a.private.Close()
		a.endRedirect(context.Background())
		return err
	}
	a.server = proxy.NewServer(a.gateway, ln, heads)
	return nil
}

// listenRedirect takes the plain address that sends clients to the public listener, if there is one.
func (a *App) listenRedirect(heads head.Config) error {
	l := a.settings.Listen
	if l.Redirect == "" {
		return nil
	}
	ln, err := net.Listen("tcp", l.Redirect)
	if err != nil {
		return ListenError("listen.redirect", l.Redirect, err)
	}
	_, port, _ := net.SplitHostPort(a.public.Addr().String())
	a.redirect = proxy.NewRedirect(ln, heads, l.PublicURL.String(), port)
	return nil
}

// endRedirect ends the plain listener. Its connections have one request each, so it is quick.
func (a *App) endRedirect(ctx context.Context) {
	if a.redirect != nil {
		a.redirect.Shutdown(ctx)
	}
}

// secure returns ln with TLS, where the settings want it.
func (a *App) secure(ln net.Listener) (net.Listener, error) {
	files := a.settings.Listen.TLS
	if !files.Cert.IsSet() {
		return ln, nil
	}
	r, err := tlsfiles.Server(tlsfiles.Files{CA: files.ClientCA.Path, Cert: files.Cert.Path, Key: files.Key.Path})
	if err != nil {
		return nil, err
	}
	a.listenTLSFault = r.Fault
	return tls.NewListener(ln, r.Listener()), nil
}

// ListenError says why an address, which what names, cannot be listened on. It wraps err.
func ListenError(what, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s %s is in use by another process (%w)", what, address, syscall.EADDRINUSE)
	}
	return fmt.Errorf("cannot listen on %s: %w", what, err)
}
