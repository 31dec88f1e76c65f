package mqtt

import (
	"io"
	"net"
	"testing"
	"time"

	"aclgate/proxy/mqtt/wire"
)

// TestStalledBroker: a broker that stops reading one session's connection keeps no other session from
// being ended when its rights are.
func TestStalledBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			io.WriteString(c, "\x20\x03\x00\x00\x00") // and nothing more is read
		}
	}()
	w := newWorld(t, l.Addr().String(), nil)
	w.set("other-key", w.acl(18, 0, "a/#", 7))
	other := w.dial(wire.V5, "other-key", nil)
	other.want("CONNACK 0x00 <nil>")
	p := w.in("acl-key-1", "stalled")
	m := wire.Publish{Topic: []byte("a/x"), Payload: make([]byte, 100<<10)}
	packet, err := m.Append(nil, wire.V5)
	if err != nil {
		t.Fatal(err)
	}
	p.SetWriteDeadline(time.Now().Add(time.Second))
	for range 1000 { // until every buffer on the way is full
		if _, err := p.Write(packet); err != nil {
			break
		}
	}
	begin := time.Now()
	w.set("acl-key-1", nil)
	w.set("other-key", nil)
	other.want("DISCONNECT 0x87 <nil>")
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}
