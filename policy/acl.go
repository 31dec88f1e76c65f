package policy

import (
	"slices"
	"strings"
)

// IDRule says which items an entry is about (SPEC 4.2).
type IDRule uint8

// The rules. IDsAbsent is the only one that permits to create.
const (
	IDsAbsent IDRule = iota
	IDsAll
	IDsList
	IDsInGroups
)

var idRuleNames = [...]string{"absent", "all", "list", "in-groups"}

// String returns the word for explain.
func (r IDRule) String() string { return idRuleNames[r] }

// Entry is one access control entry of a token's ACL, as it was loaded.
type Entry struct {
	URI        string
	Methods    MethodSet
	Rule       IDRule
	IDs        IDSet // of IDsList
	Submodules []Submodule
	Named      bool // submodules were given, even if none: nothing is inherited
	Line       int  // in the policy file, 0: unknown
	Number     int  // its place in the ACL, from 1; NewACL fills it in
}

// Submodule is one submodule that an entry names, with its own methods.
type Submodule struct {
	Name    string
	Methods MethodSet
}

// Limited reports whether the entry is about some items only: an id list, or
// the members of groups (SPEC 1).
func (e *Entry) Limited() bool { return e.Rule == IDsList || e.Rule == IDsInGroups }

// Covers reports whether the entry is about a collection, whatever it permits.
func (e *Entry) Covers(c *Collection) bool { return e.covers(c) }

// covers reports whether the entry's uri equals the collection's, or its
// module, on whole segments (SPEC 4.1).
func (e *Entry) covers(c *Collection) bool {
	rest, found := strings.CutPrefix(c.EntryURI, e.URI)
	return found && e.URI != "" && (rest == "" || rest[0] == '/')
}

// permits reports whether the entry permits m on the submodule called name, or
// on the item for "". A named submodule has its own methods and inherits none,
// not even GET; to move an item has to be named [G].
func (e *Entry) permits(m Method, name string) bool {
	if name == "" || !e.Named && name != "cid" {
		return e.Methods.Permits(m)
	}
	for _, s := range e.Submodules {
		if s.Name == name && s.Methods.Permits(m) {
			return true
		}
	}
	return false
}

// ACL is the compiled list of entries of a token: for every collection, slot
// and method the one entry that decides. It is immutable and shared.
type ACL struct {
	entries []Entry
	rows    []aclRow // one per collection that some entry covers, by index
}

// aclRow holds, for each slot and method, 1 + the position of the entry that
// decides; 0 is nobody.
type aclRow struct {
	collection int
	best       []uint32
}

// NewACL compiles entries for a catalogue. The choice of SPEC 4.1 is made
// here, once; at run time it is a look-up.
func NewACL(entries []Entry, c *Catalogue) *ACL {
	a := &ACL{entries: slices.Clone(entries)}
	for i := range a.entries {
		a.entries[i].Number = i + 1
	}
	for _, col := range c.Collections {
		if row, any := a.row(col); any {
			a.rows = append(a.rows, row)
		}
	}
	return a
}

func (a *ACL) row(col *Collection) (aclRow, bool) {
	ranked := a.ranked(col)
	if len(ranked) == 0 {
		return aclRow{}, false
	}
	row := aclRow{col.Index, make([]uint32, len(col.Submodules)*int(methodCount))}
	for slot, name := range col.Submodules {
		for m := GET; m < methodCount; m++ {
			i := slices.IndexFunc(ranked, func(e int) bool { return a.entries[e].permits(m, name) })
			if i >= 0 {
				row.best[slot*int(methodCount)+int(m)] = uint32(ranked[i]) + 1
			}
		}
	}
	return row, true
}

// ranked returns the positions of the entries that cover col, best first:
// longer uri, then with ids of any kind before without, then list order.
func (a *ACL) ranked(col *Collection) []int {
	var ranked []int
	for i := range a.entries {
		if a.entries[i].covers(col) {
			ranked = append(ranked, i)
		}
	}
	slices.SortStableFunc(ranked, func(i, j int) int {
		x, y := &a.entries[i], &a.entries[j]
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

func (a *ACL) find(c *Collection) *aclRow {
	if a == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(a.rows, c.Index, func(r aclRow, want int) int { return r.collection - want })
	if !found {
		return nil
	}
	return &a.rows[i]
}

// Choose returns the one entry that decides about m on a slot of c, or nil
// when none permits it.
func (a *ACL) Choose(c *Collection, slot int, m Method) *Entry {
	row := a.find(c)
	if row == nil || m >= methodCount {
		return nil
	}
	i := row.best[slot*int(methodCount)+int(m)]
	if i == 0 {
		return nil
	}
	return &a.entries[i-1]
}

// Covers reports whether any entry is about c, whatever it permits.
func (a *ACL) Covers(c *Collection) bool { return a.find(c) != nil }

// Entries returns the entries in list order. They must not be changed.
func (a *ACL) Entries() []Entry {
	if a == nil {
		return nil
	}
	return a.entries
}
