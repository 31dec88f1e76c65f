package topic

import (
	"slices"
	"strconv"

	"aclgate/policy"
)

// piece is what a filter asks of one part of an item.
type piece struct {
	part *part
	tail Filter // behind the id of the item
	at   int    // the level of tail that is the id of a linked item; -1: none is
	bare bool   // the name of a submodule, met by a wildcard over properties
}

// pieces returns what the levels behind the id ask of each part of a place.
func (p *place) pieces(tail Filter) (all []piece) {
	switch p.form {
	case formTree:
		return []piece{{p.item, tail, -1, false}}
	case formLinked:
		name := p.names[0]
		if f, ok := meetTail(tail, Filter{word(name), anyLevel, anyLevel}); ok && len(tail) > 0 {
			all = append(all, piece{p.subs[name], f, 1, false})
		}
		return all
	}
	properties := false
	if p.item != nil {
		if len(tail) == 0 || tail[0].kind == hash {
			all = append(all, piece{p.item, nil, -1, false})
		}
		if f, ok := p.properties(tail); ok {
			properties = f[0].kind == plus
			all = append(all, piece{p.item, f, -1, false})
		}
	}
	for _, name := range p.names {
		if sub := p.subs[name]; sub != nil && len(tail) > 0 && (tail[0].wild() || tail[0].has(name)) {
			all = append(all, sub.pieces(name, tail, properties)...)
		}
	}
	return all
}

// properties returns the filter of the item's properties that a tail asks for: a level that is no
// submodule's name.
func (p *place) properties(tail Filter) (Filter, bool) {
	f, ok := meetTail(tail, Filter{anyLevel})
	if !ok || len(tail) == 0 {
		return nil, false
	}
	if f[0].kind == words {
		l := some(f[0].words, p.isField)
		return Filter{l}, l.kind != nothing
	}
	return f, true
}

// pieces returns what a tail asks of a submodule. Where the item's properties are asked for by +,
// that matches the submodule's own name, too, so what is printed beside it begins one level below.
func (s *part) pieces(name string, tail Filter, properties bool) (all []piece) {
	f, ok := meetTail(tail, s.below)
	if !ok {
		return nil
	}
	bare := properties && tail[0].wild()
	if s.linked == nil {
		return []piece{{s, f, -1, bare && len(f) == 1}}
	}
	// By its name alone, and with the id of a linked item.
	if one, ok := meetTail(f, Filter{word(name)}); ok {
		all = append(all, piece{s, one, -1, bare})
	}
	if more, ok := meetTail(f, Filter{word(name), anyLevel, allLevels}); ok {
		all = append(all, piece{s, more, 1, false})
	}
	return all
}

// cells are what is to be printed of a place: for each id, 0 for +, the tails behind it.
type cells struct {
	tails  map[int64][]cell
	order  []int64 // keys of tails, as they came
	count  int
	pieces int    // that the filter has here
	room   []cell // one piece of memory for the cells of many ids
}

// add adds a cell of an id.
func (c *cells) add(id int64, x cell) {
	of := c.tails[id]
	if of == nil {
		if len(c.room) < c.pieces {
			c.room = make([]cell, c.pieces*blockOf)
		}
		of, c.room = c.room[:0:c.pieces], c.room[c.pieces:]
		c.order = append(c.order, id)
	}
	c.tails[id] = append(of, x)
	c.count++
}

// blockOf is how many small slices share one piece of memory.
const blockOf = 64

type cell struct {
	part *part
	tail Filter
	at   int // as in piece
}

// maxCells bounds what is gathered for each filter that there is room for, before equal ones are
// joined.
const maxCells = 32

// anyProperty reports whether + is among what is printed for the properties of an item.
func anyProperty(p *place, of []cell) bool {
	return slices.ContainsFunc(of, func(c cell) bool { return c.part == p.item && len(c.tail) == 1 && c.tail[0].kind == plus })
}

func (c *cells) full(room int) bool { return c.count > maxCells*(room+1) }

