package mqtt

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// repeat yields the same bytes for ever.
type repeat struct {
	b  []byte
	at int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.b[r.at:])
	r.at = (r.at + n) % len(r.b)
	return n, nil
}

// TestNoAllocs: a message passes in either direction without an allocation.
func TestNoAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w, _ := fakeWorld(t, func(o *Options) { o.Served = nil })
	w.dial(wire.V5, "acl-key-1", nil).want("CONNACK 0x00 <nil>")
	x := unconnected(w, w.server.all()[0])
	var narrowed topic.Subscription
	x.rights.judge.Subscribe(&narrowed, []byte("flespi/state/gw/devices/+/telemetry/+"), 0, 100)
	x.table.add(&asked{id: 300, options: wire.Subscription{Filter: []byte("f")}}, &narrowed)
	payload := bytes.Repeat([]byte("x"), 200)

	m := wire.Publish{Topic: []byte("flespi/state/gw/devices/7/telemetry/din"), QoS: 1, ID: 7, Payload: payload}
	m.Properties.IDs = []uint32{1}
	var d delivery
	none(t, "a delivery", &m, wire.Server, func(f wire.Frame) error {
		err := x.deliver(f, &d)
		if len(d.ids) != 1 || d.ids[0] != 300 {
			t.Fatalf("shown with %v, want 300", d.ids)
		}
		return errors.Join(err, x.toClient.flush())
	})
	m = wire.Publish{Topic: []byte("a/x"), Payload: payload}
	none(t, "a publish", &m, wire.Client, func(f wire.Frame) error {
		err := x.publish(f, &d.m, time.Now())
		if len(x.toBroker.buf) == 0 {
			t.Fatal("it was dropped")
		}
		return errors.Join(err, x.toBroker.flush())
	})
}

// unconnected returns a session with the rights of another, whose writers lead nowhere.
func unconnected(w *world, like *session) *session {
	x := &session{server: w.server, version: wire.V5, dropped: map[uint16]bool{}}
	x.flows.next = map[uint16]step{}
	x.broker.Store(like.broker.Load())
	if why := x.identify("acl-key-1"); why != admitted {
		w.t.Fatal(why)
	}
	x.table.init()
	discard := func([]byte) error { return nil }
	x.toClient = writer{version: wire.V5, send: discard, count: x.countOut}
	x.toBroker = writer{version: wire.V5, send: discard}
	return x
}

// none checks that reading m again and again and handling it allocates nothing.
func none(t *testing.T, what string, m *wire.Publish, from wire.Sender, handle func(wire.Frame) error) {
	t.Helper()
	b, err := m.Append(nil, wire.V5)
	if err != nil {
		t.Fatal(err)
	}
	r := wire.NewReader(&repeat{b: b}, from, wire.V5, 1<<20)
	one := func() {
		f, err := r.Next()
		if err == nil {
			err = handle(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		one()
	}
	if n := testing.AllocsPerRun(1000, one); n != 0 {
		t.Errorf("%s: got %v allocations, want none", what, n)
	}
}
