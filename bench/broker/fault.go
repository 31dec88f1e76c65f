package broker

// Fault is a way to misbehave.
type Fault uint8

// The ways to misbehave, in what happens to the next connections.
const (
	None          Fault = iota
	Silent              // CONNECT is not answered
	Refuses             // no credential is good: 0x86
	Unavailable         // 0x88
	Only311             // a CONNECT of MQTT 5 is answered as a broker does that does not know it
	CutsConnack         // half a CONNACK, then the end
	Garbage             // something that is not MQTT
	CutInDelivery       // half of the first message, then the end
)

// Misbehave sets how connections are treated from now on.
func (b *Broker) Misbehave(f Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = f
}

// misbehaves does to a CONNECT what the fault wants, and reports whether that was its answer.
// Silent is seen to by connect.
func (c *conn) misbehaves() bool {
	switch c.broker.fault {
	case Refuses:
		c.connack(0, codeBadCredential, properties{})
	case Unavailable:
		c.connack(0, 0x88, properties{})
	case Only311:
		if c.version != 5 {
			return false
		}
		c.writeRaw("\x20\x02\x00\x01")
	case CutsConnack:
		c.writeRaw("\x20\x09\x00")
	case Garbage:
		c.writeRaw("HTTP/1.1 400 Bad Request\r\n\r\n")
	case CutInDelivery:
		c.halfOut = true
		return false
	default:
		return false
	}
	return true
}

// writeRaw writes bytes as they are and ends the connection.
func (c *conn) writeRaw(s string) {
	c.mu.Lock()
	c.output = append(c.output, s...)
	c.ending = true
	c.mu.Unlock()
	c.ready.Signal()
}
