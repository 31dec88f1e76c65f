package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"aclgate/policy"
)

// Metrics counts. Its methods may be called by any number of goroutines; those
// that a request calls (Observe, Add) take no lock and allocate nothing. There
// is one for the life of a process.
type Metrics struct {
	series      [familyCount]series
	collections []*policy.Collection
	duration    []prometheus.Observer // by verdict
	own         prometheus.Histogram
	upstream    prometheus.Histogram
	histograms  []prometheus.Collector

	mu       sync.Mutex // guards watchers; taken at start and by scrapes
	watchers []func(Emit)
}

// New returns the Metrics of one process and registers them with reg, together
// with what Go and the process say of themselves. The collections of cat are
// label values for as long as the process lives; routes of another catalogue
// count as unknown. It panics if reg has them already, which is a mistake of
// the program and not of its operator.
func New(reg prometheus.Registerer, cat *policy.Catalogue) *Metrics {
	m := &Metrics{collections: cat.Collections}
	sets := closedSets(cat)
	for f := range familyCount {
		m.series[f] = newSeries(&table[f], sets)
	}
	m.makeHistograms()
	reg.MustRegister(m, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// makeHistograms resolves the histograms' children, so that no request has to.
func (m *Metrics) makeHistograms() {
	long := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	short := []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, .001, .0025, .005, .01, .025, .05, .1, 1}
	byVerdict := prometheus.NewHistogramVec(histogram(Duration, long), table[Duration].Labels)
	for _, v := range verdicts() {
		m.duration = append(m.duration, byVerdict.WithLabelValues(v))
	}
	m.own = prometheus.NewHistogram(histogram(OwnDuration, short))
	m.upstream = prometheus.NewHistogram(histogram(UpstreamDuration, long))
	m.histograms = []prometheus.Collector{byVerdict, m.own, m.upstream}
}

// histogram returns the options of one that is classic and native at once. The
// number of native buckets is bounded, because a client can choose how long a
// request takes.
func histogram(f Family, bounds []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: table[f].Name, Help: table[f].Help, Buckets: bounds,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramZeroThreshold:    1e-6,
		NativeHistogramMaxBucketNumber:  160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// Observe counts a finished request. It keeps nothing of r.
func (m *Metrics) Observe(r *Record) {
	v := verdict(r.Verdict)
	m.Add(Requests, 1, int(r.Method), m.collection(r.Route), class(r.Status))
	m.Add(Responses, 1, code(r.Status))
	m.Add(Decisions, 1, v, int(r.Reason))
	m.Add(DeniedIDs, int64(r.Denied))
	m.Add(RequestBytes, r.BytesIn)
	m.Add(ResponseBytes, r.BytesOut)
	m.duration[v].Observe(seconds(r.Total))
	m.own.Observe(seconds(r.Own))
	if r.Upstream > 0 {
		m.upstream.Observe(seconds(r.Upstream))
	}
}

// seconds is never negative: a difference of shares taken at different moments
// may be, and would open buckets that mean nothing.
func seconds(d time.Duration) float64 { return max(0, d.Seconds()) }

// Unenforced counts what the entries of an acl token would have done.
func (m *Metrics) Unenforced(would Opinion) {
	m.Add(UnenforcedDecisions, 1, int(would.Verdict), int(would.Reason))
}

// Shadowed counts what the second policy would have done about a request whose
// verdict was v. An opinion that was given differs.
func (m *Metrics) Shadowed(v policy.Verdict, shadow policy.Verdict, differs Opinion) {
	m.Add(ShadowDecisions, 1, verdict(v), int(shadow))
	if differs.Given {
		m.Add(ShadowDifferences, 1, verdict(v), int(shadow), int(differs.Reason))
	}
}

// collection returns the number of the route's collection, 0 for no route.
func (m *Metrics) collection(r *policy.Route) int {
	if r == nil || r.Collection == nil {
		return 0
	}
	i := r.Collection.Index
	if i < 0 || i >= len(m.collections) || m.collections[i] != r.Collection {
		return 0
	}
	return i + 1
}

// Add adds n to a counter or gauge. at holds the numbers of its label values,
// in the order of its labels. A counter never goes down, and a family that
// somebody else keeps (a histogram, a callback's) takes nothing.
func (m *Metrics) Add(f Family, n int64, at ...int) {
	s := &m.series[f]
	if len(s.cells) == 0 || n < 0 && s.desc.Kind == Counter {
		return
	}
	s.cells[s.index(at)].Add(n)
}

// Set gives a gauge without labels a value: a number, or a time in unix
// seconds.
func (m *Metrics) Set(f Family, value int64) {
	s := &m.series[f]
	if len(s.cells) == 1 && s.desc.Kind == Gauge {
		s.cells[0].Store(value)
	}
}

// SetBool gives a gauge that is a yes or a no its value.
func (m *Metrics) SetBool(f Family, yes bool) {
	if yes {
		m.Set(f, 1)
		return
	}
	m.Set(f, 0)
}

// HeadFault counts a request that was refused by its head alone.
func (m *Metrics) HeadFault(status int) { m.Add(HeadFaults, 1, code(status)) }

// Reloaded counts a reading of the policy that ended at now. With a nil err the
// policy of this revision is in force; otherwise the old one stays, which is
// what stale says.
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
