package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/proxy/head"
)

const pieceSize = 256 << 10

// giant is an answer of many pieces, as one JSON object: by its length or in chunks.
func giant(pieceCount int, asChunks bool) func(net.Conn, *wireRequest) {
	piece := []byte(strings.Repeat(`{"a":"0123456789"},`, pieceSize/19) + strings.Repeat(" ", pieceSize%19))
	return func(c net.Conn, _ *wireRequest) {
		head := fmt.Sprintf("Content-Length: %d", pieceSize*pieceCount+14)
		if asChunks {
			head = "Transfer-Encoding: chunked"
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+head+"\r\n\r\n")
		write := func(p []byte) error {
			if asChunks {
				fmt.Fprintf(c, "%x\r\n", len(p))
				p = append(p[:len(p):len(p)], '\r', '\n')
			}
			_, err := c.Write(p)
			return err
		}
		write([]byte(`{"result":[`))
		for range pieceCount {
			if write(piece) != nil {
				return
			}
		}
		write([]byte(`1]}`))
		if asChunks {
			io.WriteString(c, "0\r\n\r\n")
		}
	}
}

// heapGrowth runs f and returns by how many bytes the heap in use grew at most while it ran.
func heapGrowth(f func()) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapInuse, uint64(0)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for ticker := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-done:
				ticker.Stop()
				return
			case <-ticker.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return most - min(most, before)
}

// An answer of any length passes in little memory, with errors merged into it or not.
func TestGiantAnswers(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("moves much")
	}
	pieces := 1024
	if *longRun {
		pieces = 4096
	}
	for _, row := range []struct {
		name, target string
		chunks       bool
		pieces       int
		extra        int
	}{
		{"by length", "/gw/devices/1/messages", false, pieces, 0}, // 1 GiB with -long
		{"in chunks", "/gw/devices/1/messages", true, 512, 0},
		{"by length, merged", "/gw/devices/1,3/messages", false, 512, len(`,"errors":[` + deniedThree + `]`)},
	} {
		w := newWired(t, startWire(t, giant(row.pieces, row.chunks)))
		var n int64
		grown := heapGrowth(func() {
			c := w.dial()
			io.WriteString(c, request(readerKey, "GET", row.target, ""))
			c.SetDeadline(time.Now().Add(time.Minute))
			resp, err := http.ReadResponse(bufio.NewReaderSize(c, pieceSize), nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, pieceSize)); err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			c.Close()
		})
		if want := int64(pieceSize*row.pieces + 14 + row.extra); n != want {
			t.Errorf("%s: got %d bytes, want %d", row.name, n, want)
		}
		if grown > 64<<20 {
			t.Errorf("%s: the heap grew by %d MiB", row.name, grown>>20)
		}
	}
}

// What the backend has sent the client has, while the backend is still at work.
func TestFirstBytesAtOnce(t *testing.T) {
	first := `{"result":["` + strings.Repeat("x", 1024)
	for _, row := range []struct {
		name, target, framing, piece, end string
	}{
		{"by length", "/gw/devices/1", "Content-Length: 500000", first, `"],"a":"` + strings.Repeat("y", 500000-len(first)-10) + `"}`},
		{"in chunks", "/gw/devices/1", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", len(first), first), "3\r\n\"]}\r\n0\r\n\r\n"},
		{"merged, by length", "/gw/devices/1,3", "Content-Length: 500000", first, `"],"a":"` + strings.Repeat("y", 500000-len(first)-10) + `"}`},
		{"merged, in chunks", "/gw/devices/1,3", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n", len(first), first), "3\r\n\"]}\r\n0\r\n\r\n"},
	} {
		seen := make(chan struct{})
		w := newWired(t, startWire(t, func(c net.Conn, _ *wireRequest) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+row.framing+"\r\n\r\n"+row.piece)
			<-seen
			io.WriteString(c, row.end)
		}))
		for _, version := range []string{"1.1", "1.0"} {
			c := w.dial()
			io.WriteString(c, strings.Replace(request(readerKey, "GET", row.target, ""), "HTTP/1.1", "HTTP/"+version, 1))
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s, HTTP/%s: %v", row.name, version, err)
			}
			got := make([]byte, len(first))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != first {
				t.Errorf("%s, HTTP/%s: got %.40q, %v before the backend went on", row.name, version, got, err)
			}
			seen <- struct{}{}
			if rest, err := io.ReadAll(resp.Body); err != nil || !bytes.HasSuffix(rest, []byte("}")) {
				t.Errorf("%s, HTTP/%s: the rest ends in %q, %v", row.name, version, tail(string(rest)), err)
			}
			c.Close()
		}
	}
}

