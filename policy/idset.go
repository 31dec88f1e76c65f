package policy

import (
	"slices"
	"unsafe"
)

// MaxID is the largest item id (SPEC 2).
const MaxID = 1<<63 - 1

// ParseID reads an id spelled [1-9][0-9]* up to 2^63-1 and nothing else: no sign, no leading zero,
// no blank. It reports whether b is one.
func ParseID(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 19 || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	// 19 digits stay below 2^64, so n has not wrapped.
	return int64(n), n <= MaxID
}

// dropDuplicates removes later duplicates from ids in place and keeps the order. An ascending list,
// which is what most clients send, costs one pass; any other is sorted in scratch first, so that
// the cost stays n log n.
func dropDuplicates(ids, scratch []int64) (distinct, grown []int64) {
	if ascending(ids) {
		return ids, scratch
	}
	scratch = append(scratch[:0], ids...)
	slices.Sort(scratch)
	if ascending(scratch) {
		return ids, scratch
	}
	scratch = slices.Compact(scratch)
	// Each value is struck from scratch, by its sign, when it is first met.
	kept := ids[:0]
	for _, id := range ids {
		i, _ := slices.BinarySearchFunc(scratch, id, compareStruck)
		if scratch[i] > 0 {
			scratch[i] = -scratch[i]
			kept = append(kept, id)
		}
	}
	return kept, scratch
}

func compareStruck(e, id int64) int {
	if e < 0 {
		e = -e
	}
	switch {
	case e < id:
		return -1
	case e > id:
		return 1
	}
	return 0
}

// ascending reports whether ids is strictly ascending.
func ascending(ids []int64) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			return false
		}
	}
	return true
}

// Printed is a list of ids as text: numbers with single commas between them. No other package can
// make one that is not empty, so whoever is given one need not look for any other byte in it. It is
// shared, and may outlive the request and the policy that it came with: it must not be changed.
type Printed struct{ text []byte }

// Len returns the length in bytes; 0: there is no list.
func (p Printed) Len() int { return len(p.text) }

// Bytes returns the text. It must not be changed.
func (p Printed) Bytes() []byte { return p.text }

// IDSet is an immutable set of ids with its printed form. The zero value is empty.
type IDSet struct {
	sorted []int64
	text   []byte
}

// NewIDSet returns the set of the given ids; the argument stays untouched.
func NewIDSet(ids []int64) IDSet {
	if !ascending(ids) {
		ids = slices.Clone(ids)
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	if len(ids) == 0 {
		return IDSet{}
	}
	var room [256]byte // most are shorter
	printed := appendIDs(room[:0], ids)
	s := IDSet{sorted: make([]int64, len(ids)), text: make([]byte, len(printed))} // without room to spare
	copy(s.sorted, ids)
	copy(s.text, printed)
	return s
}

// IDs returns the ids ascending. They must not be changed.
func (s *IDSet) IDs() []int64 { return s.sorted }

// Text returns the ids ascending, as a comma list. It must not be changed.
func (s *IDSet) Text() []byte { return s.text }

// Printed returns Text as what need not be checked again.
func (s *IDSet) Printed() Printed { return Printed{s.text} }

// Len returns the number of ids.
func (s *IDSet) Len() int { return len(s.sorted) }

// size returns the bytes that the set keeps alive.
func (s *IDSet) size() int { return len(s.sorted)*int(unsafe.Sizeof(s.sorted[0])) + len(s.text) }

// Has reports whether id is in the set.
func (s *IDSet) Has(id int64) bool {
	_, found := slices.BinarySearch(s.sorted, id)
	return found
}
