package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/config"
	"aclgate/config/tlsfiles"
	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy"
	"aclgate/proxy/head"
	"aclgate/proxy/mqtt"
	"aclgate/proxy/mqtt/ws"
	"aclgate/upstream/broker"
)

// mqttFront is what serves MQTT. Nil: nothing does.
type mqttFront struct {
	settings *config.MQTT
	broker   *broker.Broker
	tls      *tlsfiles.Reloader // nil: in the clear

	plain, ws net.Listener // nil: there is none of the kind
	doors     *head.Listener
	server    atomic.Pointer[mqtt.Server] // nil: not yet
	serving   sync.WaitGroup
}

// TopicOptions returns what the settings say about topics.
func TopicOptions(s *config.Settings, e *policy.Engine) topic.Options {
	m := &s.MQTT
	return topic.Options{
		Engine: e, Dialect: dialects[m.Dialect], Namespace: namespaces[m.Namespace], MaxFilters: m.MaxFilters,
		MaxLevels: m.MaxLevels, Prefix: m.Prefix, Depth: s.Policy.MaxDepth,
	}
}

var dialects = map[config.MQTTDialect]topic.Dialect{
	config.DialectPlain: topic.Plain, config.DialectFlespi: topic.Flespi,
}

var namespaces = map[config.MQTTNamespace]topic.Namespace{
	config.NamespaceNone: topic.NoAccounts, config.NamespaceCID: topic.ByCID, config.NamespacePath: topic.ByPath,
}

// openMQTT reads what the MQTT front needs of files.
func (a *App) openMQTT() error {
	m := &a.settings.MQTT
	if !m.On() {
		return nil
	}
	if err := OneAccount(a.settings, a.policy.Tree()); err != nil {
		return fmt.Errorf("mqtt.namespace: %w", err)
	}
	o := broker.Options{
		URL: m.Upstream.URL, CAFile: m.Upstream.TLS.CA.Path, Dial: m.Timeouts.Dial, Write: m.Timeouts.Write,
		MaxPacket: m.MaxPacketBytes,
	}
	if m.Upstream.Token.IsSet() {
		o.Credential = a.brokerKey.get
	}
	b, err := broker.New(o)
	if err != nil {
		return err
	}
	a.mqtt = &mqttFront{settings: m, broker: b}
	if m.TLS.Cert.IsSet() {
		a.mqtt.tls, err = tlsfiles.Server(tlsfiles.Files{CA: m.TLS.ClientCA.Path, Cert: m.TLS.Cert.Path, Key: m.TLS.Key.Path})
	}
	return err
}

// OneAccount says why MQTT cannot be served by these settings to the accounts of a tree: where the
// broker does not keep accounts apart, there must be nothing to keep apart.
func OneAccount(s *config.Settings, tree *policy.Tree) error {
	if !s.MQTT.On() || s.MQTT.Namespace != config.NamespaceNone {
		return nil
	}
	if n := len(tree.Accounts()); n > 1 {
		return fmt.Errorf("none keeps no accounts apart, and the policy has %d: "+
			"set path, or cid where the broker knows accounts", n)
	}
	return nil
}

// listen takes the addresses of the MQTT front. bounds are those of heads.
func (f *mqttFront) listen(bounds head.Config) (err error) {
	if f == nil {
		return nil
	}
	m := f.settings
	if m.Address != "" {
		if f.plain, err = net.Listen("tcp", m.Address); err != nil {
			return ListenError("mqtt.address", m.Address, err)
		}
	}
	if m.WSAddress == "" {
		return nil
	}
	if f.ws, err = net.Listen("tcp", m.WSAddress); err != nil {
		f.unlisten()
		return ListenError("mqtt.ws_address", m.WSAddress, err)
	}
	ln := f.ws
	if f.tls != nil {
		ln = tls.NewListener(ln, f.tls.Listener())
	}
	f.doors = head.NewListener(ln, bounds)
	return nil
}

// unlisten gives the addresses back.
func (f *mqttFront) unlisten() {
	if f == nil {
		return
	}
	if f.plain != nil {
		f.plain.Close()
	}
	switch {
	case f.doors != nil:
		f.doors.Close()
	case f.ws != nil:
		f.ws.Close()
	}
}

// serveMQTT serves the listeners until endMQTT.
func (a *App) serveMQTT() {
	f := a.mqtt
	if f == nil {
		return
	}
	server := mqtt.New(a.mqttOptions())
	f.server.Store(server)
	a.metrics.CollectMQTT(func() metrics.MQTTStats {
		s := server.Stats()
		return metrics.MQTTStats{Sessions: s.Sessions, Asked: s.Asked, Printed: s.Printed, Wide: s.Wide, UpstreamUp: s.BrokerUp}
	})
	if f.plain != nil {
		ln := f.plain
		if f.tls != nil {
			ln = tls.NewListener(ln, f.tls.Unnamed())
		}
		f.serving.Go(func() { _ = server.Serve(ln) }) // it ends with its listener, and with nothing else
		a.log.Info("serving MQTT", "address", f.plain.Addr().String())
	}
	if f.doors != nil {
		f.serving.Go(func() {
			ws.Serve(f.doors, a.log, server.Wait, func(c *ws.Conn) { server.Take(c, c.Origin) })
		})
		a.log.Info("serving MQTT over WebSocket", "address", f.ws.Addr().String())
	}
}

