package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// Family names one metric of the table: what Prometheus calls a metric family.
type Family uint8

// The families. CONTRIBUTING.md says what a new one takes.
const (
	Requests Family = iota
	Responses
	Decisions
	PathDecisions
	DeniedIDs
	UnenforcedDecisions
	ShadowDecisions
	ShadowDifferences
	RequestBytes
	ResponseBytes
	Duration
	OwnDuration
	UpstreamDuration
	InFlight
	Draining
	Overloaded
	BodyBytes
	ConnectionsOpen
	ConnectionsRefused
	HeadFaults
	QueryDropped
	Cut
	Panics
	CacheRequests
	CacheEvictions
	CacheDroppedSets
	CacheEntries
	CacheBytes
	Tokens
	Accounts
	Grants
	Reloads
	ReloadTimestamp
	PolicyStale
	PolicyRevision
	LimitDecisions
	LimitEntries
	LimitExchanges
	LimitExchanged
	LimitExchange
	CertificateExpiry
	TokensEnding
	ScopeHeaderIgnored
	ScopeHeaderChecked
	UpstreamUnauthorized
	UpstreamRequests
	UpstreamRetries
	UpstreamFailures
	UpstreamConnections
	UpstreamDialErrors
	UpstreamEjected
	UpstreamQueue
	ShareRefused
	IndexItems
	IndexAge
	IndexStale
	IndexReadings
	CreatedElsewhere
	AuditEvents
	AuditFailing
	SinkLost
	SilentFault
	StoreUp
	StoreHead
	StoreApplied
	StoreLease
	StoreLeaseBound
	StorePoll
	StoreApply
	StoreResyncs
	StoreRewinds
	StoreBadRows
	StoreInDoubt
	TokensMade
	RootsWithoutMaster
	AccountsBlocked
	AccountCalls
	AccountTraffic
	AccountUsed
	AccountLimit
	AccountBlocked
	Logins
	Sessions
	JWTVerifications
	IssuerFailing
	MQTTSessions
	MQTTUpstreamUp
	MQTTUpstreamFailures
	MQTTFilters
	MQTTConnects
	MQTTDecisions
	MQTTWithheld
	MQTTPackets
	MQTTBytes
	SeriesDropped
	BuildInfo
	familyCount
)

// Kind is the type of a metric, as Prometheus names it.
type Kind uint8

// The kinds.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// String returns the word of the exposition format.
func (k Kind) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// Desc describes one family. Name carries the prefix and the unit.
type Desc struct {
	Name   string
	Kind   Kind
	Help   string
	Labels []string

	// collected marks a family whose samples a callback supplies at a scrape, because their owner
	// counts them anyway.
	collected bool
}

func (d *Desc) prometheus() *prometheus.Desc {
	return prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)
}

// Documented returns every metric that the gateway exports beside go_* and process_*, in the order
// in which they are best explained. The caller may keep and change it.
func Documented() []Desc {
	all := slices.Clone(table[:])
	for i := range all {
		all[i].Labels = slices.Clone(all[i].Labels)
	}
	return all
}

// counted describes a family that is counted here. Its labels name closed sets.
func counted(name string, k Kind, help string, labels ...string) Desc {
	return Desc{Name: "aclgate_" + name, Kind: k, Help: help, Labels: labels}
}

// collected describes a family that a callback of OnScrape supplies.
func collected(name string, k Kind, help string, labels ...string) Desc {
	d := counted(name, k, help, labels...)
	d.collected = true
	return d
}

