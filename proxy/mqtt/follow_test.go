package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	fake "aclgate/bench/broker"

	"aclgate/policy"
	"aclgate/policy/topic"
	"aclgate/proxy/mqtt/wire"
)

// movable is a world whose devices move: key "standard-key" is a standard token of account 11, key
// "group-key" an acl token for the devices of its groups.
type movable struct {
	*world
	broker  *fake.Broker
	known   atomic.Pointer[snapshot]
	version uint64
}

func newMovable(t *testing.T, config fake.Config, filters int, change ...func(*Options)) *movable {
	t.Helper()
	m := &movable{}
	m.place(nil, 0)
	config.Users = map[string]uint64{ownCredential: 1}
	var err error
	if m.broker, err = fake.Start(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.broker.Close)
	m.world = newWorld(t, m.broker.Addr(), func(o *Options) {
		o.Engine.Mode, o.MaxFilters = policy.ModeIDs, filters
		o.Law = topic.New(topic.Options{Engine: o.Engine, Namespace: topic.ByPath, Prefix: "acc", Depth: 4, MaxFilters: filters})
		o.Items = func(*policy.Tree) Items { return m.known.Load() }
		for _, apply := range change {
			apply(o)
		}
	})
	m.known.Load().tree = m.tree
	m.set("standard-key", &policy.Token{ID: 30, CID: 11, Access: policy.Standard, Enabled: true, Expire: 1 << 40})
	get := policy.Methods(policy.ParseMethod([]byte("GET")))
	m.set("group-key", &policy.Token{ID: 31, CID: 11, Access: policy.ACLAccess, Enabled: true, Expire: 1 << 40, ACL: policy.NewACL([]policy.Entry{
		{URI: groupsURI, Methods: get, Rule: policy.IDsList, IDs: policy.NewIDSet([]int64{5})},
		{URI: devicesURI, Methods: get, Rule: policy.IDsInGroups},
	}, m.cat)})
	return m
}

// place has account 11 own some devices, and the first of them, as many as grouped says, be in group
// 5.
func (m *movable) place(devices []int64, grouped int) *snapshot {
	m.version++
	s := &snapshot{version: m.version, owners: map[string]map[int64]int64{groupsURI: {5: 11}, devicesURI: {}}, members: map[int64][]int64{}}
	for i, id := range devices {
		s.owners[devicesURI][id] = 11
		if i < grouped {
			s.members[5] = append(s.members[5], id)
		}
	}
	if m.world != nil {
		s.tree = m.tree
	}
	m.known.Store(s)
	return s
}

// atBroker returns what the broker is asked for.
func (m *movable) atBroker() string {
	filters := m.broker.Filters()
	slices.Sort(filters)
	return joined(filters)
}

