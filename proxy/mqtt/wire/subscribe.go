package wire

// Subscription is one filter of a SUBSCRIBE with its options.
type Subscription struct {
	Filter            []byte
	QoS               uint8
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    uint8 // 0: send retained messages, 1: if the subscription is new, 2: do not
}

// Subscribe is a SUBSCRIBE.
type Subscribe struct {
	ID         uint16
	Properties Properties
	Filters    []Subscription
}

// The options of a subscription.
const (
	optionQoS             = 0x03
	optionNoLocal         = 0x04
	optionAsPublished     = 0x08
	optionHandling        = 0x30
	optionHandlingUnknown = 0x30
	optionReserved        = 0xC0
)

// Parse reads a frame.
func (s *Subscribe) Parse(f Frame) error {
	c := cursor{b: f.body}
	s.ID = c.packetID()
	c.properties(&s.Properties, f.Version, inSubscribe)
	s.Filters = s.Filters[:0]
	for len(c.b) > 0 {
		filter := c.filter()
		s.Filters = append(s.Filters, c.options(filter, f.Version))
	}
	if len(s.Filters) == 0 {
		c.fail(ProtocolError, "SUBSCRIBE without a filter")
	}
	return c.err()
}

// options reads the byte behind a filter.
func (c *cursor) options(filter []byte, v Version) Subscription {
	o := c.u8()
	s := Subscription{
		Filter:            filter,
		QoS:               o & optionQoS,
		NoLocal:           o&optionNoLocal != 0,
		RetainAsPublished: o&optionAsPublished != 0,
		RetainHandling:    o & optionHandling >> 4,
	}
	switch {
	case s.QoS > 2:
		c.malformed("QoS 3")
	case o&optionReserved != 0 || v != V5 && o&^optionQoS != 0:
		c.malformed("a reserved bit of subscription options")
	case o&optionHandling == optionHandlingUnknown:
		c.fail(ProtocolError, "retain handling 3")
	case s.NoLocal && shared(filter):
		c.fail(ProtocolError, "No Local with a shared filter")
	}
	return s
}

// Append prints the packet behind dst. In 3.x properties and all options but QoS are left out.
func (s *Subscribe) Append(dst []byte, v Version) ([]byte, error) {
	out, at := begin(dst, SUBSCRIBE, flagQoS1)
	out.u16(s.ID)
	out.properties(&s.Properties, v)
	for i := range s.Filters {
		out.bytes(s.Filters[i].Filter)
		out.u8(s.Filters[i].options(v))
	}
	return out.end(at)
}

func (s *Subscription) options(v Version) byte {
	o := s.QoS
	if v != V5 {
		return o
	}
	if s.NoLocal {
		o |= optionNoLocal
	}
	if s.RetainAsPublished {
		o |= optionAsPublished
	}
	return o | s.RetainHandling<<4
}

// Unsubscribe is an UNSUBSCRIBE.
type Unsubscribe struct {
	ID         uint16
	Properties Properties
	Filters    [][]byte
}

// Parse reads a frame.
func (u *Unsubscribe) Parse(f Frame) error {
	c := cursor{b: f.body}
	u.ID = c.packetID()
	c.properties(&u.Properties, f.Version, inUnsubscribe)
	u.Filters = u.Filters[:0]
	for len(c.b) > 0 {
		u.Filters = append(u.Filters, c.filter())
	}
	if len(u.Filters) == 0 {
		c.fail(ProtocolError, "UNSUBSCRIBE without a filter")
	}
	return c.err()
}

// Append prints the packet behind dst.
func (u *Unsubscribe) Append(dst []byte, v Version) ([]byte, error) {
	out, at := begin(dst, UNSUBSCRIBE, flagQoS1)
	out.u16(u.ID)
	out.properties(&u.Properties, v)
	for _, f := range u.Filters {
		out.bytes(f)
	}
	return out.end(at)
}

// Suback is a SUBACK or an UNSUBACK.
type Suback struct {
	Type       Type
	ID         uint16
	Properties Properties
	Codes      []Reason // one a filter; UNSUBACK of 3.x has none
}

// Parse reads a frame.
func (s *Suback) Parse(f Frame) error {
	s.Type = f.Type
	c := cursor{b: f.body}
	s.ID = c.packetID()
	c.properties(&s.Properties, f.Version, inAck)
	s.Codes = s.Codes[:0]
	if f.Type == UNSUBACK && f.Version != V5 {
		return c.end()
	}
	for _, b := range c.b {
		r := Reason(b)
		known := f.Type.knows(r, f.Sender)
		if f.Version != V5 {
			known = r <= 2 || r == Unspecified && f.Version == V311
		}
		if !known {
			c.malformed("a reason code that this packet does not know")
		}
		s.Codes = append(s.Codes, r)
	}
	if len(s.Codes) == 0 {
		c.fail(ProtocolError, "no reason code")
	}
	return c.err()
}

// Append prints the packet behind dst. Codes are printed as they are: SubackCode has those of 3.x.
func (s *Suback) Append(dst []byte, v Version) ([]byte, error) {
	out, at := begin(dst, s.Type, 0)
	out.u16(s.ID)
	out.properties(&s.Properties, v)
	if s.Type == SUBACK || v == V5 {
		for _, r := range s.Codes {
			out.u8(byte(r))
		}
	}
	return out.end(at)
}
