package metrics

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// exportedWhole is the largest family of which every combination is exported from the start, so
// that rates see the step from 0 to 1. Of larger ones, most combinations never happen: a series of
// theirs begins with its first count.
const exportedWhole = 16

// adder is a prometheus.Counter or a prometheus.Gauge.
type adder interface {
	Inc()
	Add(float64)
}

// series is one family: a grid with a cell for every combination of its label values, so that to
// find a counter takes neither a lock nor a hash. A family that is not counted here has no cells.
type series struct {
	cells []cell
	sets  [][]string
	sizes [maxLabels]int // of sets, on the cache line that holds the slices

	desc    *Desc
	vec     prometheus.Collector // nil: a callback supplies the samples
	resolve func(labels ...string) adder
}

// maxLabels is the largest number of labels of a family that is counted here.
const maxLabels = 3

// cell is a counter or gauge of the family once somebody has counted there.
type cell struct {
	adder
	resolved sync.Once
}

func newSeries(d *Desc, sets map[string][]string) series {
	s := series{desc: d}
	if d.collected || d.Kind == Histogram {
		return s
	}
	if d.Kind == Counter {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.Labels)
		s.vec, s.resolve = vec, func(labels ...string) adder { return vec.WithLabelValues(labels...) }
	} else {
		vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.Labels)
		s.vec, s.resolve = vec, func(labels ...string) adder { return vec.WithLabelValues(labels...) }
	}
	n := 1
	for i, l := range d.Labels {
		s.sets = append(s.sets, sets[l])
		s.sizes[i] = len(sets[l])
		n *= s.sizes[i]
	}
	s.cells = make([]cell, n)
	if n <= exportedWhole {
		for i := range n {
			s.at(i)
		}
	}
	return s
}

// with returns the counter or gauge of a combination.
func (s *series) with(at ...int) adder { return s.at(s.index(at)) }

func (s *series) at(i int) adder {
	c := &s.cells[i]
	c.resolved.Do(func() { c.adder = s.resolve(s.labels(i)...) })
	return c.adder
}

// index returns the cell of a combination. What is not in a set, or was not given, is number 0 of
// it: a mistake in counting must not end a request.
func (s *series) index(at []int) int {
	i := 0
	for d, size := range s.sizes[:len(s.sets)] {
		i *= size
		if d < len(at) && uint(at[d]) < uint(size) {
			i += at[d]
		}
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
