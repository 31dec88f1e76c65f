package mqtt

import (
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
)

// The oracle of the leak test knows the whole world as maps and lists, and says from SPEC 4 and 16.4
// who may be shown what. It shares nothing with policy/topic: topics are split, compared level by
// level, and looked up.

// oracleToken is a token as the oracle knows it.
type oracleToken struct {
	key     string
	id, cid int64
	access  policy.Access
	off     bool // disabled, or not there
	entries []oracleEntry
}

// oracleEntry is an entry for items or, with a topic, for own topics.
type oracleEntry struct {
	uri   string
	get   bool
	rule  policy.IDRule
	ids   []int64
	named bool            // it has submodules
	subs  map[string]bool // by name: whether they permit GET

	topic              string
	publish, subscribe bool
}

// oracle is the world.
type oracle struct {
	namespace string // none, path, cid
	indexed   bool   // the accounts of items count
	parents   map[int64]int64
	owners    map[string]map[int64]int64 // collection → item → account
	members   map[int64][]int64          // group → devices
}

const (
	devicesURI  = "gw/devices"
	channelsURI = "gw/channels"
	calcsURI    = "gw/calcs"
	groupsURI   = "gw/groups"
)

// submodulesOf has the submodules of state topics that the test uses.
var submodulesOf = map[string][]string{
	devicesURI:  {"telemetry", "settings", "connections", "messages", "logs"},
	channelsURI: {"connections", "idents", "messages", "logs"},
	calcsURI:    {"logs", "devices"},
	groupsURI:   {"logs", "devices"},
}

// below reports whether an account is in the branch of another.
func (o *oracle) below(top, cid int64) bool {
	for ; cid != 0; cid = o.parents[cid] {
		if cid == top {
			return true
		}
	}
	return false
}

// mayPublish reports whether a token may publish on a topic for an account; 0: its own.
func (o *oracle) mayPublish(t *oracleToken, name string, cid int64) bool {
	if t.off || !ownName(name) || cid != 0 && !o.below(t.cid, cid) {
		return false
	}
	return t.access != policy.ACLAccess ||
		slices.ContainsFunc(t.entries, func(e oracleEntry) bool { return e.topic != "" && e.publish && naiveMatch(e.topic, name) })
}

func ownName(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return first != "flespi" && !strings.HasPrefix(first, "$")
}

// may reports whether a token may be shown a message on a topic that is of an account, 0 if of none.
func (o *oracle) may(t *oracleToken, name string, account int64) bool {
	levels := strings.Split(name, "/")
	own := ownName(name)
	switch {
	case t.off:
		return false
	case o.namespace == "cid" || o.namespace == "path" && own:
		if account == 0 || !o.below(t.cid, account) {
			return false
		}
	}
	if own {
		return t.access != policy.ACLAccess ||
			slices.ContainsFunc(t.entries, func(e oracleEntry) bool { return e.topic != "" && e.subscribe && naiveMatch(e.topic, name) })
	}
	if levels[0] != "flespi" || len(levels) < 5 || levels[1] == "rest" || levels[2] == "platform" || levels[2] == "mqtt" {
		return false
	}
	uri, id, tail := levels[2]+"/"+levels[3], number(levels[4]), levels[5:]
	if submodulesOf[uri] == nil || id == 0 {
		return false
	}
	switch levels[1] {
	case "state":
		return o.mayState(t, uri, id, tail)
	case "message":
		return (uri == devicesURI || uri == channelsURI) && o.mayGet(t, uri, id, "messages")
	case "log":
		return o.mayGet(t, uri, id, "logs")
	case "interval":
		return uri == calcsURI && len(tail) == 3 && tail[0] == "devices" && o.mayLinked(t, uri, id, tail[1])
	}
	return false
}

func (o *oracle) mayState(t *oracleToken, uri string, id int64, tail []string) bool {
	switch {
	case len(tail) == 0:
		return o.mayGet(t, uri, id, "")
	case tail[0] == "devices" && slices.Contains(submodulesOf[uri], "devices"):
		if len(tail) == 1 {
			return o.mayGet(t, uri, id, "devices") && o.mayAllDevices(t)
		}
		return o.mayLinked(t, uri, id, tail[1])
	case slices.Contains(submodulesOf[uri], tail[0]):
		return o.mayGet(t, uri, id, tail[0])
	case len(tail) > 1 || tail[0] == "":
		return false
	}
	first, _, _ := strings.Cut(strings.ToLower(tail[0]), ".")
	return !slices.Contains(submodulesOf[uri], first) && o.mayGet(t, uri, id, "")
}

