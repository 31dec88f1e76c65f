package mqtt

import (
	"fmt"
	"strings"
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/proxy/mqtt/wire"
)

// TestFlows: of each delivery the acknowledgements that fit pass, in their order, and no others.
func TestFlows(t *testing.T) {
	for _, row := range []struct {
		name  string
		qos   uint8
		shown bool
		steps string // of the client; rel is the broker's, ! marks what is refused, * what is ours
	}{
		{"QoS 1", 1, true, "!PUBREC !PUBCOMP PUBACK PUBACK"},
		{"QoS 2", 2, true, "!PUBACK !PUBCOMP PUBREC !PUBACK PUBREC rel PUBREC !PUBACK PUBCOMP PUBACK"},
		{"QoS 2 before the PUBREL", 2, true, "PUBREC PUBCOMP"},
		{"QoS 2, refused", 2, true, "PUBREC-0x97 PUBACK"},
		{"QoS 1, withheld", 1, false, "PUBACK"},
		{"QoS 2, withheld", 2, false, "!PUBREC !PUBCOMP !PUBACK *rel PUBACK"},
		{"of an earlier connection", 0, true, "rel !PUBACK PUBCOMP"},
	} {
		f := flows{next: map[uint16]step{}}
		f.begin(&wire.Publish{QoS: row.qos, ID: 5}, row.shown)
		for i, word := range strings.Fields(row.steps) {
			name, refused, _ := strings.Cut(strings.TrimLeft(word, "!*"), "-")
			got := ""
			if name == "rel" {
				if f.release(5) {
					got = "*"
				}
			} else {
				kinds := map[string]wire.Type{"PUBACK": wire.PUBACK, "PUBREC": wire.PUBREC, "PUBCOMP": wire.PUBCOMP}
				a := wire.Ack{Type: kinds[name], ID: 5}
				if refused != "" {
					a.Reason = wire.QuotaExceeded
				}
				if !f.client(&a) {
					got = "!"
				}
			}
			if want := word[:len(word)-len(strings.TrimLeft(word, "!*"))]; got != want {
				t.Errorf("%s, step %d, %s: got %q", row.name, i, word, got)
			}
		}
	}
}

// TestInflight: no client has more messages under way than was agreed. One of 5 knows the number;
// one of 3.x waits for room that the broker makes, and ends where only its own packets would.
func TestInflight(t *testing.T) {
	w, f := fakeWorld(t, func(o *Options) { o.MaxInflight = 3 })
	flood := func(v wire.Version, qos uint8, n int) *peer {
		p := w.dial(v, "acl-key-1", nil)
		p.want("CONNACK 0x00 <nil>")
		var all []byte
		for id := range n {
			var err error
			m := wire.Publish{Topic: []byte("a/x"), QoS: qos, ID: uint16(id + 1)}
			if all, err = m.Append(all, v); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Write(all); err != nil {
			t.Fatal(err)
		}
		return p
	}
	last := func(p *peer, between string) string {
		for {
			if got := p.next(); !strings.HasPrefix(got, between) {
				return got
			}
		}
	}
	if got := last(flood(wire.V5, 2, 4), "PUBREC"); got != "DISCONNECT 0x93 <nil>" {
		t.Errorf("5, QoS 2: %s", got)
	}
	if got := last(flood(wire.V311, 2, 4), "PUBREC"); got != "error: EOF" {
		t.Errorf("3.1.1, QoS 2: %s", got)
	}
	p := flood(wire.V311, 1, 200)
	for id := range 200 {
		p.want(fmt.Sprintf("PUBACK %d 0x00 <nil>", id+1))
	}
	p.silent()
	for _, r := range f.Received() {
		if r.Type == byte(wire.PUBLISH) && r.Topic != "a/x" {
			t.Errorf("the broker got %+v", r)
		}
	}
}

// TestSameID: a message with the id of a packet of the gateway's that is not sent yet waits for it,
// and does not wait for ever.
func TestSameID(t *testing.T) {
	w, _ := fakeWorld(t, nil)
	p := w.in("acl-key-1", "same")
	s := wire.Subscribe{ID: 5, Filters: []wire.Subscription{{Filter: []byte("a/x"), QoS: 1}}}
	all, err := s.Append(nil, wire.V5)
	for id := uint16(1<<16 - 1); id > 1<<16-4 && err == nil; id-- { // the gateway counts down
		m := wire.Publish{Topic: []byte("a/y"), QoS: 1, ID: id}
		all, err = m.Append(all, wire.V5)
	}
	if err == nil {
		_, err = p.Write(all)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.want("SUBACK 5 [0x01] <nil>")
	for id := 1<<16 - 1; id > 1<<16-4; id-- {
		p.want(fmt.Sprintf("PUBACK %d 0x10 <nil>", id))
	}
}

// TestForeignAcks: what a client acknowledges without having been shown it does not reach the broker.
func TestForeignAcks(t *testing.T) {
	w, f := fakeWorld(t, nil)
	p := w.in("acl-key-1", "acks")
	s := wire.Subscribe{ID: 1, Filters: []wire.Subscription{{Filter: []byte("flespi/state/gw/devices/7/+"), QoS: 2}}}
	p.send(&s)
	if got := p.next(); !strings.HasPrefix(got, "SUBACK 1 [0x02]") {
		t.Fatal(got)
	}
	w.set("acl-key-1", w.acl(17, 0, "a/#", 7, 9)) // other rights: nothing passes either way
	f.Publish(fake.Message{Topic: "flespi/state/gw/devices/7/name", QoS: 2})
	p.Write([]byte{0x50, 2, 0, 1})
	p.want("DISCONNECT 0x98 <nil>")
	for _, r := range f.Received() {
		if r.Type == byte(wire.PUBREC) {
			t.Errorf("the broker got %+v", r)
		}
	}
}
