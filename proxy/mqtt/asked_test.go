package mqtt

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/proxy/mqtt/wire"
)

// answering is a broker that answers each filter as it is told to, and remembers what it was asked for.
type answering struct {
	t     *testing.T
	hello wire.Connack
	codes map[string]wire.Reason // of filters; others are granted as asked
	then  func(net.Conn)         // what it does after the first SUBSCRIBE, and then no more; nil: nothing

	mu  sync.Mutex
	log []string
}

// startAnswering starts one and returns its address.
func startAnswering(t *testing.T, codes map[string]wire.Reason) (s *answering, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &answering{t: t, codes: codes}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(conns.Wait)
	t.Cleanup(func() { l.Close() })
	return s, l.Addr().String()
}

func (s *answering) serve(c net.Conn) {
	defer c.Close()
	r := wire.NewReader(c, wire.Client, 0, 1<<20)
	for {
		f, err := r.Next()
		if err == nil {
			r.Accept(wire.V5, 1<<20)
			err = s.packet(c, f)
		}
		if err != nil {
			return
		}
	}
}

func (s *answering) packet(c net.Conn, f wire.Frame) error {
	switch f.Type {
	case wire.CONNECT:
		var hello wire.Connect
		if err := hello.Parse(f); err != nil {
			return err
		}
		s.note(fmt.Sprintf("will delay %d", hello.Will.Properties.Num(wire.WillDelay)))
		return say(c, &s.hello)
	case wire.SUBSCRIBE:
		var ask wire.Subscribe
		if err := ask.Parse(f); err != nil {
			return err
		}
		answer := wire.Suback{Type: wire.SUBACK, ID: ask.ID}
		for _, one := range ask.Filters {
			code, told := s.codes[string(one.Filter)]
			if !told {
				code = wire.Reason(one.QoS)
			}
			answer.Codes = append(answer.Codes, code)
			s.note(fmt.Sprintf("+%s q%d nl%v rap%v rh%d", one.Filter, one.QoS, one.NoLocal, one.RetainAsPublished, one.RetainHandling))
		}
		if err := say(c, &answer); err != nil || s.then == nil {
			return err
		}
		s.then(c)
		<-s.t.Context().Done()
		return io.EOF
	case wire.UNSUBSCRIBE:
		var ask wire.Unsubscribe
		if err := ask.Parse(f); err != nil {
			return err
		}
		for _, one := range ask.Filters {
			s.note("-" + string(one))
		}
		return say(c, &wire.Suback{Type: wire.UNSUBACK, ID: ask.ID, Codes: make([]wire.Reason, len(ask.Filters))})
	case wire.PINGREQ:
		return say(c, &wire.Empty{Type: wire.PINGRESP})
	}
	return nil
}

func (s *answering) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, line)
}

// asked waits until the broker was asked for so much, and takes it, in order of the alphabet.
func (s *answering) asked(n int) string {
	s.t.Helper()
	var got []string
	waitFor(s.t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.log) < n {
			return false
		}
		got, s.log = s.log, nil
		return true
	})
	slices.Sort(got)
	return strings.Join(got, " | ")
}

// TestAskedOptions: what a client wants of a subscription passes, and where two filters are printed as
// the same one, what either wants comes.
func TestAskedOptions(t *testing.T) {
	s, address := startAnswering(t, nil)
	w := newWorld(t, address, nil)
	p := w.in("acl-key-1", "options")
	s.asked(1)
	const state = "flespi/state/gw/devices/"
	for i, row := range []struct {
		ask  wire.Subscription
		want string
	}{
		{wire.Subscription{Filter: []byte("a/b"), QoS: 2, NoLocal: true, RetainAsPublished: true, RetainHandling: 2}, "+a/b q2 nltrue raptrue rh2"},
		{wire.Subscription{Filter: []byte("a/c"), RetainHandling: 1}, "+a/c q0 nlfalse rapfalse rh1"},
		{wire.Subscription{Filter: []byte(state + "+/name"), QoS: 1, NoLocal: true},
			"+" + state + "7/name q1 nltrue rapfalse rh0 | +" + state + "9/name q1 nltrue rapfalse rh0"},
		{wire.Subscription{Filter: []byte(state + "7/name"), RetainAsPublished: true}, "+" + state + "7/name q1 nlfalse raptrue rh0"},
	} {
		p.send(&wire.Subscribe{ID: uint16(i + 1), Filters: []wire.Subscription{row.ask}})
		if got := p.next(); !strings.HasPrefix(got, fmt.Sprintf("SUBACK %d [0x0", i+1)) {
			t.Errorf("%s: got %s", row.ask.Filter, got)
		}
		if got := s.asked(1 + strings.Count(row.want, "|")); got != row.want {
			t.Errorf("%s: the broker was asked for %s, want %s", row.ask.Filter, got, row.want)
		}
	}
}

// TestAskedCodes: the code of a filter is the lowest of what is printed for it; if the broker refuses one,
// the others are taken back, and its code is the answer.
func TestAskedCodes(t *testing.T) {
	const state = "flespi/state/gw/devices/"
	s, address := startAnswering(t, map[string]wire.Reason{state + "9/name": 0, state + "9/uid": wire.QuotaExceeded})
	w := newWorld(t, address, nil)
	p := w.in("acl-key-1", "codes")
	s.asked(1)
	p.subscribe(1, 0, state+"+/name")
	p.want("SUBACK 1 [0x00] <nil>")
	s.asked(2)
	p.subscribe(2, 0, state+"+/uid", "a/x")
	p.want("SUBACK 2 [0x97 0x01] <nil>")
	if got, want := s.asked(5), "+a/x q1 nlfalse rapfalse rh0 | +"+state+"7/uid q1 nlfalse rapfalse rh0 | +"+state+"9/uid q1 nlfalse rapfalse rh0 | -"+
		state+"7/uid | -"+state+"9/uid"; got != want {
		t.Errorf("the broker was asked for %s, want %s", got, want)
	}
	p.send(&wire.Unsubscribe{ID: 3, Filters: [][]byte{[]byte(state + "+/uid")}})
	p.want("UNSUBACK 3 [0x11] <nil>")
}

