package limit

import (
	"math"
	"sync"
)

// used names the buckets of a table that were charged since other gateways were told. A bucket is
// named when its first request is charged, so that a lock is taken once for each bucket and round,
// and of many locks one.
type used struct{ lists [usedLists]usedList }

const usedLists = 64 // a power of two

type usedList struct {
	mu      sync.Mutex
	buckets []*bucket
}

// share has what is admitted told to other gateways. Without a rate there is nothing to tell:
// requests at one time are each gateway's own.
func (r *rule) share() {
	if r.interval > 0 {
		r.used = new(used)
	}
}

// note counts a request that was charged to b.
func (u *used) note(b *bucket) {
	if b.untold.Add(1) != 1 || b.key == 0 { // 0: those share it for whom there is no room
		return
	}
	l := &u.lists[b.key*0x9e3779b97f4a7c15>>(64-6)]
	l.mu.Lock()
	l.buckets = append(l.buckets, b)
	l.mu.Unlock()
}

// Use is what a bucket has admitted since other gateways were told.
type Use struct {
	Scope string // token, account or source
	Key   uint64 // whose it is: an id, or what stands for an address
	Cost  int64  // what the requests cost, in nanoseconds of the rate

	bucket   *bucket
	interval int64
	at       int64
}

// Used appends to dst what was admitted since the last call, tokens first, and never more than most
// in all; it returns how many buckets had more to tell than there was room for, and forgets that.
// Only one goroutine may call it.
func (l *Limiter) Used(dst []Use, most int, now int64) (_ []Use, left int) {
	if l == nil {
		return dst, 0
	}
	for _, s := range l.scopes() {
		if s.table.rule.used != nil {
			var n int
			dst, n = s.used(dst, most, now)
			left += n
		}
	}
	return dst, left
}

func (s *scope) used(dst []Use, most int, now int64) (_ []Use, left int) {
	r := &s.table.rule
	for i := range r.used.lists {
		list := &r.used.lists[i]
		list.mu.Lock()
		buckets := list.buckets
		list.buckets = nil
		list.mu.Unlock()
		for _, b := range buckets {
			n := b.untold.Swap(0)
			switch {
			case n <= 0: // all was given back
				b.untold.Add(n)
			case len(dst) >= most:
				left++
			default:
				dst = append(dst, Use{Scope: s.name, Key: b.key, Cost: cost(int64(n), r.interval), bucket: b, interval: r.interval, at: now})
			}
		}
	}
	return dst, left
}

// Owe has the bucket obey what all gateways together have used: when Used was called, the shared
// bucket lacked debt nanoseconds to be full. What was admitted here since comes on top. It never
// lowers what the gateway itself knows.
func (u *Use) Owe(debt int64) {
	debt = min(max(debt, 0), maxWindow)
	for {
		full := u.bucket.full.Load()
		owed := u.at + debt
		if since := int64(u.bucket.untold.Load()); since > 0 {
			owed += cost(since, u.interval)
		}
		if full >= owed || u.bucket.full.CompareAndSwap(full, owed) {
			return
		}
	}
}

// Learn sets a bucket to what all gateways together have used, before the first request for it comes
// here. Debt is how many nanoseconds after now the shared bucket is full again. Learn does nothing if
// buckets of this name are not shared, or if there is no room for another bucket.
func (l *Limiter) Learn(name string, key uint64, debt, now int64) {
	if l == nil || key == 0 {
		return
	}
	for _, s := range l.scopes() {
		if s.name == name && s.table.rule.used != nil {
			b := s.table.reach(key, now)
			if b.key == key {
				u := Use{bucket: b, interval: s.table.rule.interval, at: now}
				u.Owe(debt)
			}
		}
	}
}

// cost returns n intervals, and never so many that sums of times overflow.
func cost(n, interval int64) int64 {
	if n > math.MaxInt64/4/interval {
		return math.MaxInt64 / 4
	}
	return n * interval
}
