package policy_test

import (
	"fmt"
	"testing"

	"aclgate/policy"
)

func BenchmarkParseDecidePrint(b *testing.B) {
	for _, row := range sceneRows() {
		b.Run(row.name, func(b *testing.B) {
			s := newScene(b, row)
			s.run()
			b.ReportAllocs()
			for b.Loop() {
				s.run()
			}
			ids := 0
			for i := range s.r.Selectors {
				ids += len(s.r.Selectors[i].IDs)
			}
			if ids > 1 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(ids), "ns/id")
			}
		})
	}
}

// BenchmarkParts shows what each step of one request costs.
func BenchmarkParts(b *testing.B) {
	for _, row := range []sceneRow{sceneRows()[0], sceneRows()[1], sceneRows()[3]} {
		s := newScene(b, row)
		s.run()
		b.Run(row.name+"/parse", func(b *testing.B) {
			for b.Loop() {
				s.r.Parse(&s.engine, s.method, s.target)
			}
		})
		b.Run(row.name+"/decide", func(b *testing.B) {
			for b.Loop() {
				s.engine.Decide(&s.d, &s.c)
			}
		})
		b.Run(row.name+"/print", func(b *testing.B) {
			for b.Loop() {
				s.out = policy.AppendTarget(s.out[:0], &s.r, &s.d)
			}
		})
	}
}

// BenchmarkChoose shows that the choice costs the same however long the ACL.
func BenchmarkChoose(b *testing.B) {
	c := catalogue(b)
	devices := c.Collection("gw/devices")
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			entries := make([]policy.Entry, n)
			for i := range entries {
				uri := c.Collections[i%len(c.Collections)].URI
				entries[i] = policy.Entry{URI: uri, Methods: policy.Methods(policy.GET), Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{int64(i + 1)})}
			}
			entries[n-1].URI = "gw/devices"
			acl := policy.NewACL(entries, c)
			b.ReportAllocs()
			for b.Loop() {
				if acl.Choose(devices, policy.SlotItem, policy.GET) == nil {
					b.Fatal("no entry was chosen")
				}
			}
		})
	}
}
