package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestFaults: what is wrong with a packet, and the reason that DISCONNECT has for it. The rows are
// those of SPEC 16.2, built by hand from the standard.
func TestFaults(t *testing.T) {
	const client, server = Client, Server
	for _, row := range []struct {
		name   string
		packet string
		v      Version
		from   Sender
		want   Reason
	}{
		{"type 0", "\x00\x00", V5, client, ProtocolError},
		{"flags of PINGREQ", "\xc1\x00", V311, client, Malformed},
		{"flags of SUBSCRIBE", "\x80\x06\x00\x01\x00\x01a\x00", V311, client, Malformed},
		{"DUP of SUBSCRIBE in 3.1.1", "\x8a\x06\x00\x01\x00\x01a\x00", V311, client, Malformed},
		{"DUP of SUBSCRIBE in 3.1", "\x8a\x06\x00\x01\x00\x01a\x00", V31, client, Success},
		{"remaining length of five bytes", "\x30\xff\xff\xff\xff\x01", V5, client, Malformed},
		{"remaining length longer than it must be", "\xc0\x80\x00", V5, client, Malformed},
		{"property length longer than it must be", "\x30\x06\x00\x01a\x80\x00p", V5, client, Malformed},
		{"too long for the limit", "\x30\xff\xff\xff\x7f", V5, client, PacketTooLarge},
		{"bytes left over", "\x40\x03\x00\x01\x00", V311, client, Malformed},
		{"bytes left over behind properties", "\x40\x05\x00\x01\x00\x00\x00", V5, client, Malformed},
		{"PINGREQ with a body", "\xc0\x01\x00", V5, client, Malformed},
		{"QoS 3", "\x36\x06\x00\x01a\x00\x01p", V311, client, Malformed},
		{"DUP with QoS 0", "\x38\x04\x00\x01ap", V311, client, Malformed},
		{"packet id 0", "\x32\x06\x00\x01a\x00\x00p", V311, client, ProtocolError},
		{"unknown property", "\x30\x07\x00\x01a\x02\x7f\x01p", V5, client, Malformed},
		{"misplaced property", "\x30\x07\x00\x01a\x02\x17\x01p", V5, client, Malformed},
		{"property twice", "\x30\x09\x00\x01a\x04\x01\x01\x01\x01p", V5, client, ProtocolError},
		{"property out of range", "\x30\x07\x00\x01a\x02\x01\x02p", V5, client, ProtocolError},
		{"properties longer than the packet", "\x30\x05\x00\x01a\x09\x01", V5, client, Malformed},
		{"a property longer than its block", "\x30\x09\x00\x01a\x03\x26\x00\x01ab", V5, client, Malformed},
		{"a client's subscription identifier", "\x30\x07\x00\x01a\x02\x0b\x01p", V5, client, Malformed},
		{"a server's subscription identifier", "\x30\x07\x00\x01a\x02\x0b\x01p", V5, server, Success},
		{"subscription identifier 0", "\x82\x09\x00\x01\x02\x0b\x00\x00\x01a\x00", V5, client, ProtocolError},
		{"two subscription identifiers", "\x82\x0b\x00\x01\x04\x0b\x01\x0b\x01\x00\x01a\x00", V5, client, ProtocolError},
		{"reserved subscription option", "\x82\x07\x00\x01\x00\x00\x01a\x40", V5, client, Malformed},
		{"option of 5 in 3.1.1", "\x82\x06\x00\x01\x00\x01a\x04", V311, client, Malformed},
		{"retain handling 3", "\x82\x07\x00\x01\x00\x00\x01a\x30", V5, client, ProtocolError},
		{"subscription with QoS 3", "\x82\x06\x00\x01\x00\x01a\x03", V311, client, Malformed},
		{"reason of another packet", "\x40\x03\x00\x01\x92", V5, client, Malformed},
		{"a server's reason", "\xe0\x01\x8b", V5, client, Malformed},
		{"a server's reason of a server", "\xe0\x01\x8b", V5, server, Success},
		{"a client's reason", "\xe0\x01\x04", V5, server, Malformed},
		{"a server's DISCONNECT of 3.1.1", "\xe0\x00", V311, server, ProtocolError},
		{"SUBSCRIBE without filter", "\x82\x03\x00\x01\x00", V5, client, ProtocolError},
		{"UNSUBSCRIBE without filter", "\xa2\x02\x00\x01", V311, client, ProtocolError},
		{"overlong UTF-8", "\x30\x05\x00\x02\xc0\xafp", V311, client, Malformed},
		{"a surrogate", "\x30\x06\x00\x03\xed\xa0\x80p", V311, client, Malformed},
		{"U+0000", "\x30\x05\x00\x02a\x00p", V311, client, Malformed},
		{"U+0000 in a user property", "\x30\x0c\x00\x01a\x07\x26\x00\x01\x00\x00\x01bp", V5, client, Malformed},
		{"a control character in a topic", "\x30\x05\x00\x02a\x1bp", V311, client, Malformed},
		{"U+0085 in a topic", "\x30\x05\x00\x02\xc2\x85p", V311, client, Malformed},
		{"U+FFFE in a topic", "\x30\x06\x00\x03\xef\xbf\xbep", V311, client, Malformed},
		{"U+FDD0 in a filter", "\x82\x08\x00\x01\x00\x03\xef\xb7\x90\x00", V311, client, Malformed},
		{"U+1FFFF in a filter", "\x82\x09\x00\x01\x00\x04\xf0\x9f\xbf\xbf\x00", V311, client, Malformed},
		{"U+FFFD in a topic", "\x30\x06\x00\x03\xef\xbf\xbdp", V311, client, Success},
		{"a wildcard in a topic", "\x30\x04\x00\x01+p", V311, client, Malformed},
		{"a wildcard in a response topic", "\x30\x09\x00\x01a\x04\x08\x00\x01#p", V5, client, Malformed},
		{"+ that is not a level", "\x82\x07\x00\x01\x00\x02a+\x00", V311, client, Malformed},
		{"# that is not last", "\x82\x08\x00\x01\x00\x03#/a\x00", V311, client, Malformed},
		{"# that is not a level", "\x82\x08\x00\x01\x00\x03ax#\x00", V311, client, Malformed},
		{"an empty filter", "\x82\x05\x00\x01\x00\x00\x00", V311, client, Malformed},
		{"an empty topic", "\x30\x03\x00\x00p", V311, client, ProtocolError},
		{"alias 0", "\x30\x07\x00\x00\x03\x23\x00\x00p", V5, client, AliasInvalid},
		{"$share alone", "\x82\x0b\x00\x01\x00\x06$share\x00", V311, client, Malformed},
		{"$share without filter", "\x82\x0e\x00\x01\x00\x09$share/g/\x00", V311, client, Malformed},
		{"$share without group", "\x82\x0e\x00\x01\x00\x09$share//a\x00", V311, client, Malformed},
		{"$share with a wildcard as group", "\x82\x0f\x00\x01\x00\x0a$share/+/a\x00", V311, client, Malformed},
		{"$share with No Local", "\x82\x10\x00\x01\x00\x00\x0a$share/g/a\x04", V5, client, ProtocolError},
		{"$shared is no share", "\x82\x0e\x00\x01\x00\x00\x08$shared/\x04", V5, client, Success},
		{"CONNACK of a client", "\x20\x02\x00\x00", V311, client, ProtocolError},
		{"SUBACK of a client", "\x90\x03\x00\x01\x00", V311, client, ProtocolError},
		{"SUBSCRIBE of a server", "\x82\x06\x00\x01\x00\x01a\x00", V311, server, ProtocolError},
		{"AUTH of 3.1.1", "\xf0\x00", V311, client, ProtocolError},
		{"AUTH without a method", "\xf0\x02\x18\x00", V5, client, ProtocolError},
		{"a second CONNECT", "\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01p", V311, client, ProtocolError},
		{"PUBLISH before CONNECT", "\x30\x04\x00\x01ap", 0, client, ProtocolError},
		{"protocol 6", "\x10\x0d\x00\x04MQTT\x06\x02\x00\x0a\x00\x01p", 0, client, UnsupportedVersion},
		{"a bridge's version", "\x10\x0d\x00\x04MQTT\x84\x02\x00\x0a\x00\x01p", 0, client, UnsupportedVersion},
		{"another protocol", "\x10\x0d\x00\x04mqtt\x04\x02\x00\x0a\x00\x01p", 0, client, Malformed},
		{"reserved bit of CONNECT", "\x10\x0d\x00\x04MQTT\x04\x03\x00\x0a\x00\x01p", 0, client, Malformed},
		{"password without user", "\x10\x10\x00\x04MQTT\x04\x42\x00\x0a\x00\x01p\x00\x01p", 0, client, Malformed},
		{"password without user in 5", "\x10\x11\x00\x04MQTT\x05\x42\x00\x0a\x00\x00\x01p\x00\x01p", 0, client, Success},
		{"will QoS without will", "\x10\x0d\x00\x04MQTT\x04\x0a\x00\x0a\x00\x01p", 0, client, Malformed},
		{"an empty will topic", "\x10\x12\x00\x04MQTT\x04\x06\x00\x0a\x00\x01p\x00\x00\x00\x01x", 0, client, Malformed},
		{"receive maximum 0", "\x10\x11\x00\x04MQTT\x05\x02\x00\x0a\x03\x21\x00\x00\x00\x01p", 0, client, ProtocolError},
		{"authentication data alone", "\x10\x12\x00\x04MQTT\x05\x02\x00\x0a\x04\x16\x00\x01x\x00\x01p", 0, client, ProtocolError},
	} {
		f, err := NewReader(strings.NewReader(row.packet), row.from, row.v, 1<<10).Next()
		if err == nil {
			err = newPacket(f.Type).Parse(f)
		}
		got := Success
		var fault *Fault
		if errors.As(err, &fault) {
			got = fault.Reason
		} else if err != nil {
			t.Errorf("%s: the row is wrong: %v", row.name, err)
		}
		if got != row.want {
			t.Errorf("%s: got %v (%v), want %v", row.name, got, err, row.want)
		}
	}
}

