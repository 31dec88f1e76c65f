package head

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// Ensure that reading a request allocates nothing once its buffer was pooled, case by case.
func TestNoAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	rows := []struct{ name, message string }{
		{"typical", typical},
		{"absolute-form", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"close", get("Connection: x, keep-alive")},
		{"body", put("Content-Length: 2") + "{}"},
		{"continue", put("Content-Length: 2", "Expect: 100-continue") + "{}"},
		{"chunked", put("Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\nA: b\r\n\r\n"},
		{"large head", get("X: "+strings.Repeat("x", 6000), "Y: "+strings.Repeat("x", 6000))},
	}
	l := quietListener(t, Config{Chunked: true, Hosts: []string{"a", "gw.test"}})
	for _, row := range rows {
		c := l.wrap(&quiet{repeat{message: row.message}})
		room := make([]byte, 64)
		read := func() {
			if !c.Next() || c.Head().Fault != nil {
				t.Fatalf("%s: not taken", row.name)
			}
			for {
				if _, err := c.ReadBody(room); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", row.name, err)
				}
			}
		}
		for range 10 {
			read()
		}
		if got := testing.AllocsPerRun(200, read); got > 0 {
			t.Errorf("%s: got %v allocations, want 0", row.name, got)
		}
	}
}

// Ensure that the same holds on a real connection, where each request waits for its first byte.
func TestNoAllocsOnTheWire(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops at random under the race detector")
	}
	answer := []byte("ok")
	s := serve(t, Config{Read: 20 * time.Second, Idle: 20 * time.Second}, func(c *Conn) { _, _ = c.Write(answer) })
	nc := s.dial(t)
	request, room := []byte(typical), make([]byte, len(answer))
	exchange := func() {
		_, _ = nc.Write(request)
		if _, err := io.ReadFull(nc, room); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	if got := testing.AllocsPerRun(200, exchange); got > 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// Ensure that a connection which waits for a request holds no buffer.
func TestIdleHoldsNoBuffer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := quietListener(t, Config{}).wrap(nc)
	if c.sys == nil {
		t.Skip("no file descriptor here")
	}
	_ = c.sys.Control(func(fd uintptr) {
		if c.tryRead(fd) || c.msg != nil {
			t.Errorf("got a message while nothing has arrived, want none")
		}
	})
}

// quiet is a repeat that forgets what it is sent.
type quiet struct{ repeat }

func (*quiet) Write(p []byte) (int, error) { return len(p), nil }

// Ensure that a refusal allocates nothing either: it is what an attacker asks for.
func TestNoAllocsRefused(t *testing.T) {
	var m message
	r := rules{maxHead: 64 << 10, hosts: []string{"gw.test"}}
	for _, stream := range []string{get(), put(), get("X-Flespi-Cid: x"), get("Connection: host"), "GET / HTTP/2.0\r\n\r\n"} {
		buf := []byte(stream)
		got := testing.AllocsPerRun(100, func() {
			m.reset()
			_, f := m.scan.find(buf, r.maxHead)
			if f == nil && r.parse(&m.head, buf, false) == nil {
				t.Fatalf("%q: got no fault", stream)
			}
		})
		if got > 0 {
			t.Errorf("%q: got %v allocations, want 0", stream, got)
		}
	}
}

// Ensure that what an idle connection costs stays small; it holds no message.
func TestSizeOfConn(t *testing.T) {
	if got := unsafe.Sizeof(Conn{}); got > 384 {
		t.Errorf("got %d bytes, want at most 384", got)
	}
}
