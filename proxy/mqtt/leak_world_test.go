package mqtt

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	fake "aclgate/bench/broker"
	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// The generated world of the leak test: what the oracle knows, told to the gateway in its own words.

// depth is how many levels of accounts the generated world may have.
const depth = 4

// generated is a world of the oracle with a gateway that learns of its changes.
type generated struct {
	*world
	oracle
	rng    *rand.Rand
	tokens []*oracleToken
	law    topic.Options

	broker *fake.Broker
	items  atomic.Pointer[snapshot]
	worlds uint64 // that were published
	forest atomic.Pointer[policy.Tree]
}

// snapshot is an index of items as it is at one moment.
type snapshot struct {
	owners  map[string]map[int64]int64
	members map[int64][]int64
	tree    *policy.Tree
	version uint64
	looks   atomic.Int64 // how often its version was asked for
}

// Version implements Items.
func (s *snapshot) Version() uint64 {
	s.looks.Add(1)
	return s.version
}

// Old implements Items.
func (*snapshot) Old(time.Time) bool { return false }

// Account implements policy.Items.
func (s *snapshot) Account(c *policy.Collection, id int64) (int64, bool) {
	cid, known := s.owners[c.URI][id]
	return cid, known
}

// Of implements policy.Items.
func (s *snapshot) Of(c *policy.Collection, top int64) (ids []int64) {
	for id, cid := range s.owners[c.URI] {
		if s.tree.Contains(top, cid) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Members implements policy.Items.
func (s *snapshot) Members(c *policy.Collection, groups []int64) (ids []int64) {
	if c.URI != devicesURI {
		return nil
	}
	for _, g := range groups {
		ids = append(ids, s.members[g]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Tree returns the accounts in force.
func (g *generated) Tree() *policy.Tree { return g.forest.Load() }

// newGenerated makes accounts, items and tokens, and a gateway in front of a fake broker.
func newGenerated(t *testing.T, seed uint64, namespace string, dialect topic.Dialect) *generated {
	g := &generated{rng: rand.New(rand.NewPCG(seed, 16)), oracle: oracle{namespace: namespace, indexed: namespace == "path"}}
	g.parents = map[int64]int64{1: 0}
	if namespace != "none" {
		g.parents = map[int64]int64{1: 0, 11: 1, 12: 1, 111: 11, 112: 11, 121: 12, 1111: 111}
	}
	g.owners, g.members = map[string]map[int64]int64{}, map[int64][]int64{}
	for uri, n := range map[string]int{devicesURI: 10, channelsURI: 5, calcsURI: 4, groupsURI: 4} {
		g.owners[uri] = map[int64]int64{}
		for id := range int64(n) {
			g.owners[uri][id+1] = g.account()
		}
	}
	for group := range g.owners[groupsURI] {
		g.members[group] = g.ids(10)
	}
	config := fake.Config{Users: map[string]uint64{ownCredential: 1}, Dialect: dialect == topic.Flespi, OneCopy: seed%2 == 0}
	if namespace == "cid" {
		config.Accounts = map[uint64]uint64{}
		for cid, parent := range g.parents {
			config.Accounts[uint64(cid)] = uint64(parent)
		}
	}
	var err error
	if g.broker, err = fake.Start(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.broker.Close)
	g.law = topic.Options{
		Dialect: dialect, Prefix: "acc", Depth: depth,
		Namespace: map[string]topic.Namespace{"none": topic.NoAccounts, "cid": topic.ByCID, "path": topic.ByPath}[namespace],
	}
	g.publishWorld(t)
	g.world = newWorld(t, g.broker.Addr(), func(o *Options) {
		if g.indexed {
			o.Engine.Mode = policy.ModeIDs
			o.Items = func(*policy.Tree) Items { return g.items.Load() }
		}
		o.Accounts, g.law.Engine = g, o.Engine
		o.Law = topic.New(g.law)
	})
	for i := range 10 {
		g.tokens = append(g.tokens, g.newToken(i))
		g.tell(g.tokens[i])
	}
	return g
}

func (g *generated) account() int64 {
	all := slices.Sorted(maps.Keys(g.parents))
	return all[g.rng.IntN(len(all))]
}

// publishWorld tells the gateway where accounts and items are.
func (g *generated) publishWorld(t *testing.T) {
	var accounts []policy.Account
	for cid, parent := range g.parents {
		accounts = append(accounts, policy.Account{ID: cid, Parent: parent})
	}
	slices.SortFunc(accounts, func(a, b policy.Account) int { return int(a.ID - b.ID) })
	tree, faults := policy.NewTree(accounts, depth)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	g.worlds++
	s := &snapshot{owners: map[string]map[int64]int64{}, members: map[int64][]int64{}, tree: tree, version: g.worlds}
	for uri, owners := range g.owners {
		s.owners[uri] = maps.Clone(owners)
	}
	for group, ids := range g.members {
		s.members[group] = slices.Clone(ids)
	}
	g.forest.Store(tree)
	g.items.Store(s)
}

func (g *generated) newToken(i int) *oracleToken {
	t := &oracleToken{key: fmt.Sprintf("generated-key-%d", i), id: int64(100 + i), cid: g.account(), access: policy.ACLAccess}
	switch i {
	case 0:
		t.access, t.cid = policy.Standard, 1
	case 1:
		t.access = policy.Standard
	case 2:
		t.access, t.cid = policy.Master, 1
	}
	g.entries(t)
	return t
}

// entries gives a token other entries.
func (g *generated) entries(t *oracleToken) {
	t.entries = nil
	if t.access != policy.ACLAccess {
		return
	}
	for range 1 + g.rng.IntN(4) {
		e := oracleEntry{uri: pick(g.rng, devicesURI, devicesURI, devicesURI, channelsURI, calcsURI, groupsURI, "gw"), get: g.rng.IntN(5) > 0}
		e.rule = policy.IDRule(g.rng.IntN(3))
		if e.uri == "gw" {
			e.rule = policy.IDsAbsent
		}
		if e.rule == policy.IDsList {
			e.ids = g.ids(10)
		}
		if e.uri == devicesURI && g.indexed && g.rng.IntN(4) == 0 {
			e.rule, e.ids = policy.IDsInGroups, nil
		}
		if e.uri != "gw" && g.rng.IntN(2) == 0 {
			e.named, e.subs = true, map[string]bool{}
			for _, name := range submodulesOf[e.uri] {
				if g.rng.IntN(2) == 0 {
					e.subs[name] = g.rng.IntN(4) > 0
				}
			}
		}
		t.entries = append(t.entries, e)
	}
	for range g.rng.IntN(4) {
		t.entries = append(t.entries, oracleEntry{
			topic:   pick(g.rng, "a/#", "a/+", "+/b", "b/x", "#", "+/+/d", "c//d", "/a", "b/+/#"),
			publish: g.rng.IntN(3) > 0, subscribe: g.rng.IntN(4) > 0,
		})
	}
}

// tell puts a token of the oracle in force at the gateway.
func (g *generated) tell(t *oracleToken) {
	if t.off {
		g.set(t.key, nil)
		return
	}
	get := policy.Methods(policy.ParseMethod([]byte("GET")))
	put := policy.Methods(policy.ParseMethod([]byte("PUT")))
	methods := func(yes bool) policy.MethodSet {
		if yes {
			return get
		}
		return put
	}
	var entries []policy.Entry
	for _, e := range t.entries {
		p := policy.Entry{URI: e.uri, Methods: methods(e.get), Rule: e.rule, HasSubmodules: e.named}
		if e.topic != "" {
			p = policy.Entry{URI: topic.EntryURI, Topic: e.topic}
			if e.publish {
				p.Actions |= policy.Publish
			}
			if e.subscribe {
				p.Actions |= policy.Subscribe
			}
		}
		if e.rule == policy.IDsList {
			p.IDs = policy.NewIDSet(e.ids)
		}
		for _, name := range slices.Sorted(maps.Keys(e.subs)) {
			p.Submodules = append(p.Submodules, policy.Submodule{Name: name, Methods: methods(e.subs[name])})
		}
		entries = append(entries, p)
	}
	told := &policy.Token{ID: t.id, CID: t.cid, Access: t.access, Enabled: true, Expire: 1 << 40}
	if t.access == policy.ACLAccess {
		told.ACL = policy.NewACL(entries, g.cat)
	}
	g.set(t.key, told)
}

// ids returns some of the ids from 1 to most, at least one.
func (g *generated) ids(most int) (ids []int64) {
	for id := range int64(most) {
		if g.rng.IntN(3) == 0 {
			ids = append(ids, id+1)
		}
	}
	if len(ids) == 0 {
		ids = []int64{1 + g.rng.Int64N(int64(most))}
	}
	return ids
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// name returns a topic, one of the platform or an own one.
func (g *generated) name() string {
	id, id2 := 1+g.rng.IntN(11), 1+g.rng.IntN(11)
	uri := pick(g.rng, devicesURI, devicesURI, channelsURI, calcsURI, groupsURI)
	item := fmt.Sprintf("%s/%d", uri, id)
	switch g.rng.IntN(16) {
	case 0:
		return "flespi/state/" + item
	case 1, 2:
		return "flespi/state/" + item + "/" + pick(g.rng, "name", "cid", "telemetry", "telemetry.din", "Settings", "")
	case 3, 4, 5:
		return "flespi/state/" + item + "/" + pick(g.rng, submodulesOf[uri]...) + pick(g.rng, "/x", "/x/y", "")
	case 6:
		return "flespi/message/" + item + pick(g.rng, "", "/x")
	case 7:
		return "flespi/log/" + item + pick(g.rng, "", "/created", "/x/y")
	case 8:
		return fmt.Sprintf("flespi/interval/gw/calcs/%d/devices/%d/created", id, id2)
	case 9:
		return fmt.Sprintf("flespi/state/%s/%d/devices/%d", pick(g.rng, calcsURI, groupsURI), id, id2)
	case 10:
		return pick(g.rng, "flespi/rest/get/gw/devices/all", "$SYS/x", "flespi//x", "flespi", "flespi/state/gw/devices/07/name",
			"flespi/state/gw", "flespi/state/gw/devices", "$CONTROL/a", "flespi/state/nowhere/devices/1/name")
	}
	return pick(g.rng, "a", "a/b", "a/c/d", "b/b", "b/x", "b/y/z", "c//d", "/a", "x/b", "state/gw/devices/1", "Flespi/x", "flespi2/b", "q")
}

// filter returns what somebody may ask for: a topic with wildcards in it, or one of the classics.
func (g *generated) filter() string {
	if g.rng.IntN(3) == 0 {
		return pick(g.rng, "#", "+/#", "+/+", "+/+/#", "flespi/#", "flespi/+/gw/#", "+/state/gw/devices/+/telemetry/#",
			"flespi/state/gw/devices/+", "flespi/state/gw/devices/+/#", "flespi/state/gw/devices/+/+", "flespi/state/gw/+/+/name",
			"flespi/state/gw/devices/1,2,3,4/#", "flespi/state,log/gw/devices/2,5/#", "flespi/message/gw/+/+/#", "flespi/log/#",
			"flespi/interval/gw/calcs/+/devices/+/+", "flespi/interval/#", "flespi/state/gw/calcs/+/devices/2,3,4",
			"flespi/+/gw/calcs/+/+/#", "a/#", "+/b", "b/#", "flespi/state/gw/groups/#", "flespi/state/+/devices/+/connections/#",
			"flespi/state/gw/devices/+/telemetry", "flespi/state/gw/devices/+/telemetry/+", "+", "/+", "$SYS/#", "flespi/rest/#")
	}
	levels := splitLevels(g.name())
	for i := range levels {
		if g.rng.IntN(4) == 0 {
			levels[i] = "+"
		}
	}
	if g.rng.IntN(3) == 0 {
		levels[len(levels)-1] = "#"
	}
	return joinLevels(levels)
}

// at returns the topic by which the broker knows a message of an account.
func (g *generated) at(name string, account int64) string {
	if g.namespace != "path" || !ownName(name) {
		return name
	}
	var up []string
	for cid := account; cid != 0; cid = g.parents[cid] {
		up = append(up, fmt.Sprint(cid))
	}
	slices.Reverse(up)
	for len(up) < depth {
		up = append(up, "-")
	}
	return joinLevels(append(append([]string{"acc"}, up...), name))
}

// listener is a client, with what it asked for and what it was shown.
type listener struct {
	*peer
	token   *oracleToken
	asked   map[string]*wanted
	lastID  uint32
	answers map[uint16]wire.Reason
	ended   bool
	shown   []shown
}

// wanted is a filter that a client asked for.
type wanted struct {
	id     uint32
	cid    int64
	qos    uint8
	shared bool
}

// shown is a message that a client was shown.
type shown struct {
	name, payload, account string
	qos                    uint8
	retained               bool
	ids                    []uint32
}

var _ net.Conn = (*listener)(nil)

// Doubtful implements policy.Items.
func (*snapshot) Doubtful(*policy.Collection, int64) []int64 { return nil }
