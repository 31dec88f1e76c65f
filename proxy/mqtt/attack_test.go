package mqtt

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// The attack classes of SPEC 16, over the wire. The token "acl-key-1" may publish and subscribe to
// a/#, and see devices 7 and 9 with their telemetry: everything else is what an attack is after.

// secrets are topics that the token may not see, closed those of nobody.
var (
	secrets = []string{"b/x", "b", "flespi/state/gw/devices/8", "flespi/state/gw/devices/8/telemetry/din", "flespi/state/gw/devices/7/settings/x",
		"flespi/log/gw/devices/7/x", "flespi/message/gw/devices/7", "flespi/state/gw/channels/7", "/flespi", "Flespi/a/x", "state/a/x"}
	closed = []string{"flespi", "flespi/", "flespi//a/x", "flespi/rest/get/gw/devices/all", "flespi/state/gw/devices/07", "flespi/state", "$SYS/a/x",
		"$CONTROL/dynamic-security/v1", "$share/a/x", "$a/x", "flespi/state/platform/customer", "flespi/state/mqtt/sessions/1"}
)

// in connects a client that is let in.
func (w *world) in(key, id string) *peer {
	w.t.Helper()
	p := w.dial(wire.V5, key, func(c *wire.Connect) { c.ClientID = []byte(id) })
	p.want("CONNACK 0x00 <nil>")
	return p
}

// leaks publishes all that is secret and checks that the client is shown nothing but want.
func (w *world) leaks(p *peer, f *fake.Broker, name string, want ...string) {
	w.t.Helper()
	for _, topic := range slices.Concat(secrets, closed, []string{"a/x", "flespi/state/gw/devices/7", "flespi/state/gw/devices/9/telemetry/din"}) {
		f.Publish(fake.Message{Topic: topic, Payload: "1", QoS: 1})
	}
	var got []string
	for next := p.afterPing(); next != "PINGRESP"; next = p.next() {
		if strings.HasPrefix(next, "error") {
			w.t.Fatalf("%s: %s", name, next)
		}
		topic, _, _ := strings.Cut(strings.TrimPrefix(next, "PUBLISH "), "=")
		got = append(got, topic)
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		w.t.Errorf("%s: shown %v, want %v", name, got, want)
	}
}

// TestAttackSessions is class 1: nobody resumes what another token, or another right, has left.
func TestAttackSessions(t *testing.T) {
	w, f := fakeWorld(t, nil)
	w.set("acl-key-2", w.acl(18, policy.Subscribe, "b/#", 8))
	resume := func(key string) *peer {
		return w.dial(wire.V5, key, func(c *wire.Connect) { c.CleanStart = false; c.Properties.SetNum(wire.SessionExpiry, 1000) })
	}
	for _, step := range []struct {
		name   string
		change func() string // returns the key to come with
	}{
		{"the same token", func() string { return "acl-key-1" }},
		{"another token", func() string { return "acl-key-2" }},
		{"other rights", func() string { w.set("acl-key-1", w.acl(17, policy.Subscribe, "b/#", 8)); return "acl-key-1" }},
	} {
		w.set("acl-key-1", w.acl(17, policy.Subscribe, "a/#", 7))
		p := resume("acl-key-1")
		p.want("CONNACK 0x00 <nil>")
		p.subscribe(1, 0, "a/x")
		p.want("SUBACK 1 [0x01] <nil>")
		p.Close()
		waitFor(t, func() bool { return f.Sessions() == 0 })
		f.Publish(fake.Message{Topic: "a/x", Payload: "queued", QoS: 1})
		q := resume(step.change())
		frame, err := q.r.Next()
		var ack wire.Connack
		if err == nil {
			err = ack.Parse(frame)
		}
		if err != nil || ack.Code != wire.Success || ack.SessionPresent {
			t.Errorf("%s: %v, session present %v, %v", step.name, ack.Code, ack.SessionPresent, err)
		}
		f.Publish(fake.Message{Topic: "a/x", Payload: "later", QoS: 1})
		q.silent()
		q.Close()
	}
}

