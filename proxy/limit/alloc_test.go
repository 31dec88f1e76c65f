package limit

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"

	"aclgate/policy"
)

func TestNoAllocs(t *testing.T) {
	var off *Limiter
	rate := Limit{Rate: 1000, Burst: 100, Concurrent: 10}
	on := New(Options{Token: rate, Account: rate, Source: rate})
	shared := New(Options{Token: rate, Account: rate, Source: rate, Shared: true})
	tight := New(Options{Token: rate, Account: Limit{Rate: 1e-3, Burst: 1}})
	tr, tok, now := tree(t), token(17, 111), second
	addr := netip.MustParseAddr("2001:db8::1")
	var h Hold
	for _, row := range []struct {
		name string
		do   func()
	}{
		{"off", func() { off.Admit(&h, tok, tr, now) }},
		{"admitted", func() { on.Admit(&h, tok, tr, now) }},
		{"admitted, and told", func() { shared.Admit(&h, tok, tr, now) }},
		{"refused", func() { tight.Admit(&h, tok, tr, now) }},
		{"source", func() { on.Source(addr, now) }},
	} {
		once := func() { now += 1e6; row.do(); h.Release() }
		once() // which makes the buckets
		if n := testing.AllocsPerRun(1000, once); n != 0 {
			t.Errorf("%s: got %v allocations, want 0", row.name, n)
		}
	}
}

// BenchmarkAdmit is a request of one of 1000 tokens in an account three levels deep, by all
// processors at once: four buckets, two of them shared by all.
func BenchmarkAdmit(b *testing.B) {
	wide := Limit{Rate: 1e9, Burst: 1e15, Concurrent: 1000} // nobody is refused
	for _, row := range []struct {
		name string
		l    *Limiter
	}{
		{"off", nil},
		{"token", New(Options{Token: wide})},
		{"token+accounts", New(Options{Token: wide, Account: wide})},
		{"shared", New(Options{Token: wide, Account: wide, Shared: true})},
	} {
		b.Run(row.name, func(b *testing.B) {
			tr := tree(b)
			var worker, refused atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var h Hold
				tokens := make([]*policy.Token, 1000)
				for i := range tokens {
					tokens[i] = token(int64(i), 111)
				}
				i, now := int(worker.Add(1))*37, second
				for pb.Next() {
					i, now = i+1, now+100
					if row.l.Admit(&h, tokens[i%1000], tr, now) != policy.NotJudged {
						refused.Add(1)
					}
					h.Release()
				}
			})
			b.ReportMetric(float64(refused.Load()), "refused")
		})
	}
}

// BenchmarkAdmitMany is requests of so many tokens in turn: at 131,072 they are more than caches
// hold.
func BenchmarkAdmitMany(b *testing.B) {
	wide := Limit{Rate: 1e9, Burst: 1e15, Concurrent: 1000}
	for _, n := range []int{10_000, 1 << 17} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, tr, now := New(Options{Token: wide}), tree(b), second
			tokens := make([]*policy.Token, n)
			var h Hold
			for i := range tokens {
				tokens[i] = token(int64(i), 111)
			}
			before := heap()
			for _, at := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
				l.Admit(&h, tokens[at], tr, now)
				h.Release()
			}
			size := float64(heap()-before) / float64(n)
			for i := 0; b.Loop(); i++ {
				now += 100
				l.Admit(&h, tokens[i%n], tr, now)
				h.Release()
			}
			b.ReportMetric(size, "B/token")
		})
	}
}
