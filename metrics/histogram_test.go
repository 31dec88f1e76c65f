package metrics

import (
	"math"
	"testing"
	"unsafe"

	"aclgate/policy"
)

func catalogueOfNothing() *policy.Catalogue { return &policy.Catalogue{} }

func newCells() (*cells, *guide) {
	c, g := &cells{}, &guide{}
	c.make(allBounds())
	g.make(c)
	return c, g
}

// No octave has more bounds than it has cells: none is missing.
func TestEveryBoundHasACell(t *testing.T) {
	c, _ := newCells()
	bounds := allBounds()
	for i := range c {
		if i > 0 && c[i].bound < c[i-1].bound {
			t.Fatalf("cell %d: got the bound %d below that of the cell before", i, c[i].bound)
		}
		if len(bounds) > 0 && c[i].bound == bounds[0] {
			bounds = bounds[1:]
		}
	}
	if len(bounds) > 0 {
		t.Errorf("got no cell for %v", bounds)
	}
}

// Whatever the duration, exactly one cell counts it: that with the least bound
// that is not below it.
func FuzzCells(f *testing.F) {
	c, g := newCells()
	for i := range c {
		f.Add(c[i].bound)
		f.Add(c[i].bound + 1)
	}
	f.Add(int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, ns int64) {
		c, _ := newCells()
		c.add(g, ns)
		for i := range c {
			want := uint64(0)
			if c[i].bound >= max(ns, 1<<lowestOctave) && (i == 0 || c[i-1].bound < max(ns, 1<<lowestOctave)) {
				want = 1
			}
			if got := c[i].n.Load(); got != want {
				t.Fatalf("%d ns, cell up to %d: got %d, want %d", ns, c[i].bound, got, want)
			}
		}
	})
}

// What every request adds to is one cache line, and the one before it is only
// read.
func TestTotalsAreOneCacheLine(t *testing.T) {
	var m Metrics
	if got := unsafe.Offsetof(m.tally) + unsafe.Offsetof(m.tally.totals); got != 64 {
		t.Errorf("got the totals at %d, want 64", got)
	}
	if got := unsafe.Sizeof(m.totals); got != 64 {
		t.Errorf("got %d bytes of totals, want 64", got)
	}
}