// TestAliases: an alias stands for the topic that was set last, above the maximum for none.
func TestAliases(t *testing.T) {
	aliases := NewAliases(2)
	resolve := func(topic string, alias uint32) (string, Reason) {
		p := Publish{Topic: []byte(topic)}
		p.Properties.SetNum(TopicAlias, alias)
		var fault *Fault
		if err := aliases.Resolve(&p); errors.As(err, &fault) {
			return "", fault.Reason
		}
		if p.Properties.Has(TopicAlias) {
			t.Errorf("alias %d is still there", alias)
		}
		return string(p.Topic), Success
	}
	for _, row := range []struct {
		topic  string
		alias  uint32
		want   string
		reason Reason
	}{
		{"", 1, "", ProtocolError},
		{"a", 1, "a", Success},
		{"", 1, "a", Success},
		{"b/c", 1, "b/c", Success},
		{"", 1, "b/c", Success},
		{"", 2, "", ProtocolError},
		{"x", 3, "", AliasInvalid},
	} {
		if got, reason := resolve(row.topic, row.alias); got != row.want || reason != row.reason {
			t.Errorf("%q alias %d: got %q, %v, want %q, %v", row.topic, row.alias, got, reason, row.want, row.reason)
		}
	}
}

// TestTooLong: a value that no length stands for is an error, and what was printed before stays.
func TestTooLong(t *testing.T) {
	p := Publish{Topic: make([]byte, 1<<16)}
	if got, err := p.Append([]byte("before"), V5); err == nil || string(got) != "before" {
		t.Errorf("got %.20q, %v, want an error and what was before", got, err)
	}
}

