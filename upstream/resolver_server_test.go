package upstream

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// nameServer is a DNS server for one name, as far as a resolver asks it.
type nameServer struct {
	conn net.PacketConn
	mu   sync.Mutex
	say  []string   // addresses that it names
	code byte       // RCODE, such as 2: SERVFAIL
	mute bool       // it answers nothing
	open []net.Conn // of those who ask
	gone bool
}

const (
	noError  = 0
	servFail = 2
	nxDomain = 3
)

func startNameServer(t *testing.T, say ...string) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &nameServer{conn: conn, say: say}
	var work sync.WaitGroup
	work.Go(s.serve)
	t.Cleanup(func() { s.close(); work.Wait() })
	return s
}

func (s *nameServer) serve() {
	query := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(query)
		if err != nil {
			return
		}
		if answer := s.answer(query[:n]); answer != nil {
			s.conn.WriteTo(answer, from)
		}
	}
}

// answer returns a message of RFC 1035, 4: the query's head and question, and a record of type A
// for each address.
func (s *nameServer) answer(query []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mute || len(query) < 12 {
		return nil
	}
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	asked := binary.BigEndian.Uint16(query[end+1:])
	end += 5
	m := append([]byte(nil), query[:end]...)
	m[2], m[3] = 0x81, 0x80|s.code        // an answer, recursion asked for and available
	copy(m[6:], []byte{0, 0, 0, 0, 0, 0}) // no records yet, and no EDNS
	if asked != 1 || s.code != noError {
		return m
	}
	m[7] = byte(len(s.say))
	for _, text := range s.say {
		ip := netip.MustParseAddr(text).As4()
		m = append(m, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		m = append(m, ip[:]...)
	}
	return m
}

// set changes what the server says from now on.
func (s *nameServer) set(code byte, say ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code, s.say, s.mute = code, say, false
}

func (s *nameServer) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = true
}

// resolver returns one that asks this server alone.
func (s *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: s.dial}
}

func (s *nameServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil, net.ErrClosed
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", s.conn.LocalAddr().String())
	if err == nil {
		s.open = append(s.open, c)
	}
	return c, err
}

// close ends the lookups that are under way, too: Go's resolver waits five seconds for an answer,
// even when nobody wants it any more.
func (s *nameServer) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.conn.Close()
	for _, c := range s.open {
		c.Close()
	}
}

// options are those of a backend at port of the name backend.test.
func (s *nameServer) options(port string) Options {
	o := options("http://backend.test:" + port)
	o.Resolver, o.LookUp = s.resolver(), 5*time.Millisecond
	return o
}

// site is a backend with two addresses of this machine, on one port. Each serves its own name and
// counts its connections.
type site struct {
	port  string
	first net.Listener
	came  chan string // address of each request, before its answer
	gate  chan bool   // nil: answers come at once
}

const oneAddress, twoAddress = "127.0.0.1", "127.0.0.2"

func startSite(t *testing.T) *site {
	t.Helper()
	s := &site{came: make(chan string, 10_000)}
	var err error
	if s.first, err = net.Listen("tcp", oneAddress+":0"); err != nil {
		t.Fatal(err)
	}
	_, s.port, _ = net.SplitHostPort(s.first.Addr().String())
	second, err := net.Listen("tcp", net.JoinHostPort(twoAddress, s.port))
	if err != nil {
		s.first.Close()
		t.Skipf("this machine has one loopback address only: %v", err)
	}
	serve(t, s.first, s.script(oneAddress))
	serve(t, second, s.script(twoAddress))
	return s
}

func (s *site) script(address string) func(*peer) {
	return func(p *peer) {
		for p.request() != "" {
			s.came <- address
			if s.gate != nil {
				<-s.gate
			}
			p.say("%sContent-Length: %d\r\n\r\n%s", ok, len(address), address)
		}
	}
}
