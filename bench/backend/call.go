package backend

import (
	"strconv"
	"sync"

	"github.com/valyala/fasthttp"
)

// call is one request on its way through. It is pooled; nothing of it may outlive the handler.
type call struct {
	s      *Server
	w      *World
	method string
	segs   []string // decoded, the leading slash dropped
	query  query
	scope  scope
	cid    int64 // account of creations without their own
	body   []byte
	kind   string     // Content-Type of the body, as it came
	shown  projection // of item rows
	filter matcher    // of the data of a GET of items; nil: none

	coll   *collection
	rest   []string // segments after the collection's
	picked []*item  // what pick returned so far
	out    answer
}

var calls = sync.Pool{New: func() any { return new(call) }}

// release forgets the request and keeps the buffers, unless one has grown so far that every later
// request would carry it.
func (c *call) release() {
	const keep = 1 << 20
	rows, picked := c.out.rows, c.picked
	if cap(rows) > keep {
		rows = nil
	}
	if cap(picked) > keep/8 {
		picked = nil
	}
	clear(picked)
	*c = call{segs: c.segs[:0], picked: picked[:0], out: answer{rows: rows[:0], errs: c.out.errs[:0]}}
	calls.Put(c)
}

// handle is fasthttp's handler: record, fault, answer, cut.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	body, size, err := readBody(ctx)
	if err != nil {
		_ = ctx.Conn().Close() // the client left in the middle of its body
		return
	}
	if s.rec != nil {
		s.rec.add(copyRequest(ctx, body, size))
	}
	wrong := s.canned(ctx, body, size)
	if wrong != nil && s.before(ctx, wrong) {
		wrong.after(ctx)
		return
	}
	c := calls.Get().(*call)
	defer c.release()
	c.s, c.w, c.body = s, s.world, body
	c.answer(&ctx.Request.Header)
	c.out.send(&ctx.Response, s.opt.ContentLength)
	if wrong != nil {
		wrong.after(ctx)
	}
}

// answer fills c.out.
func (c *call) answer(h *fasthttp.RequestHeader) {
	auth, cid, twice := credentials(h)
	switch {
	case twice:
		c.out.refuse(fasthttp.StatusBadRequest, codeBad, "a header is given twice")
		return
	case c.s.auth != "" && string(auth) != c.s.auth:
		c.out.refuse(fasthttp.StatusUnauthorized, codeToken, "invalid token")
		return
	}
	var err error
	c.method, c.kind = string(h.Method()), string(h.ContentType())
	if c.segs, c.query, err = parseTarget(c.segs[:0], string(h.RequestURI())); err != nil {
		c.bad(err)
		return
	}
	c.shown = parseFields(c.query.fields)
	// Reads run in parallel; whatever may change the world runs alone.
	if c.method == get {
		c.w.mu.RLock()
		defer c.w.mu.RUnlock()
	} else {
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
	}
	if c.enter(cid) {
		c.route()
	}
}

// credentials returns the headers that decide who asks, and whether one of them came twice: which
// of the two counts would be a guess.
func credentials(h *fasthttp.RequestHeader) (auth, cid []byte, twice bool) {
	for name, value := range h.All() {
		switch {
		case equalFold(name, "authorization"):
			twice = twice || auth != nil
			auth = value
		case equalFold(name, "x-flespi-cid"):
			twice = twice || cid != nil
			cid = value
		}
	}
	return auth, cid, twice
}

// equalFold compares a header name with a lower-case one.
func equalFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range name {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// enter sets the scope; it reports whether the caller may have it.
func (c *call) enter(header []byte) bool {
	accounts := c.w.colls[accountsURI]
	c.scope = scope{accounts: accounts, top: c.s.opt.Root}
	c.cid = c.s.opt.Root
	if c.cid == 0 {
		c.cid = firstRoot(accounts)
	}
	if c.s.opt.IgnoreCID {
		c.scope.top = 0
		return true
	}
	if header == nil {
		return true
	}
	id, err := parseID(string(header))
	if err != nil {
		c.out.refuse(fasthttp.StatusBadRequest, codeBad, "wrong x-flespi-cid")
		return false
	}
	if accounts.items[id] == nil || !c.scope.has(id) {
		c.out.status = fasthttp.StatusForbidden
		c.out.fail(codeDenied, id, "access denied to account '/subaccounts/"+strconv.FormatInt(id, 10)+"'")
		return false
	}
	c.scope = scope{accounts: accounts, top: id}
	c.cid = id
	return true
}

// firstRoot returns the lowest account without a parent, 0 if there is none.
func firstRoot(accounts *collection) int64 {
	for _, id := range accounts.ids {
		if accounts.items[id].cid == 0 {
			return id
		}
	}
	return 0
}

// route finds out what the path names and has it answered.
func (c *call) route() {
	if c.collection(); c.coll == nil {
		rows, known := static(c.segs)
		if !known {
			c.unknown()
			return
		}
		c.out.rows = append(c.out.rows, rows...)
		return
	}
	c.shown.noCID = c.s.opt.NoCIDField || c.coll.open
	switch len(c.rest) {
	case 0:
		c.create()
	case 1:
		c.items()
	default:
		c.submodule()
	}
}

// collection sets coll and rest; coll stays nil when the path has no items.
func (c *call) collection() {
	// The legacy token collection is the only uri of three segments.
	for _, n := range []int{3, 2} {
		if len(c.segs) < n {
			continue
		}
		uri := c.segs[0] + "/" + c.segs[1]
		if n == 3 {
			if c.segs[0] != "platform" || c.segs[1] != "customer" {
				continue
			}
			uri += "/" + c.segs[2]
		}
		if coll := c.w.colls[uri]; coll != nil {
			c.coll, c.rest = coll, c.segs[n:]
			return
		}
	}
}

// unknown answers as the vendor does for a path or a method that it has not.
func (c *call) unknown() {
	c.out.refuse(fasthttp.StatusNotFound, codeAbsent, "not found: "+c.method)
}

func (c *call) bad(err error) { c.out.refuse(fasthttp.StatusBadRequest, codeBad, err.Error()) }

// pick returns the items of coll that the segment names and that exist in this scope; listed ids
// that do not are errors. It reports whether there is anything to go on with, and otherwise leaves
// the answer complete. The items are in a pooled slice and valid until release.
func (c *call) pick(coll *collection, segment string, page query) ([]*item, bool) {
	sel, err := parseSelector(segment)
	if err != nil {
		c.bad(err)
		return nil, false
	}
	first, ids := len(c.picked), coll.ids
	if sel.ids != nil {
		ids = sel.ids
	}
	for _, id := range ids {
		it := coll.items[id]
		exists := it != nil && (coll.open || c.scope.has(it.cid))
		switch {
		case !exists && sel.ids != nil:
			c.out.fail(codeAbsent, id, "'/"+coll.kind+"/"+strconv.FormatInt(id, 10)+"' not found")
		case !exists || sel.match != nil && !sel.match(&placed{it, c, coll}):
		case c.filter != nil && coll == c.coll && !c.filter(&placed{it, c, coll}):
		case page.offset > 0:
			page.offset--
		case page.limit >= 0 && int64(len(c.picked)-first) >= page.limit:
			return c.picked[first:], true
		default:
			c.picked = append(c.picked, it)
		}
	}
	if len(c.picked) == first && len(c.out.errs) > 0 {
		c.out.status = fasthttp.StatusNotFound
		return nil, false
	}
	return c.picked[first:], true
}

// everything is the page of a list that is not paged.
func everything() query { return query{limit: -1} }
