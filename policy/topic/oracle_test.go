package topic

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
)

var long = flag.Bool("long", false, "the full number of generated worlds, and every pair of small filters")

// The oracle decides about topics from the words of SPEC 16.4 alone: it finds the path of the GET in
// the list of routes, and has the engine judge that path as the proxy would. It shares no code with
// the package.

// oracle is a world with one token before it.
type oracle struct {
	w   *world
	tok *policy.Token
}

// matchNaively is the text of the standard: + is one level, # the level above and all below, no
// wildcard at the beginning matches $. With lists a level may be several words.
func matchNaively(filter, topic string, lists bool) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	if (f[0] == "+" || f[0] == "#") && strings.HasPrefix(t[0], "$") {
		return false
	}
	for len(f) > 0 && f[0] != "#" {
		one := len(t) > 0 && (f[0] == "+" || f[0] == t[0] || lists && slices.Contains(strings.Split(f[0], ","), t[0]))
		if !one {
			return false
		}
		f, t = f[1:], t[1:]
	}
	return len(f) > 0 || len(t) == 0
}

func (o *oracle) lists() bool { return o.w.law.Dialect == Flespi }

// path returns the GET that would show the data of a platform topic; false: it is closed.
func (o *oracle) path(topic string) (path string, ok bool) {
	l := strings.Split(topic, "/")
	if len(l) < 5 || l[0] != "flespi" {
		return "", false
	}
	category, uri, id, tail := l[1], l[2]+"/"+l[3], l[4], l[5:]
	c := o.w.cat.Collection(uri)
	if c == nil || c.IDs != policy.IDInt || c.Dictionary {
		return "", false
	}
	if _, isID := policy.ParseID([]byte(id)); !isID || l[2] == "platform" || l[2] == "mqtt" {
		return "", false
	}
	item := "/" + uri + "/" + id
	switch {
	case category == "message" && uri == "gw/modems":
		return item, true
	case category == "message":
		return o.below(uri, item, []string{"messages"})
	case category == "log":
		return o.below(uri, item, []string{"logs"})
	case category == "interval":
		if uri != "gw/calcs" || len(tail) != 3 || tail[0] != "devices" {
			return "", false
		}
		return o.below(uri, item, tail[:2])
	case category != "state":
		return "", false
	case len(tail) == 0:
		return item, true
	case tail[0] == "" || o.known(uri, firstPart(tail[0])) && firstPart(tail[0]) != tail[0]:
		return "", false // another spelling of a submodule is no property
	case o.known(uri, tail[0]):
		return o.below(uri, item, tail)
	}
	return item, len(tail) == 1
}

// known reports whether the catalogue has something called name below items. What is moved by PUT of
// cid is a field of the item; messages are no field anywhere.
func (o *oracle) known(uri, name string) bool {
	for _, r := range o.routes(uri) {
		if parts := strings.Split(r.Path, "/"); len(parts) > 2 && parts[2] == name && name != "cid" {
			return true
		}
	}
	return name == "messages"
}

// firstPart is the first part of a field's name, as a backend that does not mind case reads it.
func firstPart(field string) string {
	first, _, _ := strings.Cut(field, ".")
	return strings.ToLower(first)
}

func (o *oracle) routes(uri string) []*policy.Route {
	if c := o.w.cat.Collection(uri); c != nil {
		return c.Routes
	}
	return nil
}

// below finds a GET of a submodule, and fills its further selectors.
func (o *oracle) below(uri, item string, tail []string) (string, bool) {
	for _, r := range o.routes(uri) {
		parts := strings.Split(r.Path, "/")
		if len(parts) < 3 || parts[2] != tail[0] || !r.Methods.Has(policy.GET) {
			continue
		}
		path, next := item+"/"+tail[0], 1
		for i, p := range parts[3:] {
			switch {
			case p != "{}":
				path += "/" + p
			case i == 0 && r.Selectors[1] != nil && len(tail) > 1:
				if _, isID := policy.ParseID([]byte(tail[1])); !isID {
					return "", false
				}
				path += "/" + tail[1]
			case i == 0 && r.Selectors[1] != nil:
				path += "/all"
			default:
				path += "/x"
			}
			next++
		}
		return path, true
	}
	return "", false
}

