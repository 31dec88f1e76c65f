package record

import "testing"

func BenchmarkRingAdd(b *testing.B) {
	ring := NewRing(4096)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		r := &Record{}
		for p.Next() {
			r.ID = NewID()
			ring.Add(r)
		}
	})
}

func BenchmarkSetRefused(b *testing.B) {
	r, target := &Record{}, []byte("/gw/devices/123456/messages")
	for b.Loop() {
		r.SetRefused(target)
	}
}
