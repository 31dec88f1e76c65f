package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream"
)

// The lists below have 60 ids of three digits in parts of 20: 100, 120 and 140 begin one.
const (
	faultIDs   = 60
	faultParts = 3
	faultURL   = len("/gw/devices/") + 20*4 - 1
)

func writes(text string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, text) }
}

// breaks sends text and ends the connection.
func breaks(text string) func(net.Conn) {
	return func(c net.Conn) { io.WriteString(c, text); c.Close() }
}

const chunkedJSON = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

// partFaults are ways in which a part fails: what it leaves, and the code and a piece of the reason
// of the error that tells of it.
var partFaults = []struct {
	name   string
	fail   func(net.Conn)
	rows   int
	code   int
	reason string
}{
	{"refused", writes(reply("403 Forbidden", `{"errors":[{"code":7,"reason":"no"}],"result":[]}`, "Content-Type: application/json")), 0, 7, "no"},
	{"refused without a word", writes(reply("404 Not Found", `nothing`, "Content-Type: text/plain")), 0, 502, "the backend answered 404: 20 items, "},
	{"refused with rows", writes(reply("400 Bad", `{"result":[{"id":1}]}`, "Content-Type: application/json")), 0, 502, "the backend answered 400: 20 items, "},
	{"oops", writes(reply("500 Oops", `{"errors":[{"code":1,"reason":"oops"}]}`, "Content-Type: application/json")), 0, 1, "oops"},
	{"redirect", writes(reply("302 Found", ``, "Location: /x")), 0, 502, "redirect: 20 items, "},
	{"unauthorized", writes(reply("401 No", `{}`)), 0, 502, "refused the gateway: 20 items, "},
	{"no answer", breaks(""), 0, 502, "broke off: 20 items, "},
	{"no HTTP", breaks("SSH-2.0\r\n\r\n"), 0, 502, "broke off: 20 items, "},
	{"cut head", breaks("HTTP/1.1 200 OK\r\nContent-Le"), 0, 502, "broke off: 20 items, "},
	{"slow", func(c net.Conn) { io.Copy(io.Discard, c) }, 0, 504, "did not answer in time: 20 items, "},
	{"HTML", writes(reply("200 OK", "<html>", "Content-Type: text/html")), 0, 502, "no list of items: 20 items, "},
	{"no content", writes("HTTP/1.1 204 No Content\r\n\r\n"), 0, 502, "no list of items: 20 items, "},
	{"encoded", writes(plain(`{"result":[]}`, "Content-Encoding: gzip")), 0, 502, "no list of items: 20 items, "},
	{"no JSON", writes(plain(`<html>`)), 0, 502, "no list of items: 20 items, "},
	{"no result", writes(plain(`{}`)), 0, 502, "no list of items: 20 items, "},
	{"an object", writes(plain(`{"result":{}}`)), 0, 502, "no list of items: 20 items, "},
	{"cut behind a row", breaks(chunkedJSON + "18\r\n" + `{"result":[{"id":1},{"id` + "\r\n"), 1, 502, " gave 1 row before"},
	{"cut by length", breaks("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n" + `{"result":[{"id":1},{"id":2},`), 2, 502, "20 items, "},
	{"bad end", writes(plain(`{"result":[{"id":1}]]`)), 1, 502, " gave 1 row before"},
	{"errors of its own", writes(plain(`{"errors":[{"code":5,"reason":"gone"}],"result":[{"id":1}]}`)), 1, 5, "gone"},
}

// Whatever becomes of a part, wherever it stands: the rows of the others are all
// there, its own as far as they are whole, and one error tells of it.
func TestPartFails(t *testing.T) {
	for _, row := range partFaults {
		b := startList(t)
		patience := 5 * time.Second
		if row.name == "slow" {
			patience = 300 * time.Millisecond
		}
		f := long(t, b, 100, faultIDs, maxURL(faultURL), through(t, b.url, patience, 256))
		for n := range faultParts {
			place := 100 + 20*n
			b.mu.Lock()
			b.fail = map[int]func(net.Conn){place: row.fail}
			b.mu.Unlock()
			l := decodeList(t, f.call(longKey, "GET", "/gw/devices/all", ""))
			if len(l.Result) != faultIDs-20+row.rows {
				t.Errorf("%s at %d: got %d rows, want %d", row.name, place, len(l.Result), faultIDs-20+row.rows)
			}
			if len(l.Errors) != 1 || l.Errors[0].Code != row.code || !strings.Contains(l.Errors[0].Reason, row.reason) {
				t.Errorf("%s at %d: got errors %v, want one of %d %q", row.name, place, l.Errors, row.code, row.reason)
			}
			at := 0
			for _, r := range l.Result {
				if r.ID < at && r.ID >= 100 {
					t.Errorf("%s at %d: got %v, want the order of ids", row.name, place, l.Result)
				}
				at = r.ID
			}
		}
	}
}

