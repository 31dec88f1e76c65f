package proxy

import (
	"sync/atomic"

	"aclgate/metrics"
)

// budget bounds the bytes of request bodies, and of answers that are read for
// the items they name, that are held at once. One longer than maxKept is taken
// from it, and only as it arrives: who announces much and sends little holds
// little. What cannot be had is refused at once and not waited for: callers that
// hold half a body each would wait for each other. Of an answer that there is no
// room for nothing is learnt.
//
// It is one counter that all requests with large bodies share, and no lock.
type budget struct {
	size int64 // 0: no bound
	used atomic.Int64
}

// take reports whether n more bytes may be held; they are then.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.size || b.size == 0 {
		return true
	}
	b.used.Add(-n)
	return false
}

// Bodies returns how many bytes of large bodies are held.
func (g *Gateway) Bodies() int64 { return g.bodies.used.Load() }

// grow makes room for more of the body: first for a small one, then twice as
// much each time, up to limit and one byte, which is how a chunked body shows
// that it is too long. It returns false when the gateway holds too much.
func (g *Gateway) grow(c *call, limit int64) bool {
	size := min(max(2*int64(cap(c.text)), maxKept), limit+1)
	if c.head.Length >= 0 {
		size = min(size, c.head.Length)
	}
	if size > maxKept && !g.reserve(c, size-c.large) {
		return false
	}
	text := make([]byte, len(c.text), size)
	copy(text, c.text)
	c.text = text
	return true
}

// enlarge makes room for a body that has grown to size bytes: nine times what
// was sent, when it is a list of empty objects that get an account each. It
// returns false when the gateway holds too much.
func (g *Gateway) enlarge(c *call, size int64) bool {
	return size <= max(c.large, maxKept) || g.reserve(c, size-c.large)
}

// widen makes room for more of the answer, twice as much each time up to
// maxLearnt. It returns false at the end of that, and when the gateway holds
// too much.
func (g *Gateway) widen(c *call) bool {
	had := cap(c.merge)
	size := min(max(2*had, 4096), maxLearnt)
	if size <= had {
		return false
	}
	counted := 0
	if had > maxKept {
		counted = had
	}
	if size > maxKept && !g.reserve(c, int64(size-counted)) {
		return false
	}
	wider := make([]byte, len(c.merge), size)
	copy(wider, c.merge)
	c.merge = wider
	return true
}

// reserve has the request hold n more bytes, if they may be held.
func (g *Gateway) reserve(c *call, n int64) bool {
	if !g.bodies.take(n) {
		return false
	}
	g.Metrics.Add(metrics.BodyBytes, n)
	c.large += n
	return true
}

// dropBody gives back what the request took. Its buffers go with the call.
func (g *Gateway) dropBody(c *call) {
	if c.large == 0 {
		return
	}
	g.bodies.used.Add(-c.large)
	g.Metrics.Add(metrics.BodyBytes, -c.large)
	c.large = 0
}
