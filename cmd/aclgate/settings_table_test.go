package main

import "aclgate/config"

// choice is a value that a setting may have instead of its default, and what it changes.
type choice struct {
	value string            // as the file has it
	with  map[string]string // what else has to be set for it to take effect; each value is a choice, too
	means func(*outlook)    // nil: every probe is answered as with the default
}

// alone returns the choices of values that change no answer.
func alone(values ...string) (all []choice) {
	for _, v := range values {
		all = append(all, choice{value: v})
	}
	return all
}

// base is what every trial sets, where it sets nothing else; mqttBase, what those set that set
// anything of MQTT.
var (
	base = values{
		"listen.address": "127.0.0.1:0", "admin.address": "127.0.0.1:0", "upstream.urls": `["$URL1"]`, "upstream.token_file": "up.token",
	}
	mqttBase = values{
		"mqtt.address": `"127.0.0.1:0"`, "mqtt.upstream.url": `"mqtt://$BROKER"`, "mqtt.upstream.token_file": "broker.token",
		"mqtt.namespace": "cid",
	}
)

// choices has a row for every setting there is (TestDocsEverySettingHasChoices). Where a value
// changes what a client sees, means says so in the words of the outlook, and the probes expect it.
// $URL1 and $URL2 are addresses of the backend, $BROKER is that of the broker.
var choices = map[string][]choice{
	"listen.address":       alone(`"localhost:0"`, `":0"`),
	"listen.hosts":         {{value: "[GW.test, 127.0.0.1]", means: func(o *outlook) { o.hosts = "gw.test" }}},
	"listen.public_url":    {{value: "https://api.test", means: func(o *outlook) { o.publicURL = "https://api.test" }}},
	"listen.public_health": {{value: "true", means: func(o *outlook) { o.publicHealth = true }}},
	"listen.region":        {{value: "{media: 'https://media.test'}", means: func(o *outlook) { o.region = `"media":"https://media.test"` }}},
	"listen.redirect":      nil, // TestRedirectAndHSTS
	"listen.hsts":          nil,
	"listen.tls.cert_file": {
		{value: "cert.pem", means: func(o *outlook) { o.cert = true }},
		{value: "cert.pem", with: map[string]string{"listen.tls.key_file": "cert.key"}, means: func(o *outlook) { o.cert = true }},
	},
	"listen.tls.key_file": {{value: "cert.key", means: func(o *outlook) { o.certKey = true }}},
	"listen.tls.client_ca_file": {
		{value: "cert.pem", means: func(o *outlook) { o.clientCA = true }},
		{value: "cert.pem", with: map[string]string{"listen.tls.cert_file": "cert.pem", "listen.tls.key_file": "cert.key"},
			means: func(o *outlook) { o.clientCA = true }},
	},
	"listen.trusted_proxies": {{value: "[127.0.0.0/8, '::1']", means: func(o *outlook) { o.trustsProxy = true }}},
	"listen.chunked":         {{value: "refuse", means: func(o *outlook) { o.refusesChunks = true }}},
	"listen.cors.origins": {
		{value: `["https://app.test"]`, means: func(o *outlook) { o.origin = "https://app.test" }},
		{value: "[]", means: func(o *outlook) { o.origin = "-" }},
	},
	"listen.cors.max_age":           {{value: "1h", means: func(o *outlook) { o.maxAge = "3600" }}},
	"listen.max_header_bytes":       {{value: "1KiB", means: func(o *outlook) { o.maxHead = 1 << 10 }}},
	"listen.max_body_bytes":         {{value: "1KiB", means: func(o *outlook) { o.maxBody = 1 << 10 }}},
	"listen.max_upload_bytes":       {{value: "1000", means: func(o *outlook) { o.maxUpload = 1000 }}},
	"listen.max_connections":        alone("4"),
	"listen.max_connections_per_ip": alone("4"),
	"listen.timeouts.read":          alone("5s"),
	"listen.timeouts.write":         alone("5s"),
	"listen.timeouts.idle":          alone("5s"),
	"listen.timeouts.body":          alone("5s"),
	"listen.timeouts.upload":        alone("5s"),
	"listen.timeouts.min_rate":      alone("0", "1000000"),
	"admin.address":                 alone(`"localhost:0"`),
	"admin.token_file":              {{value: "admin.token", means: func(o *outlook) { o.adminKey = true }}},
	"upstream.urls":                 {{value: `["$URL1", "$URL2"]`, means: func(o *outlook) { o.twoURLs = true }}},
	"upstream.token_file":           {{value: `""`, means: func(o *outlook) { o.callersKey = true }}},
	"upstream.headers":              {{value: "[x-custom]", means: func(o *outlook) { o.passesCustom = true }}},
	"upstream.identity":             {{value: "true", means: func(o *outlook) { o.identity = true }}},
	"upstream.tls.ca_file":          {{value: "cert.pem", means: func(o *outlook) { o.backendTLS = true }}},
	"upstream.tls.cert_file": {
		{value: "client.pem", means: func(o *outlook) { o.ownCert = true }},
		{value: "client.pem", with: map[string]string{"upstream.tls.key_file": "client.key"}, means: func(o *outlook) { o.ownCert = true }},
		{value: "client.pem", with: map[string]string{"upstream.tls.key_file": "client.key", "upstream.tls.ca_file": "cert.pem"},
			means: func(o *outlook) { o.ownCert = true }},
	},
	"upstream.tls.key_file":        {{value: "client.key", means: func(o *outlook) { o.ownCertKey = true }}},
	"upstream.timeouts.dial":       alone("5s"),
	"upstream.timeouts.first_byte": alone("5s"),
	"upstream.timeouts.idle":       alone("1ms"),
	"upstream.timeouts.silence":    alone("5s"),
	"upstream.max_connections":     {{value: "1", means: func(o *outlook) { o.backendConns = 1 }}},
	"upstream.max_url_bytes":       {{value: "256", means: func(o *outlook) { o.maxURL = 256 }}},
	"upstream.conditions":          {{value: "true", means: func(o *outlook) { o.conditions = true }}},
	"upstream.queue.max":           {{value: "0", means: func(o *outlook) { o.noQueue = true }}},
	"upstream.queue.for":           {{value: "50ms", means: func(o *outlook) { o.shortQueue = true }}},
	"upstream.eject.failures":      alone("0", "1"),
	"upstream.eject.for":           alone("1ms"),
	"upstream.probe":               alone("/", "/auth/info"),
	"scope.mode": {
		{value: "none", means: func(o *outlook) { o.mode = config.ScopeNone }},
		{value: "ids", means: func(o *outlook) { o.mode = config.ScopeIDs }},
		{value: "both", means: func(o *outlook) { o.mode = config.ScopeBoth }},
	},
	"realms.max_age":        alone("1h"),
	"realms.max_sessions":   alone("1"),
	"realms.hashers":        alone("1"),
	"realms.bcrypt_cost":    alone("4"),
	"platform.serve":        {{value: "off", means: func(o *outlook) { o.noPlatform = true }}},
	"platform.keys":         nil, // TestKeysAreShownAgain
	"platform.keys_file":    nil,
	"platform.max_ttl":      alone("30d"), // TestBoundsOfTokens
	"platform.max_expire":   alone("365d"),
	"realms.issuers":        nil, // TestSignIn
	"platform.limit_window": alone("1s"),
	"scope.owners":          nil, // owners have tests of their own: owners_test.go
	"scope.unowned":         nil,
	"scope.trust_header":    alone("true"),
	"scope.accounts":        alone("backend"),
	"scope.refresh":         alone("20ms", "1m"),
	"scope.max_staleness":   {{value: "45s"}, {value: "10s", means: func(o *outlook) { o.staleEarly = true }}},
	"scope.match":           {{value: "deny", means: func(o *outlook) { o.deniesMatch = true }}},
	"scope.linked":          {{value: "strict", means: func(o *outlook) { o.strictLinks = true }}},
	"store.kind":            nil, // databases have tests of their own: store_test.go, postgres_test.go
	"store.url_file":        nil,
	"store.admin_url_file":  nil,
	"store.poll":            nil,
	"store.replica":         nil,
	"store.max_staleness":   nil,
	"store.history":         nil,
	"store.path":            alone("other/policy.yaml"),
	"cache.max_bytes":       alone("1MiB"),
	"policy.enforce":        {{value: "false", means: func(o *outlook) { o.unenforced = true }}},
	"policy.shadow":         alone("shadow.yaml"),
	"policy.max_ids":        {{value: "1", means: func(o *outlook) { o.oneID = true }}},
	"policy.max_write":      {{value: "1", means: func(o *outlook) { o.oneWrite = true }}},
	"policy.max_resolved":   {{value: "1", means: func(o *outlook) { o.oneResolved = true }}},
	"policy.max_depth":      {{value: "3"}, {value: "2", means: func(o *outlook) { o.tooDeep = true }}},
	"policy.unknown_routes": {{value: "master", means: func(o *outlook) { o.unknownRoutes = true }}},
	"policy.backend_keys":   {{value: "forward", means: func(o *outlook) { o.backendKeys = true }}},
	"policy.routes_file":    {{value: "routes.yaml", means: func(o *outlook) { o.gadgets = true }}},
	"policy.query":          {{value: "[foo]", means: func(o *outlook) { o.passesFoo = true }}},
	"policy.query_unknown":  {{value: "refuse", means: func(o *outlook) { o.refusesQuery = true }}},
	"policy.cut_after":      alone("10ms"),
	"limits.per_token.rate": {
		{value: "100000/s"},
		{value: "1/m", with: map[string]string{"limits.per_token.burst": "50"}, means: func(o *outlook) { o.perToken.slow = true }},
	},
	"limits.per_token.burst":           {{value: "50", means: func(o *outlook) { o.perToken.burst = 50 }}},
	"limits.per_token.concurrent":      {{value: "1", means: func(o *outlook) { o.perToken.concurrent = true }}},
	"limits.per_token.mqtt_sessions":   alone("100"), // TestMQTTLimits
	"limits.per_token.mqtt_publish":    alone("100000/s"),
	"limits.per_account.mqtt_sessions": alone("100"),
	"limits.per_account.mqtt_publish":  alone("100000/s"),
	"limits.per_account.rate": {
		{value: "100000/s"},
		{value: "1/m", with: map[string]string{"limits.per_account.burst": "70"}, means: func(o *outlook) { o.perAccount.slow = true }},
	},
	"limits.per_account.burst":      {{value: "70", means: func(o *outlook) { o.perAccount.burst = 70 }}},
	"limits.per_account.concurrent": {{value: "1", means: func(o *outlook) { o.perAccount.concurrent = true }}},
	"limits.unauthenticated.rate": {
		{value: "0"},
		{value: "1/m", with: map[string]string{"limits.unauthenticated.burst": "20"}, means: func(o *outlook) { o.strangers.slow = true }},
	},
	"limits.shared":                nil, // TestLimitsAreShared
	"limits.redis_url_file":        nil,
	"limits.unauthenticated.burst": {{value: "20", means: func(o *outlook) { o.strangers.burst = 20 }}},
	"audit.path":                   {{value: "audit.jsonl", means: func(o *outlook) { o.audit = true }}},
	"audit.allow_sample": {
		{value: "1", with: map[string]string{"audit.path": "audit.jsonl"}, means: func(o *outlook) { o.auditsAll = true }},
	},
	"audit.max_size":   alone("1MiB"),
	"audit.keep":       alone("0"),
	"metrics.accounts": nil, // TestMetricsOfAccounts
	"log.level": {
		{value: "debug", means: func(o *outlook) { o.level = "debug" }}, {value: "warn", means: func(o *outlook) { o.level = "warn" }},
		{value: "error", means: func(o *outlook) { o.level = "error" }},
	},
	"log.format":     {{value: "json"}, {value: "text", means: func(o *outlook) { o.logText = true }}},
	"shutdown.delay": alone("20ms"),
	"shutdown.drain": alone("5s"),

	"mqtt.address":    alone(`"localhost:0"`, `":0"`),
	"mqtt.ws_address": {{value: `"127.0.0.1:0"`, means: func(o *outlook) { o.mqtt.ws = true }}},
	"mqtt.tls.cert_file": {
		{value: "cert.pem", means: func(o *outlook) { o.mqtt.cert = true }},
		{value: "cert.pem", with: map[string]string{"mqtt.tls.key_file": "cert.key"}, means: func(o *outlook) { o.mqtt.cert = true }},
	},
	"mqtt.tls.key_file": {{value: "cert.key", means: func(o *outlook) { o.mqtt.certKey = true }}},
	"mqtt.tls.client_ca_file": {
		{value: "cert.pem", means: func(o *outlook) { o.mqtt.clientCA = true }},
		{value: "cert.pem", with: map[string]string{"mqtt.tls.cert_file": "cert.pem", "mqtt.tls.key_file": "cert.key"},
			means: func(o *outlook) { o.mqtt.clientCA = true }},
	},
	"mqtt.public.mqtt": {{value: "mqtt.test:8883", means: func(o *outlook) { o.mqtt.public = "mqtt.test:8883" }}},
	"mqtt.public.ws": {
		{value: "mqtt.test:443", with: map[string]string{"mqtt.ws_address": `"127.0.0.1:0"`}, means: func(o *outlook) { o.mqtt.publicWS = "mqtt.test:443" }},
	},
	"mqtt.upstream.url": {
		{value: `"mqtts://$BROKER"`, with: map[string]string{"mqtt.upstream.tls.ca_file": "cert.pem"}, means: func(o *outlook) { o.mqtt.brokerTLS = true }},
		{value: `"mqtt://FlespiToken@$BROKER"`},
	},
	"mqtt.upstream.token_file":  alone(`""`),
	"mqtt.upstream.tls.ca_file": alone("cert.pem"),
	"mqtt.dialect":              alone("flespi"),
	"mqtt.namespace": {
		{value: "none", means: func(o *outlook) { o.mqtt.noNamespace = true }},
		{value: "path", means: func(o *outlook) { o.mqtt.byPath = true }},
		{value: "path", with: map[string]string{"scope.mode": "ids"}, means: func(o *outlook) { o.mqtt.byPath = true }},
	},
	"mqtt.prefix":            alone("fleet"),
	"mqtt.max_connect_bytes": alone("1KiB"),
	"mqtt.max_packet_bytes":  alone("1KiB"),
	"mqtt.max_sessions":      alone("5"),
	"mqtt.max_filters":       {{value: "1", means: func(o *outlook) { o.mqtt.oneFilter = true }}},
	"mqtt.max_levels":        {{value: "8", means: func(o *outlook) { o.mqtt.eightLevels = true }}},
	"mqtt.max_inflight":      alone("1"),
	"mqtt.topic_aliases":     alone("0"),
	"mqtt.max_will_delay":    alone("1s"),
	"mqtt.revoke_within":     alone("100ms"),
	"mqtt.timeouts.connect":  alone("5s"),
	"mqtt.timeouts.write":    alone("5s"),
	"mqtt.timeouts.dial":     alone("5s"),
}
