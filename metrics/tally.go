package metrics

import (
	"slices"
	"sync/atomic"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// tally is what a request writes to. It lies at the beginning of Metrics, which
// is too large for anything but whole pages, so that its parts keep to cache
// lines: the first is only read, the second is all that every request adds to.
// The other lines are shared only by requests that end alike. More would be
// touched if each core had its own, and the core with cold caches pays for that.
type tally struct {
	guide   guide
	blocks  []block // number 0: unknown collections
	reasons int

	totals [totalCount]atomic.Int64

	decisions [3 * 256]atomic.Int64 // verdict * reasons + reason
	durations [durationCount]cells
}

// block counts requests of one collection, by method and code: Requests and
// Responses at once.
type block struct {
	collection *policy.Collection
	n          [methodCount * codeCount]atomic.Int64
}

const (
	methodCount = int(policy.DELETE) + 1
	codeCount   = firstStatus + len(statuses)
)

// The durations: that of a whole request by its verdict, and two more.
const (
	ownTime = iota + 3
	upstreamTime
	durationCount
)

// Where each total lies; before these stand the sums of the durations in
// nanoseconds.
const (
	inFlight = iota + durationCount
	bytesIn
	bytesOut
	totalCount
)

func (t *tally) make(cat *policy.Catalogue) {
	bounds := allBounds()
	for i := range t.durations {
		t.durations[i].make(bounds)
	}
	t.guide.make(&t.durations[0])
	t.reasons = len(reasons())
	t.blocks = make([]block, 1+len(cat.Collections))
	for i, c := range cat.Collections {
		t.blocks[1+i].collection = c
	}
}

// Observe counts a finished request. It keeps nothing of r.
func (m *Metrics) Observe(r *record.Record) {
	v, method, reason := verdict(r.Verdict), int(r.Method), int(r.Reason)
	if method >= methodCount {
		method = 0
	}
	if reason >= m.reasons {
		reason = 0
	}
	m.block(r.Route).n[method*codeCount+code(r.Status)].Add(1)
	m.decisions[v*m.reasons+reason].Add(1)
	if r.Denied > 0 {
		m.Add(DeniedIDs, int64(r.Denied))
	}
	if r.BytesIn > 0 {
		m.totals[bytesIn].Add(r.BytesIn)
	}
	if r.BytesOut > 0 {
		m.totals[bytesOut].Add(r.BytesOut)
	}
	m.observe(v, r.Total)
	m.observe(ownTime, r.Own)
	if r.Upstream > 0 {
		m.observe(upstreamTime, r.Upstream)
	}
}

// observe adds to one histogram. A difference of shares taken at different
// moments may be negative; it is taken for 0, since its bucket would mean
// nothing.
func (t *tally) observe(which int, d time.Duration) {
	t.durations[which].add(&t.guide, int64(d))
	t.totals[which].Add(max(0, int64(d)))
}

// block returns that of the route's collection, the first for no route and for
// one of another catalogue.
func (t *tally) block(r *policy.Route) *block {
	if r != nil && r.Collection != nil {
		i := uint(r.Collection.Index) + 1
		if i < uint(len(t.blocks)) && t.blocks[i].collection == r.Collection {
			return &t.blocks[i]
		}
	}
	return &t.blocks[0]
}

// addTo adds to the counts of a family what blocks know of it.
func (t *tally) addTo(s *series, counts []int64) {
	for c := range t.blocks {
		for i := range t.blocks[c].n {
			n := t.blocks[c].n[i].Load()
			switch method, code := i/codeCount, i%codeCount; {
			case n == 0:
			case s.desc == &table[Requests]:
				counts[s.index([]int{method, c, classOf(code)})] += n
			case s.desc == &table[Responses]:
				counts[code] += n
			}
		}
	}
}

// share has the samples of families that every request adds to counted in the
// tally.
func (m *Metrics) share() {
	m.series[InFlight].cells = m.totals[inFlight:][:1]
	m.series[RequestBytes].cells = m.totals[bytesIn:][:1]
	m.series[ResponseBytes].cells = m.totals[bytesOut:][:1]
	m.series[Decisions].cells = m.decisions[:len(m.series[Decisions].cells)]
	for v, name := range verdicts() {
		m.addView(Duration, v, long, name)
	}
	m.addView(OwnDuration, ownTime, short)
	m.addView(UpstreamDuration, upstreamTime, long)
}

func (m *Metrics) addView(f Family, which int, bounds []float64, labels ...string) {
	m.views = append(m.views, &view{
		desc: m.series[f].prom, labels: labels, bounds: slices.Clone(bounds),
		cells: &m.durations[which], sum: &m.totals[which], began: reading{at: time.Now()},
	})
}
