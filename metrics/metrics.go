package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// Metrics counts. Its methods may be called by any number of goroutines; those that a request calls
// (Observe, Add) take no lock and allocate nothing. There is one for the life of a process.
type Metrics struct {
	series      [familyCount]series
	collections []*policy.Collection

	durations     [3]prometheus.Observer // of whole requests, by the number of their verdict
	own, upstream prometheus.Observer

	mu       sync.Mutex // guards onScrape; taken at start and by scrapes
	onScrape []func(Emit)
}

// New returns the Metrics of one process and registers them with reg, together with what Go and the
// process report of themselves. The collections of cat are label values for as long as the process
// lives; routes of another catalogue count as unknown. It panics if reg has them already, which is
// a mistake of the program and not of its operator.
func New(reg prometheus.Registerer, cat *policy.Catalogue) *Metrics {
	m := &Metrics{collections: cat.Collections}
	sets := closedSets(cat)
	for f := range familyCount {
		m.series[f] = newSeries(&table[f], sets)
	}
	duration := newHistogram(Duration, long)
	for i, v := range verdicts() {
		m.durations[i] = duration.WithLabelValues(v)
	}
	own, upstream := newHistogram(OwnDuration, short), newHistogram(UpstreamDuration, long)
	m.own, m.upstream = own.WithLabelValues(), upstream.WithLabelValues()
	m.series[Duration].vec, m.series[OwnDuration].vec, m.series[UpstreamDuration].vec = duration, own, upstream
	reg.MustRegister(m, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// The bounds of classic buckets, in seconds.
var (
	long  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	short = []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, .001, .0025, .005, .01, .025, .05, .1, 1}
)

// newHistogram returns a histogram with classic and native buckets. A client can choose how long a
// request takes, and so how many native buckets are exported: above 160 the resolution is halved,
// and restored by a reset at most once an hour.
func newHistogram(f Family, bounds []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: table[f].Name, Help: table[f].Help, Buckets: bounds,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramZeroThreshold:    1e-6,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}, table[f].Labels)
}

// Observe counts a finished request. It keeps nothing of r.
func (m *Metrics) Observe(r *record.Record) {
	v := verdict(r.Verdict)
	m.series[Requests].with(int(r.Method), m.collection(r.Route), class(r.Status)).Inc()
	m.series[Responses].with(code(r.Status)).Inc()
	m.series[Decisions].with(v, int(r.Reason)).Inc()
	if r.Path != record.Branch {
		m.Add(PathDecisions, 1, int(r.Path-1), v)
	}
	m.Add(DeniedIDs, int64(r.Denied))
	m.Add(RequestBytes, r.BytesIn)
	m.Add(ResponseBytes, r.BytesOut)
	m.durations[v].Observe(seconds(r.Total))
	m.own.Observe(seconds(r.Own))
	if r.Upstream > 0 {
		m.upstream.Observe(seconds(r.Upstream))
	}
}

// seconds converts what a histogram observes. A difference of times taken at different moments may
// be negative; it counts as 0, since its bucket would mean nothing.
func seconds(d time.Duration) float64 { return max(0, d).Seconds() }

// collection returns the number of the route's collection: 0 for no route and for one of another
// catalogue.
func (m *Metrics) collection(r *policy.Route) int {
	if r != nil && r.Collection != nil {
		i := r.Collection.Index
		if uint(i) < uint(len(m.collections)) && m.collections[i] == r.Collection {
			return i + 1
		}
	}
	return 0
}

// Topic counts one action of an MQTT session.
func (m *Metrics) Topic(a record.Action, v policy.Verdict, r policy.Reason) {
	m.Add(MQTTDecisions, 1, int(a), verdict(v), int(r))
}

// DryRun counts what the entries of an acl token would have done.
func (m *Metrics) DryRun(would record.Outcome) {
	m.Add(UnenforcedDecisions, 1, int(would.Verdict), int(would.Reason))
}

// Shadowed counts what the shadow policy would have done about a request whose verdict was v. A
// known outcome differs.
func (m *Metrics) Shadowed(v policy.Verdict, shadow policy.Verdict, differs record.Outcome) {
	m.Add(ShadowDecisions, 1, verdict(v), int(shadow))
	if differs.Known {
		m.Add(ShadowDifferences, 1, verdict(v), int(shadow), int(differs.Reason))
	}
}

// Add adds n to a counter or gauge. at holds the numbers of its label values, in the order of its
// labels. A counter never goes down, and a family that is not counted here (a histogram, a
// callback's) takes nothing.
func (m *Metrics) Add(f Family, n int64, at ...int) {
	s := &m.series[f]
	if len(s.cells) == 0 || n == 0 || n < 0 && s.desc.Kind == Counter {
		return
	}
	s.with(at...).Add(float64(n))
}

// Set gives a gauge without labels a value: a number, or a time in unix seconds.
func (m *Metrics) Set(f Family, value int64) {
	s := &m.series[f]
	if len(s.cells) != 1 {
		return
	}
	if g, ok := s.with().(prometheus.Gauge); ok {
		g.Set(float64(value))
	}
}

// SetBool gives a gauge that is a yes or a no its value.
func (m *Metrics) SetBool(f Family, yes bool) { m.Set(f, int64(number(yes))) }

// HeadFault counts a request that was refused by its head alone.
func (m *Metrics) HeadFault(status int) { m.Add(HeadFaults, 1, code(status)) }

// Reloaded counts a reading of the policy that ended at now. With a nil err the policy of this
// revision is in force; otherwise the old one stays, which is what stale says.
func (m *Metrics) Reloaded(err error, revision uint64, now time.Time) {
	m.SetBool(PolicyStale, err != nil)
	if err != nil {
		m.Add(Reloads, 1, Failed)
		return
	}
	m.Add(Reloads, 1, Succeeded)
	m.Set(ReloadTimestamp, now.Unix())
	m.Set(PolicyRevision, int64(revision))
}
