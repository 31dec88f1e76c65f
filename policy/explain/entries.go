package explain

import (
	"fmt"
	"slices"
	"strings"

	"aclgate/policy"
)

// question is what an ACL is asked: who permits method on a slot of a collection? It is answered
// here a second time, entry by entry and in words; the engine has compiled the answer at load.
type question struct {
	collection *policy.Collection
	slot       int
	method     policy.Method
	creates    bool // the collection itself is addressed
}

func (q question) String() string {
	c := q.collection.URI
	switch {
	case q.creates:
		return fmt.Sprintf("%s on the collection %s", q.method, c)
	case q.slot == policy.SlotItem:
		return fmt.Sprintf("%s on %s", q.method, c)
	}
	return fmt.Sprintf("%s on the submodule %s of %s", q.method, q.submodule(), c)
}

func (q question) submodule() string { return q.collection.Submodules[q.slot] }

// covers reports whether uri is the collection's or its module, compared segment by segment.
func (q question) covers(uri string) bool {
	entry, own := strings.Split(uri, "/"), strings.Split(q.collection.EntryURI, "/")
	return uri != "" && len(entry) <= len(own) && slices.Equal(entry, own[:len(entry)])
}

// fault says why an entry that covers the collection does not permit what is asked, "" when it
// does.
func (q question) fault(e *policy.Entry) string {
	name := q.submodule()
	switch {
	case q.slot == policy.SlotItem || !e.HasSubmodules && q.slot != policy.SlotCID:
		if e.Methods.Permits(q.method) {
			return ""
		}
		if e.Methods == 0 {
			return "it names no methods"
		}
		return "its methods lack " + q.method.String()
	case !e.HasSubmodules:
		return "it does not name the submodule cid, which moving an item takes"
	case len(e.Submodules) == 0:
		return "its list of submodules is empty, which permits nothing below the item"
	}
	named := false
	for _, s := range e.Submodules {
		if s.Name == name && s.Methods.Permits(q.method) {
			return ""
		}
		named = named || s.Name == name
	}
	if named {
		return "it names the submodule " + name + " without " + q.method.String()
	}
	return "it names its submodules, and " + name + " is not among them"
}

// below says why a ranks below b, "" when it does not (SPEC 4.1).
func below(a, b *policy.Entry) string {
	switch {
	case len(a.URI) != len(b.URI):
		if len(a.URI) < len(b.URI) {
			return "a shorter uri"
		}
	case (a.Rule == policy.IDsAbsent) != (b.Rule == policy.IDsAbsent):
		if a.Rule == policy.IDsAbsent {
			return "no ids"
		}
	case a.Number > b.Number:
		return "later in the list"
	}
	return ""
}

// ranked returns the entries that cover the collection, best first, and the others in list order.
func (q question) ranked(entries []policy.Entry) (covering, others []*policy.Entry) {
	for i := range entries {
		e := &entries[i]
		if q.covers(e.URI) {
			covering = append(covering, e)
		} else {
			others = append(others, e)
		}
	}
	slices.SortFunc(covering, func(a, b *policy.Entry) int {
		switch {
		case a == b:
			return 0
		case below(a, b) != "":
			return 1
		}
		return -1
	})
	return covering, others
}

// winner returns the entry that decides, or nil.
func (q question) winner(covering []*policy.Entry) *policy.Entry {
	for _, e := range covering {
		if q.fault(e) == "" {
			return e
		}
	}
	return nil
}

// choice answers a question in words.
func (x *explainer) choice(q question) Choice {
	covering, others := q.ranked(x.in.Token.ACL.Entries())
	win := q.winner(covering)
	c := Choice{For: q.String()}
	for _, e := range covering {
		line := x.entry(e)
		line.Covers = true
		fault := q.fault(e)
		switch {
		case e == win:
			c.Chosen, line.Chosen = e.Number, true
			line.Why = "decides" + q.but(e)
		case fault != "":
			line.Why = fault
		default:
			line.Why = fmt.Sprintf("would permit it, but ranks below entry %d: %s", win.Number, below(e, win))
		}
		c.Entries = append(c.Entries, line)
	}
	for _, e := range others {
		line := x.entry(e)
		line.Why = "its uri does not cover " + q.collection.EntryURI
		if line.NearMiss = strings.HasPrefix(q.collection.EntryURI, e.URI); line.NearMiss {
			line.Why += ": it has to end with a whole segment"
		}
		c.Entries = append(c.Entries, line)
	}
	return c
}

func (x *explainer) entry(e *policy.Entry) Entry {
	return Entry{Number: e.Number, Place: x.place(e.Line), URI: clean(e.URI), Says: says(e)}
}

// but completes the line of a chosen entry that does not help after all.
func (q question) but(e *policy.Entry) string {
	if q.creates && e.Rule != policy.IDsAbsent {
		return ", but it has ids, so it cannot create items"
	}
	return ""
}

// says prints an entry on one line.
func says(e *policy.Entry) string {
	parts := []string{clean(e.URI) + " " + methodList(e.Methods)}
	switch e.Rule {
	case policy.IDsAbsent:
		parts = append(parts, "no ids")
	case policy.IDsList:
		parts = append(parts, "ids "+shortIDs(e.IDs.IDs()))
	default:
		parts = append(parts, "ids "+e.Rule.String())
	}
	if e.HasSubmodules {
		var subs []string
		for _, s := range e.Submodules {
			subs = append(subs, clean(s.Name)+" "+methodList(s.Methods))
		}
		parts = append(parts, "submodules ["+strings.Join(subs, ", ")+"]")
	}
	return strings.Join(parts, ", ")
}

func methodList(set policy.MethodSet) string {
	if set == 0 {
		return "without methods"
	}
	return strings.ReplaceAll(set.String(), ", ", " ")
}
