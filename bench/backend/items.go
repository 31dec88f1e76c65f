package backend

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/valyala/fasthttp"
)

var (
	errBody    = errors.New("the body is not what this method takes")
	errBodyCID = errors.New("wrong cid")
)

// objects reads the body, or data= where there is none: nothing, null, an object or an array of
// objects.
func (c *call) objects() ([]map[string]any, error) {
	raw := c.body
	if len(raw) == 0 {
		raw = []byte(c.query.data)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return []map[string]any{v}, nil
	case []any:
		out := make([]map[string]any, len(v))
		for i := range v {
			obj, ok := v[i].(map[string]any)
			if !ok {
				return nil, errBody
			}
			out[i] = obj
		}
		return out, nil
	}
	return nil, errBody
}

// parameters reads those that the data of a GET of items holds: fields, which count where the query
// has none, and filter, an expression without its braces.
func (c *call) parameters() error {
	if c.method != get || c.query.data == "" {
		return nil
	}
	v, err := decode([]byte(c.query.data))
	obj, _ := v.(map[string]any)
	if err != nil || c.query.fields != "" {
		return err
	}
	switch names := obj["fields"].(type) {
	case string:
		c.shown = parseFields(names)
	case []any:
		var words []string
		for _, name := range names {
			word, _ := name.(string)
			words = append(words, word)
		}
		c.shown = parseFields(strings.Join(words, ","))
	}
	c.shown.noCID = c.s.opt.NoCIDField || c.coll.open
	if filter, ok := obj["filter"].(string); ok {
		c.filter, err = parseExpr("{" + filter + "}")
	}
	return err
}

// page is the query's limit and offset, unless this backend ignores them.
func (c *call) page() query {
	if c.s.opt.NoPaging || c.method != get {
		return everything()
	}
	return c.query
}

// items answers for /module/type/{selector}.
func (c *call) items() {
	if c.method != get && c.coll.open {
		c.unknown()
		return
	}
	if err := c.parameters(); err != nil {
		c.bad(err)
		return
	}
	items, ok := c.pick(c.coll, c.rest[0], c.page())
	if !ok {
		return
	}
	switch c.method {
	case get:
		c.rows(items)
	case "PUT", "PATCH":
		c.change(items)
	case "DELETE":
		c.rows(items)
		for _, it := range items {
			c.w.remove(c.coll, it.id)
		}
	default:
		c.unknown()
	}
}

// rows prints items; the default fields are printed already.
func (c *call) rows(items []*item) {
	for _, it := range items {
		c.out.rows = sep(c.out.rows)
		switch {
		case !c.shown.all:
			c.out.rows = c.shown.appendObject(c.out.rows, it.fields)
		case c.shown.noCID:
			c.out.rows = append(c.out.rows, it.bare...)
		default:
			c.out.rows = append(c.out.rows, it.row...)
		}
	}
}

// create makes an item of each object in the body.
func (c *call) create() {
	if c.method != post || c.coll.open {
		c.unknown()
		return
	}
	objs, err := c.objects()
	if err != nil {
		c.bad(err)
		return
	}
	var made []*item
	for _, obj := range objs {
		it, err := c.build(obj)
		if err != nil {
			c.bad(err)
			return
		}
		made = append(made, it)
	}
	for _, it := range made {
		c.coll.put(it)
	}
	c.rows(made)
}

// build makes an item that is not in the collection yet. An id in the body is dropped: the backend
// numbers items.
func (c *call) build(obj map[string]any) (*item, error) {
	def := Item{ID: c.coll.next, CID: c.cid, Fields: maps.Clone(c.coll.template)}
	if def.Fields == nil {
		def.Fields = Fields{}
	}
	c.coll.next++
	if err := c.merge(&def, obj, false); err != nil {
		return nil, err
	}
	return newItem(def, c.coll.defaults)
}

// merge puts the members of obj into def. deep makes objects grow instead of being replaced, which
// is the difference between PATCH and PUT.
func (c *call) merge(def *Item, obj map[string]any, deep bool) error {
	for name, v := range obj {
		switch name {
		case "id":
		case "cid":
			cid, ok := v.(int64)
			if !ok || !c.mayOwn(cid) {
				return errBodyCID
			}
			def.CID = cid
		default:
			if deep {
				v = grow(def.Fields[name], v)
			}
			def.Fields[name] = v
		}
	}
	return nil
}

// mayOwn reports whether items may be given to that account: it exists in the scope. A world
// without accounts has nothing to object.
func (c *call) mayOwn(cid int64) bool {
	accounts := c.scope.accounts
	if c.s.opt.IgnoreCID || len(accounts.ids) == 0 {
		return true
	}
	return accounts.items[cid] != nil && c.scope.has(cid)
}

// grow merges v into old where both are objects. Neither is changed: old belongs to an item that
// readers may hold.
func grow(old, v any) any {
	was, ok := old.(map[string]any)
	more, isObj := v.(map[string]any)
	if !ok || !isObj {
		return v
	}
	out := maps.Clone(was)
	for name, part := range more {
		out[name] = grow(out[name], part)
	}
	return out
}

// change applies the body to items and prints them as they are then. An element with an id concerns
// that item only.
func (c *call) change(items []*item) {
	ok := c.each(items, func(id int64, obj map[string]any) error {
		if own, named := obj["id"]; named && own != id {
			return nil
		}
		return c.apply(id, obj)
	})
	if ok {
		c.again(items)
	}
}

// each does something with every object of the body for every item. It reports whether all went
// well, and answers with the first error.
func (c *call) each(items []*item, do func(id int64, obj map[string]any) error) bool {
	objs, err := c.objects()
	if err != nil {
		c.bad(err)
		return false
	}
	for _, it := range items {
		for _, obj := range objs {
			if err := do(it.id, obj); err != nil {
				c.bad(err)
				return false
			}
		}
	}
	return true
}

func (c *call) apply(id int64, obj map[string]any) error {
	var wrong error
	err := c.coll.update(c.coll.items[id], func(def *Item) {
		wrong = c.merge(def, obj, c.method == "PATCH")
	})
	return errors.Join(wrong, err)
}

// again prints items as they are after a change.
func (c *call) again(items []*item) {
	for i, it := range items {
		items[i] = c.coll.items[it.id]
	}
	c.rows(items)
}

// move answers PUT …/cid with a body of {"cid":N}.
func (c *call) move(items []*item) {
	objs, err := c.objects()
	if err != nil || len(objs) != 1 {
		c.bad(errors.Join(errBody, err))
		return
	}
	cid, ok := objs[0]["cid"].(int64)
	if !ok {
		c.bad(errBodyCID)
		return
	}
	if !c.mayOwn(cid) {
		c.out.status = fasthttp.StatusForbidden
		c.out.fail(codeDenied, cid, fmt.Sprintf("access denied to account '/subaccounts/%d'", cid))
		return
	}
	for _, it := range items {
		if err := c.coll.update(it, func(def *Item) { def.CID = cid }); err != nil {
			c.bad(err)
			return
		}
	}
	c.again(items)
}
