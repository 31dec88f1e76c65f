package head

import (
	"crypto/tls"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const short = 50 * time.Millisecond

// Ensure that every wait ends, and how.
func TestTimeouts(t *testing.T) {
	rows := []struct{ name, stream, want string }{
		{"nothing sent", "", ""},
		{"head unfinished", "GET / HTTP/1.1\r\nHost", "408\n"},
		{"idle", get(), "GET / \n"},
		{"an empty line begins no request", get() + "\r\n", "GET / \n"},
		{"second head unfinished", get() + "GET", "GET / \n408\n"},
		{"body unfinished", put("Content-Length: 5") + "{}", "PUT / the request did not arrive in time\n"},
		{"chunk unfinished", put("Transfer-Encoding: chunked") + "5\r\n{}", "PUT / the request did not arrive in time\n"},
	}
	s := serve(t, Config{Read: short, Idle: short, Chunked: true}, echo)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			nc := s.dial(t)
			send(t, nc, row.stream)
			expectEnd(t, nc, row.want)
		})
	}
}

// Ensure that the time for a head does not begin again with every byte.
func TestSlowHead(t *testing.T) {
	nc := serve(t, Config{Read: short}, echo).dial(t)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := nc.Write([]byte("GET / HTTP/1.1\r\nX: yyyyyyyyyyyyyyyy"[:1])); err != nil {
				return
			}
			time.Sleep(short / 10)
		}
	}()
	expect(t, nc, "408\n")
	nc.Close()
	<-over
}

// Ensure that a body which makes progress may take longer than the time for one wait, and that the
// handler's own time is not the client's.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Read: 20 * short}, func(c *Conn) {
		time.Sleep(24 * short)
		echo(c)
	})
	nc := s.dial(t)
	send(t, nc, put("Content-Length: 8"))
	for range 8 {
		send(t, nc, "x")
		time.Sleep(5 * short)
	}
	expect(t, nc, "PUT / xxxxxxxx\n")
}

// Ensure that a client which takes nothing of its answer is cut off.
func TestStalledAnswer(t *testing.T) {
	failed := make(chan error, 1)
	s := serve(t, Config{Write: short}, func(c *Conn) {
		_, err := c.Write(make([]byte, 64<<20))
		failed <- err
	})
	send(t, s.dial(t), get("Connection: close"))
	if err := <-failed; err == nil {
		t.Error("got an answer of 64 MiB written to nobody, want an error")
	}
	eventually(t, "connection gone", func() bool { return s.Open() == 0 })
}

// Ensure that a handler learns that its client is gone, once, and not after it took that back.
func TestOnGone(t *testing.T) {
	var calls atomic.Int32
	gone, release := make(chan struct{}), make(chan struct{})
	s := serve(t, Config{}, func(c *Conn) {
		c.OnGone(func() {
			if calls.Add(1) == 1 {
				close(gone)
			}
		})
		<-release
	})
	nc := s.dial(t)
	send(t, nc, get())
	eventually(t, "request read", func() bool { return s.Open() == 1 })
	nc.SetLinger(0)
	nc.Close()
	<-gone
	time.Sleep(quickPace.gone)
	close(release)
	if got := calls.Load(); got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
}

// Ensure that a client which waits in silence is not taken for gone.
func TestOnGoneSilent(t *testing.T) {
	var calls atomic.Int32
	s := serve(t, Config{}, func(c *Conn) {
		c.OnGone(func() { calls.Add(1) })
		time.Sleep(4 * quickPace.gone)
		c.OnGone(nil)
		echo(c)
	})
	nc := s.dial(t)
	send(t, nc, get())
	expect(t, nc, "GET / \n")
	if got := calls.Load(); got != 0 {
		t.Errorf("got %d calls, want none", got)
	}
}

// Ensure that a client which has shut down its sending side is not taken for gone, gets its answer,
// and is found gone when it resets the connection after that.
func TestOnGoneHalfClosed(t *testing.T) {
	var calls atomic.Int32
	s := serve(t, Config{}, func(c *Conn) {
		c.OnGone(func() { calls.Add(1) })
		time.Sleep(4 * quickPace.gone)
		c.OnGone(nil)
		echo(c)
	})
	nc := s.dial(t)
	send(t, nc, get())
	nc.CloseWrite()
	expectEnd(t, nc, "GET / \n")
	if got := calls.Load(); got != 0 {
		t.Errorf("got %d calls, want none", got)
	}
	gone := make(chan struct{})
	s = serve(t, Config{}, func(c *Conn) {
		c.OnGone(func() { close(gone) })
		<-gone
	})
	nc = s.dial(t)
	send(t, nc, get())
	nc.CloseWrite()
	time.Sleep(2 * quickPace.gone)
	nc.SetLinger(0)
	nc.Close()
	<-gone
}

// Ensure that draining closes what is idle and makes every answer the last of its connection.
func TestDrain(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s := serve(t, Config{}, func(c *Conn) {
		if string(c.Head().Target) == "/slow" {
			close(began)
			<-release
		}
		echo(c)
	})
	idle, busy := s.dial(t), s.dial(t)
	send(t, idle, get())
	expect(t, idle, "GET / \n")
	send(t, busy, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-began
	s.Drain()
	expectEnd(t, idle, "")
	close(release)
	expectEnd(t, busy, "GET /slow \n")
	late := s.dial(t)
	send(t, late, get())
	expectEnd(t, late, "GET / \n")
}

// Ensure that TLS connections are served, and say https.
func TestTLS(t *testing.T) {
	s := serveOn(t, tlsListener(t), Config{Read: 40 * short, Idle: short}, func(c *Conn) {
		if !c.TLS() {
			t.Error("got a connection in the clear, want TLS")
		}
		echo(c)
	})
	nc := tls.Client(s.dial(t), &tls.Config{InsecureSkipVerify: true})
	send(t, nc, "GET https://a/x HTTP/1.1\r\nHost: a\r\n\r\n"+get())
	expectEnd(t, nc, "GET /x \nGET / \n")
	nc = tls.Client(s.dial(t), &tls.Config{InsecureSkipVerify: true})
	send(t, nc, "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"+strings.Repeat("x", 100<<10))
	expectEnd(t, nc, "400\n")
}

// Ensure that a connection that never begins its handshake does not stay.
func TestTLSSilent(t *testing.T) {
	s := serveOn(t, tlsListener(t), Config{Read: short}, echo)
	expectEnd(t, s.dial(t), "")
}
