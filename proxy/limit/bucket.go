package limit

import (
	"math"
	"sync/atomic"
)

// Limit is one bound. The zero Limit bounds nothing.
type Limit struct {
	Rate       float64 // requests per second; 0: no bound
	Burst      int     // requests at once after a pause; less than 1 is 1
	Concurrent int     // requests at one time; 0: no bound
}

func (l Limit) bounds() bool { return l.Rate > 0 || l.Concurrent > 0 }

// rule is a Limit as buckets use it.
type rule struct {
	interval   int64 // nanoseconds that one request costs; 0: no rate
	window     int64 // nanoseconds that a burst lasts
	burst      int64
	concurrent int64 // unbounded: no bound
	epoch      int64 // nanoseconds in which those who share a bucket are counted
	used       *used // what was admitted, for other gateways; nil: nobody else is to know
}

const unbounded = math.MaxInt64

// maxWindow keeps sums of times far from an overflow: it is 73 years.
const maxWindow = 1 << 61

// newRule compiles a Limit. The interval is rounded up, so that no rounding admits more than the
// rate.
func newRule(l Limit) rule {
	r := rule{concurrent: unbounded, burst: int64(max(1, l.Burst))}
	if l.Concurrent > 0 {
		r.concurrent = int64(l.Concurrent)
	}
	if l.Rate > 0 {
		r.interval = int64(min(maxWindow, math.Ceil(1e9/l.Rate)))
		r.window = maxWindow
		if r.burst < maxWindow/r.interval {
			r.window = r.burst * r.interval
		}
	}
	r.epoch = newEpoch(r.interval, r.window)
	return r
}

// bucket is what one key has used. It fills a cache line of its own: two busy neighbours must not
// slow each other down.
type bucket struct {
	key    uint64       // whose it is
	full   atomic.Int64 // when it is full again; in the past: it is full
	active atomic.Int32 // requests that are in; swept: it is no longer in the table
	untold atomic.Int32 // requests that were charged and that other gateways do not know of yet
	counts
	sharing
}

// counts are decisions. They stand in the line that a decision has just written: one counter for
// all would be what all requests meet at.
type counts struct{ admitted, refused atomic.Uint64 }

// count counts a decision; wait is 0 where a request was admitted.
func (c *counts) count(wait int64) {
	if wait > 0 {
		c.refused.Add(1)
		return
	}
	c.admitted.Add(1)
}

// add adds what another has counted.
func (c *counts) add(from *counts) {
	c.admitted.Add(from.admitted.Load())
	c.refused.Add(from.refused.Load())
}

// swept is the number of requests in a bucket that nobody may enter.
const swept = -1

// entry is the outcome of enter.
type entry uint8

const (
	turnedAway entry = iota
	entered
	gone // the bucket was swept: look again
)

// enter counts one request in, if there is room for it. Every request enters, with or without a
// bound: whoever is in keeps the bucket from being swept.
func (b *bucket) enter(most int64) entry {
	for {
		n := b.active.Load()
		switch {
		case n < 0:
			return gone
		case int64(n) >= most || n == math.MaxInt32:
			return turnedAway
		case b.active.CompareAndSwap(n, n+1):
			return entered
		}
	}
}

// leave counts one request out.
func (b *bucket) leave() { b.active.Add(-1) }

// charge takes one request out of the bucket, for one of those who share it; nil: there is nobody
// else. It returns when the bucket is full again, which giveBack wants to know; or 0 and the
// nanoseconds until one request would pass.
func (b *bucket) charge(r *rule, u *user, now int64) (full, wait int64) {
	for r.interval > 0 {
		old := b.full.Load()
		full = max(old, now) + r.interval
		wait = full - now - r.window
		if u != nil {
			wait = max(wait, u.wait(r, full, now))
		}
		if wait > 0 {
			return 0, wait
		}
		if b.full.CompareAndSwap(old, full) {
			if r.used != nil {
				r.used.note(b)
			}
			return full, 0
		}
	}
	return 0, 0
}

// giveBack undoes a charge. Others may have been charged since, each by whole intervals. At any
// other distance the bucket was full in between and began anew: nothing is left of the charge, and
// to give it back would let one request pass for free.
func (b *bucket) giveBack(r *rule, charged int64) {
	if r.used != nil {
		b.untold.Add(-1)
	}
	for {
		full := b.full.Load()
		if (full-charged)%r.interval != 0 || b.full.CompareAndSwap(full, full-r.interval) {
			return
		}
	}
}

// retire reports whether the bucket may be forgotten, and lets nobody enter it then. Whoever came
// between look and lock is seen by the second look. What others do not know of yet is kept for them.
func (b *bucket) retire(now int64) bool {
	if b.full.Load() > now || !b.active.CompareAndSwap(0, swept) {
		return false
	}
	if b.full.Load() > now || b.untold.Load() > 0 {
		b.active.Store(0)
		return false
	}
	return true
}

// Quota is what a client is told of a bucket. The zero Quota says nothing.
type Quota struct {
	Limit     int64 // requests at once after a pause
	Remaining int64 // requests that would pass now
	Reset     int64 // seconds until Remaining is Limit, rounded up
}

// quota returns the state of the bucket at now; r has a rate.
func (b *bucket) quota(r *rule, now int64) Quota {
	used := max(0, b.full.Load()-now)
	return Quota{Limit: r.burst, Remaining: max(0, r.window-used) / r.interval, Reset: seconds(used)}
}

// seconds rounds nanoseconds up to whole seconds.
func seconds(ns int64) int64 { return (ns + 1e9 - 1) / 1e9 }
