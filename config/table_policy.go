package config

import (
	"math"
	"strings"
	"time"

	"aclgate/config/strict"
)

// scopeRows are how accounts bound a request. Each default is the choice that trusts less, but for
// the linked selectors of a GET, where clients of the vendor expect to read what they can reach.
func scopeRows(s *Settings) []Setting {
	c := &s.Scope
	return []Setting{
		{"scope.mode", "none | header | ids | both", "header",
			"Who enforces the account tree: nobody, because there is one account; the backend by x-flespi-cid; the gateway by an index of ids; or both.",
			into(&c.Mode, strict.Enum(ScopeNone, ScopeHeader, ScopeIDs, ScopeBoth))},
		{"scope.owners", "backend | store", "backend",
			"In ids mode, where the account of an item comes from: the cid of the backend's rows, or the gateway's own store.",
			into(&c.Owners, strict.Enum(OwnersBackend, OwnersStore))},
		{"scope.unowned", "number", "0",
			"With scope.owners: store, the account of what nobody owned when the backend was first read. 0: visible at the roots alone.",
			into(&c.Unowned, strict.Int(0, math.MaxInt64))},
		{"scope.trust_header", "bool", "false",
			"In header mode, skips the check that the backend obeys the header.", into(&c.TrustHeader, strict.Bool)},
		{"scope.accounts", "policy | backend", "policy",
			"Where the account tree comes from: the policy file, or GET /platform/subaccounts/all.", into(&c.Accounts, strict.Enum(AccountsPolicy, AccountsBackend))},
		{"scope.refresh", "duration", "30s",
			"In ids and both mode, the pause between two readings of the item index.", into(&c.Refresh, strict.Duration(soon, day))},
		{"scope.max_staleness", "duration", "2m",
			"The age at which the index is too old to decide by: 503. At least scope.refresh.", into(&c.MaxStaleness, strict.Duration(soon, 7*day))},
		{"scope.match", "resolve | deny", "resolve",
			"Matches of tokens limited to ids: resolved at the backend, or denied.", into(&c.Match, strict.Enum(MatchResolve, MatchDeny))},
		{"scope.linked", "lenient | strict", "lenient",
			"What a GET with a linked selector needs: the scope alone, or an entry of its own.", into(&c.Linked, strict.Enum(LinkedLenient, LinkedStrict))},
	}
}

// storeRows are where tokens live, and the memory in front of them.
func storeRows(s *Settings) []Setting {
	return []Setting{
		{"store.kind", "file | sqlite | postgres", "file",
			"Where tokens and accounts live: in a policy file, in a SQLite database, or in PostgreSQL for several gateways; see [the store](store.md).",
			into(&s.Store.Kind, strict.Enum(StoreFile, StoreSQLite, StorePostgres))},
		{"store.path", "file", "policy.yaml",
			"The policy file (.yaml or .json), or the SQLite database, which is aclgate.db unless it is named.", into(&s.Store.Path, s.needPath)},
		{"store.url_file", "file", `""`,
			"Of postgres: a file with the DSN of a login that reads. Several hosts are allowed, and a pooler in transaction mode.", into(&s.Store.URL, s.path)},
		{"store.admin_url_file", "file", `""`,
			"Of postgres: a file with the DSN of a login that writes. Empty: the administration of this gateway only reads.", into(&s.Store.AdminURL, s.path)},
		{"store.poll", "duration", "100ms",
			"Of postgres: how often changes are asked for, 20ms to 1s.", into(&s.Store.Poll, strict.Duration(20*time.Millisecond, time.Second))},
		{"store.max_staleness", "duration", "2m",
			"Of a database: how long requests are decided without an answer from it. Then: 503. At least 20 polls.", into(&s.Store.MaxStaleness, strict.Duration(time.Second, 7*day))},
		{"store.replica", "text", `""`,
			"Of postgres: what operators see this gateway as, with random characters behind it. Empty: the name of the host.", into(&s.Store.Replica, replicaName)},
		{"store.history", "duration", "90d",
			"Of a database: how long its changes can be looked up.", into(&s.Store.History, strict.Duration(time.Hour, 36500*day))},
		{"cache.max_bytes", "size", "128MiB",
			"The memory for compiled tokens.", into(&s.Cache.MaxBytes, strict.Bytes(mib, tib))},
	}
}

