// Package app is a running gateway. It makes every part from the settings and joins them; nothing
// else does. Commands and tests use the same three calls: New, Serve, Close.
//
// Where things are: policy.go opens the policies, backend.go what sends to the backend, listen.go
// the gateway and its listener, mqtt.go the MQTT front, observe.go the admin listener and what it exports, faults.go looks
// after what may fail without failing a request, notify.go informs the service manager.
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/proxy"
	"aclgate/proxy/admin"
	"aclgate/proxy/debt"
	"aclgate/proxy/login"
	"aclgate/proxy/mqtt"
	"aclgate/proxy/platform"
	"aclgate/proxy/quota"
	"aclgate/upstream"
	"aclgate/upstream/index"
	"aclgate/upstream/probe"
)

const (
	// ringSize is how many requests `why` can find.
	ringSize = 4096
	// adminShutdown is how long requests to the admin listener may take at the end.
	adminShutdown = time.Second
)

// Options are what does not come from the settings. The zero value will do.
type Options struct {
	Version, Revision string // for the log and the metrics

	Hangup <-chan os.Signal          // each one reads the policy again; nil: never
	Hasten <-chan os.Signal          // while it ends: do not wait for requests any more; nil: never
	Ready  func(api, admin net.Addr) // called once both addresses are taken
	Served proxy.Served              // nil: no call

	ServedMQTT mqtt.Served // called for what MQTT sessions do; nil: no call

	IssuerRoots *x509.CertPool // whom issuers of tokens have their certificates from; nil: the system's

	LogLost func() uint64 // lines of the log that were lost; nil: not counted
	Upgrade bool          // bring a SQLite database with an older schema to date, after a copy beside it
}

// App is one gateway. Serve runs it, once.
type App struct {
	settings *config.Settings
	options  Options
	log      *slog.Logger

	engine           *policy.Engine
	policy           *policySource
	database         Database      // nil: the policy is a file
	shadow           *policySource // nil: there is no policy.shadow
	lastPolicyChange record.Change // as the audit log has it, without its time

	key       *keyFile // the gateway's own credential
	adminKey  *keyFile
	brokerKey *keyFile // the gateway's own credential at the broker
	transport *upstream.Transport
	resolver  *index.Resolver
	index     *index.ItemIndex
	asked     askedItems      // what the operator asks about and no token needs
	platform  *platform.API   // nil: it is not served
	quota     *quota.Book     // what limits say of accounts
	peer      debt.Peer       // where gateways add up what they have admitted; nil: each is alone
	exchange  *debt.Exchanger // nil: the same
	shared    []debt.Limits   // those that it exchanges
	logins    *login.Service  // where users log in
	book      *store.Book     // whose items are; nil: the backend says so, or a policy file
	accounts  *index.Accounts // nil: the tree is the policy's
	probe     *probe.Probe    // nil: nothing has to be checked

	metrics  *metrics.Metrics
	registry *prometheus.Registry
	ring     *record.Ring
	audit    *record.Audit // nil: there is no audit log

	gateway         *proxy.Gateway
	admin           *admin.Server
	public, private net.Listener
	server          *proxy.Server
	redirect        *proxy.Redirect // nil: there is none
	mqtt            *mqttFront      // nil: there is none
	listenTLSFault  func() error    // of the public listener's files; nil: it has none
	draining        atomic.Bool
	reloadFailed    atomic.Bool  // the last one
	ending          atomic.Int64 // tokens that end soon
	masterless      atomic.Int64 // root accounts without a master, and 1; 0: they were not counted
	notifier        *notifier
	marker          string // of this process, in requests to the backend
}

// New makes a gateway from settings. Nothing runs yet and no address is taken. The error may hold
// many faults. The caller closes the App.
func New(s *config.Settings, log *slog.Logger, o Options) (*App, error) {
	cat, err := routes.Load(s.Policy.RoutesFile.Path)
	if err != nil {
		return nil, err
	}
	a := &App{settings: s, options: o, log: log, engine: Engine(s, cat), registry: prometheus.NewRegistry(), ring: record.NewRing(ringSize)}
	a.marker = proxy.NewMarker()
	a.quota = quota.New(s.Platform.LimitWindow)
	a.metrics = metrics.New(a.registry, cat)
	a.notifier = newNotifier(func(state string, err error) {
		log.Warn("cannot tell the service manager", "state", state, "error", err)
	})
	for _, open := range []func() error{a.openKeys, a.openAudit, a.openPolicies, a.openPeer, a.openBackend, a.openMQTT, a.openPlatform, a.openAdmin} {
		if err := open(); err != nil {
			a.Close()
			return nil, err
		}
	}
	a.openGateway()
	a.openExchange()
	return a, nil
}

// Close gives back what New opened. Serve must have returned.
func (a *App) Close() {
	if a.transport != nil {
		a.transport.Close()
	}
	if c, ok := a.peer.(io.Closer); ok {
		_ = c.Close() // nothing that counts is under way
	}
	a.policy.close()
	a.shadow.close()
	a.audit.Close()
}

// Reload reads the policy and all keys again. When it returns nil, every request evaluated later
// obeys the new ones. What cannot be read stays as it was, and keeps nothing else from being read.
func (a *App) Reload() error {
	before := a.keyFault()
	keys := a.readKeys()
	if keys != nil || before != nil {
		a.auditKeys(keys)
	}
	err := errors.Join(keys, a.reloadPolicies())
	switch failed := a.reloadFailed.Swap(err != nil) || before != nil; {
	case err != nil:
		a.log.Error("reload refused: what could not be read stays as it was", "error", err)
	case failed:
		a.log.Info("reloaded: what failed before can be read again", "revision", a.policy.State().Revision)
	default:
		a.log.Info("reloaded", "revision", a.policy.State().Revision)
	}
	if notice := a.Notice(); notice != "" {
		a.log.Warn(notice)
	}
	return err
}

