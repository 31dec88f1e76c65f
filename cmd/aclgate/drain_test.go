package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancer is a balancer of connections, as simple as one can be: it asks both gateways' /readyz,
// gives each new connection to one that was ready when it was last asked, and never breaks one off.
type balancer struct {
	ln    net.Listener
	group sync.WaitGroup
	next  atomic.Int64

	mu    sync.Mutex
	ready []string // addresses
	open  map[net.Conn]bool
}

func newBalancer(t *testing.T, gates ...*child) *balancer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{ln: ln, open: map[net.Conn]bool{}}
	b.look(gates)
	quit := make(chan struct{})
	b.group.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(50 * time.Millisecond):
				b.look(gates)
			}
		}
	})
	b.group.Go(b.accept)
	t.Cleanup(func() {
		close(quit)
		ln.Close()
		b.mu.Lock()
		for c := range b.open {
			c.Close()
		}
		b.mu.Unlock()
		b.group.Wait()
	})
	return b
}

func (b *balancer) look(gates []*child) {
	var ready []string
	for _, g := range gates {
		if resp, err := http.Get(g.admin + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				ready = append(ready, strings.TrimPrefix(g.api, "http://"))
			}
		}
	}
	b.mu.Lock()
	b.ready = ready
	b.mu.Unlock()
}

func (b *balancer) accept() {
	for {
		c, err := b.ln.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.open[c] = true
		address := ""
		if n := len(b.ready); n > 0 {
			address = b.ready[int(b.next.Add(1))%n]
		}
		b.mu.Unlock()
		b.group.Go(func() { b.join(c, address) })
	}
}

// join passes bytes both ways until either side ends.
func (b *balancer) join(c net.Conn, address string) {
	defer func() {
		c.Close()
		b.mu.Lock()
		delete(b.open, c)
		b.mu.Unlock()
	}()
	s, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { io.Copy(s, c); s.(*net.TCPConn).CloseWrite() })
	io.Copy(c, s)
	c.Close()
	both.Wait()
	s.Close()
}

// keeper is a client that keeps its connection as long as it may.
func keeper(address string, quit *atomic.Bool, served, failed *atomic.Int64) {
	for !quit.Load() {
		c, err := net.Dial("tcp", address)
		if err != nil {
			failed.Add(1)
			return
		}
		in := bufio.NewReader(c)
		for goesOn := true; goesOn && !quit.Load(); {
			c.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(c, "GET /gw/channels/2025?fields=id HTTP/1.1\r\nHost: a\r\nAuthorization: "+validKey+"\r\n\r\n")
			resp, err := http.ReadResponse(in, nil)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
			}
			if err != nil || resp.StatusCode != 200 {
				failed.Add(1)
				break
			}
			served.Add(1)
			goesOn = !resp.Close
			time.Sleep(5 * time.Millisecond)
		}
		c.Close()
	}
}

// SIGTERM under load, behind a balancer that honours readiness: one of two gateways ends and comes
// back, again and again, and no request fails.
func TestTermFailsNothing(t *testing.T) {
	t.Parallel()
	rounds := 3
	if *long {
		rounds = 20
	}
	s := childOptions{siteOptions: siteOptions{settings: "shutdown: {delay: 1s}\n"}}
	gates := []*child{newChild(t, s), newChild(t, s)}
	b := newBalancer(t, gates...)
	var quit atomic.Bool
	var served, failed atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() { keeper(b.ln.Addr().String(), &quit, &served, &failed) })
	}
	for round := range rounds {
		g, before := gates[round%2], served.Load()
		if err := g.end(); err != nil {
			t.Fatalf("round %d: ended with %v: %s", round, err, g.stderr.String())
		}
		g.start(s)
		time.Sleep(150 * time.Millisecond) // the balancer sees it
		if n := failed.Load(); n != 0 || served.Load() == before {
			t.Fatalf("round %d: %d failed, %d served", round, n, served.Load()-before)
		}
	}
	quit.Store(true)
	clients.Wait()
	t.Logf("%d rounds, %d requests served, %d failed", rounds, served.Load(), failed.Load())
}

// A gateway that is killed under load leaves nothing behind that hinders the next one: policy and
// last uses are read, and tokens work.
func TestKillHarmsNothing(t *testing.T) {
	t.Parallel()
	rounds := 2
	if *long {
		rounds = 20
	}
	policy := "accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}, {id: 12, name: depot, parent: 1}]\ntokens:\n" +
		"  - {id: 1, key: stays-valid, cid: 1, ttl: 30d, created: 2026-01-01T00:00:00Z, expire: 4102444800, access: {type: standard}}\n"
	s := childOptions{siteOptions: siteOptions{policy: policy}}
	c := newChild(t, s)
	for round := range rounds {
		var quit atomic.Bool
		var served, failed atomic.Int64
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { keeper(strings.TrimPrefix(c.api, "http://"), &quit, &served, &failed) })
		}
		c.until("there is load", func() bool { return served.Load() > 50 })
		quit.Store(true)
		c.cmd.Process.Kill()
		c.wait()
		clients.Wait()
		if text, err := os.ReadFile(filepath.Join(c.folder, "policy.yaml")); err != nil || string(text) != policy {
			t.Fatalf("round %d: the policy is %q, %v", round, text, err)
		}
		c.start(s)
		if got := c.get(); got != 200 {
			t.Fatalf("round %d: got %d behind a kill", round, got)
		}
	}
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	uses, _ := filepath.Glob(filepath.Join(c.folder, "policy.yaml?*"))
	t.Logf("beside the policy: %v", uses)
	for _, path := range uses { // half a file, as no rename would leave it
		os.WriteFile(path, []byte("1 17"), 0o600)
	}
	c.start(s)
	if got := c.get(); got != 200 {
		t.Errorf("got %d with a broken file of last uses", got)
	}
}
