package metrics

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"aclgate/metrics/record"
	"aclgate/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// catalogue returns one of n collections with integer ids, beside /auth.
func catalogue(t testing.TB, n int) *policy.Catalogue {
	t.Helper()
	var cs []*policy.Collection
	for i := range n {
		cs = append(cs, &policy.Collection{
			URI: fmt.Sprintf("gw/kind-%ds", i), IDs: policy.IDInt, Scoped: true,
			Routes: []*policy.Route{{Path: "/{}", Methods: policy.Methods(policy.GET, policy.PUT)}},
		})
	}
	cat, err := policy.NewCatalogue(cs)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func fresh(t testing.TB, collections int) (*prometheus.Registry, *Metrics, *policy.Catalogue) {
	t.Helper()
	reg := prometheus.NewRegistry()
	cat := catalogue(t, collections)
	return reg, New(reg, cat), cat
}

// gather returns the gateway's own families by name.
func gather(t testing.TB, reg *prometheus.Registry) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]*dto.MetricFamily{}
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), "aclgate_") {
			own[f.GetName()] = f
		}
	}
	return own
}

// value returns the sample with these label values, or -1 if there is none.
func value(t testing.TB, reg *prometheus.Registry, f Family, labels ...string) float64 {
	t.Helper()
	for _, m := range gather(t, reg)[table[f].Name].GetMetric() {
		if slices.Equal(named(m, table[f].Labels), labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

// named returns the label values of m in the order of names.
func named(m *dto.Metric, names []string) []string {
	var values []string
	for _, n := range names {
		for _, p := range m.GetLabel() {
			if p.GetName() == n {
				values = append(values, p.GetValue())
			}
		}
	}
	return values
}

// everything makes each family show at least one sample.
func everything(m *Metrics, cat *policy.Catalogue) {
	m.Observe(&record.Record{Facts: record.Facts{Method: policy.GET, Route: cat.Collections[0].Routes[0], Status: 200, Upstream: 1}})
	m.Observe(&record.Record{Facts: record.Facts{Method: policy.GET, Status: 403, Path: record.Cross}})
	m.HeadFault(431)
	m.CollectAudit(&record.Audit{})
	m.CollectExpiry(func() map[string]time.Time {
		return map[string]time.Time{"listen.tls.cert_file": time.Unix(1900000000, 0)}
	}, func() int { return 2 })
	m.CollectLost(func() LostStats { return LostStats{Log: 2, Notify: 1} })
	m.DryRun(record.Outcome{Known: true, Reason: policy.NoEntry})
	m.Shadowed(policy.Allow, policy.Deny, record.Outcome{Known: true, Reason: policy.NoEntry})
	m.Reloaded(nil, 3, time.Unix(1700000000, 0))
	m.CollectCache(func() CacheStats { return CacheStats{Hits: 5, Entries: 2} })
	m.CollectLimits(func() []LimitStats { return []LimitStats{{Scope: "token", Admitted: 7, Refused: 1, Entries: 3}} })
	m.CollectExchange(func() ExchangeStats {
		return ExchangeStats{Worked: 8, Degraded: 2, Told: 9, Left: 1, Took: time.Millisecond}
	})
	m.CollectPolicy(func() PolicyStats { return PolicyStats{Accounts: 3} })
	m.CollectListener(func() ListenerStats { return ListenerStats{Open: 1} })
	m.CollectUpstream(func() ([]UpstreamStats, QueueStats) {
		return []UpstreamStats{{Name: "127.0.0.1:9000", Ejected: true}}, QueueStats{Waiting: 1}
	})
	m.CollectShares(func() []ShareStats { return []ShareStats{{Resource: "connections", Token: 4, Callers: 1}} })
	m.CollectIndex(func() IndexStats {
		return IndexStats{Succeeded: 3, Failed: 1, Parts: []IndexPart{
			{Collection: "gw/devices", Items: 9, Age: time.Second}, {Collection: "gw/devices", Members: true, Age: -1, Stale: true},
		}}
	})
	m.CollectStore(func() StoreStats {
		return StoreStats{
			Up: true, Head: 12, Applied: 11, Lease: 90 * time.Second, Bound: 2 * time.Minute, Poll: time.Millisecond, Apply: time.Microsecond,
			Resyncs: map[string]uint64{"start": 1, "rewind": 2, "pruned": 3, "gap": 4, "many": 5}, Rewinds: 2, BadRows: 6, InDoubt: 7,
		}
	})
	m.CollectAdministration(func() AdministrationStats {
		return AdministrationStats{Made: map[policy.Access]uint64{policy.Master: 2}, Masterless: 1, ByLimit: 3, ByHand: 1, Accounts: []AccountStats{
			{ID: 11, Calls: 70, Traffic: 900, Used: map[string]int64{"api_calls": 7, "devices_count": 2}, Limits: map[string]int64{"api_calls": 600}, Blocked: 1},
		}}
	})
	m.CollectLogins(func() LoginStats {
		return LoginStats{Outcomes: []string{"succeeded", "failed"}, Logins: []uint64{3, 2}, Sessions: 2,
			Verdicts: []string{"accepted"}, Verified: []uint64{4}, Failing: map[string]bool{"corp": true}}
	})
	m.CollectMQTT(func() MQTTStats { return MQTTStats{Sessions: 2, Asked: 3, Printed: 4, Wide: 1, UpstreamUp: true} })
	m.Topic(record.Publish, policy.Deny, policy.NoTopicEntry)
	m.Add(MQTTConnects, 1, int(policy.TokenUnknown))
	m.Add(MQTTUpstreamFailures, 1, BrokerVersion)
	m.Add(MQTTWithheld, 1, int(policy.DeniedItems))
	m.Add(MQTTPackets, 1, Out, 3)
	m.Add(MQTTBytes, 20, In)
	m.Build("v1", "abc")
}

// The table is the truth: nothing else is exported, nothing of it is missing, and type, help and
// labels are as documented.
func TestDocumentedIsWhatIsExported(t *testing.T) {
	reg, m, cat := fresh(t, 3)
	everything(m, cat)
	m.CollectInFlight(func() int64 { return 1 })
	live := gather(t, reg)
	for _, d := range Documented() {
		f := live[d.Name]
		delete(live, d.Name)
		if f == nil {
			t.Errorf("%s is documented but not exported", d.Name)
			continue
		}
		if got := strings.ToLower(f.GetType().String()); got != d.Kind.String() {
			t.Errorf("%s: got a %s, want a %s", d.Name, got, d.Kind)
		}
		if f.GetHelp() != d.Help {
			t.Errorf("%s: got help %q, want %q", d.Name, f.GetHelp(), d.Help)
		}
		for _, sample := range f.GetMetric() {
			if got := named(sample, d.Labels); len(got) != len(d.Labels) || len(sample.GetLabel()) != len(got) {
				t.Errorf("%s: got labels %v, want %v", d.Name, sample.GetLabel(), d.Labels)
			}
		}
	}
	for name := range live {
		t.Errorf("%s is exported but not documented", name)
	}
}

func TestDocumentedIsACopy(t *testing.T) {
	d := Documented()
	d[0].Name, d[0].Labels[0] = "", ""
	if got := Documented()[0]; got.Name == "" || got.Labels[0] == "" {
		t.Errorf("got %v, want the table untouched", got)
	}
}

// Prometheus' own linter has nothing to say.
func TestNamesFollowTheConventions(t *testing.T) {
	reg, m, cat := fresh(t, 3)
	everything(m, cat)
	for _, family := range gather(t, reg) {
		problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{family}).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestObserveCountsWhereItBelongs(t *testing.T) {
	reg, m, cat := fresh(t, 2)
	other := catalogue(t, 2).Collections[1].Routes[0]
	mine := cat.Collections[1].Routes[0]
	for _, r := range []record.Facts{
		{Method: policy.GET, Route: mine, Status: 200, Verdict: policy.Narrow, Reason: policy.Narrowed, Denied: 2, BytesIn: 3, BytesOut: 5, Upstream: time.Second},
		{Method: policy.PUT, Route: other, Status: 403, Reason: policy.DeniedItems, Denied: 1},
		{Method: 99, Status: 499, Verdict: 77, Reason: 250, Own: -time.Second},
		{Verdict: policy.Unresolved, Reason: policy.ClientGone},
	} {
		m.Observe(&record.Record{Facts: r})
	}
	for _, row := range []struct {
		family Family
		labels []string
		want   float64
	}{
		{Requests, []string{"GET", "gw/kind-1s", "2xx"}, 1},
		{Requests, []string{"PUT", "unknown", "4xx"}, 1},
		{Requests, []string{"other", "unknown", "4xx"}, 1},
		{Requests, []string{"other", "unknown", "none"}, 1},
		{Responses, []string{"200"}, 1}, {Responses, []string{"4xx"}, 1}, {Responses, []string{"none"}, 1},
		{Decisions, []string{"narrow", "narrowed"}, 1},
		{Decisions, []string{"deny", "denied-items"}, 1},
		{Decisions, []string{"deny", "not-judged"}, 1},
		{Decisions, []string{"deny", "client-gone"}, 1},
		{DeniedIDs, nil, 3}, {RequestBytes, nil, 3}, {ResponseBytes, nil, 5},
		{Duration, []string{"deny"}, 3}, {Duration, []string{"narrow"}, 1}, {Duration, []string{"allow"}, 0},
		{OwnDuration, nil, 4}, {UpstreamDuration, nil, 1},
		{Responses, []string{"500"}, -1}, // it never happened, so there is no series
	} {
		if got := value(t, reg, row.family, row.labels...); got != row.want {
			t.Errorf("%s%v: got %v, want %v", table[row.family].Name, row.labels, got, row.want)
		}
	}
}

func TestHistogramsAreClassicAndNative(t *testing.T) {
	reg, m, cat := fresh(t, 1)
	everything(m, cat)
	m.CollectInFlight(func() int64 { return 1 })
	live := gather(t, reg)
	for _, f := range []Family{Duration, OwnDuration, UpstreamDuration} {
		for _, sample := range live[table[f].Name].GetMetric() {
			h := sample.GetHistogram()
			if h.Schema == nil || len(h.GetBucket()) == 0 {
				t.Errorf("%s: got schema %v and %d classic buckets, want both kinds",
					table[f].Name, h.Schema, len(h.GetBucket()))
			}
		}
	}
}

// ceiling is what a whole gateway with 50 collections may ever export, classic buckets included.
// Raising it is a decision, not a fix.
const ceiling = 3000

// However wild the traffic, and however wrong its bookkeeping, the number of series stays below a
// bound that is known before the first request.
func TestHostileMixStaysBelowTheCeiling(t *testing.T) {
	reg, m, cat := fresh(t, 50)
	everything(m, cat)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		r := record.Record{Facts: record.Facts{
			Method: policy.Method(rnd.IntN(8)), Verdict: policy.Verdict(rnd.IntN(6)), Reason: policy.Reason(rnd.Uint32()),
			Status: rnd.IntN(1200) - 300, Denied: rnd.IntN(9) - 4, TokenID: rnd.Int64(), CID: rnd.Int64(),
			Total: time.Duration(rnd.Int64() - rnd.Int64()), Upstream: time.Duration(rnd.Int64N(1 << rnd.IntN(60))),
			Own: time.Duration(rnd.Int64N(1 << rnd.IntN(60))), BytesIn: rnd.Int64N(1<<40) - 1<<30,
		}}
		if col := rnd.IntN(len(cat.Collections) + 5); col < len(cat.Collections) {
			r.Route = cat.Collections[col].Routes[0]
		}
		m.Observe(&r)
		m.HeadFault(rnd.IntN(2000) - 500)
		m.Add(Family(rnd.IntN(int(familyCount))), rnd.Int64N(100)-50, rnd.IntN(200)-100, rnd.IntN(200)-100)
	}
	total := 0
	for _, f := range gather(t, reg) {
		for _, sample := range f.GetMetric() {
			total++
			if h := sample.GetHistogram(); h != nil {
				total += len(h.GetBucket()) + 2
			}
		}
	}
	if total > ceiling {
		t.Errorf("got %d series, want at most %d", total, ceiling)
	}
}

// A client decides neither about memory nor about locks: nothing that a request calls allocates.
func TestNothingOnTheHotPathAllocates(t *testing.T) {
	_, m, cat := fresh(t, 5)
	ring := record.NewRing(64)
	for _, row := range []struct {
		name string
		r    record.Record
	}{
		{"allow", record.Record{Facts: record.Facts{Method: policy.GET, Route: cat.Collections[2].Routes[0], Status: 200, Verdict: policy.Allow, Reason: policy.Permitted, Total: 3 * time.Millisecond, Own: 40 * time.Microsecond, Upstream: 2 * time.Millisecond, BytesOut: 1 << 20}}},
		{"deny", record.Record{Facts: record.Facts{Method: policy.PUT, Status: 403, Reason: policy.NoEntry, Total: 30 * time.Microsecond, Own: 30 * time.Microsecond}}},
		{"unknown", record.Record{Facts: record.Facts{Method: 200, Status: 799, Reason: 255}}},
	} {
		run := func() {
			m.Add(BodyBytes, 1)
			row.r.ID = record.NewID()
			m.Observe(&row.r)
			ring.Add(&row.r)
			m.Add(BodyBytes, -1)
		}
		run() // the native buckets of these durations come to be
		if got := testing.AllocsPerRun(1000, run); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", row.name, got)
		}
	}
}

// Nothing is lost when all cores count at once while somebody scrapes.
func TestCountingIsExactUnderLoad(t *testing.T) {
	reg, m, _ := fresh(t, 1)
	const workers, each = 4, 2000
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				m.Observe(&record.Record{Facts: record.Facts{Status: 200, BytesOut: 2}})
			}
		})
	}
	for range 20 {
		gather(t, reg)
	}
	wg.Wait()
	if got := value(t, reg, Requests, "other", "unknown", "2xx"); got != workers*each {
		t.Errorf("got %v requests, want %d", got, workers*each)
	}
	if got := value(t, reg, OwnDuration); got != workers*each {
		t.Errorf("got %v observations, want %d", got, workers*each)
	}
}

