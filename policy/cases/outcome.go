package cases

import (
	"fmt"
	"slices"

	"aclgate/policy"
	"aclgate/policy/explain"
)

// Outcome is what one policy makes of a request, as far as it matters to whoever sent it.
type Outcome struct {
	Verdict string
	Reason  string
	Entry   string // the entry that decides, with its place; "": none
	backend string // method and target
	scope   int64
	denied  []int64
}

// OutcomeOf returns what a report says.
func OutcomeOf(r *explain.Report) Outcome {
	o := Outcome{Verdict: r.Verdict, Reason: r.Reason, denied: denied(r)}
	if r.Backend != nil {
		o.backend, o.scope = r.Backend.Method+" "+r.Backend.Target, r.Backend.CID
	}
	for _, c := range r.Choices {
		for _, e := range c.Entries {
			if o.Entry == "" && r.Entry != 0 && e.Number == r.Entry {
				o.Entry = fmt.Sprintf("entry %d, %s", e.Number, e.Place)
			}
		}
	}
	return o
}

// Denied returns how many ids were asked for by number and are denied.
func (o Outcome) Denied() int { return len(o.denied) }

// Same reports whether two outcomes are one to the client and to the backend.
func (o Outcome) Same(p Outcome) bool {
	switch {
	case o.Verdict != p.Verdict:
		return false
	case o.Verdict == policy.Deny.String():
		return o.Reason == p.Reason && slices.Equal(o.denied, p.denied)
	}
	return o.backend == p.backend && o.scope == p.scope && slices.Equal(o.denied, p.denied)
}

// String returns verdict and reason. What only the backend could tell has none.
func (o Outcome) String() string {
	if o.Verdict == policy.Unresolved.String() {
		return o.Verdict
	}
	return fmt.Sprintf("%s (%s)", o.Verdict, o.Reason)
}

// Change names what becomes of requests that were o, under p.
func (o Outcome) Change(p Outcome) string {
	text := o.String() + " → " + p.String()
	if o.String() == p.String() {
		return text + " of other items"
	}
	return text
}
