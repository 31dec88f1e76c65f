package metrics

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A client can choose how long a request takes, and so how many native buckets
// are exported. Above maxNative they are joined two by two, which halves the
// resolution; to get it back the histogram begins anew, but not more often than
// once in resetAfter.
const (
	maxNative  = 160
	resetAfter = time.Hour
)

// view exports one histogram. It belongs to whoever holds Metrics.scraping.
type view struct {
	desc   *prometheus.Desc
	labels []string
	bounds []float64 // of the classic buckets
	cells  *cells
	sum    *atomic.Int64
	began  reading // what is not exported any more
	last   reading // what the last scrape saw
}

// reading is what a histogram held at one moment, since the process began.
type reading struct {
	at   time.Time
	n    [cellCount]uint64
	high uint64 // sum = high * 2^64 + low nanoseconds
	low  uint64
}

// histograms returns all of them as they are now.
func (m *Metrics) histograms() []prometheus.Metric {
	m.scraping.Lock()
	defer m.scraping.Unlock()
	var all []prometheus.Metric
	for _, v := range m.views {
		all = append(all, v.collect(time.Now()))
	}
	return all
}

// collect returns what there is now. A histogram begins anew where the scrape
// before this one ended: nothing is lost to whoever asks for it regularly.
func (v *view) collect(now time.Time) prometheus.Metric {
	total := v.read(now)
	shown := total.since(&v.began)
	if now.Sub(v.began.at) >= resetAfter && len(v.native(&shown)) > maxNative {
		v.began = v.last
		shown = total.since(&v.began)
	}
	v.last = total
	return v.metric(&shown)
}

// read reads the counts one after the other; those of a request that ends
// meanwhile may be missing in part until the next time. The sum has passed 2^64
// nanoseconds if it became smaller: the requests of 10,000 connections that wait
// for answers do that in three weeks, but not twice between two scrapes.
func (v *view) read(now time.Time) reading {
	r := reading{at: now, high: v.last.high, low: uint64(v.sum.Load())}
	if r.low < v.last.low {
		r.high++
	}
	for i := range v.cells {
		r.n[i] = v.cells[i].n.Load()
	}
	return r
}

// since returns what came after began; its time is when that was.
func (r *reading) since(began *reading) reading {
	d := reading{at: began.at}
	var borrow uint64
	d.low, borrow = bits.Sub64(r.low, began.low, 0)
	d.high, _ = bits.Sub64(r.high, began.high, borrow)
	for i := range d.n {
		d.n[i] = r.n[i] - began.n[i]
	}
	return d
}

// seconds returns the upper end of a cell, which lies in the same buckets as
// everything that the cell counts.
func (c *cell) seconds() float64 { return time.Duration(c.bound).Seconds() }

// native returns the counts of the native buckets by their number in schema 3.
func (v *view) native(r *reading) map[int]int64 {
	buckets := map[int]int64{}
	for i, n := range r.n {
		if le := v.cells[i].seconds(); n > 0 && le > zeroThreshold {
			buckets[nativeKey(le)] += int64(n)
		}
	}
	return buckets
}

// nativeKey returns the number of the bucket of schema 3 that x lies in.
func nativeKey(x float64) int {
	fraction, exponent := math.Frexp(x)
	i, _ := slices.BinarySearch(nativeFractions[:], fraction)
	return i + (exponent-1)*nativePerOctave
}

// halve joins native buckets two by two: that of an even number with the one
// before it.
func halve(buckets map[int]int64) map[int]int64 {
	joined := map[int]int64{}
	for key, n := range buckets {
		joined[(key+1)>>1] += n
	}
	return joined
}

// classic returns the classic buckets, which count whatever is not above their
// bound.
func (v *view) classic(r *reading) []*dto.Bucket {
	var buckets []*dto.Bucket
	i, n := 0, uint64(0)
	for _, le := range v.bounds {
		for i < len(r.n) && v.cells[i].seconds() <= le {
			n += r.n[i]
			i++
		}
		buckets = append(buckets, &dto.Bucket{UpperBound: new(le), CumulativeCount: new(n)})
	}
	return buckets
}

func (v *view) metric(r *reading) prometheus.Metric {
	buckets, schema := v.native(r), int32(nativeSchema)
	var count, long uint64
	for _, n := range r.n {
		count += n
	}
	for _, n := range buckets {
		long += uint64(n)
	}
	for len(buckets) > maxNative {
		buckets, schema = halve(buckets), schema-1
	}
	sum := (math.Ldexp(float64(r.high), 64) + float64(r.low)) / 1e9
	return both{v.classic(r), prometheus.MustNewConstNativeHistogram(v.desc, count, sum, buckets, nil,
		count-long, schema, zeroThreshold, r.at, v.labels...)}
}

// both is a native histogram with classic buckets, which the client library
// makes only of observations.
type both struct {
	classic []*dto.Bucket
	prometheus.Metric
}

// Write implements prometheus.Metric.
func (b both) Write(out *dto.Metric) error {
	err := b.Metric.Write(out)
	if err == nil {
		out.Histogram.Bucket = b.classic
	}
	return err
}
