package mqtt

import (
	"errors"
	"hash/maphash"

	"aclgate/proxy/mqtt/wire"
)

// flight is a message of the client with QoS 1 or 2 that is under way. The zero value is none.
type flight struct {
	qos   uint8
	again bool   // it came a second time
	sum   uint64 // of topic and payload, of QoS 2
}

var sumSeed = maphash.MakeSeed()

// same reports whether m is the message f once more, and not another one with its id.
func (f *flight) same(m *wire.Publish) bool { return f.qos == 2 && m.QoS == 2 && f.sum == sumOf(m) }

func sumOf(m *wire.Publish) uint64 {
	var h maphash.Hash
	h.SetSeed(sumSeed)
	h.Write(m.Topic)
	h.WriteByte(0) // in no topic
	h.Write(m.Payload)
	return h.Sum64()
}

// What is wrong with a message of the client beside those that are under way.
var (
	errInflight = &wire.Fault{Reason: wire.ReceiveMaxExceeded, Text: "too many messages at once"}
	errRepeated = &wire.Fault{Reason: wire.ProtocolError, Text: "a message comes a third time before it was released"}
)

// claim marks a message of the client as under way, within what the broker takes at once. A client
// of 3.x does not know that number: it is not read on until there is room. Room that only its own
// PUBREL would make does not come so: then the session ends.
func (x *session) claim(m *wire.Publish) error {
	t, most := &x.table, x.inflight
	t.mu.Lock()
	defer t.mu.Unlock()
	for flushed := false; !t.ended; {
		before := t.busy[m.ID]
		full := before.qos == 0 && len(t.busy) >= most
		switch {
		case full && (x.version == wire.V5 || t.single == 0):
			return errInflight
		case !full && t.own[m.ID] == nil:
			return t.fly(m, before)
		case flushed:
			t.freed.Wait()
			continue
		}
		if flushed = true; x.flushUnlocked() != nil {
			break
		}
	}
	return errEnded
}

// flushUnlocked sends what has gathered, without the table's lock, which is held before and after:
// what is waited for may be the answer to something that is not sent yet.
func (x *session) flushUnlocked() error {
	x.table.mu.Unlock()
	defer x.table.mu.Lock()
	return errors.Join(x.toBroker.flush(), x.toClient.flush())
}

// fly notes a message in the place of the one before it with its id. The lock is held.
func (t *table) fly(m *wire.Publish, before flight) error {
	same := before.same(m)
	if same && before.again && !m.Dup {
		return errRepeated
	}
	if before.qos == 1 {
		t.single--
	}
	f := flight{qos: m.QoS, again: same}
	if m.QoS == 1 {
		t.single++
	} else if f.sum = before.sum; !same {
		f.sum = sumOf(m)
	}
	t.busy[m.ID] = f
	return nil
}

// release is told that the broker has acknowledged a message of the client.
func (t *table) release(id uint16) {
	t.mu.Lock()
	if t.busy[id].qos == 1 {
		t.single--
	}
	delete(t.busy, id)
	t.mu.Unlock()
	t.freed.Broadcast()
}
