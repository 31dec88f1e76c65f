package cache

import (
	"errors"
	"sync"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"
)

// ErrBusy says that the store is slower than it is asked. It is for a 503 and says nothing about
// the token.
var ErrBusy = errors.New("too many requests wait for the store of tokens")

// Bounds of loading.
const (
	maxFlights = 1024    // digests under way
	maxWaiting = 1 << 16 // callers that wait for one of them
	maxLoads   = 4       // of one caller, while the revision keeps moving
)

// flight is one load under way. Its fields are written before done is closed.
type flight struct {
	done     chan struct{}
	landed   bool // false: whoever loaded panicked, and there is no answer
	revision uint64
	token    *policy.Token
	err      error
}

// flights holds the loads under way by whole digests. Its lock is taken only where the store has to
// be asked.
type flights struct {
	mu      sync.Mutex
	running map[policy.Digest]*flight
	waiting int
}

func (f *flights) init() { f.running = make(map[policy.Digest]*flight) }

// join returns the flight for d and whether the caller has to fly it, or nil when there are too
// many.
func (f *flights) join(d policy.Digest) (fl *flight, lead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl = f.running[d]; fl != nil {
		if f.waiting >= maxWaiting {
			return nil, false
		}
		f.waiting++
		return fl, false
	}
	if len(f.running) >= maxFlights {
		return nil, false
	}
	fl = &flight{done: make(chan struct{})}
	f.running[d] = fl
	return fl, true
}

// land ends a flight, also when its load panicked.
func (f *flights) land(d policy.Digest, fl *flight) {
	f.mu.Lock()
	delete(f.running, d)
	f.mu.Unlock()
	close(fl.done)
}

// wait waits for a flight of somebody else, and reports whether it ended.
func (f *flights) wait(fl *flight, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	defer func() {
		f.mu.Lock()
		f.waiting--
		f.mu.Unlock()
	}()
	select {
	case <-fl.done:
		return true
	case <-timer.C:
		return false
	}
}

// load asks the store, or waits for who does. What was asked for before revision moved is no answer
// to a caller who came after.
func (c *Cache) load(revision, key uint64, d policy.Digest) (*policy.Token, error) {
	for {
		fl, lead := c.flights.join(d)
		switch {
		case fl == nil:
			return nil, ErrBusy
		case lead:
			return c.lead(fl, key, d)
		case !c.flights.wait(fl, c.patience):
			return nil, ErrBusy
		case fl.landed && fl.revision >= revision:
			return fl.token, fl.err
		}
	}
}

// lead flies a flight. The caller may have missed what the last flight for the same digest found
// just before it joined, so it looks once more.
func (c *Cache) lead(fl *flight, key uint64, d policy.Digest) (*policy.Token, error) {
	defer c.flights.land(d, fl)
	fl.revision = c.store.Revision(key)
	switch v := c.hot.get(fl.revision, key, &d); {
	case v != nil:
		fl.token = &v.token
	case c.absent.has(fl.revision, key, &d):
		fl.err = store.ErrNotFound
	default:
		c.ask(fl, key, d)
	}
	fl.landed = true
	return fl.token, fl.err
}

// ask loads until the revision stands still, so that what is remembered is what the store has at
// that revision. If it never does, the last answer is good for those who wait for it, but not for
// later.
func (c *Cache) ask(fl *flight, key uint64, d policy.Digest) {
	for range maxLoads {
		fl.revision = c.store.Revision(key)
		rec, err := c.store.Load(d)
		var v *value
		fl.token, fl.err = nil, err
		if err == nil {
			v = c.newValue(d, fl.revision, rec)
			fl.token = &v.token
		}
		if c.store.Revision(key) != fl.revision {
			continue
		}
		switch {
		case err == nil:
			c.remember(key, v)
		case errors.Is(err, store.ErrNotFound):
			c.absent.put(fl.revision, key, &d)
		}
		return
	}
}
