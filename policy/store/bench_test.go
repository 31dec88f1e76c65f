package store

import (
	"runtime"
	"testing"
)

// BenchmarkReadJSON reads 100,000 tokens in one line: 1 s of CPU at most.
func BenchmarkReadJSON(b *testing.B) { benchmarkRead(b, "p.json", compact(100000)) }

// BenchmarkReadYAML reads 10,000 tokens: 2 s at most.
func BenchmarkReadYAML(b *testing.B) { benchmarkRead(b, "p.yaml", typical(10000)) }

func benchmarkRead(b *testing.B, name, text string) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if p, faults := ReadPolicy(name, []byte(text), catalogue(b), 4); p == nil {
			b.Fatal(faults)
		}
	}
}

// BenchmarkPolicySize reports what 10,000 tokens take in memory.
func BenchmarkPolicySize(b *testing.B) {
	text := []byte(typical(10000))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p, _ := ReadPolicy("p.yaml", text, catalogue(b), 4)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
	runtime.KeepAlive(p)
	runtime.KeepAlive(text)
}
