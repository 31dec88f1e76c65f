package config

import (
	"strings"
	"testing"
)

// Ensure one run names every fault of a file, each with its place and with what was expected.
func TestEveryFault(t *testing.T) {
	_, faults := Parse("f.yaml", readTestdata(t, "faults.yaml"))
	want := strings.Split(strings.TrimSpace(string(readTestdata(t, "faults.txt"))), "\n")
	if len(want) < 20 {
		t.Errorf("got %d faults in the list, want 20 at least", len(want))
	}
	wantFaults(t, faults, want...)
}

// Ensure a fault that takes two settings to see is reported at one that the file names.
func TestChecks(t *testing.T) {
	const same = "the public and the admin listener are at one address: take another port"
	const itself = " is this gateway itself (listen.address): name the backend"
	const stale = "the index would be too old (max_staleness) before it is read again (refresh)"
	rows := []struct{ text, want string }{
		{"admin: {address: 127.0.0.1:8080}", "f:1:18: admin.address: " + same},
		{"listen: {address: 127.0.0.1:9090}", "f:1:19: listen.address: " + same},
		{"listen: {address: ':9090'}", "f:1:19: listen.address: " + same},
		{"listen: {address: '[::]:9090'}", "f:1:19: listen.address: " + same},
		{"listen: {address: 127.0.0.2:9090}", ""},
		{"upstream: {urls: ['http://127.0.0.1:8080']}", "f:1:18: upstream.urls: URL number 1" + itself},
		{"upstream: {urls: ['http://b', 'http://localhost:8080']}", "f:1:18: upstream.urls: URL number 2" + itself},
		{"upstream: {urls: ['http://0.0.0.0:8080']}", "f:1:18: upstream.urls: URL number 1" + itself},
		{"upstream: {urls: ['http://[::ffff:127.0.0.1]:8080']}", "f:1:18: upstream.urls: URL number 1" + itself},
		{"upstream: {urls: ['http://127.0.0.3']}\nlisten: {address: ':80'}", "f:1:18: upstream.urls: URL number 1" + itself},
		{"upstream: {urls: ['https://[::1]']}\nlisten: {address: '[::]:443'}", "f:1:18: upstream.urls: URL number 1" + itself},
		{"upstream: {urls: ['http://127.0.0.2:8080']}", ""},
		{"upstream: {urls: ['http://192.0.2.1:8080']}\nlisten: {address: ':8080'}", ""},
		{"upstream: {urls: ['http://backend:8080']}\nlisten: {address: ':8080'}", ""},
		{"listen: {address: 127.0.0.1:0}\nadmin: {address: 127.0.0.1:0}", ""},
		{"listen: {tls: {cert_file: a}}", "f:1:27: listen.tls.cert_file: needs key_file beside it"},
		{"listen: {tls: {key_file: a}}", "f:1:26: listen.tls.key_file: needs cert_file beside it"},
		{"listen: {tls: {client_ca_file: a}}", "f:1:32: listen.tls.client_ca_file: clients show certificates over TLS only: set cert_file and key_file"},
		{"listen: {redirect: ':80'}", "f:1:20: listen.redirect: there is no https to go to: set listen.tls.cert_file and key_file"},
		{"listen: {hsts: 1h}", "f:1:16: listen.hsts: there is no https to go to: set listen.tls.cert_file and key_file"},
		{"listen: {hsts: 1500ms, tls: {cert_file: a, key_file: b}}", "f:1:16: listen.hsts: counts whole seconds"},
		{"listen: {redirect: ':80', public_url: 'http://a', tls: {cert_file: a, key_file: b}}",
			"f:1:20: listen.redirect: listen.public_url, to which it sends clients, does not begin with https://"},
		{"listen: {redirect: ':8080', tls: {cert_file: a, key_file: b}}",
			"f:1:20: listen.redirect: the public and the redirecting listener are at one address: take another port"},
		{"listen: {redirect: ':80', hsts: 1h, public_url: 'https://a', tls: {cert_file: a, key_file: b}}", ""},
		{"upstream: {tls: {ca_file: a}}", "f:1:27: warning: upstream.tls.ca_file: has no effect: no URL begins with https://"},
		{"upstream: {urls: ['https://a'], tls: {ca_file: a}}", ""},
		{"scope: {max_staleness: 29s}", "f:1:24: scope.max_staleness: " + stale},
		{"scope: {refresh: 3m}", "f:1:18: scope.refresh: " + stale},
		{"scope: {mode: ids}", "f:1:15: warning: scope.mode: the item index is read from the backend without a credential: upstream.token_file is empty"},
		{"limits: {per_token: {burst: 5}}", "f:1:29: warning: limits.per_token.burst: has no effect without a rate"},
		{"limits: {unauthenticated: {rate: 0}}", ""},
		{"listen: {cors: {origins: ['*', 'https://a']}}", "f:1:26: warning: listen.cors.origins: * allows every origin: the others have no effect"},
		{"listen: {trusted_proxies: [0.0.0.0/0]}", "f:1:28: warning: listen.trusted_proxies[0]: every client is believed to be a proxy, and may name any address as its own"},
		{"upstream: {headers: [User-Agent]}", "f:1:22: warning: upstream.headers[0]: is passed anyway: leave it out"},
		{"mqtt: {address: ':8080'}", "f:1:17: mqtt.address: the public and the MQTT listener are at one address: take another port"},
		{"mqtt: {ws_address: '127.0.0.1:9090'}", "f:1:20: mqtt.ws_address: the admin and the WebSocket listener are at one address: take another port"},
		{"mqtt: {address: ':1884'}", "f:1:17: mqtt.address: the broker is this gateway itself (mqtt.address): name the broker"},
		{"mqtt: {address: ':1883', upstream: {url: 'mqtt://localhost'}}", "f:1:42: mqtt.upstream.url: the broker is this gateway itself (mqtt.address): name the broker"},
		{"mqtt: {address: ':1883', upstream: {url: 'mqtts://name@localhost'}}", ""},
		{"mqtt: {ws_address: ':1884'}", "f:1:20: mqtt.ws_address: the broker is this gateway itself (mqtt.ws_address): name the broker"},
		{"mqtt: {address: ':1883', public: {ws: 'h:1'}}", "f:1:39: warning: mqtt.public.ws: has no effect: mqtt.ws_address is empty"},
		{"mqtt: {ws_address: ':1883', public: {mqtt: 'h:1'}}", "f:1:44: warning: mqtt.public.mqtt: has no effect: mqtt.address is empty"},
		{"store: {kind: postgres}", "f:1:15: store.kind: postgres needs store.url_file, a file with the DSN of a login that reads"},
		{"store: {kind: postgres, url_file: a, path: b}", "f:1:44: store.path: store.kind postgres has none: this is for file and sqlite"},
		{"store: {kind: postgres, url_file: a, poll: 1s, max_staleness: 19s}", "f:1:63: store.max_staleness: the bound (max_staleness) has to be at least 20 polls (poll)"},
		{"store: {kind: sqlite, poll: 50ms}", "f:1:29: store.poll: store.kind sqlite has none: this is for postgres"},
		{"store: {url_file: a}", "f:1:19: store.url_file: store.kind file has none: this is for postgres"},
		{"store: {kind: sqlite, admin_url_file: a}", "f:1:39: store.admin_url_file: store.kind sqlite has none: this is for postgres"},
		{"store: {kind: sqlite, replica: a}", "f:1:32: store.replica: store.kind sqlite has none: this is for postgres"},
		{"store: {kind: postgres, url_file: a, replica: 'a b'}", "f:1:47: store.replica: expected at most 64 characters of ASCII without blanks"},
		{"mqtt: {address: ':1883', namespace: path}", "f:1:37: mqtt.namespace: path keeps own topics apart; those of items need scope.mode ids or both"},
		{"mqtt: {address: ':1883', namespace: path}\nscope: {mode: both}\nupstream: {token_file: a}", ""},
		{"mqtt: {namespace: path}", ""},
		{"mqtt: {tls: {cert_file: a}}", "f:1:25: mqtt.tls.cert_file: needs key_file beside it"},
		{"mqtt: {tls: {client_ca_file: a}}", "f:1:30: mqtt.tls.client_ca_file: clients show certificates over TLS only: set cert_file and key_file"},
		{"mqtt: {upstream: {tls: {ca_file: a}}}", "f:1:34: warning: mqtt.upstream.tls.ca_file: has no effect: mqtt.upstream.url does not begin with mqtts://"},
		{"policy: {query: [limit]}", "f:1:18: warning: policy.query[0]: is passed anyway: leave it out"},
	}
	for _, row := range rows {
		s, faults := Parse("f", []byte(row.text))
		got := ""
		if len(faults) > 0 {
			got = faults.Error()
		}
		if got != row.want {
			t.Errorf("%s\ngot  %s\nwant %s", row.text, got, row.want)
		}
		if len(s.Upstream.Headers)+len(s.Policy.Query) > 0 {
			t.Errorf("%s: got %v %v, want what is passed anyway left out", row.text, s.Upstream.Headers, s.Policy.Query)
		}
	}
}

