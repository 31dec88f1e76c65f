package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// maxCollected bounds the series of one family that a callback supplies. Only the settings name
// upstreams, so that it is never reached in practice.
const maxCollected = 128

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for f := range familyCount {
		if s := &m.series[f]; s.vec != nil {
			s.vec.Describe(ch)
		} else {
			ch <- s.desc.prometheus()
		}
	}
}

// Collect implements prometheus.Collector. Callbacks come first, so that what they did wrong is
// counted in this scrape.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	callbacks := slices.Clone(m.onScrape)
	m.mu.Unlock()
	s := &scrape{m: m, ch: ch, seen: map[string]bool{}}
	for _, collect := range callbacks {
		collect(s.emit)
	}
	for f := range familyCount {
		if vec := m.series[f].vec; vec != nil {
			vec.Collect(ch)
		}
	}
}

// Emit exports one sample of a family; labels are its values in the order of the table, and each
// must come from a set that the settings or the code close.
type Emit func(f Family, value float64, labels ...string)

// OnScrape makes collect supply samples at every scrape: of what its owner counts anyway. It is
// called by one scrape or several at once, must not block and must not keep emit. It cannot be
// withdrawn.
func (m *Metrics) OnScrape(collect func(emit Emit)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onScrape = append(m.onScrape, collect)
}

// scrape is one scrape's memory of what callbacks gave.
type scrape struct {
	m     *Metrics
	ch    chan<- prometheus.Metric
	seen  map[string]bool
	count [familyCount]int
}

// emit exports one sample, or drops and counts it: one sample that Prometheus would refuse must not
// cost the others.
func (s *scrape) emit(f Family, value float64, labels ...string) {
	if f >= familyCount || !table[f].collected || s.count[f] >= maxCollected {
		s.m.Add(SeriesDropped, 1)
		return
	}
	kind := prometheus.GaugeValue
	if table[f].Kind == Counter {
		kind = prometheus.CounterValue
	}
	metric, err := prometheus.NewConstMetric(table[f].prometheus(), kind, value, labels...)
	key := table[f].Name + "\xff" + strings.Join(labels, "\xff")
	if err != nil || s.seen[key] {
		s.m.Add(SeriesDropped, 1)
		return
	}
	s.seen[key] = true
	s.count[f]++
	s.ch <- metric
}
