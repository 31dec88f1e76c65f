package mqtt

import (
	"fmt"
	"strings"
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/proxy/mqtt/wire"
)

// TestNoIdentifiers: at a broker that knows no subscription identifiers a client is shown each message
// once, whether the broker sends one copy for each filter that matches or one in all; a message that
// is published again is shown again.
func TestNoIdentifiers(t *testing.T) {
	for _, v := range []wire.Version{wire.V5, wire.V311} {
		for _, one := range []bool{false, true} {
			f, err := fake.Start(fake.Config{Users: map[string]uint64{ownCredential: 1}, NoIdentifiers: true, OneCopy: one})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			w := newWorld(t, f.Addr(), nil)
			p := w.dial(v, "acl-key-1", nil)
			p.want("CONNACK 0x00 <nil>")
			p.subscribe(1, 0, "a/#", "a/+", "a/x")
			p.want("SUBACK 1 [0x01 0x01 0x01] <nil>")
			var want []string
			say := func(name, payload string, qos byte) {
				f.Publish(fake.Message{Topic: name, Payload: payload, QoS: qos})
				want = append(want, fmt.Sprintf("PUBLISH %s=%s []", name, payload))
			}
			for i := range 5 {
				say("a/x", fmt.Sprint(i), byte(i%2))
				say("a/y", fmt.Sprint(i), 0)
				say("a/x/y", fmt.Sprint(i), 1)
			}
			for range 4 { // the same again and again
				say("a/x", "on", 0)
			}
			say("a/x/y", "on", 0)
			say("a/x/y", "on", 0)
			say("a/x", "on", 1)
			for i, line := range want {
				if got := p.next(); got != line {
					t.Fatalf("version %v, one copy %v, message %d: got %s, want %s", v, one, i, got, line)
				}
			}
			p.silent()
			p.Close()
		}
	}
}

// TestNoIdentifiersSaid: what the broker cannot do is said to the client.
func TestNoIdentifiersSaid(t *testing.T) {
	f, err := fake.Start(fake.Config{Users: map[string]uint64{ownCredential: 1}, NoIdentifiers: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	p := newWorld(t, f.Addr(), nil).dial(wire.V5, "acl-key-1", nil)
	frame, err := p.r.Next()
	var c wire.Connack
	if err == nil {
		err = c.Parse(frame)
	}
	if err != nil || c.Properties.NumOr(wire.IdentifiersAvailable, 1) != 0 {
		t.Errorf("%v, %v", c.Properties, err)
	}
	p.subscribe(1, 0, "a/#")
	if got := p.next(); !strings.HasPrefix(got, "SUBACK 1 [0x01]") {
		t.Error(got)
	}
}
