package upstream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is one connection as the backend sees it.
type peer struct {
	net.Conn
	r *bufio.Reader
	n int // number of the connection, from 0
}

// request reads one request with its body by Content-Length and returns its bytes, "" at the end of
// the connection.
func (p *peer) request() string {
	var b strings.Builder
	length := 0
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return ""
		}
		b.WriteString(line)
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if line == "\r\n" {
			break
		}
	}
	io.CopyN(&b, p.r, int64(length))
	return b.String()
}

func (p *peer) say(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// end waits until the gateway closes.
func (p *peer) end() { io.Copy(io.Discard, p.r) }

// listen starts a backend that runs script for every connection and closes it behind it. Everything
// ends with the test.
func listen(t testing.TB, script func(*peer)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, script)
	return "http://" + l.Addr().String()
}

func serve(t testing.TB, l net.Listener, script func(*peer)) {
	var work sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	work.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			work.Go(func() {
				defer c.Close()
				script(&peer{c, bufio.NewReader(c), n})
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
}

func options(urls ...string) Options {
	return Options{
		URLs: urls, Dial: 5 * time.Second, FirstByte: 10 * time.Second, Silence: 10 * time.Second, Idle: 10 * time.Second,
		MaxConns: 8, QueueMax: 8, QueueFor: 5 * time.Second,
	}
}

func start(t testing.TB, o Options) *Transport {
	t.Helper()
	transport, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	return transport
}

func get() *Request { return &Request{Method: "GET", Target: []byte("/x"), Repeatable: true} }

func post(body string) *Request {
	return &Request{Method: "POST", Target: []byte("/x"), HasBody: true, Body: []byte(body)}
}

// ask sends the request and returns status and body as one word, "200 hello", and the error of
// whatever failed.
func ask(transport *Transport, r *Request) (string, error) {
	var a Answer
	if err := transport.Do(r, &a); err != nil {
		return "", err
	}
	defer a.Close()
	status := a.Status
	body, err := io.ReadAll(&a)
	return fmt.Sprintf("%d %s", status, body), err
}

func wantAsk(t *testing.T, transport *Transport, r *Request, want string) {
	t.Helper()
	if got, err := ask(transport, r); err != nil || got != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	if errors.Is(err, io.EOF) {
		t.Fatalf("%v looks like the good end of a body", err)
	}
	for _, other := range []error{ErrDial, ErrBroken, ErrTimeout, ErrBusy, ErrCanceled, ErrBody, ErrWithdrawn, ErrRequest} {
		if other != kind && errors.Is(err, other) {
			t.Fatalf("%v is %v as well", err, other)
		}
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 5000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func wantDials(t *testing.T, transport *Transport, want uint64) {
	t.Helper()
	if got := transport.Stats()[0].Dials; got != want {
		t.Errorf("got %d dials, want %d", got, want)
	}
}

// wantConns waits until the connections of the only url are so many.
func wantConns(t *testing.T, transport *Transport, open, idle int) {
	t.Helper()
	var s URLStats
	defer func() {
		if t.Failed() {
			t.Logf("open %d, idle %d; want %d, %d", s.Open, s.Idle, open, idle)
		}
	}()
	eventually(t, "the number of connections", func() bool {
		s = transport.Stats()[0]
		return s.Open == open && s.Idle == idle
	})
}
