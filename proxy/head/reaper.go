package head

import "time"

// pace is how often the reaper walks, and after what time it looks at what no setting bounds.
type pace struct {
	tick  time.Duration
	gone  time.Duration // a request is being handled for so long: is the client still there?
	drain time.Duration // a connection is idle for so long while draining
}

// defaultPace walks four times a second, and more often only where a setting is shorter than that.
func defaultPace(c Config) pace {
	p := pace{tick: 250 * time.Millisecond, gone: time.Second, drain: time.Second}
	for _, d := range []time.Duration{c.Read, c.Write, c.Idle} {
		if d > 0 {
			p.tick = min(p.tick, max(d/4, time.Millisecond))
		}
	}
	return p
}

// reap is the reaper: it runs until the listener is closed and the last connection has gone.
func (l *Listener) reap() {
	defer close(l.done)
	ticker := time.NewTicker(l.pace.tick)
	defer ticker.Stop()
	closed := l.closed
	var conns []*Conn
	for {
		select {
		case <-ticker.C:
			conns = l.snapshot(conns[:0])
			now := time.Since(l.start)
			for _, c := range conns {
				l.look(c, now)
			}
			clear(conns) // what has gone must not be kept alive until the next walk
		case <-l.empty:
		case <-closed:
			closed = nil
		}
		if closed == nil && l.end() {
			return
		}
	}
}

// end reports whether no connection is left, and if so lets none in any more: one that was accepted while the listener
// closed would have no reaper.
func (l *Listener) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = len(l.conns) == 0
	return l.over
}

// look ends what c has waited for too long. A read is ended by a deadline in the past, so that the goroutine that reads
// says what follows; a write by closing, because nothing can be said.
func (l *Listener) look(c *Conn, now time.Duration) {
	in, age := c.in.look(now)
	if limit := l.limit(in); limit > 0 && age >= limit && c.in.reap() {
		_ = c.raw.SetReadDeadline(l.start)
	}
	if in == phaseServing && age >= l.pace.gone {
		c.checkGone()
	}
	out, age := c.out.look(now)
	if out == phaseWriting && l.config.Write > 0 && age >= l.config.Write && c.out.reap() {
		_ = c.Abort()
	}
}

// limit returns how long a phase may last; 0 is for ever.
func (l *Listener) limit(p phase) time.Duration {
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
