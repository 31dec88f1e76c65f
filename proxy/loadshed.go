package proxy

import (
	"context"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	rtmetrics "runtime/metrics"
	"sync/atomic"
	"time"

	"aclgate/metrics"
	"aclgate/policy"
)

// When memory is short, in percent of GOMEMLIMIT. Between the two nothing changes. From about nine
// tenths on the collector works for ever shorter intervals, and a process that only collects
// answers nobody.
const (
	shedFrom  = 90
	shedUntil = 80
)

// How often memory is looked at, and how often it is collected while requests are refused: without
// allocations nothing else would find out that it is free.
const (
	memoryTick   = 100 * time.Millisecond
	collectTicks = 5
)

// memoryGuard has requests refused while memory is short.
type memoryGuard struct {
	short   atomic.Bool
	metrics *metrics.Metrics
	log     *slog.Logger
}

// shed refuses a request while memory is short. It costs one load of a word that hardly ever
// changes.
func (m *memoryGuard) shed() policy.Reason {
	if m.short.Load() {
		return policy.Overloaded
	}
	return policy.NotJudged
}

// watch looks at the memory until ctx ends.
func (m *memoryGuard) watch(ctx context.Context) {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return
	}
	ticker := time.NewTicker(memoryTick)
	defer ticker.Stop()
	usage := newMemoryUsage()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if m.short.Load() && n%collectTicks == 0 {
			runtime.GC()
		}
		m.set(short(usage.read(), uint64(limit), m.short.Load()))
	}
}

// short reports whether memory is short, given whether it was.
func short(used, limit uint64, was bool) bool {
	if was {
		return used >= limit/100*shedUntil
	}
	return used >= limit/100*shedFrom
}

func (m *memoryGuard) set(yes bool) {
	if m.short.Swap(yes) == yes {
		return
	}
	m.metrics.SetBool(metrics.Overloaded, yes)
	if yes {
		m.log.Warn("memory is near GOMEMLIMIT: requests are refused")
		return
	}
	m.log.Info("memory is free again: requests are served")
}

// memoryUsage reads what of GOMEMLIMIT is used by what lives: the heap as the last collection left
// it, and all that is no heap. Garbage does not count: it fills whatever the limit leaves, and that
// is not being short of memory.
type memoryUsage []rtmetrics.Sample

// Where each number stands in a memoryUsage.
const (
	usedTotal = iota
	usedLive
	usedFirstHeap // from here on: what total has and is not counted as it is
)

func newMemoryUsage() memoryUsage {
	names := []string{
		"/memory/classes/total:bytes", "/gc/heap/live:bytes",
		"/memory/classes/heap/objects:bytes", "/memory/classes/heap/free:bytes",
		"/memory/classes/heap/released:bytes", "/memory/classes/heap/unused:bytes",
	}
	u := make(memoryUsage, len(names))
	for i, name := range names {
		u[i].Name = name
	}
	return u
}

// read returns the bytes that are used now.
func (u memoryUsage) read() uint64 {
	rtmetrics.Read(u)
	used := u[usedTotal].Value.Uint64() + u[usedLive].Value.Uint64()
	for _, s := range u[usedFirstHeap:] {
		used -= min(used, s.Value.Uint64())
	}
	return used
}
