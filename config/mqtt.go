package config

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"aclgate/config/strict"
)

// MQTT is the MQTT front: its listeners, and the broker behind it.
type MQTT struct {
	Address         string // "": no listener of this kind
	WSAddress       string // MQTT over WebSocket; "": none
	TLS             ServerTLS
	Public          MQTTPublic
	Upstream        MQTTUpstream
	Dialect         MQTTDialect
	Namespace       MQTTNamespace
	Prefix          string // of the paths of accounts
	MaxConnectBytes int
	MaxPacketBytes  int
	MaxSessions     int
	MaxFilters      int // printed, of one session
	MaxLevels       int
	MaxInflight     int
	TopicAliases    int // 0: none are taken
	MaxWillDelay    time.Duration
	RevokeWithin    time.Duration
	Timeouts        MQTTTimeouts
}

// On reports whether there is a listener for MQTT.
func (m *MQTT) On() bool { return m.Address != "" || m.WSAddress != "" }

// MQTTPublic is where clients find the listeners, as host:port. "": at the Host of their request.
type MQTTPublic struct{ MQTT, WS string }

// MQTTUpstream is the broker.
type MQTTUpstream struct {
	URL   string // mqtt:// or mqtts://, with a user name or without, no password
	Token File   // none: the caller's own key is passed on
	TLS   MQTTUpstreamTLS
}

// MQTTUpstreamTLS is what the gateway believes.
type MQTTUpstreamTLS struct{ CA File }

// MQTTTimeouts bound how long a client or the broker may take.
type MQTTTimeouts struct{ Connect, Write, Dial time.Duration }

// MQTTDialect says what the broker understands beyond the standard.
type MQTTDialect string

// The values of mqtt.dialect.
const (
	DialectPlain  MQTTDialect = "plain"
	DialectFlespi MQTTDialect = "flespi"
)

// MQTTNamespace says how the broker keeps accounts apart.
type MQTTNamespace string

// The values of mqtt.namespace.
const (
	NamespaceNone MQTTNamespace = "none" // there is one account
	NamespacePath MQTTNamespace = "path" // own topics live below the path of their account
	NamespaceCID  MQTTNamespace = "cid"  // the broker knows accounts
)

// mqttRows are the MQTT front and the broker behind it.
func mqttRows(s *Settings) []Setting {
	m := &s.MQTT
	return []Setting{
		{"mqtt.address", "host:port", `""`,
			"Where MQTT clients connect, such as 127.0.0.1:1883. Empty: nowhere.", into(&m.Address, optional(address))},
		{"mqtt.ws_address", "host:port", `""`,
			"Where clients connect that speak MQTT over WebSocket, at / or /mqtt. Empty: nowhere.", into(&m.WSAddress, optional(address))},
		{"mqtt.tls.cert_file", "file", `""`,
			"The certificate of both, with its chain, in PEM; read again when it changes. Empty: no TLS.", into(&m.TLS.Cert, s.path)},
		{"mqtt.tls.key_file", "file", `""`,
			"The key of the certificate, in PEM.", into(&m.TLS.Key, s.path)},
		{"mqtt.tls.client_ca_file", "file", `""`,
			"The CA, in PEM, of the certificates that clients must present. Empty: none are requested.", into(&m.TLS.ClientCA, s.path)},
		{"mqtt.public.mqtt", "host:port", `""`,
			"Where /auth/regions sends MQTT clients. Empty: to the Host of the request, at the listener's port.", into(&m.Public.MQTT, optional(publicAddress))},
		{"mqtt.public.ws", "host:port", `""`,
			"The same for MQTT over WebSocket.", into(&m.Public.WS, optional(publicAddress))},
		{"mqtt.upstream.url", "URL", `"mqtt://127.0.0.1:1884"`,
			"The broker: mqtt:// or mqtts://. With NAME@ before the host the user name is NAME, and the credential the password; without, the credential is the user name.",
			into(&m.Upstream.URL, brokerURL)},
		{"mqtt.upstream.token_file", "file", `""`,
			"Holds the gateway's own credential at the broker. Empty: the caller's own key is passed on.", into(&m.Upstream.Token, s.path)},
		{"mqtt.upstream.tls.ca_file", "file", `""`,
			"The CA of the broker's certificate, in PEM. Empty: those of the system.", into(&m.Upstream.TLS.CA, s.path)},
		{"mqtt.dialect", "plain | flespi", "plain",
			"What the broker understands: the standard, or also comma lists in levels and $filter.", into(&m.Dialect, strict.Enum(DialectPlain, DialectFlespi))},
		{"mqtt.namespace", "none | path | cid", "none",
			"How accounts are kept apart at the broker: not at all, so that the policy may have one only; by a path in front of own topics; or by the broker, with user property cid.",
			into(&m.Namespace, strict.Enum(NamespaceNone, NamespacePath, NamespaceCID))},
		{"mqtt.prefix", "level of a topic", "acc",
			"The first level of that path.", into(&m.Prefix, pathPrefix)},
	}
}