// TestAttackWildcards is class 2, and 3 where it asks by $share: whatever is asked for, what is shown
// is what is permitted.
func TestAttackWildcards(t *testing.T) {
	own, state, telemetry := "a/x", "flespi/state/gw/devices/7", "flespi/state/gw/devices/9/telemetry/din"
	for _, row := range []struct {
		filter string
		want   []string
	}{
		{"#", []string{own, state, telemetry}},
		{"+/#", []string{own, state, telemetry}},
		{"+/+", []string{own}},
		{"+/state/gw/devices/#", []string{state, telemetry}},
		{"flespi/#", []string{state, telemetry}},
		{"flespi/+/gw/#", []string{state, telemetry}},
		{"flespi/+/+/+/+/#", []string{state, telemetry}},
		{"flespi/state/gw/devices/7,8,9/#", []string{state, telemetry}},
		{"flespi/state,log,message/gw/devices,channels/7/#", []string{state}},
		{"$share/g/+/x", []string{own}},
		{"$share/g/flespi/state/gw/devices/+/telemetry/#", []string{telemetry}},
		{"b/#", nil}, {"/#", nil}, {"Flespi/#", nil}, {"flespi/log/#", nil}, {"flespi/rest/#", nil}, {"$SYS/#", nil}, {"$CONTROL/#", nil},
		{"$share/g/$SYS/#", nil}, {"$share/g/flespi/rest/#", nil}, {"$share/g/$share/h/a/x", nil}, {"$filter/cid=1/b/x", nil},
		{"flespi/state/gw/devices/8,08/#", nil}, {"flespi/state/+/sessions/#", nil}, {"flespi/state/gw/devices/7/settings/#", nil},
	} {
		w, f := fakeWorld(t, nil)
		p := w.in("acl-key-1", "wild")
		p.subscribe(1, 0, row.filter)
		if got := p.next(); !strings.HasPrefix(got, "SUBACK 1 ") {
			t.Fatalf("%s: %s", row.filter, got)
		}
		w.leaks(p, f, row.filter, row.want...)
	}
}

// TestAttackShares is class 3: who may not see a message takes none of it from a group.
func TestAttackShares(t *testing.T) {
	w, f := fakeWorld(t, nil)
	w.set("acl-key-2", w.acl(18, policy.Subscribe, "b/#", 8))
	victim, thief := w.in("acl-key-2", "victim"), w.in("acl-key-1", "thief")
	victim.subscribe(1, 0, "$share/g/b/x")
	victim.want("SUBACK 1 [0x01] <nil>")
	for i, filter := range []string{"$share/g/b/x", "$share/g/+/x", "$share/g/+/+"} {
		thief.subscribe(uint16(i+1), 0, filter)
		if got := thief.next(); !strings.HasPrefix(got, "SUBACK") {
			t.Fatal(got)
		}
	}
	for range 10 {
		f.Publish(fake.Message{Topic: "b/x", Payload: "1", QoS: 1})
	}
	for range 10 {
		victim.want("PUBLISH b/x=1 []")
	}
	thief.silent()
	for _, filter := range []string{"$share//a/x", "$share/+/a/x", "$share/g/", "$share/g", "$share/#/a"} {
		p := w.in("acl-key-1", "malformed")
		io.WriteString(p, subscribeBytes(filter))
		p.want("DISCONNECT 0x81 <nil>")
	}
}

// subscribeBytes prints a SUBSCRIBE for a filter that no printer takes.
func subscribeBytes(filter string) string {
	body := "\x00\x01\x00" + string([]byte{byte(len(filter) >> 8), byte(len(filter))}) + filter + "\x00"
	return string([]byte{0x82, byte(len(body))}) + body
}

// publishBytes prints a PUBLISH with QoS 1 on a topic that no printer takes. properties are as they
// are sent.
func publishBytes(topic, properties string) string {
	body := string([]byte{byte(len(topic) >> 8), byte(len(topic))}) + topic + "\x00\x01" + string([]byte{byte(len(properties))}) + properties
	return string([]byte{0x32, byte(len(body))}) + body
}

