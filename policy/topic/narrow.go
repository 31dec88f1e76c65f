package topic

import (
	"slices"

	"aclgate/policy"
)

// narrowing is one filter on its way from what was asked to what is printed.
type narrowing struct {
	j      *Judge
	asked  Filter
	room   int
	alone  int64
	shared bool
	rights []*right // by number of the part; nil: not asked yet

	out    []printed
	denied []int64
	wide   bool

	named   []int64        // ids that the filter names
	kept    map[int64]bool // of them, those that something is printed for
	fits    bool           // some entry permits something that the filter matches
	limited bool           // some right is narrower than the branch
	many    bool           // more than there is room for
	reason  policy.Reason  // why nothing fits, as far as it is known

	buf   []byte
	spare Filter // see levels
	again parsing
	last  struct { // what exact found out about the filter before
		place  *place
		tail   string
		pieces []piece
	}
}

type printed struct {
	text     string
	filter   Filter
	from     origin
	overlaps bool
}

// origin says which part of the law a printed filter comes from.
type origin uint8

const (
	fromItems   origin = iota // topics of items, one family
	fromModules               // topics of a module that is judged without ids
	fromOwn                   // own topics
)

func (j *Judge) newNarrowing(asked Filter, room int) *narrowing {
	return &narrowing{j: j, asked: asked, room: room, rights: make([]*right, j.permit.law.table.parts), kept: map[int64]bool{}}
}

// run narrows the filter. A list at the first level is several filters.
func (n *narrowing) run() {
	whole := n.asked
	firsts := []level{whole[0]}
	if whole[0].kind == words {
		firsts = firsts[:0]
		for _, w := range whole[0].words {
			firsts = append(firsts, word(w))
		}
	}
	for _, first := range firsts {
		n.asked = slices.Clone(whole)
		n.asked[0] = first
		n.own()
		if first.wild() || first.is(platformLevel) {
			n.platform()
		}
	}
	n.asked = whole
	n.drop()
	if n.many {
		n.widen()
	}
	for _, id := range n.named {
		if !n.kept[id] {
			n.denied = append(n.denied, id)
		}
	}
}

// conclude returns what became of the filter.
func (n *narrowing) conclude() policy.Reason {
	switch {
	case n.many:
		return policy.TooManyFilters
	case len(n.out) == 1 && n.out[0].text == n.asked.String():
		return policy.Permitted
	case len(n.out) > 0:
		return policy.Narrowed
	case n.fits && (len(n.denied) > 0 || !slices.ContainsFunc(n.asked, level.wild)): // every item has a name
		return policy.DeniedItems
	case n.fits:
		return policy.NothingLeft
	case n.reason != policy.NotJudged:
		return n.reason
	}
	return policy.NoEntry
}

// blame remembers the first reason why something does not fit.
func (n *narrowing) blame(r policy.Reason) {
	if n.reason == policy.NotJudged {
		n.reason = r
	}
}

// own narrows to own topics: each entry's filter with what was asked.
func (n *narrowing) own() {
	first, p := n.asked[0], n.j.permit
	switch {
	case first.kind == words && system(first.words[0]):
		n.blame(policy.TopicClosed)
		return
	case first.is(platformLevel):
		return
	case !p.byEntries():
		n.add(n.asked, fromOwn)
		return
	}
	from := len(n.out)
	for i := range p.own {
		if f, ok := meet(n.asked, p.own[i].filter); ok && p.own[i].actions&policy.Subscribe != 0 {
			n.add(f, fromOwn)
		}
	}
	if len(n.out) == from {
		n.blame(policy.NoTopicEntry)
	}
}

// add prints a filter: as it is, or without lists where the broker knows none.
func (n *narrowing) add(f Filter, from origin) {
	n.fits = true
	if len(f) == 0 {
		return
	}
	if n.j.permit.law.Dialect == Flespi {
		n.put(f, from)
		return
	}
	n.expand(f, 0, from)
}

// expand prints a filter for each word of its lists.
func (n *narrowing) expand(f Filter, level int, from origin) {
	for i := level; i < len(f); i++ {
		if f[i].kind != words || len(f[i].words) < 2 {
			continue
		}
		for _, w := range f[i].words {
			one := slices.Clone(f)
			one[i] = word(w)
			n.expand(one, i+1, from)
			if n.many {
				return
			}
		}
		return
	}
	n.put(f, from)
}

