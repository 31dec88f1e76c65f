package cache

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"aclgate/policy"
	"aclgate/policy/store"
)

func TestLookup(t *testing.T) {
	st := newFake()
	c := newCache(t, st, 0)
	want(t, c, 1, 0)
	want(t, c, 1, 0)
	st.set(digest(1), record(1, 3)) // takes effect at once
	want(t, c, 1, 1)
	tok, _ := c.Lookup(digest(1))
	if tok.ACL.Choose(c.catalogue.Collection("gw/devices"), policy.SlotItem, policy.GET) == nil {
		t.Error("the ACL is not compiled")
	}
	st.set(digest(1), nil)
	want(t, c, 1, 0)
	s := c.Stats()
	if s.Hits != 1 || s.Misses != 3 || s.NegativeHits != 1 {
		t.Errorf("got %+v", s)
	}
}

// TestHitsAllocateNothing covers the three places that a hit can come from.
func TestHitsAllocateNothing(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 3))
	st.set(digest(2), record(2, 10000)) // too large for a hot place
	c := newCache(t, st, 64<<20)
	for n := range 3 {
		d := digest(n)
		c.Lookup(d)
		c.memory.Wait()
		loads := st.loads.Load()
		if allocs := testing.AllocsPerRun(1000, func() { c.Lookup(d) }); allocs != 0 {
			t.Errorf("token %d: got %v allocations, want 0", n, allocs)
		}
		if st.loads.Load() != loads {
			t.Errorf("token %d: not a hit", n)
		}
	}
}

// TestDroppedSet: what ristretto forgets is loaded again.
func TestDroppedSet(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 10000))
	c := newCache(t, st, 64<<20)
	want(t, c, 1, 1)
	c.memory.Clear()
	want(t, c, 1, 1)
	if got := st.loads.Load(); got != 2 {
		t.Errorf("got %d loads, want 2", got)
	}
}

// TestResurrection: old values that come back into every place, after the token was changed or
// revoked, are not used.
func TestResurrection(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 1))
	c := newCache(t, st, 0)
	want(t, c, 1, 1)
	key := ptr(digest(1)).Key()
	old := c.hot.get(st.Revision(0), key, ptr(digest(1)))
	for _, next := range []*store.Record{nil, record(7, 1)} {
		st.set(digest(1), next)
		c.memory.Del(key)
		c.remember(key, old)
		c.memory.Wait()
		if next == nil {
			want(t, c, 1, 0)
			c.remember(key, old)
			want(t, c, 1, 0)
			continue
		}
		want(t, c, 1, 7)
	}
	if s := c.Stats(); s.StaleHits == 0 {
		t.Errorf("got %+v, want stale hits", s)
	}
}

func ptr(d policy.Digest) *policy.Digest { return &d }

// TestLateSet: a load that began before a revocation ends after it. Neither its caller nor any
// later one sees the token.
func TestLateSet(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 1))
	read, revoked := make(chan bool), make(chan bool)
	var once sync.Once
	st.during = func(policy.Digest) error {
		once.Do(func() { read <- true; <-revoked })
		return nil
	}
	c := newCache(t, st, 0)
	first := make(chan error)
	go func() { _, err := c.Lookup(digest(1)); first <- err }()
	<-read
	st.set(digest(1), nil)
	second := make(chan error)
	go func() { _, err := c.Lookup(digest(1)); second <- err }() // waits for the first
	close(revoked)
	for _, ch := range []chan error{first, second} {
		if err := <-ch; err != store.ErrNotFound {
			t.Errorf("got %v, want %v", err, store.ErrNotFound)
		}
	}
	c.memory.Wait()
	want(t, c, 1, 0)
}

