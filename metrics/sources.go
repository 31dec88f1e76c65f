package metrics

import (
	"runtime"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// CacheStats is what the cache of tokens counts. Counters grow for the life of the process.
type CacheStats struct {
	Hits, Misses, Negative, Stale uint64
	Evictions, DroppedSets        uint64
	Entries, Bytes                int64
}

// CollectCache exports what stats returns at every scrape.
func (m *Metrics) CollectCache(stats func() CacheStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(CacheRequests, float64(s.Hits), "hit")
		emit(CacheRequests, float64(s.Misses), "miss")
		emit(CacheRequests, float64(s.Negative), "negative")
		emit(CacheRequests, float64(s.Stale), "stale")
		emit(CacheEvictions, float64(s.Evictions))
		emit(CacheDroppedSets, float64(s.DroppedSets))
		emit(CacheEntries, float64(s.Entries))
		emit(CacheBytes, float64(s.Bytes))
	})
}

// CollectInFlight exports what busy returns at every scrape: it is counted where requests are served.
func (m *Metrics) CollectInFlight(busy func() int64) {
	m.OnScrape(func(emit Emit) { emit(InFlight, float64(busy())) })
}

// PolicyStats is what the policy in force holds.
type PolicyStats struct {
	Tokens   map[policy.Access]int
	Accounts int
	Grants   int
}

// CollectPolicy exports what stats returns at every scrape. An access type without tokens is
// exported as 0.
func (m *Metrics) CollectPolicy(stats func() PolicyStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		for _, a := range []policy.Access{policy.Master, policy.Standard, policy.ACLAccess, policy.NoAPI} {
			emit(Tokens, float64(s.Tokens[a]), a.String())
		}
		emit(Accounts, float64(s.Accounts))
		emit(Grants, float64(s.Grants))
	})
}

// CollectExpiry exports at every scrape when certificates end, by the setting that names each, and
// how many tokens will soon.
func (m *Metrics) CollectExpiry(certificates func() map[string]time.Time, tokens func() int) {
	m.OnScrape(func(emit Emit) {
		for setting, end := range certificates() {
			emit(CertificateExpiry, float64(end.Unix()), setting)
		}
		emit(TokensEnding, float64(tokens()))
	})
}

// LimitStats is what the limits of one scope have decided, and of how many they remember what they
// used.
type LimitStats struct {
	Scope             string // token, account or source
	Admitted, Refused uint64
	Entries           int64
}

// ExchangeStats is how the exchange of what limits have admitted goes.
type ExchangeStats struct {
	Worked, Degraded uint64
	Told, Left       uint64 // buckets and counters
	Took             time.Duration
}

// CollectExchange exports what stats returns at every scrape.
func (m *Metrics) CollectExchange(stats func() ExchangeStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(LimitExchanges, float64(s.Worked), "exchanged")
		emit(LimitExchanges, float64(s.Degraded), "degraded")
		emit(LimitExchanged, float64(s.Told), "exchanged")
		emit(LimitExchanged, float64(s.Left), "left")
		emit(LimitExchange, s.Took.Seconds())
	})
}

// CollectLimits exports what stats returns at every scrape. A scope without a bound is left out.
func (m *Metrics) CollectLimits(stats func() []LimitStats) {
	m.OnScrape(func(emit Emit) {
		for _, s := range stats() {
			emit(LimitDecisions, float64(s.Admitted), s.Scope, "admitted")
			emit(LimitDecisions, float64(s.Refused), s.Scope, "refused")
			emit(LimitEntries, float64(s.Entries), s.Scope)
		}
	})
}

// UpstreamStats is what the transport counts for one url of the settings.
type UpstreamStats struct {
	Name       string // host:port, never userinfo
	Requests   uint64
	Retries    uint64
	Failures   uint64 // DialErrors included
	DialErrors uint64
	Busy, Idle int64 // connections
	Ejected    bool
}

// QueueStats is what the transport counts for all urls together.
type QueueStats struct{ Waiting int64 }

// CollectUpstream exports what stats returns at every scrape.
func (m *Metrics) CollectUpstream(stats func() ([]UpstreamStats, QueueStats)) {
	m.OnScrape(func(emit Emit) {
		urls, queue := stats()
		for _, u := range urls {
			emit(UpstreamRequests, float64(u.Requests), u.Name)
			emit(UpstreamRetries, float64(u.Retries), u.Name)
			emit(UpstreamFailures, float64(u.Failures), u.Name)
			emit(UpstreamDialErrors, float64(u.DialErrors), u.Name)
			emit(UpstreamConnections, float64(u.Busy), u.Name, "busy")
			emit(UpstreamConnections, float64(u.Idle), u.Name, "idle")
			emit(UpstreamEjected, number(u.Ejected), u.Name)
		}
		emit(UpstreamQueue, float64(queue.Waiting))
	})
}

// ShareStats is how often requests met the bounds of what is shared (SPEC 2, Shares).
type ShareStats struct {
	Resource  string // connections, queue or bodies
	Token     uint64 // met the bound of one token
	Account   uint64 // of one account
	Strangers uint64 // of callers without a token
	Callers   uint64 // what is kept for the gateway's own readings
}

