package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hasty returns options whose named limits are short.
func hasty(url string) Options {
	o := options(url)
	o.FirstByte, o.Silence, o.Idle = 80*time.Millisecond, 80*time.Millisecond, 80*time.Millisecond
	return o
}

// Ensure that each way to be slow ends in a timeout and a closed connection.
func TestSlowBackend(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name   string
		script func(*peer)
	}{
		{"no answer", func(p *peer) { p.request(); p.end() }},
		{"interim answers only", func(p *peer) { p.request(); p.say("HTTP/1.1 100 Continue\r\n\r\n"); p.end() }},
		{"half a head", func(p *peer) { p.request(); p.say("HTTP/1.1 200 OK\r\n"); p.end() }},
		{"a head byte by byte", func(p *peer) {
			p.request()
			for i := 0; i < 1000; i++ {
				if _, err := io.WriteString(p, ok[i%len(ok):][:1]); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}},
		{"half a body", func(p *peer) { p.request(); p.say(ok + "Content-Length: 3\r\n\r\nhi"); p.end() }},
		{"half a chunk", func(p *peer) { p.request(); p.say(ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhi"); p.end() }},
		{"no close", func(p *peer) { p.request(); p.say(ok + "\r\nhi"); p.end() }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			transport := start(t, hasty(listen(t, row.script)))
			_, err := ask(transport, get())
			wantKind(t, err, ErrTimeout)
			wantConns(t, transport, 0, 0)
		})
	}
}

// Ensure that a backend which takes no bytes ends in a timeout, for a body in memory and for a
// stream.
func TestBackendTakesNothing(t *testing.T) {
	t.Parallel()
	quit := make(chan bool)
	url := listen(t, func(*peer) { <-quit })
	defer close(quit)
	big := strings.Repeat("z", 32<<20)
	for name, r := range map[string]*Request{
		"memory": post(big),
		"stream": {Method: "POST", Target: []byte("/"), BodyReader: strings.NewReader(big), BodyLength: int64(len(big))},
	} {
		_, err := ask(start(t, hasty(url)), r)
		t.Run(name, func(t *testing.T) { wantKind(t, err, ErrTimeout) })
	}
}

// Ensure that a body may take longer than Silence as long as it moves.
func TestSteadyBody(t *testing.T) {
	t.Parallel()
	o := options(listen(t, func(p *peer) {
		p.request()
		p.say(ok + "Content-Length: 28\r\n\r\n")
		for range 28 {
			time.Sleep(80 * time.Millisecond)
			p.say("x")
		}
		p.end()
	}))
	o.Silence = 2 * time.Second // less than all of it takes, and far more than one byte
	wantAsk(t, start(t, o), get(), "200 "+strings.Repeat("x", 28))
}

// Ensure that the time which a caller takes between two reads is not limited here, and that an
// unused connection is closed after its time.
func TestSlowCaller(t *testing.T) {
	const far = 10_000 * time.Hour
	transport := start(t, options(listen(t, func(p *peer) {
		p.request()
		p.say("%sContent-Length: 20000\r\n\r\n%s", ok, strings.Repeat("z", 20000))
		p.end()
	})))
	var a Answer
	if err := transport.Do(get(), &a); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for range 20 {
		transport.endpoints[0].sweep(far)
		if _, err := io.ReadFull(&a, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	wantConns(t, transport, 1, 1)
	transport.endpoints[0].sweep(far)
	wantConns(t, transport, 0, 0)
}

// Ensure that the final answer may take FirstByte even if Idle is shorter and interim answers came.
func TestInterimWaitsForFinal(t *testing.T) {
	t.Parallel()
	o := options(listen(t, func(p *peer) {
		p.request()
		p.say("HTTP/1.1 102 Processing\r\n\r\n")
		time.Sleep(600 * time.Millisecond)
		p.say(hi)
		p.end()
	}))
	o.Idle = 250 * time.Millisecond
	wantAsk(t, start(t, o), get(), "200 hi")
}

// Ensure that a handshake which stalls is a slow dial, and that a refused dial is none.
func TestDialFailures(t *testing.T) {
	quit := make(chan bool)
	defer close(quit)
	o := options(strings.Replace(listen(t, func(*peer) { <-quit }), "http:", "https:", 1))
	o.Dial = 50 * time.Millisecond
	_, err := ask(start(t, o), get())
	wantKind(t, err, ErrTimeout)

	l, _ := net.Listen("tcp", "127.0.0.1:0")
	l.Close()
	transport := start(t, options("http://"+l.Addr().String()))
	_, err = ask(transport, get())
	wantKind(t, err, ErrDial)
	wantConns(t, transport, 0, 0)
	if s := transport.Stats()[0]; s.Dials != 1 || s.DialErrors != 1 || s.Failures != 1 {
		t.Errorf("got %+v", s)
	}
}

// Ensure that a lack of ports or descriptors is not taken for the backend's fault.
func TestDialKinds(t *testing.T) {
	for _, row := range []struct{ err, want error }{
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, ErrDial},
		{&net.OpError{Op: "dial", Err: syscall.EADDRNOTAVAIL}, ErrBusy},
		{context.DeadlineExceeded, ErrTimeout},
		{context.Canceled, ErrCanceled},
		{&net.DNSError{IsTimeout: true}, ErrTimeout},
		{&net.DNSError{IsNotFound: true}, ErrDial},
	} {
		if got := dialKind(row.err); got != row.want {
			t.Errorf("%v: got %v, want %v", row.err, got, row.want)
		}
	}
}

// Ensure that Cancel ends a request wherever it is stuck, and only that request.
func TestCancel(t *testing.T) {
	rows := []struct {
		name   string
		https  bool
		script func(*peer, func())
	}{
		{"in the handshake", true, func(p *peer, stuck func()) { stuck(); p.end() }},
		{"before the answer", false, func(p *peer, stuck func()) { p.request(); stuck(); p.end() }},
		{"in the body", false, func(p *peer, stuck func()) {
			p.request()
			p.say(ok + "Content-Length: 3\r\n\r\nhi")
			stuck()
			p.end()
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			stuck := make(chan bool)
			url := listen(t, func(p *peer) { row.script(p, func() { stuck <- true }) })
			if row.https {
				url = strings.Replace(url, "http:", "https:", 1)
			}
			transport := start(t, options(url))
			var a Answer
			go func() { <-stuck; a.Cancel() }()
			err := transport.Do(get(), &a)
			if err == nil {
				_, err = io.ReadAll(&a)
			}
			wantKind(t, err, ErrCanceled)
			wantConns(t, transport, 0, 0)
			wantKind(t, transport.Do(get(), &a), ErrCanceled)
			a.Reset()
			if s := transport.Stats()[0]; s.Failures != 0 {
				t.Errorf("the backend was blamed for %d cancels", s.Failures)
			}
		})
	}
}

// Ensure that a Cancel that comes late does not hit the next user of the connection.
func TestCancelLate(t *testing.T) {
	asked, answer := make(chan bool, 2), make(chan bool)
	transport := start(t, options(listen(t, func(p *peer) {
		for p.request() != "" {
			asked <- true
			<-answer
			p.say(hi)
		}
	})))
	var first, second Answer
	go func() { answer <- true }()
	if err := transport.Do(get(), &first); err != nil {
		t.Fatal(err)
	}
	first.Buffered()
	<-asked
	go func() {
		<-asked
		first.Cancel()
		answer <- true
	}()
	if err := transport.Do(get(), &second); err != nil {
		t.Fatal(err)
	}
	if body, whole := second.Buffered(); string(body) != "hi" || !whole {
		t.Errorf("got %q, %v", body, whole)
	}
	second.Close()
	first.Close()
}

// An answer that pauses for longer than an unused connection may live is not cut, and its connection
// does not outlive Idle afterwards.
func TestSilenceIsNotIdle(t *testing.T) {
	t.Parallel()
	o := options(listen(t, func(p *peer) {
		p.request()
		p.say(ok + "Content-Length: 2\r\n\r\nh")
		time.Sleep(time.Second)
		p.say("i")
		p.end()
	}))
	o.Idle = 50 * time.Millisecond
	transport := start(t, o)
	wantAsk(t, transport, get(), "200 hi")
	wantConns(t, transport, 0, 0)
}

// What the backend says of how long it keeps a connection is obeyed, less a second; what it says in
// another form is not, and it cannot say more than Idle.
func TestKeepAliveOfBackend(t *testing.T) {
	rows := []struct {
		field string
		want  time.Duration
	}{
		{"", 10 * time.Second},
		{"Keep-Alive: timeout=5\r\n", 4 * time.Second},
		{"keep-alive: max=100, TIMEOUT = 5\r\n", 4 * time.Second},
		{"Keep-Alive: timeout=60\r\n", 10 * time.Second},
		{"Keep-Alive: timeout=1\r\n", 0},
		{"Keep-Alive: timeout=0\r\n", -time.Second},
		{"Keep-Alive: timeout=5x, max=3\r\n", 10 * time.Second},
		{"Keep-Alive: timeout=9999999999\r\n", 10 * time.Second},
		{"Keep-Alive: timeout\r\n", 10 * time.Second},
		{"Keep-Alive: max=1\r\n", 10 * time.Second},
	}
	for _, row := range rows {
		transport := start(t, options(listen(t, func(p *peer) {
			p.request()
			p.say("%s%sContent-Length: 2\r\n\r\nhi", ok, row.field)
			p.end()
		})))
		var a Answer
		if err := transport.Do(get(), &a); err != nil {
			t.Fatal(err)
		}
		e := transport.endpoints[0]
		e.mu.Lock()
		got := e.all[0].idleFor
		e.mu.Unlock()
		if got != row.want {
			t.Errorf("%q: got %v, want %v", row.field, got, row.want)
		}
		a.Close()
	}
}

// A connection that the backend will end soon carries no further request, although it is still open.
func TestKeepAliveIsOver(t *testing.T) {
	t.Parallel()
	o := options(listen(t, func(p *peer) {
		for p.request() != "" {
			p.say(ok + "Keep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi")
		}
	}))
	transport := start(t, o)
	wantAsk(t, transport, get(), "200 hi")
	time.Sleep(3 * time.Second / 2)
	wantAsk(t, transport, get(), "200 hi")
	wantDials(t, transport, 2)
}

// Every request carries the marker once, however it is sent; without one there is no such line.
func TestMarker(t *testing.T) {
	for _, marker := range []string{"", "0123456789abcdef01234567"} {
		heads := make(chan string, 8)
		o := options(listen(t, func(p *peer) {
			for head := p.request(); head != ""; head = p.request() {
				heads <- head
				p.say(ok + "Content-Length: 2\r\n\r\nhi")
			}
		}))
		o.Marker = marker
		transport := start(t, o)
		for _, r := range []*Request{get(), post("[]"), {Method: "POST", Target: []byte("/"), BodyReader: strings.NewReader("[]"), BodyLength: 2}} {
			wantAsk(t, transport, r, "200 hi")
			head := <-heads
			if got := strings.Count(head, "x-aclgate-via: "+marker+"\r\n"); got != min(1, len(marker)) {
				t.Errorf("got %d lines in %q", got, head)
			}
		}
	}
	if _, err := New(Options{Marker: "a\r\nb"}); err == nil || !strings.Contains(err.Error(), "marker") {
		t.Errorf("got %v for a marker of two lines", err)
	}
}
