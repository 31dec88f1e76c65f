package proxy

import (
	"sync/atomic"

	"aclgate/metrics"
)

// budget bounds the bytes of request bodies that are held at once. A body takes
// from it what it needs beyond maxKept, and only as it arrives: who announces
// much and sends little holds little. What cannot be had is refused at once and
// not waited for: callers that hold half a body each would wait for each other.
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

// Bodies returns how many bytes of large request bodies are held.
func (g *Gateway) Bodies() int64 { return g.bodies.used.Load() }

// grow makes room for more of the body: first for a small one, then twice as
// much each time, up to limit and one byte, which is how a chunked body shows
// that it is too long. It returns false when the gateway holds too much.
func (g *Gateway) grow(c *call, limit int64) bool {
	size := min(max(2*int64(cap(c.text)), maxKept), limit+1)
	if c.head.Length >= 0 {
		size = min(size, c.head.Length)
	}
	if size > maxKept {
		if !g.bodies.take(size - c.large) {
			return false
		}
		g.Metrics.Add(metrics.BodyBytes, size-c.large)
		c.large = size
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
	if size <= max(c.large, maxKept) {
		return true
	}
	if !g.bodies.take(size - c.large) {
		return false
	}
	g.Metrics.Add(metrics.BodyBytes, size-c.large)
	c.large = size
	return true
}

// dropBody gives back what the body took. Its buffer goes with the call.
func (g *Gateway) dropBody(c *call) {
	if c.large == 0 {
		return
	}
	g.bodies.used.Add(-c.large)
	g.Metrics.Add(metrics.BodyBytes, -c.large)
	c.large = 0
}
