package broker

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// handle answers one packet. It reports whether the connection goes on, and if not, whether it ends
// well, without a will.
func (c *conn) handle(p packet) (goOn, well bool) {
	f := &fields{b: p.body}
	if c.session == nil {
		return p.kind == typeConnect && c.connect(f), true
	}
	switch p.kind {
	case typePublish:
		goOn = c.published(p.flags, f)
	case typePuback, typePubrec, typePubcomp:
		id := f.short()
		failed := len(f.b) > 0 && f.byte() >= 0x80
		goOn = c.session.acknowledged(p.kind, id, failed)
	case typePubrel:
		id := f.short()
		m, waits := c.session.incoming[id]
		delete(c.session.incoming, id)
		if waits {
			c.broker.route(m)
		}
		c.ack(typePubcomp, id, 0)
		goOn = true
	case typeSubscribe:
		goOn = c.subscribe(f)
	case typeUnsubscribe:
		goOn = c.unsubscribe(f)
	case typePingreq:
		c.send(typePingresp, 0, nil)
		goOn = true
	case typeDisconnect:
		return false, c.left(f)
	}
	if !goOn || f.bad {
		c.disconnect(codeProtocol)
		return false, false
	}
	return true, false
}

// connect answers CONNECT and reports whether the client is let in.
func (c *conn) connect(f *fields) bool {
	f.text()
	c.version = f.byte()
	flags := f.byte()
	keepAlive := f.short()
	p := f.properties(c.version)
	id := f.text()
	will, willDelay := c.will(f, flags)
	var password string
	if flags&0x80 != 0 {
		c.user = f.text()
	}
	if flags&0x40 != 0 {
		password = f.text()
	}
	account, known := c.broker.account(c.user, password)
	switch {
	case f.bad || c.version < 3 || c.version > 5:
		return false
	case c.broker.fault == Silent:
		return true
	case c.misbehaves():
		return false
	case !known:
		c.connack(0, codeBadCredential, properties{})
		return false
	}
	if c.version == 5 && p.number(propReceiveMax, 0) != 0 {
		c.receiveMax = int(p.number(propReceiveMax, 0))
	}
	c.maxPacket = int(p.number(propMaxPacket, maxPacket))
	c.keepAlive = time.Duration(keepAlive) * time.Second
	answer := properties{numbers: map[byte]uint32{propAliasMax: aliasMax}, texts: map[byte]string{}}
	if c.broker.config.NoIdentifiers {
		answer.numbers[propIdentifiersAvailable] = 0
	}
	if id == "" {
		c.broker.assigned++
		id = "assigned-" + strconv.Itoa(c.broker.assigned)
		answer.texts[0x12] = id
	}
	present := c.join(id, account, flags&0x02 != 0)
	s := c.session
	if s.expiry = p.number(propSessionExpiry, 0); c.version != 5 && flags&0x02 == 0 {
		s.expiry = forever
	}
	if flags&0x04 != 0 && !c.broker.platform(will.Topic) {
		will.sender = s
		will.Account, will.User = c.sender(will.User)
		s.will, s.willDelay = &will, willDelay
	}
	c.note(typeConnect, will.Topic, will.Payload, &p)
	c.connack(present, 0, answer)
	s.resume()
	return true
}

// will reads the will of a CONNECT that has one.
func (c *conn) will(f *fields, flags byte) (Message, time.Duration) {
	if flags&0x04 == 0 {
		return Message{}, 0
	}
	p := f.properties(c.version)
	m := Message{Topic: f.text(), Payload: f.text(), QoS: flags >> 3 & 3, Retain: flags&0x20 != 0, User: p.user, properties: passed(p)}
	return m, time.Duration(p.number(propWillDelay, 0)) * time.Second
}

// join takes the client's session over, or begins a new one. It returns 1 if there was one.
func (c *conn) join(id string, account uint64, clean bool) (present byte) {
	b := c.broker
	b.expire()
	// The vendor's client ids are unique within an account; of everybody else's, within the broker.
	key := fmt.Sprint(account, " ", id)
	s := b.sessions[key]
	if s != nil {
		s.stopWill()
		if s.conn != nil {
			s.conn.disconnect(codeTakenOver)
			s.end(true)
		}
	}
	if s != nil && !clean && b.sessions[key] == s {
		present = 1
	} else {
		s = newSession(b, id, account)
		b.sessions[key] = s
	}
	s.key = key
	s.conn, c.session = c, s
	return present
}

func (c *conn) connack(present, code byte, p properties) {
	if c.version != 5 && code != 0 {
		code = 5
	}
	if c.version == 3 {
		present = 0
	}
	c.send(typeConnack, 0, p.append([]byte{present, code}, c.version))
	if code != 0 {
		c.finish()
	}
}

// passed returns the properties that go from the sender to the receivers.
func passed(p properties) properties {
	out := properties{numbers: map[byte]uint32{}, texts: map[byte]string{}}
	for _, id := range []byte{0x01, propExpiry} {
		if n, found := p.numbers[id]; found {
			out.numbers[id] = n
		}
	}
	for _, id := range []byte{propContentType, propResponseTopic, propCorrelation} {
		if s, found := p.texts[id]; found {
			out.texts[id] = s
		}
	}
	return out
}

