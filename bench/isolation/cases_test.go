package isolation

import "math/rand/v2"

// linkPlaces says at which linked places a collection is asked for.
var linkPlaces = map[string][]string{
	devices: {groups, calcs, streams}, groups: {calcs, streams}, channels: {streams}, geofences: {groups, devices, calcs},
}

// Cases makes requests of a token: it needs the world to know which ids are its own, foreign or
// missing.
type Cases struct {
	*World
	t    *Token
	coll string
	rng  *rand.Rand
}

// Cases returns the maker of requests of a token about a collection.
func (w *World) Cases(t *Token, coll string, seed uint64) *Cases {
	return &Cases{w, t, coll, rand.New(rand.NewPCG(seed, uint64(t.ID)))}
}

// own returns an id in the token's branch, preferably one that an entry names; if there is none,
// any id.
func (c *Cases) own(uri string) int64 {
	branch := c.Branch(uri, c.t.CID)
	if c.rng.IntN(2) == 0 {
		for _, i := range c.rng.Perm(len(c.t.Entries)) {
			e := &c.t.Entries[i]
			if e.IDs == idsList && e.covers(uri) {
				return e.List[c.rng.IntN(len(e.List))]
			}
		}
	}
	if len(branch) == 0 {
		return c.foreign(uri)
	}
	return branch[c.rng.IntN(len(branch))]
}

// foreign returns an id outside the token's branch; if everything is the token's, a missing one.
func (c *Cases) foreign(uri string) int64 {
	all := c.sorted[uri]
	for range 30 {
		id := all[c.rng.IntN(len(all))]
		if !c.Below(c.t.CID, c.Items[uri][id].CID) {
			return id
		}
	}
	return c.absent(uri)
}

// absent returns an id that no item has.
func (c *Cases) absent(uri string) int64 { return c.missing(uri, c.rng) }

// below returns an account of the token's branch, mostly not its own; outside one that is none.
func (c *Cases) below() int64 {
	for range 30 {
		if cid := c.accounts[c.rng.IntN(len(c.accounts))]; c.Below(c.t.CID, cid) {
			return cid
		}
	}
	return c.t.CID
}

func (c *Cases) outside() int64 {
	for range 30 {
		if cid := c.accounts[c.rng.IntN(len(c.accounts))]; !c.Below(c.t.CID, cid) {
			return cid
		}
	}
	return nobody
}

// selectors returns one selector of every form.
func (c *Cases) selectors(uri string) []Selector {
	one := func(id int64) Selector { return Selector{Form: selIDs, IDs: []int64{id}} }
	a, b := c.own(uri), c.own(uri)
	mixed := []int64{b, c.foreign(uri), a, c.absent(uri)}
	if a == b {
		mixed = mixed[:3]
	}
	if mixed[1] == mixed[len(mixed)-1] {
		mixed = mixed[:2]
	}
	return []Selector{
		{Form: selAll}, one(a), one(c.foreign(uri)), one(c.absent(uri)), {Form: selIDs, IDs: distinctIDs(mixed)},
		{Form: selField, Color: c.rng.Int64N(colors)}, {Form: selExpr, Color: c.rng.Int64N(colors)},
		{Form: selHidden, Color: c.rng.Int64N(colors)},
		c.conditional(uri, Selector{Form: selCond, IDs: distinctIDs(mixed)}), c.conditional(uri, Selector{Form: selWhich}),
	}
}

// conditional gives a selector the color or the account of an item that it may name, or of a foreign
// one.
func (c *Cases) conditional(uri string, s Selector) Selector {
	id := c.own(uri)
	if len(s.IDs) > 0 {
		id = s.IDs[c.rng.IntN(len(s.IDs))]
	}
	it := c.Items[uri][id]
	switch {
	case it == nil || it.Color < 0 && c.rng.IntN(2) == 0: // not everything has a color
		s.Color = c.rng.Int64N(colors)
	case it.Color >= 0 && c.rng.IntN(2) == 0:
		s.Color = it.Color
	default:
		s.CID = it.CID
	}
	return s
}