// policyRows are how the policy is read. The defaults enforce it and close what it does not name.
func policyRows(s *Settings) []Setting {
	p := &s.Policy
	return []Setting{
		{"policy.enforce", "bool", "true",
			"If false, the entries of acl tokens are evaluated, counted and logged, not enforced.", into(&p.Enforce, strict.Bool)},
		{"policy.shadow", "file", `""`,
			"A second policy file that is evaluated and counted, not enforced. Empty: none.", into(&p.Shadow, s.path)},
		{"policy.max_ids", "number", "10000",
			"Ids in one list of a request. Above: 400.", into(&p.MaxIDs, count(1, mib))},
		{"policy.max_resolved", "number", "20000",
			"Items in scope that one match may resolve to. Above: 400.", into(&p.MaxResolved, count(1, mib))},
		{"policy.max_write", "number", "0",
			"Items that one PUT, PATCH or DELETE may reach by `all` or a match. Above, or where the number is not known: 400. 0: no bound.",
			into(&p.MaxWrite, count(0, many))},
		{"policy.max_depth", "number", "4",
			"Levels of accounts.", into(&p.MaxDepth, count(1, 64))},
		{"policy.unknown_routes", "deny | master", "deny",
			"Who may use routes that the catalogue does not know: nobody, or master tokens of a root account.",
			into(&p.UnknownRoutes, strict.Enum(UnknownDeny, UnknownMaster))},
		{"policy.backend_keys", "closed | forward", "closed",
			"Whether the routes that list or issue the backend's own keys are open.", into(&p.BackendKeys, strict.Enum(BackendKeysClosed, BackendKeysForward))},
		{"policy.routes_file", "file", `""`,
			"Replaces the built-in catalogue of routes; see [routes](routes.md). Empty: the built-in one.", into(&p.RoutesFile, s.path)},
		{"policy.query", "list of names", "[]",
			"Further query parameters that are passed on.", into(&p.Query, queryNames)},
		{"policy.query_unknown", "drop | refuse", "drop",
			"Other names in the query of a GET: left out and named in x-aclgate-dropped, or a 400.", into(&p.QueryUnknown, strict.Enum(QueryDrop, QueryRefuse))},
		{"policy.cut_after", "duration", "5s",
			"How long uploads and streamed answers go on after their token has ended, at most.", into(&p.CutAfter, strict.Duration(soon, day))},
	}
}

// limitRows bound one caller. Callers without a valid token are bounded from the start, since
// guessing keys costs them nothing else.
func limitRows(s *Settings) []Setting {
	token, account, stranger := &s.Limits.PerToken, &s.Limits.PerAccount, &s.Limits.Unauthenticated
	return []Setting{
		{"limits.per_token.rate", "rate", "0",
			"Requests of one token, such as 50/s or 600/m. 0: no bound. Above: 429.", into(&token.Rate, strict.ReadRate)},
		{"limits.per_token.burst", "number", "0",
			"Requests of one token that may come at once. 0: one second of the rate.", into(&token.Burst, count(0, many))},
		{"limits.per_token.concurrent", "number", "0",
			"Requests of one token at one time. 0: no bound.", into(&token.Concurrent, count(0, many))},
		{"limits.per_token.mqtt_sessions", "number", "0",
			"MQTT sessions of one token at one time. 0: no bound. Above: CONNACK 0x97.", into(&token.MQTTSessions, count(0, many))},
		{"limits.per_token.mqtt_publish", "rate", "0",
			"Messages that the sessions of one token publish. 0: no bound. Above one second of it at once: DISCONNECT 0x97.", into(&token.MQTTPublish, strict.ReadRate)},
		{"limits.per_account.rate", "rate", "0",
			"Requests of the tokens of one account. 0: no bound.", into(&account.Rate, strict.ReadRate)},
		{"limits.per_account.burst", "number", "0",
			"Requests of one account that may come at once. 0: one second of the rate.", into(&account.Burst, count(0, many))},
		{"limits.per_account.concurrent", "number", "0",
			"Requests of one account at one time. 0: no bound.", into(&account.Concurrent, count(0, many))},
		{"limits.per_account.mqtt_sessions", "number", "0",
			"MQTT sessions of the tokens of one account at one time. 0: no bound.", into(&account.MQTTSessions, count(0, many))},
		{"limits.per_account.mqtt_publish", "rate", "0",
			"Messages that the sessions of one account publish. 0: no bound.", into(&account.MQTTPublish, strict.ReadRate)},
		{"limits.unauthenticated.rate", "rate", "20/s",
			"Requests of one address without a valid token. 0: no bound.", into(&stranger.Rate, strict.ReadRate)},
		{"limits.unauthenticated.burst", "number", "100",
			"Such requests that may come at once. 0: one second of the rate.", into(&stranger.Burst, count(0, many))},
		{"limits.shared", "none | store | redis", "none",
			"By what several gateways obey rates together: each alone, by the database (postgres), or by a Redis. See [limits](limits.md#several-gateways).",
			into(&s.Limits.Shared, strict.Enum(SharedNone, SharedStore, SharedRedis))},
		{"limits.redis_url_file", "file", `""`,
			"Holds the URL of the Redis: redis://user:password@host:port, rediss:// for TLS, or unix:///path. Never logged.", into(&s.Limits.RedisURL, s.path)},
	}
}

