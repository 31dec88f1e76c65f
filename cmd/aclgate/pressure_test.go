package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// Past its descriptors the gateway does not end, and serves again as soon as some are free. Stock
// fasthttp ends on the first failed accept.
func TestDescriptorsRunOut(t *testing.T) {
	c := newChild(t, childOptions{prefix: "ulimit -n 64"})
	before := c.descriptors()
	var held []net.Conn
	for range 200 {
		held = append(held, c.dial("GET "))
	}
	c.until("all descriptors are in use", func() bool { return c.descriptors() >= 63 })
	for _, conn := range held {
		conn.Close()
	}
	c.until("a request is served again", func() bool { return c.get() == 200 })
	c.until("descriptors are back at the base line", func() bool { return c.descriptors() <= before+4 })
	if err := c.end(); err != nil {
		t.Errorf("the child ended with %v: %s", err, c.stderr.String())
	}
}

// Near GOMEMLIMIT requests are refused at once, the admin listener answers, and when the memory is
// free requests are served again without a restart.
func TestMemoryRunsOut(t *testing.T) {
	c := newChild(t, childOptions{
		siteOptions: siteOptions{settings: "cache: {max_bytes: 1MiB}\n"}, env: []string{"GOMEMLIMIT=48MiB"},
	})
	if got := c.get(); got != 200 {
		t.Fatalf("got %d before", got)
	}
	// Heads that never end, each as long as one may be: who sends them has no token to be counted
	// by.
	head := "GET /gw/channels/2025 HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a: "+strings.Repeat("x", 8000)+"\r\n", 7)
	var held []net.Conn
	for c.metric("aclgate_overloaded") != 1 {
		if len(held) > 1500 {
			t.Fatalf("never overloaded; live heap %v", c.metric("go_memstats_heap_alloc_bytes"))
		}
		for range 20 {
			held = append(held, c.dial(head))
		}
	}
	if got := c.get(); got != 503 {
		t.Errorf("got %d while memory is short, want 503", got)
	}
	if status, _ := call(t, "", "GET", c.admin+"/healthz", ""); status != 200 {
		t.Errorf("the admin listener answers %d", status)
	}
	for _, conn := range held {
		conn.Close()
	}
	c.until("requests are served again", func() bool { return c.get() == 200 })
	if got := c.metric("aclgate_overloaded"); got != 0 {
		t.Errorf("got aclgate_overloaded %v", got)
	}
	if !strings.Contains(c.stderr.String(), "memory is near GOMEMLIMIT") {
		t.Errorf("the log does not say so: %s", c.stderr.String())
	}
}

// Past listen.max_connections a connection gets 503 at once; the admin listener goes on, and so do
// the connections that are there.
func TestConnectionsRunOut(t *testing.T) {
	c := newChild(t, childOptions{siteOptions: siteOptions{listen: ", max_connections: 20"}})
	var held []net.Conn
	for range 20 {
		held = append(held, c.dial("GET "))
	}
	c.until("all are taken", func() bool { return c.metric("aclgate_connections_open") == 20 })
	if got := c.get(); got != 503 {
		t.Errorf("got %d for one too many, want 503", got)
	}
	fmt.Fprintf(held[0], "/gw/channels/2025 HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n", validKey)
	text := make([]byte, 12)
	if _, err := held[0].Read(text); err != nil || string(text) != "HTTP/1.1 200" {
		t.Errorf("got %q, %v on a connection that was there", text, err)
	}
	held[1].Close()
	c.until("a new one is taken", func() bool { return c.get() == 200 })
}

// One address takes so many connections and no more; others are served beside it, and so is it, as
// soon as it lets one go.
func TestConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	c := newChild(t, childOptions{siteOptions: siteOptions{listen: ", max_connections_per_ip: 5"}})
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	from, err := other.Dial("tcp", strings.TrimPrefix(c.api, "http://"))
	if err != nil {
		t.Skipf("this machine has one loopback address only: %v", err)
	}
	defer from.Close()
	var held []net.Conn
	for range 5 {
		held = append(held, c.dial("GET "))
	}
	c.until("all are taken", func() bool { return c.metric("aclgate_connections_open") == 6 })
	if got := c.get(); got != 503 {
		t.Errorf("got %d for one too many, want 503", got)
	}
	fmt.Fprintf(from, "GET /gw/channels/2025 HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n", validKey)
	text := make([]byte, 12)
	if _, err := io.ReadFull(from, text); err != nil || string(text) != "HTTP/1.1 200" {
		t.Errorf("got %q, %v from another address", text, err)
	}
	held[0].Close()
	c.until("a new one is taken", func() bool { return c.get() == 200 })
	if got := c.metric(`aclgate_connections_refused_total{bound="per_ip"}`); got < 1 {
		t.Errorf("got %v refused connections counted", got)
	}
}
