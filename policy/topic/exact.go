package topic

import (
	"slices"
	"strings"

	"aclgate/policy"
)

// exact reports whether all that a filter matches is permitted, apart from what is closed to
// everybody alike. It judges a printed filter from its text, whoever made it.
func (n *narrowing) exact(f Filter, text string) bool {
	first := f[0]
	if first.kind == words && slices.ContainsFunc(first.words, system) {
		return false
	}
	if first.wild() || slices.ContainsFunc(first.words, func(w string) bool { return w != platformLevel }) {
		if !n.ownExact(f) {
			return false
		}
	}
	if !first.wild() && !first.has(platformLevel) {
		return true
	}
	if p, tail := n.j.permit.law.table.placed(f, text); p != nil {
		return n.placeExact(f[4], n.pieces(p, f[5:], tail))
	}
	for _, m := range moduleFamilies {
		if overlap(f, m.branch) && (n.j.modules(m.module) != policy.NotJudged || !n.j.modulesWhole()) {
			return false
		}
	}
	for _, p := range n.j.permit.law.table.order {
		if id, tail, ok := f.behind(p); ok && !n.placeExact(id, p.pieces(tail)) {
			return false
		}
	}
	return true
}

// ownExact reports whether one entry covers all own topics that a filter matches.
func (n *narrowing) ownExact(f Filter) bool {
	p := n.j.permit
	if !p.byEntries() {
		return true
	}
	return slices.ContainsFunc(p.own, func(g grant) bool { return g.actions&policy.Subscribe != 0 && covers(g.filter, f) })
}

// placeExact is exact for the topics of one place. The names of submodules among an item's
// properties are tolerated: nothing can be printed that leaves them out, and deliveries do.
func (n *narrowing) placeExact(id level, pieces []piece) bool {
	for _, x := range pieces {
		if x.bare {
			continue
		}
		r := n.right(x.part)
		switch {
		case r.reason != policy.NotJudged:
			return false
		case x.part.linked != nil && x.at < 0 && !r.linked.all:
			return false
		case x.at >= 0 && !r.linked.hold(x.tail[x.at]) && !(x.tail[x.at].wild() && n.linkedWhole(r)):
			return false
		case !r.items.hold(id):
			return false
		}
	}
	return true
}

// placed returns the one place that a filter is about, if its first levels and its id are single
// words, and the text behind the id.
func (t *table) placed(f Filter, text string) (p *place, tail string) {
	if len(f) < 5 || f[4].kind != words {
		return nil, ""
	}
	end := 0
	for _, l := range f[:4] {
		if l.kind != words || len(l.words) != 1 {
			return nil, ""
		}
		end += len(l.words[0]) + 1
	}
	p = t.places[text[len(platformLevel)+1:end-1]]
	_, tail, _ = strings.Cut(text[end:], "/")
	return p, tail
}

// pieces returns the pieces of a tail with this text. A filter that was narrowed to many ids has the
// same tail behind each.
func (n *narrowing) pieces(p *place, tail Filter, text string) []piece {
	if n.last.place != p || n.last.tail != text {
		n.last.place, n.last.tail, n.last.pieces = p, text, p.pieces(tail)
	}
	return n.last.pieces
}

// hold reports whether all ids that a level matches are within reach. Words that are no id are
// closed to everybody.
func (r *reach) hold(l level) bool {
	if r.all {
		return true
	}
	for _, w := range l.words {
		if id, ok := policy.ParseID([]byte(w)); ok && !r.has(id) {
			return false
		}
	}
	return l.kind == words
}