func distinctIDs(ids []int64) []int64 {
	var out []int64
	seen := map[int64]bool{}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// Reads returns the requests that change nothing the oracle looks at: every form at every place.
func (c *Cases) Reads() []Ask {
	var all []Ask
	for _, s := range c.selectors(c.coll) {
		get := Ask{Method: "GET", Coll: c.coll, Sel: s}
		put := get
		put.Method, put.Body = []string{"PUT", "PATCH"}[c.rng.IntN(2)], &Body{}
		logs := get
		logs.Sub = "logs"
		paged := get
		paged.Paged, paged.Limit, paged.Offset = true, c.rng.IntN(4), c.rng.IntN(3)
		all = append(all, get, put, logs, paged)
		all = append(all, c.accountPlaces(get)...)
		all = append(all, c.bodies(put)...)
		if c.coll == devices {
			telemetry, erase := get, get
			telemetry.Sub = "telemetry"
			erase.Method, erase.Sub = "DELETE", "messages"
			all = append(all, telemetry, erase)
		}
		all = append(all, c.linked("GET", s)...)
		all = append(all, c.fields(get)...)
	}
	return all
}

// fields asks for fields of submodules by every door.
func (c *Cases) fields(get Ask) []Ask {
	asks := []Ask{get, get, get}
	asks[1].Method, asks[1].Body = "PUT", &Body{}
	asks[2].InData = true
	asks = append(asks, c.linked("GET", get.Sel)...)
	for i := range asks {
		asks[i].Fields = fieldLists[c.rng.IntN(len(fieldLists))]
	}
	return asks
}

// accountPlaces narrows a request by header and by query, to accounts inside and outside.
func (c *Cases) accountPlaces(a Ask) []Ask {
	header, query, wrong := a, a, a
	header.HeaderCID, query.QueryCID = c.below(), c.below()
	if wrong.HeaderCID = c.outside(); c.rng.IntN(2) == 0 {
		wrong.HeaderCID, wrong.QueryCID = 0, wrong.HeaderCID
	}
	return []Ask{header, query, wrong}
}

// bodies names items and accounts in the body of a change. An account inside would move the item.
func (c *Cases) bodies(a Ask) []Ask {
	named, other, wrong := a, a, a
	named.Body, other.Body, wrong.Body = &Body{ID: c.own(c.coll)}, &Body{ID: c.foreign(c.coll)}, &Body{CID: c.outside()}
	if len(a.Sel.IDs) > 0 {
		named.Body = &Body{ID: a.Sel.IDs[0]}
	}
	return []Ask{named, other, wrong}
}

// linked asks for a collection at the places where it is linked, and once as the parent.
func (c *Cases) linked(method string, s Selector) []Ask {
	var all []Ask
	for _, parent := range linkPlaces[c.coll] {
		forms := c.selectors(parent)
		own := []Selector{forms[0], forms[1], forms[4]}[c.rng.IntN(3)]
		all = append(all, Ask{Method: method, Coll: parent, Sel: own, Linked: c.coll, LinkedSel: s})
	}
	return all
}

// Changes returns requests that change what the oracle knows, if they are permitted.
func (c *Cases) Changes() []Ask {
	one := Selector{Form: selIDs, IDs: []int64{c.own(c.coll)}}
	two := Selector{Form: selIDs, IDs: distinctIDs([]int64{c.own(c.coll), c.foreign(c.coll), c.own(c.coll)})}
	var all []Ask
	for _, b := range []Body{{}, {CID: c.below()}, {CID: c.outside()}, {ID: c.own(c.coll)}} {
		all = append(all, Ask{Method: "POST", Coll: c.coll, Body: &b})
	}
	narrowed := Ask{Method: "POST", Coll: c.coll, Body: &Body{}, HeaderCID: c.below()}
	all = append(all, narrowed, Ask{Method: "PUT", Coll: c.coll, Sel: one, Body: &Body{CID: c.below()}},
		Ask{Method: "DELETE", Coll: c.coll, Sel: two}, Ask{Method: "DELETE", Coll: c.coll, Sel: c.selectors(c.coll)[2]})
	if c.coll == devices || c.coll == channels {
		for _, cid := range []int64{c.below(), c.outside()} {
			all = append(all, Ask{Method: "PUT", Coll: c.coll, Sel: two, Sub: "cid", Body: &Body{CID: cid}})
		}
	}
	for _, s := range c.selectors(c.coll)[1:6] {
		all = append(all, c.linked("POST", s)...)
		all = append(all, c.linked("DELETE", s)...)
	}
	return all
}

// named returns requests for one id at every place; the same places for every id.
func (c *Cases) named(id int64) []Ask {
	s := Selector{Form: selIDs, IDs: []int64{id}}
	all := []Ask{
		{Method: "GET", Coll: c.coll, Sel: s}, {Method: "PUT", Coll: c.coll, Sel: s, Body: &Body{ID: id}},
		{Method: "GET", Coll: c.coll, Sel: s, HeaderCID: c.t.CID}, {Method: "GET", Coll: c.coll, Sel: s, Sub: "logs"},
		{Method: "PUT", Coll: c.coll, Sel: Selector{Form: selAll}, Body: &Body{ID: id}},
	}
	for _, parent := range linkPlaces[c.coll] {
		all = append(all, Ask{Method: "GET", Coll: parent, Sel: Selector{Form: selAll}, Linked: c.coll, LinkedSel: s})
	}
	return all
}
