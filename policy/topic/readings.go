package topic

import (
	"strings"

	"aclgate/policy"
)

// Reading is one way to read a filter, or a topic: a family that it meets, and the GET that decides
// about it.
type Reading struct {
	Topics     string             // flespi/state/gw/devices/{id}/telemetry/#
	Collection *policy.Collection // nil: a module that is judged without ids
	Slot       int                // of the GET
	Linked     *policy.Collection // of the second id; nil: there is none
}

// Readings returns the families that a filter meets, for people, and whether it meets own topics.
func (l *Law) Readings(filter string) (own bool, all []Reading) {
	_, rest, reason := cutPrefix(filter, l.Dialect)
	f, fault := parseFilter(rest, true, l.MaxLevels)
	if reason != policy.NotJudged || fault != "" {
		return false, nil
	}
	first := f[0]
	own = first.wild() || !first.is(platformLevel) && !system(first.words[0])
	if !first.wild() && !first.has(platformLevel) {
		return own, nil
	}
	for _, m := range moduleFamilies {
		if overlap(f, m.branch) && len(f) > 2 {
			all = append(all, Reading{Topics: m.branch.String()})
		}
	}
	for _, p := range l.table.order {
		_, tail, ok := f.behind(p)
		if !ok {
			continue
		}
		for _, x := range p.pieces(tail) {
			all = append(all, Reading{p.shape(&x), p.collection, x.part.route.Slot, x.part.linked})
		}
	}
	return own, all
}

// shape returns the topics of a piece, with {id} for ids.
func (p *place) shape(x *piece) string {
	text := p.path.String() + "/{id}"
	for i, l := range x.tail {
		if i == x.at {
			text += "/{id}"
		} else {
			text += "/" + Filter{l}.String()
		}
	}
	return text
}

// Meet returns the filter of what two filters both match, and whether there is any.
func (l *Law) Meet(a, b string) (string, bool) {
	_, a, reason := cutPrefix(a, l.Dialect)
	if reason != policy.NotJudged {
		return "", false
	}
	lists := l.Dialect == Flespi || strings.HasPrefix(a, platformLevel+"/")
	fa, faultA := parseFilter(a, lists, l.MaxLevels)
	fb, faultB := parseFilter(b, l.Dialect == Flespi, l.MaxLevels)
	if faultA != "" || faultB != "" {
		return "", false
	}
	met, ok := meet(fa, fb)
	return met.String(), ok && !met[0].is(platformLevel)
}

// Verdict returns the verdict of a reason that a Judge returned. What is granted and silent counts
// as narrowed.
func Verdict(r policy.Reason) policy.Verdict {
	switch {
	case r == policy.Permitted:
		return policy.Allow
	case Granted(r):
		return policy.Narrow
	}
	return policy.Deny
}
