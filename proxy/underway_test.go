package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

// watchful looks at what is under way more often than the default.
func watchful(_ *Options, _ *policy.Engine, c *head.Config) { c.Watch = 20 * time.Millisecond }

// trickle answers with a long body that never comes to its end.
func trickle(c net.Conn, stop <-chan struct{}) {
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	for {
		if _, err := io.WriteString(c, "4\r\n    \r\n"); err != nil {
			return
		}
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A streamed answer ends when its token, or its right to one of the items, has ended, and does not
// look whole then. Changes that concern others, and more rights, end nothing.
func TestStreamsAreCut(t *testing.T) {
	t.Parallel()
	entries := func(ids string) string {
		return `[{"uri":"gw/devices","methods":["GET"],"ids":[` + ids + `]},{"uri":"gw/groups","methods":["GET"]}]`
	}
	for _, row := range []struct {
		name   string
		change func(f *fixture)
		cut    bool
	}{
		{"revoked", func(f *fixture) { f.revoke(readerKey) }, true},
		{"disabled", func(f *fixture) {
			tok := *f.tokens[digestOf(readerKey)]
			tok.Enabled = false
			f.tokens[tok.Digest] = &tok
			f.revision.Add(1)
		}, true},
		{"one item less", func(f *fixture) { f.reload(func() { f.token(readerKey, "acl", 11, entries("1")) }) }, true},
		{"another account", func(f *fixture) { f.reload(func() { f.token(readerKey, "acl", 12, entries("1,2")) }) }, true},
		{"another entry", func(f *fixture) { f.reload(func() { f.token(readerKey, "acl", 11, entries("3,2,1")) }) }, false},
		{"another token", func(f *fixture) { f.revoke(allKey) }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			b := startWire(t, func(c net.Conn, _ *wireRequest) { trickle(c, stop) })
			w := newWired(t, b, watchful)
			w.reload(func() { w.token(readerKey, "acl", 11, entries("1,2")) })
			c := w.dial()
			io.WriteString(c, request(readerKey, "GET", "/gw/devices/1,2/messages", ""))
			in := bufio.NewReader(c)
			if _, err := in.Discard(600); err != nil {
				t.Fatal(err)
			}
			row.change(w.fixture)
			if !row.cut {
				c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			}
			text, err := io.ReadAll(in)
			timeout, _ := err.(net.Error)
			switch ended := timeout == nil || !timeout.Timeout(); {
			case ended != row.cut:
				t.Errorf("got the end %v after %v, want %v", ended, err, row.cut)
			case strings.HasSuffix(string(text), "0\r\n\r\n"):
				t.Error("the cut answer looks whole")
			}
			if got := w.counter("aclgate_cut_total"); got != float64(bit(row.cut)) {
				t.Errorf("got %v counted", got)
			}
			close(stop)
		})
	}
}

// A stream of which nothing comes for a while is cut too, and so is an upload.
func TestSilentStreamsAndUploadsAreCut(t *testing.T) {
	stop := make(chan struct{})
	b := startWire(t, func(c net.Conn, _ *wireRequest) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n    \r\n")
		<-stop
	})
	defer close(stop)
	w := newWired(t, b, watchful, chunkedBodies)
	silent, upload := w.dial(), w.dial()
	io.WriteString(silent, request(allKey, "GET", "/gw/devices/1/messages", ""))
	in := bufio.NewReader(silent)
	if _, err := in.ReadString(' '); err != nil {
		t.Fatal(err)
	}
	io.WriteString(upload, "POST /gw/devices/1/media HTTP/1.1\r\nHost: a\r\nAuthorization: "+allKey+"\r\n"+formType+"\r\nContent-Length: 1000000\r\n\r\n"+
		strings.Repeat("x", 100<<10))
	time.Sleep(100 * time.Millisecond)
	w.revoke(allKey)
	for name, c := range map[string]io.Reader{"silent": in, "upload": upload} {
		if text, err := io.ReadAll(c); err == nil && name == "silent" {
			t.Errorf("%s: got an orderly end behind %q", name, text)
		} else if strings.Contains(string(text), " 200 ") && name == "upload" {
			t.Errorf("%s: got %q", name, text)
		}
	}
	if got := w.counter("aclgate_cut_total"); got != 2 {
		t.Errorf("got %v counted, want 2", got)
	}
	if sent := b.take(); len(sent) != 1 {
		t.Errorf("the backend got %d whole requests, want 1", len(sent))
	}
}

// An upload takes a connection when its first 64 KiB or all of it are here.
func TestUploadsTakeAConnectionLate(t *testing.T) {
	var conns atomic.Int32
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				r, err := readWire(bufio.NewReader(c))
				if err == nil {
					io.WriteString(c, plain(fmt.Sprintf(`{"result":[%d]}`, len(r.body))))
				}
			}()
		}
	}()
	w := &wired{fixture: newFixture(t, "http://"+ln.Addr().String(), chunkedBodies)}
	w.accounts([2]int64{1, 0})
	w.token(allKey, "standard", 1, "")
	for _, size := range []int{10, 64 << 10, 200 << 10} {
		conns.Store(0)
		c := w.dial()
		fmt.Fprintf(c, "POST /gw/devices/1/media HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n%s\r\nContent-Length: %d\r\n\r\n", allKey, formType, size)
		first := min(size, 64<<10) - 1
		io.WriteString(c, strings.Repeat("x", first))
		time.Sleep(50 * time.Millisecond)
		if n := conns.Load(); n != 0 {
			t.Errorf("%d bytes of %d: got %d connections", first, size, n)
		}
		io.WriteString(c, strings.Repeat("x", size-first))
		if got := w.read(bufio.NewReader(c), ""); got.body != fmt.Sprintf(`{"result":[%d]}`, size) {
			t.Errorf("%d bytes: got %d %s", size, got.status, got.body)
		}
		c.Close()
	}
}

