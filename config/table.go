package config

import (
	"math"
	"time"

	"aclgate/config/strict"
)

// Setting is one row of the table of settings.
type Setting struct {
	Path    string // of its key: "listen.timeouts.read"
	Type    string // what it accepts, in words
	Default string // as it would be written in the file
	Doc     string // what it means, in a sentence

	read func(*strict.Node) // checks a value and puts it into the settings that the row was made for
}

// Reference returns a row for every setting there is, in the order of the example file.
func Reference() []Setting { return table(new(Settings)) }

// Bounds that many rows share.
const (
	kib, mib, gib, tib = 1 << 10, 1 << 20, 1 << 30, 1 << 40
	many               = math.MaxInt32
	soon               = time.Millisecond // the shortest time that is one
	day                = 24 * time.Hour
)

// table returns the rows, with readers that fill s.
func table(s *Settings) []Setting {
	var rows []Setting
	for _, section := range []func(*Settings) []Setting{
		listenRows, listenBoundRows, adminRows, upstreamRows, upstreamBoundRows, scopeRows, storeRows, policyRows,
		limitRows, platformRows, realmRows, auditRows, metricsRows, processRows, mqttRows, mqttBoundRows,
	} {
		rows = append(rows, section(s)...)
	}
	return rows
}

// listenRows are who may connect, and how the gateway presents itself to them.
func listenRows(s *Settings) []Setting {
	l := &s.Listen
	return []Setting{
		{"listen.address", "host:port", "127.0.0.1:8080",
			"Where clients connect. Port 0: a free one. No host: all addresses.", into(&l.Address, address)},
		{"listen.hosts", "list of hosts", "[]",
			"The names that a request's Host may have, without port. Empty: any.", into(&l.Hosts, set(host))},
		{"listen.public_url", "URL", `""`,
			"The gateway's own address as clients see it, named by /auth/regions. Empty: from the request's Host.", into(&l.PublicURL, optional(origin))},
		{"listen.redirect", "host:port", `""`,
			"A plain listener that sends every request to https by 308. Empty: none. Needs listen.tls.", into(&l.Redirect, optional(address))},
		{"listen.hsts", "duration", "0s",
			"For how long browsers are to use https alone (Strict-Transport-Security), in whole seconds. 0: not said. Needs listen.tls.",
			into(&l.HSTS, strict.Duration(0, 10*365*day))},
		{"listen.public_health", "bool", "false",
			"Answer GET and HEAD of /healthz and /readyz on this listener, too, without a reason why.", into(&l.PublicHealth, strict.Bool)},
		{"listen.region", "mapping", "{}",
			"Further members of the answer to /auth/regions, such as media or cdn, each a text.", into(&l.Region, region)},
		{"listen.tls.cert_file", "file", `""`,
			"The certificate, with its chain, in PEM; read again when it changes. Empty: no TLS.", into(&l.TLS.Cert, s.path)},
		{"listen.tls.key_file", "file", `""`,
			"The key of the certificate, in PEM.", into(&l.TLS.Key, s.path)},
		{"listen.tls.client_ca_file", "file", `""`,
			"The CA, in PEM, of the certificates that clients must present. Empty: none are requested.", into(&l.TLS.ClientCA, s.path)},
		{"listen.trusted_proxies", "list of address ranges", "[]",
			"Proxies whose X-Forwarded-For is trusted.", into(&l.TrustedProxies, set(trusted))},
		{"listen.chunked", "accept | refuse", "accept",
			"Chunked request bodies: checked and sent on with a length, or refused with 411.", into(&l.Chunked, strict.Enum(ChunkedAccept, ChunkedRefuse))},
		{"listen.cors.origins", "list of origins", `["*"]`,
			"The web pages that may call from a browser: * for all. Empty: none.", into(&l.CORS.Origins, set(corsOrigin))},
		{"listen.cors.max_age", "duration", "10m",
			"How long a browser may remember the answer to OPTIONS.", into(&l.CORS.MaxAge, strict.Duration(0, day))},
	}
}

// listenBoundRows bound what a client may send and hold. Only the bound per address can be taken
// away; a 0 for one of the others is refused, since it means "no bound" to some and "nothing at
// all" to others.
func listenBoundRows(s *Settings) []Setting {
	l := &s.Listen
	return []Setting{
		{"listen.max_header_bytes", "size", "64KiB",
			"The longest head of a request, its first line included. Above: 431.", into(&l.MaxHeaderBytes, size(kib, mib))},
		{"listen.max_body_bytes", "size", "8MiB",
			"The longest JSON body. Above: 413.", into(&l.MaxBodyBytes, strict.Bytes(1, gib))},
		{"listen.max_upload_bytes", "size", "1GiB",
			"The longest upload, which is streamed. Above: 413.", into(&l.MaxUploadBytes, strict.Bytes(1, tib))},
		{"listen.max_connections", "number", "20000",
			"Connections of clients at one time.", into(&l.MaxConnections, count(1, many))},
		{"listen.max_connections_per_ip", "number", "0",
			"Connections of one address at one time. 0: no bound.", into(&l.MaxConnectionsPerIP, count(0, many))},
		{"listen.timeouts.read", "duration", "15s",
			"For a whole head, and for a body of which nothing comes.", into(&l.Timeouts.Read, strict.Duration(soon, day))},
		{"listen.timeouts.write", "duration", "1m",
			"For an answer that makes no progress.", into(&l.Timeouts.Write, strict.Duration(soon, day))},
		{"listen.timeouts.idle", "duration", "75s",
			"Between two requests of a connection.", into(&l.Timeouts.Idle, strict.Duration(soon, day))},
		{"listen.timeouts.body", "duration", "5m",
			"For a whole body. Only the time that the gateway waits for the client counts.", into(&l.Timeouts.Body, strict.Duration(soon, day))},
		{"listen.timeouts.upload", "duration", "1h",
			"The same for an upload.", into(&l.Timeouts.Upload, strict.Duration(soon, day))},
		{"listen.timeouts.min_rate", "number", "500",
			"Bytes a second of a body, averaged, after 10 s. Slower: 408. 0: no bound.", into(&l.Timeouts.MinRate, count(0, many))},
	}
}

