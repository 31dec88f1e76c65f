package sequences

import (
	"bytes"
	"encoding/binary"
)

// Flags of CONNECT.
const (
	flagUser     = 0x80
	flagPassword = 0x40
	flagWill     = 0x04
)

// withUser puts a user name into a CONNECT that has neither user name nor password. Whatever is not
// laid out as a CONNECT from its first to its last byte stays as it is, so that no fault is mended.
func withUser(packet []byte, user string) []byte {
	if len(packet) == 0 || packet[0] != 0x10 || user == "" {
		return packet
	}
	length, size := binary.Uvarint(packet[1:])
	if size <= 0 || !bytes.Equal(binary.AppendUvarint(nil, length), packet[1:1+size]) || length > uint64(len(packet)-1-size) {
		return packet
	}
	body, behind := packet[1+size:][:length], packet[1+size:][length:]
	l := layout{rest: body}
	l.text() // protocol name
	version := l.take(1)
	flagsAt := len(body) - len(l.rest)
	flags := l.take(1)
	l.take(2) // keep alive
	if version == 5 {
		l.properties()
	}
	l.text() // client id
	if flags&flagWill != 0 {
		if version == 5 {
			l.properties()
		}
		l.text() // topic
		l.text() // payload
	}
	if l.short || len(l.rest) > 0 || flags&(flagUser|flagPassword) != 0 {
		return packet
	}
	own := appendText(bytes.Clone(body), user)
	own[flagsAt] |= flagUser
	out := binary.AppendUvarint([]byte{0x10}, uint64(len(own)))
	return append(append(out, own...), behind...)
}

// layout walks over the fields of a packet.
type layout struct {
	rest  []byte
	short bool // a field reached beyond the end
}

// take passes over n bytes, at least one, and returns the last of them.
func (l *layout) take(n int) (last byte) {
	if n > len(l.rest) {
		l.short, l.rest = true, nil
		return 0
	}
	last, l.rest = l.rest[n-1], l.rest[n:]
	return last
}

// text passes over two bytes of length and as many bytes.
func (l *layout) text() {
	if len(l.rest) < 2 {
		l.short = true
		return
	}
	l.take(2 + int(binary.BigEndian.Uint16(l.rest)))
}

func (l *layout) properties() {
	n, size := binary.Uvarint(l.rest)
	if size <= 0 || n > uint64(len(l.rest)) {
		l.short = true
		return
	}
	l.take(size + int(n))
}
