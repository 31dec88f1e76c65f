package store

import (
	"sync/atomic"
	"time"
)

// lease is until when decisions may rest on what was read last. It is two deadlines, by the
// monotonic clock, which stands still while the machine is suspended, and by the wall clock, which
// may be set back: whichever passes first ends it. The zero lease has ended.
type lease struct {
	base time.Time    // of the monotonic deadline
	mono atomic.Int64 // nanoseconds after base
	wall atomic.Int64 // unix nanoseconds
}

func (l *lease) init(now time.Time) {
	l.base = now
	l.mono.Store(-1)
}

// renew lets the lease last for a while from a moment, which has a monotonic reading.
func (l *lease) renew(from time.Time, bound time.Duration) {
	l.mono.Store(int64(from.Sub(l.base) + bound))
	l.wall.Store(from.UnixNano() + int64(bound))
}

// holds reports whether the lease lasts at now.
func (l *lease) holds(now time.Time) bool {
	return int64(now.Sub(l.base)) < l.mono.Load() && now.UnixNano() < l.wall.Load()
}

// left returns how long the lease lasts from now on; below 0 it has ended.
func (l *lease) left(now time.Time) time.Duration {
	return min(time.Duration(l.mono.Load())-now.Sub(l.base), time.Duration(l.wall.Load()-now.UnixNano()))
}