// put adds one filter. What is printed is judged again, as a filter of its own: one that is about
// platform topics has to be a part of the permit. Beyond the room, and what may still be dropped,
// nothing is kept.
func (n *narrowing) put(f Filter, from origin) {
	if len(n.out) > 2*n.room+maxList {
		n.many = true
		return
	}
	n.buf = f.append(n.buf[:0])
	text := string(n.buf)
	again, fault := n.again.parse(text, n.j.permit.law.Dialect == Flespi, n.j.permit.law.MaxLevels) // as the broker does
	if fault != "" {                                                                                // longer than a string may be
		n.many = true
		return
	}
	exact := false
	if n.byPath() && from == fromOwn {
		exact = n.ownExact(again) // it has a place of its own, apart from platform topics
	} else {
		exact = n.exact(again, text)
	}
	if !exact {
		if from == fromItems {
			return
		}
		n.wide = true
	}
	n.out = append(n.out, printed{text: text, filter: f, from: from})
}

// byPath reports whether own topics are kept apart from all others by their path.
func (n *narrowing) byPath() bool { return n.j.permit.law.Namespace == ByPath }

// apart reports whether two filters have nothing in common because of where they come from.
func (n *narrowing) apart(a, b *printed) bool {
	switch {
	case a.from == b.from:
		return a.from == fromItems
	case a.from == fromOwn:
		return n.byPath() || !a.filter[0].wild()
	case b.from == fromOwn:
		return n.byPath() || !b.filter[0].wild()
	}
	return true
}

// drop leaves out what another one covers, marks what overlaps, and counts. Among those of items
// nothing does: they differ in family or id. There are few others.
func (n *narrowing) drop() {
	if !slices.ContainsFunc(n.out, func(p printed) bool { return p.from != fromItems }) {
		n.many = n.many || len(n.out) > n.room
		return
	}
	slices.SortStableFunc(n.out, func(a, b printed) int { return int(b.from) - int(a.from) })
	others := 0
	for others < len(n.out) && n.out[others].from != fromItems {
		others++
	}
	kept := n.out[:0:0]
	for i := range n.out {
		p, covered := n.out[i], false
		for k := range n.out[:others] {
			wider := &n.out[k]
			if k == i || n.apart(wider, &p) || !covers(wider.filter, p.filter) {
				continue
			}
			covered = covered || k < i || !covers(p.filter, wider.filter)
		}
		if covered {
			continue
		}
		for k := range kept {
			if kept[k].from == fromItems {
				break // none of these overlaps any other
			}
			if n.apart(&kept[k], &p) {
				continue
			}
			p.overlaps = p.overlaps || overlap(kept[k].filter, p.filter)
		}
		kept = append(kept, p)
	}
	n.out = kept
	n.many = n.many || len(kept) > n.room
}

// widen prints the filter as it was asked for, where that is only a matter of traffic: the token is
// limited by nothing but its branch.
func (n *narrowing) widen() {
	if n.limited {
		n.out = nil
		return
	}
	n.out, n.many, n.wide = nil, false, true
	first := n.asked[0]
	if !n.byPath() {
		n.add(n.asked, fromOwn)
	} else {
		if !first.is(platformLevel) {
			n.add(n.asked, fromOwn)
		}
		if first.wild() || first.is(platformLevel) {
			f, _ := meet(n.asked, Filter{word(platformLevel), allLevels})
			n.add(f, fromModules)
		}
	}
	n.many = n.many || len(n.out) > n.room
}

// platform narrows to platform topics, family by family.
func (n *narrowing) platform() {
	n.modules()
	known := false
	for _, p := range n.j.permit.law.table.order {
		id, tail, ok := n.asked.behind(p)
		if !ok {
			continue
		}
		if n.place(p, id, tail) {
			known = true
		}
		if n.many {
			return
		}
	}
	if !known {
		n.blame(n.closed())
	}
}

// closed says why a filter that meets no family is denied.
func (n *narrowing) closed() policy.Reason {
	if len(n.asked) > 1 && n.asked[1].is(restCategory) {
		return policy.TopicRest
	}
	return policy.TopicClosed
}

func (n *narrowing) modules() {
	for _, m := range moduleFamilies {
		f, ok := meet(n.asked, m.branch)
		if !ok || len(f) < 3 {
			continue
		}
		if reason := n.j.modules(m.module); reason != policy.NotJudged {
			if len(n.asked) > 2 && n.asked[2].has(m.module) {
				n.blame(reason)
			}
			continue
		}
		n.add(f, fromModules)
	}
}

// behind returns what a filter asks for behind the four levels of a place: the level of the id, and
// the levels after it.
func (f Filter) behind(p *place) (id level, tail Filter, ok bool) {
	for i := 0; ; i++ {
		switch {
		case i == len(f):
			return level{}, nil, false
		case f[i].kind == hash:
			return anyLevel, f[i:], true
		case i == len(p.path):
			return f[i], f[i+1:], true
		case f[i].kind == words && !f[i].has(p.path[i].words[0]):
			return level{}, nil, false
		}
	}
}

// parseIDs returns the words of a level that are ids.
func (l level) parseIDs() (ids []int64) {
	for _, w := range l.words {
		if id, ok := policy.ParseID([]byte(w)); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
