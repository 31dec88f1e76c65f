package probe

import (
	"errors"
	"slices"
	"time"

	"aclgate/policy"
	"aclgate/upstream"
	"aclgate/upstream/listing"
)

// look is one check. Pages are read under leaf accounts in turn.
//
// A row of another account of the tree means that the header is ignored if it is there under a
// second leaf, too: shared with the first alone, it proves nothing. A row without an account, or of
// one that the tree does not know, which may have been made a moment ago, proves nothing either, so
// that no tenant can close the gateway for others. But if no leaf that shows rows, two at least
// where there are two, shows one of its own, then the header is not obeyed: one tenant alone cannot
// bring that about.
//
// A leaf's own rows mean that the header is obeyed if they are not there under a second leaf.
type look struct {
	*Probe
	tree   *policy.Tree
	leaves []int64
	answer upstream.Answer
	found  Result
	own    map[int64]bool // leaves that showed rows: whether some were their own
	odd    Result         // the first leaf without rows of its own
	warned int

	answered bool  // some page was a list, or an answer that says there is none for that account
	refused  error // the first other answer
}

// maxWarnings bounds what one check says of rows that prove nothing.
const maxWarnings = 3

// pageFor is how long one page may take; an answer may never end.
const pageFor = time.Minute

// page is what one leaf shows of a collection.
type page struct {
	collection *policy.Collection
	leaf       int64
	rows       []row
	foreign    row // the first row of another account of the tree
	unknown    row // the first row of no account that the tree knows
	own        bool
}

// row is an item and its account. The zero row is none; named without an id, all items are one.
type row struct {
	is      bool
	id, cid int64
}

// read reads one page. A backend that does not know the account or the collection has shown no
// rows, and so has one that answers it with a fault. Where all it answers are faults, such as those of
// a proxy in front of a backend that is down, nothing was seen.
func (l *look) read(c *policy.Collection, leaf int64) (*page, error) {
	q := listing.Query{
		Target: []byte("/" + c.URI + "/all?fields=id%2Ccid"), CID: leaf, Columns: listing.Columns{Names: []string{"id", "cid"}},
		Deadline: time.Now().Add(pageFor),
	}
	p := &page{collection: c, leaf: leaf}
	l.found.Probes++
	err := l.lister.Page(&l.answer, &q, listing.PageRows, func(r *listing.Row) bool {
		p.add(l.tree, row{true, r.ID[0], r.ID[1]})
		// A page that ignores its limit as well need not be read to its end.
		return len(p.rows) < listing.PageRows
	})
	var refused *listing.AnswerError
	switch {
	case err == nil:
		l.answered = true
	case errors.As(err, &refused) && refused.Status != 429:
		switch refused.Status {
		case 403, 404, 405: // not for this account, or no such collection
			l.answered = true
		default:
			if l.refused == nil {
				l.refused = err
			}
		}
		return &page{collection: c, leaf: leaf}, nil
	}
	if err == nil && len(p.rows) > 0 {
		l.own[leaf] = l.own[leaf] || p.own
		if !p.own && l.odd.Account == 0 {
			l.odd = Result{Collection: c.URI, Account: leaf, Foreign: p.rows[0].cid}
		}
	}
	return p, err
}

// add takes a row of the page. An account that is none is 0, which no tree has.
func (p *page) add(tree *policy.Tree, r row) {
	p.rows = append(p.rows, r)
	_, known := tree.Account(r.cid)
	switch {
	case r.cid == p.leaf:
		p.own = true
	case known && !p.foreign.is:
		p.foreign = r
	case !known && !p.unknown.is:
		p.unknown = r
	}
}

// judge concludes what it can from a page, with those of other leaves.
func (l *look) judge(p *page) error {
	if p.unknown.is {
		l.warn("a row of an account that is not in the tree proves nothing about x-flespi-cid", p, p.unknown)
	}
	if p.foreign.is {
		return l.confirm(p)
	}
	second := l.leafBeside(p.leaf, 0)
	if !p.own || second == 0 && p.unknown.is {
		return nil
	}
	if second != 0 {
		other, err := l.read(p.collection, second)
		switch {
		case err != nil:
			return err
		case other.foreign.is:
			return l.confirm(other)
		}
	}
	l.say(Honoured, p, 0)
	return nil
}

// confirm finds out what a foreign row means: it may have been shared with that leaf. Another leaf
// tells, which neither showed nor owns it.
func (l *look) confirm(p *page) error {
	ignored := true
	if third := l.leafBeside(p.leaf, p.foreign.cid); third != 0 {
		other, err := l.read(p.collection, third)
		if err != nil {
			return err
		}
		ignored = other.repeats(l.tree, p)
	} else if second := l.leafBeside(p.leaf, 0); second != 0 && p.own {
		// The only other leaf is the owner. A deaf backend shows it the rows of the first, too.
		other, err := l.read(p.collection, second)
		if err != nil {
			return err
		}
		ignored = other.foreign.is
	}
	if ignored {
		l.say(Ignored, p, p.foreign.cid)
	} else {
		l.warn("a row of another account under one leaf alone proves nothing about x-flespi-cid", p, p.foreign)
	}
	return nil
}

// leafBeside returns the next leaf that is not of an account, 0 for none.
func (l *look) leafBeside(leaf, cid int64) int64 {
	at := slices.Index(l.leaves, leaf)
	for i := 1; i < len(l.leaves); i++ {
		if other := l.leaves[(at+i)%len(l.leaves)]; other != cid {
			return other
		}
	}
	return 0
}

// repeats reports whether a row that was foreign to another leaf is foreign here, too.
func (p *page) repeats(tree *policy.Tree, other *page) bool {
	ids := make(map[int64]bool, len(other.rows))
	for _, r := range other.rows {
		if r.cid != other.leaf {
			ids[r.id] = true
		}
	}
	for _, r := range p.rows {
		if _, known := tree.Account(r.cid); known && r.cid != p.leaf && ids[r.id] {
			return true
		}
	}
	return false
}

// say makes a verdict of what a page has shown.
func (l *look) say(v Support, p *page, foreign int64) {
	l.found.Support, l.found.Collection, l.found.Account, l.found.Foreign = v, p.collection.URI, p.leaf, foreign
}

// conclude is the end of a look that no page has decided.
func (l *look) conclude() {
	for _, own := range l.own {
		if own {
			return
		}
	}
	if len(l.own) > 0 && len(l.own) >= min(2, len(l.leaves)) {
		l.odd.Support, l.odd.Probes = Ignored, l.found.Probes
		l.found = l.odd
	}
}

func (l *look) warn(text string, p *page, r row) {
	if l.warned++; l.warned <= maxWarnings {
		l.Log.Warn(text, "collection", p.collection.URI, "asked_for_account", p.leaf, "item", r.id, "of_account", r.cid)
	}
}
