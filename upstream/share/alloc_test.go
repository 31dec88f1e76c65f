package share

import (
	"fmt"
	"testing"
)

// While little is held, taking and giving allocates nothing.
func TestNoAllocs(t *testing.T) {
	o := newOwner(t, 512, 64)
	who := o.caller(1, 111)
	for range 200 {
		o.hold(who, 1)
	}
	var h Hold
	if n := testing.AllocsPerRun(1000, func() {
		h.Holder = who
		o.Take(&h, 1)
		o.Give(&h)
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

// BenchmarkTake is one request while so many of 512 are held by others: with 0 nothing is counted,
// with 300 it is.
func BenchmarkTake(b *testing.B) {
	for _, held := range []int{0, 300} {
		b.Run(fmt.Sprint(held), func(b *testing.B) {
			o := newOwner(b, 512, 64)
			for i := range held {
				o.hold(o.caller(int64(100+i%10), 12), 1)
			}
			who := o.caller(1, 111)
			b.ReportAllocs()
			for b.Loop() {
				h := Hold{Holder: who}
				o.Take(&h, 1)
				o.Give(&h)
			}
		})
	}
}
