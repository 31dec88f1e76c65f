package store

import (
	"encoding/binary"
	"math/bits"

	"aclgate/policy"
)

// arena holds packed records, one behind the other, in chunks that never move. Nothing in it is a
// pointer: the garbage collector, which would otherwise walk through every token while requests
// wait for their turn, does not look at it.
type arena struct{ chunks [][]byte }

// chunkBytes is the size of a chunk; a larger record has one of its own.
const chunkBytes = 64 << 10

// ref is the place of a record: its chunk and its offset there.
type ref uint64

// put copies a record to the end of the arena.
func (s *arena) put(record []byte) ref {
	last := len(s.chunks) - 1
	if last < 0 || cap(s.chunks[last])-len(s.chunks[last]) < len(record) {
		s.chunks = append(s.chunks, make([]byte, 0, max(chunkBytes, len(record))))
		last++
	}
	at := len(s.chunks[last])
	s.chunks[last] = append(s.chunks[last], record...)
	return ref(last)<<32 | ref(at)
}

// at returns what stands at a place, and everything behind it in its chunk.
func (s *arena) at(r ref) []byte { return s.chunks[r>>32][r&(1<<32-1):] }

// hashIndex finds the records of a arena by one of their values, which hash tells apart. It is a
// table of places with linear probing: a Go map of a million digests takes five times the memory,
// and grows in leaps.
type hashIndex struct {
	arena *arena
	hash  func(record []byte) uint64
	slots []uint64 // 1 + ref; a power of two, 0: free
	used  int
}

func newHashIndex(s *arena, hash func([]byte) uint64) *hashIndex {
	return &hashIndex{arena: s, hash: hash, slots: make([]uint64, 8)}
}

// reserve makes room in an empty index for n records, and some more.
func (x *hashIndex) reserve(n int) {
	size := len(x.slots)
	for size/4*3 < n+n/8 {
		size *= 2
	}
	x.slots = make([]uint64, size)
}

// larger returns slots with room for n records more, if those in use have none; else nil. Nobody may
// change the index meanwhile; step stands after each record.
func (x *hashIndex) larger(n int, step func()) []uint64 {
	if x.used+n <= len(x.slots)/4*3 {
		return nil
	}
	more := hashIndex{arena: x.arena, hash: x.hash, slots: make([]uint64, 8)}
	more.reserve(x.used + n)
	for _, entry := range x.slots {
		if entry != 0 {
			more.place(entry)
			step()
		}
	}
	return more.slots
}

// slot returns the slot where the search for a hash begins. The multiplication spreads ids that
// follow each other, and digests that somebody made up.
func (x *hashIndex) slot(hash uint64) int {
	const golden = 0x9E3779B97F4A7C15
	return int(hash * golden >> (64 - bits.Len(uint(len(x.slots)-1))))
}

// find returns the record with this hash that same knows, or nil.
func (x *hashIndex) find(hash uint64, same func(record []byte) bool) []byte {
	for i := x.slot(hash); x.slots[i] != 0; i = (i + 1) & (len(x.slots) - 1) {
		if record := x.arena.at(ref(x.slots[i] - 1)); same(record) {
			return record
		}
	}
	return nil
}

// add adds a record that is not in the index.
func (x *hashIndex) add(r ref) {
	if x.used++; x.used > len(x.slots)/4*3 {
		old := x.slots
		x.slots = make([]uint64, 2*len(old))
		for _, entry := range old {
			if entry != 0 {
				x.place(entry)
			}
		}
	}
	x.place(uint64(r) + 1)
}

func (x *hashIndex) place(entry uint64) {
	i := x.slot(x.hash(x.arena.at(ref(entry - 1))))
	for x.slots[i] != 0 {
		i = (i + 1) & (len(x.slots) - 1)
	}
	x.slots[i] = entry
}

// hashDigest is the hash of an index of digests.
func hashDigest(record []byte) uint64 {
	_ = record[31]
	word := binary.LittleEndian.Uint64
	return word(record) ^ bits.RotateLeft64(word(record[8:]), 17) ^ bits.RotateLeft64(word(record[16:]), 31) ^ bits.RotateLeft64(word(record[24:]), 47)
}

// hashID is the hash of an index of token ids.
func hashID(record []byte) uint64 {
	id, _ := headOf(record)
	return uint64(id)
}

// withDigest and withID return the record of an index that has the value.
func (x *hashIndex) withDigest(d *policy.Digest) []byte {
	return x.find(hashDigest(d[:]), func(record []byte) bool { return policy.Digest(record[:len(d)]) == *d })
}

func (x *hashIndex) withID(id int64) []byte {
	return x.find(uint64(id), func(record []byte) bool { other, _ := headOf(record); return other == id })
}
