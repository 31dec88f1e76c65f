package mqtt

import (
	"io"
	"testing"
	"time"

	fake "aclgate/bench/broker"
	"aclgate/proxy/mqtt/wire"
)

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen in time")
}

// TestEnds: how the client ends decides about its will, and a broker that goes away ends the
// session.
func TestEnds(t *testing.T) {
	w, f := fakeWorld(t, nil)
	watcher := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.ClientID = []byte("watcher") })
	watcher.want("CONNACK 0x00 <nil>")
	watcher.subscribe(1, 0, "a/will/#")
	watcher.want("SUBACK 1 [0x01] <nil>")
	for _, row := range []struct {
		name string
		end  func(*peer)
		will bool
	}{
		{"leave", func(p *peer) { p.send(&wire.Disconnect{}) }, false},
		{"leave with will", func(p *peer) { p.send(&wire.Disconnect{Reason: wire.DisconnectWithWill}) }, true},
		{"network", func(p *peer) { p.Close() }, true},
		{"malformed", func(p *peer) { io.WriteString(p, "\xc1\x00") }, true},
	} {
		p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.HasWill, c.Will.Topic = true, []byte("a/will/"+row.name) })
		p.want("CONNACK 0x00 <nil>")
		row.end(p)
		if row.will {
			watcher.want("PUBLISH a/will/" + row.name + "= []")
		}
		if row.name == "malformed" {
			p.want("DISCONNECT 0x81 <nil>")
		}
		waitFor(t, func() bool { return f.Sessions() == 1 })
	}
	watcher.silent()
	f.Cut()
	watcher.want("DISCONNECT 0x89 <nil>")
}

// TestTakeover: equal client ids of different tokens are different sessions; of one token the later
// connection takes over.
func TestTakeover(t *testing.T) {
	w, f := fakeWorld(t, nil)
	one := w.dial(wire.V5, "acl-key-1", nil)
	one.want("CONNACK 0x00 <nil>")
	other := w.dial(wire.V5, "master-key", nil)
	other.want("CONNACK 0x00 <nil>")
	one.silent()
	if got := f.Sessions(); got != 2 {
		t.Errorf("got %d sessions at the broker, want 2", got)
	}
	again := w.dial(wire.V5, "acl-key-1", nil)
	again.want("CONNACK 0x00 <nil>")
	one.want("DISCONNECT 0x8E <nil>")
	other.silent()
	again.silent()
}

// TestKeepAlive: a client that is silent for too long is ended, and its will works.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	w, _ := fakeWorld(t, nil)
	p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.KeepAlive = 1 })
	p.want("CONNACK 0x00 <nil>")
	p.want("DISCONNECT 0x8D <nil>")
}

// TestRevokedBesideAPacket: a message comes for a client whose token was revoked, while a packet of
// its own is on the way. What judged its last packet reads none of the bytes that have come since;
// that is for the race detector.
func TestRevokedBesideAPacket(t *testing.T) {
	t.Parallel()
	m := newMovable(t, fake.Config{}, 1000, func(o *Options) { o.Revoke = time.Hour })
	m.place([]int64{1, 2}, 1)
	const name = "flespi/state/gw/devices/1/name"
	p := m.dial(wire.V5, "standard-key", nil)
	p.want("CONNACK 0x00 <nil>")
	p.publish(1, "a/x", "1")
	p.want("PUBACK 77 0x10 <nil>")
	p.subscribe(1, 0, name)
	p.want("SUBACK 1 [0x01] <nil>")
	if _, err := p.Write([]byte("\x30\x7f\x00\x20half of a topic")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // until it is read
	m.set("standard-key", nil)
	m.broker.Publish(fake.Message{Topic: name, Payload: "not for it"})
	p.want("DISCONNECT 0x87 <nil>")
}