// through gives the gateway another transport to the backend at url.
func through(t *testing.T, url string, firstByte time.Duration, conns int) setup {
	t.Helper()
	transport, err := upstream.New(upstream.Options{
		URLs: []string{url}, Dial: time.Second, FirstByte: firstByte, Silence: 5 * time.Second, Idle: 5 * time.Second,
		MaxConns: conns, QueueMax: 256, QueueFor: 500 * time.Millisecond, // until then parts wait for each other
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	return func(o *Options, _ *policy.Engine, _ *head.Config) { o.Backend = transport }
}

// Splits that wait for each other's connections all come to their end. It runs alone: who waits for longer
// than QueueFor goes without.
func TestPartsWithoutConnections(t *testing.T) {
	for _, conns := range []int{1, 2, 3} {
		b := startList(t)
		f := long(t, b, 100, 200, maxURL(faultURL), through(t, b.url, 5*time.Second, conns))
		var group sync.WaitGroup
		for range 4 {
			c := f.dial()
			group.Go(func() {
				io.WriteString(c, request(longKey, "GET", "/gw/devices/all", ""))
				wantRows(t, "without connections", decodeList(t, f.read(bufio.NewReader(c), "GET")), 100, 200)
			})
		}
		group.Wait()
		if _, most := b.counts(); most > conns {
			t.Errorf("got %d requests at a time over %d connections", most, conns)
		}
	}
}

// When no part gives anything, the first speaks for all.
func TestEveryPartFails(t *testing.T) {
	json := "Content-Type: application/json"
	for _, row := range []struct {
		name   string
		fail   func(net.Conn)
		status int
		body   string
	}{
		{"refused", writes(reply("403 Forbidden", `{"errors":[{"code":7}]}`, json)), 403, `{"errors":[{"code":7}]}`},
		{"oops", writes(reply("500 Oops", `no`, "Content-Type: text/plain")), 500, `no`},
		{"broken", breaks(""), 502, `{"errors":[{"code":502,"reason":"the backend cannot be reached or broke off"}]}`},
		{"HTML", writes(reply("200 OK", "<html>", "Content-Type: text/html")), 502, `{"errors":[{"code":502,"reason":"the backend cannot be reached or broke off"}]}`},
		{"unauthorized", writes(reply("401 No", `{}`, json)), 502, `{"errors":[{"code":502,"reason":"the backend refused the gateway"}]}`},
		{"a long refusal", writes(reply("403 Forbidden", strings.Repeat("x", maxHeld+1), json)), 502, `{"errors":[{"code":502,"reason":"the backend cannot be reached or broke off"}]}`},
	} {
		b := startList(t)
		for n := range faultParts {
			b.fail[100+20*n] = row.fail
		}
		f := long(t, b, 100, faultIDs, maxURL(faultURL))
		got := f.call(longKey, "GET", "/gw/devices/9,"+numbered(100, faultIDs), "")
		if got.status != row.status || got.body != row.body {
			t.Errorf("%s: got %d %.100s, want %d %s", row.name, got.status, got.body, row.status, row.body)
		}
		if backends := row.body[0] == 'n' || row.status == 403; backends != (got.header.Get("x-aclgate-denied") == "9") {
			t.Errorf("%s: got x-aclgate-denied %q", row.name, got.header.Get("x-aclgate-denied"))
		}
	}
}

// A backend that fails again and again is not asked for the rest, and one error
// says how many items that leaves out.
func TestGiveUp(t *testing.T) {
	b := startList(t)
	for id := 120; id < 900; id += 20 {
		b.fail[id] = breaks("")
	}
	f := long(t, b, 100, 800, maxURL(faultURL))
	l := decodeList(t, f.call(longKey, "GET", "/gw/devices/all", ""))
	wantRows(t, "given up", l, 100, 20)
	last := l.Errors[len(l.Errors)-1]
	if len(l.Errors) != giveUpAfter+1 || last.Reason != "the backend fails: 700 items, 200 to 899, were not asked for" || last.Code != 502 {
		t.Errorf("got %v", l.Errors)
	}
	if log := b.take(); len(log) > 1+giveUpAfter+shardsAtOnce {
		t.Errorf("got %d requests", len(log))
	}
	// One that judges is asked on: it is alive.
	b.mu.Lock() // what was given up above may still be asked for
	for id := range b.fail {
		b.fail[id] = writes(reply("403 Forbidden", `{"errors":[{"code":7}]}`, "Content-Type: application/json"))
	}
	b.mu.Unlock()
	l = decodeList(t, f.call(longKey, "GET", "/gw/devices/all", ""))
	asked := map[string]bool{} // the backend may only now log what was given up above
	for _, r := range b.take() {
		asked[r.target()] = true
	}
	if len(asked) != 40 || len(l.Errors) != 39 {
		t.Errorf("got %d requests and %d errors, want 40 and 39", len(asked), len(l.Errors))
	}
}

// A row too long to be held that breaks off ends the connection: half a row must
// not look like an answer.
func TestTornRow(t *testing.T) {
	b := startList(t)
	b.fail[120] = breaks(chunkedJSON + "40000\r\n" + `{"result":[{"id":"` + strings.Repeat("x", 200<<10))
	f := long(t, b, 100, faultIDs, maxURL(faultURL))
	c := f.dial()
	io.WriteString(c, request(longKey, "GET", "/gw/devices/all", ""))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil || !strings.HasPrefix(string(body), `{"result":[{"id":100},`) {
		t.Errorf("got %.80s… of %d bytes, %v, want it cut", body, len(body), err)
	}
	text := (&wired{fixture: f}).exchange(strings.Replace(request(longKey, "GET", "/gw/devices/all", ""), "HTTP/1.1", "HTTP/1.0", 1))
	if strings.HasSuffix(text, "}") {
		t.Errorf("got …%s, want it cut", tail(text))
	}
}

// leaves waits until the backend's connections of all parts are gone, and
// returns how many requests there were.
func (b *listBackend) leaves(t *testing.T) int {
	t.Helper()
	for range shardsAtOnce {
		select {
		case <-b.ended:
		case <-time.After(8 * time.Second):
			t.Fatal("the backend's connections stay")
		}
	}
	return len(b.take())
}

// When the client goes away before the first part is there, its parts are ended,
// and no others are asked for.
func TestClientLeavesParts(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 64)
	b := startList(t)
	for id := 100; id < 900; id += 20 {
		b.fail[id] = func(c net.Conn) {
			arrived <- struct{}{}
			io.Copy(io.Discard, c)
		}
	}
	f := long(t, b, 100, 800, maxURL(faultURL))
	c := f.dial()
	io.WriteString(c, request(longKey, "GET", "/gw/devices/all", ""))
	for range shardsAtOnce {
		<-arrived
	}
	disconnect(c)
	if n := b.leaves(t); n != shardsAtOnce {
		t.Errorf("got %d requests, want %d", n, shardsAtOnce)
	}
}

// So it is when the client leaves in the middle of the joined answer: as soon as
// the sockets are full, nothing more is asked for.
func TestClientLeavesJoinedAnswer(t *testing.T) {
	t.Parallel()
	b := startList(t)
	wide := strings.Repeat("x", 100<<10)
	b.row = func(id string) string { return `{"id":` + id + `,"a":"` + wide + `"}` }
	f := long(t, b, 100, 800, maxURL(faultURL))
	c := f.dial()
	io.WriteString(c, request(longKey, "GET", "/gw/devices/all", ""))
	io.ReadFull(c, make([]byte, 64<<10))
	c.Close()
	if n := b.leaves(t); n > 20 {
		t.Errorf("got %d of 40 requests, want a few", n)
	}
}
