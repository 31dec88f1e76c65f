package mqtt

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/bench/broker/mosquitto"
	"aclgate/bench/sequences"
	"aclgate/proxy/mqtt/wire"
)

func waitFor(t *testing.T, done func() bool) {
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
	w, _ := fakeWorld(t, nil)
	p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.KeepAlive = 1 })
	p.want("CONNACK 0x00 <nil>")
	p.want("DISCONNECT 0x8D <nil>")
}

// lawful has the sequences that need not end in a disconnect and are answered otherwise here: they
// CONNECT as a user that is none of the gateway's, or do what the law forbids.
var lawful = []string{
	"CONNECT/", // their own user names, or none; and two of 3.1 with a reserved bit
	"PUBLISH/v5.0   PUBLISH/PUBLISH with $ topic - connection/state",
	"PUBLISH/v5.0   PUBLISH ALLOWED PROPERTIES/maximum packet size", // its own CONNECT
	"SUBSCRIBE/v3.1.1 SUBSCRIBE/82 $SYS ok",
	"SUBSCRIBE/v5.0   SUBSCRIBE/82 $SYS ok",
}

// TestSequences plays mosquitto's sequences through the gateway in front of mosquitto: whatever has
// to end in a disconnect does, and the rest is answered as by the broker, but for what is lawful.
func TestSequences(t *testing.T) {
	dir, err := sequences.Find()
	if err != nil {
		t.Skip(err)
	}
	all, err := sequences.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mosquitto.Start(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	defer b.Close()
	w := newWorld(t, b.Addr(), nil)
	player := sequences.Player{
		Dial: func() (net.Conn, error) { return net.Dial("tcp", w.addr) }, User: "master-key", Patience: 300 * time.Millisecond,
	}
	good := 0
	for _, test := range all {
		err := player.Play(test)
		switch {
		case err == nil:
			good++
		case test.Disconnect || !slices.ContainsFunc(lawful, func(name string) bool { return strings.HasPrefix(test.String(), name) }):
			t.Errorf("%s: %v", test, err)
		}
	}
	t.Logf("%d of %d", good, len(all))
}
