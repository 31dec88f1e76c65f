package upstream

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// phase is what a connection waits for; each has its own limit.
type phase int64

const (
	phaseHeld     phase = iota // for the caller, or for the next request: no limit here
	phaseWriting               // for the backend to take bytes: Idle
	phaseWaiting               // for the first byte of the answer: FirstByte
	phaseReading               // for more of the answer: Idle
	phaseTimedOut              // broken by the reaper; final
	phaseCanceled              // broken by Cancel; final
	phaseBits     = 3
)

// timing is the clock and the limits that all connections of a transport share, in
// milliseconds. The clock stands still between two ticks: reading it costs a load.
type timing struct {
	now       atomic.Int64 // since the transport began
	firstByte int64
	idle      int64
	tick      int64
}

// limit returns how long p may last. A mark may be a tick older than what it marks, so a
// tick is added: a limit never fires early.
func (t *timing) limit(p phase) (int64, bool) {
	switch p {
	case phaseWriting, phaseReading:
		return t.idle + t.tick, true
	case phaseWaiting:
		return t.firstByte + t.tick, true
	default:
		return 0, false
	}
}

// part is the part of an answer that comes next.
type part uint8

const (
	partFirst part = iota // the first byte of a head
	partHead              // the rest of it
	partBody
)

// conn is one connection to a backend. Its owner is the pool or one exchange; the mark
// alone is shared, with the reaper and with Cancel.
type conn struct {
	net    net.Conn // link, or TLS over it
	link   *link
	pool   *pool
	timing *timing
	mark   atomic.Int64 // time since when <<phaseBits | phase

	part   part
	upload bool  // another goroutine writes the request: the marks are its
	used   bool  // an exchange was completed on it before
	got    bool  // a byte of this answer came
	asked  int64 // mark of the time when the request was written

	remote netip.Addr // as the backend was found
	parked int64      // when it became idle; guarded by pool.mu
	index  int        // in pool.all; guarded by pool.mu
	old    bool       // no more requests: its address vanished; guarded by pool.mu
	one    [1]byte
}

// set enters a phase unless the connection was broken, which is final.
func (c *conn) set(p phase) {
	mark := c.timing.now.Load()<<phaseBits | int64(p)
	for {
		old := c.mark.Load()
		if phase(old&(1<<phaseBits-1)) >= phaseTimedOut || c.mark.CompareAndSwap(old, mark) {
			return
		}
	}
}

// phase returns what the connection is in, or was broken by.
func (c *conn) phase() phase { return phase(c.mark.Load() & (1<<phaseBits - 1)) }

// kind tells why the connection does not work any more.
func (c *conn) kind() error {
	switch c.phase() {
	case phaseTimedOut:
		return ErrTimeout
	case phaseCanceled:
		return ErrCanceled
	default:
		return ErrBroken
	}
}

// expire breaks the connection if it has waited too long. The mark is replaced only if
// it is still the old one: the connection may have come to life, or to another request,
// between the look and the blow.
func (c *conn) expire(now int64) {
	mark := c.mark.Load()
	limit, limited := c.timing.limit(phase(mark & (1<<phaseBits - 1)))
	if !limited || now-mark>>phaseBits <= limit {
		return
	}
	if c.mark.CompareAndSwap(mark, now<<phaseBits|int64(phaseTimedOut)) {
		c.stop()
	}
}

// interrupt breaks the connection on behalf of its owner.
func (c *conn) interrupt() {
	c.set(phaseCanceled)
	c.stop()
}

// stop makes every read and write return, now and later. A broken connection is never
// used again, so the deadline is never taken back.
func (c *conn) stop() {
	c.net.SetDeadline(time.Unix(1, 0))
}

// write writes all of b within the limit of a request without progress.
func (c *conn) write(b []byte) error {
	c.set(phaseWriting)
	_, err := c.net.Write(b)
	return err
}

// written starts the time for the answer.
func (c *conn) written() {
	c.set(phaseWaiting)
	c.asked = c.mark.Load()
}

// Read reads some of the answer. The head as a whole has one limit from its first byte
// on, so that a byte now and then does not keep it open; in the body each read has its
// own, and the time between two reads is the caller's.
func (c *conn) Read(p []byte) (int, error) {
	if c.part == partBody {
		c.set(phaseReading)
	}
	n, err := c.net.Read(p)
	switch {
	case c.part == partBody:
		c.set(phaseHeld)
	case c.part == partFirst && n > 0:
		c.part, c.got = partHead, true
		if !c.upload {
			c.set(phaseReading)
		}
	}
	if err == io.EOF && c.cut() {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// cut reports whether the end that was read may have been made by someone on the path: a
// TLS connection must end with an alert (RFC 8446, 6.1), which crypto/tls does not insist
// on between two records.
func (c *conn) cut() bool { return !c.plain() && c.link.ended }

// interim goes back to wait for the final answer, with the time that is left for it.
func (c *conn) interim() {
	c.part = partFirst
	if c.upload {
		return
	}
	if old := c.mark.Load(); phase(old&(1<<phaseBits-1)) < phaseTimedOut {
		c.mark.CompareAndSwap(old, c.asked)
	}
}

// settled says that the head is complete.
func (c *conn) settled() {
	c.part = partBody
	if !c.upload {
		c.set(phaseHeld)
	}
}

// silent reports whether nothing came while the connection was idle: neither its end nor
// bytes that nobody asked for. A TLS layer may have to read what concerns itself alone,
// such as session tickets.
func (c *conn) silent() bool {
	var err error
	if c.plain() {
		_, err = c.link.peek(c.one[:])
	} else {
		c.link.polling = true
		_, err = c.net.Read(c.one[:])
		c.link.polling = false
	}
	return err == errNothing
}

// plain reports whether there is no TLS.
func (c *conn) plain() bool { return c.net == net.Conn(c.link) }

// rewind forgets the exchange before; used is what remains of it.
func (c *conn) rewind() {
	c.part, c.upload, c.got = partFirst, false, false
}

// close closes without the TLS alert: it could block, and we have read what we wanted.
func (c *conn) close() { c.link.Conn.Close() }
