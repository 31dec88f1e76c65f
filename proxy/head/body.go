package head

import (
	"io"
	"time"
)

// ReadBody reads bytes of the body, less its framing, and returns io.EOF at the end. A body that
// breaks the rules or comes too slowly ends in a *Fault; io.ErrUnexpectedEOF says that the client
// went away in its middle. Every error is final. Only one goroutine may read at a time, and none
// after the handler returned.
func (c *Conn) ReadBody(p []byte) (int, error) {
	m := c.msg
	if m == nil {
		return 0, io.EOF
	}
	if m.err != nil || len(p) == 0 {
		return 0, m.err
	}
	err := c.Continue()
	n := 0
	switch {
	case err != nil:
		err = io.ErrUnexpectedEOF
	case m.head.Length < 0:
		n, err = c.readChunked(p)
	default:
		n, err = c.readLeft(p)
	}
	if err == nil && m.head.Length >= 0 && m.left == 0 {
		c.end(io.EOF)
	}
	if err != nil {
		c.end(err)
	}
	return n, err
}

// end makes err the answer to every further read of the body.
func (c *Conn) end(err error) {
	c.msg.err = err
	if err == io.EOF {
		c.lingerClose.Store(false)
	}
}

// readLeft reads bytes that belong to the body, or to the current chunk, and no byte after them.
func (c *Conn) readLeft(p []byte) (int, error) {
	m := c.msg
	if int64(len(p)) > m.left {
		p = p[:m.left]
	}
	n, err := m.take(p), error(nil)
	if n == 0 {
		n, err = c.receive(p)
	}
	m.left -= int64(n)
	return n, err
}

// get reads what has arrived, and waits until something has. Nothing and no error is the end of the
// stream.
func (c *Conn) get(p []byte) (int, error) {
	if c.tryFill == nil {
		return c.Conn.Read(p)
	}
	return c.move(p, c.sys.Read, c.tryFill)
}

// Upload has the body be bounded as uploads are. Call it before ReadBody.
func (c *Conn) Upload() {
	if c.msg != nil {
		c.msg.upload = true
	}
}

// due returns how long the next bytes of the body may take: within the time for all of it, and not
// so long that it has come slower than the least rate; 0: no bound, below: it is too late. The time
// that the backend takes does not count.
func (c *Conn) due() time.Duration {
	m, config := c.msg, &c.listener.config
	limit := config.Body
	if m.upload {
		limit = config.Upload
	}
	if config.MinRate > 0 {
		slowest := c.listener.pace.grace + time.Duration(float64(m.arrived)/float64(config.MinRate)*float64(time.Second))
		if limit == 0 || slowest < limit {
			limit = slowest
		}
	}
	switch {
	case limit == 0:
		return 0
	case limit > m.waited:
		return limit - m.waited
	}
	return -1
}

// receive reads from the client during a body.
func (c *Conn) receive(p []byte) (int, error) {
	m := c.msg
	due := c.due()
	c.bodyDue.Store(int64(due))
	if due < 0 || !c.in.Enter(phaseBody) {
		return 0, errTime
	}
	began := c.listener.clock.Now()
	n, _ := c.get(p)
	if !c.in.Enter(phaseServing) {
		return 0, errTime
	}
	m.waited += c.listener.clock.Now() - began
	m.arrived += int64(n)
	if n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// fill reads more bytes into the buffer during a head, where next says what is waited for.
func (c *Conn) fill() (int, error) {
	m := c.msg
	m.room()
	n, err := c.get(m.buf[m.w:])
	m.w += n
	return n, err
}

// partOfRecord is how long the rest of a TLS record may take of which the beginning has arrived.
const partOfRecord = 50 * time.Millisecond

// fillNow reads what has arrived behind the head into the buffer, once and without waiting.
func (c *Conn) fillNow() {
	m := c.msg
	if c.sys == nil {
		return
	}
	m.room()
	if c.tryNow != nil {
		n, _ := c.move(m.buf[m.w:], c.sys.Read, c.tryNow)
		m.w += n
		return
	}
	// What has arrived is there at once, unless it is a part of a TLS record only; it may be in the
	// memory of TLS already, which a time in the past still gives out.
	until := time.Unix(1, 0)
	if arrived(c.sys) {
		until = time.Now().Add(partOfRecord)
	}
	if c.raw.SetReadDeadline(until) != nil {
		return
	}
	n, _ := c.Conn.Read(m.buf[m.w:])
	m.w += n
	_ = c.raw.SetReadDeadline(time.Time{})
}

// refill is fill during a body.
func (c *Conn) refill() error {
	m := c.msg
	m.room()
	n, err := c.receive(m.buf[m.w:])
	m.w += n
	return err
}

// Continue sends 100 Continue if the client waits for it and did not get it yet. ReadBody calls it.
// An error means that the client is gone.
func (c *Conn) Continue() error {
	if c.msg == nil || c.msg.continued {
		return nil
	}
	c.msg.continued = true
	_, err := c.Write(continueAnswer)
	return err
}

// continueAnswer is the interim answer to Expect: 100-continue (RFC 9110 15.2.1).
var continueAnswer = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// skippable reports whether what is unread of the body can be discarded. A chunked one says nothing
// about its length. A client that waits for 100 Continue may send the body or leave it out: the
// next byte is unknown.
func (c *Conn) skippable() bool {
	m := c.msg
	if m.err != nil {
		return m.err == io.EOF
	}
	return m.head.Length >= 0 && m.left <= discardable && m.continued
}

// discard reads and drops the rest of the body, and reports whether the next byte is that of
// another request.
func (c *Conn) discard() bool {
	m := c.msg
	if !c.skippable() {
		return false
	}
	if m.err != nil {
		return true
	}
	for {
		n := min(m.left, int64(m.w-m.r))
		m.r += int(n)
		m.left -= n
		if m.left == 0 {
			c.end(io.EOF)
			return true
		}
		if c.refill() != nil {
			return false
		}
	}
}