// TestAttackAliases is class 4: an alias stands for the topic that was named last, on this connection.
func TestAttackAliases(t *testing.T) {
	w, f := fakeWorld(t, nil)
	for _, row := range []struct {
		name  string
		steps []string // bytes, answer, …
	}{
		{"permitted, then reused", []string{publishBytes("a/x", "\x23\x00\x01"), "PUBACK 1 0x10 <nil>", publishBytes("", "\x23\x00\x01"), "PUBACK 1 0x10 <nil>"}},
		{"denied, then reused", []string{publishBytes("b/x", "\x23\x00\x01"), "PUBACK 1 0x87 <nil>", publishBytes("", "\x23\x00\x01"), "PUBACK 1 0x87 <nil>"}},
		{"moved to a denied one", []string{publishBytes("a/x", "\x23\x00\x01"), "PUBACK 1 0x10 <nil>", publishBytes("$SYS/x", "\x23\x00\x01"), "PUBACK 1 0x87 <nil>",
			publishBytes("", "\x23\x00\x01"), "PUBACK 1 0x87 <nil>"}},
		{"rest", []string{publishBytes("flespi/rest/get", "\x23\x00\x02"), "PUBACK 1 0x87 <nil>", publishBytes("", "\x23\x00\x02"), "PUBACK 1 0x87 <nil>"}},
		{"0", []string{publishBytes("a/x", "\x23\x00\x00"), "DISCONNECT 0x94 <nil>"}},
		{"too large", []string{publishBytes("a/x", "\x23\x00\x0b"), "DISCONNECT 0x94 <nil>"}},
		{"of another connection", []string{publishBytes("", "\x23\x00\x01"), "DISCONNECT 0x82 <nil>"}},
		{"none", []string{publishBytes("", ""), "DISCONNECT 0x82 <nil>"}},
	} {
		before := len(f.Received())
		p := w.in("acl-key-1", "alias")
		for i := 0; i < len(row.steps); i += 2 {
			io.WriteString(p, row.steps[i])
			if got := p.next(); got != row.steps[i+1] {
				t.Errorf("%s, step %d: %s, want %s", row.name, i/2, got, row.steps[i+1])
			}
		}
		p.Close()
		for _, r := range f.Received()[before:] {
			if r.Type == byte(wire.PUBLISH) && r.Topic != "a/x" {
				t.Errorf("%s: the broker got %s", row.name, r.Topic)
			}
		}
	}
}

