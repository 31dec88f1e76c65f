package metrics

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// maxPulled bounds the series of one family that a callback supplies. Only the
// settings name upstreams, so that it is never reached in earnest.
const maxPulled = 128

// exportedWhole is the largest family of which every combination is exported
// from the start, so that rates see the step from 0 to 1. Of larger ones, most
// combinations never happen.
const exportedWhole = 16

// series is one family: a grid with a cell for every combination of its label
// values. A family that is not counted here has no cells.
type series struct {
	desc  *Desc
	prom  *prometheus.Desc
	sets  [][]string
	cells []atomic.Int64
}

func newSeries(d *Desc, sets map[string][]string) series {
	s := series{desc: d, prom: prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)}
	if d.pull || d.Kind == Histogram {
		return s
	}
	n := 1
	for _, l := range d.Labels {
		s.sets = append(s.sets, sets[l])
		n *= len(sets[l])
	}
	s.cells = make([]atomic.Int64, n)
	return s
}

// index returns the cell of a combination. What is not in a set, or was not
// said, is number 0 of it: a mistake in counting must not end a request.
func (s *series) index(at []int) int {
	i := 0
	for d, set := range s.sets {
		x := 0
		if d < len(at) && at[d] > 0 && at[d] < len(set) {
			x = at[d]
		}
		i = i*len(set) + x
	}
	return i
}

// labels is the inverse of index.
func (s *series) labels(i int) []string {
	values := make([]string, len(s.sets))
	for d, set := range slices.Backward(s.sets) {
		values[d] = set[i%len(set)]
		i /= len(set)
	}
	return values
}

// collect exports the cells, together with what the tally counts in another
// order.
func (s *series) collect(t *tally, ch chan<- prometheus.Metric) {
	counts := make([]int64, len(s.cells))
	for i := range s.cells {
		counts[i] = s.cells[i].Load()
	}
	if s.desc == &table[Requests] || s.desc == &table[Responses] {
		t.addTo(s, counts)
	}
	for i, n := range counts {
		if n == 0 && len(s.cells) > exportedWhole {
			continue
		}
		ch <- prometheus.MustNewConstMetric(s.prom, s.kind(), float64(n), s.labels(i)...)
	}
}

func (s *series) kind() prometheus.ValueType {
	if s.desc.Kind == Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for f := range familyCount {
		ch <- m.series[f].prom
	}
}

// Collect implements prometheus.Collector. Callbacks come first, so that what
// they did wrong is counted in this scrape.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	watchers := slices.Clone(m.watchers)
	m.mu.Unlock()
	s := &scrape{m: m, ch: ch, seen: map[string]bool{}}
	for _, w := range watchers {
		w(s.emit)
	}
	for f := range familyCount {
		m.series[f].collect(&m.tally, ch)
	}
	for _, h := range m.histograms() {
		ch <- h
	}
}

// Emit exports one sample of a family; labels are its values in the order of
// the table, and each must come from a set that the settings or the code close.
type Emit func(f Family, value float64, labels ...string)

// Watch makes collect supply samples at every scrape: of what its owner counts
// anyway. It is called by one scrape or several at once, must not block and
// must not keep emit. It cannot be withdrawn.
func (m *Metrics) Watch(collect func(emit Emit)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = append(m.watchers, collect)
}

// scrape is one scrape's memory of what callbacks gave.
type scrape struct {
	m     *Metrics
	ch    chan<- prometheus.Metric
	seen  map[string]bool
	count [familyCount]int
}

// emit exports one sample, or drops and counts it: one sample that Prometheus
// would refuse must not cost the others.
func (s *scrape) emit(f Family, value float64, labels ...string) {
	if f >= familyCount || !table[f].pull || s.count[f] >= maxPulled {
		s.m.Add(SeriesDropped, 1)
		return
	}
	own := &s.m.series[f]
	metric, err := prometheus.NewConstMetric(own.prom, own.kind(), value, labels...)
	key := own.desc.Name + "\xff" + strings.Join(labels, "\xff")
	if err != nil || s.seen[key] {
		s.m.Add(SeriesDropped, 1)
		return
	}
	s.seen[key] = true
	s.count[f]++
	s.ch <- metric
}
