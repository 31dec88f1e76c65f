package mqtt

import (
	"sync"

	"aclgate/proxy/mqtt/wire"
)

// step is what has to come next to a delivery with QoS 1 or 2.
type step uint8

const (
	unknown     step = iota // nothing is known of the id: the broker judges what comes
	wantPuback              // from the client
	wantPubrec              // from the client
	wantPubcomp             // from the client, after the broker's PUBREL
	withheld                // the broker's PUBREL: the client was not shown the message
)

// flows are the deliveries with QoS 1 and 2 that are under way, by packet id: an acknowledgement
// that does not fit its message is a fault, and does not reach the broker.
type flows struct {
	mu   sync.Mutex // guards what follows
	next map[uint16]step
}

// begin is told of a delivery that goes to the client, or is withheld from it.
func (f *flows) begin(m *wire.Publish, shown bool) {
	s := wantPuback
	switch {
	case m.QoS == 0:
		return
	case m.QoS == 2 && shown:
		s = wantPubrec
	case m.QoS == 2:
		s = withheld
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.QoS == 1 && !shown {
		delete(f.next, m.ID) // it is acknowledged at once
		return
	}
	f.next[m.ID] = s
}

// client judges an acknowledgement of the client, and reports whether it fits its message.
func (f *flows) client(a *wire.Ack) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.next[a.ID]
	switch {
	case s == unknown:
		return true
	case s == wantPubcomp && a.Type == wire.PUBREC: // once more
		return true
	case s == wantPubrec && a.Type == wire.PUBREC && !a.Reason.Failed():
		f.next[a.ID] = wantPubcomp
		return true
	case s == wantPuback && a.Type == wire.PUBACK, s == wantPubrec && a.Type == wire.PUBREC, s == wantPubcomp && a.Type == wire.PUBCOMP:
		delete(f.next, a.ID)
		return true
	}
	return false
}

// release is told of the broker's PUBREL. It reports whether that is for a message that the client
// was not shown, which ends here.
func (f *flows) release(id uint16) (ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next[id] == withheld {
		delete(f.next, id)
		return true
	}
	f.next[id] = wantPubcomp // of an earlier connection, perhaps
	return false
}
