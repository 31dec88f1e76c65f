package store

import (
	"sync/atomic"

	"aclgate/policy"
)

// writable is a Policy whose tokens change one by one. Its parts that only a reading needs, the
// numbers of kinds, networks and origins and the index by id, stay. It is not safe for use by more
// than one goroutine while one of them changes it.
type writable struct {
	policy *Policy
	ids    *hashIndex
	lint   lint
	dead   int // bytes of records that nothing refers to any more
	size   int // bytes of all records

	counter func(id int64) *atomic.Int64 // of last uses; nil: they are not counted
}

func newWritable() *writable {
	w := &writable{policy: newPolicy()}
	w.ids = newHashIndex(&w.policy.arena, hashID)
	return w
}

// put adds a token, or replaces that with the same id. A token that had the same digest under
// another id is not found by it any more. It reports whether the kinds of tokens changed.
func (w *writable) put(rec *Record) (kinds bool) {
	p := w.policy
	before, counts := len(p.kinds.list), p.tokens
	old, found := w.ids.refOf(uint64(rec.Token.ID), func(record []byte) bool { return idOf(record) == rec.Token.ID })
	place := p.add(rec, p.kinds.of(rec.Entries, &w.lint))
	if rec.Token.TTL > 0 && w.counter != nil {
		p.lasts = append(p.lasts, w.counter(rec.Token.ID))
	}
	if found {
		w.forget(old)
		if record := p.arena.at(old); policy.Digest(record[:len(policy.Digest{})]) != rec.Token.Digest {
			p.digests.drop(old)
		}
		w.ids.drop(old)
	}
	w.insert(place)
	return len(p.kinds.list) != before || present(counts) != present(p.tokens)
}

// insert makes the record at a place, the last that was packed, the one that is found.
func (w *writable) insert(place ref) {
	p := w.policy
	digest := policy.Digest(p.scratch[:len(policy.Digest{})])
	p.digests.set(place, func(record []byte) bool { return policy.Digest(record[:len(digest)]) == digest })
	w.ids.add(place)
	w.size += len(p.scratch)
}

// room makes room for n tokens more, beside the tables that are in use: a table of a million tokens that
// grows takes a tenth of a second, in which nobody could look a token up. It only reads; what it returns
// puts the tables in force. step stands after every few microseconds of work.
func (w *writable) room(n int, step func()) (install func()) {
	p := w.policy
	ids, digests := w.ids.larger(n, step), p.digests.larger(n, step)
	lasts := p.lasts
	if w.counter != nil && cap(lasts)-len(lasts) < n {
		lasts = append(make([]*atomic.Int64, 0, len(lasts)+len(lasts)/4+n), lasts...)
	}
	return func() {
		if ids != nil {
			w.ids.slots = ids
		}
		if digests != nil {
			p.digests.slots = digests
		}
		p.lasts = lasts
	}
}

// remove takes a token away. It reports whether the kinds of tokens changed.
func (w *writable) remove(id int64) (kinds bool) {
	p := w.policy
	old, found := w.ids.refOf(uint64(id), func(record []byte) bool { return idOf(record) == id })
	if !found {
		return false
	}
	counts := p.tokens
	w.forget(old)
	p.digests.drop(old)
	w.ids.drop(old)
	return present(counts) != present(p.tokens)
}

// accessOf returns the access type of the token with this id.
func (w *writable) accessOf(id int64) (a policy.Access, found bool) {
	if record := w.ids.withID(id); record != nil {
		u := unpacker(record[len(policy.Digest{}):])
		h := u.head()
		return policy.Access(h.access >> accessShift), true
	}
	return a, false
}

// digestOf returns the digest of the token with this id.
func (w *writable) digestOf(id int64) (d policy.Digest, found bool) {
	if record := w.ids.withID(id); record != nil {
		return policy.Digest(record[:len(d)]), true
	}
	return d, false
}

// forget counts a record as dead.
func (w *writable) forget(old ref) {
	p := w.policy
	access, size := p.measure(p.arena.at(old))
	p.tokens[access]--
	w.dead += size
}

// worn reports whether so much is dead that a copy without it is worth its time.
func (w *writable) worn() bool { return w.dead > wornBytes && w.dead > w.size/4 }

// wornBytes is below what nothing is copied.
const wornBytes = 1 << 20

// each yields every token, in no order.
func (w *writable) each(yield func(*Record)) {
	for _, slot := range w.ids.slots {
		if slot != 0 {
			u := unpacker(w.policy.arena.at(ref(slot - 1)))
			yield(w.policy.unpack(&u))
		}
	}
}

// present says of which access types there is a token.
func present(counts [policy.NoAPI + 1]int) (is [policy.NoAPI + 1]bool) {
	for access, n := range counts {
		is[access] = n > 0
	}
	return is
}

func idOf(record []byte) int64 {
	id, _ := headOf(record)
	return id
}

// refOf returns the place of the record with this hash that same knows.
func (x *hashIndex) refOf(hash uint64, same func(record []byte) bool) (ref, bool) {
	for i := x.slot(hash); x.slots[i] != 0; i = (i + 1) & (len(x.slots) - 1) {
		if r := ref(x.slots[i] - 1); same(x.arena.at(r)) {
			return r, true
		}
	}
	return 0, false
}

// set puts a record in the place of the one that same knows, which has the same hash, or adds it.
func (x *hashIndex) set(r ref, same func(record []byte) bool) {
	for i := x.slot(x.hash(x.arena.at(r))); x.slots[i] != 0; i = (i + 1) & (len(x.slots) - 1) {
		if same(x.arena.at(ref(x.slots[i] - 1))) {
			x.slots[i] = uint64(r) + 1
			return
		}
	}
	x.add(r)
}

// drop takes a record out, if it is in. What stands behind it moves up, so that no gap ends the
// search for it: marks of what is gone would pile up where a token changes again and again.
func (x *hashIndex) drop(r ref) {
	mask := len(x.slots) - 1
	gap := x.slot(x.hash(x.arena.at(r)))
	for x.slots[gap] != uint64(r)+1 {
		if x.slots[gap] == 0 {
			return
		}
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		home := x.slot(x.hash(x.arena.at(ref(x.slots[i] - 1))))
		if (i-home)&mask >= (i-gap)&mask {
			x.slots[gap], gap = x.slots[i], i
		}
	}
	x.slots[gap] = 0
	x.used--
}