// TestAskedWill: a will waits for max_will_delay at most.
func TestAskedWill(t *testing.T) {
	s, address := startAnswering(t, nil)
	w := newWorld(t, address, nil) // a minute
	for delay, want := range map[uint32]string{5: "will delay 5", 60: "will delay 60", 61: "will delay 60", 1<<32 - 1: "will delay 60"} {
		p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) {
			c.HasWill, c.Will.Topic = true, []byte("a/will")
			c.Will.Properties.SetNum(wire.WillDelay, delay)
		})
		p.want("CONNACK 0x00 <nil>")
		if got := s.asked(1); got != want {
			t.Errorf("%d: the broker was told %s, want %s", delay, got, want)
		}
	}
}

// TestAskedForeign: what is of another account, and what is not there, are answered alike: by name, in a
// list, shared, to a token whose own entry names both, and when publishing.
func TestAskedForeign(t *testing.T) {
	m := newMovable(t, fake.Config{}, 1000)
	m.place([]int64{1}, 1).owners[devicesURI][50] = 12 // and 99 of nobody
	get := policy.Methods(policy.ParseMethod([]byte("GET")))
	m.set("naming-key", &policy.Token{ID: 32, CID: 11, Access: policy.ACLAccess, Enabled: true, Expire: 1 << 40, ACL: policy.NewACL([]policy.Entry{
		{URI: devicesURI, Methods: get, Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{1, 50, 99})},
	}, m.cat)})
	for _, key := range []string{"standard-key", "group-key", "naming-key"} {
		for _, filter := range []string{"flespi/state/gw/devices/%s/name", "flespi/state/gw/devices/1,%s/name", "$share/g/flespi/message/gw/devices/%s/#",
			"flespi/state/gw/devices/%s/#", "flespi/+/gw/devices/%s/telemetry/+", "flespi/state/gw/devices/%s"} {
			var answers []string
			for _, id := range []string{"50", "99"} {
				p := m.in(key, "asks")
				p.subscribe(1, 0, fmt.Sprintf(filter, id))
				answer := strings.ReplaceAll(p.next(), id, "ID") + ", broker: " + strings.ReplaceAll(m.atBroker(), id, "ID")
				p.publish(1, fmt.Sprintf("flespi/state/gw/devices/%s/name", id), "x")
				answers = append(answers, answer+", "+p.next())
				p.send(&wire.Disconnect{})
				p.Close()
				waitFor(t, func() bool { return m.broker.Sessions() == 0 })
			}
			if answers[0] != answers[1] || !strings.Contains(answers[0], "SUBACK 1 ") || !strings.Contains(answers[0], "PUBACK 77 0x87") {
				t.Errorf("%s, %s: foreign: %s; missing: %s", key, filter, answers[0], answers[1])
			}
		}
	}
}

// TestWelcome: CONNACK has the smaller of both sides' limits, what the token may, and nothing of what is
// between the broker and the gateway.
func TestWelcome(t *testing.T) {
	s, address := startAnswering(t, nil)
	for id, text := range map[wire.Property]string{wire.ServerReference: "elsewhere", wire.ResponseInformation: "b", wire.AssignedClientID: "theirs", wire.ReasonString: "x"} {
		s.hello.Properties.SetText(id, []byte(text))
	}
	for id, n := range map[wire.Property]uint32{wire.AliasMaximum: 50, wire.MaximumPacket: 5000, wire.ReceiveMaximum: 7, wire.ServerKeepAlive: 33, wire.RetainAvailable: 0} {
		s.hello.Properties.SetNum(id, n)
	}
	s.hello.Properties.User = []wire.Pair{{Name: []byte("token"), Value: []byte("theirs")}}
	w := newWorld(t, address, func(o *Options) { o.Info = func(t *policy.Token) []byte { return fmt.Appendf(nil, "token %d", t.ID) } })
	p := w.dial(wire.V5, "acl-key-1", func(c *wire.Connect) {
		c.ClientID = nil
		c.Properties.SetNum(wire.SessionExpiry, 1000)
	})
	f, err := p.r.Next()
	var got wire.Connack
	if err == nil {
		err = got.Parse(f)
	}
	if err != nil || got.Code != wire.Success || got.SessionPresent {
		t.Fatalf("%+v, %v", got, err)
	}
	for id, want := range map[wire.Property]uint32{
		wire.AliasMaximum: 10, wire.MaximumPacket: 5000, wire.ReceiveMaximum: 7, wire.ServerKeepAlive: 33, wire.RetainAvailable: 0, wire.SessionExpiry: 0,
	} {
		if n := got.Properties.NumOr(id, 99); n != want {
			t.Errorf("property %#x: got %d, want %d", id, n, want)
		}
	}
	for _, id := range []wire.Property{wire.ServerReference, wire.ResponseInformation, wire.ReasonString} {
		if got.Properties.Has(id) {
			t.Errorf("the client is told %q", got.Properties.Text(id))
		}
	}
	if id := got.Properties.Text(wire.AssignedClientID); len(id) == 0 || string(id) == "theirs" {
		t.Errorf("the client is given the id %q", id)
	}
	if u := got.Properties.User; len(u) != 1 || string(u[0].Name) != "token" || string(u[0].Value) != "token 17" {
		t.Errorf("user properties %s", u)
	}
}