// platformRows are the administration.
func platformRows(s *Settings) []Setting {
	return []Setting{
		{"platform.serve", "on | off", "on",
			"Whether tokens, accounts and limits are served under `/platform`, for masters and the operator; off: the backend's are, as far as they are not closed. See [administration](administration.md).",
			into(&s.Platform.Serve, strict.Enum(On, Off))},
		{"platform.keys", "hide | reveal", "hide",
			"Whether the store keeps new keys sealed, to be shown again to masters who could make the token.", into(&s.Platform.Keys, strict.Enum(KeysHide, KeysReveal))},
		{"platform.keys_file", "file", `""`,
			"A file with the 32 bytes, or their 64 hexadecimal digits, that seal them. Keep it apart from backups of the store.", into(&s.Platform.KeysFile, s.path)},
		{"platform.max_ttl", "duration", "0",
			"The longest ttl that a token may be given. 0: any.", into(&s.Platform.MaxTTL, strict.Duration(0, 100*366*day))},
		{"platform.max_expire", "duration", "0",
			"How far away the end of a token may be when it is given. 0: any.", into(&s.Platform.MaxExpire, strict.Duration(0, 100*366*day))},
		{"platform.limit_window", "duration", "1m",
			"The window in which calls and traffic of an account's limit are counted.", into(&s.Platform.LimitWindow, strict.Duration(time.Second, day))},
	}
}

// realmRows are how users log in.
func realmRows(s *Settings) []Setting {
	r := &s.Realms
	return []Setting{
		{"realms.max_age", "duration", "6h",
			"When a session ends, whatever is used in between. `token_params.ttl` can only end it sooner.", into(&r.MaxAge, strict.Duration(time.Minute, 366*day))},
		{"realms.max_sessions", "number", "10",
			"Sessions of one user at one time. Above, the oldest ends.", into(&r.MaxSessions, count(1, 10000))},
		{"realms.hashers", "number", "0",
			"Passwords that are checked at one time. 0: half of the cores.", into(&r.Hashers, count(0, 1024))},
		{"realms.bcrypt_cost", "number", "12",
			"What checking a password costs: one more is twice the work. Older hashes are made anew at the next login.", into(&r.BcryptCost, count(4, 15))},
		{"realms.issuers", "list of issuers", "[]",
			"Who signs tokens that are accepted from elsewhere, each with name, issuer, audience, algorithms (of RS256, ES256, EdDSA) and jwks_max_age (1h); see [sign-in](signin.md).",
			into(&r.Issuers, issuers)},
	}
}

// auditRows are the record of decisions.
func auditRows(s *Settings) []Setting {
	a := &s.Audit
	return []Setting{
		{"audit.path", "file", `""`,
			"The audit log, one JSON object per decision. Empty: none.", into(&a.Path, s.path)},
		{"audit.allow_sample", "number from 0 to 1", "0",
			"The share of allowed requests that is written; denials are always written.", into(&a.AllowSample, strict.Fraction)},
		{"audit.max_size", "size", "100MiB",
			"The size at which a new file is started.", into(&a.MaxSize, strict.Bytes(mib, tib))},
		{"audit.keep", "number", "10",
			"How many older files are kept.", into(&a.Keep, count(0, 10000))},
	}
}

// processRows are the process around it all.
func processRows(s *Settings) []Setting {
	return []Setting{
		{"log.level", "debug | info | warn | error", "info",
			"The least severe line that is written.", into(&s.Log.Level, strict.Enum(LogDebug, LogInfo, LogWarn, LogError))},
		{"log.format", "auto | text | json", "auto",
			"The format of a line. auto: text on a terminal, json elsewhere.", into(&s.Log.Format, strict.Enum(LogAuto, LogText, LogJSON))},
		{"shutdown.delay", "duration", "0s",
			"How long it keeps listening after /readyz turns 503, so that balancers notice.", into(&s.Shutdown.Delay, strict.Duration(0, day))},
		{"shutdown.drain", "duration", "30s",
			"How long requests in progress may take to finish.", into(&s.Shutdown.Drain, strict.Duration(soon, day))},
	}
}

// replicaName reads the name of a gateway: 1 to 64 characters that stand in a line of a log, or none.
func replicaName(n *strict.Node) (string, bool) {
	text, ok := strict.Str(n)
	if ok && (len(text) > 64 || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f })) {
		n.Fault("expected at most 64 characters of ASCII without blanks")
		return "", false
	}
	return text, ok
}
