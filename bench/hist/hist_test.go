package hist

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestBuckets: every value is in a bucket whose upper end is not below it and at most 1/256 above.
func TestBuckets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		v := random.Uint64() >> (27 + random.IntN(37))
		i := index(v)
		if got := upper(i); got < v || got-v > v/half {
			t.Fatalf("value %d: bucket %d ends at %d", v, i, got)
		}
		if i > 0 && upper(i-1) >= v {
			t.Fatalf("value %d: bucket %d before its own ends at %d", v, i-1, upper(i-1))
		}
	}
	if got := index(1<<63 - 1); got != buckets-1 {
		t.Errorf("a huge value is in bucket %d, want the last, %d", got, buckets-1)
	}
}

// TestQuantile compares with a sorted list, over several shapes.
func TestQuantile(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, scale := range []float64{1, 1e3, 1e6, 1e9} {
		var h Histogram
		var all []time.Duration
		for range 10_000 {
			d := time.Duration(random.ExpFloat64() * scale)
			h.Record(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
			want := all[max(int(q*float64(len(all)))-1, 0)]
			if got := h.Quantile(q); got < want || got > want+want/half {
				t.Errorf("scale %g quantile %g: got %d, want %d", scale, q, got, want)
			}
		}
		if got, want := h.Max(), all[len(all)-1]; got != want {
			t.Errorf("max: got %v, want %v", got, want)
		}
	}
}

// TestAdd: two histograms added are the histogram of both.
func TestAdd(t *testing.T) {
	var a, b, both Histogram
	for i := range 1000 {
		d := time.Duration(i * i * i)
		both.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	a.Add(&b)
	if a != both {
		t.Error("the sum of two histograms differs from the histogram of both")
	}
	if got, want := a.Mean(), both.Mean(); got != want {
		t.Errorf("mean: got %v, want %v", got, want)
	}
}

func TestEmpty(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Mean() != 0 || h.Buckets() != nil {
		t.Error("an empty histogram has values")
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	var h Histogram
	if n := testing.AllocsPerRun(100, func() { h.Record(123456) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func TestReset(t *testing.T) {
	var h, empty Histogram
	h.Record(time.Second)
	h.Record(-1)
	if got := len(h.Buckets()); got != 2 {
		t.Errorf("got %d buckets, want 2", got)
	}
	h.Reset()
	if h != empty {
		t.Error("a histogram that was reset is not empty")
	}
}