// TestAttackWills is class 5, and 10 and 13 where a will is the way.
func TestAttackWills(t *testing.T) {
	w, f := fakeWorld(t, func(o *Options) { o.MaxWillDelay = time.Second })
	watcher := w.in("master-key", "watcher")
	watcher.subscribe(1, 0, "#")
	watcher.want("SUBACK 1 [0x01] <nil>")
	will := func(topic, response string) *peer {
		return w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) {
			c.ClientID, c.HasWill, c.Will.Topic = []byte("dying"), true, []byte(topic)
			c.Will.Properties.SetNum(wire.WillDelay, 3600)
			if response != "" {
				c.Will.Properties.SetText(wire.ResponseTopic, []byte(response))
			}
		})
	}
	for _, topic := range slices.Concat(secrets, closed) {
		will(topic, "").want("CONNACK 0x87 <nil>")
	}
	for _, response := range []string{"b/x", "flespi/rest/post/gw/devices", "$SYS/x"} {
		will("a/will", response).want("CONNACK 0x87 <nil>")
	}
	for name, change := range map[string]*policy.Token{"gone": nil, "other rights": w.acl(17, policy.Subscribe, "a/#", 7)} {
		w.set("acl-key-1", w.acl(17, policy.Publish|policy.Subscribe, "a/#", 7))
		p := will("a/will", "a/answer")
		p.want("CONNACK 0x00 <nil>")
		w.set("acl-key-1", change)
		p.Close() // at once: before anything was looked at
		waitFor(t, func() bool { return f.Sessions() == 1 })
		if got := watcher.afterPing(); got != "PINGRESP" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestAttackRetained is class 6.
func TestAttackRetained(t *testing.T) {
	w, f := fakeWorld(t, nil)
	for _, topic := range slices.Concat(secrets, closed, []string{"a/x"}) {
		f.Publish(fake.Message{Topic: topic, Payload: "kept", Retain: true})
	}
	p := w.in("acl-key-1", "retained")
	for i, filter := range []string{"#", "+/#", "flespi/#", "b/#"} {
		p.subscribe(uint16(i+1), 0, filter)
	}
	for next := p.afterPing(); next != "PINGRESP"; next = p.next() {
		if strings.HasPrefix(next, "PUBLISH") && next != "PUBLISH a/x=kept []" {
			t.Errorf("shown %s", next)
		}
	}
	// An empty retained message deletes: it is a publish.
	for _, topic := range slices.Concat(secrets, closed) {
		p.send(&wire.Publish{Topic: []byte(topic), Retain: true, QoS: 1, ID: 5})
		p.want("PUBACK 5 0x87 <nil>")
	}
	m := w.in("master-key", "master")
	m.subscribe(1, 0, "b/x")
	m.want("SUBACK 1 [0x01] <nil>")
	m.want("PUBLISH b/x=kept []")
	w.set("acl-key-1", w.acl(17, policy.Subscribe, "c/#", 9))
	p.want("DISCONNECT 0x98 <nil>")
	p = w.in("acl-key-1", "retained")
	p.subscribe(1, 0, "#", "a/x")
	p.want("SUBACK 1 [0x01 0x87] <nil>")
	p.silent()
}

// TestAttackFloods is class 7: who is not known takes little, and who is no more than its share.
func TestAttackFloods(t *testing.T) {
	w, f := fakeWorld(t, func(o *Options) { o.Connect, o.MaxSessions, o.MaxInflight = 500*time.Millisecond, 3, 5 })
	for name, first := range map[string]string{
		"slow": "\x10", "half": "\x10\x20\x00\x04MQTT", "256 MiB": "\x10\xff\xff\xff\x7f\x00\x04MQTT", "five bytes of length": "\x10\xff\xff\xff\xff\x01",
	} {
		raw, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(raw, first)
		raw.SetReadDeadline(time.Now().Add(10 * time.Second))
		if b, err := io.ReadAll(raw); err != nil || len(b) > 0 {
			t.Errorf("%s: got %x, %v", name, b, err)
		}
		raw.Close()
	}
	if got := f.Received(); len(got) > 0 {
		t.Errorf("the broker got %v", got)
	}
	waitFor(t, func() bool { return w.server.Sessions() == 0 })
	p := w.in("acl-key-1", "large")
	io.WriteString(p, "\x30\xff\xff\xff\x7f")
	p.want("DISCONNECT 0x95 <nil>")
	p.Close()
	waitFor(t, func() bool { return w.server.Sessions() == 0 })
	old := w.dial(wire.V311, "acl-key-1", nil)
	old.want("CONNACK 0x00 <nil>")
	for id := range uint16(6) {
		old.send(&wire.Publish{Topic: []byte("b/x"), QoS: 2, ID: id + 1})
	}
	for id := range uint16(5) {
		old.want(fmt.Sprintf("PUBREC %d 0x00 <nil>", id+1))
	}
	old.want("error: EOF")
	old.Close()
	waitFor(t, func() bool { return w.server.Sessions() == 0 })
	for i := range 3 {
		w.in("acl-key-1", fmt.Sprint(i))
	}
	w.dial(wire.V5, "acl-key-1", nil).want("CONNACK 0x97 <nil>")
}

// TestAttackIdentifiers is class 8: each identifier of the client comes once, in one copy or several.
func TestAttackIdentifiers(t *testing.T) {
	for _, one := range []bool{false, true} {
		f, err := fake.Start(fake.Config{OneCopy: one})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		w := newWorld(t, f.Addr(), nil)
		p := w.in("acl-key-1", "ids")
		for i, filter := range []string{"#", "+/state/gw/devices/+/telemetry/+", "flespi/state/gw/devices/7,8,9/#", "flespi/state/gw/devices/7/telemetry/din", "+/#", "flespi/#"} {
			p.subscribe(uint16(i+1), uint32(i+1), filter)
			if got := p.next(); !strings.HasPrefix(got, fmt.Sprintf("SUBACK %d [0x01]", i+1)) {
				t.Fatalf("%s: %s", filter, got)
			}
		}
		f.Publish(fake.Message{Topic: "flespi/state/gw/devices/7/telemetry/din", Payload: "1", QoS: 1})
		var ids []string
		for next := p.afterPing(); next != "PINGRESP"; next = p.next() {
			_, list, _ := strings.Cut(next, "[")
			ids = append(ids, strings.Fields(strings.Trim(list, "]"))...)
		}
		if slices.Sort(ids); joined(ids) != "1 | 2 | 3 | 4 | 5 | 6" {
			t.Errorf("in one copy %v: %s", one, joined(ids))
		}
	}
}

// TestAttackTexts is class 9: what is no text ends the session, and what only looks like flespi/ is an
// own topic like any other.
func TestAttackTexts(t *testing.T) {
	w, f := fakeWorld(t, nil)
	for _, text := range []string{"a/\xc0\x80", "a/\xc0\xaf", "a/\x00", "a/\xed\xa0\x80", "a/\x01", "a/\x7f", "a/\xc2\x85", "a/\xef\xbf\xbf", "a/\xff", "a/\xf4\x90\x80\x80"} {
		for _, bytes := range []string{publishBytes(text, ""), subscribeBytes(text)} {
			p := w.in("acl-key-1", "text")
			io.WriteString(p, bytes)
			p.want("DISCONNECT 0x81 <nil>")
		}
	}
	p := w.in("acl-key-1", "text")
	for topic, want := range map[string]string{
		"flespi": "0x87", "flespi/": "0x87", "flespi//": "0x87", "/flespi": "0x87", "Flespi": "0x87", "FLESPI/rest/get": "0x87", "a": "0x10", "a//": "0x10", "a/": "0x10",
		"a/flespi": "0x10", "A/x": "0x87", "/a/x": "0x87", "\ufefa/x": "0x87", "а/x": "0x87", "a /x": "0x87",
	} {
		before := len(f.Received())
		p.publish(1, topic, "")
		p.want("PUBACK 77 " + want + " <nil>")
		if passed := len(f.Received()) > before; passed != (want == "0x10") {
			t.Errorf("%q: passed %v", topic, passed)
		}
	}
}

// TestAttackSpoofing is classes 10 and 11: what speaks for others is taken off or denied.
func TestAttackSpoofing(t *testing.T) {
	w, f := fakeWorld(t, nil)
	pairs := func(list ...string) (all []wire.Pair) {
		for i := 0; i < len(list); i += 2 {
			all = append(all, wire.Pair{Name: []byte(list[i]), Value: []byte(list[i+1])})
		}
		return all
	}
	p := w.in("acl-key-1", "spoof")
	for _, row := range []struct {
		user []wire.Pair
		want string
	}{
		{pairs("token", "{}", "timestamp", "1", "subscriptions", "x", "aclgate-denied", "1"), "0x10"},
		{pairs("cid", "1"), "0x10"},
		{pairs("cid", "11"), "0x87"}, {pairs("cid", "2"), "0x87"}, {pairs("cid", "01"), "0x87"}, {pairs("cid", ""), "0x87"}, {pairs("cid", "1", "cid", "1"), "0x87"},
	} {
		before := len(f.Received())
		m := wire.Publish{Topic: []byte("a/x"), QoS: 1, ID: 3}
		m.Properties.User = row.user
		p.send(&m)
		p.want("PUBACK 3 " + row.want + " <nil>")
		for _, r := range f.Received()[before:] {
			if len(r.Properties) > 0 || row.want != "0x10" {
				t.Errorf("%s: the broker got %+v", row.user, r)
			}
		}
	}
	for _, response := range []string{"b/x", "flespi/rest/post/gw/devices", "$SYS/x", "/a"} {
		m := wire.Publish{Topic: []byte("a/x"), QoS: 1, ID: 3}
		m.Properties.SetText(wire.ResponseTopic, []byte(response))
		p.send(&m)
		p.want("PUBACK 3 0x87 <nil>")
	}
	s := wire.Subscribe{ID: 4, Filters: []wire.Subscription{{Filter: []byte("a/x")}}}
	s.Properties.User = pairs("cid", "2")
	p.send(&s)
	p.want("SUBACK 4 [0x87] <nil>")
	s.Properties.User = nil
	p.send(&s)
	p.want("SUBACK 4 [0x00] <nil>")
	f.Publish(fake.Message{Topic: "a/x", User: []fake.UserProperty{{Name: "token", Value: "{}"}, {Name: "subscriptions", Value: "x"}, {Name: "aclgate-denied", Value: "7"}, {Name: "mine", Value: "1"}}})
	if got := p.publishOf(t).Properties.User; len(got) != 1 || string(got[0].Name) != "mine" {
		t.Errorf("shown with %s", got)
	}
}

// TestAttackQueues is class 12: what waits at the broker when rights change is not shown.
func TestAttackQueues(t *testing.T) {
	for _, next := range []string{"gone", "other rights"} {
		w, f := fakeWorld(t, nil)
		p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) { c.Properties.SetNum(wire.ReceiveMaximum, 1) })
		p.want("CONNACK 0x00 <nil>")
		p.subscribe(1, 0, "a/x")
		p.want("SUBACK 1 [0x01] <nil>")
		for i := range 5 {
			f.Publish(fake.Message{Topic: "a/x", Payload: fmt.Sprint(i), QoS: 1})
		}
		frame, err := p.r.Next()
		var m wire.Publish
		if err == nil {
			err = m.Parse(frame)
		}
		if err != nil || string(m.Payload) != "0" {
			t.Fatalf("%s, %v", m.Payload, err)
		}
		var other *policy.Token
		if next == "other rights" {
			other = w.acl(17, policy.Subscribe, "b/#", 7)
		}
		w.set("acl-key-1", other)
		p.Write([]byte{0x40, 2, byte(m.ID >> 8), byte(m.ID)})
		if got := p.next(); !strings.HasPrefix(got, "DISCONNECT") {
			t.Errorf("%s: %s", next, got)
		}
		waitFor(t, func() bool { return f.Sessions() == 0 })
	}
}

