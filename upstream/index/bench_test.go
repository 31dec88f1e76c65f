package index

import (
	"fmt"
	"runtime"
	"testing"

	fake "aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
	"aclgate/upstream/upstreamtest"
)

func TestIndexAllocatesNothing(t *testing.T) {
	_, tr := upstreamtest.Play(t, upstreamtest.Fleet(t, 100), fake.Options{})
	x := newIndexTest(t, tr, policy.ModeIDs)
	x.load()
	x.Created(x.devices, 500, 12)
	var items policy.Items
	if n := testing.AllocsPerRun(100, func() {
		items = x.View(x.tree)
		items.Account(x.devices, 7)
		items.Account(x.devices, 7777)
		items.Of(x.devices, 11)
		items.Of(x.devices, 1)
	}); n != 0 {
		t.Errorf("got %v allocations", n)
	}
}

// BenchmarkIndexLoad reads a million items from a backend that takes no time.
func BenchmarkIndexLoad(b *testing.B) {
	pages := map[string]string{}
	for offset := int64(0); offset < 1_000_000; offset += listing.PageRows - 1 { // a row comes twice
		var rows []int64
		for id := offset; id < min(offset+listing.PageRows, 1_000_000); id++ {
			rows = append(rows, 5_000_000+id, 11+id%2)
		}
		pages[fmt.Sprint("/gw/devices/all?fields=id%2Ccid&limit=1000&offset=", offset)] = items(rows...)
	}
	x := newIndexTest(b, &upstreamtest.Bubble{Answer: func(r *upstream.Request) (int, string) { return 200, pages[string(r.Target)] }}, policy.ModeIDs)
	x.mu.Lock()
	x.prepare(subject{x.devices, false})
	x.mu.Unlock()
	before := heap()
	for b.Loop() {
		if err := x.read(b.Context(), x.devices); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap()-before)/1_000_000, "bytes/item")
	runtime.KeepAlive(pages)
	runtime.KeepAlive(x)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
