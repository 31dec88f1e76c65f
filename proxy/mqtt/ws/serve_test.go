package ws

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"aclgate/proxy/head"
)

// places lets in so many connections at once, and ends the oldest for another if it is told to.
type places struct {
	mu   sync.Mutex
	most int
	here []func() // how to end each
	done int      // that were given back
}

func (p *places) wait(_ net.Conn, end func()) (func(), bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.here) == p.most {
		return nil, false
	}
	p.here = append(p.here, end)
	var once sync.Once
	return func() {
		once.Do(func() {
			p.mu.Lock()
			p.done++
			p.mu.Unlock()
		})
	}, true
}

func (p *places) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// TestServe: a connection waits in a place for as long as it is not upgraded, and is sent away where
// there is none.
func TestServe(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := head.NewListener(raw, head.Config{Read: time.Minute})
	p := &places{most: 3}
	served := make(chan struct{})
	go func() {
		defer close(served)
		Serve(l, slog.New(slog.DiscardHandler), p.wait, func(c *Conn) {
			echo(c)
			c.Close()
		})
	}()
	dial := func(first string) net.Conn {
		c, err := net.Dial("tcp", raw.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, first)
		return c
	}
	left := func(want int) {
		t.Helper()
		for range 500 {
			if p.left() == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%d places were given back, want %d", p.left(), want)
	}
	idle := dial("")
	for range 500 { // until it is let in
		p.mu.Lock()
		n := len(p.here)
		p.mu.Unlock()
		if n == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	good := dial(upgrade)
	if b := make([]byte, 12); func() bool { _, err := io.ReadFull(good, b); return err != nil || string(b) != "HTTP/1.1 101" }() {
		t.Errorf("got %q", b)
	}
	left(1) // while it is served
	dial("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	left(2)
	if b, err := io.ReadAll(dial(upgrade)); err == nil && len(b) > 0 {
		t.Errorf("without a place: got %q", b)
	}
	p.here[0]() // another gets the first one's
	if b, _ := io.ReadAll(idle); len(b) > 0 {
		t.Errorf("made way: got %q", b)
	}
	left(3)
	good.Close()
	l.Close()
	<-served
	l.Wait()
}
