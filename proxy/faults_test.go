package proxy

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// says is a backend whose every answer is text, and the end of its connection.
func says(text string) func(net.Conn, *wireRequest) {
	return func(c net.Conn, _ *wireRequest) { io.WriteString(c, text); c.Close() }
}

// keeps is one that says text and keeps the connection open.
func keeps(text string) func(net.Conn, *wireRequest) {
	return func(c net.Conn, _ *wireRequest) { io.WriteString(c, text) }
}

// reset ends a connection with a reset.
func reset(c net.Conn, _ *wireRequest) { c.(*net.TCPConn).SetLinger(0); c.Close() }

const faultHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

var longText = `{"result":["` + strings.Repeat("x", 100<<10)

// backendFaults is the fault list as far as the backend's answers go: what it does
// and what clients may see then. "cut" is an answer that shows that it is not
// whole.
var backendFaults = []struct {
	name   string
	answer func(net.Conn, *wireRequest)
	want   string
}{
	{"05 reset before the first byte", reset, "502"},
	{"06 reset in a short body", func(c net.Conn, r *wireRequest) {
		io.WriteString(c, faultHead+"Content-Length: 50\r\n\r\n{")
		reset(c, r)
	}, "502"},
	{"06 cut in a long body", says(faultHead + "Content-Length: 999999\r\n\r\n" + longText), "cut none"},
	{"06 cut between chunks", says(faultHead + "Transfer-Encoding: chunked\r\n\r\n19000\r\n" + longText[:0x19000] + "\r\n"), "cut none 502"},
	{"07 garbage", says("\x00\x01\x02\x03\r\n\r\n"), "502"},
	{"07 HTTP/0.9", says("<html>hello</html>"), "502"},
	{"07 TLS on a plain port", says("\x15\x03\x01\x00\x02\x02\x0a"), "502"},
	{"08 head of 300 kB", says(faultHead + "A: " + strings.Repeat("b", 300<<10) + "\r\nContent-Length: 2\r\n\r\n{}"), "502"},
	{"08 10 000 header lines", says(faultHead + strings.Repeat("a: b\r\n", 10000) + "Content-Length: 2\r\n\r\n{}"), "502"},
	{"09 length and chunks", keeps(faultHead + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "502"},
	{"09 two lengths", keeps(faultHead + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"), "502"},
	{"09 length too short", keeps(faultHead + "Content-Length: 2\r\n\r\n{}" + reply("200 OK", "forged")), "200"},
	{"09 length too long", keeps(faultHead + "Content-Length: 9\r\n\r\n{}"), "504"},
	{"09 invalid chunk size", keeps(faultHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"), "502 cut"},
	{"09 chunk overflows", keeps(faultHead + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n"), "502 cut"},
	{"09 chunk longer than it says", keeps(faultHead + "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"), "502 cut"},
	{"10 one 100", keeps("HTTP/1.1 100 Continue\r\n\r\n" + plain("{}")), "200"},
	{"10 one 103", keeps("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plain("{}")), "200"},
	{"10 1000 103", says(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + plain("{}")), "502"},
	{"10 101", keeps("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), "502"},
	{"10 204 with a body", keeps("HTTP/1.1 204 No Content\r\n\r\n" + reply("200 OK", "forged")), "204"},
	{"10 304 with a body", keeps("HTTP/1.1 304 Not Modified\r\n\r\n" + reply("200 OK", "forged")), "304"},
	{"03 slow", func(net.Conn, *wireRequest) {}, "504"},
	{"11 stall behind the head", keeps(faultHead + "Content-Length: 9\r\n\r\n"), "504"},
	{"11 stall in a long body", keeps(faultHead + "Content-Length: 999999\r\n\r\n" + longText), "cut none"},
	{"11 byte by byte", byteByByte, "200"},
	{"13 500", keeps(reply("500 Oh", "{}")), "500"},
	{"13 503 with Retry-After", keeps(reply("503 Busy", "{}", "Retry-After: 7")), "503"},
	{"13 429", keeps(reply("429 Slowly", "{}")), "429"},
	{"14 401 to the gateway", keeps(reply("401 Who", "{}", "WWW-Authenticate: Basic")), "502"},
	{"14 403 is its judgement", keeps(reply("403 No", "{}")), "403"},
	{"15 HTML", keeps(reply("200 OK", "<html></html>", "Content-Type: text/html")), "200"},
	{"15 half a JSON text", keeps(plain(`{"result":[`)), "200"},
	{"15 gzip that is none", keeps(plain("bomb", "Content-Encoding: gzip")), "200"},
	{"16 redirect", keeps(reply("302 Found", "", "Location: http://evil.example/")), "502"},
	{"17 unsolicited answer", func(c net.Conn, _ *wireRequest) {
		io.WriteString(c, plain("{}"))
		time.Sleep(time.Millisecond)
		io.WriteString(c, reply("200 OK", "forged"))
	}, "200 502"},
}

// startTurning starts a backend whose behaviour can be changed.
func startTurning(t *testing.T, first func(net.Conn, *wireRequest)) (*wireBackend, *atomic.Value) {
	now := new(atomic.Value)
	now.Store(first)
	b := startWire(t, func(c net.Conn, r *wireRequest) { now.Load().(func(net.Conn, *wireRequest))(c, r) })
	return b, now
}

func byteByByte(c net.Conn, _ *wireRequest) {
	for _, b := range []byte(plain("{}")) {
		c.Write([]byte{b})
		time.Sleep(time.Millisecond)
	}
}

// patience is how long a row may take: little where it is about deadlines, and
// so much elsewhere that a slow machine changes no outcome.
func patience(name, want string) time.Duration {
	if strings.Contains(want, "504") || strings.HasPrefix(name, "11 stall") {
		return 500 * time.Millisecond
	}
	return 8 * time.Second
}

// impatient gives the backend little time and no second chance.
func impatient(t *testing.T, b *wireBackend, patience time.Duration) setup {
	return func(o *Options, _ *policy.Engine, _ *head.Config) {
		transport, err := upstream.New(upstream.Options{
			URLs: []string{b.url}, Dial: 500 * time.Millisecond, FirstByte: patience, Silence: patience, Idle: patience,
			MaxConns: 8, QueueMax: 64, QueueFor: 5 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(transport.Close)
		o.Backend = transport
	}
}

// Every fault of the backend: the demanded outcome, judged by the ledgers of
// both sides, and nothing of it is left behind for the next client.
func TestFaults(t *testing.T) {
	for _, row := range backendFaults {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b, now := startTurning(t, row.answer)
			w := newWired(t, b, impatient(t, b, patience(row.name, row.want)))
			seen := w.ledgers(4, 1)
			judgeLedgers(t, seen, b.take(), row.want)
			now.Store(keeps(plain(`{"result":["its own"]}`)))
			time.Sleep(10 * time.Millisecond)
			for range 4 {
				if got := w.call(readerKey, "GET", "/gw/devices/1", ""); got.status != 200 || got.body != `{"result":["its own"]}` {
					t.Errorf("got %d %.80q behind the fault", got.status, got.body)
				}
			}
			if n := w.gateway.Busy(); n != 0 {
				t.Errorf("%d requests are never over", n)
			}
		})
	}
}

// One fault after the other behind one gateway: goroutines, descriptors and
// memory are back at their base line afterwards.
func TestFaultsLeaveNothing(t *testing.T) {
	b, now := startTurning(t, keeps(plain("{}")))
	w := newWired(t, b, impatient(t, b, 500*time.Millisecond))
	w.ledgers(8, 2)
	time.Sleep(time.Second) // idle connections to the backend end
	before := stateNow()
	for _, row := range backendFaults {
		if strings.HasPrefix(row.name, "03") || strings.HasPrefix(row.name, "11") {
			continue // they wait for deadlines, and TestFaults has them
		}
		now.Store(row.answer)
		w.ledgers(4, 1)
	}
	wantBaseLine(t, before)
}

// A backend whose port is closed is a 502 at once, and good again as soon as it
// is back.
func TestBackendComesBack(t *testing.T) {
	b := startWire(t, keeps(plain("{}")))
	addr := b.ln.Addr().String()
	b.close()
	w := newWired(t, b, impatient(t, b, 500*time.Millisecond))
	judgeLedgers(t, w.ledgers(4, 2), nil, "502")
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	b.ln, b.conns = ln, map[net.Conn]bool{}
	b.group.Go(b.accept)
	if got := w.call(readerKey, "GET", "/gw/devices/1", ""); got.status != 200 {
		t.Errorf("got %d as soon as it is back", got.status)
	}
}

// A backend that is not reached at all, because nobody accepts: one time limit
// to connect, and no second try.
func TestBackendIsABlackHole(t *testing.T) {
	t.Parallel()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Skip(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Skip(err)
	}
	syscall.Listen(fd, 0)
	name, _ := syscall.Getsockname(fd)
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 4 { // fill its queue
		if c, err := net.DialTimeout("tcp", addr, 50*time.Millisecond); err == nil {
			defer c.Close()
		}
	}
	b := &wireBackend{url: "http://" + addr}
	w := newWired(t, b, impatient(t, b, 500*time.Millisecond))
	got := w.call(readerKey, "GET", "/gw/devices/1", "")
	if got.status != 504 || got.body != own(504, "the backend did not answer in time") {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// A thousand pipelined requests get a thousand answers, in their order.
func TestThousandPipelined(t *testing.T) {
	w := newWired(t, startWire(t, func(c net.Conn, r *wireRequest) {
		io.WriteString(c, plain(`{"asked":"`+r.target()+`"}`))
	}))
	c := w.dial()
	go func() {
		var text strings.Builder
		for i := range 1000 {
			end := ""
			if i == 999 {
				end = "Connection: close\r\n"
			}
			fmt.Fprintf(&text, "GET /gw/devices/1?limit=%d HTTP/1.1\r\nHost: a\r\n%sAuthorization: %s\r\n\r\n", i+1, end, readerKey)
		}
		io.WriteString(c, text.String())
	}()
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	for i := range 1000 {
		var found bool
		if _, rest, found = strings.Cut(rest, fmt.Sprintf(`{"asked":"/gw/devices/1?limit=%d"}`, i+1)); !found {
			t.Fatalf("answer %d is not in its place", i)
		}
	}
}
