package wire

import "encoding/binary"

// cursor reads the body of a packet. After the first fault it yields zero values, so that a parser
// may go on to its end and ask once.
type cursor struct {
	b      []byte
	reason Reason // of the first fault; Success: none
	text   string
}

// fail notes a fault unless there was one before.
func (c *cursor) fail(r Reason, text string) {
	if c.reason == Success {
		c.reason, c.text = r, text
	}
	c.b = nil
}

func (c *cursor) malformed(text string) { c.fail(Malformed, text) }

func (c *cursor) failed() bool { return c.reason != Success }

// err returns the fault.
func (c *cursor) err() error {
	if c.reason == Success {
		return nil
	}
	return &Fault{Reason: c.reason, Text: c.text}
}

// end returns the fault; bytes that are left are one.
func (c *cursor) end() error {
	if len(c.b) > 0 {
		c.malformed("bytes are left over behind the packet's last field")
	}
	return c.err()
}

// take returns the next n bytes.
func (c *cursor) take(n int) []byte {
	if len(c.b) < n {
		c.malformed("a field reaches beyond the end of the packet")
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint reads a variable byte integer: at most four bytes and no longer than it has to be.
func (c *cursor) varint() int {
	n, size := varint(c.b)
	switch {
	case size == 0:
		c.malformed("a variable integer reaches beyond the end of the packet")
	case size < 0:
		c.malformed("a variable integer is longer than it may be")
	default:
		c.b = c.b[size:]
	}
	return n
}

// varint reads a variable byte integer from the front of b and returns it with its size: 0 if b
// ends too early, -1 if the integer has more bytes than four or than it needs.
func varint(b []byte) (n, size int) {
	for i := range b {
		n |= int(b[i]&0x7f) << (7 * i)
		switch {
		case b[i] < 0x80 && i > 0 && b[i] == 0:
			return 0, -1
		case b[i] < 0x80:
			return n, i + 1
		case i == 3:
			return 0, -1
		}
	}
	return 0, 0
}

// varintSize returns how many bytes n takes.
func varintSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// binary reads binary data: two bytes of length, then anything.
func (c *cursor) binary() []byte { return c.take(int(c.u16())) }

// utf8 reads a string: UTF-8 without U+0000.
func (c *cursor) utf8() []byte {
	b := c.binary()
	if text, nul := textOf(b); !text || nul {
		c.malformed("a string is not UTF-8 or holds U+0000")
		return nil
	}
	return b
}

// packetID reads a packet id, which is never 0.
func (c *cursor) packetID() uint16 {
	id := c.u16()
	if id == 0 && !c.failed() {
		c.fail(ProtocolError, "packet id 0")
	}
	return id
}
