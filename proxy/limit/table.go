package limit

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
)

// shardCount is how many maps a table has; a power of two.
const shardCount = 64

// sweepAt is the size of a map that is swept for the first time.
const sweepAt = 64

// sweepEvery is the shortest time, in nanoseconds, between two sweeps of one
// map for want of room: a flood must not buy a walk over the map per request.
const sweepEvery = 1e9

// table holds the buckets of one scope.
type table struct {
	rule   rule
	max    int64 // most buckets beside the shared ones; 0: no bound
	size   atomic.Int64
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard is one map of a table, twice: as it is, under a lock, and as it was
// lately, for everybody to read. What is missing in read costs the lock; once
// that was paid as often as there are keys, read is made anew, so that each key
// is copied about once.
type shard struct {
	read atomic.Pointer[map[uint64]*bucket] // never written once it is here

	mu     sync.Mutex
	all    map[uint64]*bucket
	misses int   // look-ups that read did not answer
	next   int   // the size at which all is swept
	last   int64 // when it was swept for want of room

	shared bucket // of the keys for which there is no room
	past   counts // of buckets that were swept
}

// newTable returns the table of one scope, nil where l bounds nothing.
func newTable(l Limit, most int) *table {
	if !l.bounds() {
		return nil
	}
	t := &table{rule: newRule(l), max: int64(most), seed: maphash.MakeSeed()}
	for i := range t.shards {
		s := &t.shards[i]
		s.all, s.next = map[uint64]*bucket{}, sweepAt
		s.read.Store(&map[uint64]*bucket{})
	}
	return t
}

// enter finds the bucket of key, which is made at need, and counts the request
// in. Seeded hashing keeps clients from choosing who shares their shard.
func (t *table) enter(key uint64, now int64) (*bucket, bool) {
	s := &t.shards[maphash.Comparable(t.seed, key)%shardCount]
	if b := (*s.read.Load())[key]; b != nil {
		if in := b.enter(t.rule.concurrent); in != gone {
			return b, in == entered
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(t, key, now)
	// Sweeping takes the lock, so the bucket cannot be gone here.
	return b, b.enter(t.rule.concurrent) == entered
}

// find returns the bucket of key; the caller holds the lock.
func (s *shard) find(t *table, key uint64, now int64) *bucket {
	b := s.all[key]
	if b == nil {
		if !s.room(t, now) {
			return &s.shared
		}
		b = new(bucket)
		s.all[key] = b
	}
	if s.misses++; s.misses >= len(s.all) {
		s.publish()
	}
	return b
}

// room makes room for one more bucket, as far as that is possible, and takes
// it. It reports whether there was any.
func (s *shard) room(t *table, now int64) bool {
	if len(s.all) >= s.next {
		s.sweep(t, now)
		s.next = max(sweepAt, 2*len(s.all))
	}
	if t.take() {
		return true
	}
	if now-s.last < sweepEvery {
		return false
	}
	s.last = now
	s.sweep(t, now)
	return t.take()
}

// take counts one more bucket unless there are enough.
func (t *table) take() bool {
	if n := t.size.Add(1); t.max == 0 || n <= t.max {
		return true
	}
	t.size.Add(-1)
	return false
}

// sweep drops the buckets that say nothing; the caller holds the lock.
func (s *shard) sweep(t *table, now int64) {
	before := len(s.all)
	for key, b := range s.all {
		if b.retire(now) {
			s.past.add(&b.counts)
			delete(s.all, key)
		}
	}
	t.size.Add(int64(len(s.all) - before))
	s.publish()
}

// publish shows all to everybody. The copy is sized for what is there, so that
// a map which was large once does not stay so.
func (s *shard) publish() {
	read := make(map[uint64]*bucket, len(s.all))
	maps.Copy(read, s.all)
	s.read.Store(&read)
	s.misses = 0
}
