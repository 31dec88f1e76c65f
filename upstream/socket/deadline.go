package socket

import (
	"sync/atomic"
	"time"
)

// Clock is the time that the deadlines of many connections are measured by. It does not move
// between two ticks, so that reading it costs a load. While the process stands still, so does the
// clock: nobody's limit may pass because the gateway was stopped.
type Clock struct {
	now  atomic.Int64 // nanoseconds
	tick time.Duration
}

// longestTick is how often limits are looked at, at least.
const longestTick = 250 * time.Millisecond

// NewClock returns a clock for these limits, of which 0 is none: it ticks four times a second, or
// more often where a limit is short.
func NewClock(limits ...time.Duration) *Clock {
	tick := longestTick
	for _, limit := range limits {
		if limit > 0 {
			tick = min(tick, max(limit/4, time.Millisecond))
		}
	}
	return &Clock{tick: tick}
}

// Now returns the time of the last tick.
func (c *Clock) Now() time.Duration { return time.Duration(c.now.Load()) }

// Run moves the clock until done is closed. After each tick it calls sweep with the time of the
// tick before: what was marked with that time may be younger, and no limit may fire early.
func (c *Clock) Run(done <-chan struct{}, sweep func(now time.Duration)) {
	ticker := time.NewTicker(c.tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			at := time.Now()
			was := c.Now()
			c.now.Store(int64(was + min(at.Sub(last), c.tick+longestTick)))
			last = at
			sweep(was)
		}
	}
}

// Phase is what a connection waits for. The packages that wait name theirs, at most eight.
type Phase uint8

// End says how a wait was ended by another goroutine.
type End uint8

// The ways to end a wait.
const (
	Running End = iota
	Expired     // it took too long
	Canceled
)

// Mark is one wait: the time since when, the phase, and how it was ended.
type Mark int64

const (
	endBits   = 2
	phaseBits = 3
)

func (m Mark) since() time.Duration { return time.Duration(m >> (phaseBits + endBits)) }

// Age returns how long the wait has lasted.
func (m Mark) Age(now time.Duration) time.Duration { return now - m.since() }

// Phase returns what is waited for, or what was waited for when the wait was ended.
func (m Mark) Phase() Phase { return Phase(m >> endBits & (1<<phaseBits - 1)) }

// End returns how the wait was ended.
func (m Mark) End() End { return End(m & (1<<endBits - 1)) }

// Wait is what one direction of a connection waits for. Its owner enters phases; a sweep and
// whoever cancels may end the wait, and that is final.
type Wait struct {
	clock *Clock
	mark  atomic.Int64
}

// Start enters the first phase, before another goroutine knows of w.
func (w *Wait) Start(c *Clock, p Phase) {
	w.clock = c
	w.Enter(p)
}

// Mark returns the present wait.
func (w *Wait) Mark() Mark { return Mark(w.mark.Load()) }

// Enter begins to wait for something else. It returns false if the present wait was ended.
func (w *Wait) Enter(p Phase) bool {
	return w.Resume(Mark(w.clock.Now())<<(phaseBits+endBits) | Mark(p)<<endBits)
}

// Resume goes back to a wait with the time that is left for it, unless the present one was ended.
func (w *Wait) Resume(m Mark) bool { return w.replace(func(Mark) Mark { return m }) }

// Cancel ends the wait.
func (w *Wait) Cancel() { w.replace(func(old Mark) Mark { return old | Mark(Canceled) }) }

// replace changes the mark of a wait that was not ended.
func (w *Wait) replace(next func(old Mark) Mark) bool {
	for {
		old := w.Mark()
		if old.End() != Running {
			return false
		}
		if w.mark.CompareAndSwap(int64(old), int64(next(old))) {
			return true
		}
	}
}

// Expire ends the wait that m is. It returns false if the owner was faster: the connection may have
// come to life, or to another request, after m was looked at.
func (w *Wait) Expire(m Mark) bool {
	return m.End() == Running && w.mark.CompareAndSwap(int64(m), int64(m|Mark(Expired)))
}
