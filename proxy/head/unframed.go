package head

// Unframed reports whether bytes have arrived behind a head without a length that cannot begin
// another request: the body of a client that forgot to frame it, as Node's http.request does for
// DELETE. What the head says alone is then not what the client meant, so the request must not be
// forwarded. It looks at what was read with the head and, if that is nothing, reads once without
// waiting. After true, ReadBody fails with the fault and the connection ends with the answer.
func (c *Conn) Unframed() bool {
	m := c.msg
	if m == nil || m.head.HasLength || m.head.chunked || m.head.Fault != nil {
		return false
	}
	if m.r == m.w {
		c.fillNow()
	}
	if beginsRequest(m.buf[m.r:m.w]) {
		return false
	}
	m.err = errUnframed
	c.lingerClose.Store(true)
	return true
}

// UnframedFault is what a request is refused for after Unframed.
var UnframedFault = errUnframed

// beginsRequest reports whether b may be the beginning of a request: up to two empty lines, then a
// method in capitals and a space. All methods in use are spelled so; JSON and forms are not.
func beginsRequest(b []byte) bool {
	for range maxEmptyLines {
		if len(b) > 0 && b[0] == '\r' {
			b = b[1:]
			if len(b) > 0 && b[0] == '\n' {
				b = b[1:]
			}
		}
	}
	for i, c := range b {
		switch {
		case c == ' ' && i > 0:
			return true
		case c < 'A' || c > 'Z':
			return false
		}
	}
	return true
}
