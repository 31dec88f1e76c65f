package wire

import (
	"encoding/binary"
	"errors"
)

// errTooLong is the error of a field or packet that the protocol has no length for.
var errTooLong = errors.New("cannot print an MQTT packet: a field or the packet is longer than the protocol allows")

// The longest string or binary value, and the longest rest of a packet.
const (
	maxField  = 1<<16 - 1
	maxPacket = 1<<28 - 1
)

// printer appends the fields of a packet.
type printer struct {
	b    []byte
	long bool // a field was too long: what was printed is not for use
}

// begin starts a packet and returns where its length has to be put.
func begin(dst []byte, t Type, flags byte) (printer, int) {
	return printer{b: append(dst, byte(t)<<4|flags)}, len(dst) + 1
}

func (p *printer) u8(v byte)    { p.b = append(p.b, v) }
func (p *printer) u16(v uint16) { p.b = binary.BigEndian.AppendUint16(p.b, v) }
func (p *printer) u32(v uint32) { p.b = binary.BigEndian.AppendUint32(p.b, v) }

func (p *printer) varint(n int) {
	for ; n >= 0x80; n >>= 7 {
		p.b = append(p.b, byte(n)|0x80)
	}
	p.b = append(p.b, byte(n))
}

// bytes appends a string or binary data with its length.
func (p *printer) bytes(b []byte) {
	if len(b) > maxField {
		p.long = true
		return
	}
	p.u16(uint16(len(b)))
	p.b = append(p.b, b...)
}

// length puts the length of what stands behind at, and of more bytes that are to come, in front of
// it. Lengths precede what they count, and most fit in one byte: moving what is printed is cheaper
// than counting it before.
func (p *printer) length(at, more int) {
	n := len(p.b) - at + more
	if n > maxPacket {
		p.long = true
		return
	}
	size := varintSize(n)
	p.b = append(p.b, 0, 0, 0, 0)[:len(p.b)+size]
	copy(p.b[at+size:], p.b[at:])
	for i := range size {
		p.b[at+i] = byte(n>>(7*i))&0x7f | 0x80
	}
	p.b[at+size-1] &= 0x7f
}

// end finishes the packet that was begun at at.
func (p *printer) end(at int) ([]byte, error) {
	p.length(at, 0)
	return p.done(at)
}

// done returns what is printed, or what was before the packet that was begun at at.
func (p *printer) done(at int) ([]byte, error) {
	if p.long {
		return p.b[:at-1], errTooLong
	}
	return p.b, nil
}
