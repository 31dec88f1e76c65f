package upstream

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"aclgate/upstream/share"
)

// gated serves every request once the test lets it, and tells which came.
func gated(t *testing.T) (url string, came chan string, gate chan bool) {
	came, gate = make(chan string, 100), make(chan bool)
	return listen(t, func(p *peer) {
		for request := p.request(); request != ""; request = p.request() {
			came <- request[:len("GET /x")]
			if _, open := <-gate; !open {
				return
			}
			p.say(hi)
		}
	}), came, gate
}

// Ensure that no more connections are opened than allowed, that those who wait are served in their
// order, and that one too many is turned away at once.
func TestQueue(t *testing.T) {
	url, came, gate := gated(t)
	o := options(url)
	o.MaxConns, o.QueueMax, o.QueueFor = 1, 3, time.Minute
	transport := start(t, o)
	var work sync.WaitGroup
	defer work.Wait()
	for i := range 4 {
		work.Go(func() {
			r := &Request{Method: "GET", Target: fmt.Appendf(nil, "/%d", i)}
			if got, err := ask(transport, r); err != nil || got != "200 hi" {
				t.Errorf("request %d: got %q, %v", i, got, err)
			}
		})
		eventually(t, "the request waits", func() bool {
			s := transport.Stats()[0]
			return s.Open == 1 && s.Waiting == i
		})
	}
	_, err := ask(transport, get())
	wantKind(t, err, ErrBusy)
	for i := range 4 {
		if got, want := <-came, fmt.Sprintf("GET /%d", i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		gate <- true
	}
	work.Wait()
	if s := transport.Stats()[0]; s.Dials != 1 || s.Waits != 3 || s.Reuses != 3 || s.Failures != 0 {
		t.Errorf("got %+v", s)
	}
}

// Ensure that waiting ends by time and by Cancel, and leaves nothing behind.
func TestQueueLeave(t *testing.T) {
	url, came, gate := gated(t)
	o := options(url)
	o.MaxConns, o.QueueFor = 1, 20*time.Millisecond
	transport := start(t, o)
	var work sync.WaitGroup
	work.Go(func() { ask(transport, get()) })
	<-came
	_, err := ask(transport, get())
	wantKind(t, err, ErrBusy)

	transport.endpoints[0].queueFor = time.Minute
	var a Answer
	work.Go(func() {
		eventually(t, "the request waits", func() bool { return transport.Stats()[0].Waiting == 1 })
		a.Cancel()
	})
	wantKind(t, transport.Do(get(), &a), ErrCanceled)
	if s := transport.Stats()[0]; s.Waiting != 0 {
		t.Errorf("got %d waiting, want 0", s.Waiting)
	}
	gate <- true
	work.Wait()
	wantConns(t, transport, 1, 1)
}

// Ensure that a slot is handed on when its connection breaks.
func TestQueueAfterBreak(t *testing.T) {
	url, came, gate := gated(t)
	o := options(url)
	o.MaxConns = 1
	transport := start(t, o)
	var work sync.WaitGroup
	work.Go(func() {
		_, err := ask(transport, get())
		wantKind(t, err, ErrBroken)
	})
	<-came
	work.Go(func() {
		_, err := ask(transport, get())
		wantKind(t, err, ErrBroken)
	})
	eventually(t, "the second waits", func() bool { return transport.Stats()[0].Waiting == 1 })
	close(gate)
	work.Wait()
	if s := transport.Stats()[0]; s.Dials != 2 || s.Open != 0 {
		t.Errorf("got %d dials, %d open; want 2, 0", s.Dials, s.Open)
	}
}

// Ensure that one who leaves the line in the moment of being served says so: the slot would be lost
// otherwise.
func TestGrantBeatsLeaving(t *testing.T) {
	o := options("http://127.0.0.1")
	o.MaxConns = 1
	p := &start(t, o).endpoints[0].pool
	first, err := p.take(share.Holder{}, new(Answer))
	if first.slot == nil || err != nil {
		t.Fatal(first, err)
	}
	w := newWaiter(share.Holder{})
	if !p.shares.Enter(&w.Waiter) {
		t.Fatal("no place in line")
	}
	p.freeSlot(first.slot)
	if p.leave(w) {
		t.Error("left the line, but was served")
	}
	if got := <-w.grant; got.slot == nil || p.open != 1 {
		t.Errorf("got %+v and %d slots taken, want one", got, p.open)
	} else {
		p.freeSlot(got.slot)
	}
}

// Ensure that a connection which was broken just when its answer ended is not kept.
func TestBrokenAtTheEnd(t *testing.T) {
	transport := start(t, options(listen(t, func(p *peer) { p.request(); p.say(hi); p.end() })))
	var a Answer
	if err := transport.Do(get(), &a); err != nil {
		t.Fatal(err)
	}
	a.conn.interrupt()
	if body, whole := a.Buffered(); string(body) != "hi" || !whole {
		t.Errorf("got %q, %v", body, whole)
	}
	wantConns(t, transport, 0, 0)
	a.Close()
}

// Ensure that Close ends what is idle, in use and waiting, and that nothing starts after.
func TestTransportClose(t *testing.T) {
	url, came, gate := gated(t)
	defer close(gate)
	o := options(url)
	o.MaxConns = 2
	transport := start(t, o)
	results := make(chan error, 3)
	do := func() { _, err := ask(transport, get()); results <- err }
	go do()
	<-came
	gate <- true
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	go do()
	go do()
	<-came
	<-came
	go do()
	eventually(t, "the third waits", func() bool { return transport.Stats()[0].Waiting == 1 })
	transport.Close()
	kinds := map[error]int{}
	for range 3 {
		err := <-results
		kinds[err.(*Error).Kind]++
	}
	if kinds[ErrCanceled] != 2 || kinds[ErrBusy] != 1 {
		t.Errorf("got %v, want two canceled and one busy", kinds)
	}
	_, err := ask(transport, get())
	wantKind(t, err, ErrBusy)
	wantConns(t, transport, 0, 0)
}

// Ensure that under load from many sides each caller gets the answer to its own request, also while
// connections break, and that every slot comes back.
func TestLoad(t *testing.T) {
	o := options(listen(t, func(p *peer) {
		for n := 0; ; n++ {
			request := p.request()
			if request == "" || n == 20+p.n%7 {
				return
			}
			target := request[len("GET ") : len("GET ")+8]
			p.say("%sTransfer-Encoding: chunked\r\n\r\n8\r\n%s\r\n0\r\n\r\n", ok, target)
		}
	}))
	o.MaxConns, o.QueueMax = 4, 100
	transport := start(t, o)
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			for n := range 100 {
				target := fmt.Sprintf("/%03d%04d", i, n)
				r := &Request{Method: "GET", Target: []byte(target), Repeatable: true}
				if got, err := ask(transport, r); err != nil || got != "200 "+target {
					t.Errorf("got %q, %v; want %q", got, err, target)
				}
			}
		})
	}
	work.Wait()
	s := transport.Stats()[0]
	if s.Open > 4 || s.InUse() != 0 || s.Waiting != 0 || transport.endpoints[0].busy.Load() != 0 {
		t.Errorf("got %+v, %d busy", s, transport.endpoints[0].busy.Load())
	}
}

// Ensure that an answer with a body larger than every buffer needs no more than its buffer: the
// body goes straight into the caller's memory.
func TestLargeBody(t *testing.T) {
	const size = 64 << 20
	transport := start(t, options(listen(t, func(p *peer) {
		p.request()
		p.say("%sContent-Length: %d\r\n\r\n", ok, size)
		piece := make([]byte, 1<<16)
		for range size / len(piece) {
			p.Write(piece)
		}
		p.end()
	})))
	var a Answer
	if err := transport.Do(get(), &a); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, &a, make([]byte, 32<<10))
	if n != size || err != nil || len(a.stream.buf) != smallBuffer {
		t.Errorf("got %d bytes, %v, a buffer of %d", n, err, len(a.stream.buf))
	}
}
