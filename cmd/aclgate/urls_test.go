package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/bench/backend"
)

// serveBackend is a backend as a process of its own, which can be killed.
func serveBackend(address string) {
	if _, err := backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey}).Start(address); err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	select {}
}

// startBackend starts one and waits until it listens. kill ends it as SIGKILL does: with all that
// is under way.
func startBackend(t *testing.T, address string) (kill func()) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), backendVariable+"="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(kill)
	for range 400 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return kill
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("no backend at %s", address)
	return nil
}

// crowd is clients that read and write without a pause, and what they got.
type crowd struct {
	reads, writes, failedReads, failedWrites atomic.Int64
	failedLater                              atomic.Int64 // of the requests sent after later was set
	later, quit                              atomic.Bool
	clients                                  sync.WaitGroup
}

func (w *crowd) start(c *child, n int) {
	for range n {
		w.clients.Go(func() { w.work(c, "GET", "", &w.reads, &w.failedReads) })
		w.clients.Go(func() { w.work(c, "PUT", `{"name":"x"}`, &w.writes, &w.failedWrites) })
	}
}

func (w *crowd) work(c *child, method, body string, good, bad *atomic.Int64) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ; !w.quit.Load(); time.Sleep(3 * time.Millisecond) {
		// What counts is when a request was sent: one that was under way may fail at any time
		// after.
		failed := bad
		if w.later.Load() {
			failed = &w.failedLater
		}
		req, _ := http.NewRequest(method, c.api+"/gw/channels/2025", strings.NewReader(body))
		if body == "" {
			req.Body, req.ContentLength = nil, 0
		}
		req.Header.Set("Authorization", "FlespiToken "+validKey)
		resp, err := client.Do(req)
		if err != nil {
			failed.Add(1)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == 200 {
			good.Add(1)
		} else {
			failed.Add(1)
		}
	}
}

// end stops the clients and waits for them.
func (w *crowd) end() { w.quit.Store(true); w.clients.Wait() }

// One of three backends is killed under load, comes back, and then the gateway itself is killed.
// Lost is at most what was under way at the moment: a write of which nobody knows whether it
// arrived is not sent again, and a read is. Nothing fails while the dead one is left out, and it is
// asked again when it is back.
func TestKilledBackend(t *testing.T) {
	t.Parallel()
	const clients = 4
	addresses := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	var kill func()
	for _, address := range addresses {
		kill = startBackend(t, address)
	}
	dead := addresses[2]
	s := childOptions{siteOptions: siteOptions{upstream: fmt.Sprintf(`urls: ["http://%s", "http://%s", "http://%s"], eject: {failures: 3, for: 1s}, probe: /`,
		addresses[0], addresses[1], dead)}}
	c := newChild(t, s)
	metric := func(name string) float64 {
		return c.metric(fmt.Sprintf(`aclgate_upstream_%s{upstream="%s"}`, name, dead))
	}
	var load crowd
	load.start(c, clients)
	defer load.end()
	c.until("every backend has work", func() bool { return metric("requests_total") > 50 })

	kill()
	c.until("the dead one is left out", func() bool { return metric("ejected") == 1 })
	load.later.Store(true)
	reads := load.reads.Load()
	time.Sleep(3 * time.Second) // its time ends more than once, and the check fails meanwhile
	if r, w := load.failedReads.Load(), load.failedWrites.Load(); r > clients || w > clients {
		t.Errorf("%d reads and %d writes failed, want %d of each at most", r, w, clients)
	}
	if n := load.failedLater.Load(); n != 0 || load.reads.Load() == reads {
		t.Errorf("%d failed while it was left out, %d reads worked", n, load.reads.Load()-reads)
	}

	startBackend(t, dead)
	c.until("it is let in again", func() bool { return metric("ejected") == 0 })
	before := metric("requests_total")
	c.until("it has work again", func() bool { return metric("requests_total") > before+50 && metric("ejected") == 0 })
	if n := load.failedLater.Load(); n != 0 {
		t.Errorf("%d failed on its return", n)
	}
	t.Logf("%d reads, %d writes, %d and %d failed", load.reads.Load(), load.writes.Load(), load.failedReads.Load(), load.failedWrites.Load())

	c.cmd.Process.Kill()
	c.wait()
	load.end()
	c.start(s)
	for range 10 {
		if got := c.get(); got != 200 {
			t.Errorf("got %d behind the gateway's own end", got)
		}
	}
}
