package mqtt

import (
	"slices"

	"aclgate/policy/topic"
)

// receivers appends the client's identifiers for a delivery to dst: of the asked filters that stand
// behind the identifiers with which the broker sent it, each once. It reports whether there is an
// asked filter at all. account is that of the message, 0 if it is not known.
func (t *table) receivers(dst, ids []uint32, law *topic.Law, name []byte, account int64) (out []uint32, any bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	show := func(p *printed) {
		for _, a := range p.behind {
			if a.cid != 0 && a.cid != account || a.covered(p, law, name, account) {
				continue
			}
			if any = true; a.id != 0 && !slices.Contains(dst, a.id) {
				dst = append(dst, a.id)
			}
		}
	}
	for _, id := range ids {
		g := t.groups[id]
		if g == nil {
			continue
		}
		for _, p := range g.filters {
			if !g.mixed {
				show(p)
				break
			}
			if law.Matches(p.filter, name, account) {
				show(p)
			}
		}
	}
	if len(ids) == 0 { // a broker without identifiers
		for _, p := range t.printed {
			if law.Matches(p.filter, name, account) {
				show(p)
			}
		}
	}
	return dst, any
}

// covered reports whether a is not shown the copy of a message that came by p: another one is. That is
// an earlier filter's, where both match. Those that are leaving are the first, and in force until what
// takes their place has begun. Filters of one identifier overlap no other of it.
func (a *asked) covered(p *printed, law *topic.Law, name []byte, account int64) bool {
	for i, mine := range a.prints {
		switch {
		case mine.printed != p:
			continue
		case i < a.leaving && !mine.leads():
			return true
		case !mine.overlaps && a.leaving == 0:
			return false
		}
		for k, earlier := range a.prints[:i] {
			if k < a.leaving && !earlier.leads() || earlier.group == p.group {
				continue
			}
			if law.Matches(earlier.filter, name, account) {
				return true
			}
		}
	}
	return false
}

// leads reports whether copies come by a filter that is leaving, and are shown.
func (p *print) leads() bool { return p.live && !p.over }