// TestWaiterDoesNotTakeAnOlderAnswer: the first caller's answer is from before the change and is
// good for the first caller, whose revision never settles.
func TestWaiterDoesNotTakeAnOlderAnswer(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 1))
	loads := 0
	hold, held := make(chan bool), make(chan bool)
	st.during = func(policy.Digest) error {
		if loads++; loads <= maxLoads {
			st.revision.Add(1) // never stands still for the first caller
		}
		if loads == maxLoads {
			held <- true
			<-hold
		}
		return nil
	}
	c := newCache(t, st, 0)
	first, second := make(chan *policy.Token), make(chan error)
	go func() { tok, _ := c.Lookup(digest(1)); first <- tok }()
	<-held
	st.set(digest(1), nil)
	go func() { _, err := c.Lookup(digest(1)); second <- err }()
	waitUntil(func() bool { c.flights.mu.Lock(); defer c.flights.mu.Unlock(); return c.flights.waiting == 1 })
	close(hold)
	if tok := <-first; tok == nil || tok.ID != 1 {
		t.Errorf("the first caller: got %v", tok)
	}
	if err := <-second; err != store.ErrNotFound {
		t.Errorf("the second caller: got %v, want %v", err, store.ErrNotFound)
	}
	want(t, c, 1, 0)
}

func waitUntil(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

func TestTenThousandCallersOneLoad(t *testing.T) {
	const callers = 10000
	st := newFake()
	st.set(digest(1), record(1, 1))
	hold := make(chan bool)
	st.during = func(policy.Digest) error { <-hold; return nil }
	c := newCache(t, st, 0)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range callers {
		wg.Go(func() {
			if tok, err := c.Lookup(digest(1)); err != nil || tok.ID != 1 {
				failed.Add(1)
			}
		})
	}
	waitUntil(func() bool { c.flights.mu.Lock(); defer c.flights.mu.Unlock(); return c.flights.waiting == callers-1 })
	close(hold)
	wg.Wait()
	if failed.Load() != 0 || st.loads.Load() != 1 {
		t.Errorf("got %d failures and %d loads, want 0 and 1", failed.Load(), st.loads.Load())
	}
}

// TestPanicOfTheFirst: who waits does not share it.
func TestPanicOfTheFirst(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 1))
	held, hold := make(chan bool), make(chan bool)
	var once sync.Once
	st.during = func(policy.Digest) error {
		once.Do(func() { held <- true; <-hold; panic("the store") })
		return nil
	}
	c := newCache(t, st, 0)
	panicked := make(chan any)
	go func() {
		defer func() { panicked <- recover() }()
		c.Lookup(digest(1))
	}()
	<-held
	second := make(chan error)
	go func() { _, err := c.Lookup(digest(1)); second <- err }()
	waitUntil(func() bool { c.flights.mu.Lock(); defer c.flights.mu.Unlock(); return c.flights.waiting == 1 })
	close(hold)
	if p := <-panicked; p == nil {
		t.Error("the first caller's panic is gone")
	}
	if err := <-second; err != nil {
		t.Errorf("the second caller: got %v", err)
	}
}

func TestErrorsAreNotRemembered(t *testing.T) {
	st := newFake()
	st.set(digest(1), record(1, 1))
	broken := true
	st.during = func(policy.Digest) error {
		if broken {
			return store.ErrStale
		}
		return nil
	}
	c := newCache(t, st, 0)
	if _, err := c.Lookup(digest(1)); !errors.Is(err, store.ErrStale) {
		t.Errorf("got %v, want %v", err, store.ErrStale)
	}
	broken = false
	want(t, c, 1, 1)
}

// TestBusy: a store that hangs holds up a bounded number of callers, for a bounded time.
func TestBusy(t *testing.T) {
	st := newFake()
	hold := make(chan bool)
	st.during = func(policy.Digest) error { <-hold; return nil }
	c := newCache(t, st, 0)
	c.patience = 1
	var wg sync.WaitGroup
	for n := range maxFlights {
		wg.Go(func() { c.Lookup(digest(n)) })
	}
	waitUntil(func() bool { return st.loads.Load() == maxFlights })
	for _, n := range []int{0, maxFlights} { // one that waits, one too many
		if _, err := c.Lookup(digest(n)); err != ErrBusy {
			t.Errorf("token %d: got %v, want %v", n, err, ErrBusy)
		}
	}
	close(hold)
	wg.Wait()
	if c.flights.waiting != 0 || len(c.flights.running) != 0 {
		t.Errorf("left over: %d waiting, %d running", c.flights.waiting, len(c.flights.running))
	}
}

