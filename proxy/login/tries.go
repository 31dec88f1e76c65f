package login

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Bounds of failed tries (SPEC 10.6).
const (
	triesPerAddress = 10
	addressWindow   = time.Minute
	triesPerUser    = 30 // of one name from one address
	userWindow      = time.Hour
)

// setSize is how many keys share a set of tries; setCount how many sets there are.
const (
	setSize  = 4
	setCount = 1 << 14
)

// tries counts failed tries by keys. Each key has a bucket that leaks; those that are empty make
// room for others. Where more keys are busy than there is room, the one that has waited longest is
// forgotten: a flood from many addresses buys its last tries, and keeps nobody out.
type tries struct {
	interval int64 // nanoseconds that one try costs
	window   int64 // nanoseconds that a full bucket lasts
	seed     maphash.Seed

	mu   sync.Mutex
	sets []trySet
}

type trySet [setSize]struct {
	key  uint64
	full int64 // when the bucket is empty again, unix nanoseconds
}

func newTries(n int, window time.Duration) *tries {
	return &tries{interval: int64(window) / int64(n), window: int64(window), seed: maphash.MakeSeed(), sets: make([]trySet, setCount)}
}

// take charges one try, and returns how many the bucket holds with it, or how long it takes until one
// would pass. Whoever turns out not to have failed gives it back.
func (t *tries) take(key uint64, now time.Time) (n int, wait time.Duration) {
	at := now.UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	set := &t.sets[key%setCount]
	slot := &set[0]
	for i := range set {
		if set[i].key == key {
			slot = &set[i]
			break
		}
		if set[i].full < slot.full {
			slot = &set[i]
		}
	}
	if slot.key != key {
		slot.key, slot.full = key, 0
	}
	full := max(slot.full, at) + t.interval
	if wait := full - at - t.window; wait > 0 {
		return 0, time.Duration(wait)
	}
	slot.full = full
	return int((full - at + t.interval - 1) / t.interval), 0
}

// giveBack undoes a take.
func (t *tries) giveBack(key uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	set := &t.sets[key%setCount]
	for i := range set {
		if set[i].key == key {
			set[i].full -= t.interval
		}
	}
}

// key returns the key of an address, and of a name from there. The seed keeps clients from choosing
// whom they share a set with. A subscriber has at least a whole /64 (RFC 6177).
func (t *tries) key(from netip.Addr, realm int64, name string) uint64 {
	from = from.Unmap()
	if from.Is6() {
		p, _ := from.Prefix(64)
		from = p.Addr()
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	address := from.As16()
	_, _ = h.Write(address[:])
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], uint64(realm))
	_, _ = h.Write(id[:])
	_, _ = h.WriteString(name)
	return h.Sum64()
}

// userKey returns the key of a user who is in already.
func (t *tries) userKey(user int64) uint64 { return t.key(netip.IPv6Unspecified(), user, "") }
