package backend

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// pair is one link. Its columns are called after the two collections:
// {"device_id":101,"group_id":12}.
type pair struct {
	parent, child       int64
	parentKey, childKey string // "group_id", "device_id"
}

// value lets a match select links: at a linked place it is about the link.
func (p pair) value(name string) any {
	switch name {
	case p.parentKey:
		return p.parent
	case p.childKey, "id":
		return p.child
	}
	return nil
}

// appendRow prints the shown columns, which the vendor sorts by name.
func (p pair) appendRow(dst []byte, shown *projection) []byte {
	a, b, idA, idB := p.parentKey, p.childKey, p.parent, p.child
	if b < a {
		a, b, idA, idB = b, a, idB, idA
	}
	dst = append(dst, '{')
	if shown.has(a) {
		dst = appendColumn(dst, a, idA)
	}
	if shown.has(b) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = appendColumn(dst, b, idB)
	}
	return append(dst, '}')
}

func appendColumn(dst []byte, name string, id int64) []byte {
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, '"', ':')
	return strconv.AppendInt(dst, id, 10)
}

// placed is an item with its neighbours: groups=12 selects the devices of that group as if the item
// had a field of that name.
type placed struct {
	*item
	call *call
	coll *collection
}

func (p *placed) value(name string) any {
	if v := p.item.value(name); v != nil {
		return v
	}
	module := p.coll.uri[:strings.IndexByte(p.coll.uri, '/')+1]
	parents := p.call.w.colls[module+name]
	if parents == nil {
		return nil
	}
	var near []any
	for id, children := range p.call.w.links[parents.uri+"/"+p.coll.kind] {
		it := parents.items[id]
		_, linked := slices.BinarySearch(children, p.id)
		if linked && it != nil && p.call.scope.has(it.cid) {
			near = append(near, id)
		}
	}
	return near
}

// links answers for /gw/groups/{}/devices/{} and similar paths.
func (c *call) links(parents []*item, child *collection) {
	sel, err := parseSelector(c.rest[2])
	if err != nil {
		c.bad(err)
		return
	}
	var children []*item
	// Joining needs the items themselves; everything else starts from the links that there are,
	// which may be far fewer than all items.
	byItem := sel.ids != nil || c.method == post
	if byItem {
		var ok bool
		if children, ok = c.pick(child, c.rest[2], everything()); !ok {
			return
		}
	}
	if len(c.rest) > 3 {
		return // intervals, calculate …: known, and nothing to say
	}
	link := c.coll.uri + "/" + child.kind
	for _, parent := range parents {
		ids := c.linked(c.w.links[link][parent.id], child)
		if byItem {
			ids = c.among(children, ids)
		}
		for _, id := range ids {
			p := pair{parent.id, id, c.coll.key + "_id", child.key + "_id"}
			if sel.match == nil || byItem || sel.match(p) {
				c.join(link, p, child.items[id])
			}
		}
	}
}

// linked returns a copy of ids without those that do not exist in this scope.
func (c *call) linked(ids []int64, child *collection) []int64 {
	out := make([]int64, 0, len(ids))
	for _, id := range ids {
		if it := child.items[id]; it != nil && c.scope.has(it.cid) {
			out = append(out, id)
		}
	}
	return out
}

// among returns the ids of items that this method concerns: those linked, and on POST all.
func (c *call) among(items []*item, linked []int64) []int64 {
	out := make([]int64, 0, len(items))
	for _, it := range items {
		if _, ok := slices.BinarySearch(linked, it.id); ok || c.method == post {
			out = append(out, it.id)
		}
	}
	return out
}

// join carries out the method on one link and prints it, with what is asked of the linked item's
// submodules.
func (c *call) join(link string, p pair, child *item) {
	switch c.method {
	case post:
		c.w.link(link, p.parent, p.child)
	case "DELETE":
		c.w.unlink(link, p.parent, p.child)
	}
	c.out.rows = p.appendRow(sep(c.out.rows), &c.shown)
	for i := range child.fields {
		f := &child.fields[i]
		if !f.hidden || c.shown.all || !c.shown.has(f.name) {
			continue
		}
		c.out.rows = bytes.TrimSuffix(c.out.rows, []byte("}"))
		if c.out.rows[len(c.out.rows)-1] != '{' {
			c.out.rows = append(c.out.rows, ',')
		}
		c.out.rows = append(append(appendString(c.out.rows, f.name), ':'), f.json...)
		c.out.rows = append(c.out.rows, '}')
	}
}
