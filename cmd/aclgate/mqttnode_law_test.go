package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// The policy of TestMQTTNodeLaw: a token with some channels and a few own topics, or none.
const (
	lawAccounts = `accounts: [{id: 1, name: operator}]
tokens:
  - {id: 1, key: stays-valid, cid: 1, expire: 4102444800, access: {type: standard}}
`
	lawToken = `  - id: 2
    key: some-channels
    cid: 1
    expire: 4102444800
    access: {type: acl, acl: [{uri: gw/channels, methods: [GET], ids: [%s]}, {uri: mqtt, topic: own/#, actions: [subscribe]}, {uri: mqtt, topic: say/#, actions: [publish]}]}
`
)

// TestMQTTNodeLaw: what npm's mqtt is told, through each door and in both versions, of a bad key, of
// filters and messages that are denied, of rights that change and of a token that is revoked.
func TestMQTTNodeLaw(t *testing.T) {
	n := startNode(t)
	m := startMosquitto(t, lawAccounts+fmt.Sprintf(lawToken, "10101, 10102"))
	n.connect("platform", m.broker.with(5, "platform"), nil)
	for _, id := range []int{10101, 10102, 10103} {
		n.publish("platform", channelName(id), fmt.Sprintf("kept %d", id), map[string]any{"qos": 1, "retain": true})
	}
	for i, d := range m.doors {
		for _, version := range []int{4, 5} {
			l := &lawPlay{node: n, gate: m.gates[i/2], door: d.with(version, "some-channels"), v5: version == 5}
			l.play()
		}
	}
}

func channelName(id int) string { return fmt.Sprintf("flespi/state/gw/channels/%d/name", id) }

// lawPlay is one play at one door in one version.
type lawPlay struct {
	*node
	gate *gate
	door door
	v5   bool
}

// code returns the version's own of two codes.
func (l *lawPlay) code(v311, v5 int) int {
	if l.v5 {
		return v5
	}
	return v311
}

func (l *lawPlay) change(policy string) {
	l.t.Helper()
	l.gate.policy(policy)
	if status := l.gate.reload(); status != 200 {
		l.t.Fatalf("reload: %d", status)
	}
}

// got checks which payloads a client has, once it has the last of them.
func (l *lawPlay) got(id string, want ...string) {
	l.t.Helper()
	var got []string
	for _, m := range l.messages(id, want...) {
		got = append(got, m.Payload)
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		l.t.Errorf("%s: %s got %q, want %q", l.door.name, id, got, want)
	}
}

func (l *lawPlay) play() {
	l.t.Helper()
	l.change(lawAccounts + fmt.Sprintf(lawToken, "10101, 10102"))
	version := l.door.options["protocolVersion"].(int)
	if a := l.connect("nobody", door{"", l.door.url, l.door.options}.with(version, "no-such-key"), nil); a.Code != l.code(5, 134) {
		l.t.Errorf("%s: a bad key: got %+v", l.door.name, a)
	}
	a := l.connect("reader", l.door, map[string]any{"reconnectPeriod": 30})
	if a.Code != 0 || a.Error != "" {
		l.t.Fatalf("%s: CONNACK %+v", l.door.name, a)
	}
	l.checkInfo(a)
	l.connect("all", l.door.with(version, validKey), nil)
	l.playFilters()
	l.playMessages()
	l.playChanges()
	for _, id := range []string{"reader", "all"} {
		l.do(command{Do: "end", ID: id})
	}
}

// checkInfo: the vendor's apps parse the user property token of CONNACK without asking whether it is
// there.
func (l *lawPlay) checkInfo(a answer) {
	l.t.Helper()
	if !l.v5 {
		return
	}
	user, _ := a.Properties["userProperties"].(map[string]any)
	text, _ := user["token"].(string)
	var info struct {
		Access struct{ Type int }
		ID     int
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil || info.ID != 2 {
		l.t.Errorf("%s: user property token: got %q, %v", l.door.name, text, err)
	}
}

func (l *lawPlay) playFilters() {
	l.t.Helper()
	denied := l.code(0x80, 0x87)
	for _, row := range []struct {
		filter string
		code   int
	}{
		{channelName(10103), denied}, {"others/#", denied}, {"$SYS/#", denied}, {"flespi/rest/#", denied},
		{"flespi/state/gw/channels/+/name", 1}, {"own/#", 1},
	} {
		if got := l.subscribe("reader", row.filter, map[string]any{"qos": 1}); !slices.Equal(got, []int{row.code}) {
			l.t.Errorf("%s: SUBACK %v for %s, want %d", l.door.name, got, row.filter, row.code)
		}
	}
	l.got("reader", "kept 10101", "kept 10102")
	for _, id := range []int{10103, 10101} {
		l.publish("platform", channelName(id), fmt.Sprintf("live %d", id), map[string]any{"qos": 1})
	}
	l.got("reader", "live 10101")
}

func (l *lawPlay) playMessages() {
	l.t.Helper()
	l.subscribe("all", "#", map[string]any{"qos": 1})
	l.messages("all", "kept 10101", "kept 10102", "kept 10103")
	for _, row := range []struct {
		topic string
		code  int
	}{{"own/a", 0x87}, {"$SYS/a", 0x87}, {channelName(10101), 0x87}, {"say/a", 0}} {
		a := l.publish("reader", row.topic, "by reader at "+row.topic, map[string]any{"qos": 1})
		if want := l.code(0, row.code); a.Code != want {
			l.t.Errorf("%s: PUBACK %+v for %s, want %d", l.door.name, a, row.topic, want)
		}
	}
	l.got("all", "by reader at say/a")
}

// playChanges: a client whose rights change connects again, and has the new ones; one whose token is
// revoked is told so, and does not come back.
func (l *lawPlay) playChanges() {
	l.t.Helper()
	l.do(command{Do: "events", ID: "reader", Event: "connect"})
	l.change(lawAccounts + fmt.Sprintf(lawToken, "10102"))
	if l.v5 {
		l.event("reader", "disconnect 152")
	}
	l.event("reader", "connect") // by itself, and it subscribes to what it had
	l.messages("reader", "kept 10102")
	for _, id := range []int{10101, 10102} {
		l.publish("platform", channelName(id), fmt.Sprintf("later %d", id), map[string]any{"qos": 1})
	}
	l.got("reader", "later 10102")
	l.change(lawAccounts)
	if l.v5 {
		l.event("reader", "disconnect 135")
	}
	l.event("reader", fmt.Sprintf("error %d", l.code(5, 134)))
}
