package cache

import (
	"sync/atomic"
	"time"
	"unsafe"

	"aclgate/policy"
	"aclgate/policy/store"
)

// hot holds the tokens that were used last, one for each of its places. It is bounded by its places
// and by the bytes of what stands in them. A hit in ristretto takes 57 ns and a lock per shard,
// here 10 ns and none (BenchmarkHit). A token may stand in either of two neighbouring places, which
// lie in one cache line: with one for each, every seventh of 10,000 tokens would share its place
// with another and drive it out at every use.
type hot struct {
	places []atomic.Pointer[value] // a power of two, at least two
	room   int64                   // bytes
	held   atomic.Int64            // bytes of what stands in the places
}

const (
	// maxHot is the largest value that may stand in a place. An ACL with thousands of ids stays in
	// ristretto alone.
	maxHot = 16 << 10
	// A place is a pointer. With fewer places than tokens in use most of them would drive each
	// other out: 10,000 tokens want more than 2,048.
	maxPlaces = 1 << 15
)

// init takes a quarter of the room and returns it.
func (h *hot) init(maxBytes int64) (room int64) {
	h.room = maxBytes / 4
	n := int64(1)
	for n*2 <= maxPlaces && n*2*512 <= h.room {
		n *= 2
	}
	h.places = make([]atomic.Pointer[value], n)
	return h.room
}

// pair returns the two places of a key.
func (h *hot) pair(key uint64) (first, second *atomic.Pointer[value]) {
	i := key & uint64(len(h.places)-1)
	return &h.places[i], &h.places[i^1]
}

// get returns the value for this digest, nil if there is none that holds.
func (h *hot) get(revision, key uint64, d *policy.Digest) *value {
	first, second := h.pair(key)
	if v := first.Load(); v.holds(revision, d) {
		return v
	}
	if v := second.Load(); v.holds(revision, d) {
		return v
	}
	return nil
}

// put puts v in one of its places, unless there is no room for what it is larger than the value
// that stands there.
func (h *hot) put(key uint64, v *value) {
	if v.cost > maxHot {
		return
	}
	place, other := h.pair(key)
	old := place.Load()
	if old.keepsFrom(v) && !other.Load().keepsFrom(v) {
		place, old = other, other.Load()
	}
	grown := v.cost
	if old != nil {
		grown -= old.cost
	}
	if h.held.Add(grown) > h.room && grown > 0 || !place.CompareAndSwap(old, v) {
		h.held.Add(-grown)
	}
}

// keepsFrom reports whether a place is another token's, of the same revision.
func (v *value) keepsFrom(other *value) bool {
	return v != nil && v.revision == other.revision && v.token.Digest != other.token.Digest
}

// absent remembers digests that no token has, in the same way and apart from the tokens.
type absent struct {
	places []atomic.Pointer[absence]
}

type absence struct {
	digest   policy.Digest
	revision uint64
	until    int64 // unix nanoseconds
}

// An absence holds until the revision moves, and briefly: 4096 of them are 300 KiB.
const (
	absentPlaces = 1 << 12
	absentFor    = 5 * time.Second
)

func (a *absent) init() { a.places = make([]atomic.Pointer[absence], absentPlaces) }

func (a *absent) place(key uint64) *atomic.Pointer[absence] { return &a.places[key%absentPlaces] }

func (a *absent) has(revision, key uint64, d *policy.Digest) bool {
	p := a.place(key).Load()
	return p != nil && p.digest == *d && p.revision == revision && time.Now().UnixNano() < p.until
}

func (a *absent) put(revision, key uint64, d *policy.Digest) {
	a.place(key).Store(&absence{*d, revision, time.Now().Add(absentFor).UnixNano()})
}

// newValue compiles the token that requests are judged by. Its cost is the bytes that it keeps
// alive: the entries and their printed ids count although the store may hold them too.
func (c *Cache) newValue(d policy.Digest, revision uint64, rec *store.Record) *value {
	v := &value{revision: revision, token: rec.Token}
	token := &v.token
	token.Digest = d
	if token.Access == policy.ACLAccess {
		token.ACL = policy.NewACL(rec.Entries, c.catalogue)
	}
	size := int(unsafe.Sizeof(*v)) + len(token.Info) + token.User.Size()
	token.Roles = rec.UserRoles(c.catalogue)
	for i := range token.Roles {
		role := &token.Roles[i]
		size += role.ACL.Size() + int(unsafe.Sizeof(*role)) + 8*len(role.Clients)
	}
	for _, o := range token.Origins {
		size += len(o) + int(unsafe.Sizeof(o))
	}
	if s := token.Sources; s != nil {
		size += len(s.Networks)*32 + len(s.Masks)*32
	}
	v.cost = int64(size + token.ACL.Size())
	return v
}
