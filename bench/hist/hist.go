// Package hist holds a histogram of durations after the idea of HdrHistogram: log-linear buckets,
// so that every value keeps the same number of significant digits, from 1 ns to beyond a minute, in
// a fixed amount of memory. Recording is one addition and allocates nothing.
//
// The rules: a value v below 2^subBits has a bucket of its own; above, each power of two is cut
// into 2^(subBits-1) equal buckets. A bucket is reported by its upper end, so a quantile is never
// below the truth and at most 1/256 above it. Two histograms add up bucket by bucket; nothing is
// lost by that.
package hist

import (
	"math/bits"
	"time"
)

const (
	subBits = 9
	half    = 1 << (subBits - 1)
	// maxBits bounds what is distinguished: 2^37 ns are 137 s. Longer values count as that long.
	maxBits = 37
	buckets = (maxBits-subBits+2)*half + 1
)

// Histogram counts durations. The zero value is empty and ready. One goroutine uses it.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	sum    uint64
	most   uint64
}

// Record counts d once. A negative d counts as 0.
func (h *Histogram) Record(d time.Duration) {
	v := uint64(max(d, 0))
	h.counts[index(v)]++
	h.total++
	h.sum += v
	h.most = max(h.most, v)
}

// index returns the bucket of v.
func index(v uint64) int {
	if v >= 1<<maxBits {
		return buckets - 1
	}
	shift := max(bits.Len64(v)-subBits, 0)
	return shift*half + int(v>>shift)
}

// upper returns the largest value of bucket i.
func upper(i int) uint64 {
	shift := max(i/half-1, 0)
	return (uint64(i-shift*half)+1)<<shift - 1
}

// Add counts what other has counted.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.sum += other.sum
	h.most = max(h.most, other.most)
}

// Reset empties h.
func (h *Histogram) Reset() { *h = Histogram{} }

// Count returns how many values were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the longest value, exactly; 0 if there is none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.most) }

// Mean returns the mean, exactly; 0 if there is none.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return time.Duration(h.sum / h.total)
}

// Quantile returns a value that the share q of all values, 0 to 1, does not exceed; 0 if there is
// none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	rank = min(max(rank, 1), h.total)
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= rank && n > 0 {
			return time.Duration(min(upper(i), h.most))
		}
	}
	return 0
}

// Bucket is one bucket that is not empty: Count values of at most Upper nanoseconds.
type Bucket struct {
	Upper uint64 `json:"ns"`
	Count uint64 `json:"n"`
}

// Buckets returns the buckets that are not empty, ascending.
func (h *Histogram) Buckets() []Bucket {
	var list []Bucket
	for i, n := range h.counts {
		if n > 0 {
			list = append(list, Bucket{min(upper(i), h.most), n})
		}
	}
	return list
}
