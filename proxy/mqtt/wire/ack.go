package wire

// Ack is a PUBACK, PUBREC, PUBREL or PUBCOMP.
type Ack struct {
	Type       Type
	ID         uint16
	Reason     Reason // 3.x: always Success
	Properties Properties
}

// Parse reads a frame. MQTT 5 lets a packet end behind its id, or behind its reason.
func (a *Ack) Parse(f Frame) error {
	a.Type = f.Type
	c := cursor{b: f.body}
	a.ID = c.packetID()
	a.Reason = c.tail(f, &a.Properties, inAck)
	return c.end()
}

// tail reads the reason and properties that end a packet of MQTT 5, either of which may be missing.
func (c *cursor) tail(f Frame, p *Properties, at place) Reason {
	p.Reset()
	if f.Version != V5 || len(c.b) == 0 {
		return Success
	}
	r := Reason(c.u8())
	if !f.Type.knows(r, f.Sender) {
		c.fail(Malformed, "a reason code that this packet does not know")
	}
	if len(c.b) > 0 {
		c.properties(p, f.Version, at)
	}
	return r
}

// Append prints the packet behind dst. In 3.x, which has only positive acknowledgements, reason and
// properties are left out.
func (a *Ack) Append(dst []byte, v Version) ([]byte, error) {
	var flags byte
	if a.Type == PUBREL {
		flags = flagQoS1
	}
	out, at := begin(dst, a.Type, flags)
	out.u16(a.ID)
	out.tail(a.Reason, &a.Properties, v)
	return out.end(at)
}

// tail prints reason and properties in their shortest form.
func (p *printer) tail(r Reason, ps *Properties, v Version) {
	if v != V5 || r == Success && ps.none() {
		return
	}
	p.u8(byte(r))
	if !ps.none() {
		p.properties(ps, v)
	}
}

// Disconnect is a DISCONNECT.
type Disconnect struct {
	Reason     Reason
	Properties Properties
}

// Parse reads a frame.
func (d *Disconnect) Parse(f Frame) error {
	at := inDisconnectUp
	if f.Sender == Server {
		at = inDisconnectDown
	}
	c := cursor{b: f.body}
	d.Reason = c.tail(f, &d.Properties, at)
	return c.end()
}

// Append prints the packet behind dst. In 3.x reason and properties are left out, and only clients
// send it.
func (d *Disconnect) Append(dst []byte, v Version) ([]byte, error) {
	out, at := begin(dst, DISCONNECT, 0)
	out.tail(d.Reason, &d.Properties, v)
	return out.end(at)
}

// Auth is an AUTH, of MQTT 5.
type Auth struct {
	Reason     Reason
	Properties Properties
}

// Parse reads a frame.
func (a *Auth) Parse(f Frame) error {
	c := cursor{b: f.body}
	if a.Reason = c.tail(f, &a.Properties, inAuth); !f.Type.knows(a.Reason, f.Sender) {
		c.fail(Malformed, "a reason code that this packet does not know")
	}
	if !c.failed() && !a.Properties.Has(AuthMethod) {
		c.fail(ProtocolError, "AUTH without an authentication method")
	}
	return c.end()
}

// Append prints the packet behind dst.
func (a *Auth) Append(dst []byte, v Version) ([]byte, error) {
	out, at := begin(dst, AUTH, 0)
	out.tail(a.Reason, &a.Properties, v)
	return out.end(at)
}
