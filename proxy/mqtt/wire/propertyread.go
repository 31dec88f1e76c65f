package wire

import "math/bits"

// properties reads the block of properties at a place into p: its length, then identifiers and
// values. MQTT 3.x has none.
func (c *cursor) properties(p *Properties, v Version, at place) {
	p.Reset()
	if v != V5 {
		return
	}
	block := cursor{b: c.take(c.varint())}
	for len(block.b) > 0 {
		block.property(p, at)
	}
	if block.failed() {
		c.fail(block.reason, block.text)
	}
}

// property reads one property.
func (c *cursor) property(p *Properties, at place) {
	id := c.varint()
	if c.failed() {
		return
	}
	if id >= propertyEnd || properties[id].kind == unknownProperty {
		c.malformed("a property that the standard does not have")
		return
	}
	row := properties[id]
	if row.where&at == 0 {
		c.malformed("a property that this packet may not have")
		return
	}
	switch {
	case row.kind == pair:
		p.User = append(p.User, Pair{Name: c.utf8(), Value: c.utf8()})
		return
	case row.kind == identifier:
		c.identifier(p, at)
		return
	case p.Has(Property(id)):
		c.fail(ProtocolError, "a property that may come once comes twice")
		return
	}
	p.set |= 1 << id
	if row.text() {
		p.texts[row.slot] = c.textValue(row.kind)
		return
	}
	p.nums[row.slot] = c.number(row.kind)
}

// identifier reads a subscription identifier.
func (c *cursor) identifier(p *Properties, at place) {
	n := c.varint()
	switch {
	case c.failed():
	case n == 0:
		c.fail(ProtocolError, "subscription identifier 0")
	case at == inSubscribe && len(p.IDs) > 0:
		c.fail(ProtocolError, "a second subscription identifier")
	default:
		p.IDs = append(p.IDs, uint32(n))
	}
}

func (c *cursor) textValue(k kind) []byte {
	switch k {
	case topicValue:
		b := c.topic()
		if len(b) == 0 && !c.failed() {
			c.malformed("an empty response topic")
		}
		return b
	case binaryValue:
		return c.binary()
	}
	return c.utf8()
}

func (c *cursor) number(k kind) uint32 {
	var n uint32
	switch k {
	case oneByte, flag:
		n = uint32(c.u8())
		if k == flag && n > 1 {
			c.fail(ProtocolError, "a property is out of range")
		}
	case twoBytes, twoBytesNotZero:
		n = uint32(c.u16())
	default:
		n = c.u32()
	}
	if n == 0 && (k == twoBytesNotZero || k == fourBytesNotZero) && !c.failed() {
		c.fail(ProtocolError, "a property is 0 that may not be")
	}
	return n
}

// properties prints a block of properties in the order of their identifiers; in 3.x nothing.
func (p *printer) properties(ps *Properties, v Version) {
	if v != V5 {
		return
	}
	at := len(p.b)
	for rest := ps.set; rest != 0; rest &= rest - 1 {
		id := bits.TrailingZeros64(rest)
		row := properties[id]
		p.u8(byte(id))
		switch row.kind {
		case oneByte, flag:
			p.u8(byte(ps.nums[row.slot]))
		case twoBytes, twoBytesNotZero:
			p.u16(uint16(ps.nums[row.slot]))
		case fourBytes, fourBytesNotZero:
			p.u32(ps.nums[row.slot])
		default:
			p.bytes(ps.texts[row.slot])
		}
	}
	for _, id := range ps.IDs {
		p.u8(byte(SubscriptionID))
		p.varint(int(id))
	}
	for _, u := range ps.User {
		p.u8(byte(UserProperty))
		p.bytes(u.Name)
		p.bytes(u.Value)
	}
	p.length(at, 0)
}

// none reports whether there is nothing to print, so that a packet may end before its properties.
func (p *Properties) none() bool { return p.set == 0 && len(p.IDs) == 0 && len(p.User) == 0 }