func (m *movable) awaitFilters(want ...string) {
	m.t.Helper()
	for range 500 {
		if m.atBroker() == joined(want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Fatalf("the broker is asked for %s, want %s", m.atBroker(), joined(want))
}

// TestFollow: what is subscribed to at the broker follows the index, both ways, without the client; a
// new item's retained messages come; rights by groups follow the members; an item that was named and
// went comes back.
func TestFollow(t *testing.T) {
	m := newMovable(t, fake.Config{}, 1000)
	m.place([]int64{1, 2}, 1)
	m.broker.Publish(fake.Message{Topic: "flespi/state/gw/devices/3/name", Payload: "kept", Retain: true})
	p := m.dial(wire.V5, "standard-key", nil)
	p.want("CONNACK 0x00 <nil>")
	p.subscribe(1, 8, "flespi/state/gw/devices/+/name", "flespi/state/gw/devices/1/id")
	p.want("SUBACK 1 [0x01 0x01] <nil>")
	g := m.dial(wire.V5, "group-key", nil)
	g.want("CONNACK 0x00 <nil>")
	g.subscribe(1, 9, "flespi/state/gw/devices/+/uid")
	g.want("SUBACK 1 [0x01] <nil>")
	state := func(tail string) string { return "flespi/state/gw/devices/" + tail }
	m.awaitFilters(state("1/id"), state("1/name"), state("1/uid"), state("2/name"))

	m.place([]int64{1, 2, 3}, 2)
	p.want("PUBLISH " + state("3/name") + "=kept [8]")
	m.awaitFilters(state("1/id"), state("1/name"), state("1/uid"), state("2/name"), state("2/uid"), state("3/name"))
	m.broker.Publish(fake.Message{Topic: state("2/uid"), Payload: "x"})
	g.want("PUBLISH " + state("2/uid") + "=x [9]")

	m.place([]int64{2, 3}, 1)
	m.awaitFilters(state("2/name"), state("2/uid"), state("3/name"))
	m.place(nil, 0)
	m.awaitFilters()
	m.place([]int64{1}, 1)
	m.awaitFilters(state("1/id"), state("1/name"), state("1/uid"))
	m.broker.Publish(fake.Message{Topic: state("1/id"), Payload: "x"})
	p.want("PUBLISH " + state("1/id") + "=x [8]")
	p.silent()
	g.silent()

	p.send(&wire.Unsubscribe{ID: 2, Filters: [][]byte{[]byte(state("+/name"))}})
	p.want("UNSUBACK 2 [0x00] <nil>")
	m.place([]int64{1, 2}, 1)
	time.Sleep(50 * time.Millisecond)
	m.awaitFilters(state("1/id"), state("1/uid"))
}

// TestFollowIdle: a reading that shows nothing new costs the broker nothing.
func TestFollowIdle(t *testing.T) {
	m := newMovable(t, fake.Config{}, 1000)
	m.place([]int64{1, 2}, 1)
	p := m.dial(wire.V5, "standard-key", nil)
	p.want("CONNACK 0x00 <nil>")
	p.subscribe(1, 0, "flespi/state/gw/devices/+/name", "#")
	p.want("SUBACK 1 [0x01 0x01] <nil>")
	before := len(m.broker.Received())
	for range 3 {
		s := m.place([]int64{1, 2}, 1)
		waitFor(t, func() bool { return s.looks.Load() > 2 })
	}
	m.set("another-key", m.acl(44, policy.Publish, "a", 7)) // and another policy
	p.silent()
	if got := m.broker.Received()[before:]; len(got) != 0 {
		t.Errorf("the broker got %+v", got)
	}
}

// TestFollowWithoutLoss: between few items, each with a filter of its own, and many, for which one wide
// filter is asked, no message is lost and none comes twice, while messages come all the time.
func TestFollowWithoutLoss(t *testing.T) {
	for _, config := range []fake.Config{{}, {OneCopy: true}} {
		m := newMovable(t, config, 4)
		few, many := []int64{1, 2, 3}, []int64{1, 2, 3, 4, 5, 6}
		m.place(few, 0)
		p := m.dial(wire.V5, "standard-key", nil)
		p.want("CONNACK 0x00 <nil>")
		p.subscribe(1, 8, "flespi/state/gw/devices/+/name")
		p.want("SUBACK 1 [0x01] <nil>")
		stop := make(chan int)
		go func() {
			sent := 0
			for {
				select {
				case stop <- sent:
					return
				default:
				}
				m.broker.Publish(fake.Message{Topic: "flespi/state/gw/devices/1/name", Payload: fmt.Sprint(sent)})
				sent++
				time.Sleep(20 * time.Microsecond)
			}
		}()
		go func() {
			for i := range 30 {
				s := m.place([][]int64{many, few}[i%2], 0)
				for s.looks.Load() < 4 {
					time.Sleep(time.Millisecond)
				}
			}
			time.Sleep(20 * time.Millisecond)
			sent := <-stop
			m.broker.Publish(fake.Message{Topic: "flespi/state/gw/devices/1/name", Payload: fmt.Sprint("end ", sent)})
		}()
		for n := 0; ; n++ {
			got := p.next()
			if strings.HasPrefix(got, "PUBLISH flespi/state/gw/devices/1/name=end ") {
				if want := fmt.Sprintf("PUBLISH flespi/state/gw/devices/1/name=end %d [8]", n); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				break
			}
			if want := fmt.Sprintf("PUBLISH flespi/state/gw/devices/1/name=%d [8]", n); got != want {
				t.Fatalf("one copy %v: got %s, want %s", config.OneCopy, got, want)
			}
		}
		waitFor(t, func() bool { return strings.Count(m.atBroker(), "|") == 2 })
		wide := 0
		for _, r := range m.broker.Received() {
			if strings.Contains(r.Topic, "devices/+") {
				wide++
			}
		}
		if wide < 4 {
			t.Errorf("the test shows nothing: the wide filter was asked for or left %d times", wide)
		}
	}
}

// TestFollowTooMany: an acl token whose items have become more than it may have filters for is told so,
// by the end of the session.
func TestFollowTooMany(t *testing.T) {
	m := newMovable(t, fake.Config{}, 3)
	m.place([]int64{1, 2, 3}, 3)
	p := m.dial(wire.V5, "group-key", nil)
	p.want("CONNACK 0x00 <nil>")
	p.subscribe(1, 0, "flespi/state/gw/devices/+/name")
	p.want("SUBACK 1 [0x01] <nil>")
	p.subscribe(2, 0, "flespi/state/gw/devices/+/name") // in its own place
	p.want("SUBACK 2 [0x01] <nil>")
	m.place([]int64{1, 2, 3, 4}, 4)
	p.want("DISCONNECT 0x97 <nil>")
	waitFor(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.ContainsFunc(m.log, func(line string) bool { return strings.HasPrefix(line, "end deny too-many-filters 0x97 31") })
	})
}

// TestFollowBusy: a session whose broker does not read delays no other.
func TestFollowBusy(t *testing.T) {
	m := newMovable(t, fake.Config{}, 1000)
	m.place([]int64{1}, 1)
	var peers []*peer
	for _, id := range []string{"a", "b"} {
		p := m.dial(wire.V5, "standard-key", func(c *wire.Connect) { c.ClientID = []byte(id) })
		p.want("CONNACK 0x00 <nil>")
		p.subscribe(1, 0, "flespi/state/gw/devices/+/name")
		p.want("SUBACK 1 [0x01] <nil>")
		peers = append(peers, p)
	}
	busy := m.server.all()[0]
	busy.shape.Lock()
	m.place([]int64{1, 2}, 1)
	waitFor(t, func() bool { return slices.Contains(m.broker.Filters(), "flespi/state/gw/devices/2/name") })
	busy.shape.Unlock()
	waitFor(t, func() bool {
		n := 0
		for _, f := range m.broker.Filters() {
			if f == "flespi/state/gw/devices/2/name" {
				n++
			}
		}
		return n == 2
	})
	m.broker.Publish(fake.Message{Topic: "flespi/state/gw/devices/2/name", Payload: "x"})
	for _, p := range peers {
		p.want("PUBLISH flespi/state/gw/devices/2/name=x []")
	}
}

// grantBox is what is granted at a moment.
type grantBox struct{ atomic.Pointer[policy.Grants] }

func (g *grantBox) Grants() *policy.Grants { return g.Load() }

// Topics of a granted item come while it is granted, without the client; they end with the grant, even
// those that the broker still sends.
func TestGrantedItemsFollow(t *testing.T) {
	var grants grantBox
	m := newMovable(t, fake.Config{}, 1000, func(o *Options) { o.Grants = &grants })
	own := func() { m.place([]int64{1}, 0).owners[devicesURI][8] = 12 }
	own()
	state := func(tail string) string { return "flespi/state/gw/devices/" + tail }
	p := m.dial(wire.V5, "standard-key", nil)
	p.want("CONNACK 0x00 <nil>")
	p.subscribe(1, 8, state("+/name"))
	p.want("SUBACK 1 [0x01] <nil>")
	m.awaitFilters(state("1/name"))

	grant := policy.Grant{ID: 5, CID: 12, Enabled: true, Grantees: []int64{11}, Access: []policy.GrantAccess{
		{URI: devicesURI, IDs: policy.NewIDSet([]int64{8}), Levels: policy.LevelView}}}
	grants.Store(policy.NewGrants([]policy.Grant{grant}))
	m.awaitFilters(state("1/name"), state("8/name"))
	m.broker.Publish(fake.Message{Topic: state("8/name"), Payload: "x"})
	p.want("PUBLISH " + state("8/name") + "=x [8]")

	grant.Expire = 1 // the clock ends it, and nothing tells the subscriptions
	grants.Store(policy.NewGrants([]policy.Grant{grant}))
	m.broker.Publish(fake.Message{Topic: state("8/name"), Payload: "y"})
	p.silent()
	m.awaitFilters(state("1/name"))
	grants.Store(nil)
	m.broker.Publish(fake.Message{Topic: state("8/name"), Payload: "z"})
	m.broker.Publish(fake.Message{Topic: state("1/name"), Payload: "x"})
	p.want("PUBLISH " + state("1/name") + "=x [8]")
}
