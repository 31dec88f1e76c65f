package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"aclgate/bench/backend"
)

const soakPolicy = `accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}, {id: 12, name: depot, parent: 1}]
tokens:
  - {id: 1, key: stays-valid, cid: 1, expire: 4102444800, access: {type: standard}}
  - {id: 2, key: two-channels, cid: 1, expire: 4102444800, access: {type: acl, acl: [{uri: gw/channels, methods: [GET, PUT], ids: [2025, 2026]}]}}
`

// soakAsked is what the limited token asks for in a soak, and soakAllowed all that may come of it
// at the backend.
var (
	soakAsked = [][3]string{
		{"GET", "/gw/channels/2025?fields=id", ""}, {"GET", "/gw/channels/all", ""}, {"GET", "/gw/channels/2024", ""},
		{"GET", "/gw/channels/2024,2025", ""}, {"PUT", "/gw/channels/2026", `{"name":"x"}`}, {"PUT", "/gw/channels/all", `{"name":"y"}`},
		{"DELETE", "/gw/channels/2025", ""}, {"GET", "/gw/channels/name=*", ""}, {"GET", "/platform/tokens/all", ""},
		{"GET", "/gw/channels/2025/../2024", ""},
	}
	soakAllowed = []string{
		"GET /gw/channels/2025?fields=id", "GET /gw/channels/2025,2026", "GET /gw/channels/2025", "PUT /gw/channels/2026", "PUT /gw/channels/2025,2026",
	}
)

// soakFaults are what goes wrong in a soak, one after the other.
var soakFaults = []*backend.Canned{
	nil, {Raw: []byte("SSH-2.0\r\n")}, nil, {Status: 500, Body: []byte("{}")}, {Delay: 30 * time.Millisecond}, nil,
	{Raw: []byte("HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{")}, {Status: 401, Body: []byte("{}")}, nil,
	{Raw: []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")}, {Status: 302}, {Cut: 3},
}

// A soak at a low rate with faults switched on and off, on one core: nothing is forwarded that is
// not allowed, and memory, goroutines and descriptors stay where they were. -soak 1h is the full
// one.
func TestSoak(t *testing.T) {
	t.Parallel()
	c := newChild(t, childOptions{env: []string{"GOMAXPROCS=1"}, siteOptions: siteOptions{
		policy: soakPolicy, settings: "log: {level: error}\n",
		backend: backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey, Record: 1 << 16}),
	}})
	var quit atomic.Bool
	var sent atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() { c.soakClient(&quit, &sent) })
	}
	part := *soak / 4
	ended := time.Now().Add(part)
	seen := map[string]int{}
	for i := 0; time.Now().Before(ended); i++ { // until memory is what it will be
		c.soakStep(i, seen)
	}
	rss, fds, goroutines, goal := c.rss(), c.descriptors(), c.metric("go_goroutines"), c.metric("go_memstats_next_gc_bytes")
	ended = time.Now().Add(3 * part)
	for i := 0; time.Now().Before(ended); i++ {
		c.soakStep(i, seen)
		if status, text := call(t, "", "GET", c.admin+"/readyz", ""); status != 200 {
			t.Fatalf("the admin listener answers %d %s", status, text)
		}
	}
	quit.Store(true)
	clients.Wait()
	c.backend.SetFault(nil)
	if got := c.get(); got != 200 {
		t.Errorf("got %d behind the soak", got)
	}
	c.until("descriptors and goroutines are back", func() bool {
		return c.descriptors() <= fds && c.metric("go_goroutines") <= goroutines+4
	})
	rssAfter, fdsAfter, goroutinesAfter := c.rss(), c.descriptors(), c.metric("go_goroutines")
	t.Logf("%s: %d requests; memory %d → %d KiB, descriptors %d → %d, goroutines %v → %v; forwarded %v",
		*soak, sent.Load(), rss, rssAfter, fds, fdsAfter, goroutines, goroutinesAfter, seen)
	// The goal of the collector is twice what lives: it tells a leak from garbage, which fills the
	// heap up to the goal and no further. A short run has not yet filled its pools and its ring by
	// the first look, and how far it got depends on the machine: only a long one tells growth.
	if after := c.metric("go_memstats_next_gc_bytes"); *soak >= 30*time.Second && (after > goal*1.3+16<<20 || rssAfter > rss+24<<10) {
		t.Errorf("memory grows: %d → %d KiB, the collector's goal %v → %v", rss, rssAfter, goal, after)
	}
	for line := range seen {
		if !slices.Contains(soakAllowed, line) {
			t.Errorf("forwarded %q, which nobody may ask for", line)
		}
	}
}

// soakStep sets the next fault and looks at what was forwarded under it.
func (c *child) soakStep(i int, seen map[string]int) {
	canned := soakFaults[i%len(soakFaults)]
	c.backend.SetFault(func(*backend.Request) *backend.Canned { return canned })
	time.Sleep(50 * time.Millisecond)
	for _, r := range c.backend.Take() {
		// The look-up of a match is the gateway's own, under its own scope.
		if !strings.Contains(r.Target, "name") && !strings.Contains(r.Target, "fields=id%2Ccid") {
			seen[r.Method+" "+r.Target]++
		}
	}
}

// soakClient asks at random, and goes away now and then before it is answered.
func (c *child) soakClient(quit *atomic.Bool, sent *atomic.Int64) {
	client := http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	for !quit.Load() {
		a := soakAsked[rand.IntN(len(soakAsked))]
		client.Timeout = 2 * time.Second
		if rand.IntN(20) == 0 {
			client.Timeout = time.Millisecond
		}
		req, _ := http.NewRequest(a[0], c.api+a[1], strings.NewReader(a[2]))
		req.Header.Set("Authorization", "FlespiToken two-channels")
		if resp, err := client.Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		sent.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

// A process that was stopped for a while serves on: what it waited for has gone meanwhile, and
// nothing else is cut.
func TestStoppedForAWhile(t *testing.T) {
	t.Parallel()
	c := newChild(t, childOptions{siteOptions: siteOptions{listen: ", timeouts: {read: 1s, idle: 1s}"}})
	conn := c.dial("GET ")
	c.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(1500 * time.Millisecond)
	c.cmd.Process.Signal(syscall.SIGCONT)
	if got := c.get(); got != 200 {
		t.Errorf("got %d behind the stop", got)
	}
	fmt.Fprint(conn, "x")
	text, _ := io.ReadAll(conn)
	if len(text) > 0 && !strings.HasPrefix(string(text), "HTTP/1.1 4") {
		t.Errorf("got %q on a head that took too long", text)
	}
}
