package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// The types of packets, as the upper half of the first byte.
const (
	typeConnect     = 1
	typeConnack     = 2
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeSuback      = 9
	typeUnsubscribe = 10
	typeUnsuback    = 11
	typePingreq     = 12
	typePingresp    = 13
	typeDisconnect  = 14
)

// The properties that mean something to the broker; it passes others on or ignores them.
const (
	propExpiry               = 0x02
	propContentType          = 0x03
	propResponseTopic        = 0x08
	propCorrelation          = 0x09
	propIdentifier           = 0x0b
	propSessionExpiry        = 0x11
	propWillDelay            = 0x18
	propReceiveMax           = 0x21
	propAliasMax             = 0x22
	propAlias                = 0x23
	propUser                 = 0x26
	propMaxPacket            = 0x27
	propIdentifiersAvailable = 0x29
)

// widths says how the value of a property is written: its bytes, or one of the kinds below.
var widths = map[byte]int{
	0x01: 1, 0x02: 4, 0x03: text, 0x08: text, 0x09: text, 0x0b: variable, 0x11: 4, 0x12: text, 0x13: 2, 0x15: text,
	0x16: text, 0x17: 1, 0x18: 4, 0x19: 1, 0x1a: text, 0x1c: text, 0x1f: text, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1,
	0x25: 1, 0x26: twoTexts, 0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1,
}

const (
	text     = -1 // or binary data
	twoTexts = -2
	variable = -3
)

// maxPacket is the longest packet that the broker takes, in bytes.
const maxPacket = 1 << 20

var errPacket = errors.New("broker: a packet that is not MQTT")

// packet is one packet as it was read.
type packet struct {
	kind, flags byte
	body        []byte
}

func readPacket(r *bufio.Reader) (packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return packet{}, err
	}
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return packet{}, err
	}
	if length > maxPacket {
		return packet{}, errPacket
	}
	body := make([]byte, length)
	_, err = io.ReadFull(r, body)
	return packet{kind: first >> 4, flags: first & 0x0f, body: body}, err
}

func appendPacket(dst []byte, kind, flags byte, body []byte) []byte {
	dst = binary.AppendUvarint(append(dst, kind<<4|flags), uint64(len(body)))
	return append(dst, body...)
}

// UserProperty is a user property of MQTT 5.
type UserProperty struct{ Name, Value string }

// properties are those of one packet.
type properties struct {
	numbers     map[byte]uint32
	texts       map[byte]string
	identifiers []uint32
	user        []UserProperty
}

func (p *properties) number(id byte, otherwise uint32) uint32 {
	if n, found := p.numbers[id]; found {
		return n
	}
	return otherwise
}

// fields reads the fields of a body one after the other. After an error it yields nothing.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) next(n int) []byte {
	if f.bad || n > len(f.b) {
		f.bad = true
		return make([]byte, max(n, 0)&0xffff)
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fields) byte() byte     { return f.next(1)[0] }
func (f *fields) short() uint16  { return binary.BigEndian.Uint16(f.next(2)) }
func (f *fields) text() string   { return string(f.next(int(f.short()))) }
func (f *fields) number() uint32 { return binary.BigEndian.Uint32(f.next(4)) }

func (f *fields) variable() uint32 {
	n, size := binary.Uvarint(f.b)
	if size <= 0 || size > 4 {
		f.bad = true
		return 0
	}
	f.b = f.b[size:]
	return uint32(n)
}

// properties reads a block of properties, which only MQTT 5 has.
func (f *fields) properties(version byte) properties {
	p := properties{numbers: map[byte]uint32{}, texts: map[byte]string{}}
	if version != 5 {
		return p
	}
	block := fields{b: f.next(int(f.variable()))}
	for len(block.b) > 0 && !block.bad && !f.bad {
		id := block.byte()
		switch width := widths[id]; width {
		case 0:
			block.bad = true
		case text:
			p.texts[id] = block.text()
		case twoTexts:
			p.user = append(p.user, UserProperty{block.text(), block.text()})
		case variable:
			p.identifiers = append(p.identifiers, block.variable())
		case 1:
			p.numbers[id] = uint32(block.byte())
		case 2:
			p.numbers[id] = uint32(block.short())
		default:
			p.numbers[id] = block.number()
		}
	}
	f.bad = f.bad || block.bad
	return p
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// append prints a block of properties.
func (p *properties) append(dst []byte, version byte) []byte {
	if version != 5 {
		return dst
	}
	var block []byte
	for _, id := range sortedKeys(p.numbers) {
		block = append(block, id)
		switch widths[id] {
		case 1:
			block = append(block, byte(p.numbers[id]))
		case 2:
			block = binary.BigEndian.AppendUint16(block, uint16(p.numbers[id]))
		default:
			block = binary.BigEndian.AppendUint32(block, p.numbers[id])
		}
	}
	for _, id := range sortedKeys(p.texts) {
		block = appendText(append(block, id), p.texts[id])
	}
	for _, n := range p.identifiers {
		block = binary.AppendUvarint(append(block, propIdentifier), uint64(n))
	}
	for _, u := range p.user {
		block = appendText(appendText(append(block, propUser), u.Name), u.Value)
	}
	return append(binary.AppendUvarint(dst, uint64(len(block))), block...)
}

func sortedKeys[V any](m map[byte]V) []byte {
	keys := make([]byte, 0, len(m))
	for id := range m {
		keys = append(keys, id)
	}
	slices.Sort(keys)
	return keys
}
