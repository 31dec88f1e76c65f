package store

import (
	"encoding/binary"

	"aclgate/policy"
)

// copier copies tokens packed as they are. Only what a policy numbers for itself is numbered anew:
// to unpack a million tokens would leave a gigabyte of garbage, while requests wait for a processor.
type copier struct {
	from, to *writable
	kinds    []int64 // by their numbers in from: 1 + those in to; 0: not copied yet
	sources  []int64
	origins  []int64
}

// copyOf fills an empty writable with the tokens of another one, with a step after each. The room is
// made first: they come in the order of their slots, and in a table that grows with them they would
// pile up at its beginning, each search longer than the one before.
func (w *writable) copyOf(other *writable, step func()) {
	n, p := other.ids.used, other.policy
	w.ids.reserve(n)
	w.policy.digests.reserve(n)
	c := copier{other, w, make([]int64, len(p.kinds.list)), make([]int64, len(p.sources)), make([]int64, len(p.origins))}
	for _, slot := range other.ids.slots {
		if slot != 0 {
			c.copy(p.arena.at(ref(slot - 1)))
			step()
		}
	}
}

// copy copies the record at the front of u.
func (c *copier) copy(u unpacker) {
	p, from := c.to.policy, c.from.policy
	b := append(p.scratch[:0], u.bytes(int64(len(policy.Digest{})))...)
	h := u.head()
	entries := h.kind
	h.kind = renumbered(c.kinds, h.kind, func(n int64) int64 { return int64(p.kinds.of(from.kinds.list[n].entries, &c.to.lint)) })
	h.sources = renumbered(c.sources, h.sources, func(n int64) int64 { return p.sourcesOf(from.sources[n]) })
	h.origins = renumbered(c.origins, h.origins, func(n int64) int64 { return p.originsOf(from.origins[n]) })
	b = h.append(b)
	part := u
	h.skip(&u)
	b = append(b, part[:len(part)-len(u)]...)
	if h.ttl > 0 {
		counter := u.number()
		b = binary.AppendUvarint(b, uint64(len(p.timed)))
		p.timed = append(p.timed, h.id)
		if from.lasts != nil {
			p.lasts = append(p.lasts, from.lasts[counter])
		}
	}
	part = u
	from.skipEntries(&u, entries)
	p.scratch = append(b, part[:len(part)-len(u)]...)
	c.to.insert(p.arena.put(p.scratch))
	p.tokens[h.access>>accessShift]++
}

// renumbered returns what a number is in the copy, which make finds out once.
func renumbered(known []int64, n int64, number func(int64) int64) int64 {
	if known[n] == 0 {
		known[n] = 1 + number(n)
	}
	return known[n] - 1
}