// table is the one place where metrics are named.
var table = [familyCount]Desc{
	Requests: counted("requests_total", Counter,
		"Requests answered, by method, collection of the route, and class of the status (none: nobody was left to answer).",
		"method", "collection", "class"),
	Responses: counted("responses_total", Counter, "Requests answered, by status; rare statuses under their class.", "code"),
	Decisions: counted("decisions_total", Counter, "What became of requests, and why.", "verdict", "reason"),
	PathDecisions: counted("path_decisions_total", Counter,
		"What became of requests that grants had a say about, by what they had beside the branch of their account or in its place.", "path", "verdict"),
	DeniedIDs: counted("denied_ids_total", Counter, "Ids that were asked for by number and are not permitted."),
	UnenforcedDecisions: counted("unenforced_decisions_total", Counter,
		"While policy.enforce is false: what the entries of acl tokens would have made of requests that went through, and why.",
		"would", "reason"),
	ShadowDecisions: counted("shadow_decisions_total", Counter,
		"Requests that policy.shadow was asked about, by what was done and what it would have done.", "enforced", "shadow"),
	ShadowDifferences: counted("shadow_differences_total", Counter,
		"Those of them that policy.shadow would have treated otherwise, with its reason.", "enforced", "shadow", "reason"),
	RequestBytes: counted("request_bytes_total", Counter,
		"Bytes of request bodies read from clients."),
	ResponseBytes: counted("response_bytes_total", Counter,
		"Bytes of answers' bodies sent to clients."),
	Duration: counted("request_duration_seconds", Histogram,
		"From the whole head to the last byte of the answer.", "verdict"),
	OwnDuration: counted("own_duration_seconds", Histogram,
		"The gateway's own share of a request: neither waiting for the backend nor for the client."),
	UpstreamDuration: counted("upstream_duration_seconds", Histogram,
		"Waiting for the backend; only of requests that it was asked about."),
	InFlight: collected("requests_in_flight", Gauge, "Requests whose head was read and whose answer is not complete."),
	Draining: counted("draining", Gauge, "1 while the gateway takes no new connections because it is about to end."),
	Overloaded: counted("overloaded", Gauge,
		"1 while memory is near GOMEMLIMIT and requests are answered 503; those refused have the reason overloaded."),
	BodyBytes: counted("body_bytes_held", Gauge,
		"Bytes held of what is longer than 64 KiB: request bodies, and answers that are read for the items they name."),
	ConnectionsOpen: collected("connections_open", Gauge, "Open connections of clients."),
	ConnectionsRefused: collected("connections_refused_total", Counter,
		"Connections of clients closed at once because a bound was reached.", "bound"),
	HeadFaults: counted("head_faults_total", Counter,
		"Requests refused by their head alone, by the status of the answer.", "code"),
	QueryDropped: counted("query_dropped_total", Counter,
		"Parameters of a GET that the route does not know and that were left out; the audit log names them."),
	Cut: counted("cut_total", Counter,
		"Uploads and streamed answers that were cut because their token, or its right to the items, ended meanwhile."),
	Panics: counted("panics_total", Counter, "Faults of the gateway itself that ended one request with a 500, or one MQTT session."),
	CacheRequests: collected("cache_requests_total", Counter,
		"Look-ups of tokens, by result; negative: known to be unknown, stale: found, but older than the policy.", "result"),
	CacheEvictions: collected("cache_evictions_total", Counter, "Tokens dropped from the cache for want of room."),
	CacheDroppedSets: collected("cache_dropped_sets_total", Counter,
		"Tokens that the cache did not take; each costs a read of the store."),
	CacheEntries: collected("cache_entries", Gauge, "Tokens in the cache."),
	CacheBytes:   collected("cache_bytes", Gauge, "Estimated size of the cache."),
	Tokens:       collected("tokens", Gauge, "Tokens of the policy, by access type.", "access"),
	Accounts:     collected("accounts", Gauge, "Accounts of the policy."),
	Grants:       collected("grants", Gauge, "Grants that give something to somebody: enabled, with grantees; those that have expired are among them."),
	Reloads:      counted("policy_reloads_total", Counter, "Readings of the policy, by result.", "result"),
	ReloadTimestamp: counted("policy_last_reload_success_timestamp_seconds", Gauge,
		"When a policy was last read without a fault; 0: never."),
	PolicyStale: counted("policy_stale", Gauge,
		"1 while the policy file is broken and an older policy stays in force."),
	PolicyRevision: counted("policy_revision", Gauge, "Revision of the policy in force."),
	LimitDecisions: collected("limit_decisions_total", Counter,
		"What limits decided, by scope (token, account, source) and result; a request asks each account above it.", "scope", "result"),
	LimitEntries: collected("limit_entries", Gauge, "Tokens, accounts and sources whose use is remembered.", "scope"),
	LimitExchanges: collected("limit_exchanges_total", Counter,
		"How often this gateway told what it has admitted, with limits.shared; degraded: it could not, and bounds its callers by itself.", "result"),
	LimitExchanged: collected("limit_exchanged_total", Counter,
		"Buckets and counters that were told (exchanged), and those for which there was no room (left).", "result"),
	LimitExchange: collected("limit_exchange_seconds", Gauge, "How long the last exchange took."),
	CertificateExpiry: collected("certificate_expiry_seconds", Gauge,
		"When the certificate that a setting names ends, in unix seconds.", "setting"),
	TokensEnding: collected("tokens_ending", Gauge,
		"Tokens that end within a week, as counted every hour."),
	ScopeHeaderIgnored: counted("scope_header_ignored", Gauge,
		"1 while the backend is known to ignore x-flespi-cid: it showed a row from outside the scope."),
	ScopeHeaderChecked: counted("scope_header_checked", Gauge,
		"1 once the backend was seen to obey x-flespi-cid; 0: nothing is known."),
	UpstreamUnauthorized: counted("upstream_unauthorized_total", Counter,
		"Answers 401 of the backend to the gateway's own credential."),
	UpstreamRequests: collected("upstream_requests_total", Counter, "Requests sent to the backend.", "upstream"),
	UpstreamRetries: collected("upstream_retries_total", Counter,
		"Requests sent once more because a reused connection had ended.", "upstream"),
	UpstreamFailures: collected("upstream_failures_total", Counter,
		"Failed attempts to connect, broken or late answers, and failed probes.", "upstream"),
	UpstreamConnections: collected("upstream_connections", Gauge, "Connections to the backend.", "upstream", "state"),
	UpstreamDialErrors:  collected("upstream_dial_errors_total", Counter, "Failed attempts to connect.", "upstream"),
	UpstreamEjected: collected("upstream_ejected", Gauge,
		"1 while the url is left out because it failed too often.", "upstream"),
	UpstreamQueue: collected("upstream_queue_length", Gauge, "Requests waiting for a connection to the backend; those sent away have the reason upstream-busy."),
	ShareRefused: collected("share_refused_total", Counter,
		"Requests that met the bound of a share: they waited for a connection although some were free, or had no place in the queue or no memory for a body.",
		"resource", "holder"),
	IndexItems: collected("index_items", Gauge,
		"What the item index holds of a collection: items, or members of groups.", "collection", "part"),
	IndexAge: collected("index_age_seconds", Gauge,
		"Since the reading began that the index of a collection rests on; missing until one has worked.", "collection", "part"),
	IndexStale: collected("index_stale", Gauge,
		"1 while the index of a collection is older than scope.max_staleness, or was never read, and requests that need it are answered 503.",
		"collection", "part"),
	IndexReadings: collected("index_readings_total", Counter, "Readings of a whole collection for the item index, by result.", "result"),
	CreatedElsewhere: counted("created_elsewhere_total", Counter,
		"Items created through the gateway with scope.mode ids that the backend put outside of their creator's accounts: it does not obey the cid in bodies."),
	AuditEvents: collected("audit_events_total", Counter,
		"Records for the audit log: written, dropped because the queue was full, failed because the file took none.", "result"),
	AuditFailing: collected("audit_failing", Gauge, "1 while the audit log cannot be written."),
	SinkLost: collected("sink_lost_total", Counter,
		"What was lost because nobody took it: lines of the log, states for the service manager.", "sink"),
	SilentFault: counted("silent_fault", Gauge,
		"1 while something fails that no request shows yet: what was there before stays in use, and is wrong some day.", "what"),
	StoreUp: collected("store_up", Gauge,
		"0 while the last poll of the database of tokens was not answered or not obeyed; this and the others of the store are missing with a policy file."),
	StoreHead:    collected("store_head_revision", Gauge, "Revision of the database when it was last asked."),
	StoreApplied: collected("store_applied_revision", Gauge, "Revision that requests are decided by."),
	StoreLease: collected("store_lease_seconds", Gauge,
		"For how long requests may still be decided by it without another answer of the database; below 0 they are a 503."),
	StoreLeaseBound: collected("store_lease_bound_seconds", Gauge, "What the lease is after an answer: store.max_staleness."),
	StorePoll:       collected("store_poll_seconds", Gauge, "How long the last poll took, with all that it had to obey."),
	StoreApply:      collected("store_apply_seconds", Gauge, "How long it took to obey the last changes."),
	StoreResyncs:    collected("store_resyncs_total", Counter, "Readings of everything in the database, and why.", "reason"),
	StoreRewinds:    collected("store_rewinds_total", Counter, "How often the database had gone back to an older state."),
	StoreBadRows:    collected("store_bad_rows", Gauge, "Rows that do not read, each of which counts as missing; the log names them."),
	StoreInDoubt: collected("store_in_doubt", Gauge,
		"Records that a database which went back may hold again after they were taken away or changed; tokens among them are answered 503."),
	TokensMade: collected("tokens_made_total", Counter,
		"Tokens that were made in the database, and those that got another access type, by the one that they have since; those that carry a user are not among them.", "access"),
	RootsWithoutMaster: collected("roots_without_master", Gauge,
		"Root accounts without a master token that can be used in a week, as counted every minute: there only the operator administers."),
	AccountsBlocked: collected("accounts_blocked", Gauge, "Accounts that are blocked by a limit of their own, or by hand; those below them are not counted.", "by"),
	AccountCalls:    collected("account_calls_total", Counter, "Requests in the branch of an account of metrics.accounts, as api_calls counts them.", "account"),
	AccountTraffic:  collected("account_traffic_bytes_total", Counter, "Bytes of bodies in the branch of an account of metrics.accounts, as api_traffic counts them.", "account"),
	AccountUsed:     collected("account_used", Gauge, "What the branch of an account of metrics.accounts uses of a bound now, as far as the gateway counts it itself.", "account", "bound"),
	AccountLimit:    collected("account_limit", Gauge, "What bounds that: the smallest number on the way to the root; missing where there is none.", "account", "bound"),
	AccountBlocked:  collected("account_blocked", Gauge, "Whether an account of metrics.accounts is blocked: 0 no, 1 by a limit, 2 by hand.", "account"),
	Logins:          collected("logins_total", Counter, "Logins by password, by outcome.", "outcome"),
	Sessions:        collected("sessions", Gauge, "Sessions of users that live in memory and have not ended; those in a database are tokens there."),
	JWTVerifications: collected("jwt_verifications_total", Counter,
		"Tokens from elsewhere that were verified; one that is remembered is not verified again.", "outcome"),
	IssuerFailing:  collected("issuer_failing", Gauge, "1 while the keys of an issuer of tokens cannot be read.", "issuer"),
	MQTTSessions:   collected("mqtt_sessions", Gauge, "Connections of MQTT clients."),
	MQTTUpstreamUp: collected("mqtt_upstream_up", Gauge, "0 while the last attempt to connect to the broker has failed; missing without MQTT."),
	MQTTUpstreamFailures: counted("mqtt_upstream_failures_total", Counter,
		"Connections to the broker that could not be opened, or that it broke.", "fault"),
	MQTTFilters: collected("mqtt_filters", Gauge,
		"Filters of all sessions: asked by clients, printed to the broker, and those of the asked ones whose print matches more than is permitted (wide).", "kind"),
	MQTTConnects: counted("mqtt_connects_total", Counter, "CONNECTs, by what became of them.", "reason"),
	MQTTDecisions: counted("mqtt_decisions_total", Counter,
		"What became of what MQTT sessions did, and why: connect, will, each filter of a subscribe, publish, deliver, end.", "action", "verdict", "reason"),
	MQTTWithheld: counted("mqtt_withheld_total", Counter,
		"Messages of the broker that a client was not shown; permitted: nobody asked for them, or they are longer than the client takes.", "reason"),
	MQTTPackets: counted("mqtt_packets_total", Counter, "Packets of clients (in) and to clients (out).", "direction", "type"),
	MQTTBytes:   counted("mqtt_bytes_total", Counter, "Bytes of these packets.", "direction"),
	SeriesDropped: counted("series_dropped_total", Counter,
		"Samples left out of /metrics: a callback gave one twice, too many, or none that can be exported."),
	BuildInfo: collected("build_info", Gauge, "Always 1; the labels say what is running.",
		"version", "revision", "goversion"),
}