// TestCodes: reasons in the words of 3.x (SPEC 16.5).
func TestCodes(t *testing.T) {
	for r, want := range map[Reason]Reason{
		Success: 0, BadUserNameOrPassword: 5, NotAuthorized: 5, ServerUnavailable: 3, QuotaExceeded: 3,
		UnsupportedVersion: 1, ClientIDNotValid: 2, BadAuthMethod: 5,
	} {
		if got := ConnackCode(r, V311); got != want {
			t.Errorf("CONNACK %v: got %d, want %d", r, got, want)
		}
		if got := ConnackCode(r, V5); got != r {
			t.Errorf("CONNACK %v in 5: got %v", r, got)
		}
	}
	if got := SubackCode(NotAuthorized, V31); got != 0x80 {
		t.Errorf("SUBACK: got %v, want 0x80", got)
	}
}

// endless repeats a stream.
type endless struct {
	stream []byte
	at     int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.stream[e.at:])
	e.at = (e.at + n) % len(e.stream)
	return n, nil
}

// delivery is a PUBLISH of 200 bytes of payload, as a broker sends it.
func delivery(t testing.TB) []byte {
	p := Publish{QoS: 1, ID: 7, Topic: []byte("flespi/state/gw/devices/7/telemetry/position"), Payload: bytes.Repeat([]byte("x"), 200)}
	p.Properties.IDs = []uint32{300}
	p.Properties.User = []Pair{{[]byte("cid"), []byte("12")}, {[]byte("timestamp"), []byte("1700000000.5")}}
	b, err := p.Append(nil, V5)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNoAllocs: a PUBLISH is read and printed without an allocation.
func TestNoAllocs(t *testing.T) {
	r := NewReader(&endless{stream: delivery(t)}, Server, V5, 1<<20)
	var p Publish
	out := make([]byte, 0, 1<<10)
	for range 100 {
		readAndPrint(t, r, &p, out)
	}
	if got := testing.AllocsPerRun(1000, func() { readAndPrint(t, r, &p, out) }); got != 0 {
		t.Errorf("got %v allocations, want none", got)
	}
}

func readAndPrint(t testing.TB, r *Reader, p *Publish, out []byte) {
	f, err := r.Next()
	if err == nil {
		err = p.Parse(f)
	}
	if err == nil {
		_, err = p.Append(out[:0], V5)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPublish(b *testing.B) {
	r := NewReader(&endless{stream: delivery(b)}, Server, V5, 1<<20)
	var p Publish
	out := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		readAndPrint(b, r, &p, out)
	}
}

// TestMemory: an announced length takes no memory; what arrives does, and is given back.
func TestMemory(t *testing.T) {
	stream := &steps{chunks: [][]byte{
		[]byte("\x30\xff\xff\x3f\x00\x01a"),
		bytes.Repeat([]byte("x"), 1<<20-4),
		[]byte("\xc0\x00"),
	}}
	r := NewReader(stream, Client, V311, 2<<20)
	_, err := r.Next()
	if !errors.Is(err, errPause) || len(r.buf) > idleBuffer {
		t.Errorf("after the head: got %v and %d bytes held, want a pause and at most %d", err, len(r.buf), idleBuffer)
	}
	f, err := r.Next()
	for errors.Is(err, errPause) {
		f, err = r.Next()
	}
	if err != nil || f.Size() != 1<<20+3 {
		t.Fatalf("got %d bytes, %v", f.Size(), err)
	}
	if f, err = r.Next(); !errors.Is(err, errPause) || len(r.buf) != idleBuffer {
		t.Errorf("after the packet: got %v, %v and %d bytes held, want a pause and %d", f.Type, err, len(r.buf), idleBuffer)
	}
	if f, err = r.Next(); err != nil || f.Type != PINGREQ {
		t.Errorf("got %v, %v, want PINGREQ", f.Type, err)
	}
}

var errPause = errors.New("nothing has arrived yet")

// steps yields one chunk after the other, with a pause after each.
type steps struct {
	chunks [][]byte
	pause  bool
}

func (s *steps) Read(p []byte) (int, error) {
	if s.pause = !s.pause; !s.pause {
		return 0, errPause
	}
	if len(s.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.chunks[0])
	if s.chunks[0] = s.chunks[0][n:]; len(s.chunks[0]) == 0 {
		s.chunks = s.chunks[1:]
	} else {
		s.pause = false
	}
	return n, nil
}
