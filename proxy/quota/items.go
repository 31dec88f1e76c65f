package quota

import (
	"time"

	"aclgate/policy"
)

// Add is items that an account is about to get.
type Add struct {
	CID  int64
	From int64 // the account that has them now; 0: they are new
	N    int64
}

// need is how many items a place would hold more.
type need struct {
	place
	n int64
}

// lostHold is a reservation of which nobody knows what became: it stays until the items were read again.
type lostHold struct {
	needs []need
	at    time.Time
}

// Counting is what is known of the items of a collection.
type Counting struct {
	Collection *policy.Collection
	// Count returns how many items are in the branch of an account at this moment.
	Count func(cid int64) int
	// Read is when the last whole reading of them began.
	Read time.Time
}

// Bounds reports whether some account has a bound of items.
func (b *Book) Bounds() bool {
	p := b.plan.Load()
	return p != nil && p.items
}

// Reserve makes room for items in every branch that gets them, or refuses all of them. What was
// reserved counts until Settle or Lose.
func (b *Book) Reserve(h *Hold, c *Counting, adds []Add) (r Refusal) {
	p := b.plan.Load()
	if p == nil || !p.items {
		return r
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(c)
	needs := p.needs(c.Collection, adds)
	for _, want := range needs {
		bound := p.nodes[want.cid].Items[c.Collection.URI]
		if int64(c.Count(want.cid))+b.reserved[want.place]+want.n > bound {
			return Refusal{Reason: policy.CountLimit, Account: want.cid, Bound: c.Collection.Type + "_count", Limit: bound}
		}
	}
	for _, want := range needs {
		b.reserved[want.place] += want.n
	}
	h.reserved = append(h.reserved, needs...)
	return r
}

// needs adds up what each bounded branch would hold more: that of the account that gets an item, and
// those above which do not hold it yet.
func (p *plan) needs(c *policy.Collection, adds []Add) (needs []need) {
	at := map[int64]int{}
	for _, add := range adds {
		for n := p.nodes[add.CID]; n != nil; n = n.up {
			if _, bounded := n.Items[c.URI]; !bounded || add.From != 0 && p.tree.Contains(n.ID, add.From) {
				continue
			}
			i, known := at[n.ID]
			if !known {
				i = len(needs)
				at[n.ID] = i
				needs = append(needs, need{place: place{c.Index, n.ID}})
			}
			needs[i].n += add.N
		}
	}
	return needs
}

// Settle gives back what was reserved: what became of it is known, and counted where it is.
func (b *Book) Settle(h *Hold) {
	if len(h.reserved) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release(h.reserved)
	h.reserved = h.reserved[:0]
}

// Lose leaves what was reserved as it is: the answer is lost, and what it would have said is known when
// the items were read once more.
func (b *Book) Lose(h *Hold, now time.Time) {
	if len(h.reserved) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = append(b.lost, lostHold{append([]need(nil), h.reserved...), now})
	h.reserved = h.reserved[:0]
}

// release takes reservations back. The caller holds mu.
func (b *Book) release(needs []need) {
	for _, n := range needs {
		if b.reserved[n.place] -= n.n; b.reserved[n.place] <= 0 {
			delete(b.reserved, n.place)
		}
	}
}

// forget takes back what was lost before the items of a collection were read. The caller holds mu.
func (b *Book) forget(c *Counting) {
	kept := b.lost[:0]
	for _, l := range b.lost {
		if l.needs[0].collection == c.Collection.Index && l.at.Before(c.Read) {
			b.release(l.needs)
			continue
		}
		kept = append(kept, l)
	}
	clear(b.lost[len(kept):])
	b.lost = kept
}
