package proxy

import (
	"sync"

	"aclgate/metrics"
	"aclgate/upstream/share"
)

// budget bounds the bytes of request bodies, and of answers that are read for the items they name,
// that are held at once. One longer than maxKept is taken from it, and only as it arrives: who
// announces much and sends little holds little. What cannot be had is refused at once and not
// waited for: callers that hold half a body each would wait for each other. Of an answer that there
// is no room for nothing is learnt.
//
// It is divided (SPEC 2, Shares), under a lock that only requests with large bodies take, a few
// times each.
type budget struct {
	metrics *metrics.Metrics
	mu      sync.Mutex
	shares  *share.Ledger  // nil: no bound
	used    int64          // bytes
	holders []*reservation // those that hold something
}

// reservation is what one request holds of a budget. Its buffers go with the exchange.
type reservation struct {
	bytes int64
	hold  share.Hold
	index int // in budget.holders
}

// bound sets the bytes that may be held, 0 for any number, and those that one request may need alone.
func (b *budget) bound(size, least int64) {
	if size > 0 {
		b.shares = share.New(share.Options{Size: size, Least: least, Each: b.eachHoldLocked})
		b.metrics.CollectShares(b.stats)
	}
}

// eachHoldLocked calls do with everything that is held.
func (b *budget) eachHoldLocked(do func(*share.Hold)) {
	for _, r := range b.holders {
		do(&r.hold)
	}
}

// reserve has r, which is of a request of who, hold n more bytes, and reports whether they may be
// held.
func (b *budget) reserve(r *reservation, who share.Holder, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.bytes == 0 {
		r.hold.Holder = who
	}
	if b.shares != nil && !b.shares.Take(&r.hold, n) {
		return false
	}
	if r.bytes == 0 {
		r.index = len(b.holders)
		b.holders = append(b.holders, r)
	}
	r.bytes += n
	b.used += n
	b.metrics.Add(metrics.BodyBytes, n)
	return true
}

// release gives back what r holds.
func (b *budget) release(r *reservation) {
	if r.bytes == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	last := len(b.holders) - 1
	b.holders[r.index] = b.holders[last]
	b.holders[r.index].index = r.index
	b.holders[last] = nil
	b.holders = b.holders[:last]
	if b.shares != nil {
		b.shares.Give(&r.hold)
	}
	b.used -= r.bytes
	b.metrics.Add(metrics.BodyBytes, -r.bytes)
	r.bytes = 0
}

// inUse returns the bytes that are held.
func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// stats returns how often the shares were refused.
func (b *budget) stats() []metrics.ShareStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	met, _ := b.shares.Met()
	return []metrics.ShareStats{{
		Resource: "bodies", Token: met.Token, Account: met.Account, Strangers: met.Strangers, Callers: met.Callers,
	}}
}
