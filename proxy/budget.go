package proxy

import (
	"sync/atomic"

	"aclgate/metrics"
)

// budget bounds the bytes of request bodies, and of answers that are read for the items they name,
// that are held at once. One longer than maxKept is taken from it, and only as it arrives: who
// announces much and sends little holds little. What cannot be had is refused at once and not
// waited for: callers that hold half a body each would wait for each other. Of an answer that there
// is no room for nothing is learnt.
//
// It is one counter that all requests with large bodies share, and no lock.
type budget struct {
	size    int64 // 0: no bound
	used    atomic.Int64
	metrics *metrics.Metrics
}

// reservation is what one request holds of a budget. Its buffers go with the exchange.
type reservation struct{ bytes int64 }

// reserve has r hold n more bytes, and reports whether they may be held.
func (b *budget) reserve(r *reservation, n int64) bool {
	if b.used.Add(n) > b.size && b.size != 0 {
		b.used.Add(-n)
		return false
	}
	b.metrics.Add(metrics.BodyBytes, n)
	r.bytes += n
	return true
}

// release gives back what r holds.
func (b *budget) release(r *reservation) {
	if r.bytes == 0 {
		return
	}
	b.used.Add(-r.bytes)
	b.metrics.Add(metrics.BodyBytes, -r.bytes)
	r.bytes = 0
}