// place narrows to the topics of one place, and reports whether the filter meets any.
func (n *narrowing) place(p *place, id level, tail Filter) bool {
	pieces := p.pieces(tail)
	ids := id.parseIDs()
	if len(pieces) == 0 || id.kind == words && len(ids) == 0 {
		return false
	}
	c := &cells{pieces: len(pieces)}
	for _, x := range pieces {
		n.gather(c, &x, id, ids)
		if c.full(n.room) {
			n.many = true
			return true
		}
	}
	n.printPlace(p, id, tail, c)
	return true
}

// gather adds what is permitted of one piece.
func (n *narrowing) gather(c *cells, x *piece, id level, ids []int64) {
	r := n.right(x.part)
	if r.reason != policy.NotJudged {
		n.blame(r.reason)
		return
	}
	n.fits = true
	n.limited = n.limited || !r.items.branch || x.part.linked != nil && !r.linked.branch
	n.name(ids)
	if x.part.linked != nil && x.at < 0 && !r.linked.all {
		return // all linked items, or none
	}
	tails := n.linked(x, r)
	if c.tails == nil {
		some := min(max(len(r.items.ids), len(ids)), maxCells*(n.room+1))
		c.tails, c.order = make(map[int64][]cell, some), make([]int64, 0, some)
	}
	add := func(id int64) {
		for i := 0; i < len(tails) && !c.full(n.room); i++ {
			c.add(id, cell{x.part, tails[i], x.at})
		}
	}
	switch {
	case id.kind == plus && r.items.all:
		add(0)
	case id.kind == plus:
		for _, id := range r.items.ids {
			add(id)
		}
	default:
		for _, id := range ids {
			if r.items.has(id) {
				add(id)
			}
		}
	}
}

// name remembers ids that the filter names: one that nothing is printed for is denied.
func (n *narrowing) name(ids []int64) {
	for _, id := range ids {
		if _, known := n.kept[id]; !known {
			n.kept[id] = false
			n.named = append(n.named, id)
		}
	}
}

// linkedWhole reports whether + may stand for the linked items of a permitted item: nothing but the
// scope limits them. Items of other accounts are linked by grants at most; deliveries keep them back,
// and where a message that one member of a group may not see would be lost, they are named.
func (n *narrowing) linkedWhole(r *right) bool { return r.linked.all || r.linked.branch && !n.shared }

// linked returns the tails of a piece with the linked ids that are permitted: those that a list
// names stay a list.
func (n *narrowing) linked(x *piece, r *right) (tails []Filter) {
	if x.at < 0 {
		return []Filter{x.tail}
	}
	with := func(l level) {
		tail := slices.Clone(x.tail)
		tail[x.at] = l
		tails = append(tails, tail)
	}
	l := x.tail[x.at]
	switch {
	case l.kind == words:
		ids := l.parseIDs()
		n.name(ids)
		kept := level{kind: words}
		for _, id := range ids {
			if r.linked.has(id) {
				kept.words = append(kept.words, strconv.FormatInt(id, 10))
				n.kept[id] = true
			}
		}
		if len(kept.words) > 0 {
			with(kept)
		}
	case n.linkedWhole(r):
		return []Filter{x.tail}
	default:
		for i, id := range r.linked.ids {
			if i > maxCells*(n.room+1) {
				break // more than gather takes
			}
			with(word(strconv.FormatInt(id, 10)))
		}
	}
	return tails
}

