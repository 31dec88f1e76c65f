package proxy

import (
	"sync/atomic"
	"time"
)

// A request that names what was never read waits this long for the first reading (SPEC 4.4), unless
// so many wait already.
const (
	firstReadingFor = time.Second
	maxFirstWaiters = 64
)

// firstReading lets requests wait for the first reading of what they name. They hold nothing but what
// they take of their limits. What is too old, or cannot be read, nobody waits for.
type firstReading struct {
	index   Index
	within  time.Duration
	waiting atomic.Int64
}

// await waits and reports whether the request may be judged again. It returns at once if its index
// is not about to be read for the first time.
func (f *firstReading) await(c *call, ev *evaluation) bool {
	defer f.waiting.Add(-1)
	if f.waiting.Add(1) > maxFirstWaiters {
		return false
	}
	c.waited.start()
	defer c.waited.stop()
	end := time.NewTimer(f.within)
	defer end.Stop()
	for {
		changed := f.index.FirstReading(&ev.in)
		if changed == nil {
			return !f.index.StaleFor(&ev.in)
		}
		select {
		case <-changed:
		case <-end.C:
			return false
		}
	}
}
