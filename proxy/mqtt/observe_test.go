package mqtt

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"aclgate/bench/broker"
	"aclgate/proxy/mqtt/wire"
)

// counted returns the samples of the families that begin with a name, as text.
func (w *world) counted(name string) (lines []string) {
	w.t.Helper()
	all, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			line := f.GetName()
			for _, l := range m.GetLabel() {
				line += " " + l.GetValue()
			}
			if v := m.GetCounter().GetValue(); strings.HasPrefix(line, name) && v > 0 {
				lines = append(lines, fmt.Sprint(strings.TrimPrefix(line, name+" "), " ", v))
			}
		}
	}
	return lines
}

// What sessions do is counted with its reason, and remembered: each CONNECT, each filter, each end,
// what was denied, and no key.
func TestObserved(t *testing.T) {
	w, f := fakeWorld(t, nil)
	if got := w.dial(wire.V5, "nobody-has-this", nil).next(); !strings.HasPrefix(got, "CONNACK 0x86") {
		t.Errorf("got %s", got)
	}
	c := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) {
		c.HasWill, c.Will.Topic = true, []byte("a/gone")
	})
	c.next()
	c.send(&wire.Subscribe{ID: 1, Filters: []wire.Subscription{{Filter: []byte("a/#")}, {Filter: []byte("b/#")}, {Filter: []byte("flespi/state/gw/devices/7,8/#")}}})
	c.next()
	c.send(&wire.Publish{Topic: []byte("b/x"), QoS: 1, ID: 2})
	c.next()
	c.send(&wire.Publish{Topic: []byte("a/x"), QoS: 1, ID: 3})
	c.next()
	c.next()
	f.Publish(broker.Message{Topic: "flespi/state/gw/devices/7/telemetry", Payload: "x"}) // a submodule, and no property
	w.set("acl-key-1", nil)
	for c.next() != "error: EOF" {
	}
	want := []string{
		"connect deny token-unknown 0x86 0 ", "connect allow permitted 0x00 17 ", "subscribe allow permitted 0x00 17 a/#",
		"subscribe deny no-topic-entry 0x87 17 b/#", "subscribe narrow narrowed 0x00 17 flespi/state/gw/devices/7,8/#",
		"publish deny no-topic-entry 0x87 17 b/x", "end deny revoked 0x87 17 ",
	}
	var got []string
	waitFor(t, func() bool { // the end is noted after the client has been told
		w.mu.Lock()
		defer w.mu.Unlock()
		got = slices.Clone(w.log)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range []string{
		"connect token-unknown deny 1", "will permitted allow 1", "subscribe permitted allow 1", "subscribe no-topic-entry deny 1",
		"publish permitted allow 1", "publish no-topic-entry deny 1", "deliver permitted allow 1", "end revoked deny 1",
	} {
		if got := w.counted("aclgate_mqtt_decisions_total"); !slices.Contains(got, line) {
			t.Errorf("%q is not among %q", line, got)
		}
	}
	for _, line := range []string{"in connect 2", "in publish 2", "in subscribe 1", "out suback 1", "out disconnect 1"} {
		if got := w.counted("aclgate_mqtt_packets_total"); !slices.Contains(got, line) {
			t.Errorf("%q is not among %q", line, got)
		}
	}
	if got := w.counted("aclgate_mqtt_connects_total"); !slices.Equal(got, []string{"permitted 1", "token-unknown 1"}) {
		t.Errorf("got %q", got)
	}
}

// What a server has is what its sessions have.
func TestStats(t *testing.T) {
	w, f := fakeWorld(t, nil)
	c := w.dial(wire.V5, "acl-key-1", nil)
	c.next()
	c.send(&wire.Subscribe{ID: 1, Filters: []wire.Subscription{{Filter: []byte("a/#")}, {Filter: []byte("flespi/state/gw/devices/+/telemetry/#")}}})
	c.next()
	if got, want := w.server.Stats(), (Stats{Sessions: 1, Asked: 2, Printed: 3, BrokerUp: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	f.Misbehave(broker.Unavailable)
	w.dial(wire.V5, "acl-key-1", nil).next()
	if w.server.Stats().BrokerUp {
		t.Error("the broker refuses, and counts as up")
	}
}

// An address that tries key after key is told so after its share; a valid key from there is served.
func TestCharged(t *testing.T) {
	left := 2
	w, _ := fakeWorld(t, func(o *Options) {
		o.Charge = func(a netip.Addr) bool {
			if left--; a != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("charged %v", a)
			}
			return left >= 0
		}
	})
	for i, want := range []string{"0x86", "0x86", "0x9f"} {
		if got := w.dial(wire.V5, fmt.Sprint("guess-number-", i), nil).next(); !strings.HasPrefix(strings.ToLower(got), "connack "+want) {
			t.Errorf("guess %d: got %s, want %s", i, got, want)
		}
	}
	if got := w.dial(wire.V5, "acl-key-1", nil).next(); !strings.HasPrefix(got, "CONNACK 0x00") || left != -1 {
		t.Errorf("got %s, %d left", got, left)
	}
}
