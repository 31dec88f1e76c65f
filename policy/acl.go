package policy

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"
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

// Entry is one access control entry of a token's ACL, as it was loaded. What a request reads of the
// one that was chosen comes first: with 10,000 tokens in turn it is the cache lines that cost.
type Entry struct {
	IDs           IDSet // of IDsList
	Methods       MethodSet
	Rule          IDRule
	HasSubmodules bool // submodules were given, even if none: nothing is inherited
	Line          int  // in the policy file, 0: unknown
	Number        int  // its place in the ACL, from 1; NewACL fills it in
	URI           string
	Submodules    []Submodule
	Topic         string  // of an mqtt entry: the filter of the topics that it is about; "": none
	Actions       Actions // of an mqtt entry: what it permits with these topics
}

// Actions is a set of what an mqtt entry permits with topics. The zero value permits nothing.
type Actions uint8

// The actions.
const (
	Publish Actions = 1 << iota
	Subscribe
)

// Append appends the actions in their fixed order, separated by ", ".
func (a Actions) Append(dst []byte) []byte {
	if a&Publish != 0 {
		dst = append(dst, "publish"...)
	}
	if a&Publish != 0 && a&Subscribe != 0 {
		dst = append(dst, ", "...)
	}
	if a&Subscribe != 0 {
		dst = append(dst, "subscribe"...)
	}
	return dst
}

// String is Append for texts that are read by people.
func (a Actions) String() string { return string(a.Append(nil)) }

// Submodule is one submodule that an entry names, with its own methods.
type Submodule struct {
	Name    string
	Methods MethodSet
}

// Limited reports whether the entry is about some items only: an id list, or the members of groups
// (SPEC 1).
func (e *Entry) Limited() bool { return e.Rule == IDsList || e.Rule == IDsInGroups }

// Covers reports whether the entry is about a collection, whatever it permits: its uri equals the
// collection's, or its module, on whole segments (SPEC 4.1).
func (e *Entry) Covers(c *Collection) bool {
	rest, found := strings.CutPrefix(c.EntryURI, e.URI)
	return found && e.URI != "" && (rest == "" || rest[0] == '/')
}

// permits reports whether the entry permits m on the submodule called name, or on the item for "".
// A named submodule has its own methods and inherits none, not even GET; to move an item has to be
// named [G].
func (e *Entry) permits(m Method, name string) bool {
	if name == "" || !e.HasSubmodules && name != "cid" {
		return e.Methods.Permits(m)
	}
	for _, s := range e.Submodules {
		if s.Name == name && s.Methods.Permits(m) {
			return true
		}
	}
	return false
}

// AppendShape appends all of an entry but its ids, its topic and its place: what the choice between
// entries depends on. Lengths come before texts, so that no two lists of entries are printed alike.
func (e *Entry) AppendShape(b []byte) []byte {
	b = strconv.AppendInt(b, int64(len(e.URI)), 10)
	b = append(append(b, ':'), e.URI...)
	b = append(b, byte(e.Methods), byte(e.Rule))
	if !e.HasSubmodules {
		return append(b, 0)
	}
	b = append(b, 1)
	b = append(strconv.AppendInt(b, int64(len(e.Submodules)), 10), ':')
	for _, s := range e.Submodules {
		b = append(strconv.AppendInt(b, int64(len(s.Name)), 10), ':')
		b = append(append(b, s.Name...), byte(s.Methods))
	}
	return b
}

// ACL is the compiled list of entries of a token: for every collection, slot and method the one
// entry that decides. It is immutable and shared.
type ACL struct {
	selection *selection
	entries   []Entry
}

// NewACL compiles entries for a catalogue. The choice of SPEC 4.1 is made here, once; at run time
// it is a look-up.
func NewACL(entries []Entry, c *Catalogue) *ACL {
	a := &ACL{entries: slices.Clone(entries)}
	for i := range a.entries {
		a.entries[i].Number = i + 1
	}
	a.selection = c.selections.of(a.entries, c)
	return a
}

// Choose returns the one entry that decides about m on a slot of c, or nil when none permits it.
func (a *ACL) Choose(c *Collection, slot int, m Method) *Entry {
	if a == nil || m >= methodCount {
		return nil
	}
	row := a.selection.of(c).row
	if row == nil {
		return nil
	}
	i := row[slot*int(methodCount)+int(m)]
	if i == 0 {
		return nil
	}
	return &a.entries[i-1]
}

// Covers reports whether any entry is about c, whatever it permits.
func (a *ACL) Covers(c *Collection) bool { return a != nil && a.selection.of(c).row != nil }

// Entries returns the entries in list order. They must not be changed.
func (a *ACL) Entries() []Entry {
	if a == nil {
		return nil
	}
	return a.entries
}

// Size returns the bytes that the ACL keeps alive, but for what it shares with others of its kind.
func (a *ACL) Size() int {
	if a == nil {
		return 0
	}
	size := int(unsafe.Sizeof(*a))
	for i := range a.entries {
		size += int(unsafe.Sizeof(a.entries[i])) + a.entries[i].IDs.size() + len(a.entries[i].Topic)
	}
	if a.selection.shared {
		return size
	}
	for _, s := range a.selection.rows {
		size += int(unsafe.Sizeof(s)) + len(s.row)*int(unsafe.Sizeof(s.row[0]))
	}
	return size
}
