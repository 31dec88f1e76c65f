package metrics

import "sync"

// ringShards is a power of two. The last byte of an id, which is random, picks
// the shard; so that no lock is shared by all requests, and Get knows where to
// look.
const ringShards = 64

// Ring keeps about the last n records, for `why`. It is made whole at start
// and never grows.
type Ring struct {
	shards [ringShards]shard
}

// shard is one part of a Ring: a circle of records. The padding keeps the locks
// of two shards off one cache line.
type shard struct {
	mu      sync.Mutex
	records []Record
	next    int
	_       [64]byte
}

// NewRing returns a Ring for about n records, at least one of each shard. A
// record takes about half a kilobyte.
func NewRing(n int) *Ring {
	r := &Ring{}
	each := max(1, (n+ringShards-1)/ringShards)
	for i := range r.shards {
		r.shards[i].records = make([]Record, each)
	}
	return r
}

func (r *Ring) shard(id ID) *shard { return &r.shards[id[len(id)-1]%ringShards] }

// Add copies rec over the oldest record of its shard. It allocates nothing.
func (r *Ring) Add(rec *Record) {
	s := r.shard(rec.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[s.next] = *rec
	s.next = (s.next + 1) % len(s.records)
}

// Get copies the record of this decision to rec and reports whether it is still
// remembered.
func (r *Ring) Get(id ID, rec *Record) bool {
	if id == (ID{}) {
		return false // an empty place of the ring
	}
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.records {
		if s.records[i].ID == id {
			*rec = s.records[i]
			return true
		}
	}
	return false
}
