package head

import (
	"time"

	"aclgate/upstream/socket"
)

// The phases of a connection. in has the first five, out the others.
const (
	phaseFresh   socket.Phase = iota // the first byte of a new connection
	phaseIdle                        // the first byte of the next request
	phaseHead                        // the rest of a head
	phaseBody                        // more of a body
	phaseServing                     // nothing: the request is being handled
	phaseQuiet                       // nothing: no write is under way
	phaseWriting                     // the client to take what is written
)

// pace is after what time the sweep looks at what no setting bounds.
type pace struct {
	gone  time.Duration // a request is being handled for so long: is the client still there?
	drain time.Duration // a connection is idle for so long while draining
	grace time.Duration // a body may come as slowly as it likes
}

var defaultPace = pace{gone: time.Second, drain: time.Second, grace: 10 * time.Second}

// sweep ends every wait that has lasted too long.
func (l *Listener) sweep(now time.Duration) {
	l.swept = l.snapshot(l.swept[:0])
	for _, c := range l.swept {
		l.look(c, now)
	}
	clear(l.swept) // what has gone must not be kept alive until the next sweep
}

// look ends what c has waited for too long. A read is ended by a deadline in the past, so that the
// goroutine that reads says what follows; a write by closing, because nothing can be said.
func (l *Listener) look(c *Conn, now time.Duration) {
	in := c.in.Mark()
	limit := l.limit(in.Phase())
	if due := c.bodyDue.Load(); in.Phase() == phaseBody && due > 0 && (limit == 0 || time.Duration(due) < limit) {
		limit = time.Duration(due)
	}
	if limit > 0 && in.Age(now) >= limit && c.in.Expire(in) {
		_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	}
	if c.watched.Load() {
		c.checkWatch()
	}
	if in.Phase() == phaseServing && in.Age(now) >= l.pace.gone {
		c.checkGone()
	}
	out := c.out.Mark()
	if out.Phase() == phaseWriting && l.config.Write > 0 && out.Age(now) >= l.config.Write && c.out.Expire(out) {
		_ = c.Abort()
	}
}

// limit returns how long a phase may last; 0 is for ever.
func (l *Listener) limit(p socket.Phase) time.Duration {
	limit := time.Duration(0)
	switch p {
	case phaseFresh, phaseHead, phaseBody:
		limit = l.config.Read
	case phaseIdle:
		limit = l.config.Idle
	}
	if waits := p == phaseFresh || p == phaseIdle; waits && l.draining.Load() && (limit == 0 || limit > l.pace.drain) {
		return l.pace.drain
	}
	return limit
}

// checkGone calls the function of OnGone if the client has gone.
func (c *Conn) checkGone() {
	c.goneMu.Lock()
	defer c.goneMu.Unlock()
	if c.gone == nil || c.sys == nil || !ended(c.sys) {
		return
	}
	f := c.gone
	c.gone = nil
	f()
}