// stage is how far a request has come when the tokens are revoked.
type stage struct {
	name  string
	begin func(t *testing.T, w *wired, c net.Conn, key string) // returns when the request has come so far
	rest  string                                               // is sent after the revocation
}

func put(key string) string {
	return "PUT /gw/devices/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: " + key + "\r\nContent-Length: 12\r\n\r\n"
}

var stages = []stage{
	{"head half sent", func(_ *testing.T, _ *wired, c net.Conn, key string) { io.WriteString(c, put(key)[:60]) }, ""},
	{"head sent", func(_ *testing.T, _ *wired, c net.Conn, key string) { io.WriteString(c, put(key)) }, `{"name":"x"}`},
	{"body half sent", func(_ *testing.T, _ *wired, c net.Conn, key string) { io.WriteString(c, put(key)+`{"name"`) }, `:"x"}`},
	{"in the backend", func(_ *testing.T, _ *wired, c net.Conn, key string) {
		io.WriteString(c, request(key, "GET", "/gw/devices/1/settings/all", ""))
	}, ""},
	{"answer half streamed", func(t *testing.T, _ *wired, c net.Conn, key string) {
		io.WriteString(c, request(key, "GET", "/gw/devices/1/messages", ""))
		if _, err := io.ReadFull(c, make([]byte, 300)); err != nil {
			t.Error(err)
		}
	}, ""},
	{"upload half way", func(_ *testing.T, _ *wired, c net.Conn, key string) {
		io.WriteString(c, "POST /gw/devices/1/media HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: "+key+"\r\n"+formType+
			"\r\n"+halfWay+"\r\n\r\n"+strings.Repeat("x", 100000))
	}, strings.Repeat("x", 100000)},
	{"upload begun", func(_ *testing.T, _ *wired, c net.Conn, key string) {
		io.WriteString(c, "POST /gw/devices/1/media HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: "+key+"\r\n"+formType+
			"\r\nContent-Length: 1000\r\n\r\nxx")
	}, strings.Repeat("x", 998)},
}

// halfWay is in the head of an upload that has begun at the backend when its token is revoked. It is
// cut within policy.cut_after, and may come to its end before that.
const halfWay = "Content-Length: 200000"

// Two hundred callers are at every stage of a request when their tokens are revoked: nobody's
// request begins at the backend after that, and what was under way has ended soon after. Whoever was
// not revoked is served.
func TestRevocationUnderWay(t *testing.T) {
	t.Parallel()
	const callers = 200
	var revoked, late atomic.Bool
	stop := make(chan struct{})
	b := startWire(t, func(c net.Conn, r *wireRequest) {
		switch {
		case revoked.Load() && !strings.Contains(r.raw, "x-flespi-cid: 12") && !strings.Contains(r.raw, halfWay):
			late.Store(true)
		case strings.Contains(r.target(), "messages"):
			trickle(c, stop)
			return
		case strings.Contains(r.target(), "settings"):
			<-stop
		}
		io.WriteString(c, plain(`{"result":[]}`))
	})
	w := newWired(t, b, watchful, chunkedBodies)
	key := func(i int) string { return fmt.Sprintf("caller-number-%04d", i) }
	w.reload(func() {
		for i := range callers {
			w.token(key(i), "standard", 11, "")
		}
		w.token("survivor-of-all", "standard", 12, "")
	})
	conns := make([]net.Conn, callers)
	var work sync.WaitGroup
	for i := range callers {
		conns[i] = w.dial()
		work.Go(func() { stages[i%len(stages)].begin(t, w, conns[i], key(i)) })
	}
	work.Wait()
	time.Sleep(200 * time.Millisecond)
	w.reload(func() {
		for i := range callers {
			delete(w.tokens, digestOf(key(i)))
		}
	})
	revoked.Store(true)
	for i := range callers {
		s := &stages[i%len(stages)]
		work.Go(func() {
			if s.name == "upload half way" {
				time.Sleep(time.Second) // what is under way may end before it is cut
			}
			io.WriteString(conns[i], s.rest)
			if s.rest == "" && s.name == "head half sent" {
				io.WriteString(conns[i], put(key(i))[60:]+`{"name":"x"}`)
			}
		})
	}
	work.Wait()
	if got := w.call("survivor-of-all", "PUT", "/gw/devices/1", `{"name":"x"}`); got.status != 200 {
		t.Errorf("who was not revoked got %d %s", got.status, got.body)
	}
	close(stop)
	for i, c := range conns {
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		text, err := io.ReadAll(c)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("%s: goes on", stages[i%len(stages)].name)
		}
		name := stages[i%len(stages)].name
		began := name == "in the backend" || name == "upload half way"
		if strings.Contains(string(text), " 200 OK") && !began || strings.HasSuffix(string(text), "0\r\n\r\n") {
			t.Errorf("%s: got %.200q", stages[i%len(stages)].name, text)
		}
	}
	if late.Load() {
		t.Error("a request of a revoked token began at the backend")
	}
}