// Every series is there from the start and comes back to 0, so that an alert can tell "all is well"
// from "nobody looks".
func TestSilentFaults(t *testing.T) {
	reg, m, _ := fresh(t, 1)
	for what, name := range []string{FaultListenTLS: "listen-tls", FaultUpstreamTLS: "upstream-tls", FaultUpstreamNames: "upstream-names", FaultKeys: "keys", FaultUses: "uses", FaultMQTTTLS: "mqtt-tls"} {
		for _, step := range []int64{0, 1, -1} {
			m.Add(SilentFault, step, what)
			if got, want := value(t, reg, SilentFault, name), float64(max(step, 0)); got != want {
				t.Errorf("%s: got %v behind a step of %d, want %v", name, got, step, want)
			}
		}
	}
}

func TestReloaded(t *testing.T) {
	reg, m, _ := fresh(t, 1)
	m.Reloaded(nil, 7, time.Unix(1700000000, 0))
	m.Reloaded(errors.New("line 3"), 8, time.Unix(1800000000, 0))
	for _, row := range []struct {
		family Family
		labels []string
		want   float64
	}{
		{PolicyStale, nil, 1}, {PolicyRevision, nil, 7}, {ReloadTimestamp, nil, 1700000000},
		{Reloads, []string{"failed"}, 1}, {Reloads, []string{"succeeded"}, 1},
	} {
		if got := value(t, reg, row.family, row.labels...); got != row.want {
			t.Errorf("%s%v: got %v, want %v", table[row.family].Name, row.labels, got, row.want)
		}
	}
}