// TestAttackClosed is class 13: what is closed to everybody is closed to a master, both ways.
func TestAttackClosed(t *testing.T) {
	w, f := fakeWorld(t, nil)
	p := w.in("master-key", "master")
	p.subscribe(1, 0, "#", "+/#", "$SYS/#", "$CONTROL/#", "flespi/rest/#", "$share/g/flespi/rest/#", "$share/g/$SYS/#")
	if got := p.next(); got != "SUBACK 1 [0x01 0x01 0x87 0x87 0x87 0x87 0x87] <nil>" {
		t.Error(got)
	}
	for _, topic := range closed {
		if strings.HasPrefix(topic, "flespi/state/") { // a master may see these, where there is such a GET
			continue
		}
		f.Publish(fake.Message{Topic: topic, Payload: "1"})
		if got := p.afterPing(); got != "PINGRESP" {
			t.Fatalf("%s: shown %s", topic, got)
		}
		before := len(f.Received())
		p.publish(1, topic, "1")
		p.want("PUBACK 77 0x87 <nil>")
		if got := f.Received()[before:]; len(got) > 0 {
			t.Errorf("%s: the broker got %+v", topic, got)
		}
	}
}

// TestAttackPackets is class 14: one packet is one packet, and none is another side's.
func TestAttackPackets(t *testing.T) {
	w, f := fakeWorld(t, nil)
	p := w.in("acl-key-1", "packets")
	p.subscribe(1, 0, "a/x", "b/x", "$SYS/#", "a/y", "flespi/state/gw/devices/8")
	p.want("SUBACK 1 [0x01 0x87 0x87 0x01 0x87] <nil>")
	w.leaks(p, f, "second filter", "a/x")
	hello, err := (&wire.Connect{Version: wire.V5, CleanStart: true, ClientID: []byte("x"), HasUser: true, User: []byte("master-key")}).Append(nil, wire.V5)
	if err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string]string{
		"second CONNECT": string(hello), "CONNACK": "\x20\x03\x00\x00\x00", "SUBACK": "\x90\x04\x00\x01\x00\x00", "UNSUBACK": "\xb0\x04\x00\x01\x00\x00",
		"PINGRESP": "\xd0\x00", "type 0": "\x00\x00", "AUTH": "\xf0\x00",
	} {
		p := w.in("acl-key-1", "packets")
		io.WriteString(p, bytes)
		if got := p.next(); !strings.HasPrefix(got, "DISCONNECT 0x8") {
			t.Errorf("%s: %s", name, got)
		}
	}
	before := len(f.Received())
	for _, bytes := range []string{publishBytes("a/x", ""), subscribeBytes("#"), "\xc0\x00", "\xe0\x00", "\xf0\x00", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01"} {
		raw, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(raw, bytes+string(hello))
		raw.SetReadDeadline(time.Now().Add(10 * time.Second))
		if b, _ := io.ReadAll(raw); len(b) > 0 {
			t.Errorf("before CONNECT %x: got %x", bytes, b)
		}
		raw.Close()
	}
	for _, r := range f.Received()[before:] {
		if r.Type == byte(wire.PUBLISH) || r.Type == byte(wire.CONNECT) {
			t.Errorf("the broker got %+v", r)
		}
	}
}

