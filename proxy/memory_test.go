package proxy

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/proxy/head"
	"aclgate/upstream/index"
	"aclgate/upstream/share"
)

// fewBodies bounds what large bodies hold to 256 KiB.
func fewBodies(o *Options, _ *policy.Engine, _ *head.Config) { o.MaxBodies = 256 << 10 }

// Large bodies are bounded in sum: one too many is a 503 at once, small ones pass beside them, and
// what was taken comes back however a request ends.
func TestBodiesAreBounded(t *testing.T) {
	w := textWired(t, plain("{}"), fewBodies)
	large := `{"x":"` + strings.Repeat("y", 150<<10) + `"}`
	put := func(body string) string { return request(readerKey, "PUT", "/gw/devices/1", body) }
	c := w.dial()
	io.WriteString(c, put(large)[:140<<10]) // more than half of it, and then nothing
	for w.gateway.Bodies() < 150<<10 {
		if w.gateway.Busy() > 1 {
			t.Fatal("there is another request")
		}
	}
	got := w.raw(put(large))
	if got.status != 503 || got.body != own(503, textBodies) || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s for one body too many", got.status, got.body)
	}
	if got := w.raw(put(`{"x":1}`)); got.status != 200 {
		t.Errorf("got %d for a small body beside a large one", got.status)
	}
	c.Close()
	for w.gateway.Busy() > 0 {
	}
	if got := w.raw(put(large)); got.status != 200 {
		t.Errorf("got %d once there is room", got.status)
	}
	if n := w.gateway.Bodies(); n != 0 {
		t.Errorf("%d bytes never came back", n)
	}
}

// A creation whose objects get an account each is counted as what it becomes.
func TestEnlargedBodiesAreBounded(t *testing.T) {
	f := textWired(t, plain(`{"result":[]}`), fewBodies, func(o *Options, engine *policy.Engine, _ *head.Config) {
		engine.Mode = policy.ModeIDs
		o.Index = index.New(index.Options{Catalogue: engine.Catalogue, Log: o.Log})
	})
	for _, row := range []struct{ objects, status int }{{10, 200}, {20000, 200}, {30000, 503}, {20000, 200}} {
		body := "[{}" + strings.Repeat(",{}", row.objects-1) + "]"
		got := f.call(allKey, "POST", "/gw/devices", body)
		if got.status != row.status {
			t.Errorf("%d objects: got %d %.100s, want %d", row.objects, got.status, got.body, row.status)
		}
		if want := "[" + strings.Repeat(`{"cid":11},`, row.objects-1) + `{"cid":11}]`; got.status == 200 && f.backend.one(t).body != want {
			t.Errorf("%d objects: others arrived", row.objects)
		}
		for f.gateway.Busy() > 0 {
		}
		if n := f.gateway.Bodies(); n != 0 {
			t.Errorf("%d objects: %d bytes never came back", row.objects, n)
		}
	}
}

// Answers that are read for the ids of what was made are bounded together with the bodies: a client
// that creates much, behind a backend that answers at length, would have us hold 8 MiB each time.
// Of one too many nothing is learnt, and it passes whole. The client that holds one up takes its
// time over it.
func TestLearntAnswersAreBounded(t *testing.T) {
	h := &heard{}
	answer := `{"result":[{"id":502,"cid":500},{"id":503,"cid":500,"x":"` + strings.Repeat("y", 150<<10) + `"}]}`
	b := startText(t, plain(answer))
	f := newFixture(t, b.url, fewBodies, func(o *Options, engine *policy.Engine, _ *head.Config) {
		o.Index = index.New(index.Options{Catalogue: engine.Catalogue, Log: o.Log})
		o.AccountTree = h
	})
	f.accounts([2]int64{400, 0}, [2]int64{500, 400})
	f.token("accounts-master", "master", 500, "")
	const learnt = "[502]<500 [503]<500"
	for _, row := range []struct {
		name string
		held int64 // by others
		want string
	}{
		{"there is room", 0, learnt},
		{"there is room for half of it", 128 << 10, ""},
		{"there is none", 256 << 10, ""},
		{"there is room again", 0, learnt},
	} {
		h.text = nil
		var others reservation
		if row.held > 0 && !f.gateway.bodies.reserve(&others, share.Holder{}, row.held) {
			t.Fatalf("%s: no room for %d", row.name, row.held)
		}
		got := f.call("accounts-master", "POST", "/platform/subaccounts", `{"name":"x"}`)
		for f.gateway.Busy() > 0 {
		}
		f.gateway.bodies.release(&others)
		if got.status != 200 || got.body != answer {
			t.Errorf("%s: got %d and %d bytes, want all %d", row.name, got.status, len(got.body), len(answer))
		}
		if text := strings.Join(h.text, " "); text != row.want {
			t.Errorf("%s: got %q, want %q", row.name, text, row.want)
		}
		if n := f.gateway.Bodies(); n != 0 {
			t.Errorf("%s: %d bytes never came back", row.name, n)
		}
	}
}