// TestFloodOfRandomKeys: good tokens stay, and the memory is bounded.
func TestFloodOfRandomKeys(t *testing.T) {
	const good = 500
	st := newFake()
	for n := range good {
		st.set(digest(n), record(n+1, 3))
	}
	c := newCache(t, st, 16<<20)
	for range 2 {
		for n := range good {
			want(t, c, n, int64(n+1))
		}
		c.memory.Wait()
	}
	before, held := st.loads.Load(), heap()
	const flood = 200000
	for range flood {
		var d policy.Digest
		for i := range d {
			d[i] = byte(rand.Uint32())
		}
		c.Lookup(d)
	}
	grown := int64(heap()) - int64(held)
	loads := st.loads.Load() - before - flood
	for n := range good {
		want(t, c, n, int64(n+1))
	}
	if loads > 0 || st.loads.Load()-before-flood > good/100 {
		t.Errorf("good tokens were loaded again %d times", st.loads.Load()-before-flood)
	}
	if grown > 4<<20 {
		t.Errorf("the memory grew by %d bytes", grown)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestCostIsWhatIsHeld compares the cost of values with the heap they take.
func TestCostIsWhatIsHeld(t *testing.T) {
	c := newCache(t, newFake(), 0)
	const n = 500
	for _, ids := range []int{0, 3, 100, 2000} {
		heap()
		before := heap() // what a first collection leaves to finalizers is gone
		values := make([]*value, n)
		for i := range values {
			rec := record(i, ids)
			values[i] = c.newValue(digest(i), 1, rec)
		}
		held := (heap() - before) / n
		if cost := uint64(values[0].cost); cost < held*7/10 || cost > held*3/2 {
			t.Errorf("%d ids: cost %d, held %d", ids, cost, held)
		}
		runtime.KeepAlive(values)
	}
}

// TestMemoryIsBounded fills the cache three times over.
func TestMemoryIsBounded(t *testing.T) {
	st := newFake()
	const n = 4000
	for i := range n {
		st.set(digest(i), record(i+1, 100))
	}
	c := newCache(t, st, minBytes)
	for i := range n {
		want(t, c, i, int64(i+1))
	}
	c.memory.Wait()
	s := c.Stats()
	if s.Bytes > minBytes || s.Entries == 0 || s.Entries == n || s.Evictions+s.Rejected+s.Dropped == 0 {
		t.Errorf("got %+v", s)
	}
}

// TestReloadsAgainstLookups changes tokens thousands of times under load: no Lookup that begins
// after a revocation finds the token.
func TestReloadsAgainstLookups(t *testing.T) {
	const tokens, rounds = 8, 3000
	st := newFake()
	c := newCache(t, st, 0)
	var epoch [tokens]atomic.Int64 // what a Lookup has to find at least: the token's id
	for i := range tokens {
		st.set(digest(i), record(1, 1))
		epoch[i].Store(1)
	}
	stop := make(chan bool)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for n := 0; ; n = (n + 1) % tokens {
				select {
				case <-stop:
					return
				default:
				}
				least := epoch[n].Load()
				tok, err := c.Lookup(digest(n))
				if err == nil && tok.ID < least || err != nil && err != store.ErrNotFound {
					t.Errorf("token %d: got %v, %v, want at least %d", n, tok, err, least)
					return
				}
			}
		})
	}
	for round := range rounds {
		n, id := round%tokens, int64(round+2)
		st.set(digest(n), nil)
		epoch[n].Store(id) // from here on every older token is revoked
		st.set(digest(n), record(int(id), 1))
		if round%16 == 0 {
			runtime.Gosched()
		}
	}
	close(stop)
	wg.Wait()
}
