package strict

// slab hands out pieces of one slice after the other, so that a hundred short lists take one
// allocation. What it handed out lives as long as it is referred to.
type slab[T any] struct{ all, free []T }

// Bounds of the slices, in values: a giant is not kept for what comes next.
const (
	minSlab = 32
	maxSlab = 1024
)

// take returns a piece of n values, which may hold anything.
func (s *slab[T]) take(n int) []T {
	if n > len(s.free) {
		s.all = make([]T, max(minSlab, n, min(2*len(s.all), maxSlab)))
		s.free = s.all
	}
	piece := s.free[:n:n]
	s.free = s.free[n:]
	return piece
}

// reuse hands out the last slice again.
func (s *slab[T]) reuse() {
	if len(s.all) > maxSlab {
		s.all = nil
	}
	s.free = s.all
}
