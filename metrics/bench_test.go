package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
)

// records are n requests such as there are most of: answered by a backend close by, of 40
// collections.
func records(cat *policy.Catalogue, n int) []record.Record {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := make([]record.Record, n)
	for i := range all {
		own := time.Duration(30e3 * math.Exp(rnd.NormFloat64()*.4))
		upstream := time.Duration(400e3 * math.Exp(rnd.NormFloat64()*.5))
		r := &all[i]
		*r = record.Record{Facts: record.Facts{
			Start: time.Now(), Method: policy.GET, Status: 200, Verdict: policy.Allow, Reason: policy.Permitted,
			TokenID: int64(i), CID: 7, Scope: 7, Total: own + upstream, Own: own, Upstream: upstream, BytesOut: 4096,
		}}
		r.SetRefused([]byte("/gw/devices/123456"))
		r.Route = cat.Collections[i%len(cat.Collections)].Routes[0]
	}
	return all
}

func BenchmarkObserve(b *testing.B) {
	_, m, cat := fresh(b, 40)
	r := records(cat, 1)[0]
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Observe(&r)
		}
	})
}

// BenchmarkCold is the end of a request on a core that did something else before, as it is in
// earnest: the medians of both parts, with one reading of the clock each.
func BenchmarkCold(b *testing.B) {
	_, m, cat := fresh(b, 40)
	ring, all := record.NewRing(4096), records(cat, 1024)
	other := make([]uint64, 1<<17) // a mebibyte
	var observe, add []time.Duration
	for i := range b.N {
		for j := 0; j < len(other); j += 8 {
			other[j]++
		}
		r := all[i%len(all)]
		r.ID = record.NewID()
		began := time.Now()
		m.Add(BodyBytes, 1)
		m.Observe(&r)
		m.Add(BodyBytes, -1)
		observed := time.Now()
		ring.Add(&r)
		add = append(add, time.Since(observed))
		observe = append(observe, observed.Sub(began))
	}
	slices.Sort(observe)
	slices.Sort(add)
	b.ReportMetric(float64(observe[b.N/2]), "observe-ns")
	b.ReportMetric(float64(add[b.N/2]), "ring-ns")
}
