package mqtt

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"aclgate/proxy/mqtt/wire"
)

// scripted is a broker that lets everybody in, waits for a PINGREQ, says what it was given, and
// goes.
type scripted struct {
	net.Listener
	script []byte      // of the next connection
	got    chan []byte // what a connection brought
}

func script(t testing.TB) *scripted {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &scripted{Listener: l, got: make(chan []byte, 1)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(c.(*net.TCPConn))
		}
	}()
	return s
}

func (s *scripted) serve(c *net.TCPConn) {
	defer c.Close()
	_, _ = io.WriteString(c, "\x20\x03\x00\x00\x00")
	var got []byte
	var buffer [4096]byte
	for said := false; ; {
		n, err := c.Read(buffer[:])
		if got = append(got, buffer[:n]...); err != nil {
			break
		}
		if !said && bytes.HasSuffix(got, []byte{0xc0, 0}) {
			said = true
			_, _ = c.Write(s.script)
			_ = c.CloseWrite()
		}
	}
	s.got <- got
}

// packetsOf reads a stream to its end, and fails where it is not what the side may say. What was cut
// off in the middle is not.
func packetsOf(t *testing.T, stream []byte, side wire.Sender, v wire.Version, each func(wire.Frame) error) {
	t.Helper()
	r := wire.NewReader(bytes.NewReader(stream), side, v, 1<<20)
	for {
		f, err := r.Next()
		if err == nil {
			if r.Accept(wire.V5, 1<<20); side == wire.Server {
				r.Accept(v, 1<<20)
			}
			err = each(f)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in %q", err, stream)
		}
	}
}

// seen reports whether the token "acl-key-1" may see a topic: the words of its entries.
func seen(topic string) bool {
	for _, id := range []string{"7", "9"} {
		item, below := strings.CutPrefix(topic, "flespi/state/gw/devices/"+id)
		switch {
		case !below:
		case item == "", strings.HasPrefix(item, "/telemetry/"), item == "/telemetry", strings.Count(item, "/") == 1:
			return true
		}
	}
	return topic == "a" || strings.HasPrefix(topic, "a/")
}

// FuzzSession has a client and a broker say anything: the session ends when they go, the broker is
// told nothing but good packets about what the token may, and the client shown nothing else.
func FuzzSession(f *testing.F) {
	s := script(f)
	w := newWorld(f, s.Addr().String(), func(o *Options) { o.MaxInflight, o.MaxFilters = 5, 20 })
	subscribed := "\x82\x0b\x00\x05\x02\x0b\x07\x00\x03a/#\x02"
	old := "\x82\x08\x00\x05\x00\x03a/#\x02"
	suback := "\x90\x04\xff\xff\x00\x02"
	for _, seed := range []struct {
		version        uint8
		client, broker string
	}{
		{0, subscribed, suback + "\x34\x0d\x00\x03a/x\x00\x09\x02\x0b\x01ab" + "\x62\x02\x00\x09"},
		{1, old, suback + "\x32\x0a\x00\x03a/x\x00\x09\x00xyz" + "\xe0\x01\x8b"},
		{0, "\x32\x0a\x00\x03a/x\x00\x01\x00xyz", "\x40\x02\x00\x01"},
		{0, "\x34\x0a\x00\x03b/x\x00\x01\x00xyz\x62\x02\x00\x01", "\x50\x02\x00\x01\x70\x02\x00\x01"},
		{1, "\x34\x09\x00\x03b/x\x00\x01xyz\x62\x02\x00\x01", ""},
		{0, "\x30\x09\x00\x03a/x\x03\x23\x00\x01\x30\x06\x00\x00\x03\x23\x00\x01", "\x30\x08\x00\x03b/x\x00abc"},
		{0, "\x82\x07\x00\x05\x00\x00\x01#\x01", suback + "\x30\x1d\x00\x18flespi/state/gw/devices/8\x00\x31" + "\x30\x07\x00\x02a/\x02\x0b\x01"},
		{0, "\xa2\x08\x00\x06\x00\x00\x03a/#", "\xb0\x04\xff\xff\x00\x00"},
		{2, old + "\xe0\x00", "\xd0\x00"},
		{3, "\x10\xff\xff\xff\x7f", ""},
		{3, "\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02ab", ""},
	} {
		f.Add(seed.version, []byte(seed.client), []byte(seed.broker))
	}
	f.Fuzz(func(t *testing.T, version uint8, client, broker []byte) {
		if len(client)+len(broker) > 1<<16 {
			return
		}
		v := []wire.Version{wire.V5, wire.V311, wire.V31, 0}[version%4]
		var first []byte
		if v != 0 {
			c := wire.Connect{Version: v, CleanStart: true, ClientID: []byte("f"), HasUser: true, User: []byte("acl-key-1")}
			first, _ = c.Append(nil, v)
		}
		s.script = broker
		raw, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		_, _ = raw.Write(append(append(first, client...), 0xc0, 0))
		// What is still waited for is the rest of a packet.
		raw.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		shown, _ := io.ReadAll(raw)
		raw.Close()
		waitFor(t, func() bool { return w.server.Sessions() == 0 })
		var told []byte
		if v != 0 {
			told = <-s.got
		} else if len(s.got) > 0 {
			t.Fatal("a session without a key")
		}
		packetsOf(t, told, wire.Client, 0, func(f wire.Frame) error { return toldRight(t, f) })
		if v == 0 {
			v = wire.V311
		}
		packetsOf(t, shown, wire.Server, v, func(f wire.Frame) error {
			if f.Type != wire.PUBLISH {
				return nil
			}
			var m wire.Publish
			if err := m.Parse(f); err != nil {
				return err
			}
			if !seen(string(m.Topic)) {
				t.Errorf("shown %q", m.Topic)
			}
			return nil
		})
	})
}

// toldRight checks a packet to the broker.
func toldRight(t *testing.T, f wire.Frame) error {
	switch f.Type {
	case wire.PUBLISH:
		var m wire.Publish
		if err := m.Parse(f); err != nil {
			return err
		}
		if name := string(m.Topic); name != "a" && !strings.HasPrefix(name, "a/") {
			t.Errorf("published %q", name)
		}
	case wire.SUBSCRIBE:
		var s wire.Subscribe
		if err := s.Parse(f); err != nil {
			return err
		}
		for _, one := range s.Filters {
			filter := string(one.Filter)
			if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
				_, filter, _ = strings.Cut(rest, "/")
			}
			// The wildcards that may stand in a filter of this token match nothing else.
			if filter = strings.TrimSuffix(strings.TrimSuffix(filter, "/#"), "/+"); !seen(strings.ReplaceAll(filter, "+", "x")) {
				t.Errorf("subscribed to %q", one.Filter)
			}
		}
	case wire.CONNECT:
		var c wire.Connect
		return c.Parse(f)
	case wire.DISCONNECT:
		var d wire.Disconnect
		return d.Parse(f)
	case wire.PUBACK, wire.PUBREC, wire.PUBREL, wire.PUBCOMP:
		var a wire.Ack
		return a.Parse(f)
	case wire.UNSUBSCRIBE:
		var u wire.Unsubscribe
		return u.Parse(f)
	}
	return nil
}
