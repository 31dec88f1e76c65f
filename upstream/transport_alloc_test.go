//go:build !race

package upstream

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

var headEnd = []byte("\r\n\r\n")

// answering is a backend that allocates nothing: it answers each head it reads with the same bytes.
// Its requests have no body.
func answering(t testing.TB, answer string) string {
	raw := []byte(answer)
	return listen(t, func(p *peer) {
		buf := make([]byte, 64<<10)
		for n := 0; ; {
			m, err := p.Conn.Read(buf[n:])
			if err != nil {
				return
			}
			if n += m; bytes.HasSuffix(buf[:n], headEnd) {
				n = 0
				p.Conn.Write(raw)
			}
		}
	})
}

const typicalHead = ok + "Date: Sun, 22 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nServer: flespi\r\n" +
	"Cache-Control: private\r\nVary: Origin\r\n"

var typicalBody = `{"result":[` + strings.Repeat(`{"id":2024,"name":"x"},`, 12) + `{"id":1}]}`

// exchanges are exchanges on a kept connection, from Do to Close.
func exchanges() map[string]string {
	return map[string]string{
		"length":  typicalHead + "Content-Length: 295\r\n\r\n" + typicalBody[:295],
		"chunks":  typicalHead + "Transfer-Encoding: chunked\r\n\r\n127\r\n" + typicalBody[:295] + "\r\n0\r\n\r\n",
		"none":    "HTTP/1.1 204 No Content\r\n\r\n",
		"64 KiB":  typicalHead + "Content-Length: 65536\r\n\r\n" + strings.Repeat("z", 65536),
		"interim": "HTTP/1.1 103 Early Hints\r\n\r\n" + typicalHead + "Content-Length: 2\r\n\r\n{}",
	}
}

func typicalRequest() *Request {
	return &Request{
		Method: "GET", Target: []byte("/gw/devices/7,9,11/telemetry/all?fields=id,name"), Repeatable: true,
		Head: []byte("Authorization: FlespiToken 0123456789012345678901234567890123456789012345678901234567890123\r\n" +
			"x-flespi-cid: 11\r\nAccept: */*\r\nUser-Agent: test\r\nX-Forwarded-For: 127.0.0.1\r\n"),
	}
}

// exchange is one request as the proxy makes it.
func exchange(tb testing.TB, transport *Transport, r *Request, a *Answer) {
	tb.Helper()
	if err := transport.Do(r, a); err != nil {
		tb.Fatal(err)
	}
	if _, whole := a.Buffered(); !whole {
		drain(tb, a)
	}
	a.Close()
}

func drain(tb testing.TB, a *Answer) {
	tb.Helper()
	p := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(p)
	for {
		if _, err := a.Read(p[:]); err == io.EOF {
			return
		} else if err != nil {
			tb.Fatal(err)
		}
	}
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Ensure that an exchange on a kept connection allocates nothing.
func TestNoAllocs(t *testing.T) {
	for name, answer := range exchanges() {
		t.Run(name, func(t *testing.T) {
			transport := start(t, options(answering(t, answer)))
			r, a := typicalRequest(), new(Answer)
			run := func() { exchange(t, transport, r, a) }
			run()
			// The least of several rounds: the collector may empty the pools meanwhile.
			least := 1.0
			for range 5 {
				least = min(least, testing.AllocsPerRun(200, run))
			}
			if least > 0 {
				t.Errorf("got %v allocations, want 0", least)
			}
			if s := transport.Stats()[0]; s.Dials != 1 {
				t.Errorf("got %d dials, want 1", s.Dials)
			}
		})
	}
}

// longRequests are requests whose target, or the ids in it, is written from where it is.
func longRequests() map[string]*Request {
	target, inset := typicalRequest(), typicalRequest()
	inset.Target = []byte("/gw/devices/?fields=id")
	in, text := manyIDs(len("/gw/devices/"), 5000)
	inset.Segment = in
	target.Target = []byte("/gw/devices/" + text + "?fields=id")
	return map[string]*Request{"target": target, "inset": inset}
}

// Ensure that a long target allocates nothing either.
func TestNoAllocsLongTarget(t *testing.T) {
	for name, r := range longRequests() {
		transport := start(t, options(answering(t, hi)))
		a := new(Answer)
		run := func() { exchange(t, transport, r, a) }
		run()
		least := 1.0
		for range 5 {
			least = min(least, testing.AllocsPerRun(200, run))
		}
		if least > 0 {
			t.Errorf("%s: got %v allocations, want 0", name, least)
		}
	}
}

// BenchmarkDo measures an exchange against a backend in the same process. "bare" is the same two
// system calls without the transport.
func BenchmarkDo(b *testing.B) {
	for _, name := range []string{"length", "chunks", "64 KiB"} {
		b.Run(name, func(b *testing.B) {
			transport := start(b, options(answering(b, exchanges()[name])))
			r, a := typicalRequest(), new(Answer)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, transport, r, a)
			}
		})
	}
	for name, r := range longRequests() {
		b.Run("long "+name, func(b *testing.B) {
			transport := start(b, options(answering(b, exchanges()["length"])))
			a := new(Answer)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, transport, r, a)
			}
		})
	}
	b.Run("bare", func(b *testing.B) {
		c, err := net.Dial("tcp", strings.TrimPrefix(answering(b, exchanges()["length"]), "http://"))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		r, p := typicalRequest(), make([]byte, 8<<10)
		out := r.appendHead(nil, "Host: 127.0.0.1\r\n")
		b.ReportAllocs()
		for b.Loop() {
			c.Write(out)
			c.Read(p)
		}
	})
}

// BenchmarkReadHead measures the head parser alone.
func BenchmarkReadHead(b *testing.B) {
	raw := []byte(exchanges()["length"])
	src, a := &cuts{}, new(Answer)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		src.bytes = raw
		a.stream = stream{src: src, buf: getBuffer(smallBuffer)}
		if err := a.readHead(); err != nil {
			b.Fatal(err)
		}
		a.Close()
	}
}
