package upstream

import (
	"slices"
	"strings"
	"time"
)

// IndexStats is what the index counts.
type IndexStats struct {
	Worked, Failed uint64 // readings, for the life of the process
	Parts          []IndexPart
}

// IndexPart is what is known of one collection.
type IndexPart struct {
	Collection string
	Members    bool          // not the items, but which of them belong to groups
	Items      int           // or members, when it was read
	Age        time.Duration // since the reading began; -1: it was never read
	Stale      bool          // requests that need it are answered 503
}

// Stats returns what is known of every collection that is needed, in the order of their
// names.
func (x *Index) Stats() IndexStats {
	s := IndexStats{Worked: x.worked.Load(), Failed: x.failed.Load()}
	state := x.state.Load()
	for i, c := range x.opt.Catalogue.Collections {
		if stock := state.stocks[i]; stock != nil {
			s.Parts = append(s.Parts, x.partOf(IndexPart{Collection: c.URI, Items: len(stock.base.ids)}, stock.began))
		}
		if l := state.members[i]; l != nil {
			s.Parts = append(s.Parts, x.partOf(IndexPart{Collection: c.URI, Members: true, Items: len(l.members)}, l.began))
		}
	}
	slices.SortStableFunc(s.Parts, func(a, b IndexPart) int { return strings.Compare(a.Collection, b.Collection) })
	return s
}

func (x *Index) partOf(p IndexPart, began time.Time) IndexPart {
	if p.Age = -1; !began.IsZero() {
		p.Age = time.Since(began)
	}
	p.Stale = x.old(began)
	return p
}

// count notes how a reading has ended.
func (x *Index) count(err error) {
	if err != nil {
		x.failed.Add(1)
	} else {
		x.worked.Add(1)
	}
}