// mqttBoundRows bound what a client, or the broker, may send and hold.
func mqttBoundRows(s *Settings) []Setting {
	m := &s.MQTT
	return []Setting{
		{"mqtt.max_connect_bytes", "size", "64KiB",
			"The longest CONNECT.", into(&m.MaxConnectBytes, size(kib, mib))},
		{"mqtt.max_packet_bytes", "size", "256KiB",
			"The longest packet after it, of a client or of the broker.", into(&m.MaxPacketBytes, size(kib, 256*mib))},
		{"mqtt.max_sessions", "number", "10000",
			"MQTT clients whose token is known at one time. Connections that have not come so far have a tenth as many places, at least 50.", into(&m.MaxSessions, count(1, many))},
		{"mqtt.max_filters", "number", "1000",
			"Filters of one session at the broker, after narrowing.", into(&m.MaxFilters, count(1, mib))},
		{"mqtt.max_levels", "number", "32",
			"Levels of a topic or filter.", into(&m.MaxLevels, count(8, 128))},
		{"mqtt.max_inflight", "number", "100",
			"Messages of QoS 1 and 2 of a client that are not acknowledged yet.", into(&m.MaxInflight, count(1, 65535))},
		{"mqtt.topic_aliases", "number", "16",
			"Topic aliases that a client may set. 0: none.", into(&m.TopicAliases, count(0, 65535))},
		{"mqtt.max_will_delay", "duration", "1m",
			"The longest delay of a will.", into(&m.MaxWillDelay, strict.Duration(0, day))},
		{"mqtt.revoke_within", "duration", "1s",
			"How long a session whose rights have changed stays open at most, while it passes nothing.", into(&m.RevokeWithin, strict.Duration(soon, day))},
		{"mqtt.timeouts.connect", "duration", "10s",
			"From the connection to a whole CONNECT.", into(&m.Timeouts.Connect, strict.Duration(soon, day))},
		{"mqtt.timeouts.write", "duration", "30s",
			"For a write that makes no progress, to a client or to the broker.", into(&m.Timeouts.Write, strict.Duration(soon, day))},
		{"mqtt.timeouts.dial", "duration", "2s",
			"For a new connection to the broker, its answer to CONNECT included.", into(&m.Timeouts.Dial, strict.Duration(soon, day))},
	}
}

// pathPrefix reads a level of a topic that is neither the platform's nor the broker's own.
func pathPrefix(n *strict.Node) (string, bool) {
	return strict.Parsed("a level of a topic such as acc", func(text string) (string, error) {
		switch {
		case !isWord(strings.ToLower(text), userChars):
			return "", errors.New("it holds letters, digits and " + userChars)
		case strings.EqualFold(text, "flespi"):
			return "", errors.New("below flespi/ is the platform")
		}
		return text, nil
	})(n)
}

