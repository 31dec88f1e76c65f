package upstream

// exchange sends the request and reads the head of the answer. The connection belongs to the answer
// afterwards, or is gone.
func (c *conn) exchange(r *Request, a *Answer) error {
	c.rewind()
	a.use(c)
	var err error
	if r.streamed() {
		err = c.sendStream(r, a)
	} else {
		err = c.send(r, a)
	}
	if err != nil {
		a.stale = c.used && !c.got && c.kind() == ErrBroken
		err = a.fail(err)
		a.clear()
		return err
	}
	c.used = true
	a.begin()
	return nil
}

// send writes the request in one piece and waits for the answer.
func (c *conn) send(r *Request, a *Answer) error {
	size := r.headSize(c.pool.own) + len(r.Body)
	if c.plain() && size-r.apart() <= smallBuffer {
		// The buffer that holds the request is the one that the answer comes into: it has been
		// written by then.
		a.stream.buf = getBuffer(smallBuffer)
		c.raw.out = r.pieces(a.stream.buf[:0], c.pool.own)
		c.written()
		return a.readHead()
	}
	return c.sendWhole(r, a, size)
}

// sendWhole writes what does not fit the buffer of the answer, or goes through TLS.
func (c *conn) sendWhole(r *Request, a *Answer, size int) error {
	a.stream.buf = getBuffer(size)
	sendErr := c.write(append(r.appendHead(a.stream.buf[:0], c.pool.own), r.Body...))
	if len(a.stream.buf) != smallBuffer {
		putBuffer(a.stream.buf)
		a.stream.buf = getBuffer(smallBuffer)
	}
	if sendErr != nil && len(r.Body) == 0 {
		return sendErr
	}
	// A backend that refuses a body may answer and close before it has read all of it.
	c.written()
	if err := a.readHead(); err != nil {
		return err
	}
	a.keep = a.keep && sendErr == nil
	return nil
}
