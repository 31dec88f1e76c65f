package cache

import (
	"testing"

	"aclgate/policy"
)

// BenchmarkHit compares a hit with and without the table in front.
func BenchmarkHit(b *testing.B) {
	st := newFake()
	const n = 64
	var digests [n]policy.Digest
	for i := range n {
		digests[i] = digest(i)
		st.set(digests[i], record(i+1, 3))
	}
	run := func(b *testing.B, c *Cache) {
		for _, d := range digests {
			c.Lookup(d)
		}
		c.memory.Wait()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := c.Lookup(digests[i%n]); err != nil {
				b.Fatal(err)
			}
		}
		if st := c.Stats(); st.Misses > n {
			b.Fatalf("not hits: %+v", st)
		}
	}
	b.Run("hot", func(b *testing.B) { run(b, newCache(b, st, 128<<20)) })
	b.Run("ristretto", func(b *testing.B) {
		c := newCache(b, st, 128<<20)
		c.hot.room = -1
		run(b, c)
	})
}
