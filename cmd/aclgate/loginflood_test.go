package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"aclgate/bench/hist"
	"aclgate/bench/load"
	"aclgate/bench/oracle"
	"aclgate/bench/workload"
)

// floodVariable makes a run of the test binary a flood: it holds the address and the kind, one of
// floods.
const floodVariable = "ACLGATE_TEST_FLOOD"

// floods are what is asked a thousand times a second: the i-th request.
var floods = map[string]func(i int) string{
	"one address":    func(int) string { return floodLogin(0, "198.51.100.7") },
	"many addresses": func(i int) string { return floodLogin(i, fmt.Sprintf("198.51.%d.%d", i/250%250, i%250)) },
	// What as many requests cost that are refused without a look at a password.
	"nonsense tokens": func(i int) string {
		return fmt.Sprintf("GET /gw/devices/1 HTTP/1.1\r\nHost: flood\r\nAuthorization: FlespiToken nonsense-%d\r\n\r\n", i)
	},
}

func floodLogin(i int, address string) string {
	body := fmt.Sprintf(`{"username":"nobody-%d","password":"nonsense"}`, i)
	return fmt.Sprintf("POST /realm/acme/login HTTP/1.1\r\nHost: flood\r\nX-Forwarded-For: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		address, len(body), body)
}

// A flood of nonsense logins, a thousand a second, lets nobody in, and whoever has a token is served
// all the while (SPEC 10.6). The times beside each kind of flood are measured in turn, and not judged:
// -long -v shows them.
func TestLoginFlood(t *testing.T) {
	t.Parallel()
	rounds, length := 1, time.Second/2
	if *long {
		rounds, length = 20, 2*time.Second
	}
	c := newChild(t, childOptions{siteOptions: siteOptions{
		settings: "scope: {mode: ids}\nlog: {level: error}\n", policy: fmt.Sprintf(realmPolicy, realmHash(t), ""),
		listen: `, trusted_proxies: ["127.0.0.1/32"]`, backend: realmBackend(t),
	}})
	address := strings.TrimPrefix(c.api, "http://")
	times, answers := map[string]*hist.Histogram{}, map[string]map[int]int{}
	kinds := append([]string{"quiet"}, slices.Sorted(maps.Keys(floods))...)
	for _, kind := range kinds {
		times[kind], answers[kind] = new(hist.Histogram), map[int]int{}
	}
	for round := range rounds {
		for i := range kinds {
			kind := kinds[(round+i)%len(kinds)]
			end := func() map[int]int { return nil }
			if kind != "quiet" {
				end = beginFlood(t, address, kind)
			}
			times[kind].Add(readSteadily(t, address, length))
			for status, n := range end() {
				answers[kind][status] += n
			}
			if *long {
				c.rest() // passwords of this flood are checked still
			}
		}
	}
	quiet := times["quiet"]
	for _, kind := range kinds {
		h := times[kind]
		t.Logf("%-15s reads: p99 %v (%.2f), median %v; nonsense %v", kind, h.Quantile(0.99), float64(h.Quantile(0.99))/float64(quiet.Quantile(0.99)), h.Quantile(0.5), answers[kind])
		for status, n := range answers[kind] {
			if status != 401 && (status != 429 && status != 503 || kind == "nonsense tokens") {
				t.Errorf("%s: %d requests got %d", kind, n, status)
			}
		}
		if len(answers[kind]) == 0 && kind != "quiet" {
			t.Errorf("%s: none was answered", kind)
		}
	}
}

// rest waits until the process does hardly anything, half a minute at most.
func (c *child) rest() {
	const look = 500 * time.Millisecond
	before := c.metric("process_cpu_seconds_total")
	for range 60 {
		time.Sleep(look)
		now := c.metric("process_cpu_seconds_total")
		if now-before < look.Seconds()/25 {
			return
		}
		before = now
	}
}

// readSteadily asks for an item, 500 times a second, and returns how long each took from when it was
// due. On a machine so busy that none is answered in time it takes longer.
func readSteadily(t *testing.T, address string, length time.Duration) *hist.Histogram {
	t.Helper()
	lane := &load.Lane{Name: "reads", Addr: netip.MustParseAddrPort(address), Calls: []workload.Call{{
		Bytes: []byte("GET /gw/devices/1 HTTP/1.1\r\nHost: reads\r\nAuthorization: FlespiToken owners-root-key\r\n\r\n"),
	}}}
	if err := load.Run(t.Context(), []*load.Lane{lane}, load.Options{Conns: 16, Rate: 500, Warmup: length / 4, Slice: length, Slices: 1}); err != nil {
		t.Fatal(err)
	}
	if lane.Counts.Requests == 0 && length < time.Minute {
		return readSteadily(t, address, 4*length)
	}
	if lane.Counts.Faults > 0 || lane.Corrected.Count() == 0 {
		t.Fatalf("%d of %d reads failed: %s", lane.Counts.Faults, lane.Counts.Requests, lane.Bad)
	}
	return &lane.Corrected
}

// beginFlood begins a flood in a process of its own, with low priority: in earnest it is made elsewhere,
// and what it takes to make must not be held against the gateway. It returns when an answer has come. end
// ends it and returns how many requests were answered with which status.
func beginFlood(t *testing.T, address, kind string) (end func() map[int]int) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nice", "-n", "19", binary)
	cmd.Env, cmd.Stderr = append(os.Environ(), floodVariable+"="+address+" "+kind), os.Stderr
	quit, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := json.NewDecoder(said)
	next := func() (outcomes map[int]int) {
		if err := lines.Decode(&outcomes); err != nil {
			t.Fatal(err)
		}
		return outcomes
	}
	next()
	return func() map[int]int {
		quit.Close()
		outcomes := next()
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		return outcomes
	}
}

// serveFlood is the process of beginFlood: it floods until its standard input ends, and prints the
// answers by status, after the first and at the end.
func serveFlood(config string) {
	address, kind, _ := strings.Cut(config, " ")
	outcomes := map[int]int{}
	say := func() {
		if err := json.NewEncoder(os.Stdout).Encode(outcomes); err != nil {
			os.Exit(1)
		}
	}
	lane := &load.Lane{Name: "flood", Addr: netip.MustParseAddrPort(address), Afresh: true, Judge: func(a *load.Answer) oracle.Finding {
		if outcomes[a.Status]++; len(outcomes) == 1 && outcomes[a.Status] == 1 {
			say()
		}
		return oracle.OK
	}}
	for i := range 20_000 {
		lane.Calls = append(lane.Calls, workload.Call{Bytes: []byte(floods[kind](i))})
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	// Wrong passwords are answered after half a second: that many are under way.
	err := load.Run(ctx, []*load.Lane{lane}, load.Options{Conns: 900, Rate: 1000, Slice: time.Hour, Slices: 1})
	if ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	say()
}
