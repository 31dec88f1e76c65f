package broker

import (
	"encoding/binary"
	"fmt"
	"time"
)

// forever is the session expiry that never comes, in seconds.
const forever = 1<<32 - 1

// maxQueue is how many messages wait for a session at most.
const maxQueue = 10_000

// outgoing is a message that a session has not acknowledged.
type outgoing struct {
	m        Message
	qos      byte
	retained bool
	ids      []uint32
	received bool // PUBREC came
}

// session is what the broker keeps of a client. Everything is guarded by the broker's lock.
type session struct {
	broker        *Broker
	clientID      string
	key           string // in Broker.sessions
	account       uint64
	expiry        uint32    // seconds after the end of its connection
	left          time.Time // the end of its last connection
	subscriptions map[string]*subscription
	served        map[string]int // by shared group: when it had its last message

	conn      *conn // nil: none
	nextID    uint16
	inflight  map[uint16]*outgoing
	order     []uint16 // of inflight
	queue     []outgoing
	incoming  map[uint16]Message // QoS 2 messages that wait for PUBREL
	will      *Message
	willDelay time.Duration
	willTimer *time.Timer
}

func newSession(b *Broker, id string, account uint64) *session {
	return &session{
		broker: b, clientID: id, account: account, subscriptions: map[string]*subscription{}, served: map[string]int{},
		inflight: map[uint16]*outgoing{}, incoming: map[uint16]Message{},
	}
}

// deliver sends a message for the subscriptions that match it.
func (s *session) deliver(m Message, subs []*subscription, retained bool) {
	if len(subs) == 0 {
		return
	}
	if !s.broker.config.OneCopy {
		for _, sub := range subs {
			s.copy(m, []*subscription{sub}, retained)
		}
		return
	}
	s.copy(m, subs, retained)
}

func (s *session) copy(m Message, subs []*subscription, retained bool) {
	out := outgoing{m: m}
	for _, sub := range subs {
		out.qos = max(out.qos, min(m.QoS, sub.qos))
		out.retained = out.retained || retained || sub.asPublished && m.Retain
		if sub.identifier != 0 {
			out.ids = append(out.ids, sub.identifier)
		}
	}
	switch {
	case out.qos == 0 && s.conn != nil:
		s.conn.publish(0, &out, false)
	case out.qos == 0 || len(s.queue) >= maxQueue:
	default:
		s.queue = append(s.queue, out)
		s.drain()
	}
}

// drain sends queued messages, as many as the client takes at once.
func (s *session) drain() {
	for s.conn != nil && len(s.queue) > 0 && len(s.inflight) < s.conn.receiveMax {
		out := s.queue[0]
		s.queue = s.queue[1:]
		for s.nextID++; s.nextID == 0 || s.inflight[s.nextID] != nil; s.nextID++ {
		}
		s.inflight[s.nextID] = &out
		s.order = append(s.order, s.nextID)
		s.conn.publish(s.nextID, &out, false)
	}
}

// resume sends again what was not acknowledged on the last connection.
func (s *session) resume() {
	for _, id := range s.order {
		switch out := s.inflight[id]; {
		case out == nil:
		case out.received:
			s.conn.ack(typePubrel, id, 0)
		default:
			s.conn.publish(id, out, true)
		}
	}
	s.drain()
}

// acknowledged handles PUBACK, PUBREC and PUBCOMP. It reports whether the packet fits the
// message that it is about; one about nothing does, and PUBREC is answered.
func (s *session) acknowledged(kind byte, id uint16, failed bool) bool {
	out := s.inflight[id]
	switch {
	case out == nil && kind == typePubrec && !failed:
		s.conn.ack(typePubrel, id, 0)
	case out == nil:
	case kind == typePuback && out.qos == 1, kind == typePubcomp && out.qos == 2 && out.received, kind == typePubrec && failed:
		delete(s.inflight, id)
		for i := range s.order {
			if s.order[i] == id {
				s.order = append(s.order[:i], s.order[i+1:]...)
				break
			}
		}
		s.drain()
	case kind == typePubrec && out.qos == 2:
		out.received = true
		s.conn.ack(typePubrel, id, 0)
	default:
		return false
	}
	return true
}

// end is told that the connection has ended; badly means that the will is due.
func (s *session) end(badly bool) {
	s.conn, s.left = nil, time.Now()
	if badly && s.will != nil {
		s.dueWill()
	} else {
		s.will = nil
	}
	if s.expiry == 0 && s.willTimer == nil {
		delete(s.broker.sessions, s.key)
	}
}

// dueWill publishes the will, or sets its delay, which a session's end cuts short.
func (s *session) dueWill() {
	will := *s.will
	s.will = nil
	if delay := min(s.willDelay, time.Duration(s.expiry)*time.Second); delay > 0 && !s.broker.closed {
		s.willTimer = time.AfterFunc(delay, func() { s.broker.Publish(will) })
		return
	}
	s.broker.route(will)
}

func (s *session) stopWill() {
	if s.willTimer != nil {
		s.willTimer.Stop()
		s.willTimer = nil
	}
}

// subscribe adds a subscription and sends the retained messages that it is for.
func (s *session) subscribe(sub *subscription) {
	_, known := s.subscriptions[sub.asked]
	s.subscriptions[sub.asked] = sub
	if sub.group != "" || sub.handling == 2 || sub.handling == 1 && known {
		return
	}
	for _, m := range s.broker.retained {
		if m.sender = nil; s.broker.wants(s, sub, m) {
			s.deliver(m, []*subscription{sub}, true)
		}
	}
}

// body prints a PUBLISH but for its header.
func (out *outgoing) body(id uint16, version byte, accounts bool) []byte {
	b := appendText(nil, out.m.Topic)
	if out.qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	p := out.m.properties
	p.identifiers = out.ids
	p.user = append([]UserProperty(nil), out.m.User...)
	if accounts && out.m.Account != 0 {
		p.user = append(p.user,
			UserProperty{"cid", fmt.Sprint(out.m.Account)}, UserProperty{"timestamp", fmt.Sprintf("%.3f", out.m.Timestamp)})
	}
	return append(p.append(b, version), out.m.Payload...)
}
