package upstream

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"aclgate/upstream/share"
	"aclgate/upstream/socket"
)

// pool holds the connections to one url: at most as many as its shares divide, in use, idle or being
// dialed. Those that find none, or whose share is used up, wait in line, and what is given back goes
// to the first of them that may have it, so that none who comes later gets ahead.
type pool struct {
	origin
	clock     *socket.Clock
	firstByte time.Duration // limits, see Options
	silence   time.Duration
	idleFor   time.Duration
	own       string // the lines of every request: Host, hop marker
	queueFor  time.Duration
	busy      atomic.Int64 // requests that hold or want a connection

	mu      sync.Mutex
	shares  *share.Ledger            // of connections in use or being dialed, and who waits for one
	open    int                      // slots taken, dialing included
	idle    []*conn                  // the last one used is the last: the others may grow old
	all     []*conn                  // every open connection, for the sweep
	dialing map[*share.Hold]struct{} // slots taken without a connection
	closed  bool
	reuses  uint64
	waits   uint64
}

// divide makes the shares of a pool of at most so many connections and requests in line.
func (p *pool) divide(conns, line int) {
	p.dialing = map[*share.Hold]struct{}{}
	p.shares = share.New(share.Options{Size: int64(conns), Places: int64(line), Each: p.eachHoldLocked})
}

// eachHoldLocked calls do with everything that is held.
func (p *pool) eachHoldLocked(do func(*share.Hold)) {
	for _, c := range p.all {
		if c.hold.Amount() > 0 {
			do(&c.hold)
		}
	}
	for slot := range p.dialing {
		do(slot)
	}
}

// waiter is a request in line. One value arrives in grant. A closed grant says that the pool is
// closed.
type waiter struct {
	share.Waiter
	grant   chan grant
	stopped chan struct{}
	stop    sync.Once
}

// grant is what a request gets: a connection, or a slot to dial in.
type grant struct {
	conn *conn
	slot *share.Hold
}

func newWaiter(who share.Holder) *waiter {
	w := &waiter{grant: make(chan grant, 1), stopped: make(chan struct{})}
	w.Hold.Holder, w.Owner = who, w
	return w
}

// interrupt is called by Cancel, perhaps more than once.
func (w *waiter) interrupt() { w.stop.Do(func() { close(w.stopped) }) }

// take returns an idle connection, or a slot and with it the right to dial one. The errors are kinds.
func (p *pool) take(who share.Holder, a *Answer) (grant, error) {
	hold := share.Hold{Holder: who}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return grant{}, ErrBusy
	}
	if p.shares.Take(&hold, 1) {
		g := p.grantLocked(hold)
		p.mu.Unlock()
		return g, nil
	}
	w := newWaiter(who)
	in := p.shares.Enter(&w.Waiter)
	if in {
		p.waits++
	}
	p.mu.Unlock()
	if !in {
		return grant{}, ErrBusy
	}
	return p.await(w, a)
}

// await waits for the grant until time or patience runs out.
func (p *pool) await(w *waiter, a *Answer) (grant, error) {
	if !a.attach(w) {
		w.interrupt()
	}
	defer a.detach()
	timer := time.NewTimer(p.queueFor)
	defer timer.Stop()
	reason := ErrBusy
	select {
	case g, ok := <-w.grant:
		return granted(g, ok)
	case <-timer.C:
	case <-w.stopped:
		reason = ErrCanceled
	}
	if p.leave(w) {
		return grant{}, reason
	}
	// The grant was faster: it is used, or it would be lost.
	g, ok := <-w.grant
	return granted(g, ok)
}

// granted turns what came in the grant into what take returns.
func granted(g grant, ok bool) (grant, error) {
	if !ok {
		return grant{}, ErrBusy
	}
	return g, nil
}

// leave gives up a place in the line and reports whether it was still taken.
func (p *pool) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shares.Leave(&w.Waiter)
}

