package broker

import (
	"errors"
	"net"
	"sync"
	"time"

	"aclgate/proxy/mqtt/wire"
)

// Can is what a broker said that it can do. What it did not say has the standard's default.
type Can struct {
	MaxQoS     uint8
	Retain     bool
	Wildcards  bool
	IDs        bool // subscription identifiers
	Shared     bool
	MaxPacket  int    // that it takes, in bytes; 0: no limit
	ReceiveMax int    // QoS 1 and 2 messages that it takes at once
	KeepAlive  uint16 // seconds that it demands; 0: what was asked for
}

// Conn is the connection of one session to the broker. One goroutine reads; any number may write.
type Conn struct {
	Connack wire.Connack // valid until the first Next
	Can     Can

	broker *Broker
	raw    net.Conn
	reader *wire.Reader

	mu        sync.Mutex // guards what follows
	written   time.Time  // the last write
	deadline  time.Time  // of writes, as it was set last
	keepAlive time.Duration
	pings     pings
}

func newConn(b *Broker, raw net.Conn, keepAlive uint16) *Conn {
	c := &Conn{broker: b, raw: raw, reader: wire.NewReader(raw, wire.Server, wire.V5, b.options.MaxPacket)}
	c.keepAlive = time.Duration(keepAlive) * time.Second
	return c
}

func (c *Conn) can(p *wire.Properties) {
	c.Can = Can{
		MaxQoS:     uint8(p.NumOr(wire.MaximumQoS, 2)),
		Retain:     p.NumOr(wire.RetainAvailable, 1) == 1,
		Wildcards:  p.NumOr(wire.WildcardAvailable, 1) == 1,
		IDs:        p.NumOr(wire.IdentifiersAvailable, 1) == 1,
		Shared:     p.NumOr(wire.SharedAvailable, 1) == 1,
		MaxPacket:  int(p.Num(wire.MaximumPacket)),
		ReceiveMax: int(p.NumOr(wire.ReceiveMaximum, 1<<16-1)),
		KeepAlive:  uint16(p.Num(wire.ServerKeepAlive)),
	}
	if c.Can.KeepAlive != 0 {
		c.keepAlive = time.Duration(c.Can.KeepAlive) * time.Second
	}
}

// Next returns the next packet of the broker, valid until the next call. Answers to Keep are not
// among them. An error is an *Error; ErrBroken is also how a broker ends that says nothing.
func (c *Conn) Next() (wire.Frame, error) {
	for {
		f, err := c.reader.Next()
		if err != nil {
			return wire.Frame{}, c.broker.fail(err, ErrBroken)
		}
		if f.Type == wire.CONNACK {
			return wire.Frame{}, &Error{URL: c.broker.url, Kind: ErrBroken, Cause: errors.New("a second CONNACK")}
		}
		if f.Type != wire.PINGRESP || c.answered() {
			return f, nil
		}
	}
}

// Ready reports whether Next returns without waiting, unless that is an answer to Keep.
func (c *Conn) Ready() bool { return c.reader.Ready() }

// Send writes whole packets.
func (c *Conn) Send(packets []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send(packets, time.Now())
}

// send writes with a deadline that is moved seldom: a write that makes no progress ends after the
// limit at the latest, and after three quarters of it at the earliest.
func (c *Conn) send(packets []byte, now time.Time) error {
	limit := c.broker.options.Write
	if c.deadline.Sub(now) < limit*3/4 {
		c.deadline = now.Add(limit)
		c.raw.SetWriteDeadline(c.deadline)
	}
	c.written = now
	if _, err := c.raw.Write(packets); err != nil {
		return c.broker.fail(err, ErrBroken)
	}
	return nil
}

var pingreq = []byte{byte(wire.PINGREQ) << 4, 0}

// Ping passes a client's PINGREQ on. Its answer is returned by Next.
func (c *Conn) Ping() error { return c.ping(time.Now(), true) }

// Keep keeps the connection alive while the client is, but nothing of what it sends goes on: it
// sends a PINGREQ of the gateway's if nothing was sent for half of the keep alive time. ErrSlow
// says that the one before was not answered for all of it.
func (c *Conn) Keep(now time.Time) error {
	c.mu.Lock()
	due := c.keepAlive > 0 && now.Sub(c.written) >= c.keepAlive/2
	c.mu.Unlock()
	if !due {
		return nil
	}
	return c.ping(now, false)
}

func (c *Conn) ping(now time.Time, clients bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pings.overdue(now, c.keepAlive) {
		return &Error{URL: c.broker.url, Kind: ErrSlow, Cause: errors.New("PINGREQ is not answered")}
	}
	if !c.pings.add(clients, now) {
		return &Error{URL: c.broker.url, Kind: ErrSlow, Cause: errors.New("too many PINGREQ are not answered")}
	}
	return c.send(pingreq, now)
}

// answered handles a PINGRESP and reports whether it is for the client.
func (c *Conn) answered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pings.answered()
}

// Destroy ends the connection for us: the broker forgets the session, and its will is not
// published (SPEC 16.6).
func (c *Conn) Destroy() error {
	var d wire.Disconnect
	d.Properties.SetNum(wire.SessionExpiry, 0)
	return c.Leave(&d)
}

// Leave ends the connection as the client did: with its DISCONNECT.
func (c *Conn) Leave(d *wire.Disconnect) error {
	packet, err := d.Append(nil, wire.V5)
	if err == nil {
		err = c.Send(packet)
	}
	return errors.Join(err, c.Cut())
}

// Cut ends the connection without a word, as a network that fails does: the will is published.
func (c *Conn) Cut() error { return c.raw.Close() }

// pings are the PINGREQ that wait for an answer, which come in their order.
type pings struct {
	clients uint64 // bit n: the one that is n-th in turn is the client's
	waiting int
	oldest  time.Time // when the first was sent, or the last answer came
}

// add notes a PINGREQ. It returns false if there are too many.
func (p *pings) add(clients bool, now time.Time) bool {
	if p.waiting == 64 {
		return false
	}
	if p.waiting == 0 {
		p.oldest = now
	}
	if clients {
		p.clients |= 1 << p.waiting
	}
	p.waiting++
	return true
}

// answered takes the first away and reports whether it was the client's. An answer to nothing is
// not.
func (p *pings) answered() bool {
	if p.waiting == 0 {
		return false
	}
	clients := p.clients&1 != 0
	p.clients >>= 1
	p.waiting--
	p.oldest = time.Now()
	return clients
}

func (p *pings) overdue(now time.Time, limit time.Duration) bool {
	return p.waiting > 0 && limit > 0 && now.Sub(p.oldest) > limit
}