func (c *conn) published(flags byte, f *fields) bool {
	m := Message{Topic: f.text(), QoS: flags >> 1 & 3, Retain: flags&1 != 0, sender: c.session}
	var id uint16
	if m.QoS > 0 {
		id = f.short()
	}
	p := f.properties(c.version)
	if alias := p.number(propAlias, 0); alias != 0 {
		if m.Topic == "" {
			m.Topic = c.aliases[alias]
		}
		c.aliases[alias] = m.Topic
	}
	m.Payload, m.properties = string(f.b), passed(p)
	m.Account, m.User = c.sender(p.user)
	if f.bad || m.Topic == "" || m.QoS > 2 || strings.ContainsAny(m.Topic, "+#") {
		return false
	}
	c.note(typePublish, m.Topic, m.Payload, &p)
	c.acknowledge(m, id)
	return true
}

// acknowledge answers a PUBLISH and hands its message on, with QoS 2 once PUBREL comes.
func (c *conn) acknowledge(m Message, id uint16) {
	var code byte
	denied := c.broker.platform(m.Topic)
	switch {
	case denied:
		code = codeNotAuthorized
	case m.QoS < 2 && c.broker.readers(m) == 0:
		code = codeNobody
	}
	if m.QoS < 2 && !denied {
		c.broker.route(m)
	}
	switch m.QoS {
	case 1:
		c.ack(typePuback, id, code)
	case 2:
		if c.ack(typePubrec, id, code); !denied {
			c.session.incoming[id] = m
		}
	}
}

func (c *conn) subscribe(f *fields) bool {
	id := f.short()
	p := f.properties(c.version)
	if c.broker.config.NoIdentifiers && len(p.identifiers) > 0 {
		return false
	}
	account, valid := c.askedAccount(&p)
	var asked []string
	var added []*subscription
	codes := binary.BigEndian.AppendUint16(nil, id)
	codes = (&properties{}).append(codes, c.version)
	for len(f.b) > 0 && !f.bad {
		filter, options := f.text(), f.byte()
		asked = append(asked, filter)
		sub := &subscription{
			qos: options & 3, noLocal: options&4 != 0, asPublished: options&8 != 0, handling: options >> 4 & 3, account: account,
		}
		if len(p.identifiers) > 0 {
			sub.identifier = p.identifiers[0]
		}
		code := sub.parse(filter, c.broker.config.Dialect)
		if code == 0 && (!valid || sub.account != 0 && c.broker.config.Accounts != nil && !c.broker.inside(sub.account, c.session.account)) {
			code = codeNotAuthorized
		}
		switch {
		case code == 0:
			code = sub.qos
			added = append(added, sub)
		case c.version != 5:
			code = 0x80
		}
		codes = append(codes, code)
	}
	c.note(typeSubscribe, strings.Join(asked, " "), "", &p)
	if f.bad || len(asked) == 0 {
		return false
	}
	c.send(typeSuback, 0, codes)
	for _, sub := range added {
		c.session.subscribe(sub)
	}
	return true
}

// askedAccount returns the account that the user property cid names; 0: none.
func (c *conn) askedAccount(p *properties) (account uint64, valid bool) {
	for _, u := range p.user {
		if u.Name == "cid" && c.broker.config.Accounts != nil {
			n, err := strconv.ParseUint(u.Value, 10, 64)
			return n, err == nil && n > 0
		}
	}
	return 0, true
}

// sender returns the account that a message belongs to: the one that the user property cid names, if it
// is in the branch of the sender's, or the sender's own. The broker says so itself to receivers, so
// that property is not among those that are passed on.
func (c *conn) sender(user []UserProperty) (account uint64, rest []UserProperty) {
	account = c.session.account
	if c.broker.config.Accounts == nil {
		return account, user
	}
	if named, valid := c.askedAccount(&properties{user: user}); valid && c.broker.inside(named, account) {
		account = named
	}
	return account, slices.DeleteFunc(slices.Clone(user), func(u UserProperty) bool { return u.Name == "cid" })
}

func (c *conn) unsubscribe(f *fields) bool {
	id := f.short()
	p := f.properties(c.version)
	codes := binary.BigEndian.AppendUint16(nil, id)
	codes = (&properties{}).append(codes, c.version)
	var asked []string
	for len(f.b) > 0 && !f.bad {
		filter := f.text()
		asked = append(asked, filter)
		code := byte(0)
		if _, found := c.session.subscriptions[filter]; !found {
			code = 0x11
		}
		if delete(c.session.subscriptions, filter); c.version == 5 {
			codes = append(codes, code)
		}
	}
	c.note(typeUnsubscribe, strings.Join(asked, " "), "", &p)
	c.send(typeUnsuback, 0, codes)
	return len(asked) > 0
}

// left handles a DISCONNECT. It reports whether the will is not wanted.
func (c *conn) left(f *fields) bool {
	code := byte(0)
	if c.version == 5 && len(f.b) > 0 {
		code = f.byte()
	}
	if len(f.b) > 0 {
		p := f.properties(c.version)
		c.session.expiry = p.number(propSessionExpiry, c.session.expiry)
	}
	c.note(typeDisconnect, "", fmt.Sprintf("%#02x expiry %d", code, c.session.expiry), nil)
	return code == 0
}

// Filters returns what is subscribed to, of all sessions, in order.
func (b *Broker) Filters() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, s := range b.sessions {
		all = slices.AppendSeq(all, maps.Keys(s.subscriptions))
	}
	slices.Sort(all)
	return all
}