// permits reports whether a message on a topic may be shown.
func (o *oracle) permits(topic string) bool {
	first, _, _ := strings.Cut(topic, "/")
	if strings.HasPrefix(first, "$") {
		return false
	}
	if first != "flespi" {
		if o.tok.Access != policy.ACLAccess {
			return true
		}
		return slices.ContainsFunc(o.tok.ACL.Entries(), func(e policy.Entry) bool {
			return e.URI == "mqtt" && e.Actions&policy.Subscribe != 0 && e.Topic != "" && matchNaively(e.Topic, topic, o.lists())
		})
	}
	l := strings.Split(topic, "/")
	if len(l) > 4 && l[2] == "platform" && (l[1] == "state" || l[1] == "log" || l[1] == "message") {
		return o.tok.Access == policy.Master && o.get("/platform/"+l[3]+"/"+l[4])
	}
	if len(l) > 2 && l[2] == "mqtt" && (l[1] == "state" || l[1] == "log") {
		return o.tok.Access != policy.ACLAccess && o.w.engine.Mode.Header()
	}
	path, ok := o.path(topic)
	return ok && o.get(path)
}

// get reports whether a GET is allowed as it is.
func (o *oracle) get(path string) bool {
	var r policy.Request
	if r.Parse(o.w.engine, policy.GET, []byte(path)) != policy.NotJudged {
		return false
	}
	var d policy.Decision
	in := policy.Input{Request: &r, Token: o.tok, At: 1700000000, Tree: o.w.tree, Items: o.w.items, Resolved: &policy.Resolved{LookedUp: true}}
	o.w.engine.Evaluate(&d, &in)
	return d.Verdict == policy.Allow
}

// universe is every topic that the tests know.
func universe() (topics []string) {
	topics = []string{
		"a", "b", "/a", "a/", "a/a", "a/b", "b/b", "a//b", "a/b/c", "b/a/b/c", "$SYS", "$SYS/a", "flespi", "flespi/", "flespi/a", "/flespi",
		"flespi/rest/get/gw/devices/1", "flespi/state/platform/webhooks", "flespi/state/platform/webhooks/1", "flespi/log/mqtt/a",
		"flespi/state/mqtt/a/b", "flespi/message/mqtt/a", "flespi/state/gw", "flespi/state/gw/devices", "flespi/state/gw/unheard/1",
		"flespi/state/platform/tokens/1", "flespi/state/gw/channel-protocols/1", "state/gw/devices/1", "a/state/gw/devices/1",
	}
	tails := []string{"", "/name", "/cid", "/name/a", "/telemetry", "/Telemetry", "/telemetry.position", "/", "/telemetry/a", "/telemetry/a/b", "/messages", "/messages/a", "/logs/a", "/connections/1",
		"/commands", "/commands/1", "/devices", "/devices/1", "/devices/2/a", "/devices/3/created", "/devices/a/b", "/devices/1/a/b", "/geofences/1/a", "/channels/1/a"}
	for _, category := range []string{"state", "message", "log", "interval"} {
		for _, c := range []string{"gw/devices", "gw/calcs", "gw/modems", "gw/streams", "gw/groups", "storage/containers"} {
			for _, id := range []string{"1", "2", "3", "x"} {
				for _, tail := range tails {
					topics = append(topics, "flespi/"+category+"/"+c+"/"+id+tail)
				}
			}
		}
	}
	return topics
}

var allTopics = universe()

// dice makes worlds, tokens and filters.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

func (d dice) world(t testing.TB) *oracle {
	mode := []policy.Mode{policy.ModeHeader, policy.ModeHeader, policy.ModeIDs, policy.ModeBoth}[d.IntN(4)]
	w := newWorld(t, mode)
	w.engine.StrictLinks = d.IntN(3) == 0
	w.engine.Unenforced = d.IntN(20) == 0
	w.law = New(Options{Engine: w.engine, Dialect: Dialect(d.IntN(2))})
	p := &placed{of: map[string]map[int64]int64{}, members: map[string]map[int64][]int64{}, tree: w.tree}
	for _, c := range w.cat.Collections {
		p.of[c.URI], p.members[c.URI] = map[int64]int64{}, map[int64][]int64{}
		for id := range int64(3) {
			if d.IntN(5) > 0 {
				p.of[c.URI][id+1] = []int64{1, 11, 11, 11, 111, 12}[d.IntN(6)]
			}
			p.members[c.URI][id+1] = idsOf(d.one("", "1", "2", "1,2", "3"))
		}
	}
	w.items = p
	return &oracle{w, d.token(t, w)}
}

func (d dice) token(t testing.TB, w *world) *policy.Token {
	switch d.IntN(12) {
	case 0:
		return w.plain(policy.Standard, []int64{1, 11}[d.IntN(2)])
	case 1:
		return w.plain(policy.Master, []int64{1, 11}[d.IntN(2)])
	}
	var lines []string
	for range d.IntN(5) {
		line := d.one("gw/devices", "gw/devices", "gw/calcs", "gw/calcs", "gw/modems", "gw/streams", "gw/groups", "gw", "storage") + " " +
			d.one("GET", "GET", "GET", "GET,PUT", "PUT", "none") + " " + d.one("-", "all", "1", "1,2", "2,3", "none", "in-groups")
		for range d.IntN(3) * d.IntN(3) {
			line += " " + d.one("telemetry", "messages", "logs", "devices", "cid", "geofences") + "=" + d.one("GET", "GET", "PUT")
		}
		lines = append(lines, line+d.one("", "", "", " []"))
	}
	for range d.IntN(3) {
		lines = append(lines, "mqtt "+d.one("subscribe", "publish,subscribe", "publish")+" "+
			d.one("a", "a/b", "a/+", "+/b", "a/#", "#", "+/#", "+/+", "/+", "a//+", "+/state/#", "+", "a/+/#"))
	}
	return w.token(t, lines...)
}

