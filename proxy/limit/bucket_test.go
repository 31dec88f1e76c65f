package limit

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const second = int64(time.Second)

// Over any stretch of time a bucket admits at most burst + rate × t, whatever the pattern in which
// requests come; and it is not stingy either: who asks all the time gets nearly the rate.
func TestBucketAdmitsBurstAndRate(t *testing.T) {
	for _, l := range []Limit{{Rate: 10, Burst: 1}, {Rate: 7, Burst: 5}, {Rate: 1.0 / 60, Burst: 2}, {Rate: 3000, Burst: 300}} {
		for seed := range uint64(20) {
			r, b := newRule(l), new(bucket)
			rnd := rand.New(rand.NewPCG(seed, 1))
			now, start := second, second
			var times []int64
			for range 3000 {
				if rnd.IntN(2) == 0 {
					now += rnd.Int64N(int64(1.5e9 / l.Rate))
				}
				if _, wait := b.charge(&r, nil, now); wait == 0 {
					times = append(times, now)
				}
			}
			checkWindows(t, l, times)
			if most, got := float64(now-start)/1e9*l.Rate*0.5, float64(len(times)); got < min(most, 1000) {
				t.Errorf("%+v: got %v requests, want at least %v", l, got, most)
			}
		}
	}
}

// checkWindows looks at every window that begins and ends with a request.
func checkWindows(t *testing.T, l Limit, times []int64) {
	t.Helper()
	for i := range times {
		for j := i; j < min(i+400, len(times)); j++ {
			most := float64(l.Burst) + l.Rate*float64(times[j]-times[i])/1e9 + 1e-6
			if n := j - i + 1; float64(n) > most {
				t.Fatalf("%+v: got %d requests in %v, want at most %v", l, n, time.Duration(times[j]-times[i]), most)
			}
		}
	}
}

func TestBucketSaysWhenItWillPass(t *testing.T) {
	r, b := newRule(Limit{Rate: 3, Burst: 4}), new(bucket)
	now := second
	for range 4 {
		if _, wait := b.charge(&r, nil, now); wait != 0 {
			t.Fatalf("got a wait of %d within the burst", wait)
		}
	}
	_, wait := b.charge(&r, nil, now)
	if _, early := b.charge(&r, nil, now+wait-1); early == 0 {
		t.Errorf("a request passed before the time said")
	}
	if _, late := b.charge(&r, nil, now+wait); late != 0 {
		t.Errorf("got a wait of %d at the time said, want 0", late)
	}
}

func TestRuleStaysInRange(t *testing.T) {
	for _, l := range []Limit{
		{Rate: math.MaxInt32, Burst: math.MaxInt32}, {Rate: 1.0 / 60, Burst: math.MaxInt}, {Rate: 1e-300, Burst: 1},
		{Rate: 5, Burst: -3}, {Rate: 1e300},
	} {
		r, b := newRule(l), new(bucket)
		if r.interval < 1 || r.window < r.interval && r.window != maxWindow {
			t.Errorf("%+v: got interval %d, window %d", l, r.interval, r.window)
		}
		if full, wait := b.charge(&r, nil, second); full <= second || wait != 0 {
			t.Errorf("%+v: got full at %d, wait %d: the first request has to pass", l, full, wait)
		}
		if q := b.quota(&r, second); q.Remaining < 0 || q.Reset < 1 || q.Limit < 1 {
			t.Errorf("%+v: got %+v", l, q)
		}
	}
}

func TestQuota(t *testing.T) {
	r, b := newRule(Limit{Rate: 2, Burst: 10}), new(bucket)
	for range 3 {
		b.charge(&r, nil, second)
	}
	for _, row := range []struct {
		now  int64
		want Quota
	}{
		{second, Quota{10, 7, 2}}, {second + 1, Quota{10, 7, 2}}, {second + second/2, Quota{10, 8, 1}},
		{3 * second, Quota{10, 10, 0}},
	} {
		if got := b.quota(&r, row.now); got != row.want {
			t.Errorf("at %d: got %+v, want %+v", row.now, got, row.want)
		}
	}
}

func TestGiveBack(t *testing.T) {
	r := newRule(Limit{Rate: 10, Burst: 3})
	t.Run("others were charged since", func(t *testing.T) {
		b := new(bucket)
		charged, _ := b.charge(&r, nil, second)
		b.charge(&r, nil, second)
		b.giveBack(&r, charged)
		if got := b.quota(&r, second).Remaining; got != 2 {
			t.Errorf("got %d left, want 2", got)
		}
	})
	// The charge has leaked away and somebody else began anew: giving it back would be a present.
	t.Run("too late", func(t *testing.T) {
		b := new(bucket)
		charged, _ := b.charge(&r, nil, second)
		later := second + 7*second/3
		b.charge(&r, nil, later)
		b.giveBack(&r, charged)
		if got := b.quota(&r, later).Remaining; got != 2 {
			t.Errorf("got %d left, want 2", got)
		}
	})
}

// The bound of requests at one time holds among many goroutines, and nobody is left in the bucket
// at the end.
func TestConcurrentNeverExceeds(t *testing.T) {
	const most = 5
	b := new(bucket)
	var in, worst, passed atomic.Int64
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			for range 2000 {
				if b.enter(most) != entered {
					continue
				}
				for n, w := in.Add(1), worst.Load(); n > w && !worst.CompareAndSwap(w, n); w = worst.Load() {
				}
				passed.Add(1)
				in.Add(-1)
				b.leave()
			}
		})
	}
	group.Wait()
	if worst.Load() > most || passed.Load() == 0 || b.active.Load() != 0 {
		t.Errorf("got %d at one time (want at most %d), %d passed, %d left", worst.Load(), most, passed.Load(), b.active.Load())
	}
}

// Charges and refunds among many goroutines never admit more than the bound.
func TestChargesAmongGoroutines(t *testing.T) {
	r, b := newRule(Limit{Rate: 1000, Burst: 100}), new(bucket)
	var clock, kept atomic.Int64
	clock.Store(second)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 5000 {
				charged, wait := b.charge(&r, nil, clock.Add(7919))
				switch {
				case wait > 0:
				case (g+i)%3 == 0:
					b.giveBack(&r, charged)
				default:
					kept.Add(1)
				}
			}
		})
	}
	group.Wait()
	most := 100 + (clock.Load()-second)/r.interval
	if kept.Load() > most || kept.Load() < most/2 {
		t.Errorf("got %d kept charges, want at most %d and not many less", kept.Load(), most)
	}
}
