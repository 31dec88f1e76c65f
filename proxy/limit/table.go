package limit

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount is how many parts a table has, 1<<(64-shardShift) of them: the highest bits of a hash
// choose one, the lowest a slot in it.
const (
	shardShift = 58
	shardCount = 1 << (64 - shardShift)
)

const (
	// sweepAt is how many buckets a shard has when it is swept for the first time, 4 MiB in a
	// table: below that it is cheaper to keep what says nothing than to make it again for the next
	// request of its token.
	sweepAt  = 1024
	fewSlots = 128 // slots of a shard in the beginning; a power of two
)

// sweepEvery is the shortest time, in nanoseconds, between two sweeps of one shard for want of
// room: a flood must not buy a walk over it per request.
const sweepEvery = 1e9

// table holds the buckets of one scope.
type table struct {
	rule   rule
	max    int64 // most buckets beside the shared ones; 0: no bound
	size   atomic.Int64
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard is an open-addressed hash table with linear probing that everybody may read at any time:
// two cache lines of memory for a request, a slot and its bucket. Whoever holds the lock fills
// empty slots. No slot is ever emptied or filled anew; a sweep, or a want of slots, lays out
// others. A sync.Map in its place takes 177 bytes a token instead of 80, and 0.3 µs more where
// tokens are more than caches hold (BenchmarkAdmitMany).
type shard struct {
	slots atomic.Pointer[slots]

	mu   sync.Mutex
	held int   // buckets in slots
	next int   // how many are swept
	last int64 // when they were swept for want of room

	shared bucket // of the keys for which there is no room
	past   counts // of buckets that were swept
}

// slots are at most half full, so that a search ends after a few; their number is a power of two.
type slots []atomic.Pointer[bucket]

// newTable returns the table of one scope, nil where l bounds nothing.
func newTable(l Limit, most int) *table {
	if !l.bounds() {
		return nil
	}
	t := &table{rule: newRule(l), max: int64(most), seed: maphash.MakeSeed()}
	for i := range t.shards {
		s := &t.shards[i]
		empty := make(slots, fewSlots)
		s.slots.Store(&empty)
		s.next = sweepAt
	}
	return t
}

// hash is seeded: clients that choose their keys must not choose who shares their shard or stands
// in front of their slot.
func (t *table) hash(key uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], key)
	return maphash.Bytes(t.seed, b[:])
}

// enter finds the bucket of key, which is made at need, and counts the request in.
func (t *table) enter(key uint64, now int64) (*bucket, bool) {
	hash := t.hash(key)
	s := &t.shards[hash>>shardShift]
	if _, b := s.slots.Load().find(hash, key); b != nil {
		if in := b.enter(t.rule.concurrent); in != gone {
			return b, in == entered
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.make(t, hash, key, now)
	// Sweeping takes the lock, so the bucket cannot be gone here.
	return b, b.enter(t.rule.concurrent) == entered
}

// reach returns the bucket of key, which is made at need, or the one of those for whom there is no
// room.
func (t *table) reach(key uint64, now int64) *bucket {
	hash := t.hash(key)
	s := &t.shards[hash>>shardShift]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.make(t, hash, key, now)
}

// find returns the slot of key and what was in it, or the slot where it belongs and nil. Who looked
// without the lock must not look at that slot again: another key may have come to stand there.
func (all *slots) find(hash, key uint64) (*atomic.Pointer[bucket], *bucket) {
	mask := uint64(len(*all) - 1)
	for i := hash; ; i++ {
		slot := &(*all)[i&mask]
		if b := slot.Load(); b == nil || b.key == key {
			return slot, b
		}
	}
}

// make returns the bucket of key, a new one if there is none and there is room; the caller holds
// the lock.
func (s *shard) make(t *table, hash, key uint64, now int64) *bucket {
	if _, b := s.slots.Load().find(hash, key); b != nil {
		return b
	}
	if !s.room(t, now) {
		return &s.shared
	}
	if s.held++; 2*s.held > len(*s.slots.Load()) {
		s.layOut(t, func(*bucket) bool { return true })
	}
	b := &bucket{key: key}
	slot, _ := s.slots.Load().find(hash, key)
	slot.Store(b)
	return b
}

// room makes room for one more bucket, as far as that is possible, and takes it. It reports whether
// there was any.
func (s *shard) room(t *table, now int64) bool {
	if s.held >= s.next {
		s.sweep(t, now)
		s.next = max(sweepAt, 2*s.held)
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
	before := s.held
	s.layOut(t, func(b *bucket) bool {
		if !b.retire(now) {
			return true
		}
		s.past.add(&b.counts)
		s.held--
		return false
	})
	t.size.Add(int64(s.held - before))
}

// layOut shows everybody new slots with the buckets to keep, as many as these and s.held want. Who
// reads the old ones meanwhile finds the same buckets.
func (s *shard) layOut(t *table, keep func(*bucket) bool) {
	old, kept := *s.slots.Load(), []*bucket(nil)
	for i := range old {
		if b := old[i].Load(); b != nil && keep(b) {
			kept = append(kept, b)
		}
	}
	n := fewSlots
	for n < 2*s.held {
		n *= 2
	}
	fresh := make(slots, n)
	for _, b := range kept {
		slot, _ := fresh.find(t.hash(b.key), b.key)
		slot.Store(b)
	}
	s.slots.Store(&fresh)
}