// CollectShares exports what stats returns at every scrape.
func (m *Metrics) CollectShares(stats func() []ShareStats) {
	m.OnScrape(func(emit Emit) {
		for _, s := range stats() {
			emit(ShareRefused, float64(s.Token), s.Resource, "token")
			emit(ShareRefused, float64(s.Account), s.Resource, "account")
			emit(ShareRefused, float64(s.Strangers), s.Resource, "strangers")
			emit(ShareRefused, float64(s.Callers), s.Resource, "callers")
		}
	})
}

// CollectAudit exports what a counts at every scrape.
func (m *Metrics) CollectAudit(a *record.Audit) {
	m.OnScrape(func(emit Emit) {
		s := a.Stats()
		emit(AuditEvents, float64(s.Written), "written")
		emit(AuditEvents, float64(s.Dropped), "dropped")
		emit(AuditEvents, float64(s.Failed), "failed")
		emit(AuditFailing, number(s.Failing))
	})
}

// LostStats is what was written for others and never arrived, because they do not read or are gone.
type LostStats struct {
	Log    uint64 // lines
	Notify uint64 // states for the service manager
}

// CollectLost exports what stats returns at every scrape.
func (m *Metrics) CollectLost(stats func() LostStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(SinkLost, float64(s.Log), "log")
		emit(SinkLost, float64(s.Notify), "notify")
	})
}

// IndexStats is what the item index counts.
type IndexStats struct {
	Succeeded, Failed uint64 // readings
	Parts             []IndexPart
}

// IndexPart is what the item index knows of one collection.
type IndexPart struct {
	Collection string
	Members    bool // of groups; else the items
	Items      int
	Age        time.Duration // negative: never read
	Stale      bool
}

// CollectIndex exports what stats returns at every scrape.
func (m *Metrics) CollectIndex(stats func() IndexStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(IndexReadings, float64(s.Succeeded), "succeeded")
		emit(IndexReadings, float64(s.Failed), "failed")
		for _, p := range s.Parts {
			part := "items"
			if p.Members {
				part = "members"
			}
			emit(IndexItems, float64(p.Items), p.Collection, part)
			emit(IndexStale, number(p.Stale), p.Collection, part)
			if p.Age >= 0 {
				emit(IndexAge, p.Age.Seconds(), p.Collection, part)
			}
		}
	})
}

// ListenerStats is what the public listener counts.
type ListenerStats struct {
	Open                  int
	Refused, RefusedPerIP uint64 // by listen.max_connections, by max_connections_per_ip
}

// CollectListener exports what stats returns at every scrape.
func (m *Metrics) CollectListener(stats func() ListenerStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(ConnectionsOpen, float64(s.Open))
		emit(ConnectionsRefused, float64(s.Refused), "total")
		emit(ConnectionsRefused, float64(s.RefusedPerIP), "per_ip")
	})
}

// StoreStats is how the following of a database goes.
type StoreStats struct {
	Up               bool
	Head, Applied    int64
	Lease, Bound     time.Duration
	Poll, Apply      time.Duration
	Resyncs          map[string]uint64 // by reason
	Rewinds          uint64
	BadRows, InDoubt int64
}

// CollectStore exports what stats returns at every scrape.
func (m *Metrics) CollectStore(stats func() StoreStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(StoreUp, number(s.Up))
		emit(StoreHead, float64(s.Head))
		emit(StoreApplied, float64(s.Applied))
		emit(StoreLease, s.Lease.Seconds())
		emit(StoreLeaseBound, s.Bound.Seconds())
		emit(StorePoll, s.Poll.Seconds())
		emit(StoreApply, s.Apply.Seconds())
		for reason, n := range s.Resyncs {
			emit(StoreResyncs, float64(n), reason)
		}
		emit(StoreRewinds, float64(s.Rewinds))
		emit(StoreBadRows, float64(s.BadRows))
		emit(StoreInDoubt, float64(s.InDoubt))
	})
}

// MQTTStats is what the MQTT front has at one moment.
type MQTTStats struct {
	Sessions             int
	Asked, Printed, Wide int // filters
	UpstreamUp           bool
}

// CollectMQTT exports what stats returns at every scrape.
func (m *Metrics) CollectMQTT(stats func() MQTTStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		emit(MQTTSessions, float64(s.Sessions))
		emit(MQTTFilters, float64(s.Asked), "asked")
		emit(MQTTFilters, float64(s.Printed), "printed")
		emit(MQTTFilters, float64(s.Wide), "wide")
		emit(MQTTUpstreamUp, number(s.UpstreamUp))
	})
}

// Build exports what is running, once at start.
func (m *Metrics) Build(version, revision string) {
	m.OnScrape(func(emit Emit) { emit(BuildInfo, 1, version, revision, runtime.Version()) })
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// LoginStats is what is counted of logins.
type LoginStats struct {
	Outcomes []string // words
	Logins   []uint64 // by them
	Sessions int

	Verdicts []string // words
	Verified []uint64 // tokens from elsewhere, by them
	Failing  map[string]bool
}

// CollectLogins exports what stats returns at every scrape.
func (m *Metrics) CollectLogins(stats func() LoginStats) {
	m.OnScrape(func(emit Emit) {
		s := stats()
		for i, outcome := range s.Outcomes {
			emit(Logins, float64(s.Logins[i]), outcome)
		}
		emit(Sessions, float64(s.Sessions))
		for i, verdict := range s.Verdicts {
			emit(JWTVerifications, float64(s.Verified[i]), verdict)
		}
		for issuer, failing := range s.Failing {
			emit(IssuerFailing, number(failing), issuer)
		}
	})
}