// brokerFault says what is wrong with the broker, as far as it was tried. It is no reason to take
// this gateway out: all others have the same broker.
func (f *mqttFront) brokerFault() error {
	if s := f.server.Load(); s != nil {
		return s.BrokerFault()
	}
	return nil
}

// brokerProbe is how often the broker is tried while no client connects.
const brokerProbe = 10 * time.Second

// endMQTT takes no more clients and ends all sessions, spread over the time that ctx leaves.
func (a *App) endMQTT(ctx context.Context) {
	f := a.mqtt
	if f == nil {
		return
	}
	f.unlisten()
	f.server.Load().Close(ctx)
	if f.doors != nil {
		f.doors.CloseConns() // those that have not asked for anything yet
		f.doors.Wait()
	}
	f.serving.Wait()
}

func (a *App) mqttOptions() mqtt.Options {
	m := a.mqtt.settings
	tokens := &mqttTokens{policySource: a.policy, settings: a.settings}
	if a.accounts != nil {
		tokens.stale = a.accounts.Stale
	}
	return mqtt.Options{
		Engine: a.engine, Law: topic.New(TopicOptions(a.settings, a.engine)), Tokens: tokens, Accounts: a.policy, Grants: a.policy, Blocks: blocks{a},
		Items:  func(tree *policy.Tree) mqtt.Items { return a.index.Fresh(tree) },
		Broker: a.mqtt.broker, Probe: brokerProbe, CallersKey: !m.Upstream.Token.IsSet(), Charge: a.gateway.ChargeSource, Blocked: a.blocked,
		Limits: a.newMQTTLimits(), Metrics: a.metrics, Audit: a.audit, Served: a.options.ServedMQTT, Log: a.log,
		Info:       func(t *policy.Token) []byte { return proxy.AppendTokenInfo(nil, t) },
		MaxConnect: m.MaxConnectBytes, MaxPacket: m.MaxPacketBytes, MaxSessions: m.MaxSessions,
		MaxWaiting: waiting(m), MaxWaitingEach: a.settings.Listen.MaxConnectionsPerIP, MaxFilters: m.MaxFilters,
		MaxInflight: m.MaxInflight, TopicAliases: m.TopicAliases, MaxWillDelay: m.MaxWillDelay,
		Connect: m.Timeouts.Connect, Write: m.Timeouts.Write, Revoke: m.RevokeWithin,
		Refresh: a.settings.Scope.Refresh,
	}
}

// waiting returns how many connections may be there that have not said CONNECT: a tenth of what
// sessions there may be. CONNECT comes at once; who waits longer makes room when it is short.
func waiting(m *config.MQTT) int { return max(leastWaiting, m.MaxSessions/10) }

const leastWaiting = 50

// mqttTokens finds no token while it is not known which account is below which, or while there are
// accounts that nothing would keep apart.
type mqttTokens struct {
	*policySource
	settings *config.Settings
	stale    func() bool // nil: the tree is the policy's
	judged   atomic.Pointer[treeFault]
}

// treeFault is what OneAccount said of a tree.
type treeFault struct {
	tree *policy.Tree
	err  error
}

// Revision implements mqtt.Tokens: it is another one while the tree is too old.
func (t *mqttTokens) Revision(key uint64) uint64 {
	revision := t.policySource.Revision(key) << 1
	if t.stale != nil && t.stale() {
		revision |= 1
	}
	return revision
}

// Lookup implements mqtt.Tokens.
func (t *mqttTokens) Lookup(d policy.Digest, now time.Time) (*policy.Token, error) {
	tree := t.Tree()
	last := t.judged.Load()
	if last == nil || last.tree != tree {
		last = &treeFault{tree, OneAccount(t.settings, tree)}
		t.judged.Store(last)
	}
	if last.err != nil || t.stale != nil && t.stale() {
		return nil, policy.StoreStale
	}
	return t.policySource.Lookup(d, now)
}

// mqttPlaces returns where /auth/regions sends clients of both kinds.
func (a *App) mqttPlaces() (plain, ws func() string) {
	if a.mqtt == nil {
		return nil, nil
	}
	place := func(public string, ln *net.Listener) func() string {
		return func() string {
			switch {
			case *ln == nil:
				return ""
			case public != "":
				return public
			}
			_, port, _ := net.SplitHostPort((*ln).Addr().String())
			return ":" + port
		}
	}
	public := &a.mqtt.settings.Public
	return place(public.MQTT, &a.mqtt.plain), place(public.WS, &a.mqtt.ws)
}

// mqttHeads returns the bounds of the heads that ask for WebSocket. The names that Host may have are
// those of the API, and the one that /auth/regions names.
func (a *App) mqttHeads() head.Config {
	l, m := &a.settings.Listen, &a.settings.MQTT
	hosts := l.Hosts
	if host, _, err := net.SplitHostPort(m.Public.WS); err == nil && len(hosts) > 0 {
		hosts = append(slices.Clone(hosts), host)
	}
	return head.Config{
		MaxHeadBytes: l.MaxHeaderBytes, Hosts: hosts, Read: m.Timeouts.Connect, Write: m.Timeouts.Write,
		// Those that wait, and those that are read to their end, are bounded behind the door.
		MaxConns: m.MaxSessions + 2*waiting(m), MaxConnsPerIP: l.MaxConnectionsPerIP,
	}
}
