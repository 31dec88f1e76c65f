package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// Metrics counts. Its methods may be called by any number of goroutines; those
// that a request calls (Observe, Add) take no lock and allocate nothing. There
// is one for the life of a process.
type Metrics struct {
	tally
	series [familyCount]series

	scraping sync.Mutex // guards what views remember; taken by scrapes
	views    []*view

	mu       sync.Mutex // guards watchers; taken at start and by scrapes
	watchers []func(Emit)
}

// New returns the Metrics of one process and registers them with reg, together
// with what Go and the process say of themselves. The collections of cat are
// label values for as long as the process lives; routes of another catalogue
// count as unknown. It panics if reg has them already, which is a mistake of
// the program and not of its operator.
func New(reg prometheus.Registerer, cat *policy.Catalogue) *Metrics {
	m := &Metrics{}
	m.tally.make(cat)
	sets := closedSets(cat)
	for f := range familyCount {
		m.series[f] = newSeries(&table[f], sets)
	}
	m.share()
	reg.MustRegister(m, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Unenforced counts what the entries of an acl token would have done.
func (m *Metrics) Unenforced(would record.Outcome) {
	m.Add(UnenforcedDecisions, 1, int(would.Verdict), int(would.Reason))
}

// Shadowed counts what the second policy would have done about a request whose
// verdict was v. A known outcome differs.
func (m *Metrics) Shadowed(v policy.Verdict, shadow policy.Verdict, differs record.Outcome) {
	m.Add(ShadowDecisions, 1, verdict(v), int(shadow))
	if differs.Known {
		m.Add(ShadowDifferences, 1, verdict(v), int(shadow), int(differs.Reason))
	}
}

// Add adds n to a counter or gauge. at holds the numbers of its label values,
// in the order of its labels. A counter never goes down, and a family that
// somebody else keeps (a histogram, a callback's) takes nothing.
func (m *Metrics) Add(f Family, n int64, at ...int) {
	if f == InFlight { // each request comes here twice
		m.totals[inFlight].Add(n)
		return
	}
	m.add(f, n, at)
}

func (m *Metrics) add(f Family, n int64, at []int) {
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