// grantLocked gives a connection or a slot to whoever may have one, and moves hold into it.
func (p *pool) grantLocked(hold share.Hold) grant {
	if len(p.idle) > 0 {
		p.reuses++
		c := p.popIdleLocked()
		c.hold = hold
		return grant{conn: c}
	}
	p.open++
	return grant{slot: p.slotLocked(hold)}
}

// slotLocked moves hold into a slot without a connection.
func (p *pool) slotLocked(hold share.Hold) *share.Hold {
	slot := &hold
	p.dialing[slot] = struct{}{}
	return slot
}

// serveLocked serves those in line that may have what was given back: one of them, as a rule. The
// grant has room for one value and each waiter gets one, so sending under the lock does not block.
func (p *pool) serveLocked() {
	for w := p.shares.Next(1); w != nil; w = p.shares.Next(1) {
		w.Owner.(*waiter).grant <- p.grantLocked(w.Hold)
	}
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
func (p *pool) takeIdle(slot *share.Hold) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.popIdleLocked()
	p.moveLocked(slot, c)
	p.open--
	return c
}

// moveLocked moves what a slot holds to a connection.
func (p *pool) moveLocked(slot *share.Hold, c *conn) {
	c.hold = *slot
	delete(p.dialing, slot)
}

// register registers a new connection in the caller's slot, and reports false if the pool was
// closed meanwhile.
func (p *pool) register(slot *share.Hold, c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	c.index = len(p.all)
	p.all = append(p.all, c)
	p.moveLocked(slot, c)
	return true
}

// replace closes a connection, and returns its slot, which stays with the caller.
func (p *pool) replace(c *conn) *share.Hold {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(c)
	slot := p.slotLocked(c.hold)
	c.hold = share.Hold{}
	return slot
}

// forgetLocked takes a closed connection out of all.
func (p *pool) forgetLocked(c *conn) {
	last := len(p.all) - 1
	p.all[c.index] = p.all[last]
	p.all[c.index].index = c.index
	p.all[last] = nil
	p.all = p.all[:last]
}

// freeSlot frees the slot of a connection that could not be made.
func (p *pool) freeSlot(slot *share.Hold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.dialing, slot)
	p.freeLocked(slot)
}

// freeLocked frees a slot, which is the first's in line then.
func (p *pool) freeLocked(hold *share.Hold) {
	p.open--
	p.shares.Give(hold)
	p.serveLocked()
}

// closeConn closes a connection that is in use, or was taken out of idle, and frees its slot.
func (p *pool) closeConn(c *conn) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(c)
	p.freeLocked(&c.hold)
}

// closeInUse closes a connection at the end of its use.
func (p *pool) closeInUse(c *conn) {
	p.busy.Add(-1)
	p.closeConn(c)
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

// putIdle lays the connection aside, for the first in line that may have one, and reports false if the
// pool is closed or the connection too old.
func (p *pool) putIdle(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.old {
		return false
	}
	c.idleSince = p.clock.Now()
	p.idle = append(p.idle, c)
	p.shares.Give(&c.hold)
	p.serveLocked()
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
	p.holdLocked(stale)
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
	p.holdLocked(stale)
	p.mu.Unlock()
	p.closeIdle(stale)
}

// holdLocked has the gateway itself hold what was taken out of idle, until it is closed: nobody else
// gets its slot before that.
func (p *pool) holdLocked(idle []*conn) {
	for _, c := range idle {
		p.shares.Take(&c.hold, 1)
	}
}

// closeIdle closes connections that were taken out of idle.
func (p *pool) closeIdle(idle []*conn) {
	for _, c := range idle {
		p.closeConn(c)
	}
}

// close closes what is idle, breaks what is in use and sends away those who wait.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.holdLocked(idle)
	for w := p.shares.Any(); w != nil; w = p.shares.Any() {
		close(w.Owner.(*waiter).grant)
	}
	for _, c := range p.all {
		c.interrupt()
	}
	p.mu.Unlock()
	p.closeIdle(idle)
}
