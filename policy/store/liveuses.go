package store

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// liveUses holds the last uses of the tokens of an engine that have a ttl, one counter per token id
// for the whole life of the process.
type liveUses struct {
	engine Engine

	mu    sync.Mutex // the counters themselves are touched without it
	last  map[int64]*atomic.Int64
	saved map[int64]int64 // what the engine is known to have
	fault error           // of the last save
}

func (u *liveUses) init(e Engine) {
	u.engine, u.last, u.saved = e, map[int64]*atomic.Int64{}, map[int64]int64{}
}

// counter returns the counter of a token.
func (u *liveUses) counter(id int64) *atomic.Int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.of(id)
}

func (u *liveUses) of(id int64) *atomic.Int64 {
	c := u.last[id]
	if c == nil {
		c = new(atomic.Int64)
		u.last[id] = c
	}
	return c
}

// forget takes a token out whose id never comes again.
func (u *liveUses) forget(id int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.last, id)
	delete(u.saved, id)
}

// load raises the counters to what the engine says. No use lies in the future: a token may end
// sooner by a wrong clock, never later.
func (u *liveUses) load(ctx context.Context) error {
	now := time.Now().Unix()
	reading, heard, end := listening(ctx)
	defer end()
	err := u.engine.Uses(reading, func(use Use) error {
		heard()
		u.mu.Lock()
		defer u.mu.Unlock()
		raise(u.of(use.Token), min(use.At, now))
		u.saved[use.Token] = use.At
		return nil
	})
	if err != nil {
		return cmp.Or(context.Cause(reading), err)
	}
	return nil
}

// raised returns what the engine does not know yet, by ascending id.
func (u *liveUses) raised() (uses []Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, c := range u.last {
		if at := c.Load(); at > u.saved[id] {
			uses = append(uses, Use{id, at})
		}
	}
	slices.SortFunc(uses, func(a, b Use) int { return cmp.Compare(a.Token, b.Token) })
	return uses
}

// keepUses writes what was raised, and reads what others have.
func (l *Live) keepUses(ctx context.Context) {
	u := &l.uses
	uses := u.raised()
	var err error
	if len(uses) > 0 {
		err = u.engine.SaveUses(ctx, uses)
	}
	if err == nil {
		err = u.load(ctx)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.fault = err
}

// UsesFault returns why the last uses of tokens could not be written; nil while they can.
func (l *Live) UsesFault() error {
	l.uses.mu.Lock()
	defer l.uses.mu.Unlock()
	return l.uses.fault
}

func (u *liveUses) lastUse(id int64) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.last[id]; c != nil {
		return c.Load()
	}
	return 0
}
