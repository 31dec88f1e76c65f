package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// drainClient sends one request after the other and keeps its connection as long as it may: it
// honours Connection: close, and then opens another one if it is to come again.
type drainClient struct {
	addr           string
	again          bool
	served, failed *atomic.Int64
}

func (d *drainClient) run() {
	for {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			return // nobody listens any more
		}
		goesOn := d.converse(c)
		c.Close()
		if !goesOn {
			return
		}
	}
}

// converse sends requests until the connection is to end, and reports whether there is a next one.
func (d *drainClient) converse(c net.Conn) bool {
	in := bufio.NewReader(c)
	for n := 0; ; n++ {
		io.WriteString(c, "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: "+readerKey+"\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		switch {
		case err != nil && n == 0 && d.again:
			return false // it lay in the listener's queue when that was closed: the kernel resets it
		case err != nil || resp.StatusCode != 200:
			d.failed.Add(1)
			return false
		}
		d.served.Add(1)
		if resp.Close {
			return d.again
		}
	}
}

// Shutdown under load fails no request of a client that honours Connection: close.
func TestDrainFailsNothing(t *testing.T) {
	for round := range 6 {
		w := textWired(t, plain(`{"result":[{"id":1}]}`))
		var served, failed atomic.Int64
		var clients sync.WaitGroup
		for range 16 {
			d := &drainClient{w.addr, round%2 == 1, &served, &failed}
			clients.Go(d.run)
		}
		for served.Load() < 500 {
			time.Sleep(time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := w.server.Shutdown(ctx)
		cancel()
		clients.Wait()
		if err != nil || failed.Load() != 0 {
			t.Errorf("round %d: %v, %d of %d requests failed", round, err, failed.Load(), served.Load())
		}
		if n := w.gateway.Busy(); n != 0 {
			t.Errorf("round %d: %d requests are never over", round, n)
		}
	}
}

// Shutdown waits for what is under way, a stream included, and its answer says that the connection
// ends. When the time is over what is left is cut.
func TestDrainWaits(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	w := newWired(t, startWire(t, func(c net.Conn, _ *wireRequest) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		arrived <- struct{}{}
		<-release
		io.WriteString(c, "1\r\nb\r\n0\r\n\r\n")
	}))
	got := make(chan answer, 1)
	go func() { got <- w.call(readerKey, "GET", "/gw/devices/1", "") }()
	<-arrived
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- w.server.Shutdown(ctx) }()
	for {
		if c, err := net.Dial("tcp", w.addr); err != nil {
			break
		} else {
			c.Close()
		}
	}
	select {
	case err := <-over:
		t.Fatalf("Shutdown returned %v while an answer streamed", err)
	default:
	}
	close(release)
	if a := <-got; a.body != "ab" {
		t.Errorf("got %d %q", a.status, a.body)
	}
	if err := <-over; err != nil {
		t.Errorf("got %v", err)
	}
	cancel()
}

// A client that never ends does not hold Shutdown for ever.
func TestDrainCuts(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	arrived := make(chan struct{}, 1)
	w := newWired(t, startWire(t, func(c net.Conn, _ *wireRequest) {
		arrived <- struct{}{}
		<-stuck
		io.WriteString(c, plain("{}"))
	}))
	t.Cleanup(func() { close(stuck) })
	c := w.dial()
	io.WriteString(c, request(readerKey, "GET", "/gw/devices/1", ""))
	<-arrived
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if text, _ := io.ReadAll(c); len(text) != 0 {
		t.Errorf("got %q", text)
	}
}
