package policy

import "slices"

// Decision is the outcome for one request. It is reused: its slices are valid until the next
// Decide.
type Decision struct {
	Verdict   Verdict
	Reason    Reason
	Entry     *Entry             // the one that decided; nil without ACL or when none did
	Selectors []SelectorDecision // one per selector of the request, in path order

	// OnlyAccountScope tells that nothing but the account scope limits the request: no id list
	// keeps the caller from a foreign item.
	OnlyAccountScope bool

	// Reach is how many items the write would reach that is refused as WriteTooWide.
	Reach int

	// Element is the element of the body that was refused.
	Element Keys

	fields   SlotSet // submodules that the lists of fields reach into
	dropStar bool    // "*" is left out of fields when printed
	data     []byte  // printed in the place of the data that was asked; nil: that

	right                 right    // what Entry is a part of
	kept, denied, unknown []int64  // what the selectors alias
	sorted                []int64  // the ids of the first selector, for JudgeElement
	granted               *granted // what there is beside the branch; nil: the Decision was never used for that
}

// Uncounted is the reach of a write of which only the backend knows what it reaches.
const Uncounted = -1

// SelectorDecision is the outcome for one selector.
type SelectorDecision struct {
	As      PrintAs
	IDs     []int64 // permitted; in the order asked, or ascending
	Text    Printed // IDs printed, empty: not yet
	Denied  []int64 // asked for by number and not permitted, in the order asked
	Unknown []int64 // Unresolved: ids that the index does not know to be in the scope
	Match   bool    // Unresolved: the match has to be resolved
	Ask     []int64 // Match: the items that it may be asked for; empty: all
	Alone   bool    // Match: the backend knows all that limits the caller here
	Refused bool    // the backend refused to resolve the match
	Whole   bool    // IDs are all that the scope holds: "all" under it says the same
	Fields  SlotSet // submodules of the items that the request reaches into by fields
}

// PrintAs says how a selector is printed. The zero value is nothing at all: one that was not judged
// cannot be printed into something wider.
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

func (d *Decision) reset() {
	*d = Decision{
		Selectors: d.Selectors[:0], kept: d.kept[:0], denied: d.denied[:0], unknown: d.unknown[:0], sorted: d.sorted[:0],
		granted: d.granted,
	}
	if d.granted != nil {
		d.granted.reset()
	}
}

// Copy returns a Decision of its own that is printed like d.
func (d *Decision) Copy() Decision {
	return Decision{Selectors: slices.Clone(d.Selectors), dropStar: d.dropStar, data: d.data}
}

func (d *Decision) end(v Verdict, r Reason) { d.Verdict, d.Reason = v, r }

// conclude turns the outcomes of the selectors into one verdict. One selector with nothing left is
// enough to forward nothing: a wider or an empty selector must never take its place.
func (d *Decision) conclude() {
	unresolved, empty, changed, refused := false, false, false, false
	for i := range d.Selectors {
		p := &d.Selectors[i]
		unresolved = unresolved || p.Match || len(p.Unknown) > 0
		empty = empty || p.As == AsNothing || p.As == AsIDs && len(p.IDs) == 0
		changed = changed || p.As != AsAsked
		refused = refused || p.Refused
	}
	switch {
	case unresolved:
		d.end(Unresolved, NotJudged)
	case empty && d.DeniedCount() > 0:
		d.end(Deny, DeniedItems)
	case empty && refused:
		d.end(Deny, MatchRefused)
	case empty:
		d.end(Deny, NothingLeft)
	case changed:
		d.end(Narrow, Narrowed)
	default:
		d.end(Allow, Permitted)
	}
}

// DeniedCount returns how many ids were asked for by number and are denied.
func (d *Decision) DeniedCount() int {
	n := 0
	for i := range d.Selectors {
		n += len(d.Selectors[i].Denied)
	}
	return n
}