// printPlace prints what was gathered. An id of which everything is permitted takes one filter; ids
// that were asked for as a list, and of which the same is permitted, stay one where the broker knows
// lists.
func (n *narrowing) printPlace(p *place, id level, tail Filter, c *cells) {
	order := c.order
	slices.Sort(order)
	if id.kind == words {
		order = slices.DeleteFunc(id.parseIDs(), func(id int64) bool { return len(c.tails[id]) == 0 })
	}
	beside := len(c.tails[0]) > 0 && !anyProperty(p, c.tails[0])
	listed := n.j.permit.law.Dialect == Flespi && n.asksList()
	texts := decimals(order)
	n.out = slices.Grow(n.out, min(c.count, n.room)) // at most, but for lists
	var groups []*idGroup
	var same []cell
	var tails []Filter
	for i, id := range order {
		if _, named := n.kept[id]; named {
			n.kept[id] = true
		}
		if of := c.tails[id]; i == 0 || !slices.EqualFunc(same, of, cell.equal) {
			same, tails = of, n.tails(p, tail, of, anyProperty(p, c.tails[0]))
			groups = append(groups, &idGroup{tails: tails})
		}
		l := anyLevel
		if id != 0 {
			l = level{kind: words, words: texts[i : i+1 : i+1]}
		}
		if g := groups[len(groups)-1]; listed {
			g.words = append(g.words, texts[i])
		} else {
			n.printItem(p, l, tails, beside && id != 0)
		}
		if n.many {
			return
		}
	}
	for _, g := range groups {
		if listed {
			n.printItem(p, level{kind: words, words: g.words}, g.tails, beside)
		}
	}
}

// idGroup is ids, next to each other in a list, of which the same is printed.
type idGroup struct {
	words []string
	tails []Filter
}

// equal reports whether two cells print the same.
func (c cell) equal(d cell) bool {
	return c.part == d.part && c.at == d.at && len(c.tail) == len(d.tail) && (len(c.tail) == 0 || &c.tail[0] == &d.tail[0])
}

// printItem prints the filters of one item. Beside +/telemetry/#, which is of all items, 7/+ matches
// the name of it once more.
func (n *narrowing) printItem(p *place, id level, tails []Filter, beside bool) {
	for _, tail := range tails {
		f := append(n.levels(len(p.path)+1+len(tail)), p.path...)
		from := len(n.out)
		n.add(append(append(f, id), tail...), fromItems)
		if beside && len(tail) == 1 && tail[0].kind == plus {
			for i := range n.out[from:] {
				n.out[from+i].overlaps = true
			}
		}
	}
}

// levels returns an empty filter with room for some levels. Many share one piece of memory.
func (n *narrowing) levels(some int) Filter {
	if len(n.spare) < some {
		n.spare = make(Filter, some*blockOf)
	}
	f := n.spare[:0:some]
	n.spare = n.spare[some:]
	return f
}

// decimals prints ids, all into one piece of memory.
func decimals(ids []int64) []string {
	digits, texts := make([]byte, 0, 8*len(ids)), make([]string, len(ids))
	for _, id := range ids {
		digits = appendInt(digits, id)
	}
	all := string(digits)
	for i, id := range ids {
		n := len(appendInt(digits[:0], id))
		texts[i], all = all[:n], all[n:]
	}
	return texts
}

// asksList reports whether the filter names ids, one or more.
func (n *narrowing) asksList() bool { return len(n.asked) > 4 && n.asked[4].kind == words }

// tails returns the tails to print behind one id. With all parts of the item under a # they are that
// #: what it matches beside them is closed to everybody.
// properties tells that + is printed for the properties already.
func (n *narrowing) tails(p *place, asked Filter, of []cell, properties bool) (tails []Filter) {
	all := len(asked) == 1 && asked[0].kind == hash && p.form == formState
	has := func(s *part, linked bool) bool {
		return slices.ContainsFunc(of, func(c cell) bool { return c.part == s && (!linked || c.at >= 0 && c.tail[c.at].kind == plus) })
	}
	properties = properties || anyProperty(p, of)
	all = all && p.item != nil && has(p.item, false)
	for _, name := range p.names {
		s := p.subs[name]
		all = all && (s == nil || has(s, s.linked != nil))
	}
	if all {
		return []Filter{{allLevels}}
	}
	for _, c := range of {
		tail := c.tail
		switch {
		case !properties || c.part == p.item:
		case len(tail) == 1:
			continue // + matches the name
		case len(tail) == 2 && tail[1].kind == hash:
			tail = Filter{tail[0], anyLevel, allLevels}
		}
		tails = append(tails, tail)
	}
	return tails
}
