package wire

// Version is the protocol level that CONNECT declares. Zero is none yet.
type Version uint8

// The versions.
const (
	V31  Version = 3 // MQIsdp
	V311 Version = 4
	V5   Version = 5
)

// Sender is who sends what a Reader reads. Some packets, properties and reason codes are for one
// side alone.
type Sender uint8

// The senders.
const (
	Client Sender = iota
	Server
)

// Type is a packet's type: the upper half of its first byte.
type Type uint8

// The types.
const (
	CONNECT Type = iota + 1
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

// typeNames are the standard's words.
var typeNames = [16]string{
	"reserved", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
	"SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String returns the standard's word.
func (t Type) String() string { return typeNames[t&15] }

// sentBy reports whether this side may send the type in this version.
func (t Type) sentBy(s Sender, v Version) bool {
	switch t {
	case CONNECT, SUBSCRIBE, UNSUBSCRIBE, PINGREQ:
		return s == Client
	case CONNACK, SUBACK, UNSUBACK, PINGRESP:
		return s == Server
	case DISCONNECT:
		return s == Client || v == V5
	case AUTH:
		return v == V5
	case PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP:
		return true
	}
	return false
}

// flagsFit reports whether the lower half of the first byte is as the type wants it. MQTT 3.1 marks
// a repeated PUBREL, SUBSCRIBE or UNSUBSCRIBE with the DUP bit; later versions reserve it.
func (t Type) flagsFit(flags byte, v Version) bool {
	switch t {
	case PUBLISH:
		return flags&flagQoS != flagQoS && (flags&flagQoS != 0 || flags&flagDup == 0)
	case PUBREL, SUBSCRIBE, UNSUBSCRIBE:
		return flags == flagQoS1 || v == V31 && flags == flagQoS1|flagDup
	}
	return flags == 0
}

// The lower half of the first byte.
const (
	flagRetain = 0x01
	flagQoS1   = 0x02
	flagQoS    = 0x06
	flagDup    = 0x08
)

// Frame is one packet as it was cut from the stream: first byte checked, the rest not looked at.
type Frame struct {
	Type    Type
	Version Version // of the connection; 0 of a CONNECT
	Sender  Sender

	flags byte
	body  []byte // what follows the remaining length
}

// Size returns the length of the packet in bytes, with its header.
func (f Frame) Size() int { return 1 + varintSize(len(f.body)) + len(f.body) }

// Empty is a PINGREQ or a PINGRESP: nothing but its header.
type Empty struct{ Type Type }

// Parse reads a frame.
func (e *Empty) Parse(f Frame) error {
	e.Type = f.Type
	c := cursor{b: f.body}
	return c.end()
}

// Append prints the packet behind dst.
func (e *Empty) Append(dst []byte, _ Version) ([]byte, error) {
	return append(dst, byte(e.Type)<<4, 0), nil
}
