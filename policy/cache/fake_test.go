package cache

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a store whose tokens can be changed and whose loads can be held up.
type fake struct {
	mu       sync.RWMutex
	tokens   map[policy.Digest]*store.Record
	revision atomic.Uint64
	loads    atomic.Int64
	during   func(policy.Digest) error // called in the middle of each load, after reading
}

func newFake() *fake {
	f := &fake{tokens: map[policy.Digest]*store.Record{}}
	f.revision.Store(1)
	return f
}

func (f *fake) Revision(uint64) uint64 { return f.revision.Load() }
func (f *fake) Fresh(time.Time) bool   { return true }
func (f *fake) Tree() *policy.Tree     { return nil }

func (f *fake) Load(d policy.Digest) (*store.Record, error) {
	f.loads.Add(1)
	f.mu.RLock()
	rec := f.tokens[d]
	f.mu.RUnlock()
	if f.during != nil {
		if err := f.during(d); err != nil {
			return nil, err
		}
	}
	if rec == nil {
		return nil, store.ErrNotFound
	}
	return rec, nil
}

// set changes a token, or revokes it with nil, and moves the revision after.
func (f *fake) set(d policy.Digest, rec *store.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tokens, d)
	if rec != nil {
		f.tokens[d] = rec
	}
	f.revision.Add(1)
}

// digest returns the nth digest; they are spread like real ones.
func digest(n int) policy.Digest {
	return store.DigestOf(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// record returns a token with an ACL of ids ids.
func record(n, ids int) *store.Record {
	list := make([]int64, ids)
	for i := range list {
		list[i] = int64(i + 1)
	}
	return &store.Record{
		Token: policy.Token{ID: int64(n), Digest: digest(n), CID: 1, Access: policy.ACLAccess, Enabled: true, Expire: 1 << 40},
		Entries: []policy.Entry{
			{URI: "gw/devices", Methods: policy.Methods(policy.GET), Rule: policy.IDsList, IDs: policy.NewIDSet(list)},
		},
	}
}

func catalogue(t testing.TB) *policy.Catalogue {
	t.Helper()
	c, err := policy.NewCatalogue([]*policy.Collection{{URI: "gw/devices", IDs: policy.IDInt, Scoped: true, Routes: []*policy.Route{
		{Path: "/", Methods: policy.Methods(policy.POST)},
		{Path: "/{}", Methods: policy.Methods(policy.GET, policy.PUT)},
		{Path: "/{}/messages", Methods: policy.Methods(policy.GET)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newCache returns a cache over st that ends with the test.
func newCache(t testing.TB, st store.Store, maxBytes int64) *Cache {
	t.Helper()
	c, err := New(st, catalogue(t), maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	c.patience = time.Minute // machines under test are slow
	t.Cleanup(c.Close)
	return c
}

// want looks a token up and compares its id; 0 stands for an unknown one.
func want(t *testing.T, c *Cache, n int, id int64) {
	t.Helper()
	tok, err := c.Lookup(digest(n))
	switch {
	case id == 0 && err != store.ErrNotFound:
		t.Errorf("token %d: got %v, %v, want %v", n, tok, err, store.ErrNotFound)
	case id != 0 && (err != nil || tok.ID != id):
		t.Errorf("token %d: got %v, %v, want id %d", n, tok, err, id)
	}
}
