package cache

import (
	"errors"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"aclgate/policy"
	"aclgate/policy/store"
)

// Cache finds tokens. Its Lookup may be called from any number of goroutines.
type Cache struct {
	store     store.Store
	catalogue *policy.Catalogue
	memory    *ristretto.Cache[uint64, *value]
	hot       hot
	absent    absent
	flights   flights
	counts    counts
	patience  time.Duration
}

// value is what is remembered of a token. It is immutable. The token stands in it, next to what a
// look-up reads: a request of a caller that was not here lately waits for each cache line.
type value struct {
	revision uint64 // of the store, from before the load
	cost     int64  // bytes
	token    policy.Token
}

// holds reports whether the value may be used: for this digest and as long as nothing has changed
// since.
func (v *value) holds(revision uint64, d *policy.Digest) bool {
	return v != nil && v.revision == revision && v.token.Digest == *d
}

// Shares and sizes.
const (
	minBytes     = 1 << 20 // below this the cache would hold nothing at all
	perCounter   = 100     // bytes of room per counter of ristretto: ten for a token of 1 KiB
	getBuffer    = 64      // ristretto's own advice
	waitPatience = time.Second
)

// New returns a cache in front of st that takes about maxBytes of memory, at least 1 MiB, compiling
// ACLs for cat. Close ends its goroutines.
func New(st store.Store, cat *policy.Catalogue, maxBytes int64) (*Cache, error) {
	if st == nil || cat == nil {
		return nil, errors.New("a cache needs a store and a catalogue")
	}
	maxBytes = max(maxBytes, minBytes)
	c := &Cache{store: st, catalogue: cat, patience: waitPatience}
	forHot := c.hot.init(maxBytes)
	c.absent.init()
	c.flights.init()
	memory, err := ristretto.NewCache(&ristretto.Config[uint64, *value]{
		NumCounters: maxBytes / perCounter,
		MaxCost:     maxBytes - forHot,
		BufferItems: getBuffer,
		// The key is a slice of a digest already. What it does not tell apart, the whole digest in
		// the value does.
		KeyToHash: func(key uint64) (uint64, uint64) { return key, 0 },
		OnEvict:   func(*ristretto.Item[*value]) { c.counts.evictions.Add(1) },
		OnReject:  func(*ristretto.Item[*value]) { c.counts.rejected.Add(1) },
	})
	if err != nil {
		return nil, err
	}
	c.memory = memory
	return c, nil
}

// Close ends the cache. It must not be called before the last Lookup returned.
func (c *Cache) Close() { c.memory.Close() }

// Lookup returns the token with this digest: the one that the store has at some moment between the
// call and the return. store.ErrNotFound says that it has none, ErrBusy that too many wait for the
// store already; any other error is the store's own. A hit allocates nothing.
func (c *Cache) Lookup(d policy.Digest) (*policy.Token, error) {
	key := d.Key()
	revision := c.store.Revision(key)
	if v := c.hot.get(revision, key, &d); v != nil {
		c.counts.at(key).hits.Add(1)
		return &v.token, nil
	}
	if v, found := c.memory.Get(key); found {
		if v.holds(revision, &d) {
			c.counts.at(key).hits.Add(1)
			c.hot.put(key, v)
			return &v.token, nil
		}
		c.counts.stale.Add(1)
	}
	if c.absent.has(revision, key, &d) {
		c.counts.negative.Add(1)
		return nil, store.ErrNotFound
	}
	c.counts.misses.Add(1)
	return c.load(revision, key, d)
}

// remember keeps a token for later. It may be forgotten at once.
func (c *Cache) remember(key uint64, v *value) {
	c.hot.put(key, v)
	if !c.memory.Set(key, v, v.cost) {
		c.counts.dropped.Add(1)
	}
}
