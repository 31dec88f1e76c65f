package upstream

import (
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/upstream/socket"
)

// pool holds the connections to one url: at most max, in use, idle or being dialed. Those that find
// none wait in line, and what is given back goes to the first of them, so that none who comes later
// gets ahead.
type pool struct {
	origin
	clock     *socket.Clock
	firstByte time.Duration // limits, see Options
	silence   time.Duration
	idleFor   time.Duration
	own       string // the lines of every request: Host, hop marker
	max       int
	queueMax  int
	queueFor  time.Duration
	busy      atomic.Int64 // requests that hold or want a connection

	mu      sync.Mutex
	open    int       // slots taken, dialing included
	idle    []*conn   // the last one used is the last: the others may grow old
	all     []*conn   // every open connection, for the sweep
	waiting list.List // of *waiter
	closed  bool
	reuses  uint64
	waits   uint64
}

// waiter is a request in line. One value arrives in grant: a connection, or nil for a slot to dial
// in. A closed grant says that the pool is closed.
type waiter struct {
	grant   chan *conn
	stopped chan struct{}
	stop    sync.Once
}

// interrupt is called by Cancel, perhaps more than once.
func (w *waiter) interrupt() { w.stop.Do(func() { close(w.stopped) }) }

// slot returns an idle connection, or nil and with it the right to dial one. The errors are kinds.
func (p *pool) slot(a *Answer) (*conn, error) {
	p.mu.Lock()
	switch {
	case p.closed || p.open >= p.max && len(p.idle) == 0 && p.waiting.Len() >= p.queueMax:
		p.mu.Unlock()
		return nil, ErrBusy
	case len(p.idle) > 0:
		c := p.popIdleLocked()
		p.reuses++
		p.mu.Unlock()
		return c, nil
	case p.open < p.max:
		p.open++
		p.mu.Unlock()
		return nil, nil
	}
	w := &waiter{grant: make(chan *conn, 1), stopped: make(chan struct{})}
	place := p.waiting.PushBack(w)
	p.waits++
	p.mu.Unlock()
	return p.await(w, place, a)
}

// await waits for the grant until time or patience runs out.
func (p *pool) await(w *waiter, place *list.Element, a *Answer) (*conn, error) {
	if !a.attach(w) {
		w.interrupt()
	}
	defer a.detach()
	timer := time.NewTimer(p.queueFor)
	defer timer.Stop()
	reason := ErrBusy
	select {
	case c, ok := <-w.grant:
		return granted(c, ok)
	case <-timer.C:
	case <-w.stopped:
		reason = ErrCanceled
	}
	if p.leave(place) {
		return nil, reason
	}
	// The grant was faster: it is used, or it would be lost.
	c, ok := <-w.grant
	return granted(c, ok)
}

// granted turns what came in the grant into what slot returns.
func granted(c *conn, ok bool) (*conn, error) {
	if !ok {
		return nil, ErrBusy
	}
	return c, nil
}

// leave gives up a place in the line and reports whether it was still taken.
func (p *pool) leave(place *list.Element) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if place.Value == nil {
		return false
	}
	p.waiting.Remove(place)
	return true
}

// nextLocked takes the first of the line, nil if there is none.
func (p *pool) nextLocked() *waiter {
	place := p.waiting.Front()
	if place == nil {
		return nil
	}
	w := place.Value.(*waiter)
	p.waiting.Remove(place)
	place.Value = nil // tells leave that it comes too late
	return w
}

// popIdleLocked takes the idle connection used last: it is the least likely to have been closed
// meanwhile, and the others may grow old enough to be closed.
func (p *pool) popIdleLocked() *conn {
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// takeIdle returns an idle connection instead of the free slot that the caller holds, or nil if
// there is none.
func (p *pool) takeIdle() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	p.open--
	return p.popIdleLocked()
}

// register registers a new connection in the caller's slot, and reports false if the pool was
// closed meanwhile.
func (p *pool) register(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	c.index = len(p.all)
	p.all = append(p.all, c)
	return true
}

// closeConn closes a connection; its slot stays with the caller.
func (p *pool) closeConn(c *conn) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.all) - 1
	p.all[c.index] = p.all[last]
	p.all[c.index].index = c.index
	p.all[last] = nil
	p.all = p.all[:last]
}

// freeSlot gives a slot to the first in line or frees it. The grant has room for one value and each
// waiter gets one, so sending under the lock does not block.
func (p *pool) freeSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.nextLocked(); w != nil {
		w.grant <- nil
		return
	}
	p.open--
}

// closeInUse closes a connection at the end of its use.
func (p *pool) closeInUse(c *conn) {
	p.busy.Add(-1)
	p.closeConn(c)
	p.freeSlot()
}

// release takes back a connection that may be used again.
func (p *pool) release(c *conn) {
	// A sweep or a Cancel may have ended the wait in the last moment.
	if !c.wait.Enter(phaseHeld) || !p.putIdle(c) {
		p.closeInUse(c)
		return
	}
	p.busy.Add(-1)
}

// putIdle hands the connection to the first in line or lays it aside, and reports false if the pool
// is closed or the connection too old.
func (p *pool) putIdle(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.old {
		return false
	}
	c.idleSince = p.clock.Now()
	if w := p.nextLocked(); w != nil {
		p.reuses++
		w.grant <- c
		return true
	}
	p.idle = append(p.idle, c)
	return true
}

// sweep breaks connections that by now waited too long and closes those unused for too long.
func (p *pool) sweep(now time.Duration) {
	p.mu.Lock()
	for _, c := range p.all {
		c.expire(now)
	}
	var stale []*conn
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		over := c.idleOver(now)
		if over {
			stale = append(stale, c)
		}
		return over
	})
	p.mu.Unlock()
	p.closeIdle(stale)
}

// closeStale closes the idle connections to addresses that are gone, and has the others end with
// their exchange.
func (p *pool) closeStale(gone func(netip.Addr) bool) {
	var stale []*conn
	p.mu.Lock()
	for _, c := range p.all {
		c.old = gone(c.remote)
	}
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		if c.old {
			stale = append(stale, c)
		}
		return c.old
	})
	p.mu.Unlock()
	p.closeIdle(stale)
}

// closeIdle closes connections that were taken out of idle.
func (p *pool) closeIdle(idle []*conn) {
	for _, c := range idle {
		p.closeConn(c)
		p.freeSlot()
	}
}

// close closes what is idle, breaks what is in use and sends away those who wait.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for w := p.nextLocked(); w != nil; w = p.nextLocked() {
		close(w.grant)
	}
	for _, c := range p.all {
		c.interrupt()
	}
	p.mu.Unlock()
	p.closeIdle(idle)
}
