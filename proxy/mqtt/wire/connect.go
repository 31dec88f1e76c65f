package wire

// Will is the message that the broker publishes when a connection ends badly.
type Will struct {
	QoS        uint8
	Retain     bool
	Topic      []byte
	Properties Properties
	Payload    []byte
}

// Connect is a CONNECT.
type Connect struct {
	Version    Version
	CleanStart bool   // 3.x: clean session
	KeepAlive  uint16 // seconds; 0: none
	Properties Properties
	ClientID   []byte
	HasWill    bool
	Will       Will
	HasUser    bool
	User       []byte
	HasPass    bool
	Password   []byte
}

// The flags of CONNECT.
const (
	connectReserved   = 0x01
	connectClean      = 0x02
	connectWill       = 0x04
	connectWillQoS    = 0x18
	connectWillRetain = 0x20
	connectPassword   = 0x40
	connectUser       = 0x80
)

// protocolName is what CONNECT begins with.
func protocolName(v Version) string {
	if v == V31 {
		return "MQIsdp"
	}
	return "MQTT"
}

// Parse reads a frame. A version that the gateway does not speak is UnsupportedVersion.
func (p *Connect) Parse(f Frame) error {
	c := cursor{b: f.body}
	name := c.binary()
	p.Version = Version(c.u8())
	switch {
	case c.failed():
	case string(name) != "MQTT" && string(name) != "MQIsdp":
		c.malformed("the name of another protocol")
	case p.Version < V31 || p.Version > V5 || string(name) != protocolName(p.Version):
		c.fail(UnsupportedVersion, "a protocol version that is not spoken")
	}
	flags := c.u8()
	p.checkFlags(&c, flags)
	p.CleanStart = flags&connectClean != 0
	p.HasWill, p.HasUser, p.HasPass = flags&connectWill != 0, flags&connectUser != 0, flags&connectPassword != 0
	p.KeepAlive = c.u16()
	c.properties(&p.Properties, p.Version, inConnect)
	if p.Properties.Has(AuthData) && !p.Properties.Has(AuthMethod) {
		c.fail(ProtocolError, "authentication data without a method")
	}
	p.ClientID = c.clientID()
	p.Will.QoS, p.Will.Retain = flags&connectWillQoS>>3, flags&connectWillRetain != 0
	p.Will.parse(&c, p.HasWill, p.Version)
	p.User, p.Password = nil, nil
	if p.HasUser {
		p.User = c.userName()
	}
	if p.HasPass {
		p.Password = c.binary()
	}
	return c.end()
}

func (p *Connect) checkFlags(c *cursor, flags byte) {
	switch {
	case flags&connectReserved != 0:
		c.malformed("the reserved bit of CONNECT")
	case flags&connectWillQoS == connectWillQoS:
		c.malformed("a will with QoS 3")
	case flags&connectWill == 0 && flags&(connectWillQoS|connectWillRetain) != 0:
		c.malformed("QoS or retain of a will without a will")
	case p.Version != V5 && flags&connectPassword != 0 && flags&connectUser == 0:
		c.malformed("a password without a user name")
	}
}

// parse reads the will, or clears it.
func (w *Will) parse(c *cursor, present bool, v Version) {
	w.Topic, w.Payload = nil, nil
	w.Properties.Reset()
	if !present {
		return
	}
	c.properties(&w.Properties, v, inWill)
	if w.Topic = c.topic(); len(w.Topic) == 0 {
		c.malformed("an empty will topic")
	}
	w.Payload = c.binary()
}

// Append prints the packet behind dst, in its own version: the argument is not used.
func (p *Connect) Append(dst []byte, _ Version) ([]byte, error) {
	out, at := begin(dst, CONNECT, 0)
	out.bytes([]byte(protocolName(p.Version)))
	out.u8(byte(p.Version))
	out.u8(p.flags())
	out.u16(p.KeepAlive)
	out.properties(&p.Properties, p.Version)
	out.bytes(p.ClientID)
	if p.HasWill {
		out.properties(&p.Will.Properties, p.Version)
		out.bytes(p.Will.Topic)
		out.bytes(p.Will.Payload)
	}
	if p.HasUser {
		out.bytes(p.User)
	}
	if p.HasPass {
		out.bytes(p.Password)
	}
	return out.end(at)
}

func (p *Connect) flags() byte {
	var flags byte
	if p.CleanStart {
		flags |= connectClean
	}
	if p.HasWill {
		flags |= connectWill | p.Will.QoS<<3
		if p.Will.Retain {
			flags |= connectWillRetain
		}
	}
	if p.HasUser {
		flags |= connectUser
	}
	if p.HasPass {
		flags |= connectPassword
	}
	return flags
}

// Connack is a CONNACK.
type Connack struct {
	SessionPresent bool
	Code           Reason // of MQTT 5, or a return code of 3.x: see ConnackCode
	Properties     Properties
}

// Parse reads a frame.
func (p *Connack) Parse(f Frame) error {
	c := cursor{b: f.body}
	flags := c.u8()
	p.SessionPresent = flags == 1
	p.Code = Reason(c.u8())
	known := CONNACK.knows(p.Code, f.Sender)
	if f.Version != V5 {
		known = p.Code <= 5
	}
	switch {
	case c.failed():
	case flags > 1 || flags == 1 && f.Version == V31:
		c.malformed("a reserved bit of CONNACK")
	case !known:
		c.malformed("a reason code that this packet does not know")
	case p.SessionPresent && p.Code != Success:
		c.fail(ProtocolError, "a session is present although the connection was refused")
	}
	c.properties(&p.Properties, f.Version, inConnack)
	return c.end()
}

// Append prints the packet behind dst. MQTT 3.1 does not say whether a session is present.
func (p *Connack) Append(dst []byte, v Version) ([]byte, error) {
	out, at := begin(dst, CONNACK, 0)
	var flags byte
	if p.SessionPresent && v != V31 {
		flags = 1
	}
	out.u8(flags)
	out.u8(byte(p.Code))
	out.properties(&p.Properties, v)
	return out.end(at)
}
