package mqtt

import (
	"slices"
	"strings"
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// TestConnect: where the key may be, and what is answered to which fault, in 5 and 3.1.1.
func TestConnect(t *testing.T) {
	w, f := fakeWorld(t, nil)
	expired := w.acl(3, policy.Publish, "a", 7)
	expired.Expire = 1
	w.set("expired-key", expired)
	const remembered = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
	w.set(remembered, w.acl(5, policy.Subscribe, "a", 7))
	w.set("noapi-key", &policy.Token{ID: 4, CID: 1, Access: policy.NoAPI, Enabled: true, Expire: 1 << 40})
	user := func(user, password string) func(*wire.Connect) {
		return func(c *wire.Connect) {
			c.HasUser, c.User = true, []byte(user)
			c.HasPass, c.Password = password != "", []byte(password)
		}
	}
	will := func(name string) func(*wire.Connect) {
		return func(c *wire.Connect) {
			user("acl-key-1", "")(c)
			c.HasWill, c.Will.Topic = true, []byte(name)
		}
	}
	for _, row := range []struct {
		name      string
		edit      func(*wire.Connect)
		five, old string
	}{
		{"user name", user("acl-key-1", ""), "0x00", "0x00"},
		{"user name with a password", user("acl-key-1", "whatever"), "0x00", "0x00"},
		{"scheme", user("FlespiToken acl-key-1", ""), "0x00", "0x00"},
		{"bearer", user("bearer acl-key-1", ""), "0x00", "0x00"},
		{"password", user("", "acl-key-1"), "0x00", "0x00"},
		{"password behind a name", user("device", "acl-key-1"), "0x86", "0x05"},
		{"nothing", user("", ""), "0x86", "0x05"},
		{"unknown", user("unknown-key", ""), "0x86", "0x05"},
		{"expired", user("expired-key", ""), "0x86", "0x05"},
		{"a token from elsewhere", user(remembered, ""), "0x86", "0x05"},
		{"one as a password", user("", "Bearer "+remembered), "0x86", "0x05"},
		{"noapi", user("noapi-key", ""), "0x87", "0x05"},
		{"will", will("a/will"), "0x00", "0x00"},
		{"denied will", will("b/will"), "0x87", "0x05"},
		{"will below flespi", will("flespi/state/gw/devices/7"), "0x87", "0x05"},
	} {
		for v, want := range map[wire.Version]string{wire.V5: row.five, wire.V311: row.old, wire.V31: row.old} {
			before := len(f.Received())
			p := w.dial(v, "", row.edit)
			p.want("CONNACK " + want + " <nil>")
			if want == "0x00" {
				p.silent()
			} else {
				p.want("error: EOF")
				if got := f.Received()[before:]; len(got) > 0 {
					t.Errorf("%s: the broker got %+v", row.name, got)
				}
			}
			p.Close()
		}
	}
	f.Misbehave(fake.Refuses)
	w.dial(wire.V5, "acl-key-1", nil).want("CONNACK 0x88 <nil>")
	w.dial(wire.V311, "acl-key-1", nil).want("CONNACK 0x03 <nil>")
}

// TestSubscribe: what a client asks for is narrowed before the broker is asked, its identifiers
// come back, and each filter has a code of its own.
func TestSubscribe(t *testing.T) {
	w, f := fakeWorld(t, nil)
	p := w.dial(wire.V5, "acl-key-1", nil)
	p.want("CONNACK 0x00 <nil>")
	p.subscribe(5, 300, "flespi/state/gw/devices/+/telemetry/+", "b/#", "#")
	p.want("SUBACK 5 [0x01 0x87 0x01] <nil>")
	p.subscribe(6, 301, "flespi/state/gw/devices/7,8/telemetry/+")
	p.want("SUBACK 6 [0x01] <nil> aclgate-denied=8")
	for _, filter := range f.Filters() {
		if strings.Contains(filter, "b/") || strings.Contains(filter, "/8/") || filter == "#" || strings.Contains(filter, "devices/+") {
			t.Errorf("the broker was asked for %s", filter)
		}
	}
	for _, name := range []string{"7/telemetry/din", "8/telemetry/din", "9/telemetry/din", "7/settings/x"} {
		f.Publish(fake.Message{Topic: "flespi/state/gw/devices/" + name, Payload: "1"})
	}
	f.Publish(fake.Message{Topic: "a/x", Payload: "1"})
	f.Publish(fake.Message{Topic: "b/x", Payload: "1"})
	var got []string
	for next := p.afterPing(); next != "PINGRESP"; next = p.next() {
		got = append(got, next)
	}
	slices.Sort(got)
	ids := map[string]int{}
	for _, line := range got {
		if !strings.HasPrefix(line, "PUBLISH flespi/state/gw/devices/7/telemetry/din=1 ") &&
			!strings.HasPrefix(line, "PUBLISH flespi/state/gw/devices/9/telemetry/din=1 ") && !strings.HasPrefix(line, "PUBLISH a/x=1 ") {
			t.Errorf("shown: %s", line)
		}
		name, id, _ := strings.Cut(line, "=1 ")
		for _, one := range strings.Fields(strings.Trim(id, "[]")) {
			ids[name+" "+one]++
		}
	}
	for _, want := range []string{"7/telemetry/din 300", "7/telemetry/din 301", "9/telemetry/din 300"} {
		if ids["PUBLISH flespi/state/gw/devices/"+want] == 0 {
			t.Errorf("%s did not come: %s", want, joined(got))
		}
	}
	if ids["PUBLISH flespi/state/gw/devices/7/telemetry/din 301"] != 1 || ids["PUBLISH flespi/state/gw/devices/9/telemetry/din 301"] != 0 {
		t.Errorf("identifier 301 came wrong: %s", joined(got))
	}
	u := wire.Unsubscribe{ID: 9, Filters: [][]byte{[]byte("flespi/state/gw/devices/+/telemetry/+"), []byte("#"), []byte("never")}}
	p.send(&u)
	p.want("UNSUBACK 9 [0x00 0x00 0x11] <nil>")
	f.Publish(fake.Message{Topic: "flespi/state/gw/devices/9/telemetry/din", Payload: "2"})
	f.Publish(fake.Message{Topic: "flespi/state/gw/devices/7/telemetry/din", Payload: "2"})
	p.want("PUBLISH flespi/state/gw/devices/7/telemetry/din=2 [301]")
	p.silent()
}

func (p *peer) afterPing() string {
	p.send(&wire.Empty{Type: wire.PINGREQ})
	return p.next()
}

// TestPublish: what a token may publish reaches the broker, the rest does not, and the answer is
// that of its version (SPEC 16.5).
func TestPublish(t *testing.T) {
	w, f := fakeWorld(t, nil)
	for _, row := range []struct {
		v      wire.Version
		qos    uint8
		topic  string
		answer []string
		passes bool
	}{
		{wire.V5, 0, "a/x", nil, true},
		{wire.V5, 1, "a/x", []string{"PUBACK 77 0x10 <nil>"}, true},
		{wire.V5, 2, "a/x", []string{"PUBREC 77 0x00 <nil>", "PUBCOMP 77 0x00 <nil>"}, true},
		{wire.V5, 0, "b/x", nil, false},
		{wire.V5, 1, "b/x", []string{"PUBACK 77 0x87 <nil>"}, false},
		{wire.V5, 2, "flespi/rest/get/gw/devices/all", []string{"PUBREC 77 0x87 <nil>"}, false},
		{wire.V5, 1, "$SYS/x", []string{"PUBACK 77 0x87 <nil>"}, false},
		{wire.V311, 1, "a/x", []string{"PUBACK 77 0x00 <nil>"}, true},
		{wire.V311, 1, "b/x", []string{"PUBACK 77 0x00 <nil>"}, false},
		{wire.V311, 2, "b/x", []string{"PUBREC 77 0x00 <nil>", "PUBCOMP 77 0x00 <nil>"}, false},
	} {
		before := len(f.Received())
		p := w.dial(row.v, "acl-key-1", nil)
		p.want("CONNACK 0x00 <nil>")
		p.publish(row.qos, row.topic, "payload")
		for _, answer := range row.answer {
			p.want(answer)
			if strings.HasPrefix(answer, "PUBREC 77 0x00") {
				p.send(&wire.Ack{Type: wire.PUBREL, ID: 77})
			}
		}
		p.silent()
		passed := slices.ContainsFunc(f.Received()[before:], func(r fake.Received) bool { return r.Type == byte(wire.PUBLISH) })
		if passed != row.passes {
			t.Errorf("%d QoS %d %s: reached the broker: %v, want %v", row.v, row.qos, row.topic, passed, row.passes)
		}
		p.Close()
	}
}

// TestProperties: what only the gateway may say is taken off, both ways, and the response topic is
// judged.
func TestProperties(t *testing.T) {
	w, f := fakeWorld(t, nil)
	p := w.dial(wire.V5, "acl-key-1", nil)
	p.want("CONNACK 0x00 <nil>")
	m := wire.Publish{Topic: []byte("a/x"), QoS: 1, ID: 1}
	for _, name := range []string{"token", "subscriptions", "timestamp", "aclgate-denied", "mine"} {
		m.Properties.User = append(m.Properties.User, wire.Pair{Name: []byte(name), Value: []byte("v")})
	}
	p.send(&m)
	p.want("PUBACK 1 0x10 <nil>")
	all := f.Received()
	if got := all[len(all)-1].Properties; len(got) != 1 || got[0].Name != "mine" {
		t.Errorf("the broker got %v, want mine alone", got)
	}
	for response, want := range map[string]string{"a/answer": "0x10", "b/answer": "0x87", "flespi/rest/get": "0x87"} {
		m := wire.Publish{Topic: []byte("a/x"), QoS: 1, ID: 2}
		m.Properties.SetText(wire.ResponseTopic, []byte(response))
		p.send(&m)
		p.want("PUBACK 2 " + want + " <nil>")
	}
	m = wire.Publish{Topic: []byte("a/x"), QoS: 1, ID: 3}
	m.Properties.User = []wire.Pair{{Name: []byte("cid"), Value: []byte("1x")}}
	p.send(&m)
	p.want("PUBACK 3 0x87 <nil>")
}

// TestRevoked: when the policy changes, no packet passes that the new one denies, the client is
// told why, and the broker forgets the session with its will (SPEC 16.6).
func TestRevoked(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*world)
		want   string
	}{
		{"token gone", func(w *world) { w.set("acl-key-1", nil) }, "DISCONNECT 0x87 <nil>"},
		{"other rights", func(w *world) { w.set("acl-key-1", w.acl(17, policy.Subscribe, "a/#", 7)) }, "DISCONNECT 0x98 <nil>"},
		{"another token", func(w *world) { w.set("other-key", w.acl(18, policy.Subscribe, "a/#", 7)) }, ""},
	} {
		w, f := fakeWorld(t, nil)
		p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.HasWill, c.Will.Topic = true, []byte("a/will") })
		p.want("CONNACK 0x00 <nil>")
		p.subscribe(1, 0, "a/x")
		p.want("SUBACK 1 [0x01] <nil>")
		row.change(w)
		f.Publish(fake.Message{Topic: "a/x", Payload: "late"})
		if row.want == "" {
			p.want("PUBLISH a/x=late []")
			p.silent()
			continue
		}
		p.want(row.want)
		p.want("error: EOF")
		p.Close()
		waitFor(t, func() bool { return f.Sessions() == 0 })
		for _, r := range f.Received() {
			if r.Type == byte(wire.DISCONNECT) && r.Payload != "0x00 expiry 0" {
				t.Errorf("%s: the broker was told %s", row.name, r.Payload)
			}
		}
	}
}