// publicAddress reads where clients are sent: host:port.
func publicAddress(n *strict.Node) (string, bool) {
	return strict.Parsed("host:port", func(text string) (string, error) {
		host, err := parseHost(text, "1")
		if u := (url.URL{Host: host}); err == nil && u.Port() == "" {
			err = errors.New("it has the form host:port, with brackets around IPv6")
		}
		return host, err
	})(n)
}

// brokerURL reads the URL of a broker. It never shows the text, which may hold a password.
func brokerURL(n *strict.Node) (string, bool) {
	text, ok := strict.Str(n)
	if !ok {
		return "", false
	}
	normal, err := parseBrokerURL(text)
	if err != nil {
		n.Fault("expected a URL such as mqtts://broker.example.com: %v", err)
	}
	return normal, err == nil
}

// userChars are those of the user name in a URL that need no escaping.
const userChars = "-._~"

// parseBrokerURL reads mqtt://[NAME@]host[:port]. Its errors never repeat the text.
func parseBrokerURL(text string) (string, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "mqtt" && scheme != "mqtts" {
		return "", errors.New("it begins with mqtt:// or mqtts://")
	}
	name, address, named := strings.Cut(rest, "@")
	if !named {
		name, address = "", rest
	}
	switch {
	case strings.Contains(name, ":"):
		return "", errors.New("it holds no password: credentials belong into a file")
	case named && !isWord(strings.ToLower(name), userChars):
		return "", errors.New("the user name holds letters, digits and " + userChars)
	case strings.ContainsAny(address, "/?#"):
		return "", errors.New("it ends with the host or the port, without / behind")
	}
	host, err := parseHost(address, "1")
	if err != nil {
		return "", err
	}
	if named {
		host = name + "@" + host
	}
	return scheme + "://" + host, nil
}

// hostPort returns where a broker's URL leads to.
func hostPort(broker string) (host, port string) {
	u, err := url.Parse(broker)
	switch {
	case err != nil:
		return "", ""
	case u.Port() != "":
		return u.Hostname(), u.Port()
	case u.Scheme == "mqtts":
		return u.Hostname(), "8883"
	}
	return u.Hostname(), "1883"
}

// checkMQTT refuses a broker that is the gateway itself, halves of a pair, and accounts that only
// their own topics would keep apart.
func (s *Settings) checkMQTT(report *strict.Report) {
	m := &s.MQTT
	s.checkPair(report, "mqtt.tls.", m.TLS.Cert, m.TLS.Key)
	if m.TLS.ClientCA.IsSet() && !m.TLS.Cert.IsSet() && !m.TLS.Key.IsSet() {
		s.fault(report, "mqtt.tls.client_ca_file", "clients show certificates over TLS only: set cert_file and key_file")
	}
	if m.Upstream.TLS.CA.IsSet() && !strings.HasPrefix(m.Upstream.URL, "mqtts:") {
		s.warn(report, "mqtt.upstream.tls.ca_file", "has no effect: mqtt.upstream.url does not begin with mqtts://")
	}
	if m.On() && m.Namespace == NamespacePath && !s.Scope.Mode.index() {
		s.fault(report, s.named("mqtt.namespace", "scope.mode"),
			"path keeps own topics apart; those of items need scope.mode ids or both")
	}
	for _, unused := range []struct{ path, value, listener, name string }{
		{"mqtt.public.mqtt", m.Public.MQTT, m.Address, "mqtt.address"}, {"mqtt.public.ws", m.Public.WS, m.WSAddress, "mqtt.ws_address"},
	} {
		if unused.value != "" && unused.listener == "" {
			s.warn(report, unused.path, "has no effect: "+unused.name+" is empty")
		}
	}
	for _, listener := range [][2]string{{"mqtt.address", m.Address}, {"mqtt.ws_address", m.WSAddress}} {
		path, address := listener[0], listener[1]
		own, ownPort, _ := net.SplitHostPort(address)
		if host, port := hostPort(m.Upstream.URL); address != "" && ownPort != "0" && port == ownPort && reaches(host, own) {
			s.fault(report, s.named("mqtt.upstream.url", path), "the broker is this gateway itself ("+path+"): name the broker")
		}
	}
}
