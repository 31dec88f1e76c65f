package mqtt

import (
	"time"

	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// delivery is what down needs for one PUBLISH, reused.
type delivery struct {
	m       wire.Publish
	ids     []uint32
	account []byte // of a path, as text
	copies  copies // of a broker without subscription identifiers
	of      int64  // the account of the message, 0 if it is not known
	shown   []byte // its topic as the client knows it
}

// down reads what the broker sends, until the session ends. Every message is judged again, whatever
// was subscribed to.
func (x *session) down() {
	conn := x.broker.Load()
	var d delivery
	for {
		f, err := conn.Next()
		if x.ended.Load() {
			return
		}
		if err == nil {
			err = x.fromBroker(f, &d)
		}
		if err == nil && !conn.Ready() {
			if err = x.toClient.flush(); err == nil {
				err = x.toBroker.flush()
			}
		}
		if err != nil {
			x.endDown(err)
			return
		}
	}
}

// endDown ends the session because the broker went away, or sent what it may not: to the client
// that is no fault of its own.
func (x *session) endDown(err error) {
	x.server.noteLost(err)
	x.end(wire.ServerBusy, cut)
}

func (x *session) fromBroker(f wire.Frame, d *delivery) error {
	switch f.Type {
	case wire.PUBLISH:
		return x.deliver(f, d)
	case wire.PUBACK, wire.PUBREC, wire.PUBREL, wire.PUBCOMP:
		return x.brokerAck(f)
	case wire.SUBACK, wire.UNSUBACK:
		var s wire.Suback
		if err := s.Parse(f); err != nil {
			return err
		}
		return x.answered(&s)
	case wire.PINGRESP:
		return x.toClient.put(&wire.Empty{Type: wire.PINGRESP})
	case wire.DISCONNECT:
		var end wire.Disconnect
		if err := end.Parse(f); err != nil {
			return err
		}
		x.end(end.Reason, cut)
		return nil
	}
	return &wire.Fault{Reason: wire.ProtocolError, Text: "the broker sends a packet that was not agreed upon"}
}

// deliver shows a message to the client if the law of this moment permits it, and if the client
// asked for it; else it is acknowledged to the broker and withheld.
func (x *session) deliver(f wire.Frame, d *delivery) error {
	m := &d.m
	if err := m.Parse(f); err != nil {
		return err
	}
	if m.Properties.Has(wire.TopicAlias) {
		return &wire.Fault{Reason: wire.AliasInvalid, Text: "the broker uses a topic alias, and was offered none"}
	}
	if x.server.o.Law.Namespace == topic.ByPath {
		dropAccount(&m.Properties)
	}
	cid := accountOf(&m.Properties)
	why, reason := x.judgeDelivery(m, d, cid)
	if why != wire.Success {
		x.end(why, destroyed)
		return nil
	}
	if reason != policy.Permitted {
		return x.withhold(m, reason)
	}
	ids, wanted := x.table.receivers(d.ids[:0], m.Properties.IDs, x.server.o.Law, m.Topic, d.of)
	if d.ids = ids; !wanted {
		return x.withhold(m, reason)
	}
	if !x.broker.Load().Can.IDs && d.copies.again(m, x.table.matching(x.server.o.Law, m.Topic, d.of)) {
		return x.withhold(m, reason)
	}
	m.Properties.IDs = append(m.Properties.IDs[:0], ids...)
	x.fromPath(m, d.shown, d.of, d)
	x.flows.begin(m, true)
	fits, err := x.toClient.add(m, x.maxPacket)
	if err == nil && !fits {
		return x.withhold(m, reason)
	}
	x.noteDelivery(m.Topic, reason, true)
	return err
}

// judgeDelivery judges a message of the account that the broker says, and remembers whose it is and
// how the client knows it. why is the reason for the end of the session, or Success.
func (x *session) judgeDelivery(m *wire.Publish, d *delivery, cid int64) (why wire.Reason, reason policy.Reason) {
	x.rights.mu.Lock()
	defer x.rights.mu.Unlock()
	j := x.rights.judge
	if why = x.inForce(time.Now()); why != wire.Success {
		return why, policy.NotJudged // the judge still holds the levels of an earlier message, whose bytes are gone
	}
	reason = policy.SenderOutside
	if cid >= 0 {
		reason = j.Deliver(m.Topic, cid)
	}
	if d.of, d.shown = cid, j.Shown(); cid == 0 {
		d.of = j.Account()
	}
	return why, reason
}

// withhold acknowledges a message that the client is not shown.
func (x *session) withhold(m *wire.Publish, reason policy.Reason) error {
	x.noteDelivery(m.Topic, reason, false)
	x.flows.begin(m, false)
	switch m.QoS {
	case 1:
		return x.toBroker.put(&wire.Ack{Type: wire.PUBACK, ID: m.ID})
	case 2:
		return x.toBroker.put(&wire.Ack{Type: wire.PUBREC, ID: m.ID})
	}
	return nil
}

// brokerAck passes an acknowledgement on, but the PUBREL of a message that was withheld.
func (x *session) brokerAck(f wire.Frame) error {
	var a wire.Ack
	if err := a.Parse(f); err != nil {
		return err
	}
	if a.Type == wire.PUBREL && x.flows.release(a.ID) {
		return x.toBroker.put(&wire.Ack{Type: wire.PUBCOMP, ID: a.ID})
	}
	if a.Type == wire.PUBACK || a.Type == wire.PUBCOMP || a.Type == wire.PUBREC && a.Reason.Failed() {
		x.table.release(a.ID)
	}
	a.Properties.Reset()
	return x.toClient.put(&a)
}