// adminRows are the private listener.
func adminRows(s *Settings) []Setting {
	a := &s.Admin
	return []Setting{
		{"admin.address", "host:port", "127.0.0.1:9090",
			"Where /metrics, /healthz, /readyz and the administration are; never the public listener.", into(&a.Address, address)},
		{"admin.token_file", "file", `""`,
			"Holds the key of the administration. Empty: only /metrics, /healthz and /readyz exist.", into(&a.Token, s.path)},
	}
}

// upstreamRows are the backend and how the gateway talks to it.
func upstreamRows(s *Settings) []Setting {
	u := &s.Upstream
	return []Setting{
		{"upstream.urls", "list of URLs", `["http://127.0.0.1:9000"]`,
			"The backend: one URL or several equivalent ones, without a path.", into(&u.URLs, some(set(origin)))},
		{"upstream.token_file", "file", `""`,
			"Holds the gateway's own credential. Empty: the caller's own is passed on.", into(&u.Token, s.path)},
		{"upstream.headers", "list of header names", "[]",
			"Further headers of clients that are passed on.", into(&u.Headers, headers)},
		{"upstream.identity", "bool", "false",
			"Tells the backend who asks: x-aclgate-token and -account, and of users -user and -roles, which no client can set.", into(&u.Identity, strict.Bool)},
		{"upstream.tls.ca_file", "file", `""`,
			"The CA of the backend's certificate, in PEM. Empty: those of the system.", into(&u.TLS.CA, s.path)},
		{"upstream.tls.cert_file", "file", `""`,
			"The gateway's client certificate, in PEM. Empty: none.", into(&u.TLS.Cert, s.path)},
		{"upstream.tls.key_file", "file", `""`,
			"The key of that certificate, in PEM.", into(&u.TLS.Key, s.path)},
		{"upstream.timeouts.dial", "duration", "2s",
			"For a new connection.", into(&u.Timeouts.Dial, strict.Duration(soon, day))},
		{"upstream.timeouts.first_byte", "duration", "90s",
			"From the request to the answer's first byte, and for its head; commands block up to a minute.", into(&u.Timeouts.FirstByte, strict.Duration(soon, day))},
		{"upstream.timeouts.idle", "duration", "30s",
			"Of an unused connection; less where the backend says so by Keep-Alive: timeout.", into(&u.Timeouts.Idle, strict.Duration(soon, day))},
		{"upstream.timeouts.silence", "duration", "5m",
			"For an answer under way that makes no progress.", into(&u.Timeouts.Silence, strict.Duration(soon, day))},
	}
}

// upstreamBoundRows keep a slow or broken backend from taking the gateway with it.
func upstreamBoundRows(s *Settings) []Setting {
	u := &s.Upstream
	return []Setting{
		{"upstream.max_connections", "number", "512",
			"Connections to one URL at one time.", into(&u.MaxConnections, count(1, many))},
		{"upstream.max_url_bytes", "size", "8000",
			"The longest target that the backend accepts.", into(&u.MaxURLBytes, size(256, mib))},
		{"upstream.conditions", "bool", "false",
			"Says that the backend knows selectors like `7,9,field=value`: matches are then resolved over what is permitted alone.",
			into(&u.Conditions, strict.Bool)},
		{"upstream.queue.max", "number", "1024",
			"Requests that wait for a connection at one time. 0: none, the next one is a 503.", into(&u.Queue.Max, count(0, many))},
		{"upstream.queue.for", "duration", "1s",
			"How long a request waits for a connection before it is a 503.", into(&u.Queue.For, strict.Duration(soon, day))},
		{"upstream.eject.failures", "number", "5",
			"Failures in a row after which a URL gets no requests for a while. 0: never.", into(&u.Eject.Failures, count(0, many))},
		{"upstream.eject.for", "duration", "10s",
			"How long that lasts.", into(&u.Eject.For, strict.Duration(soon, day))},
		{"upstream.probe", "path", `""`,
			"The path of an active check of each URL, such as /. Empty: none.", into(&u.Probe, probe)},
	}
}
