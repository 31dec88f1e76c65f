package cache

import "sync/atomic"

// Stats tells what the cache did since it began, and what it holds.
type Stats struct {
	Hits         uint64 // answered from memory
	Misses       uint64 // the store had to be asked
	NegativeHits uint64 // known to be unknown
	StaleHits    uint64 // in memory, and not to be used any more
	Evictions    uint64 // driven out by others
	Dropped      uint64 // not even considered: the buffer was full
	Rejected     uint64 // considered and not kept
	Bytes        int64  // cost of what ristretto holds
	Entries      int64
}

// stripe is a counter with a cache line of its own.
type stripe struct {
	hits atomic.Uint64
	_    [56]byte
}

// counts are the counters. Hits, which every request adds to, are spread by the digest, so that
// cores with different tokens do not share a line.
type counts struct {
	stripes                                               [64]stripe
	misses, negative, stale, evictions, dropped, rejected atomic.Uint64
}

func (c *counts) at(key uint64) *stripe { return &c.stripes[key>>32%uint64(len(c.stripes))] }

// Stats returns the counters. It walks through all that is held and is meant for a scrape.
func (c *Cache) Stats() Stats {
	s := Stats{
		Misses: c.counts.misses.Load(), NegativeHits: c.counts.negative.Load(), StaleHits: c.counts.stale.Load(),
		Evictions: c.counts.evictions.Load(), Dropped: c.counts.dropped.Load(), Rejected: c.counts.rejected.Load(),
		Bytes: c.memory.MaxCost() - c.memory.RemainingCost(),
	}
	for i := range c.counts.stripes {
		s.Hits += c.counts.stripes[i].hits.Load()
	}
	c.memory.IterValues(func(*value) (stop bool) {
		s.Entries++
		return false
	})
	return s
}
