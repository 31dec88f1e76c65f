package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	fake "aclgate/bench/broker"
	"aclgate/bench/broker/mosquitto"
	"aclgate/proxy/mqtt/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "S3CRET-credential"

func start(t *testing.T, c fake.Config) *fake.Broker {
	t.Helper()
	f, err := fake.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func broker(t *testing.T, url string, edit func(*Options)) *Broker {
	t.Helper()
	o := Options{URL: url, Credential: func() string { return secret }, Dial: 5 * time.Second, Write: 5 * time.Second, MaxPacket: 1 << 16}
	if edit != nil {
		edit(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asked() *wire.Connect {
	return &wire.Connect{Version: wire.V311, CleanStart: true, ClientID: []byte("client"), User: []byte("the-callers-key"), HasUser: true}
}

// connect opens a connection that the test closes.
func connect(t *testing.T, b *Broker, c *wire.Connect) *Conn {
	t.Helper()
	conn, err := b.Connect(t.Context(), c, "the-callers-key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Cut() })
	return conn
}

// TestCredential: the broker gets the gateway's credential where there is one, as user name or as
// the password of a named user; else the caller's. Nothing of the client's own CONNECT goes on.
func TestCredential(t *testing.T) {
	for _, row := range []struct {
		name     string
		own      bool
		user     string // in the url
		wantUser string
	}{
		{"own", true, "", secret},
		{"own with a name", true, "gateway@", "gateway"},
		{"the caller's", false, "", "the-callers-key"},
	} {
		users := map[string]uint64{secret: 1}
		if !row.own {
			users = map[string]uint64{"the-callers-key": 1}
		}
		f := start(t, fake.Config{Users: users})
		b := broker(t, "mqtt://"+row.user+f.Addr(), func(o *Options) {
			if !row.own {
				o.Credential = nil
			}
		})
		connect(t, b, asked())
		if got := f.Received(); len(got) != 1 || got[0].User != row.wantUser {
			t.Errorf("%s: got %+v, want user %q", row.name, got, row.wantUser)
		}
	}
}

// TestFailures: each way to fail has its kind, and no text holds a credential.
func TestFailures(t *testing.T) {
	f := start(t, fake.Config{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, row := range []struct {
		name    string
		fault   fake.Fault
		address string
		want    error
		code    wire.Reason
	}{
		{"down", fake.None, closed.Addr().String(), ErrDown, 0},
		{"slow", fake.Silent, f.Addr(), ErrSlow, 0},
		{"refuses the credential", fake.Refuses, f.Addr(), ErrCredential, 0x86},
		{"unavailable", fake.Unavailable, f.Addr(), ErrRefused, 0x88},
		{"only 3.1.1", fake.Only311, f.Addr(), ErrVersion, 1},
		{"closes in CONNACK", fake.CutsConnack, f.Addr(), ErrBroken, 0},
		{"no MQTT", fake.Garbage, f.Addr(), ErrBroken, 0},
	} {
		f.Misbehave(row.fault)
		b := broker(t, "mqtt://"+row.address, func(o *Options) {
			if row.fault == fake.Silent {
				o.Dial = 100 * time.Millisecond
			}
		})
		_, err := b.Connect(t.Context(), asked(), "the-callers-key")
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, row.want) || e.Code != row.code {
			t.Errorf("%s: got %v, want %v with %v", row.name, err, row.want, row.code)
			continue
		}
		if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, "callers") || !strings.Contains(text, row.address) {
			t.Errorf("%s: %q", row.name, text)
		}
	}
}

// TestCanceled: a caller that gives up ends the wait at once.
func TestCanceled(t *testing.T) {
	f := start(t, fake.Config{})
	f.Misbehave(fake.Silent)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	b := broker(t, "mqtt://"+f.Addr(), func(o *Options) { o.Dial = time.Minute })
	if _, err := b.Connect(ctx, asked(), ""); !errors.Is(err, ErrCanceled) {
		t.Errorf("got %v, want %v", err, ErrCanceled)
	}
}

// TestCutInDelivery: a packet that is cut is an error, never the end of a stream.
func TestCutInDelivery(t *testing.T) {
	f := start(t, fake.Config{})
	f.Misbehave(fake.CutInDelivery)
	conn := connect(t, broker(t, "mqtt://"+f.Addr(), nil), asked())
	subscribe(t, conn, "t")
	f.Publish(fake.Message{Topic: "t", Payload: "a long payload"})
	if next, err := conn.Next(); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v, %v, want %v", next.Type, err, ErrBroken)
	}
}

func subscribe(t *testing.T, conn *Conn, filter string) {
	t.Helper()
	s := wire.Subscribe{ID: 1, Filters: []wire.Subscription{{Filter: []byte(filter), QoS: 1}}}
	packet, err := s.Append(nil, wire.V5)
	if err == nil {
		err = conn.Send(packet)
	}
	if err != nil {
		t.Fatal(err)
	}
	if next, err := conn.Next(); err != nil || next.Type != wire.SUBACK {
		t.Fatalf("got %v, %v, want SUBACK", next.Type, err)
	}
}

// TestKeep: the gateway's own pings come when nothing was sent for half the keep alive time, and
// their answers are not the client's; without an answer the connection is given up.
func TestKeep(t *testing.T) {
	f := start(t, fake.Config{})
	c := asked()
	c.KeepAlive = 60
	conn := connect(t, broker(t, "mqtt://"+f.Addr(), nil), c)
	now := time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(conn.Ping())
	must(conn.Keep(now.Add(10 * time.Second))) // too early
	must(conn.Keep(now.Add(31 * time.Second)))
	must(conn.Ping())
	subscribeBehind := wire.Subscribe{ID: 7, Filters: []wire.Subscription{{Filter: []byte("t")}}}
	packet, err := subscribeBehind.Append(nil, wire.V5)
	must(err)
	must(conn.Send(packet))
	for _, want := range []wire.Type{wire.PINGRESP, wire.PINGRESP, wire.SUBACK} {
		if next, err := conn.Next(); err != nil || next.Type != want {
			t.Fatalf("got %v, %v, want %v", next.Type, err, want)
		}
	}
	must(conn.Keep(now.Add(200 * time.Second)))
	if err := conn.Keep(now.Add(400 * time.Second)); !errors.Is(err, ErrSlow) {
		t.Errorf("got %v, want %v", err, ErrSlow)
	}
}

// TestEnds: who ends a connection, and how, decides about its will and session.
func TestEnds(t *testing.T) {
	f := start(t, fake.Config{})
	b := broker(t, "mqtt://"+f.Addr(), nil)
	watcher := connect(t, b, &wire.Connect{CleanStart: true, ClientID: []byte("watcher")})
	subscribe(t, watcher, "will/#")
	for _, row := range []struct {
		name   string
		end    func(*Conn) error
		will   bool
		stays  bool
		logged string
	}{
		{"destroy", (*Conn).Destroy, false, false, "0x00 expiry 0"},
		{"leave", func(c *Conn) error { return c.Leave(new(wire.Disconnect)) }, false, true, "0x00 expiry 100"},
		{"leave with will", func(c *Conn) error { return c.Leave(&wire.Disconnect{Reason: 4}) }, true, true, "0x04 expiry 100"},
		{"cut", (*Conn).Cut, true, true, ""},
	} {
		c := &wire.Connect{CleanStart: true, ClientID: []byte("c"), HasWill: true}
		c.Will.Topic = []byte("will/" + row.name)
		c.Properties.SetNum(wire.SessionExpiry, 100)
		conn := connect(t, b, c)
		if err := row.end(conn); err != nil {
			t.Fatal(err)
		}
		if row.will {
			next, err := watcher.Next()
			var p wire.Publish
			if err == nil {
				err = p.Parse(next)
			}
			if err != nil || string(p.Topic) != "will/"+row.name {
				t.Errorf("%s: got %s, %v, want the will", row.name, p.Topic, err)
			}
		}
		again := &wire.Connect{ClientID: []byte("c")}
		again.Properties.SetNum(wire.SessionExpiry, 0)
		// Until the broker has seen the end, a new connection would take the session over.
		waitFor(t, func() bool { return row.logged == "" || lastDisconnect(f) == row.logged })
		if got := connect(t, b, again).Connack.SessionPresent; got != row.stays {
			t.Errorf("%s: session present: got %v, want %v", row.name, got, row.stays)
		}
	}
	if err := watcher.Ping(); err != nil {
		t.Fatal(err)
	}
	if next, err := watcher.Next(); err != nil || next.Type != wire.PINGRESP {
		t.Errorf("got %v, %v: a will too many", next.Type, err)
	}
}

func lastDisconnect(f *fake.Broker) string {
	all := f.Received()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Type == byte(wire.DISCONNECT) {
			return all[i].Payload
		}
	}
	return ""
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen in time")
}

// TestMosquitto: a real broker lets the gateway in, and says what it can do.
func TestMosquitto(t *testing.T) {
	server, err := mosquitto.Start(t.TempDir(), "max_inflight_messages 7", "max_keepalive 30", "max_packet_size 5000")
	if err != nil {
		t.Skip(err)
	}
	defer server.Close()
	b := broker(t, "mqtt://"+server.Addr(), nil)
	c := asked()
	c.KeepAlive = 60
	conn := connect(t, b, c)
	want := Can{MaxQoS: 2, Retain: true, Wildcards: true, IDs: true, Shared: true, MaxPacket: 5000, ReceiveMax: 20, KeepAlive: 30}
	want.ReceiveMax = conn.Can.ReceiveMax // a setting of the other direction
	if conn.Can != want {
		t.Errorf("got %+v, want %+v", conn.Can, want)
	}
	subscribe(t, conn, "t/#")
	if err := b.Check(t.Context(), "check", ""); err != nil {
		t.Error(err)
	}
	server.Close()
	if next, err := conn.Next(); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v, %v, want %v", next.Type, err, ErrBroken)
	}
	if err := b.Check(t.Context(), "check", ""); !errors.Is(err, ErrDown) {
		t.Errorf("got %v, want %v", err, ErrDown)
	}
}

// TestOptions: every fault is named, and no text holds what somebody put into the url.
func TestOptions(t *testing.T) {
	for _, url := range []string{
		"", "127.0.0.1:1883", "tcp://h", "mqtt://", "mqtt://h/path", "mqtt://h?x=1", "mqtt://u:hunter2@h", "mqtt://hunter2 h", "mqtts://hunter2@h/%zz",
	} {
		_, err := New(Options{URL: url, Dial: 1, Write: 1, MaxPacket: 1})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", url, err)
		}
	}
	_, err := New(Options{URL: "mqtt://h"})
	if err == nil || strings.Count(err.Error(), "positive") != 3 {
		t.Errorf("got %v, want three faults", err)
	}
	for url, want := range map[string]string{"mqtt://h": "h:1883", "mqtts://h": "h:8883", "mqtt://h:1": "h:1", "mqtt://n@[::1]": "[::1]:1883"} {
		b, err := New(Options{URL: url, Dial: 1, Write: 1, MaxPacket: 1})
		if err != nil || b.address != want {
			t.Errorf("%s: got %v, %v", url, b, err)
		}
	}
}

// TestTLS: the broker has to show a certificate of the authority, for the name in the url.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	f := start(t, fake.Config{TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}})
	_, port, _ := net.SplitHostPort(f.Addr())
	with := func(o *Options) { o.CAFile = ca }
	connect(t, broker(t, "mqtts://"+f.Addr(), with), asked())
	for name, b := range map[string]*Broker{
		"another name":      broker(t, "mqtts://localhost:"+port, with),
		"another authority": broker(t, "mqtts://"+f.Addr(), nil),
	} {
		if _, err := b.Connect(t.Context(), asked(), ""); !errors.Is(err, ErrDown) {
			t.Errorf("%s: got %v, want %v", name, err, ErrDown)
		}
	}
	if _, err := broker(t, "mqtt://"+f.Addr(), nil).Connect(t.Context(), asked(), ""); !errors.Is(err, ErrBroken) && !errors.Is(err, ErrSlow) {
		t.Errorf("plain to TLS: got %v", err)
	}
	if got := f.Received(); len(got) != 1 {
		t.Errorf("got %d packets, want that of the good connection alone", len(got))
	}
}
