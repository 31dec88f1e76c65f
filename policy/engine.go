package policy

// Mode says who enforces the account tree (SPEC 4.4).
type Mode uint8

// The modes of scope.mode.
const (
	ModeHeader Mode = iota // the backend, by x-flespi-cid
	ModeIDs                // the gateway, by its index
	ModeBoth
)

// Header reports whether forwarded requests carry x-flespi-cid.
func (m Mode) Header() bool { return m != ModeIDs }

// Index reports whether the gateway knows whose an item is.
func (m Mode) Index() bool { return m != ModeHeader }

// Engine judges requests by what the settings say. It is immutable.
type Engine struct {
	Catalogue    *Catalogue
	Query        []string // policy.query: further parameter names
	MaxIDs       int      // policy.max_ids, 0: no bound
	Mode         Mode     // scope.mode
	DenyMatch    bool     // scope.match: deny
	StrictLinks  bool     // scope.linked: strict
	MasterRoutes bool     // policy.unknown_routes: master
	ForwardKeys  bool     // policy.backend_keys: forward
	CallersKey   bool     // upstream.token_file is empty: the caller's own credential goes upstream
	Unenforced   bool     // policy.enforce is false
}

// Scope is the branch that a request may touch, with what is known about the
// items in it.
type Scope struct {
	CID   int64
	Tree  *Tree
	Items Items // nil in header mode, but where groups have to be known
}

// Items tells whose an item is: one snapshot for one request. Implementations
// are in upstream; the engine only asks.
type Items interface {
	// Account returns the account of an item of c, and whether it is known.
	Account(c *Collection, id int64) (cid int64, known bool)
	// Of returns the ids of the items of c in the branch of cid, ascending.
	// It must not be changed.
	Of(c *Collection, cid int64) []int64
	// Members returns the ids of the items of c that belong to a group of
	// groups, ascending. It must not be changed.
	Members(c *Collection, groups []int64) []int64
}

// Scope finds the branch for a request of tok: that of its own account, or
// that of asked when asked is not 0 and lies in it. Any other account is
// ForeignAccount, whether it exists or not (SPEC 4.4).
func (l *Engine) Scope(tree *Tree, tok *Token, asked int64) (Scope, Reason) {
	s := Scope{CID: tok.CID, Tree: tree}
	if asked != 0 {
		s.CID = asked
	}
	if !tree.Contains(tok.CID, s.CID) {
		return Scope{}, ForeignAccount
	}
	return s, NotJudged
}

// Decision is what the engine says about one request. It is reused: its slices
// are valid until the next Decide.
type Decision struct {
	Verdict   Verdict
	Reason    Reason
	Entry     *Entry             // the one that decided; nil without ACL or when none did
	Selectors []SelectorDecision // one per selector of the request, in path order

	// OnlyAccountScope tells that nothing but the account scope limits the request:
	// no id list stands between the caller and a foreign item.
	OnlyAccountScope bool

	// Account is the account that was asked for in vain; for the answer.
	Account int64

	right                 right   // what Entry is a part of
	kept, denied, unknown []int64 // what the parts alias
	sorted                []int64 // the ids of the first part, for JudgeElement
}

// SelectorDecision is what became of one selector.
type SelectorDecision struct {
	As      PrintAs
	IDs     []int64 // permitted; in the order asked, or ascending
	Text    Printed // IDs printed, empty: not yet
	Denied  []int64 // asked for by number and not permitted, in the order asked
	Unknown []int64 // Unresolved: ids that the index does not place in the scope
	Match   bool    // Unresolved: the match has to be resolved
	Whole   bool    // IDs are all that the scope holds: "all" under it says the same
}

// PrintAs says how a part is printed. The zero value is nothing at all: a part
// that nobody judged cannot be printed into something wider.
type PrintAs uint8

// The ways.
const (
	AsNothing PrintAs = iota
	AsAsked
	AsIDs
)

func (p *SelectorDecision) appendTo(dst []byte, s *Selector) []byte {
	switch {
	case p.As == AsAsked:
		return appendSelector(dst, s)
	case p.As == AsIDs && p.Text.Len() > 0:
		return append(dst, p.Text.text...)
	case p.As == AsIDs:
		return appendIDs(dst, p.IDs)
	}
	return dst
}

// Resolved is what had to be asked of the backend before a request could be
// judged. The zero value knows nothing.
type Resolved struct {
	Matches  []ResolvedMatch // resolved matches by position of the selector
	LookedUp bool            // unknown ids were looked up: what Items does not know is not there
}

// ResolvedMatch holds the ids that a match named, ascending.
type ResolvedMatch struct {
	Selector int
	IDs      []int64
}

func (f *Resolved) match(selector int) ([]int64, bool) {
	if f == nil {
		return nil, false
	}
	for _, m := range f.Matches {
		if m.Selector == selector {
			return m.IDs, true
		}
	}
	return nil, false
}

func (d *Decision) reset() {
	*d = Decision{
		Selectors: d.Selectors[:0], kept: d.kept[:0], denied: d.denied[:0], unknown: d.unknown[:0], sorted: d.sorted[:0],
	}
}

func (d *Decision) end(v Verdict, r Reason) { d.Verdict, d.Reason = v, r }

// DeniedCount returns how many ids were asked for by number and are denied.
func (d *Decision) DeniedCount() int {
	n := 0
	for i := range d.Selectors {
		n += len(d.Selectors[i].Denied)
	}
	return n
}
