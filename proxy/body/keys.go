package body

import (
	"bytes"
	"hash/maphash"
)

// keySet holds the keys of all open objects, as a stack with a hash table over
// it. An object's keys are on top of the stack while it is the innermost one,
// so what is put in last goes first, and with linear probing that order makes
// a removal as simple as emptying the slot.
//
// The seed is random: a client that knew the hash could choose 100,000 keys of
// one slot and make the reading quadratic.
type keySet struct {
	seed    maphash.Seed
	entries []keyEntry
	table   []uint32 // index in entries plus one; 0 is free; a power of two long
}

// keyEntry is one key: its hash and the offset of its opening quote.
type keyEntry struct {
	hash, at uint32
}

// minTable is how many slots the first table has.
const minTable = 64

// addKey remembers a key of the innermost object, written at offset at, and
// reports whether the object has it already.
func (s *Scanner) addKey(at int, key []byte) bool {
	k := &s.keys
	if 2*(len(k.entries)+1) > len(k.table) {
		k.grow()
	}
	base := s.open[s.depth-1].base
	// Salted with the depth: else the "id" of 32 nested objects shared a slot.
	hash := uint32(maphash.Bytes(k.seed, key)) + uint32(s.depth)*0x9e3779b1
	slot := k.slot(hash)
	for ; k.table[slot] != 0; slot = k.after(slot) {
		i := int(k.table[slot] - 1)
		if e := k.entries[i]; i >= base && e.hash == hash && s.sameKey(int(e.at), key) {
			return true
		}
	}
	k.entries = append(k.entries, keyEntry{hash: hash, at: uint32(at)})
	k.table[slot] = uint32(len(k.entries))
	return false
}

// sameKey compares key with the one that is written at offset at. It may
// allocate: it is called on equal hashes, which nearly always is the end.
func (s *Scanner) sameKey(at int, key []byte) bool {
	c := cursor{text: s.text, at: at}
	return bytes.Equal(appendUnescaped(nil, c.rawString()), key)
}

func (k *keySet) slot(hash uint32) uint32 {
	return hash & uint32(len(k.table)-1)
}

func (k *keySet) after(slot uint32) uint32 {
	return k.slot(slot + 1)
}

// grow doubles the table and enters all keys anew, in their order.
func (k *keySet) grow() {
	if len(k.table) == 0 {
		k.seed = maphash.MakeSeed()
	}
	k.table = make([]uint32, max(minTable, 2*len(k.table)))
	for i, e := range k.entries {
		slot := k.slot(e.hash)
		for k.table[slot] != 0 {
			slot = k.after(slot)
		}
		k.table[slot] = uint32(i + 1)
	}
}

// truncate forgets all keys but the first n, the latest first.
func (k *keySet) truncate(n int) {
	for i := len(k.entries); i > n; i-- {
		slot := k.slot(k.entries[i-1].hash)
		for k.table[slot] != uint32(i) {
			slot = k.after(slot)
		}
		k.table[slot] = 0
	}
	k.entries = k.entries[:n]
}

// clear forgets everything, after a text that was refused half-way.
func (k *keySet) clear() {
	clear(k.table)
	k.entries = k.entries[:0]
}
