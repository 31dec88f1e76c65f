package mqtt

import (
	"errors"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
	"aclgate/upstream/broker"
)

// up reads what the client sends, until the session ends. Each packet is judged by the law in force
// when it is read.
func (x *session) up() {
	var m wire.Publish
	for {
		f, err := x.reader.Next()
		if x.ended.Load() {
			return
		}
		if err == nil {
			now := time.Now()
			x.heard.Store(now.UnixNano())
			x.countIn(f)
			err = x.packet(f, &m, now)
		}
		if err == nil && !x.reader.Ready() {
			err = errors.Join(x.toBroker.flush(), x.toClient.flush())
		}
		if err != nil {
			x.endBy(err)
			return
		}
		if x.ended.Load() {
			return
		}
	}
}

// endBy ends the session by what went wrong on either side.
func (x *session) endBy(err error) {
	var fault *wire.Fault
	var theirs *broker.Error
	switch {
	case errors.As(err, &theirs):
		x.server.noteLost(err)
		x.end(wire.ServerBusy, cut)
	case errors.As(err, &fault):
		x.end(fault.Reason, cut)
	default:
		x.end(wire.Success, cut)
	}
}

// packet handles one packet of the client.
func (x *session) packet(f wire.Frame, m *wire.Publish, now time.Time) error {
	if why := x.whyEnd(now); why != wire.Success {
		x.end(why, destroyed)
		return nil
	}
	switch f.Type {
	case wire.PUBLISH:
		return x.publish(f, m, now)
	case wire.PUBACK, wire.PUBREC, wire.PUBREL, wire.PUBCOMP:
		return x.clientAck(f)
	case wire.SUBSCRIBE:
		return x.subscribe(f)
	case wire.UNSUBSCRIBE:
		return x.unsubscribe(f)
	case wire.PINGREQ:
		var e wire.Empty
		if err := e.Parse(f); err != nil {
			return err
		}
		return errors.Join(x.toBroker.flush(), x.broker.Load().Ping())
	case wire.DISCONNECT:
		return x.leave(f)
	}
	return &wire.Fault{Reason: wire.ProtocolError, Text: "a packet that was not agreed upon"}
}

// publish judges a message of the client. One that is denied is dropped: nothing of it goes on.
func (x *session) publish(f wire.Frame, m *wire.Publish, now time.Time) error {
	if err := m.Parse(f); err != nil {
		return err
	}
	if err := x.aliases.Resolve(m); err != nil {
		return err
	}
	if met := x.chargePublish(); met != policy.NotJudged {
		x.note(record.Publish, met, wire.QuotaExceeded, m.Topic)
		x.endAs(wire.QuotaExceeded, destroyed, met)
		return nil
	}
	cid, valid := takeAccount(&m.Properties)
	reason, asked := policy.SenderOutside, m.Topic
	if valid {
		reason = x.judgePublish(m, cid)
	}
	if reason != policy.Permitted {
		x.note(record.Publish, reason, wire.Reason(topic.Code(reason)), m.Topic)
		if err := x.broker.Load().Keep(now); err != nil {
			return err
		}
		return x.deny(m, reason)
	}
	x.note(record.Publish, reason, wire.Success, asked)
	if m.QoS > 0 {
		if err := x.claim(m); err != nil {
			return err
		}
	}
	x.nameSender(&m.Properties)
	fits, err := x.toBroker.add(m, x.broker.Load().Can.MaxPacket)
	if err == nil && !fits {
		err = &wire.Fault{Reason: wire.PacketTooLarge, Text: "a message is longer than the broker takes"}
	}
	return err
}

// chargePublish charges a message of the client to its token and accounts. The reason is the limit that
// was met, if one was.
func (x *session) chargePublish() policy.Reason {
	limits := x.server.o.Limits
	if limits == nil {
		return policy.NotJudged
	}
	x.rights.mu.Lock()
	token, tree := x.rights.token, x.rights.judge.Tree
	x.rights.mu.Unlock()
	return limits.Publish(token, tree)
}

// judgePublish judges a message, and names its topics as the broker knows them if it is permitted.
func (x *session) judgePublish(m *wire.Publish, cid int64) policy.Reason {
	x.rights.mu.Lock()
	defer x.rights.mu.Unlock()
	reason := x.rights.judge.Publish(m.Topic, cid)
	if reason == policy.Permitted && m.Properties.Has(wire.ResponseTopic) {
		reason = x.rights.judge.Response(m.Properties.Text(wire.ResponseTopic))
	}
	if reason != policy.Permitted {
		return reason
	}
	path, placed := x.toPath(x.path, m.Topic, &m.Properties, cid)
	if !placed {
		return policy.SenderOutside
	}
	if m.Topic = path; x.server.o.Law.Namespace == topic.ByPath {
		x.path = path
	}
	return reason
}

// deny answers a denied message: 3.x has only positive answers, and with QoS 2 a second step.
func (x *session) deny(m *wire.Publish, reason policy.Reason) error {
	a := wire.Ack{ID: m.ID, Reason: wire.Reason(topic.Code(reason))}
	switch m.QoS {
	case 0:
		return nil
	case 1:
		a.Type = wire.PUBACK
	case 2:
		a.Type = wire.PUBREC
		if x.version != wire.V5 {
			if len(x.dropped) >= x.server.o.MaxInflight {
				return &wire.Fault{Reason: wire.ReceiveMaxExceeded, Text: "too many messages at once"}
			}
			x.dropped[m.ID] = true
		}
	}
	return x.toClient.put(&a)
}

// clientAck passes an acknowledgement on, but the PUBREL of a message that was dropped.
func (x *session) clientAck(f wire.Frame) error {
	var a wire.Ack
	if err := a.Parse(f); err != nil {
		return err
	}
	if a.Type == wire.PUBREL && x.dropped[a.ID] {
		delete(x.dropped, a.ID)
		return x.toClient.put(&wire.Ack{Type: wire.PUBCOMP, ID: a.ID})
	}
	if a.Type != wire.PUBREL && !x.flows.client(&a) {
		return &wire.Fault{Reason: wire.ProtocolError, Text: "an acknowledgement that does not fit its message"}
	}
	a.Properties.Reset()
	return x.toBroker.put(&a)
}

// leave ends the session as the client does. An expiry is not wanted where the session has none.
func (x *session) leave(f wire.Frame) error {
	var d wire.Disconnect
	if err := d.Parse(f); err != nil {
		return err
	}
	if d.Properties.Num(wire.SessionExpiry) != 0 && !x.lasting {
		return &wire.Fault{Reason: wire.ProtocolError, Text: "a session without expiry is given one at its end"}
	}
	d.Properties.Reset()
	if err := x.toBroker.put(&d); err != nil {
		return err
	}
	x.end(wire.Success, left)
	return nil
}