// mayLinked: the submodule of the first item, and the second by the entry for its collection, or by
// the scope alone if there is none (scope.linked: lenient).
func (o *oracle) mayLinked(t *oracleToken, uri string, id int64, second string) bool {
	id2 := number(second)
	if id2 == 0 || !o.mayGet(t, uri, id, "devices") || !o.inScope(t, devicesURI, id2) {
		return false
	}
	if t.access != policy.ACLAccess {
		return true
	}
	if !t.covers(devicesURI) && o.groupEntry(t) == nil {
		return true
	}
	return o.mayGet(t, devicesURI, id2, "")
}

// mayAllDevices reports whether nothing at all limits a token on devices. Where the accounts of items
// count, something does.
func (o *oracle) mayAllDevices(t *oracleToken) bool {
	if o.indexed || t.access != policy.ACLAccess {
		return !o.indexed
	}
	e := t.choose(devicesURI, "")
	if e == nil {
		return !t.covers(devicesURI) && o.groupEntry(t) == nil
	}
	return e.rule == policy.IDsAbsent || e.rule == policy.IDsAll
}

func (o *oracle) inScope(t *oracleToken, uri string, id int64) bool {
	owner := o.owners[uri][id]
	return !o.indexed || owner != 0 && o.below(t.cid, owner)
}

// mayGet is SPEC 4.1 and 4.2: one entry decides.
func (o *oracle) mayGet(t *oracleToken, uri string, id int64, sub string) bool {
	if !o.inScope(t, uri, id) {
		return false
	}
	if t.access != policy.ACLAccess {
		return true
	}
	e := t.choose(uri, sub)
	if e == nil {
		if g := o.groupEntry(t); g != nil && uri == devicesURI && !t.covers(uri) && (sub == "" || !g.named) {
			return o.grouped(t, g, id)
		}
		return false
	}
	switch e.rule {
	case policy.IDsList:
		return slices.Contains(e.ids, id)
	case policy.IDsInGroups:
		return uri == devicesURI && o.grouped(t, o.groupEntry(t), id)
	}
	return true
}

func (o *oracle) groupEntry(t *oracleToken) *oracleEntry { return t.choose(groupsURI, "") }

// grouped reports whether a device is in a group that an entry names and that is in the scope.
func (o *oracle) grouped(t *oracleToken, g *oracleEntry, id int64) bool {
	if g == nil || !o.indexed {
		return false
	}
	for group, devices := range o.members {
		if slices.Contains(devices, id) && o.inScope(t, groupsURI, group) && (g.rule != policy.IDsList || slices.Contains(g.ids, group)) {
			return true
		}
	}
	return false
}

func (t *oracleToken) covers(uri string) bool {
	return slices.ContainsFunc(t.entries, func(e oracleEntry) bool { return e.topic == "" && (e.uri == uri || e.uri == "gw") })
}

// choose returns the entry that decides about GET of a submodule, "" is the item: the longer uri,
// then one with ids, then the first.
func (t *oracleToken) choose(uri, sub string) (best *oracleEntry) {
	for i := range t.entries {
		e := &t.entries[i]
		permits := e.get
		if sub != "" && e.named {
			permits = e.subs[sub]
		}
		if e.topic != "" || e.uri != uri && e.uri != "gw" || !permits {
			continue
		}
		if best == nil || len(e.uri) > len(best.uri) ||
			len(e.uri) == len(best.uri) && e.rule != policy.IDsAbsent && best.rule == policy.IDsAbsent {
			best = e
		}
	}
	return best
}

// number reads an id as it is spelled everywhere.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != text {
		return 0
	}
	return n
}

// naiveMatch is MQTT's matching, with comma lists below flespi/. As filters of entries, wildcards in
// the first level do not match flespi; whoever asks for topics below it is judged by other entries.
func naiveMatch(filter, name string) bool {
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	if strings.HasPrefix(n[0], "$") && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i, l := range f {
		if l == "#" {
			return true
		}
		if i >= len(n) {
			return false
		}
		if l != "+" && l != n[i] && !(f[0] == "flespi" && slices.Contains(strings.Split(l, ","), n[i])) {
			return false
		}
	}
	return len(f) == len(n)
}
