package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A flood of nonsense logins, a thousand a second, lets nobody in, and whoever has a token is served
// all the while (SPEC 10.6). The times beside it are measured and not judged: -long -v shows them.
func TestLoginFlood(t *testing.T) {
	t.Parallel()
	rounds, length := 1, time.Second/2
	if *long {
		rounds, length = 8, 5*time.Second
	}
	for _, row := range []struct {
		name    string
		address func(i int) string
	}{
		{"one address", func(int) string { return "198.51.100.7" }},
		{"many addresses", func(i int) string { return fmt.Sprintf("198.51.%d.%d", i/250%250, i%250) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			if !*long { // where times are shown, one flood does not disturb the other
				t.Parallel()
			}
			c := newChild(t, childOptions{siteOptions: siteOptions{
				settings: "scope: {mode: ids}\nlog: {level: error}\n", policy: fmt.Sprintf(realmPolicy, realmHash(t), ""),
				listen: `, trusted_proxies: ["127.0.0.1/32"]`, backend: realmBackend(t),
			}})
			f := &loginFlood{child: c, address: row.address, outcomes: map[int]int{}}
			var quiet, beside []time.Duration
			for range rounds {
				quiet = append(quiet, f.read(t, length)...)
				end := f.begin()
				beside = append(beside, f.read(t, length)...)
				end()
			}
			for status, n := range f.outcomes {
				if status != 401 && status != 429 && status != 503 {
					t.Errorf("%d nonsense logins got %d", n, status)
				}
			}
			if f.outcomes[429]+f.outcomes[503]+f.outcomes[401] == 0 {
				t.Error("no login was answered")
			}
			before, after := quantile(quiet, 0.99), quantile(beside, 0.99)
			t.Logf("logins %v; reads: p99 %v in quiet, %v beside them (%.2f); medians %v, %v", f.outcomes, before, after,
				float64(after)/float64(before), quantile(quiet, 0.5), quantile(beside, 0.5))
		})
	}
}

func quantile(all []time.Duration, q float64) time.Duration {
	slices.Sort(all)
	return all[int(q*float64(len(all)-1))]
}

// loginFlood asks a gateway beside a flood of logins.
type loginFlood struct {
	*child
	address  func(i int) string
	sent     atomic.Int64
	mu       sync.Mutex
	outcomes map[int]int // logins by status
}

// read asks for an item, 250 times a second, and returns how long each took from when it was due.
func (f *loginFlood) read(t *testing.T, length time.Duration) (took []time.Duration) {
	t.Helper()
	const every = 4 * time.Millisecond
	begin := time.Now()
	for due := begin; due.Sub(begin) < length; due = due.Add(every) {
		time.Sleep(time.Until(due))
		if status, text := call(t, "owners-root-key", "GET", f.api+"/gw/devices/1", ""); status != 200 {
			t.Fatalf("got %d %s beside the flood", status, text)
		}
		took = append(took, time.Since(due))
	}
	return took
}

// begin begins the flood, a thousand a second whether or not those before were answered, and returns
// what ends it.
func (f *loginFlood) begin() (end func()) {
	quit := make(chan struct{})
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var clients sync.WaitGroup
	clients.Go(func() {
		tick := time.NewTicker(4 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				for range 4 {
					clients.Go(func() { f.try(client) })
				}
			}
		}
	})
	return func() {
		close(quit)
		clients.Wait()
		client.CloseIdleConnections()
	}
}

func (f *loginFlood) try(client *http.Client) {
	i := int(f.sent.Add(1))
	body := fmt.Sprintf(`{"username":"nobody-%d","password":"nonsense"}`, i)
	req, err := http.NewRequest("POST", f.api+"/realm/acme/login", strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("X-Forwarded-For", f.address(i))
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	resp.Body.Close()
	f.mu.Lock()
	f.outcomes[resp.StatusCode]++
	f.mu.Unlock()
}
