package isolation

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// large starts a backend of so many devices and a gateway before it, and returns how long the
// gateway took to be ready.
func large(t *testing.T, devices int, refresh time.Duration) (*Gateway, *SyntheticBackend, map[int64]*Token, time.Duration) {
	w, tokens, _ := fleets(4)
	w.Mode = ModeIDs
	w.Tokens = w.Tokens[1:3] // without the master: nothing but devices counts
	for _, token := range w.Tokens {
		token.Access, token.Entries = aclType, []Entry{{URI: "gw/devices", Methods: []string{"GET"}}}
	}
	h := &SyntheticBackend{Devices: devices, Owners: []int64{fleetA, fleetB}}
	url, err := h.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	began := time.Now()
	g := serve(t, w, Settings{Mode: ModeIDs, Refresh: refresh, MaxStaleness: 2 * time.Hour, Backend: url})
	ready(t, g)
	return g, h, tokens, time.Since(began)
}

// load asks for single devices at a steady pace and returns how long each answer took.
func load(t *testing.T, g *Gateway, h *SyntheticBackend, token *Token) []time.Duration {
	const conns, each, pace = 4, 1500, 4 * time.Millisecond
	var mu sync.Mutex
	var all []time.Duration
	var work sync.WaitGroup
	for lane := range conns {
		c := client(t, g)
		work.Go(func() {
			took := make([]time.Duration, 0, each)
			for n, tick := 0, time.NewTicker(pace); n < each; n++ {
				<-tick.C
				a := Ask{Method: "GET", Coll: devices, Sel: one(h.ID((n*7919*2 + lane*2) % h.Devices))}
				began := time.Now()
				got, err := c.Do(token, &a, "load")
				if took = append(took, time.Since(began)); err != nil || got.Status != 200 {
					t.Errorf("%s: %v %v", a.String(), got, err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	work.Wait()
	return all
}

// Requests do not wait for readings. Both figures are printed, not asserted: a busy machine moves
// them.
func TestRequestsDuringReadings(t *testing.T) {
	if !*heavy {
		t.Skip("-heavy measures it")
	}
	still, h, tokens, _ := large(t, 200_000, time.Hour)
	reading, h2, tokens2, _ := large(t, 200_000, 10*time.Millisecond)
	var without, during []time.Duration
	before := h2.Readings()
	for range 3 { // in turn, so that what disturbs one disturbs the other
		without = append(without, load(t, still, h, tokens[fleetA])...)
		during = append(during, load(t, reading, h2, tokens2[fleetA])...)
	}
	print := func(name string, took []time.Duration) {
		p50, p99, p999 := Quantiles(took)
		t.Logf("%-22s %d requests: p50 %s, p99 %s, p99.9 %s", name, len(took), p50, p99, p999)
	}
	print("without a reading", without)
	print("while reading 200,000", during)
	t.Logf("whole readings of 200,000 items meanwhile: %d", h2.Readings()-before)
}

// A million items are read, and what they cost is printed.
func TestMillionItems(t *testing.T) {
	if !*heavy {
		t.Skip("-heavy measures it")
	}
	empty, _, _, started := large(t, 1, time.Hour)
	full, h, tokens, took := large(t, 1_000_000, time.Hour)
	t.Logf("ready after %s, of which starting takes %s", took.Round(time.Millisecond), started.Round(time.Millisecond))
	t.Logf("RSS with one item %s, with a million %s, at most %s", memory(t, empty, "VmRSS"), memory(t, full, "VmRSS"), memory(t, full, "VmHWM"))
	t.Logf("live heap with one item %.1f MB, with a million %.1f MB", metric(t, empty, "go_memstats_heap_alloc_bytes")/1e6,
		metric(t, full, "go_memstats_heap_alloc_bytes")/1e6)
	began := time.Now()
	c := client(t, full)
	got, err := c.Do(tokens[fleetA], &Ask{Method: "GET", Coll: devices, Sel: Selector{Form: selAll}}, "all")
	if err != nil || got.Status != 200 {
		t.Fatalf("%v %v", got, err)
	}
	rows := strings.Count(string(got.Body), `"id"`)
	t.Logf("all of a fleet: %d rows, %d bytes in %s, in parts of %d bytes of target", rows, len(got.Body),
		time.Since(began).Round(time.Millisecond), maxTarget)
	t.Logf("RSS behind it %s, at most %s", memory(t, full, "VmRSS"), memory(t, full, "VmHWM"))
	if want := h.Devices / 2; rows != want {
		t.Errorf("got %d rows, want %d", rows, want)
	}
}

// memory returns a line of what the kernel says of a process.
func memory(t *testing.T, g *Gateway, field string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	if err != nil {
		return err.Error()
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// metric returns a sample of the gateway's own.
func metric(t *testing.T, g *Gateway, sample string) float64 {
	t.Helper()
	_, text, err := g.Get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no sample %s", sample)
	return 0
}
