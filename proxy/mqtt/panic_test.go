package mqtt

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// TestPanic: wherever one session panics, it ends, without its will, and no other one notices.
func TestPanic(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(w *world, f *fake.Broker, p *peer)
	}{
		{"a packet of the client", func(_ *world, _ *fake.Broker, p *peer) { p.send(&wire.Empty{Type: wire.PINGREQ}) }},
		{"a message of the broker", func(_ *world, f *fake.Broker, _ *peer) { f.Publish(fake.Message{Topic: "a/mine", Payload: "1"}) }},
		{"nothing, and the server looks", func(*world, *fake.Broker, *peer) {}},
		{"the end of the connection", func(_ *world, _ *fake.Broker, p *peer) { p.Close() }},
	} {
		revoke := time.Hour // the server looks once a second all the same
		w, f := fakeWorld(t, func(o *Options) { o.Revoke = revoke })
		w.set("other-key", w.acl(18, policy.Publish|policy.Subscribe, "a/#", 7))
		other := w.dial(wire.V5, "other-key", nil)
		other.want("CONNACK 0x00 <nil>")
		other.subscribe(1, 0, "a/will", "a/x")
		other.want("SUBACK 1 [0x01 0x01] <nil>")
		p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.HasWill, c.Will.Topic = true, []byte("a/will") })
		p.want("CONNACK 0x00 <nil>")
		p.subscribe(1, 0, "a/mine")
		p.want("SUBACK 1 [0x01] <nil>")
		w.mu.Lock()
		w.panics = sha256.Sum256([]byte("acl-key-1"))
		w.revision++
		w.mu.Unlock()
		row.do(w, f, p)
		if row.name != "the end of the connection" {
			if got := p.next(); got != "DISCONNECT 0x80 <nil>" {
				t.Errorf("%s: got %s", row.name, got)
			}
			p.Close()
		}
		waitFor(t, func() bool { return f.Sessions() == 1 && w.server.Sessions() == 1 })
		other.publish(1, "a/x", "still here")
		got := []string{other.next(), other.next()}
		if joined(got) != "PUBACK 77 0x00 <nil> | PUBLISH a/x=still here []" && joined(got) != "PUBLISH a/x=still here [] | PUBACK 77 0x00 <nil>" {
			t.Errorf("%s: the other got %s", row.name, joined(got))
		}
		other.silent()
		w.dial(wire.V5, "acl-key-1", nil).want("error: EOF") // a CONNECT that panics
		other.silent()
		w.set("other-key", nil)
		other.want("DISCONNECT 0x87 <nil>") // what looks at sessions goes on
		if got := joined(w.counted("aclgate_panics_total")); !strings.HasSuffix(got, " 2") {
			t.Errorf("%s: %s panics, want 2", row.name, got)
		}
	}
}