// Notice says what no reload puts in force; "" is nothing.
func (a *App) Notice() string {
	if !a.settings.Changed() {
		return ""
	}
	return a.settings.Name() + " has changed since the start: settings need a restart"
}

func (a *App) reloadPolicies() error {
	err := a.policy.Reload()
	if a.shadow != nil {
		if shadow := a.shadow.Reload(); shadow != nil {
			err = errors.Join(err, fmt.Errorf("cannot read policy.shadow: %w", shadow))
		}
	}
	return err
}

// Serve takes the addresses, serves until ctx ends, and drains.
func (a *App) Serve(ctx context.Context) error {
	if err := a.listen(); err != nil {
		return err
	}
	a.audit.Change(record.Change{Time: time.Now(), Event: "start", Revision: a.policy.State().Revision})
	background, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for _, run := range a.loops() {
		group.Go(func() { run(background) })
	}
	group.Go(func() { a.admin.Serve(a.private) })
	if a.exchange != nil {
		a.exchange.Begin(ctx)
	}
	a.awaitProbe(ctx)
	ended := make(chan error, 1)
	group.Go(func() { ended <- a.server.Serve() })
	if a.redirect != nil {
		group.Go(func() { _ = a.redirect.Serve() }) // an end before its time is one of the public listener, too
	}
	a.serveMQTT()
	a.log.Info("serving", "address", a.public.Addr().String(), "admin", a.private.Addr().String(),
		"mode", a.settings.Scope.Mode, "version", a.options.Version)
	a.notifier.tell(notifyReady)
	if a.options.Ready != nil {
		a.options.Ready(a.public.Addr(), a.private.Addr())
	}
	var err error
	select {
	case <-ctx.Done():
		err = a.shutdown()
	case err = <-ended:
		a.endMQTT(context.Background())
		a.endRedirect(ctx)
	}
	stop()
	admin, cancel := context.WithTimeout(context.Background(), adminShutdown)
	defer cancel()
	if late := a.admin.Shutdown(admin); late != nil && !errors.Is(late, http.ErrServerClosed) {
		a.log.Debug("the admin listener ended late", "error", late)
	}
	group.Wait()
	return err
}

// firstProbe is how long clients of a gateway that starts wait for the first check of x-flespi-cid.
const firstProbe = time.Second

// awaitProbe waits for the first check of the backend, for a moment: until it has ended, requests that
// nothing else limits are refused, and a client need not notice a start.
func (a *App) awaitProbe(ctx context.Context) {
	if a.probe == nil {
		return
	}
	timer := time.NewTimer(firstProbe)
	defer timer.Stop()
	select {
	case <-a.probe.Tried():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loops returns what runs beside the requests until its context ends, which is when the last
// request was answered.
func (a *App) loops() []func(context.Context) {
	all := []func(context.Context){
		a.policy.Run, a.logins.Run, a.countEnding, a.countMasters, a.index.Run, a.gateway.WatchMemory, a.reloadOnHangup, a.notifier.run, a.watchKeys,
		func(ctx context.Context) {
			a.watchFaults(ctx, faultTick, append(a.backgroundFaults(), a.fileFaults()...))
		},
	}
	if a.exchange != nil {
		all = append(all, a.exchange.Run)
	}
	if a.shadow != nil {
		all = append(all, a.shadow.Run)
	}
	if a.audit != nil {
		all = append(all, a.audit.Run)
	}
	if a.accounts != nil {
		all = append(all, a.accounts.Run)
	}
	if a.probe != nil {
		all = append(all, a.probe.Run)
	}
	return all
}

func (a *App) reloadOnHangup(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.options.Hangup:
		}
		a.notifier.tell(notifyReloading)
		a.audit.Reopen()             // whoever moved the file away says so by SIGHUP
		_ = a.Reload()               // it has logged what became of it
		a.notifier.tell(notifyReady) // a reload that was refused has ended, too
	}
}

// shutdown ends without failing a request: readiness off, time for balancers to see it, then
// Connection: close on every answer until no client is left.
func (a *App) shutdown() error {
	s := a.settings.Shutdown
	a.draining.Store(true)
	a.notifier.tell(notifyStopping)
	a.metrics.SetBool(metrics.Draining, true)
	a.log.Info("draining", "delay", s.Delay, "drain", s.Drain)
	patient, hasten := context.WithCancel(context.Background())
	defer hasten()
	go func() {
		select {
		case <-a.options.Hasten:
			hasten()
		case <-patient.Done():
		}
	}()
	delay := time.NewTimer(s.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-patient.Done():
	}
	ctx, cancel := context.WithTimeout(patient, s.Drain)
	defer cancel()
	var mqtt sync.WaitGroup
	mqtt.Go(func() { a.endMQTT(ctx) })
	a.endRedirect(ctx)
	err := a.server.Shutdown(ctx)
	mqtt.Wait()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("requests were cut: a second signal hastened the end")
	case err != nil:
		return fmt.Errorf("requests were cut: shutdown.drain of %s was too short", s.Drain)
	}
	a.log.Info("drained")
	return nil
}
