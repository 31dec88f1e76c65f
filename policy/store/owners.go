package store

import (
	"encoding/json"
	"errors"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"sync"
)

// ownerTable holds whose items are, some 40 bytes for each and no pointers, and finds them by item
// and by the number of their row.
type ownerTable struct {
	mu          sync.RWMutex
	collections []string
	rows        []ownerRow // in no order, without gaps
	byItem      ownerIndex
	byRow       ownerIndex
}

// ownerRow is one item. The number of its collection stands above that of its row.
type ownerRow struct{ place, id, cid int64 }

// Bounds of the two numbers in ownerRow.place.
const (
	rowBits        = 48
	maxCollections = 1 << 15
)

func (r *ownerRow) collection() int { return int(r.place >> rowBits) }
func (r *ownerRow) n() int64        { return r.place & (1<<rowBits - 1) }

// errNoOwner says that a row of items does not say which account an item has.
var errNoOwner = errors.New("expected the collection of an item, its id, and the id of an account")

// readOwner reads a row of items.
func readOwner(n int64, doc []byte) (o Owner, err error) {
	if err := json.Unmarshal(doc, &o); err != nil {
		return o, errNoOwner
	}
	if o.Collection == "" || o.ID <= 0 || o.CID <= 0 || n <= 0 || n >= 1<<rowBits {
		return o, errNoOwner
	}
	return o, nil
}

// collection returns the number of a collection; -1: it has none, and add is false or there are too
// many.
func (t *ownerTable) collection(name string, add bool) int {
	if c := slices.Index(t.collections, name); c >= 0 || !add || len(t.collections) == maxCollections {
		return c
	}
	t.collections = append(t.collections, strings.Clone(name))
	return len(t.collections) - 1
}

// put adds a row or replaces it. A row of the same item under another number gives way.
func (t *ownerTable) put(n int64, o Owner) {
	t.remove(n)
	c := t.collection(o.Collection, true)
	if c < 0 {
		return
	}
	if i := t.find(c, o.ID); i >= 0 {
		t.drop(i)
	}
	t.rows = append(t.rows, ownerRow{int64(c)<<rowBits | n, o.ID, o.CID})
	t.byItem.add(t, len(t.rows)-1, hashItem)
	t.byRow.add(t, len(t.rows)-1, hashRow)
}

// remove takes a row away, and returns what it said.
func (t *ownerTable) remove(n int64) (o Owner, found bool) {
	i := t.byRow.find(hashNumber(uint64(n)), func(i int) bool { return t.rows[i].n() == n })
	if i < 0 {
		return o, false
	}
	o = t.owner(i)
	t.drop(i)
	return o, true
}

func (t *ownerTable) owner(i int) Owner {
	r := &t.rows[i]
	return Owner{t.collections[r.collection()], r.id, r.cid}
}

func (t *ownerTable) find(collection int, id int64) int {
	want := ownerRow{place: int64(collection) << rowBits, id: id}
	return t.byItem.find(hashItem(&want), func(i int) bool { return t.rows[i].id == id && t.rows[i].collection() == collection })
}

// drop takes the row at a place away. The last row takes its place.
func (t *ownerTable) drop(i int) {
	last := len(t.rows) - 1
	t.byItem.drop(t, i, hashItem)
	t.byRow.drop(t, i, hashRow)
	if i != last {
		t.byItem.rename(t, last, i, hashItem)
		t.byRow.rename(t, last, i, hashRow)
		t.rows[i] = t.rows[last]
	}
	t.rows = t.rows[:last]
}

// ownerIndex finds rows by a hash: open addressing, linear probing.
type ownerIndex struct{ slots []uint32 } // 1 + place in rows; a power of two, 0: free

func hashNumber(n uint64) uint64   { return n * 0x9E3779B97F4A7C15 }
func hashRow(r *ownerRow) uint64   { return hashNumber(uint64(r.n())) }
func hashItem(r *ownerRow) uint64  { return hashNumber(uint64(r.id)<<rowShift ^ uint64(r.collection())) }
func (x *ownerIndex) mask() uint64 { return uint64(len(x.slots) - 1) }

// rowShift keeps ids and collections apart in a hash: there are few of the latter.
const rowShift = 6

// home returns the slot where the search for a hash begins.
func (x *ownerIndex) home(hash uint64) uint64 {
	return hash >> (64 - bits.Len64(x.mask())) & x.mask()
}

// find returns the place of the row with this hash that same knows; -1: there is none.
func (x *ownerIndex) find(hash uint64, same func(i int) bool) int {
	if len(x.slots) == 0 {
		return -1
	}
	for at := x.home(hash); x.slots[at] != 0; at = (at + 1) & x.mask() {
		if i := int(x.slots[at] - 1); same(i) {
			return i
		}
	}
	return -1
}

// add adds the row at place i, the last one.
func (x *ownerIndex) add(t *ownerTable, i int, hash func(*ownerRow) uint64) {
	if 4*(i+1) > 3*len(x.slots) {
		x.slots = make([]uint32, max(8, 2*len(x.slots)))
		for before := range i {
			x.place(hash(&t.rows[before]), before)
		}
	}
	x.place(hash(&t.rows[i]), i)
}

func (x *ownerIndex) place(hash uint64, i int) {
	at := x.home(hash)
	for x.slots[at] != 0 {
		at = (at + 1) & x.mask()
	}
	x.slots[at] = uint32(i + 1)
}

// slot returns where the row at place i, which is in, is noted.
func (x *ownerIndex) slot(t *ownerTable, i int, hash func(*ownerRow) uint64) uint64 {
	at := x.home(hash(&t.rows[i]))
	for x.slots[at] != uint32(i+1) {
		at = (at + 1) & x.mask()
	}
	return at
}

// rename notes that a row stands at another place.
func (x *ownerIndex) rename(t *ownerTable, from, to int, hash func(*ownerRow) uint64) {
	x.slots[x.slot(t, from, hash)] = uint32(to + 1)
}

// drop takes a row out. What stands behind it moves up, so that no gap ends the search for it.
func (x *ownerIndex) drop(t *ownerTable, i int, hash func(*ownerRow) uint64) {
	gap := x.slot(t, i, hash)
	for at := (gap + 1) & x.mask(); x.slots[at] != 0; at = (at + 1) & x.mask() {
		home := x.home(hash(&t.rows[x.slots[at]-1]))
		if (at-home)&x.mask() >= (at-gap)&x.mask() {
			x.slots[gap], gap = x.slots[at], at
		}
	}
	x.slots[gap] = 0
}

// Owner returns the account of an item; found is false where nothing says so.
func (l *Live) Owner(collection string, id int64) (cid int64, found bool) {
	t := l.owners.Load()
	t.mu.RLock()
	defer t.mu.RUnlock()
	c := t.collection(collection, false)
	if c < 0 {
		return 0, false
	}
	if i := t.find(c, id); i >= 0 {
		return t.rows[i].cid, true
	}
	return 0, false
}

// Owners yields whose every item is, in no order. Changes of owners wait while it does.
func (l *Live) Owners() iter.Seq[Owner] {
	return func(yield func(Owner) bool) {
		t := l.owners.Load()
		t.mu.RLock()
		defer t.mu.RUnlock()
		for i := range t.rows {
			if !yield(t.owner(i)) {
				return
			}
		}
	}
}
