package head

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// certificate makes a certificate for a test.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsListener listens on loopback with a certificate that nobody knows.
func tlsListener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
}

// Ensure that what is one too many gets its answer, is counted, and makes no room for itself.
func TestConnectionLimits(t *testing.T) {
	rows := []struct {
		name         string
		config       Config
		conns, perIP uint64
	}{
		{"in all", Config{MaxConns: 1, Overload: []byte("503\n")}, 1, 0},
		{"per address", Config{MaxConnsPerIP: 1, Overload: []byte("503\n")}, 0, 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.config, echo)
			first := s.dial(t)
			send(t, first, get())
			expect(t, first, "GET / \n")
			expectEnd(t, s.dial(t), "503\n")
			if conns, perIP := s.RefusedConns(), s.RefusedPerIP(); conns != row.conns || perIP != row.perIP {
				t.Errorf("refused: got %d, %d, want %d, %d", conns, perIP, row.conns, row.perIP)
			}
			first.Close()
			eventually(t, "room again", func() bool { return s.Open() == 0 })
			again := s.dial(t)
			send(t, again, get())
			expect(t, again, "GET / \n")
		})
	}
}

// Ensure that addresses are counted as their holders have them.
func TestSource(t *testing.T) {
	rows := []struct{ a, b string }{
		{"10.0.0.1", "::ffff:10.0.0.1"},
		{"2001:db8::1", "2001:db8::ffff:2"},
		{"fe80::1%eth0", "fe80::2%eth1"},
	}
	source := func(nc net.Conn) netip.Addr { return (&Conn{peer: peer(nc)}).source() }
	for _, row := range rows {
		a, b := source(from(t, row.a)), source(from(t, row.b))
		if a != b || !a.IsValid() {
			t.Errorf("%s, %s: got %v, %v, want the same", row.a, row.b, a, b)
		}
	}
	if a, b := source(from(t, "2001:db8:0:1::1")), source(from(t, "2001:db8:0:2::1")); a == b {
		t.Errorf("got %v for two networks, want two", a)
	}
	if got := source(addressed{}); got.IsValid() {
		t.Errorf("got %v for no address, want none", got)
	}
}

// addressed is a connection that has a remote address and nothing else.
type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

func from(t *testing.T, ip string) net.Conn {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(ip, "1"))
	if err != nil {
		t.Fatal(err)
	}
	return addressed{remote: addr}
}

// failing is a listener whose first calls of Accept fail.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.Listener.Accept()
}

// Ensure that running out of file descriptors does not end the listener.
func TestAcceptErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, &failing{ln, []error{syscall.EMFILE, syscall.ECONNABORTED, errors.New("any")}}, Config{}, echo)
	nc := s.dial(t)
	send(t, nc, get())
	expect(t, nc, "GET / \n")
}

// Ensure that closing ends a pause of Accept, lets connections finish, and that Wait waits for
// them.
func TestClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, ln, Config{}, echo)
	nc := s.dial(t)
	send(t, nc, get())
	expect(t, nc, "GET / \n")
	if err := s.Close(); err != nil {
		t.Errorf("got %v, want none", err)
	}
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: got %v, want %v", err, net.ErrClosed)
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: got %v, want %v", err, net.ErrClosed)
	}
	send(t, nc, get("Connection: close"))
	expectEnd(t, nc, "GET / \n")
	s.Wait()
	if s.add(s.wrap(nc)) {
		t.Error("got a connection taken after the end, want it refused")
	}
}

// Ensure that the pause after a failed Accept ends when the listener closes.
func TestCloseInPause(t *testing.T) {
	l := quietListener(t, Config{})
	l.Close()
	if l.rest(maxPause) {
		t.Error("got the whole pause, want it cut short")
	}
}
