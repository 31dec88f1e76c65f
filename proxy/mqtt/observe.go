package mqtt

import (
	"time"

	"aclgate/metrics"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// Stats is what a server has at one moment.
type Stats struct {
	Sessions             int // connections, those that have not said CONNECT yet among them
	Asked, Printed, Wide int // filters: of clients, of those at the broker, of clients and wider than permitted
	BrokerUp             bool
}

// Stats returns what there is.
func (s *Server) Stats() Stats {
	all := s.all()
	sum := Stats{Sessions: len(all), BrokerUp: s.BrokerFault() == nil}
	for _, x := range all {
		asked, printed, wide := x.table.count()
		sum.Asked, sum.Printed, sum.Wide = sum.Asked+asked, sum.Printed+printed, sum.Wide+wide
	}
	return sum
}

// note counts what became of an action, and remembers it: the audit log has each CONNECT, each filter
// of a SUBSCRIBE, each end, and of messages and wills of the client those that were denied.
func (x *session) note(a record.Action, reason policy.Reason, code wire.Reason, about []byte) {
	x.noteFilter(a, reason, code, about, nil)
}

// noteFilter is note with what was made of a filter; nil: nothing.
func (x *session) noteFilter(a record.Action, reason policy.Reason, code wire.Reason, about []byte, made *topic.Subscription) {
	if m := x.server.o.Metrics; m != nil {
		m.Topic(a, topic.Verdict(reason), reason)
	}
	x.remember(a, reason, code, about, made)
}

// remember tells the audit log and Served of an action, as far as they want to know of it.
func (x *session) remember(a record.Action, reason policy.Reason, code wire.Reason, about []byte, made *topic.Subscription) {
	o := &x.server.o
	verdict := topic.Verdict(reason)
	audited := o.Audit != nil && a != record.Deliver && (a != record.Publish && a != record.Will || verdict == policy.Deny)
	if !audited && o.Served == nil {
		return
	}
	t := record.Topic{Time: time.Now(), Action: a, Verdict: verdict, Reason: reason, Code: uint8(code), Caller: x.caller, Source: x.source}
	t.SetTopic(about)
	if made != nil {
		t.Printed, t.Denied = len(made.Printed), len(made.Denied)
	}
	if a == record.End {
		t.Withheld = x.withheldCount.Load()
	}
	if audited {
		o.Audit.AddTopic(&t)
	}
	if o.Served != nil {
		o.Served(&t, made)
	}
}

// noteConnect is note for what became of CONNECT.
func (x *session) noteConnect(reason policy.Reason, code wire.Reason) {
	if m := x.server.o.Metrics; m != nil {
		m.Add(metrics.MQTTConnects, 1, int(reason))
	}
	x.note(record.Connect, reason, code, nil)
}

// noteDelivery counts a message of the broker. Permitted and not shown is one that nobody asked for,
// or that is longer than the client takes.
func (x *session) noteDelivery(name []byte, reason policy.Reason, shown bool) {
	if reason != policy.Permitted || shown {
		x.remember(record.Deliver, reason, wire.Success, name, nil)
	}
	m := x.server.o.Metrics
	if m != nil {
		m.Topic(record.Deliver, topic.Verdict(reason), reason)
	}
	if shown {
		return
	}
	x.withheldCount.Add(1)
	if m != nil {
		m.Add(metrics.MQTTWithheld, 1, int(reason))
	}
}

// endReason is what is remembered of the end of a session that the client is told so.
func endReason(why wire.Reason) policy.Reason {
	switch why {
	case wire.NotAuthorized:
		return policy.Revoked
	case wire.Administrative:
		return policy.RightsChanged
	case wire.Malformed, wire.ProtocolError, wire.PacketTooLarge, wire.AliasInvalid, wire.ReceiveMaxExceeded:
		return policy.BadPacket
	}
	return policy.Permitted
}

// countIn counts a packet of the client.
func (x *session) countIn(f wire.Frame) {
	if m := x.server.o.Metrics; m != nil {
		m.Add(metrics.MQTTPackets, 1, metrics.In, int(f.Type))
		m.Add(metrics.MQTTBytes, int64(f.Size()), metrics.In)
	}
}

// countOut counts a packet to the client.
func (x *session) countOut(packet []byte) {
	if m := x.server.o.Metrics; m != nil {
		m.Add(metrics.MQTTPackets, 1, metrics.Out, int(packet[0]>>4))
		m.Add(metrics.MQTTBytes, int64(len(packet)), metrics.Out)
	}
}
