package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"
)

// maxIdleKiB is what an idle connection may take; about five is the aim.
const maxIdleKiB = 10

// Idle keep-alive connections, each behind one served request, cost little memory, and others are
// served beside them.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	// A process grows by megabytes at a time: what that is for each of a thousand connections is no
	// figure, only a guard.
	count, limit := 1000, 2*maxIdleKiB
	if *long {
		count, limit = 10000, maxIdleKiB
	}
	if runtime.GOOS != "linux" || underRace {
		t.Skip("memory is read from /proc, and the race detector multiplies it")
	}
	c := newChild(t, childOptions{siteOptions: siteOptions{settings: "log: {level: error}\n"}})
	request := fmt.Sprintf("GET /gw/channels/2025?fields=id HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n", validKey)
	open := func(n int) {
		for range n {
			conn := c.dial(request)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("got %v, %v", resp, err)
			}
			io.Copy(io.Discard, resp.Body)
		}
	}
	open(200) // what the first requests cost once
	c.latency(200)
	before, alone := c.rss(), c.latency(300)
	open(count)
	beside := c.latency(300)
	time.Sleep(time.Second)
	after := c.rss()
	each := float64(after-before) / float64(count)
	t.Logf("%d idle connections: %.1f KiB each (%d → %d KiB); p99 of others %s alone, %s beside them", count, each, before, after, alone, beside)
	if each > float64(limit) {
		t.Errorf("got %.1f KiB for each idle connection, want at most %d", each, limit)
	}
}

// latency sends n requests over one connection and returns the time in which 99 of 100 were
// answered.
func (c *child) latency(n int) time.Duration {
	conn := c.dial("")
	defer conn.Close()
	in := bufio.NewReader(conn)
	all := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		fmt.Fprintf(conn, "GET /gw/channels/2025?fields=id HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n", validKey)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 {
			c.t.Fatalf("got %v, %v", resp, err)
		}
		io.Copy(io.Discard, resp.Body)
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[n*99/100]
}
