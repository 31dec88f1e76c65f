package policy

import (
	"slices"
	"sync"
)

// order is what decides between the entries of an ACL, without the entries. It
// does not depend on ids: tokens that differ in nothing else, which are most of
// the tokens of a policy, share one, and it stays in the processor's cache when
// what is the token's own does not.
type order struct {
	rows   [][]uint32 // by index of the collection; nil: no entry covers it
	shared bool       // the catalogue remembers it
}

// row returns, for each slot and method of c, 1 + the position of the entry
// that decides; 0 is nobody.
func (o *order) row(c *Collection) []uint32 {
	if c.Index >= len(o.rows) {
		return nil
	}
	return o.rows[c.Index]
}

func newOrder(entries []Entry, c *Catalogue) *order {
	o := &order{rows: make([][]uint32, len(c.Collections))}
	for i, col := range c.Collections {
		o.rows[i] = rank(entries, col)
	}
	return o
}

// rank makes the row of one collection.
func rank(entries []Entry, col *Collection) []uint32 {
	ranked := ranked(entries, col)
	if len(ranked) == 0 {
		return nil
	}
	row := make([]uint32, len(col.Submodules)*int(methodCount))
	for slot, name := range col.Submodules {
		for m := GET; m < methodCount; m++ {
			i := slices.IndexFunc(ranked, func(e int) bool { return entries[e].permits(m, name) })
			if i >= 0 {
				row[slot*int(methodCount)+int(m)] = uint32(ranked[i]) + 1
			}
		}
	}
	return row
}

// ranked returns the positions of the entries that cover col, best first:
// longer uri, then with ids of any kind before without, then list order.
func ranked(entries []Entry, col *Collection) []int {
	var ranked []int
	for i := range entries {
		if entries[i].covers(col) {
			ranked = append(ranked, i)
		}
	}
	slices.SortStableFunc(ranked, func(i, j int) int {
		x, y := &entries[i], &entries[j]
		if d := len(y.URI) - len(x.URI); d != 0 {
			return d
		}
		return rankRule(x.Rule) - rankRule(y.Rule)
	})
	return ranked
}

func rankRule(r IDRule) int {
	if r == IDsAbsent {
		return 1
	}
	return 0
}

// orders remembers the orders of one catalogue by what they depend on. A policy
// of 100,000 tokens has a few dozen kinds of ACLs. Nobody asks it on the way of
// a request whose token is compiled already.
type orders struct {
	mu     sync.Mutex
	byKind map[string]*order
}

// Bounds of what is remembered. Beyond them an ACL has an order of its own.
const (
	maxOrders    = 512
	maxKindBytes = 4096
)

// of returns the order of entries.
func (o *orders) of(entries []Entry, c *Catalogue) *order {
	var room [256]byte
	kind := room[:0]
	for i := range entries {
		if kind = entries[i].AppendKind(kind); len(kind) > maxKindBytes {
			return newOrder(entries, c)
		}
	}
	if known := o.known(kind); known != nil {
		return known
	}
	made := newOrder(entries, c)
	made.shared = true
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byKind == nil || len(o.byKind) >= maxOrders {
		o.byKind = make(map[string]*order) // those of policies gone by go with them
	}
	o.byKind[string(kind)] = made
	return made
}

func (o *orders) known(kind []byte) *order {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byKind[string(kind)]
}
