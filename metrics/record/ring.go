package record

import (
	"sync"
	"sync/atomic"
)

// Ring keeps the last n records, for `why`. It is made whole at start and never grows. Requests
// take its slots one after the other and lock only their own: two of them meet in one if n others
// came between.
type Ring struct {
	begun atomic.Uint64 // records so far
	_     [56]byte      // every request writes to it; the slice is only read
	slots []slot
}

type slot struct {
	mu  sync.Mutex
	rec Record
}

// NewRing returns a Ring for n records, at least one. A record takes half a kilobyte.
func NewRing(n int) *Ring { return &Ring{slots: make([]slot, max(1, n))} }

// Add writes rec over the oldest record. It allocates nothing.
func (r *Ring) Add(rec *Record) {
	s := &r.slots[(r.begun.Add(1)-1)%uint64(len(r.slots))]
	s.mu.Lock()
	rec.copyTo(&s.rec)
	s.mu.Unlock()
}

// Get copies the record of this decision to rec and reports whether it is still remembered. It
// looks at the youngest first.
func (r *Ring) Get(id ID, rec *Record) bool {
	if id == (ID{}) {
		return false // an empty slot of the ring
	}
	begun, n := r.begun.Load(), uint64(len(r.slots))
	for age := range n {
		s := &r.slots[(begun+n-1-age)%n]
		s.mu.Lock()
		found := s.rec.ID == id
		if found {
			*rec = s.rec
		}
		s.mu.Unlock()
		if found {
			return true
		}
	}
	return false
}