// Ensure a password in a URL, and a key instead of its file, are not shown.
func TestNoCredentialShown(t *testing.T) {
	for _, text := range []string{
		"upstream: {urls: ['http://user:SECRET@host']}", "upstream: {urls: 'http://user:SECRET@host'}",
		"upstream: {urls: ['SECRET']}", "upstream: {token_file: [SECRET]}", "upstream: {token_file: {a: SECRET}}",
		"listen: {public_url: 'https://SECRET@host'}", "upstream: {token_file: *SECRET}", "upstream: {token_file: &SECRET }",
		"admin: {token_file: \"SECRET\\n\"}", "admin: {token_file: @SECRET}", "admin: {token_file: %SECRET}", "admin: {token_file: !SECRET x}",
		"upstream: {token_file: SECRETSECRETSECRET}", "mqtt: {upstream: {url: 'mqtt://user:SECRET@host'}}",
		"mqtt: {upstream: {url: 'mqtt://SECRET:SECRET'}}", "mqtt: {upstream: {url: SECRET}}",
	} {
		s, faults := Parse("f", []byte(text))
		if s != nil {
			faults = append(faults, CheckFiles(s)...)
		}
		if got := faults.Error(); got == "" || strings.Contains(got, "SECRET") {
			t.Errorf("%s: got %q, want faults without the secret", text, got)
		}
	}
}

// Ensure the answer to /auth/regions cannot be made to send clients elsewhere, and says no member
// twice.
func TestRegion(t *testing.T) {
	_, faults := Parse("f", []byte("listen:\n  region: {rest: https://elsewhere, media: [], cdn: a, cdn: b}"))
	wantFaults(t, faults,
		"f:2:18: listen.region.rest: the gateway says this of itself",
		"f:2:44: listen.region.media: expected a text, found a list",
		`f:2:56: key "cdn" stands here twice: first in line 2`)
	_, faults = Parse("f", []byte("listen: {region: []}"))
	wantFaults(t, faults, "f:1:18: listen.region: expected a mapping, found a list")
}