// TestAttackNames is class 15: names are no filters, and a page of elsewhere does not come in. What
// smuggles through WebSocket's frames is tested in proxy/mqtt/ws.
func TestAttackNames(t *testing.T) {
	w, f := fakeWorld(t, nil)
	for _, id := range []string{"#", "+/a", "a/#", "$SYS", "ag-0123456789012345678901", strings.Repeat("x", 1000)} {
		p := w.in("acl-key-1", id)
		p.silent()
		p.Close()
	}
	for _, r := range f.Received() {
		if r.Type == byte(wire.CONNECT) && (len(r.ClientID) != 25 || strings.ContainsAny(r.ClientID, "#+/$")) {
			t.Errorf("at the broker: %q", r.ClientID)
		}
	}
	for _, user := range []string{"#", "+", "acl-key-+", "*", "acl-key-1 ", " acl-key-1", "ACL-KEY-1", "FlespiToken", "FlespiToken ", "Bearer  acl-key-1", "acl-key-1/#"} {
		w.dial(wire.V5, user, nil).want("CONNACK 0x86 <nil>")
	}
	bound := w.acl(19, policy.Subscribe, "a/#", 7)
	bound.Origins = []string{"https://good.example"}
	w.set("bound-key", bound)
	for origin, want := range map[string]string{"https://good.example": "0x00", "https://evil.example": "0x86", "https://good.example.evil": "0x86", "null": "0x86", "": "0x00"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		q := &world{t: t}
		q.addr = l.Addr().String()
		go func() {
			if c, err := l.Accept(); err == nil {
				w.server.Take(c, origin)
			}
		}()
		if got := q.dial(wire.V5, "bound-key", nil).next(); got != "CONNACK "+want+" <nil>" {
			t.Errorf("origin %q: %s, want %s", origin, got, want)
		}
		l.Close()
	}
}