// What is learnt from is held once, and never beyond its bound.
func TestGrowBuffer(t *testing.T) {
	g := textWired(t, plain("{}")).gateway
	w := write{invalidator: &g.invalidator, call: new(call), eval: new(evaluation)}
	held := &w.call.memory
	var buffer []byte
	for w.grow(&buffer) {
		want := int64(cap(buffer))
		if want <= maxKept {
			want = 0
		}
		if held.bytes != want || g.Bodies() != want {
			t.Fatalf("a buffer of %d: got %d and %d counted", cap(buffer), held.bytes, g.Bodies())
		}
	}
	if cap(buffer) != maxLearnt {
		t.Errorf("got a buffer of %d, want %d", cap(buffer), maxLearnt)
	}
	if g.bodies.release(held); g.Bodies() != 0 {
		t.Errorf("%d bytes never came back", g.Bodies())
	}
}

// A length that is announced and not sent takes no room.
func TestAnnouncedBodiesAreFree(t *testing.T) {
	w := textWired(t, plain("{}"), fewBodies)
	for range 20 {
		c := w.dial()
		fmt.Fprintf(c, "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n{", readerKey, 7<<20)
	}
	for w.gateway.Busy() < 20 {
	}
	if got := w.gateway.Bodies(); got != 0 {
		t.Errorf("got %d bytes held for bodies that did not come", got)
	}
}

// A body arrives as it was sent, whatever its length is beside the steps in which room is made for
// it.
func TestBodiesOfEveryLength(t *testing.T) {
	w := textWired(t, plain("{}"), chunkedBodies)
	for _, size := range []int{1, 4095, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 128<<10 + 1, 300001} {
		body := `{"x":"` + strings.Repeat("y", size) + `"}`
		chunked := fmt.Sprintf("PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: %s\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", readerKey, len(body), body)
		for _, sent := range []string{request(readerKey, "PUT", "/gw/devices/1", body), chunked} {
			if got := w.raw(sent); got.status != 200 {
				t.Fatalf("%d bytes: got %d %s", size, got.status, got.body)
			}
			if r := w.backend.one(t); r.body != body {
				t.Errorf("%d bytes: %d arrived", size, len(r.body))
			}
		}
	}
}

// Memory is short from shedFrom on, until it is below shedUntil.
func TestShort(t *testing.T) {
	for _, row := range []struct {
		used uint64
		was  bool
		want bool
	}{{8900, false, false}, {9000, false, true}, {8000, true, true}, {7999, true, false}} {
		if got := short(row.used, 10000, row.was); got != row.want {
			t.Errorf("short(%d, was %v) = %v, want %v", row.used, row.was, got, row.want)
		}
	}
	if used := newMemoryUsage().read(); used < 1<<20 || used > 8<<30 {
		t.Errorf("this process uses %d bytes", used)
	}
}

// While memory is short every request is a 503 at once, whoever asks.
func TestShed(t *testing.T) {
	w := textWired(t, plain("{}"))
	w.gateway.memory.set(true)
	for _, key := range []string{readerKey, ""} {
		got := w.call(key, "GET", "/gw/devices/1", "")
		if got.status != 503 || got.body != own(503, "the gateway is busy") || got.header.Get("Retry-After") != "1" {
			t.Errorf("got %d %s", got.status, got.body)
		}
	}
	if n := len(w.backend.take()); n != 0 || w.counter("aclgate_overloaded") != 1 {
		t.Errorf("%d requests were forwarded; aclgate_overloaded %v", n, w.counter("aclgate_overloaded"))
	}
	w.gateway.memory.set(false)
	if got := w.call(readerKey, "GET", "/gw/devices/1", ""); got.status != 200 {
		t.Errorf("got %d afterwards", got.status)
	}
}

// A panic behind an answer that streams already ends its request once: the call must not be in the
// pool while it is in use.
func TestPanicBehindAStream(t *testing.T) {
	g := textWired(t, plain("{}")).gateway
	x := newExchange(g)
	x.conn, x.head = new(head.Conn), new(head.Head)
	g.busy.Add(1)
	func() {
		defer g.recovered(x)
		g.responder.rest(&x.call, &x.resp, -1)
		panic("behind the stream")
	}()
	if n := g.Busy(); n != 0 || x.resp.streams {
		t.Errorf("%d requests are under way, streaming %v", n, x.resp.streams)
	}
	if x.resp.status != 500 || x.sent() {
		t.Errorf("got %d, or an exchange that would be used again", x.resp.status)
	}
}
