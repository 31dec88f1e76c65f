package proxy

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// brokenStore breaks whatever it is asked for one token.
type brokenStore struct {
	Tokens
	at policy.Digest
}

func (p brokenStore) Lookup(d policy.Digest, now time.Time) (*policy.Token, error) {
	if d == p.at {
		panic("token store: nil map")
	}
	return p.Tokens.Lookup(d, now)
}

// A panic is a 500 in JSON for its own request. The connections of others, and their requests that
// are under way, go on; no key stands in the log.
func TestPanicIsForOneRequest(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		if r.target() == "/gw/devices/2" {
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(c, plain("{}"))
	})
	var log lockedBuffer
	breaks := func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Tokens, o.Log = brokenStore{o.Tokens, digestOf("breaks-the-store")}, slog.New(slog.NewTextHandler(&log, nil))
	}
	w := newWired(t, b, breaks)
	other := make(chan answer, 1)
	go func() { other <- w.call(readerKey, "GET", "/gw/devices/2", "") }()
	<-arrived
	for range 3 {
		got := w.raw("GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: breaks-the-store\r\nOrigin: https://a.example\r\n\r\n")
		if got.status != 500 || got.body != own(500, "internal error") || got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("got %d %s %q", got.status, got.body, got.header)
		}
		checkOwnHeaders(t, "panic", got)
		if after := w.call(readerKey, "GET", "/gw/devices/1", "").status; after != 200 {
			t.Errorf("got %d behind a panic", after)
		}
	}
	close(release)
	if got := <-other; got.status != 200 {
		t.Errorf("got %d for a request that was under way", got.status)
	}
	if n := w.counter("aclgate_panics_total"); n != 3 {
		t.Errorf("got %v panics counted, want 3", n)
	}
	if s := log.String(); strings.Contains(s, "breaks-the-store") || !strings.Contains(s, "nil map") {
		t.Errorf("got the log %.300s", s)
	}
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// breaking is a backend that panics once the request is printed.
type breaking struct{}

func (breaking) Do(*upstream.Request, *upstream.Answer) error { panic("transport: index out of range") }

// A panic in the middle of a request on a kept connection ends that connection behind the 500: what
// is left of its body is nobody's request.
func TestPanicEndsTheConnection(t *testing.T) {
	w := textWired(t, plain("{}"), func(o *Options, _ *policy.Engine, _ *head.Config) { o.Backend = breaking{} })
	c := w.dial()
	io.WriteString(c, "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: "+allKey+"\r\n\r\n"+request(allKey, "GET", "/auth/info", ""))
	in := bufio.NewReader(c)
	if got := w.read(in, "GET"); got.status != 500 || got.body != own(500, "internal error") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if rest, _ := io.ReadAll(in); len(rest) != 0 {
		t.Errorf("got %q behind the end", rest)
	}
}

// late is a backend that answers and panics then, for one target.
type late struct{ Backend }

func (l late) Do(r *upstream.Request, a *upstream.Answer) error {
	err := l.Backend.Do(r, a)
	if string(r.Target) == "/gw/devices/2" {
		panic("behind the answer")
	}
	return err
}

// A panic while a connection to the backend is held does not hold it for ever.
func TestPanicGivesTheConnectionBack(t *testing.T) {
	b := startText(t, plain("{}"))
	transport, err := upstream.New(upstream.Options{URLs: []string{b.url}, Dial: time.Second, FirstByte: time.Second, Silence: time.Second, Idle: time.Second, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer transport.Close()
	w := newWired(t, b, func(o *Options, _ *policy.Engine, _ *head.Config) { o.Backend = late{transport} })
	for range 4 {
		if got := w.call(readerKey, "GET", "/gw/devices/2", ""); got.status != 500 {
			t.Fatalf("got %d %s", got.status, got.body)
		}
	}
	if got := w.call(readerKey, "GET", "/gw/devices/1", ""); got.status != 200 {
		t.Errorf("got %d %s behind panics", got.status, got.body)
	}
}

// A panic at the end of a stream ends this request and nothing else.
func TestPanicBehindTheEnd(t *testing.T) {
	w := textWired(t, plain(longResult("")), func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Served = func(_ *record.Record, _, asked, _ []byte) {
			if bytes.HasSuffix(asked, []byte("fields=id")) {
				panic("audit: closed file")
			}
		}
	})
	for range 3 {
		w.exchange(request(readerKey, "GET", "/gw/devices/1?fields=id", ""))
		if got := w.call(readerKey, "GET", "/gw/devices/1", ""); got.status != 200 {
			t.Errorf("got %d", got.status)
		}
	}
	if n := w.counter("aclgate_panics_total"); n != 3 {
		t.Errorf("got %v panics counted, want 3", n)
	}
	for range 1000 { // a client may have its answer a moment before its request is over
		if w.gateway.Busy() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("got %d requests that are never over", w.gateway.Busy())
}

// brokenLog panics at a fault of the backend.
type brokenLog struct{ slog.Handler }

func (l brokenLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "the backend did not answer" {
		panic("log: closed file")
	}
	return l.Handler.Handle(ctx, r)
}

// An answer that a panic cuts does not look whole, whatever its framing, and its request is recorded
// and over.
func TestPanicCutsAStream(t *testing.T) {
	b := startList(t)
	b.fail[140] = breaks("")
	var seen keeper
	f := long(t, b, 100, faultIDs, seen.keep, maxURL(faultURL), func(o *Options, _ *policy.Engine, _ *head.Config) {
		o.Log = slog.New(brokenLog{slog.NewTextHandler(io.Discard, nil)})
	})
	for _, version := range []string{"1.0", "1.1"} {
		c := f.dial()
		io.WriteString(c, "GET /gw/devices/all HTTP/"+version+"\r\nHost: a\r\nAuthorization: "+longKey+"\r\n\r\n")
		text, err := io.ReadAll(c)
		if cut := err != nil || version == "1.1" && !strings.HasSuffix(string(text), "0\r\n\r\n"); !cut || !strings.Contains(string(text), `{"id":100}`) {
			t.Errorf("HTTP/%s: got %d bytes, %v: %.300s", version, len(text), err, text)
		}
	}
	// The end of the connection is seen before the request is over.
	for end := time.Now().Add(5 * time.Second); f.gateway.Busy() != 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if recs := seen.take(); len(recs) != 2 || f.gateway.Busy() != 0 {
		t.Errorf("got %d records, want 2; %d requests are under way", len(recs), f.gateway.Busy())
	}
}
