package policy

import (
	"slices"
	"sync"
)

// selection says which entry of an ACL decides (SPEC 4.1), for each collection, slot and method. It
// does not depend on ids: tokens that differ in nothing else, which are most of the tokens of a
// policy, share one, and it stays in the processor's cache when what is the token's own does not.
type selection struct {
	rows   []selected // by index of the collection
	shared bool       // the catalogue remembers it
}

// selected is what the entries say of one collection.
type selected struct {
	row     []uint32 // for each slot and method 1 + the position of the entry that decides, 0: none; nil: no entry covers it
	guarded bool     // they name submodules, or there are several: fields are looked at (SPEC 2)
	split   bool     // who may read the item may not read each submodule of it
}

// of returns what the entries say of c.
func (s *selection) of(c *Collection) selected {
	if c.Index >= len(s.rows) {
		return selected{}
	}
	return s.rows[c.Index]
}

func newSelection(entries []Entry, c *Catalogue) *selection {
	s := &selection{rows: make([]selected, len(c.Collections))}
	for i, col := range c.Collections {
		s.rows[i] = newSelected(entries, col)
	}
	return s
}

// newSelected returns what entries say of one collection.
func newSelected(entries []Entry, col *Collection) selected {
	ranked := ranked(entries, col)
	if len(ranked) == 0 {
		return selected{}
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
	names := func(e int) bool { return entries[e].HasSubmodules }
	split := false
	for slot := range col.Submodules {
		split = split || slot != SlotCID && row[slot*int(methodCount)+int(GET)] != row[int(GET)]
	}
	return selected{row: row, guarded: len(ranked) > 1 || slices.ContainsFunc(ranked, names), split: split}
}

// ranked returns the positions of the entries that cover col, best first: longer uri, then with ids
// of any kind before without, then list order.
func ranked(entries []Entry, col *Collection) []int {
	var ranked []int
	for i := range entries {
		if entries[i].Covers(col) {
			ranked = append(ranked, i)
		}
	}
	slices.SortStableFunc(ranked, func(i, j int) int {
		x, y := &entries[i], &entries[j]
		if d := len(y.URI) - len(x.URI); d != 0 {
			return d
		}
		return ruleRank(x.Rule) - ruleRank(y.Rule)
	})
	return ranked
}

func ruleRank(r IDRule) int {
	if r == IDsAbsent {
		return 1
	}
	return 0
}

// selectionCache keeps the selections of one catalogue by what they depend on, the shape of an ACL.
// A policy of 100,000 tokens has a few dozen shapes. It is not on the path of a request whose token
// is compiled already.
type selectionCache struct {
	mu      sync.Mutex
	byShape map[string]*selection
}

// Bounds of what is remembered. Beyond them an ACL has a selection of its own.
const (
	maxSelections = 512
	maxShapeBytes = 4096
)

// of returns the selection for entries.
func (c *selectionCache) of(entries []Entry, cat *Catalogue) *selection {
	var room [256]byte
	shape := room[:0]
	for i := range entries {
		if shape = entries[i].AppendShape(shape); len(shape) > maxShapeBytes {
			return newSelection(entries, cat)
		}
	}
	if known := c.known(shape); known != nil {
		return known
	}
	made := newSelection(entries, cat)
	made.shared = true
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byShape == nil || len(c.byShape) >= maxSelections {
		c.byShape = make(map[string]*selection) // those of policies gone by go with them
	}
	c.byShape[string(shape)] = made
	return made
}

func (c *selectionCache) known(shape []byte) *selection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byShape[string(shape)]
}