// filter makes a filter around a topic of the universe.
func (d dice) filter() string {
	l := strings.Split(allTopics[d.IntN(len(allTopics))], "/")
	lists := l[0] == "flespi"
	for i := range l {
		switch d.IntN(6) {
		case 0, 1:
			l[i] = "+"
		case 2:
			if lists && i > 0 {
				l[i] += d.one(",1", ",2,3", ",name", ",telemetry", ",log")
			}
		}
	}
	if d.IntN(3) == 0 {
		l = append(l[:d.IntN(len(l)+1)], "#")
	}
	return strings.TrimPrefix(strings.Join(l, "/"), d.one("", "flespi/"))
}

// checkDeliveries compares every topic of the universe.
func (o *oracle) checkDeliveries(t *testing.T) {
	t.Helper()
	j := o.w.judge(o.tok)
	j.Revision = uint64(len(o.tok.ACL.Entries()) % 2) // by groups that are remembered, and that are not
	for _, topic := range allTopics {
		got, want := j.Deliver([]byte(topic), 0), o.permits(topic)
		if o.w.engine.Unenforced && o.tok.Access == policy.ACLAccess && !strings.HasPrefix(topic, "flespi") && !strings.HasPrefix(topic, "$") {
			want = true // such a token is judged as a standard one
		}
		if (got == policy.Permitted) != want {
			t.Fatalf("%s: got %v, want permitted %v\n%s", topic, got, want, o)
		}
	}
}

// checkSubscribe holds a filter to: delivered = permitted ∩ asked, and what is printed and not wide
// is a part of the permit.
func (o *oracle) checkSubscribe(t *testing.T, filter string) {
	t.Helper()
	j := o.w.judge(o.tok)
	var s Subscription
	reason := j.Subscribe(&s, []byte(filter), 0, 500)
	asked := strings.TrimPrefix(filter, "$share/g/")
	for _, topic := range allTopics {
		permitted := j.Deliver([]byte(topic), 0) == policy.Permitted
		matching, plain := "", 0
		for _, p := range s.Printed {
			text := strings.TrimPrefix(p.Filter, "$share/g/")
			if matchNaively(text, topic, o.lists()) {
				matching = text
				if !p.Overlaps {
					plain++
				}
			}
		}
		want := permitted && matchNaively(asked, topic, o.lists() || strings.HasPrefix(asked, "flespi/"))
		switch {
		case reason == policy.ShareWide || reason == policy.TooManyFilters:
		case want != (permitted && matching != ""):
			t.Fatalf("%s, %s: delivered %v, want %v (%v, %s)\n%s", filter, topic, matching != "", want, reason, printedOf(&s), o)
		case matching != "" && !matchNaively(asked, topic, o.lists() || strings.HasPrefix(asked, "flespi/")):
			t.Fatalf("%s, %s: printed %s, which was not asked for\n%s", filter, topic, matching, o)
		case plain > 1:
			t.Fatalf("%s, %s: matched twice: %s\n%s", filter, topic, printedOf(&s), o)
		case matching != "" && !permitted && !s.Wide && !o.tolerated(topic, matching, s.Shared):
			t.Fatalf("%s, %s: printed %s is not a part of the permit\n%s", filter, topic, matching, o)
		}
		l := strings.Split(topic, "/")
		if f := strings.Split(asked, "/"); want && len(l) > 4 && len(f) > 4 && f[4] != "+" && slices.ContainsFunc(s.Denied, func(id int64) bool { return fmt.Sprint(id) == l[4] }) {
			t.Fatalf("%s: %s is permitted, and its id denied\n%s", filter, topic, o)
		}
	}
	if s.Shared && s.Wide {
		t.Fatalf("%s: shared and wide\n%s", filter, o)
	}
}

