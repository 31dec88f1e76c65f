package store

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkReadPolicy reads 100,000 tokens: SPEC-sized at most 2 s on 2 cores.
func BenchmarkReadPolicy(b *testing.B) {
	for name, make := range map[string]func(int) string{"block": typical, "flow": flow} {
		text := []byte(make(100000))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if p, _ := ReadPolicy("p.yaml", text, catalogue(b), 4); p == nil {
					b.Fatal("refused")
				}
			}
		})
	}
}

// BenchmarkReadWhole is the same through config/strict alone, a tenth of it.
func BenchmarkReadWhole(b *testing.B) {
	text := []byte(typical(10000))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := newReader("p.yaml", catalogue(b), 4)
		r.readWhole(text)
		if p, _ := r.finish(); p == nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkReadSlowItems reads tokens of which every one needs config/strict.
func BenchmarkReadSlowItems(b *testing.B) {
	text := fmt.Appendf(nil, "accounts: [{id: 1}]\ntokens:\n")
	for i := range 10000 {
		text = fmt.Appendf(text, "- {id: %d, key_sha256: %s, cid: 1, expire: 9, access: {type: acl, acl: [{uri: gw/abacus, methods: [GET]}]}}\n", i+1, digestOf(i))
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if p, _ := ReadPolicy("p.yaml", text, catalogue(b), 4); p == nil {
			b.Fatal("refused")
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
