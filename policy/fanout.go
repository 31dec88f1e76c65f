package policy

import "slices"

// What follows is for lists that do not fit one target (SPEC 4.5). Both change how a Decision is
// printed, never what it permits.

// UseAll has every selector whose permitted ids are the whole scope printed as "all" again. Only a
// backend that obeys x-flespi-cid takes that for the same items, so it does nothing where no header
// goes upstream.
func (d *Decision) UseAll(m Mode) {
	for i := range d.Selectors {
		if p := &d.Selectors[i]; p.Whole && m.Header() {
			p.As = AsAsked
		}
	}
}

// FanOutIDs returns the ids that a request for r's own items may be divided by, in the order of the
// decision, or nil where its answer is not the sum of the answers for some of them: only a GET of
// items themselves or of what the answer has one element per item of, addressed by one list. A
// further list would have to be divided too, and parameters that sort or count are about the whole.
func (d *Decision) FanOutIDs(r *Request) []int64 {
	if r.Method != GET || r.Route == nil || !r.Route.Item || !r.Route.PerItem && r.Route.Path != "/{}" {
		return nil
	}
	for i := range r.Selectors[1:] {
		if r.Selectors[i+1].ByID() {
			return nil
		}
	}
	for _, p := range r.Query {
		if p.Name != paramFields && p.Name != paramLimit && p.Name != paramOffset {
			return nil
		}
	}
	switch p, s := &d.Selectors[0], &r.Selectors[0]; {
	case p.As == AsIDs:
		return p.IDs
	case p.As == AsAsked && s.Kind == SelectIDs:
		return s.IDs
	}
	return nil
}

// Remaining returns those of ids that d permits: ids, in any order, that FanOutIDs returned of an
// earlier decision about the same request.
func (d *Decision) Remaining(ids []int64) []int64 {
	p := &d.Selectors[0]
	if p.As == AsAsked {
		return ids
	}
	permitted := p.IDs
	if !slices.IsSorted(permitted) {
		permitted = slices.Sorted(slices.Values(permitted))
	}
	cur := cursor{set: permitted}
	remaining := make([]int64, 0, len(ids))
	for _, id := range ids {
		if cur.has(id) {
			remaining = append(remaining, id)
		}
	}
	return remaining
}

// SetIDs has the item's own selector printed as ids, which are some of those that FanOutIDs
// returned.
func (d *Decision) SetIDs(ids []int64) {
	p := &d.Selectors[0]
	p.As, p.IDs, p.Text, p.Whole = AsIDs, ids, Printed{}, false
}

// Page takes limit and offset out of the query and returns the ids of that page. Without either
// these are all ids, and no page.
func (r *Request) Page(ids []int64) []int64 {
	from, most := int64(0), int64(MaxID)
	kept := r.Query[:0]
	for _, p := range r.Query {
		n, _ := ParseID(p.Value) // 0 is no id, and comes out as one
		switch p.Name {
		case paramLimit:
			most = n
		case paramOffset:
			from = n
		default:
			kept = append(kept, p)
		}
	}
	r.Query = kept
	ids = ids[min(from, int64(len(ids))):]
	return ids[:min(most, int64(len(ids)))]
}
