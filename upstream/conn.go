package upstream

import (
	"io"
	"net"
	"net/netip"
	"time"

	"aclgate/upstream/share"
	"aclgate/upstream/socket"
)

// The phases of a connection; each has its own limit.
const (
	phaseHeld    socket.Phase = iota // for the caller, or for the next request: no limit here
	phaseWriting                     // for the backend to take bytes: FirstByte
	phaseWaiting                     // for the first byte of the answer: FirstByte
	phaseHead                        // for the rest of its head: FirstByte
	phaseReading                     // for more of its body: Silence
)

// limit returns how long a phase may last, and whether there is a limit.
func (p *pool) limit(phase socket.Phase) (time.Duration, bool) {
	switch phase {
	case phaseWriting, phaseWaiting, phaseHead:
		return p.firstByte, true
	case phaseReading:
		return p.silence, true
	}
	return 0, false
}

// section is the part of an answer that comes next.
type section uint8

const (
	sectionStart section = iota // the first byte of a head
	sectionHead                 // the rest of it
	sectionBody
)

// conn is one connection to a backend. Its owner is the pool or one exchange; wait alone is shared,
// with the sweep and with Cancel.
type conn struct {
	net     net.Conn // raw, or TLS over it
	raw     *rawConn
	pool    *pool
	wait    socket.Wait
	section section
	upload  bool        // another goroutine writes the request, and enters the phases
	used    bool        // an exchange was completed on it before
	got     bool        // a byte of this answer came
	asked   socket.Mark // when the request was written
	remote  netip.Addr  // as the backend was found

	idleFor   time.Duration // how long it may be unused; the pool's, or less as the backend said
	idleSince time.Duration // when it became idle; guarded by pool.mu
	index     int           // in pool.all; guarded by pool.mu
	old       bool          // no more requests: its address vanished; guarded by pool.mu
	hold      share.Hold    // whose it is while in use; guarded by pool.mu
	one       [1]byte
}

// kind tells why the connection does not work any more.
func (c *conn) kind() error {
	switch c.wait.Mark().End() {
	case socket.Expired:
		return ErrTimeout
	case socket.Canceled:
		return ErrCanceled
	}
	return ErrBroken
}

// expire breaks the connection if it has waited too long.
func (c *conn) expire(now time.Duration) {
	m := c.wait.Mark()
	if limit, limited := c.pool.limit(m.Phase()); limited && m.Age(now) > limit && c.wait.Expire(m) {
		c.stop()
	}
}

// interrupt breaks the connection on behalf of its owner.
func (c *conn) interrupt() {
	c.wait.Cancel()
	c.stop()
}

// stop makes every read and write return, now and later. A broken connection is never used again,
// so the deadline is never taken back.
func (c *conn) stop() {
	c.net.SetDeadline(time.Unix(1, 0))
}

// write writes all of b within the limit of a request without progress.
func (c *conn) write(b []byte) error {
	c.wait.Enter(phaseWriting)
	_, err := c.net.Write(b)
	return err
}

// written starts the time for the answer.
func (c *conn) written() {
	c.wait.Enter(phaseWaiting)
	c.asked = c.wait.Mark()
}

// Read reads some of the answer. The head as a whole has one limit from its first byte on, so that
// a byte now and then does not keep it open; in the body each read has its own, and the time
// between two reads is the caller's.
func (c *conn) Read(p []byte) (int, error) {
	if c.section == sectionBody {
		c.wait.Enter(phaseReading)
	}
	n, err := c.net.Read(p)
	switch {
	case c.section == sectionBody:
		c.wait.Enter(phaseHeld)
	case c.section == sectionStart && n > 0:
		c.section, c.got = sectionHead, true
		if !c.upload {
			c.wait.Enter(phaseHead)
		}
	}
	if err == io.EOF && c.cut() {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// cut reports whether the end that was read may have been made by someone on the path: a TLS
// connection must end with an alert (RFC 8446, 6.1), which crypto/tls does not insist on between
// two records.
func (c *conn) cut() bool { return !c.plain() && c.raw.ended }

// interim goes back to wait for the final answer, with the time that is left for it.
func (c *conn) interim() {
	c.section = sectionStart
	if !c.upload {
		c.wait.Resume(c.asked)
	}
}

// settled says that the head is complete.
func (c *conn) settled() {
	c.section = sectionBody
	if !c.upload {
		c.wait.Enter(phaseHeld)
	}
}

// idleOver reports whether the connection was unused for too long to be used again.
func (c *conn) idleOver(now time.Duration) bool { return now-c.idleSince > c.idleFor }

// keepFor notes how long the backend says that it keeps the unused connection: its own second of
// doubt is left to it, or it would close what is being written to.
func (c *conn) keepFor(seconds int) {
	c.idleFor = min(c.pool.idleFor, time.Duration(seconds)*time.Second-keepMargin)
}

// keepMargin is how much earlier than the backend an unused connection is given up.
const keepMargin = time.Second

// idleOK reports whether nothing came while the connection was idle: neither its end nor bytes that
// were not asked for. A TLS layer may have to read what concerns itself alone, such as session
// tickets.
func (c *conn) idleOK() bool {
	var err error
	if c.plain() {
		_, err = c.raw.peek(c.one[:])
	} else {
		c.raw.nonBlocking = true
		_, err = c.net.Read(c.one[:])
		c.raw.nonBlocking = false
	}
	return err == errNothing
}

// plain reports whether there is no TLS.
func (c *conn) plain() bool { return c.net == net.Conn(c.raw) }

// rewind forgets the exchange before; used is what remains of it.
func (c *conn) rewind() {
	c.section, c.upload, c.got = sectionStart, false, false
}

// close closes without the TLS alert: it could block, and we have read what we wanted.
func (c *conn) close() { c.raw.Conn.Close() }
