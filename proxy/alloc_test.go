package proxy

import (
	"bytes"
	"io"
	"net"
	"testing"

	"aclgate/policy"
)

// startLean starts a backend that allocates nothing per request: it knows the end of a request
// without a body and always says the same.
func startLean(t testing.TB, text []byte) *wireBackend {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &wireBackend{url: "http://" + ln.Addr().String(), ln: ln, conns: map[net.Conn]bool{}}
	b.group.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.group.Go(func() { lean(c, text) })
		}
	})
	t.Cleanup(func() { ln.Close() })
	return b
}

func lean(c net.Conn, text []byte) {
	defer c.Close()
	room, n := make([]byte, 64<<10), 0
	for {
		m, err := c.Read(room[n:])
		if err != nil {
			return
		}
		if n += m; bytes.HasSuffix(room[:n], []byte("\r\n\r\n")) {
			n = 0
			if _, err := c.Write(text); err != nil {
				return
			}
		}
	}
}

// asker sends the same request again and again over one connection and allocates nothing either.
type asker struct {
	conn    net.Conn
	request []byte
	room    []byte
	size    int // of an answer
}

func newAsker(t testing.TB, w *fixture, request string) *asker {
	t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	a := &asker{conn: c, request: []byte(request), room: make([]byte, 64<<10)}
	t.Cleanup(func() { c.Close() })
	c.Write(a.request)
	for i := 0; ; {
		n, err := c.Read(a.room[a.size:])
		if err != nil {
			t.Fatal(err)
		}
		a.size += n
		if i = bytes.Index(a.room[:a.size], []byte("\r\n\r\n")); i > 0 && bytes.HasSuffix(a.room[:a.size], []byte("}")) {
			return a
		}
	}
}

func (a *asker) ask() {
	a.conn.Write(a.request)
	io.ReadFull(a.conn, a.room[:a.size])
}

// leanRequests are what the gateway serves most. Without Connection: close.
var leanRequests = []struct {
	name, request string
	allocs        float64
}{
	{"allow", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + readerKey + "\r\nAccept: */*\r\n\r\n", 0},
	{"all", "GET /gw/devices/all?fields=id,name HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + readerKey + "\r\n\r\n", 0},
	{"all, many ids", "GET /gw/devices/all?fields=id,name HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + longKey + "\r\n\r\n", 0},
	{"list", "GET /gw/devices/" + numbered(1000, 1000) + " HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + longKey + "\r\n\r\n", 0},
	{"standard", "GET /gw/devices/all/telemetry/all HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + allKey + "\r\n\r\n", 0},
	{"escaped", "GET /%67w/devices/1%2C2 HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + readerKey + "\r\n\r\n", 0},
	{"denied", "GET /gw/devices/3,4 HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + readerKey + "\r\n\r\n", 0},
	{"not permitted", "DELETE /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + readerKey + "\r\n\r\n", 0},
	{"no token", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
	{"role", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + userKey + "\r\nAccept: */*\r\n\r\n", 0},
	{"JWT", "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + rememberedJWT + "\r\nAccept: */*\r\n\r\n", 0},
	{"narrow", "GET /gw/devices/1,3 HTTP/1.1\r\nHost: a\r\nAuthorization: FlespiToken " + readerKey + "\r\n\r\n", 0},
}

func leanWorld(t testing.TB) *fixture {
	b := startLean(t, []byte(plain(`{"result":[{"id":1,"name":"truck"}]}`)))
	f := newFixture(t, b.url, maxURL(64<<10), remembers(marks()))
	f.accounts([2]int64{1, 0}, [2]int64{11, 1})
	f.token(longKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET"],"ids":[`+numbered(1000, 5000)+`]}]`)
	f.token(allKey, "standard", 11, "")
	f.token(readerKey, "acl", 11, `[{"uri":"gw/devices","methods":["GET","PUT"],"ids":[1,2]}]`)
	f.token(userKey, "acl", 11, `[{"uri":"gw","methods":["GET","PUT"],"ids":"all"}]`)
	for _, tok := range []*policy.Token{f.tokens[digestOf(userKey)], f.remember(`[{"uri":"gw","methods":["GET","PUT"],"ids":"all"}]`)} {
		tok.IsUser, tok.Roles, tok.ACL = true, []policy.UserRole{{Name: "member", ACL: tok.ACL}}, nil
	}
	return f
}

// What a request allocates in the whole process, from its first byte to the last of its answer:
// client and backend of this test allocate nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f := leanWorld(t)
	for _, row := range leanRequests {
		a := newAsker(t, f, row.request)
		for range 50 {
			a.ask()
		}
		if got := testing.AllocsPerRun(500, a.ask); got > row.allocs {
			t.Errorf("%s: got %v allocations per request, want at most %v", row.name, got, row.allocs)
		}
	}
}

func BenchmarkRequests(b *testing.B) {
	f := leanWorld(b)
	for _, row := range leanRequests {
		b.Run(row.name, func(b *testing.B) {
			a := newAsker(b, f, row.request)
			b.ReportAllocs()
			for b.Loop() {
				a.ask()
			}
		})
	}
}
