package head

import (
	"bytes"
	"io"
)

// Limits of chunked framing, in bytes.
const (
	maxChunkDigits = 8       // of a size, leading zeros included
	maxTrailer     = 1 << 10 // one trailer line
	maxTrailers    = 4 << 10 // all of them
)

// chunk is the place within a chunked body.
type chunk struct {
	inData   bool // a chunk was begun, whose CRLF was not read yet
	trailers int  // bytes of trailers so far
}

// readChunked reads bytes of a chunked body.
func (c *Conn) readChunked(p []byte) (int, error) {
	if c.msg.left <= 0 {
		if err := c.nextChunk(); err != nil {
			return 0, err
		}
	}
	return c.readLeft(p)
}

// nextChunk reads the framing up to the next byte of data. After the last chunk it reads the
// trailers and returns io.EOF. Extensions are refused: they have no use here, and where a parser
// takes one to end has been a smuggling gap more than once.
func (c *Conn) nextChunk() error {
	m := c.msg
	if m.chunk.inData {
		if _, err := c.readLine(0, errChunk); err != nil {
			return err
		}
	}
	line, err := c.readLine(maxChunkDigits, errChunk)
	if err != nil {
		return err
	}
	m.left = hex(line)
	switch {
	case m.left < 0:
		return errChunk
	case m.left == 0:
		return c.readTrailers()
	}
	m.chunk.inData = true
	return nil
}

// hex returns the value of 1 to 8 hexadecimal digits; -1 if b is anything else.
func hex(b []byte) int64 {
	if len(b) == 0 {
		return -1
	}
	n := int64(0)
	for _, d := range b {
		switch d = fold[d]; {
		case '0' <= d && d <= '9':
			n = n<<4 | int64(d-'0')
		case 'a' <= d && d <= 'f':
			n = n<<4 | int64(d-'a'+10)
		default:
			return -1
		}
	}
	return n
}

// readTrailers reads the lines after the last chunk and drops them. One that carries identity or
// framing is refused: some servers merge trailers into the headers, where it would be believed.
func (c *Conn) readTrailers() error {
	for {
		line, err := c.readLine(maxTrailer, errTrailer)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return io.EOF
		}
		c.msg.chunk.trailers += len(line)
		f, ok := splitField(line)
		n := classify(f.Name)
		if !ok || !textByte.allText(f.Value) || n.protected() || n == nameOverride || c.msg.chunk.trailers > maxTrailers {
			return errTrailer
		}
	}
}

// readLine returns the next line of framing without its CRLF; it is valid until the next read. A
// line that is longer than limit, or does not end in CRLF, is the fault.
func (c *Conn) readLine(limit int, fault *Fault) ([]byte, error) {
	m := c.msg
	for {
		unread := m.buf[m.r:m.w]
		window := unread[:min(len(unread), limit+len("\r\n"))]
		if i := bytes.IndexByte(window, '\n'); i >= 0 {
			m.r += i + 1
			if i == 0 || window[i-1] != '\r' {
				return nil, fault
			}
			return window[:i-1], nil
		}
		if len(window) == limit+len("\r\n") {
			return nil, fault
		}
		if err := c.refill(); err != nil {
			return nil, err
		}
	}
}
