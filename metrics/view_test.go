package metrics

import (
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// twins are a histogram of this package and one of the client library, whose
// options say the same.
type twins struct {
	tally  tally
	view   *view
	theirs prometheus.Histogram
}

func newTwins(bounds []float64) *twins {
	w := &twins{theirs: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "h", Help: "help", Buckets: slices.Clone(bounds),
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramZeroThreshold:    zeroThreshold,
		NativeHistogramMaxBucketNumber:  maxNative,
		NativeHistogramMinResetDuration: resetAfter,
	})}
	w.tally.make(catalogueOfNothing())
	w.view = &view{
		desc: prometheus.NewDesc("h", "help", nil, nil), bounds: bounds, cells: &w.tally.durations[0],
		sum: &w.tally.totals[0], began: reading{at: time.Now()},
	}
	return w
}

func (w *twins) observe(d time.Duration) {
	w.tally.observe(0, d)
	w.theirs.Observe(max(0, d.Seconds()))
}

func (w *twins) Describe(ch chan<- *prometheus.Desc) { ch <- w.view.desc }
func (w *twins) Collect(ch chan<- prometheus.Metric) { ch <- w.view.collect(time.Now()) }

// compare scrapes both. Sums may differ by rounding: the library adds floats up,
// each of them rounded.
func (w *twins) compare(t *testing.T) *dto.Histogram {
	t.Helper()
	var got, want dto.Metric
	if err := w.view.collect(time.Now()).Write(&got); err != nil {
		t.Fatal(err)
	}
	if err := w.theirs.Write(&want); err != nil {
		t.Fatal(err)
	}
	ours, theirs := got.Histogram.GetSampleSum(), want.Histogram.GetSampleSum()
	if math.Abs(ours-theirs) > 1e-9*math.Abs(theirs) {
		t.Errorf("got the sum %v, want %v", ours, theirs)
	}
	got.Histogram.SampleSum = want.Histogram.SampleSum
	if got.String() != want.String() {
		t.Errorf("got  %v\nwant %v", &got, &want)
	}
	return got.Histogram
}

var bothBounds = [][]float64{long, short}

// One nanosecond around the bound of each cell, both kinds of buckets count as
// the client library does.
func TestBoundsAreThoseOfTheClientLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bounds := range bothBounds {
			for some := range slices.Chunk(allBounds(), 50) { // below maxNative
				w := newTwins(bounds)
				w.compare(t)
				for _, ns := range some {
					for _, d := range []int64{ns - 1, ns, ns + 1} { // above the last: the least there is
						w.observe(time.Duration(d))
						if ns > 1<<55 { // the sum passes 2^64 at once
							w.compare(t)
						}
					}
				}
				w.compare(t)
			}
		}
	})
}

// Whatever is observed, and however often somebody scrapes meanwhile, all
// buckets are those of the client library, also after it has halved its
// resolution for want of room.
func TestBucketsAreThoseOfTheClientLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(3, 4))
		halved := false
		for range 40 {
			w := newTwins(bothBounds[rnd.IntN(2)])
			middle, spread := 8+rnd.Float64()*30, 8*rnd.Float64()*rnd.Float64()
			for range rnd.IntN(1500) {
				d := min(time.Duration(math.Exp(middle*math.Ln2+spread*rnd.NormFloat64())), 1<<49)
				for range 4 { // the library halves once an observation
					w.observe(d)
				}
				if rnd.IntN(400) == 0 {
					w.compare(t)
				}
			}
			halved = w.compare(t).GetSchema() < nativeSchema || halved
		}
		if !halved {
			t.Error("got no histogram with too many buckets, want some")
		}
	})
}

// Byte for byte, in every format that a scraper may ask for. The durations have
// a sum without rounding.
func TestExpositionIsThatOfTheClientLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(long)
		for i := range 3000 {
			w.observe(time.Duration(i*i%40000) * time.Second / 512)
		}
		for _, accept := range []string{
			"text/plain", "application/openmetrics-text; version=1.0.0",
			"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
		} {
			if got, want := exposed(t, w, accept), exposed(t, w.theirs, accept); got != want {
				t.Errorf("%s: got\n%s\nwant\n%s", accept, got, want)
			}
		}
	})
}

func exposed(t *testing.T, c prometheus.Collector, accept string) string {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	req, rec := httptest.NewRequest("GET", "/metrics", nil), httptest.NewRecorder()
	req.Header.Set("Accept", accept)
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(rec, req)
	want, _, _ := strings.Cut(accept, ";")
	if got := rec.Header().Get("Content-Type"); !strings.HasPrefix(got, want) {
		t.Fatalf("got %s, want %s", got, want)
	}
	return rec.Body.String()
}

// wide observes more native buckets than are exported.
func (w *twins) wide() {
	for i := range 25 * nativePerOctave {
		for range 4 {
			w.observe(time.Duration(2000 * math.Exp2(float64(i)/nativePerOctave)))
		}
	}
}

// A histogram that was halved gets its resolution back when the hour is over.
func TestResolutionComesBackAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(long)
		w.wide()
		if got := w.compare(t).GetSchema(); got != nativeSchema-1 {
			t.Errorf("got schema %d, want it halved", got)
		}
		time.Sleep(resetAfter - time.Second)
		w.observe(time.Millisecond)
		if got := w.compare(t).GetSchema(); got != nativeSchema-1 {
			t.Errorf("got schema %d, want it halved until the hour is over", got)
		}
		time.Sleep(time.Second + 1)
		w.observe(time.Second)
		var got, want dto.Metric
		if err := w.view.collect(time.Now()).Write(&got); err != nil {
			t.Fatal(err)
		}
		if err := w.theirs.Write(&want); err != nil {
			t.Fatal(err)
		}
		// When it began anew is the one thing that differs: ours at the last scrape.
		want.Histogram.CreatedTimestamp = got.Histogram.CreatedTimestamp
		if got.String() != want.String() || got.Histogram.GetSchema() != nativeSchema {
			t.Errorf("got  %v\nwant %v", &got, &want)
		}
	})
}

// What came between the last scrape and a new beginning is still exported; the
// client library forgets it.
func TestABeginningLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(long)
		w.wide()
		w.view.collect(time.Now())
		for range 3 {
			w.observe(40 * time.Second)
		}
		time.Sleep(2 * resetAfter)
		var got dto.Metric
		if err := w.view.collect(time.Now()).Write(&got); err != nil {
			t.Fatal(err)
		}
		if h := got.Histogram; h.GetSampleCount() != 3 || h.GetSampleSum() != 120 || h.GetSchema() != nativeSchema {
			t.Errorf("got %v, want the three of after the last scrape", h)
		}
	})
}

// Neither scrapes nor a long life make the sum wrong.
func TestSumPassesTheLargestInteger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTwins(long)
		for range 9 {
			w.observe(math.MaxInt64)
			w.observe(-1)
			w.compare(t)
		}
	})
}