// tolerated reports whether a topic may be matched by what is printed although it is withheld: it is
// closed to everybody, or the name of a submodule among properties, or a linked item that only the
// scope keeps back.
func (o *oracle) tolerated(topic, printed string, shared bool) bool {
	if !shared && o.linkedOutside(topic) {
		return true
	}
	everything := &oracle{o.w, o.w.plain(policy.Master, 1)}
	l := strings.Split(topic, "/")
	if len(l) == 6 && l[1] == "state" && o.known(l[2]+"/"+l[3], firstPart(l[5])) && (strings.HasSuffix(printed, "/+") || strings.HasSuffix(printed, "/#")) {
		return true
	}
	if l[0] == "flespi" && len(l) > 4 {
		if path, ok := everything.path(topic); ok { // of an item that is not there
			everything.w = &world{}
			*everything.w = *o.w
			header := *o.w.engine
			header.Mode = policy.ModeHeader
			everything.w.engine = &header
			return !everything.get(path)
		}
	}
	return !everything.permits(topic)
}

// linkedOutside reports whether nothing but the scope keeps a linked item from the token, at an item
// that is in it.
func (o *oracle) linkedOutside(topic string) bool {
	l := strings.Split(topic, "/")
	if len(l) < 7 || !o.w.engine.Mode.Index() {
		return false
	}
	c := o.w.cat.Collection(l[2] + "/" + l[3])
	id, isID := policy.ParseID([]byte(l[4]))
	if c == nil || !isID {
		return false
	}
	path, ok := o.path(topic)
	cid, known := o.w.items.Account(c, id)
	w, engine := *o.w, *o.w.engine
	engine.Mode = policy.ModeHeader
	w.engine = &engine
	return ok && strings.Contains(path, "/"+l[5]+"/"+l[6]) && known && w.tree.Contains(o.tok.CID, cid) && (&oracle{&w, o.tok}).get(path)
}

func (o *oracle) String() string {
	text := fmt.Sprintf("%v of %d, mode %d, strict %v, unenforced %v, dialect %d", o.tok.Access, o.tok.CID, o.w.engine.Mode,
		o.w.engine.StrictLinks, o.w.engine.Unenforced, o.w.law.Dialect)
	for _, e := range o.tok.ACL.Entries() {
		text += fmt.Sprintf("\n  %s %v %v %s %v %s %v", e.URI, e.Methods, e.Rule, e.IDs.Text(), e.Submodules, e.Topic, e.Actions)
	}
	return text
}

// check makes a world of a seed and holds it to the oracle.
func check(t *testing.T, seed uint64) {
	t.Helper()
	d := dice{rand.New(rand.NewPCG(seed, 7))}
	o := d.world(t)
	o.checkDeliveries(t)
	for range 4 {
		o.checkSubscribe(t, d.one("", "", "", "$share/g/")+d.filter())
	}
}

func TestOracle(t *testing.T) {
	seeds := uint64(60) // fuzzing looks at more
	if *long {
		seeds = 150
	}
	for seed := range seeds {
		check(t, seed)
	}
}

// FuzzDeliver judges any bytes as a topic.
func FuzzDeliver(f *testing.F) {
	for _, seed := range []string{"a/b", "flespi/state/gw/devices/7/telemetry/x", "flespi/interval/gw/calcs/5/devices/7/x", "flespi/message/gw/modems/7", "flespi/interval/gw/calcs/7/devices/7/x",
		"flespi/state/gw/devices/7/$00", "$SYS", "/"} {
		f.Add(seed)
	}
	w := newWorld(f, policy.ModeHeader)
	o := &oracle{w, w.token(f, "gw/devices GET 7,9", "gw/calcs GET 5 devices=GET", "gw/modems GET 7", "storage GET all [] logs=GET", "mqtt subscribe a/+", "mqtt subscribe +/b/#")}
	j := w.judge(o.tok)
	f.Fuzz(func(t *testing.T, topic string) {
		got := j.Deliver([]byte(topic), 0)
		if _, fault := parseFilter(topic, false, MaxLevels); fault != "" || strings.ContainsAny(topic, "+#") {
			if got != policy.TopicSyntax {
				t.Errorf("%q: got %v", topic, got)
			}
			return
		}
		if want := o.permits(topic); (got == policy.Permitted) != want {
			t.Errorf("%q: got %v, want permitted %v", topic, got, want)
		}
		for _, reason := range []policy.Reason{j.Publish([]byte(topic), 0), j.Response([]byte(topic))} {
			if reason == policy.Permitted && (topic[0] == '$' || topic == "flespi" || strings.HasPrefix(topic, "flespi/")) {
				t.Errorf("%q is published", topic)
			}
		}
		var s Subscription
		if reason := j.Subscribe(&s, []byte(topic), 0, 10); Granted(reason) != (got == policy.Permitted) && !strings.HasPrefix(topic, "$share/") &&
			!strings.Contains(topic, ",") {
			t.Errorf("%q: delivered %v, subscribed %v", topic, got, reason)
		}
	})
}

func FuzzOracle(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(check)
}
