package broker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aclgate/bench/sequences"
	"aclgate/proxy/mqtt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, c Config) *Broker {
	t.Helper()
	b, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func dial(b *Broker) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial("tcp", b.Addr()) }
}

// benignElsewhere has the sequences of mosquitto that this broker answers otherwise, with reason.
var benignElsewhere = map[string]string{
	"PUBLISH/v5.0   PUBLISH/PUBLISH with $ topic - connection/state": "topics of mosquitto's bridges",
}

// TestSequences: what mosquitto's authors say has to pass, passes here with the same answers.
func TestSequences(t *testing.T) {
	dir, err := sequences.Find()
	if err != nil {
		t.Skip(err)
	}
	all, err := sequences.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, test := range all {
		if test.Disconnect || benignElsewhere[test.String()] != "" {
			continue
		}
		b := start(t, Config{}) // a client whose end is not seen yet would get the messages of the next
		player := sequences.Player{Dial: dial(b)}
		if err := player.Play(test); err != nil {
			t.Errorf("%s: %v", test, err)
		}
		b.Close()
		played++
	}
	t.Logf("%d sequences", played)
}

// peer is a client of these tests, which speaks by the packets of the gateway: another reader and
// printer than the broker's.
type peer struct {
	net.Conn
	t *testing.T
	r *wire.Reader
	v wire.Version
}

func connect(t *testing.T, b *Broker, id, user string, edit func(*wire.Connect)) *peer {
	t.Helper()
	raw, err := dial(b)()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	p := &peer{Conn: raw, t: t, v: wire.V5, r: wire.NewReader(raw, wire.Server, wire.V5, 1<<20)}
	c := wire.Connect{Version: wire.V5, CleanStart: true, ClientID: []byte(id), HasUser: user != "", User: []byte(user)}
	if edit != nil {
		edit(&c)
	}
	p.send(&c)
	return p
}

type printer interface {
	Append([]byte, wire.Version) ([]byte, error)
}