// When the client goes away in the middle of an answer, or while the backend is
// still thinking about a read, the backend's connection ends.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 8)
	endless := startWire(t, func(c net.Conn, r *wireRequest) {
		arrived <- struct{}{}
		if r.target() == "/gw/devices/2" {
			io.Copy(io.Discard, c) // never answers
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			if _, err := io.WriteString(c, "400\r\n"+strings.Repeat("x", 1024)+"\r\n"); err != nil {
				return
			}
		}
	})
	w := newWired(t, endless)
	for _, target := range []string{"/gw/devices/1", "/gw/devices/2"} {
		c := w.dial()
		io.WriteString(c, request(readerKey, "GET", target, ""))
		<-arrived
		if target == "/gw/devices/1" {
			io.ReadFull(c, make([]byte, 4096))
		}
		c.Close()
		select {
		case <-endless.ended:
		case <-time.After(8 * time.Second):
			t.Errorf("%s: the backend's connection stays", target)
		}
	}
}

// A request of a client that went away leaves nothing behind for the next one,
// which is served by the same pooled call.
func TestCanceledCallIsClean(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 8)
	w := newWired(t, startWire(t, func(c net.Conn, r *wireRequest) {
		arrived <- struct{}{}
		if r.target() == "/gw/devices/2" {
			io.Copy(io.Discard, c)
			return
		}
		io.WriteString(c, plain("{}"))
	}))
	c := w.dial()
	io.WriteString(c, request(readerKey, "GET", "/gw/devices/2", ""))
	<-arrived
	c.Close()
	<-w.backend.ended
	for range 16 {
		if got := w.call(readerKey, "GET", "/gw/devices/1", ""); got.status != 200 {
			t.Fatalf("got %d %s behind a request whose client went away", got.status, got.body)
		}
		<-arrived
	}
}

// An upload streams: 100 MB pass in little memory and arrive as they were sent.
func TestUploadStreams(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("moves much")
	}
	const size = 100 << 20
	var sum atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		n, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 64<<10))
		sum.Store(n)
		if r.ContentLength != size || r.Header.Get("Content-Type") != "multipart/form-data; boundary=x" {
			out.WriteHeader(400)
		}
		io.WriteString(out, "{}")
	}))
	t.Cleanup(sink.Close)
	f := newFixture(t, sink.URL, func(o *Options, _ *policy.Engine, _ *head.Config) { o.MaxBody = 1 << 20 })
	f.accounts([2]int64{11, 0})
	f.token(allKey, "standard", 11, "")
	grown := heapGrowth(func() {
		c := f.dial()
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		go func() {
			io.WriteString(c, "POST /gw/devices/1/media HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: "+allKey+
				"\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: "+itoa(size)+"\r\n\r\n")
			for piece := make([]byte, 1<<20); sent(c, piece); {
			}
		}()
		if got := f.read(bufio.NewReader(c), "POST"); got.status != 200 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
	if sum.Load() != size {
		t.Errorf("got %d bytes at the backend, want %d", sum.Load(), size)
	}
	if grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// sent reports whether a piece could be written.
func sent(c net.Conn, piece []byte) bool {
	_, err := c.Write(piece)
	return err == nil
}
