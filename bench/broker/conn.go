package broker

import (
	"bufio"
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"time"
)

// Reason codes that the broker uses.
const (
	codeNobody        = 0x10
	codeBadCredential = 0x86
	codeNotAuthorized = 0x87
	codeProtocol      = 0x82
	codeTakenOver     = 0x8e
	codeFilterInvalid = 0x8f
)

// aliasMax is how many topic aliases a client may use.
const aliasMax = 10

// maxOutput is how many bytes wait for a client that does not read, before it loses QoS 0 messages.
const maxOutput = 16 << 20

// conn is one connection. What is not said to be its own is guarded by the broker's lock.
type conn struct {
	broker  *Broker
	raw     net.Conn
	r       *bufio.Reader     // of serve
	aliases map[uint32]string // of serve

	version    byte
	user       string
	keepAlive  time.Duration
	receiveMax int
	maxPacket  int // that the client takes, in bytes
	session    *session

	mu      sync.Mutex // guards what follows, inside the broker's lock
	ready   *sync.Cond
	output  []byte
	ending  bool // close after the output
	halfOut bool // Fault CutInDelivery: half of the next PUBLISH, then the end
}

func newConn(b *Broker, raw net.Conn) *conn {
	c := &conn{broker: b, raw: raw, r: bufio.NewReader(raw), aliases: map[uint32]string{}, receiveMax: 1<<16 - 1, maxPacket: maxPacket}
	c.ready = sync.NewCond(&c.mu)
	return c
}

// serve reads packets until the connection ends.
func (c *conn) serve() {
	badly := true
	for {
		if c.keepAlive > 0 {
			c.raw.SetReadDeadline(time.Now().Add(c.keepAlive * 3 / 2))
		}
		p, err := readPacket(c.r)
		if err != nil {
			break
		}
		c.broker.mu.Lock()
		goOn, good := c.handle(p)
		c.broker.mu.Unlock()
		if !goOn {
			badly = !good
			break
		}
	}
	c.broker.mu.Lock()
	if c.session != nil && c.session.conn == c {
		c.session.end(badly)
	}
	delete(c.broker.conns, c)
	c.broker.mu.Unlock()
	c.finish()
}

// write writes what others have queued.
func (c *conn) write() {
	defer c.raw.Close()
	for {
		c.mu.Lock()
		for len(c.output) == 0 && !c.ending {
			c.ready.Wait()
		}
		out := c.output
		c.output = nil
		end := c.ending
		c.mu.Unlock()
		if _, err := c.raw.Write(out); err != nil || end {
			return
		}
	}
}

// finish ends the connection when everything is written.
func (c *conn) finish() {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	c.ready.Signal()
}

// cut ends the connection at once.
func (c *conn) cut() {
	c.finish()
	c.raw.Close()
}

func (c *conn) send(kind, flags byte, body []byte) {
	c.mu.Lock()
	if !c.ending {
		c.output = appendPacket(c.output, kind, flags, body)
	}
	c.mu.Unlock()
	c.ready.Signal()
}

func (c *conn) publish(id uint16, out *outgoing, again bool) {
	flags := out.qos << 1
	if again {
		flags |= 0x08
	}
	if out.retained {
		flags |= 0x01
	}
	packet := appendPacket(nil, typePublish, flags, out.body(id, c.version, c.broker.config.Accounts != nil))
	c.mu.Lock()
	if len(packet) <= c.maxPacket && (len(c.output) < maxOutput || out.qos > 0) {
		c.output = append(c.output, packet...)
	}
	if c.halfOut {
		c.output = c.output[:len(c.output)-1-len(out.m.Payload)/2]
		c.ending = true
	}
	c.mu.Unlock()
	c.ready.Signal()
}

func (c *conn) ack(kind byte, id uint16, code byte) {
	body := binary.BigEndian.AppendUint16(nil, id)
	if c.version == 5 && code != 0 {
		body = append(body, code)
	}
	var flags byte
	if kind == typePubrel {
		flags = 0x02
	}
	c.send(kind, flags, body)
}

// disconnect says why and ends the connection.
func (c *conn) disconnect(code byte) {
	if c.version == 5 {
		c.send(typeDisconnect, 0, []byte{code})
	}
	c.finish()
}

// note remembers a packet for tests.
func (c *conn) note(kind byte, topic, payload string, p *properties) {
	r := Received{User: c.user, Type: kind, Topic: topic, Payload: payload}
	if c.session != nil {
		r.ClientID = c.session.clientID
	}
	if p != nil {
		r.Properties = p.user
	}
	if len(c.broker.received) >= maxReceived {
		c.broker.received = slices.Delete(c.broker.received, 0, maxReceived/2)
	}
	c.broker.received = append(c.broker.received, r)
}
