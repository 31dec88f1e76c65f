package policy_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// dice turns fuzz bytes into choices. When the bytes end it goes on by a generator that they seed,
// so that short inputs describe whole worlds too.
type dice struct {
	data []byte
	rest *rand.Rand
}

func newDice(data []byte) *dice {
	h := fnv.New64a()
	h.Write(data)
	return &dice{data: data, rest: rand.New(rand.NewPCG(h.Sum64(), 1))}
}

// n returns one of 0 … limit-1.
func (d *dice) n(limit int) int {
	if len(d.data) == 0 {
		return d.rest.IntN(limit)
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b) % limit
}

func (d *dice) one(of ...string) string { return of[d.n(len(of))] }

// rarely is true once in k.
func (d *dice) rarely(k int) bool { return d.n(k) == k-1 }

func (d *dice) ids(most int) (ids []int64) {
	for range d.n(most + 1) {
		ids = append(ids, int64(d.n(9)+1))
	}
	return ids
}

// world makes a small world around one route of the catalogue, and a request for it.
func (d *dice) world() (*world, ask) {
	w := newWorld()
	for id := range int64(d.n(5) + 2) {
		w.addAccount(id+1, int64(d.n(int(id)+1)))
	}
	d.engineOf(w)
	r := d.route()
	w.tokens["t"] = d.token(w, r)
	for _, c := range append([]string{"gw/devices", "gw/groups"}, r.places...) {
		d.itemsOf(w, c)
	}
	d.groupsOf(w)
	d.grantsOf(w, r)
	a := ask{token: "t", method: d.one(r.methods...), target: d.target(r)}
	if d.rarely(12) {
		a.method = d.one("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "get")
	}
	if d.rarely(6) {
		a.cid = int64(d.n(8) + 1)
	}
	return w, a
}

// route picks any route, but prefers links, and then what has rules of its own.
func (d *dice) route() *route {
	wanted := []func(*route) bool{
		func(*route) bool { return true },
		func(r *route) bool { return len(r.places) > 1 && isInt(r.places[1]) && r.closed == "" },
		func(r *route) bool { return len(r.places) > 1 && isInt(r.places[1]) && r.closed == "" },
		func(r *route) bool { return r.of.Scoped && r.closed == "" && r.pattern[0] != "platform" },
		func(r *route) bool { return r.slash || r.of.ID == "none" && r.closed == "" },
	}[d.n(5)]
	var all []*route
	for _, r := range oracleRoutes() {
		if wanted(r) {
			all = append(all, r)
		}
	}
	return all[(d.n(256)*256+d.n(256))%len(all)]
}

func (d *dice) engineOf(w *world) {
	w.settings = worldSettings{
		mode: d.one("header", "header", "ids", "ids", "both"), denyMatch: d.rarely(2), strictLinks: d.rarely(3), masterRoutes: d.rarely(2),
		forwardKeys: d.rarely(3), callersKey: d.rarely(4), unenforced: d.rarely(6), maxIDs: []int{0, 3, 6}[d.n(3)],
	}
	if d.rarely(4) {
		w.settings.query = []string{"reverse"}
	}
}

func (d *dice) itemsOf(w *world, c string) {
	for id := range int64(9) {
		owner := int64(d.n(len(w.order)+2) + 1) // some of no known account
		switch d.n(4) {
		case 0:
			place(w.unlisted, c, id+1, owner)
		case 1:
		default:
			place(w.index, c, id+1, owner)
		}
	}
	w.doubts[c] = nil
	for id := range w.unlisted[c] {
		if _, known := w.index[c][id]; !known && id%2 == 0 {
			w.doubts[c] = append(w.doubts[c], id)
		}
	}
	for _, match := range matches {
		w.matches[c+" "+match] = d.ids(4)
		w.refused[c+" "+match] = d.rarely(8)
	}
}

// groupsOf fills groups. All of them are in the index: which members a group confers must not hang
// on a look-up of the group itself.
func (d *dice) groupsOf(w *world) {
	delete(w.unlisted, "gw/groups")
	delete(w.doubts, "gw/groups")
	for _, c := range []string{"gw/devices", "gw/assets", "gw/geofences"} {
		w.members[c] = map[int64][]int64{}
		for group := range int64(4) {
			w.members[c][group+1] = d.ids(4)
		}
	}
}

func (d *dice) token(w *world, r *route) *worldToken {
	tok := &worldToken{access: d.one("acl", "acl", "acl", "acl", "acl", "standard", "master"), cid: w.order[d.n(len(w.order))]}
	if d.rarely(50) {
		tok.access = "noapi"
	}
	uris := append([]string{r.of.URI, r.of.URI, r.pattern[0], "gw/devices", "gw/groups", "gw"}, r.places...)
	for range d.n(7) {
		e := worldEntry{uri: d.one(uris...), methods: d.methods()}
		if d.rarely(15) {
			e.uri = d.one("", "g", "gw/", "gw/device", "gw/devices/1", "/gw", "GW")
		}
		e.rule = d.one("", "", "all", "list", "list", "in-groups")
		if e.rule == "list" {
			e.ids = d.ids(6)
		}
		e.named = d.rarely(3)
		for range d.n(4) {
			if e.named {
				e.subs = append(e.subs, worldSub{d.one("messages", r.sub, r.sub, "cid", "telemetry", "devices"), d.methods()})
			}
		}
		tok.entries = append(tok.entries, e)
	}
	return tok
}

func (d *dice) methods() (words []string) {
	for _, word := range []string{"GET", "GET", "POST", "PUT", "PATCH", "DELETE"} {
		if d.rarely(2) {
			words = append(words, word)
		}
	}
	return words
}

var matches = []string{"name=van", "{id>1}", "a.b==c,x=y", `{n=="a}b?"&&(x)}`, "cid=2", "cid==3", "cid=2,cid=3", "cid=2,x=y", "cid=2*",
	"telemetry.x=1", "name=van,Messages.a.b=2"}

// strange are segments with something to get wrong.
var strange = []string{
	"ALL", "all,", "all,7", "all,all", "all,{id>1}", "all,name=", "7,name", "7,{id>1}", "7,name=x,9", "name=x,7", "name=x,all", "7,=x", "7,,a=b", "07,a=b",
	"7,1=x", "7,a=b=c", "9223372036854775808,a=b", "0", "01", "1,", ",1", "1,,2", "1,all", "1,01", "9223372036854775807", "9223372036854775808", "name=", "name===x", "1=x", "a-b=c",
	"{", "{}", "{a}{b}", "{(a}", "{a)b(}", `{"}`, "a?b", "%2e%2e", ".", "..", "...", "%2f", "a%2fb", "a%2f%2fb", "a%2f..", "%23", "a%3bb", "%25", "%2561ll",
	"%zz", "%4", "%00", "%7f", "%c3%a9", "%c3", "%ed%a0%80", "flespi%2fx", "$SYS", "%24a", "flespi", "", "x+y", "%2B", "a;b", "cid", "messages", "calculate", "tokens",
}

func (d *dice) selector(collection string) string {
	switch n := d.n(20); {
	case n < 3:
		return "all"
	case n < 14 && isInt(collection):
		return joinIDs(append(d.ids(6), int64(d.n(9)+1)))
	case n < 19 && isInt(collection):
		return d.one("", "", "all,", joinIDs(append(d.ids(6), int64(d.n(9)+1)))+",") + d.one(matches...)
	case n < 19:
		return d.one("all", "a", "a,b", "x.y", "7", "a%2fb", "flespi%2fx")
	}
	return d.one(strange...)
}

// target writes the path of r with selectors, somewhat encoded and somewhat
// broken, within the bytes that a head lets pass.
func (d *dice) target(r *route) string {
	next := 0
	var segments []string
	for _, p := range r.pattern {
		if p == "{}" {
			p = d.selector(r.places[next])
			next++
		}
		segments = append(segments, d.encode(p))
	}
	if d.rarely(10) {
		segments = d.mangle(segments)
	}
	path := "/" + strings.Join(segments, "/")
	if d.rarely(40) {
		path += "/"
	}
	return path + d.query()
}

func (d *dice) mangle(segments []string) []string {
	at := d.n(len(segments))
	switch d.n(3) {
	case 0:
		segments[at] = d.one(strange...)
	case 1:
		return append(segments, d.one(append(strange, "unheard", "1", "all")...))
	default:
		return append(segments[:at:at], segments[at+1:]...)
	}
	return segments
}

// encode escapes some bytes, and those that no target holds raw.
func (d *dice) encode(text string) string {
	often := d.rarely(6)
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < 0x21 || c > 0x7e || c == '#' || c == '\\' || often && c != '%' && d.rarely(3) {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// fieldQuery asks for fields, some of submodules.
func (d *dice) fieldQuery() string {
	name := func() string {
		return d.one("id", "name", "cid", "*", "telemetry", "Telemetry.x", "messages", "messages.a-b", "settings", "logs", "devices", "tele*", "configuration.telemetry")
	}
	list := name()
	for d.rarely(2) {
		list += "," + name()
	}
	switch d.n(6) {
	case 0:
		return "?data=" + d.encode(`{"fields":"`+list+`"}`)
	case 1:
		return "?data=" + d.encode(`{"count":1,"fields":["`+strings.ReplaceAll(list, ",", `","`)+`"]}`)
	case 2:
		return "?data=" + d.encode(d.one(`{"filter":"x>1"}`, `{"fields":1}`, `{"fields":["id",2]}`, `{"Fields":"id"}`, `{"fields":""}`, `{"count":1}`))
	}
	return "?fields=" + d.encode(list)
}

func (d *dice) query() string {
	if d.rarely(4) {
		return d.fieldQuery()
	}
	if d.n(6) > 0 {
		return ""
	}
	var pairs []string
	for range d.n(4) {
		name := d.one("fields", "limit", "offset", "cid", "data", "reverse", "names", "fields", "token", "", "Fields")
		value := d.one("id", "id,name", "1", "10", "0", "2", "3", "", "a=b", "a+b", "a%2Bb", "a%26b", "%7B%22a%22%3A1%7D", `{"a":1}`, "007", "-1",
			"%zz", "%00", "%ff", "a;b", "a?b", "a%3Fb", "a%25", "x y", "%C3%A9", "9223372036854775808")
		pairs = append(pairs, d.encode(name)+"="+d.encode(value))
	}
	if d.rarely(12) {
		pairs = append(pairs, d.one("", "fields", "="))
	}
	return "?" + strings.Join(pairs, "&")
}
