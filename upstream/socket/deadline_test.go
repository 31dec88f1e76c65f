package socket

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The clock ticks often enough for the shortest limit, and seldom where none needs it.
func TestTick(t *testing.T) {
	rows := []struct {
		limits []time.Duration
		want   time.Duration
	}{
		{nil, 250 * time.Millisecond},
		{[]time.Duration{15 * time.Second, time.Minute, 75 * time.Second}, 250 * time.Millisecond},
		{[]time.Duration{15 * time.Second, 0, 100 * time.Millisecond}, 25 * time.Millisecond},
		{[]time.Duration{1}, time.Millisecond},
	}
	for _, row := range rows {
		if got := NewClock(row.limits...).tick; got != row.want {
			t.Errorf("%v: got %v, want %v", row.limits, got, row.want)
		}
	}
}

const (
	quiet Phase = iota
	reading
	writing
)

// A limit fires after its time, at most two ticks late, and never early.
func TestWaitExpires(t *testing.T) {
	const limit = time.Second
	for offset := time.Duration(0); offset < longestTick; offset += longestTick / 10 {
		synctest.Test(t, func(t *testing.T) {
			c, done, ended := NewClock(limit), make(chan struct{}), make(chan time.Time, 1)
			var w Wait
			w.Start(c, quiet)
			go c.Run(done, func(now time.Duration) {
				if m := w.Mark(); m.Phase() == reading && m.Age(now) >= limit && w.Expire(m) {
					ended <- time.Now()
				}
			})
			time.Sleep(10*longestTick + offset)
			began := time.Now()
			w.Enter(reading)
			took := (<-ended).Sub(began)
			if took < limit || took > limit+2*longestTick {
				t.Errorf("a wait that began %v after a tick took %v", offset, took)
			}
			if w.Enter(quiet) || w.Mark().Phase() != reading || w.Mark().End() != Expired {
				t.Error("a wait that expired went on")
			}
			close(done)
		})
	}
}

// A wait that the owner has left is not ended by who looked at it before.
func TestWaitLeft(t *testing.T) {
	c := NewClock()
	var w Wait
	w.Start(c, reading)
	before := w.Mark()
	c.now.Store(int64(time.Second))
	if !w.Enter(writing) || w.Expire(before) {
		t.Error("a wait was ended that had been left")
	}
	if w.Resume(before); w.Mark() != before || w.Mark().Age(3*time.Second) != 3*time.Second {
		t.Error("a wait that is resumed does not keep its time")
	}
	w.Cancel()
	if w.Expire(w.Mark()) || w.Enter(quiet) || w.Resume(before) || w.Mark().End() != Canceled || w.Mark().Phase() != reading {
		t.Error("a wait that was canceled went on")
	}
}

// Of an owner, a sweep and a Cancel at the same time exactly one wins.
func TestWaitRace(t *testing.T) {
	for range 200 {
		var w Wait
		w.Start(NewClock(), reading)
		m := w.Mark()
		var work sync.WaitGroup
		var expired bool
		work.Go(func() { expired = w.Expire(m) })
		work.Go(w.Cancel)
		work.Wait()
		if want := Canceled; expired != (w.Mark().End() == Expired) || !expired && w.Mark().End() != want {
			t.Fatalf("expired: %v, ended as %v", expired, w.Mark().End())
		}
	}
}

func BenchmarkEnter(b *testing.B) {
	var w Wait
	w.Start(NewClock(), quiet)
	for b.Loop() {
		w.Enter(reading)
	}
}
