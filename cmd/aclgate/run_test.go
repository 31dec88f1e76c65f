package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// safeBuffer is a buffer that the program writes while the test reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// handedOut are the addresses that tests of this process were given: a port that was closed again may
// come a second time.
var handedOut sync.Map

// freeAddr returns an address on which nobody listens, another one each time. Its port is below those
// that systems give to whoever names none (from 32768 on): connections of other tests do not take it
// before its test does.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 10_000 {
		address := "127.0.0.1:" + strconv.Itoa(10_000+rand.IntN(22_000))
		if _, taken := handedOut.LoadOrStore(address, true); taken {
			continue
		}
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// program is the whole program, running in the test's process.
type program struct {
	tb             testing.TB
	stdout, stderr safeBuffer
	stop           context.CancelFunc
	done           chan int
}

// start runs the program with args until the test ends.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &program{tb: t, stop: stop, done: make(chan int, 1)}
	go func() { p.done <- run(ctx, args, &p.stdout, &p.stderr) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections() // a gateway that ends gives an idle one a moment
		p.end()
	})
	return p
}

// end stops the program and returns its exit code.
func (p *program) end() int {
	p.stop()
	select {
	case code := <-p.done:
		p.done <- code
		return code
	case <-time.After(20 * time.Second):
		p.tb.Fatalf("the program does not end; it wrote %s", p.stderr.String())
		return -1
	}
}

// await waits until the url answers with the status.
func (p *program) await(url string, status int) {
	p.tb.Helper()
	for range 200 {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == status {
				return
			}
		}
		select {
		case code := <-p.done:
			p.done <- code
			p.tb.Fatalf("the program ended with %d: %s", code, p.stderr.String())
		case <-time.After(25 * time.Millisecond):
		}
	}
	p.tb.Fatalf("%s never answers %d: %s", url, status, p.stderr.String())
}

// once runs the program to its end.
func once(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// write puts files into a fresh folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// call sends one request and returns status and body.
func call(t *testing.T, key, method, url, body string) (int, string) {
	t.Helper()
	resp, text := exchangeOf(t, key, method, url, body)
	return resp.StatusCode, text
}
