package metrics

import (
	"strconv"
	"testing"

	"aclgate/policy"
)

// A cell's number and its label values are each other's inverse, for every cell of every family:
// two combinations never share one.
func TestEveryCombinationHasItsOwnCell(t *testing.T) {
	_, m, _ := fresh(t, 4)
	for f := range familyCount {
		s := &m.series[f]
		for i := range s.cells {
			at := make([]int, len(s.sets))
			for d, v := range s.labels(i) {
				at[d] = indexOf(s.sets[d], v)
			}
			if got := s.index(at); got != i {
				t.Fatalf("%s: got cell %d for %v, want %d", s.desc.Name, got, s.labels(i), i)
			}
		}
	}
}

func indexOf(set []string, v string) int {
	for i, s := range set {
		if s == v {
			return i
		}
	}
	return -1
}

// Numbers follow the types of package policy: if those change their order, the labels must not lie.
func TestLabelsFollowTheirTypes(t *testing.T) {
	for _, x := range policy.Reasons() {
		if got := reasons()[x]; got != x.String() {
			t.Errorf("got reason %q, want %q", got, x)
		}
	}
	for m := policy.GET; m <= policy.DELETE; m++ {
		if got := methods()[m]; got != m.String() {
			t.Errorf("got method %q, want %q", got, m)
		}
	}
	for _, v := range policy.Verdicts() {
		if got := verdicts()[verdict(v)]; got != v.String() {
			t.Errorf("got verdict %q, want %q", got, v)
		}
	}
	for _, s := range statuses {
		if got := codes()[code(s)]; got != strconv.Itoa(s) {
			t.Errorf("got code %q, want %d", got, s)
		}
	}
	for status, want := range map[int]string{0: "none", -1: "none", 99: "none", 101: "1xx", 299: "2xx", 418: "4xx", 599: "5xx", 600: "none"} {
		if got := codes()[code(status)]; got != want {
			t.Errorf("%d: got code %q, want %q", status, got, want)
		}
	}
}

// One bad sample of a callback costs itself, never the scrape.
func TestBadSamplesAreDroppedAndCounted(t *testing.T) {
	reg, m, _ := fresh(t, 1)
	m.OnScrape(func(emit Emit) {
		emit(CacheEntries, 1)
		emit(CacheEntries, 2)                  // twice
		emit(CacheBytes, 1, "surplus")         // too many labels
		emit(UpstreamEjected, 1)               // too few
		emit(UpstreamEjected, 1, "\xff\xfe")   // not UTF-8
		emit(Requests, 1, "GET", "x", "2xx")   // counted here, not there
		emit(Family(250), 1)                   // unknown
		emit(UpstreamEjected, 1, "10.0.0.1:1") // good
	})
	if got := value(t, reg, CacheEntries); got != 1 {
		t.Errorf("got %v, want the first sample", got)
	}
	if got := value(t, reg, UpstreamEjected, "10.0.0.1:1"); got != 1 {
		t.Errorf("got %v, want 1", got)
	}
	if got := value(t, reg, SeriesDropped); got != 3*6 {
		t.Errorf("got %v dropped in three scrapes, want 18", got)
	}
}

func TestACallbackCannotFloodAScrape(t *testing.T) {
	reg, m, _ := fresh(t, 1)
	m.OnScrape(func(emit Emit) {
		for i := range 10 * maxCollected {
			emit(UpstreamEjected, 1, strconv.Itoa(i))
		}
	})
	if got := len(gather(t, reg)["aclgate_upstream_ejected"].GetMetric()); got != maxCollected {
		t.Errorf("got %d series, want %d", got, maxCollected)
	}
}

// What a family does not take changes nothing.
func TestWrongUseIsIgnored(t *testing.T) {
	reg, m, _ := fresh(t, 1)
	m.Add(Panics, 2)
	m.Add(Panics, -1)
	m.Set(Panics, 9)
	m.Add(Duration, 1)
	m.Set(CacheEntries, 4)
	m.SetBool(ScopeHeaderIgnored, true)
	if got := value(t, reg, Panics); got != 2 {
		t.Errorf("got %v panics, want 2", got)
	}
	if got := value(t, reg, ScopeHeaderIgnored); got != 1 {
		t.Errorf("got %v, want 1", got)
	}
	m.SetBool(ScopeHeaderIgnored, false)
	if got := value(t, reg, ScopeHeaderIgnored); got != 0 {
		t.Errorf("got %v, want 0", got)
	}
}
