// Package wake lets a loop that works now and then sleep until its time has come or until it is
// woken.
package wake

import (
	"context"
	"time"
)

// Signal wakes one loop. A signal that comes while the loop works is kept, and several are one.
type Signal chan struct{}

// New returns a signal that was not given.
func New() Signal { return make(Signal, 1) }

// Wake ends the present sleep, or else the next. It never blocks.
func (s Signal) Wake() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Sleep returns after d, or before that when it is woken or ctx ends. A nil signal is never given.
func (s Signal) Sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s:
	case <-timer.C:
	}
}
