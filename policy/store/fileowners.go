package store

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"aclgate/config/strict"
	"aclgate/policy"
)

// Span is a run of items of one account, both ends included.
type Span struct{ First, Last, CID int64 }

// owners is what a policy file says of items: by collection, runs that do not meet, ascending.
type owners map[string][]Span

// owner returns the account of an item.
func (o owners) owner(collection string, id int64) (cid int64, found bool) {
	spans := o[collection]
	n, found := slices.BinarySearchFunc(spans, id, func(s Span, id int64) int { return cmp.Compare(s.First, id) })
	if !found {
		n--
	}
	if n < 0 || id > spans[n].Last {
		return 0, false
	}
	return spans[n].CID, true
}

// ParseSpan reads an id, or two of them with a minus between: 7, 100-199.
func ParseSpan(text string) (s Span, err error) {
	first, last, isRun := strings.Cut(text, "-")
	a, okFirst := strict.ParseID(first)
	b, okLast := a, true
	if isRun {
		b, okLast = strict.ParseID(last)
	}
	if !okFirst || !okLast || a > b {
		return s, errors.New("expected an id such as 7, or two such as 100-199, the lower one first")
	}
	return Span{First: a, Last: b}, nil
}

// spanAt is a run and where it stands.
type spanAt struct {
	Span
	at   strict.Pos
	path string
}

// readOwners reads owners: by collection and account, lists of ids and of runs of ids.
func (r *reader) readOwners(n *strict.Node) {
	if n == nil {
		return
	}
	collections, _ := n.Pairs()
	for i := range collections {
		c := &collections[i]
		if r.lint.catalogue != nil && !hasOwners(r.lint.catalogue, c.Key()) {
			r.warnAbout(c, "no collection of items with accounts is called %q", c.Key())
		}
		var spans []spanAt
		accounts, _ := c.Pairs()
		for j := range accounts {
			spans = append(spans, r.readSpans(&accounts[j])...)
		}
		r.keepSpans(c.Key(), spans)
	}
}

// hasOwners reports whether a collection is one whose items belong to accounts.
func hasOwners(cat *policy.Catalogue, uri string) bool {
	return slices.ContainsFunc(cat.Collections, func(c *policy.Collection) bool {
		return c.URI == uri && c.Scoped && c.IDs == policy.IDInt
	})
}

// readSpans reads what one account has.
func (r *reader) readSpans(account *strict.Node) (spans []spanAt) {
	cid, ok := strict.ParseID(account.Key())
	if !ok {
		r.fault(account.KeyPos(), "%s: expected the id of an account as key", account.Path())
	} else if _, found := r.policy.Tree.Account(cid); !found {
		r.fault(account.KeyPos(), "%s: no account has the id %d", account.Path(), cid)
	}
	read := strict.Parsed("an id, or a run of ids such as 100-199", ParseSpan)
	for _, n := range account.List() {
		if s, ok := read(n); ok {
			s.CID = cid
			spans = append(spans, spanAt{s, n.Pos(), n.Path()})
		}
		r.pace.step()
	}
	return spans
}

// keepSpans keeps the runs of a collection. An item that is said to belong to two is a fault: nothing
// tells which of them is meant.
func (r *reader) keepSpans(collection string, spans []spanAt) {
	slices.SortFunc(spans, func(a, b spanAt) int { return cmp.Compare(a.First, b.First) })
	kept := make([]Span, 0, len(spans))
	for _, s := range spans {
		last := len(kept) - 1
		switch {
		case last < 0 || s.First > kept[last].Last:
			if last >= 0 && s.First == kept[last].Last+1 && s.CID == kept[last].CID {
				kept[last].Last = s.Last
				continue
			}
			kept = append(kept, s.Span)
		case s.CID != kept[last].CID:
			r.fault(s.at, "%s: item %d belongs to account %d already", s.path, s.First, kept[last].CID)
		default:
			kept[last].Last = max(kept[last].Last, s.Last)
		}
	}
	if len(kept) == 0 {
		return
	}
	if r.policy.owners == nil {
		r.policy.owners = owners{}
	}
	r.policy.owners[collection] = kept
}

// Owner returns the account of an item; found is false where nothing says so.
func (p *Policy) Owner(collection string, id int64) (cid int64, found bool) {
	return p.owners.owner(collection, id)
}

// Owners yields what the policy says of items: by collection, runs that do not meet, ascending.
func (p *Policy) Owners(yield func(collection string, spans []Span) bool) {
	names := make([]string, 0, len(p.owners))
	for name := range p.owners {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !yield(name, p.owners[name]) {
			return
		}
	}
}

// Owner returns the account of an item by the file that is obeyed.
func (f *File) Owner(collection string, id int64) (cid int64, found bool) {
	return f.current.Load().policy.Owner(collection, id)
}

// String writes a run as ParseSpan reads it.
func (s Span) String() string {
	text := strconv.FormatInt(s.First, 10)
	if s.First != s.Last {
		text += "-" + strconv.FormatInt(s.Last, 10)
	}
	return text
}
