package head

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/upstream/socket"
)

// quickPace makes the sweep look early enough for a test.
var quickPace = pace{gone: 20 * time.Millisecond, drain: 20 * time.Millisecond, grace: 100 * time.Millisecond}

// server serves a listener as the server above does, with one handler for every request.
type server struct {
	*Listener
	t      *testing.T
	handle func(*Conn)
	work   sync.WaitGroup
}

// serve starts a server on loopback that ends with the test, having served every connection to its
// end.
func serve(t *testing.T, config Config, handle func(*Conn)) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, config, handle)
}

func serveOn(t *testing.T, ln net.Listener, config Config, handle func(*Conn)) *server {
	t.Helper()
	s := &server{Listener: newListener(ln, config, quickPace, socket.NewClock(quickPace.gone, config.Read, config.Write, config.Idle)), t: t, handle: handle}
	s.work.Add(1)
	go s.accept()
	t.Cleanup(func() {
		s.Close()
		s.CloseConns()
		s.Wait()
		s.work.Wait()
	})
	return s
}

func (s *server) accept() {
	defer s.work.Done()
	for {
		nc, err := s.Accept()
		if err != nil {
			return
		}
		s.work.Add(1)
		go func() {
			defer s.work.Done()
			s.requests(nc.(*Conn))
			nc.Close()
		}()
	}
}

func (s *server) requests(c *Conn) {
	for c.Next() {
		s.handle(c)
		if c.MustClose() {
			return
		}
	}
}

// echo answers with a line that shows the request or its fault.
func echo(c *Conn) {
	h := c.Head()
	if h.Fault != nil {
		fmt.Fprintf(c, "%d\n", h.Fault.Status)
		return
	}
	body, err := io.ReadAll(bodyOf{c})
	if err != nil {
		fmt.Fprintf(c, "%s %s %v\n", h.Method, h.Target, err)
		return
	}
	fmt.Fprintf(c, "%s %s %s\n", h.Method, h.Target, body)
}

// dial connects to s. The deadline is that of the test, not of a rule.
func (s *server) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return nc.(*net.TCPConn)
}

func send(t *testing.T, nc net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(nc, s); err != nil {
		t.Fatal(err)
	}
}

// expect reads as many bytes as want has and compares them.
func expect(t *testing.T, nc net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(nc, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

// expectEnd reads to the end of the stream and compares what came before it.
func expectEnd(t *testing.T, nc net.Conn, want string) {
	t.Helper()
	if got, err := io.ReadAll(nc); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q and the end", got, err, want)
	}
}

// eventually waits for a state that another goroutine brings about.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for range 2000 {
		if reached() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not reached", what)
}

// Ensure that requests on one connection are answered in order, pipelined or after a pause.
func TestKeepAlive(t *testing.T) {
	nc := serve(t, Config{}, echo).dial(t)
	send(t, nc, get())
	expect(t, nc, "GET / \n")
	send(t, nc, put("Content-Length: 2")+"{}"+get()+"GET /la")
	expect(t, nc, "PUT / {}\nGET / \n")
	send(t, nc, "st HTTP/1.1\r\nHost: a\r\n\r\n")
	expect(t, nc, "GET /last \n")
	nc.CloseWrite()
	expectEnd(t, nc, "")
}

// Ensure that a refusal reaches a client that is still sending: no reset overtakes it, and nothing
// behind it is served.
func TestRefusalArrives(t *testing.T) {
	rows := []struct{ name, stream, want string }{
		{"fault", get("Bad Name: 1") + get(), "400\n"},
		{"fault before a large body", put("Content-Length: x") + strings.Repeat("x", 600<<10), "400\n"},
		{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", "400\n"},
		{"TLS hello", "\x16\x03\x01\x02\x00\x01", "400\n"},
	}
	s := serve(t, Config{}, echo)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			nc := s.dial(t)
			send(t, nc, row.stream)
			expectEnd(t, nc, row.want)
		})
	}
}

// Ensure that a body which was refused before it was read does not reset the connection either.
func TestUnreadBodyArrives(t *testing.T) {
	s := serve(t, Config{}, func(c *Conn) { io.WriteString(c, "413\n") })
	nc := s.dial(t)
	send(t, nc, put("Content-Length: 500000")+strings.Repeat("x", 500000))
	expectEnd(t, nc, "413\n")
}

// Ensure that 100 Continue goes out before the body comes in.
func TestContinueOnTheWire(t *testing.T) {
	nc := serve(t, Config{}, echo).dial(t)
	send(t, nc, put("Content-Length: 2", "Expect: 100-continue"))
	expect(t, nc, "HTTP/1.1 100 Continue\r\n\r\n")
	send(t, nc, "{}")
	expect(t, nc, "PUT / {}\n")
}

// Ensure that a body cut by the client is told from a whole one, and that the connection ends
// there.
func TestClientLeavesMidBody(t *testing.T) {
	nc := serve(t, Config{}, echo).dial(t)
	send(t, nc, put("Content-Length: 5")+"{}")
	nc.CloseWrite()
	expectEnd(t, nc, "PUT / unexpected EOF\n")
}

// Ensure that a streamed answer passes piece by piece: the second piece is made only after the
// client has the first.
func TestReadFromStreams(t *testing.T) {
	pieces, source := io.Pipe()
	s := serve(t, Config{}, func(c *Conn) { c.ReadFrom(pieces) })
	nc := s.dial(t)
	send(t, nc, get("Connection: close"))
	for _, piece := range []string{"one", "two", strings.Repeat("3", 100<<10)} {
		go io.WriteString(source, piece)
		expect(t, nc, piece)
	}
	source.Close()
	expectEnd(t, nc, "")
}

// Ensure that a source that breaks breaks the answer, and a client that left ends the copying.
func TestReadFromErrors(t *testing.T) {
	l := quietListener(t, Config{})
	c := l.wrap(&script{})
	if _, err := c.ReadFrom(brokenReader{}); err != io.ErrNoProgress {
		t.Errorf("got %v, want the error of the source", err)
	}
	c.out.Expire(c.out.Mark())
	if n, err := c.ReadFrom(strings.NewReader("x")); err != net.ErrClosed || n != 0 {
		t.Errorf("got %d, %v, want nothing written after the connection was given up", n, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

// Ensure that a connection whose body was discarded is kept, and closed without lingering when the
// client ends it.
func TestDiscardOnTheWire(t *testing.T) {
	s := serve(t, Config{}, func(c *Conn) { fmt.Fprintf(c, "%s\n", c.Head().Target) })
	nc := s.dial(t)
	send(t, nc, put("Content-Length: 60000"))
	expect(t, nc, "/\n")
	send(t, nc, strings.Repeat("GET /x HTTP/1.1\r\n", 4000)[:60000]+"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
	expect(t, nc, "/next\n")
	nc.CloseWrite()
	expectEnd(t, nc, "")
}

// Ensure that an aborted answer cannot be taken for a whole one, in the clear or under TLS, and
// that the connection goes.
func TestAbort(t *testing.T) {
	handle := func(c *Conn) {
		io.WriteString(c, "part")
		c.Abort()
	}
	plain := serve(t, Config{}, handle)
	secure := serveOn(t, tlsListener(t), Config{}, handle)
	for _, nc := range []net.Conn{plain.dial(t), tls.Client(secure.dial(t), &tls.Config{InsecureSkipVerify: true})} {
		send(t, nc, get())
		if got, err := io.ReadAll(nc); err == nil {
			t.Errorf("got %q and an orderly end, want an error", got)
		}
	}
	eventually(t, "connections gone", func() bool { return plain.Open()+secure.Open() == 0 })
}
