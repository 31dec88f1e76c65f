package wire

// packet is what every type of this package can do.
type packet interface {
	Parse(Frame) error
	Append([]byte, Version) ([]byte, error)
}

func newPacket(t Type) packet {
	switch t {
	case CONNECT:
		return new(Connect)
	case CONNACK:
		return new(Connack)
	case PUBLISH:
		return new(Publish)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		return new(Ack)
	case SUBSCRIBE:
		return new(Subscribe)
	case UNSUBSCRIBE:
		return new(Unsubscribe)
	case SUBACK, UNSUBACK:
		return new(Suback)
	case DISCONNECT:
		return new(Disconnect)
	case AUTH:
		return new(Auth)
	}
	return new(Empty)
}
