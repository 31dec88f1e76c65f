package index

import (
	"slices"
	"strings"
	"time"
)

// Stats is what the index counts.
type Stats struct {
	Worked, Failed uint64 // readings, for the life of the process
	Collections    []CollectionStats
}

// CollectionStats is what is known of one collection.
type CollectionStats struct {
	Collection string
	Members    bool          // not the items, but which of them belong to groups
	Items      int           // or members, when it was read
	Age        time.Duration // since the reading began; -1: it was never read
	Stale      bool          // requests that need it are answered 503
}

// Stats returns what is known of every collection that is needed, in the order of their names.
func (x *ItemIndex) Stats() Stats {
	s := Stats{Worked: x.worked.Load(), Failed: x.failed.Load()}
	state := x.state.Load()
	for i, c := range x.opt.Catalogue.Collections {
		if overlay := state.overlays[i]; overlay != nil {
			s.Collections = append(s.Collections, x.withAge(CollectionStats{Collection: c.URI, Items: len(overlay.base.ids)}, overlay.began))
		}
		if l := state.members[i]; l != nil {
			s.Collections = append(s.Collections, x.withAge(CollectionStats{Collection: c.URI, Members: true, Items: len(l.members)}, l.began))
		}
	}
	slices.SortStableFunc(s.Collections, func(a, b CollectionStats) int { return strings.Compare(a.Collection, b.Collection) })
	return s
}

func (x *ItemIndex) withAge(p CollectionStats, began time.Time) CollectionStats {
	if p.Age = -1; !began.IsZero() {
		p.Age = time.Since(began)
	}
	p.Stale = x.old(began)
	return p
}