func (p *peer) send(packet printer) {
	p.t.Helper()
	b, err := packet.Append(nil, p.v)
	if err == nil {
		_, err = p.Write(b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// next reads the next packet as text: its type and what matters of it.
func (p *peer) next() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(5 * time.Second))
	f, err := p.r.Next()
	if err != nil {
		return "error: " + err.Error()
	}
	switch f.Type {
	case wire.CONNACK:
		var c wire.Connack
		err = c.Parse(f)
		return fmt.Sprintf("CONNACK %v %v %v", c.SessionPresent, c.Code, err)
	case wire.SUBACK, wire.UNSUBACK:
		var s wire.Suback
		err = s.Parse(f)
		return fmt.Sprintf("%v %v %v", f.Type, s.Codes, err)
	case wire.PUBLISH:
		var m wire.Publish
		if err = m.Parse(f); err != nil {
			return err.Error()
		}
		if m.QoS == 1 {
			p.send(&wire.Ack{Type: wire.PUBACK, ID: m.ID})
		}
		account := ""
		for _, u := range m.Properties.User {
			if string(u.Name) == "cid" {
				account = " cid=" + string(u.Value)
			}
		}
		return fmt.Sprintf("PUBLISH %s=%s retain=%v ids=%v%s", m.Topic, m.Payload, m.Retain, m.Properties.IDs, account)
	}
	return f.Type.String()
}

func (p *peer) want(want string) {
	p.t.Helper()
	if got := p.next(); got != want {
		p.t.Errorf("got %s, want %s", got, want)
	}
}

// silent checks that nothing came before an answer to PINGREQ.
func (p *peer) silent() {
	p.t.Helper()
	p.send(&wire.Empty{Type: wire.PINGREQ})
	p.want("PINGRESP")
}

func (p *peer) subscribe(id uint32, cid string, filters ...string) {
	s := wire.Subscribe{ID: 1}
	if id != 0 {
		s.Properties.IDs = []uint32{id}
	}
	if cid != "" {
		s.Properties.User = []wire.Pair{{Name: []byte("cid"), Value: []byte(cid)}}
	}
	for _, f := range filters {
		s.Filters = append(s.Filters, wire.Subscription{Filter: []byte(f), QoS: 1})
	}
	p.send(&s)
}

// family is an account 1 with the children 2 and 3, and a user for each.
func family(dialect bool) Config {
	return Config{
		Users: map[string]uint64{"root": 1, "two": 2, "three": 3}, Accounts: map[uint64]uint64{1: 0, 2: 1, 3: 1}, Dialect: dialect,
	}
}

// TestAccounts: a message is for the accounts above its sender's, or for one alone, retained or
// not.
func TestAccounts(t *testing.T) {
	b := start(t, family(true))
	root, two, three := connect(t, b, "c", "root", nil), connect(t, b, "c", "two", nil), connect(t, b, "c", "three", nil)
	for _, p := range []*peer{root, two, three} {
		p.want("CONNACK false 0x00 <nil>")
	}
	root.subscribe(1, "", "t")
	root.subscribe(2, "", "$filter/cid=3/t")
	root.subscribe(3, "2", "t/#")
	two.subscribe(4, "", "t")
	two.subscribe(5, "3", "t")
	for range 3 {
		root.want("SUBACK [0x01] <nil>")
	}
	two.want("SUBACK [0x01] <nil>")
	two.want("SUBACK [0x87] <nil>")
	three.send(&wire.Publish{Topic: []byte("t"), Payload: []byte("x"), Retain: true})
	got := []string{root.next(), root.next()}
	slices.Sort(got)
	want := []string{"PUBLISH t=x retain=false ids=[1] cid=3", "PUBLISH t=x retain=false ids=[2] cid=3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	root.silent()
	two.silent()
	two.subscribe(6, "", "+")
	two.want("SUBACK [0x01] <nil>")
	two.silent()
	three.subscribe(7, "", "+")
	three.want("SUBACK [0x01] <nil>")
	three.want("PUBLISH t=x retain=true ids=[7] cid=3")
	root.subscribe(8, "", "named/+")
	root.want("SUBACK [0x01] <nil>")
	for cid, want := range map[string]string{"2": "2", "9": "1", "x": "1"} { // of its branch, or its own
		named := wire.Publish{Topic: []byte("named/" + cid)}
		named.Properties.User = []wire.Pair{{Name: []byte("cid"), Value: []byte(cid)}}
		root.send(&named)
		root.want("PUBLISH named/" + cid + "= retain=false ids=[8] cid=" + want)
	}
}

// TestDialect: comma lists, $filter, and what is published below flespi/.
func TestDialect(t *testing.T) {
	b := start(t, family(true))
	p := connect(t, b, "c", "root", nil)
	p.want("CONNACK false 0x00 <nil>")
	p.subscribe(1, "", "flespi/state/gw/devices/7,9/telemetry/+", "$filter/payload=x/t", "a,b")
	p.want("SUBACK [0x01 0x8F 0x01] <nil>")
	p.send(&wire.Publish{Topic: []byte("flespi/state/gw/devices/7/telemetry/din"), Payload: []byte("1")})
	p.send(&wire.Publish{Topic: []byte("a"), Payload: []byte("1")})
	p.silent()
	for _, id := range []int{7, 8, 9} {
		b.Publish(Message{Topic: fmt.Sprintf("flespi/state/gw/devices/%d/telemetry/din", id), Payload: "1", Account: 2})
	}
	p.want("PUBLISH flespi/state/gw/devices/7/telemetry/din=1 retain=false ids=[1] cid=2")
	p.want("PUBLISH flespi/state/gw/devices/9/telemetry/din=1 retain=false ids=[1] cid=2")
	p.silent()
}

// TestShared: each message reaches one member of a group, in turn.
func TestShared(t *testing.T) {
	b := start(t, Config{})
	one, two := connect(t, b, "one", "", nil), connect(t, b, "two", "", nil)
	for _, p := range []*peer{one, two} {
		p.want("CONNACK false 0x00 <nil>")
		p.subscribe(0, "", "$share/g/t/#")
		p.want("SUBACK [0x01] <nil>")
	}
	for i := range 4 {
		b.Publish(Message{Topic: "t/x", Payload: fmt.Sprint(i), QoS: 1})
	}
	got := []string{one.next(), one.next(), two.next(), two.next()}
	slices.Sort(got)
	if want := "PUBLISH t/x=0 retain=false ids=[]"; got[0] != want || got[0] == got[1] {
		t.Errorf("got %q", got)
	}
	one.silent()
	two.silent()
}

// TestSession: what comes while the client is away waits, a will is published, and expiry 0 ends
// it all.
func TestSession(t *testing.T) {
	b := start(t, Config{})
	lasting := func(c *wire.Connect) {
		c.CleanStart = false
		c.Properties.SetNum(wire.SessionExpiry, 100)
		c.HasWill, c.Will.Topic, c.Will.Payload = true, []byte("will"), []byte("gone")
	}
	watcher := connect(t, b, "w", "", nil)
	watcher.want("CONNACK false 0x00 <nil>")
	watcher.subscribe(0, "", "will")
	watcher.want("SUBACK [0x01] <nil>")
	p := connect(t, b, "c", "", lasting)
	p.want("CONNACK false 0x00 <nil>")
	p.subscribe(9, "", "t")
	p.want("SUBACK [0x01] <nil>")
	p.Close()
	watcher.want("PUBLISH will=gone retain=false ids=[]")
	b.Publish(Message{Topic: "t", Payload: "queued", QoS: 1})
	p = connect(t, b, "c", "", lasting)
	p.want("CONNACK true 0x00 <nil>")
	p.want("PUBLISH t=queued retain=false ids=[9]")
	end := wire.Disconnect{}
	end.Properties.SetNum(wire.SessionExpiry, 0)
	p.send(&end)
	p.want("error: EOF")
	if got := b.Sessions(); got != 1 {
		t.Errorf("got %d sessions, want that of the watcher", got)
	}
	watcher.silent()
}

// TestFaults: each way to misbehave is seen by a client.
func TestFaults(t *testing.T) {
	b := start(t, Config{})
	for fault, want := range map[Fault]string{
		Refuses: "CONNACK false 0x86 <nil>", Unavailable: "CONNACK false 0x88 <nil>", CutsConnack: "error: unexpected EOF",
		Garbage: "error: mqtt: ", Only311: "error: EOF",
	} {
		b.Misbehave(fault)
		p := connect(t, b, "c", "", nil)
		if fault == Only311 {
			raw, err := bufio.NewReader(p.Conn).Peek(4)
			if err != nil || !bytes.Equal(raw, []byte{0x20, 2, 0, 1}) {
				t.Errorf("got %x, %v", raw, err)
			}
			continue
		}
		if got := p.next(); !strings.HasPrefix(got, want) {
			t.Errorf("fault %d: got %s, want %s", fault, got, want)
		}
	}
	b.Misbehave(Silent)
	p := connect(t, b, "c", "", nil)
	p.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := p.r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want silence", err)
	}
	b.Misbehave(CutInDelivery)
	p = connect(t, b, "c", "", nil)
	p.want("CONNACK false 0x00 <nil>")
	p.subscribe(0, "", "t")
	p.want("SUBACK [0x01] <nil>")
	b.Publish(Message{Topic: "t", Payload: "a longer payload"})
	p.want("error: unexpected EOF")
}

// FuzzAgree: what the gateway's reader takes, the broker's reads in the same way. They share no
// code.
func FuzzAgree(f *testing.F) {
	f.Add([]byte("\x3b\x18\x00\x05topic\x00\x09\x0c\x26\x00\x01a\x00\x01b\x23\x00\x01\x01\x01pay"), true)
	f.Add([]byte("\x32\x06\x00\x01t\x00\x01x"), false)
	f.Add([]byte("\x82\x0b\x00\x01\x02\x0b\x05\x00\x02a#\x2d"), true)
	f.Add([]byte("\x82\x0b\x00\x01\x00\x01a\x00\x00\x01b\x02"), false)
	f.Fuzz(func(t *testing.T, b []byte, five bool) {
		v := wire.V311
		if five {
			v = wire.V5
		}
		frame, err := wire.NewReader(bytes.NewReader(b), wire.Client, v, 1<<20).Next()
		if err != nil || frame.Type != wire.PUBLISH && frame.Type != wire.SUBSCRIBE {
			return
		}
		raw, err := readPacket(bufio.NewReader(bytes.NewReader(b)))
		if err != nil || raw.kind != byte(frame.Type) {
			t.Fatalf("%x: the broker reads %v, %v", b, raw, err)
		}
		fields := &fields{b: raw.body}
		if frame.Type == wire.PUBLISH {
			agreeOnPublish(t, frame, raw, fields)
		} else {
			agreeOnSubscribe(t, frame, fields)
		}
	})
}

func agreeOnPublish(t *testing.T, frame wire.Frame, raw packet, f *fields) {
	var m wire.Publish
	if m.Parse(frame) != nil {
		return
	}
	topic := f.text()
	var id uint16
	if raw.flags&6 != 0 {
		id = f.short()
	}
	p := f.properties(byte(frame.Version))
	if f.bad || topic != string(m.Topic) || id != m.ID || string(f.b) != string(m.Payload) || raw.flags>>1&3 != m.QoS {
		t.Errorf("got %+v, the broker %q %d %q bad=%v", m, topic, id, f.b, f.bad)
	}
	agreeOnProperties(t, &m.Properties, p)
}

func agreeOnSubscribe(t *testing.T, frame wire.Frame, f *fields) {
	var s wire.Subscribe
	if s.Parse(frame) != nil {
		return
	}
	id := f.short()
	p := f.properties(byte(frame.Version))
	if id != s.ID {
		t.Errorf("got id %d, the broker %d", s.ID, id)
	}
	agreeOnProperties(t, &s.Properties, p)
	for _, x := range s.Filters {
		filter, options := f.text(), f.byte()
		if filter != string(x.Filter) || options&3 != x.QoS || options&4 != 0 != x.NoLocal || options>>4 != x.RetainHandling {
			t.Errorf("got %+v, the broker %q %x", x, filter, options)
		}
	}
	if f.bad || len(f.b) > 0 {
		t.Errorf("the broker finds %x behind the filters", f.b)
	}
}

func agreeOnProperties(t *testing.T, got *wire.Properties, p properties) {
	for id := range widths {
		number, isNumber := p.numbers[id]
		text, isText := p.texts[id]
		if has := got.Has(wire.Property(id)); has != (isNumber || isText) {
			t.Errorf("property %#x: got %v, the broker %v", id, has, isNumber || isText)
		}
		if got.Num(wire.Property(id)) != number || string(got.Text(wire.Property(id))) != text {
			t.Errorf("property %#x: got %d %q, the broker %d %q", id, got.Num(wire.Property(id)), got.Text(wire.Property(id)), number, text)
		}
	}
	if !slices.Equal(got.IDs, p.identifiers) || len(got.User) != len(p.user) {
		t.Errorf("got %v %q, the broker %v %q", got.IDs, got.User, p.identifiers, p.user)
		return
	}
	for i, u := range p.user {
		if string(got.User[i].Name) != u.Name || string(got.User[i].Value) != u.Value {
			t.Errorf("user property %d: got %q, the broker %q", i, got.User[i], u)
		}
	}
}
