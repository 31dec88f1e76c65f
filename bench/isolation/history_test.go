package isolation

import (
	"sync"
	"time"
)

// History knows the account of every item at every time, for worlds that change while requests run.
// An interval begins before an item is given and ends after it was taken: within it either may
// hold.
type History struct {
	mu        sync.Mutex
	intervals map[int64][]interval // by item
}

type interval struct {
	cid      int64
	from, to time.Time // zero: for ever
}

// NewHistory returns a history of items that were there from the beginning.
func NewHistory(items map[int64]*Item) *History {
	h := &History{intervals: map[int64][]interval{}}
	for id, it := range items {
		h.intervals[id] = []interval{{cid: it.CID}}
	}
	return h
}

// Give notes that an item is about to belong to an account.
func (h *History) Give(id, cid int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.intervals[id] = append(h.intervals[id], interval{cid: cid, from: time.Now()})
}

// Took notes that an item does not belong to an account any more.
func (h *History) Took(id, cid int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.intervals[id] {
		if s := &h.intervals[id][i]; s.cid == cid && s.to.IsZero() {
			s.to = time.Now()
			return
		}
	}
}

// Had reports whether an account had an item at any time from then to now.
func (h *History) Had(id, cid int64, then time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.intervals[id] {
		if s.cid == cid && (s.to.IsZero() || s.to.After(then)) {
			return true
		}
	}
	return false
}

// Knows reports whether an item was ever noted. One that is being made is not, until its id is
// known.
func (h *History) Knows(id int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.intervals[id]) > 0
}
