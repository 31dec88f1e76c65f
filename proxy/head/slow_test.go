package head

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"
)

// trickle sends a byte now and then until that fails or ended is closed, and returns how many.
func trickle(nc io.Writer, every time.Duration, ended <-chan struct{}) (n int) {
	for {
		select {
		case <-ended:
			return n
		case <-time.After(every):
		}
		if _, err := nc.Write([]byte("x")); err != nil {
			return n
		}
		n++
	}
}

// Ensure that a body which comes too slowly, or takes too long in all, is refused though something of
// it comes all the time, and that neither bounds a body that comes fast enough.
func TestTrickledBody(t *testing.T) {
	const late = "PUT / the request did not arrive in time\n"
	for _, row := range []struct {
		name   string
		config Config
	}{
		{"too slow", Config{MinRate: 1000}},
		{"too long", Config{Body: 4 * short}},
		{"too long an upload", Config{Upload: 4 * short}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, row.config, func(c *Conn) {
				if row.config.Upload > 0 {
					c.Upload()
				}
				echo(c)
			})
			nc := s.dial(t)
			send(t, nc, put("Content-Length: 1000000"))
			ended := make(chan struct{})
			sent := make(chan int, 1)
			go func() { sent <- trickle(nc, short/10, ended) }()
			expect(t, nc, late)
			close(ended)
			if n := <-sent; n < 2 {
				t.Errorf("got the end after %d bytes", n)
			}
		})
	}
	t.Run("fast enough", func(t *testing.T) {
		t.Parallel()
		nc := serve(t, Config{MinRate: 10, Body: time.Minute}, echo).dial(t)
		send(t, nc, put("Content-Length: 200"))
		for range 20 {
			time.Sleep(short / 2)
			send(t, nc, strings.Repeat("x", 10))
		}
		expect(t, nc, "PUT / "+strings.Repeat("x", 200)+"\n")
	})
}

// Ensure that the time that the handler takes between two reads does not count.
func TestHandlerTakesTime(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{Body: 6 * short, MinRate: 1000}, func(c *Conn) {
		time.Sleep(12 * short)
		echo(c)
	})
	nc := s.dial(t)
	send(t, nc, put("Content-Length: 2"))
	send(t, nc, "{}")
	expect(t, nc, "PUT / {}\n")
}

// Ensure that a body without a length is seen under TLS, in the record of the head, in the next one
// and in none.
func TestUnframedUnderTLS(t *testing.T) {
	const deletes = "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, row := range []struct {
		records []string
		want    bool
	}{
		{[]string{deletes + "{}"}, true},
		{[]string{deletes, "{}"}, true},
		{[]string{deletes, get()}, false},
		{[]string{deletes}, false},
	} {
		seen := make(chan bool, 1)
		s := serveOn(t, tlsListener(t), Config{}, func(c *Conn) {
			time.Sleep(short) // the second record is here
			seen <- c.Unframed()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		})
		nc := tls.Client(s.dial(t), &tls.Config{InsecureSkipVerify: true})
		for _, text := range row.records {
			send(t, nc, text)
		}
		if got := <-seen; got != row.want {
			t.Errorf("%q: got %v", row.records, got)
		}
		_ = nc.Close()
	}
}
