package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"aclgate/bench/broker/mosquitto"
)

// node is npm's mqtt, as bench/clients/mqtt/client.js drives it.
type node struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

// command is what a client shall do. README.md in bench/clients says what each means.
type command struct {
	Do       string         `json:"do"`
	ID       string         `json:"id"`
	URL      string         `json:"url,omitempty"`
	Topic    string         `json:"topic,omitempty"`
	Payload  string         `json:"payload"`
	Pad      int            `json:"pad,omitempty"`
	Payloads []string       `json:"payloads,omitempty"`
	Event    string         `json:"event,omitempty"`
	Options  map[string]any `json:"options"`
}

// answer is what came of a command.
type answer struct {
	Error      string
	Code       int
	Codes      []int
	Present    bool
	Late       bool
	Events     []string
	Messages   []nodeMessage
	Properties map[string]any
}

// nodeExpiry is the expiry that messages are published with, in seconds.
const nodeExpiry = 1000

// nodeMessage is a message as mqtt shows it.
type nodeMessage struct {
	Topic, Payload string
	QoS            int
	Retain         bool
	Properties     map[string]any
}

// String returns all of a message but the identifiers of subscriptions, which come in one copy or in
// several, and the seconds that it has waited at the server, which are taken from its expiry.
func (m nodeMessage) String() string {
	delete(m.Properties, "subscriptionIdentifier")
	if left, ok := m.Properties["messageExpiryInterval"].(float64); ok && left < nodeExpiry && left > nodeExpiry-60 {
		m.Properties["messageExpiryInterval"] = nodeExpiry
	}
	properties, _ := json.Marshal(m.Properties) // keys in their order
	return fmt.Sprintf("%s %q QoS %d retain %v %s", m.Topic, strings.TrimRight(m.Payload, "."), m.QoS, m.Retain, properties)
}

// startNode starts the program. The test is left out where node or mqtt is missing.
func startNode(t *testing.T) *node {
	t.Helper()
	const script = "../../bench/clients/mqtt/client.js"
	program, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: apt-get install -y nodejs npm")
	}
	if text, err := exec.Command(program, script).CombinedOutput(); err != nil { // nothing to do
		t.Skipf("npm's mqtt is not here: npm ci --prefix bench/clients/mqtt (%.300s)", text)
	}
	cmd := exec.Command(program, script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &node{t, in, bufio.NewReader(out)}
}

// do has a client do something and returns what came of it.
func (n *node) do(c command) answer {
	n.t.Helper()
	if c.Options == nil {
		c.Options = map[string]any{}
	}
	line, err := json.Marshal(c)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.in.Write(append(line, '\n')); err != nil {
		n.t.Fatal(err)
	}
	text, err := n.out.ReadBytes('\n')
	var a answer
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		n.t.Fatalf("%s: got %s, %v", line, text, err)
	}
	if a.Late {
		n.t.Errorf("%s: it did not come; there are %v%v", line, a.Messages, a.Events)
	}
	return a
}

// connect has a client connect and returns the answer. More options go before those of the door.
func (n *node) connect(id string, d door, more map[string]any) answer {
	n.t.Helper()
	o := map[string]any{"clientId": id}
	for _, options := range []map[string]any{d.options, more} {
		for k, v := range options {
			o[k] = v
		}
	}
	return n.do(command{Do: "connect", ID: id, URL: d.url, Options: o})
}

// subscribe returns the codes of SUBACK.
func (n *node) subscribe(id, filter string, options map[string]any) []int {
	n.t.Helper()
	return n.do(command{Do: "subscribe", ID: id, Topic: filter, Options: options}).Codes
}

func (n *node) publish(id, topic, payload string, options map[string]any) answer {
	n.t.Helper()
	return n.do(command{Do: "publish", ID: id, Topic: topic, Payload: payload, Options: options})
}

// messages waits until a client has messages with all the payloads, and returns what it has.
func (n *node) messages(id string, payloads ...string) []nodeMessage {
	n.t.Helper()
	return n.do(command{Do: "messages", ID: id, Payloads: payloads}).Messages
}

// event waits for something to happen to a client.
func (n *node) event(id, event string) {
	n.t.Helper()
	n.do(command{Do: "events", ID: id, Event: event})
}

// door is a way to a broker: where it is, and what it takes to come in.
type door struct {
	name, url string
	options   map[string]any
}

// with returns the door for a version of MQTT and a key.
func (d door) with(version int, key string) door {
	o := map[string]any{"protocolVersion": version, "username": key, "ca": pems()["cert.pem"]}
	if version == 3 {
		o["protocolId"] = "MQIsdp"
	}
	return door{fmt.Sprintf("%s, version %d", d.name, version), d.url, o}
}

// mosquittoGate is a gateway in front of mosquitto, with and without TLS.
type mosquittoGate struct {
	broker door // mosquitto itself
	doors  []door
	gates  []*gate
}

// startMosquitto starts mosquitto, and in front of it two gateways with the same policy.
func startMosquitto(t *testing.T, policy string) *mosquittoGate {
	t.Helper()
	b, err := mosquitto.Start(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(b.Close)
	m := &mosquittoGate{broker: door{name: "mosquitto", url: "mqtt://" + b.Addr()}}
	for _, secure := range []string{"", "s"} {
		plain, ws, tls := freeAddr(t), freeAddr(t), ""
		if secure != "" {
			tls = "tls: {cert_file: cert.pem, key_file: cert.key}, "
		}
		m.gates = append(m.gates, startGate(t, siteOptions{policy: policy, files: pems(), settings: fmt.Sprintf(
			"mqtt: {address: %q, ws_address: %q, %supstream: {url: \"mqtt://%s\", token_file: up.token}}\n", plain, ws, tls, b.Addr())}))
		m.doors = append(m.doors, door{name: "mqtt" + secure, url: "mqtt" + secure + "://" + plain}, door{name: "ws" + secure, url: "ws" + secure + "://" + ws + "/mqtt"})
	}
	return m
}

// nodePlay is a play of three clients: what they saw, line by line.
type nodePlay struct {
	*node
	door  door
	v5    bool
	lines []string
}

func (p *nodePlay) note(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

// noteMessages notes what a client got, in the order of the text: QoS 0 may overtake.
func (p *nodePlay) noteMessages(what string, messages []nodeMessage) {
	ids := map[float64]bool{}
	var texts []string
	for _, m := range messages {
		switch id := m.Properties["subscriptionIdentifier"].(type) {
		case float64:
			ids[id] = true
		case []any:
			for _, one := range id {
				ids[one.(float64)] = true
			}
		}
		texts = append(texts, m.String())
	}
	slices.Sort(texts)
	if what == "overlapping" { // as many copies as the server likes (3.1.1 and 5, 3.3.4)
		texts = slices.Compact(texts)
	}
	p.note("%s: identifiers %v\n  %s", what, ids, strings.Join(texts, "\n  "))
}

// TestMQTTNode has npm's mqtt play the same at mosquitto and at the gateway in front of it, through
// each door, in each version: what the clients see must be the same, line by line.
func TestMQTTNode(t *testing.T) {
	n := startNode(t)
	m := startMosquitto(t, mqttPolicy)
	for _, version := range []int{3, 4, 5} {
		want := playNode(n, m.broker.with(version, "anybody"))
		if len(want) < 12 {
			t.Fatalf("only %d lines: %q", len(want), want)
		}
		for _, d := range m.doors {
			got := playNode(n, d.with(version, validKey))
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("%s, version %d: line %d of %d: got %s\nwant %s", d.name, version, i, len(want), got[min(i, len(got)-1):], want[min(i, len(want)-1):])
					break
				}
			}
		}
	}
}

// playNode plays with three clients at a door: QoS, properties, retained messages, overlapping and
// shared subscriptions, aliases, long payloads, wills.
func playNode(n *node, d door) []string {
	n.t.Helper()
	v5 := d.options["protocolVersion"] == 5
	p := &nodePlay{node: n, door: d, v5: v5}
	will := map[string]any{"topic": "own/will", "payload": "gone", "qos": 1, "retain": true}
	if v5 {
		will["properties"] = map[string]any{"contentType": "text/plain", "userProperties": map[string]any{"from": "will"}}
	}
	for _, c := range []struct {
		id   string
		more map[string]any
	}{{"a", nil}, {"b", map[string]any{"will": will, "autoAssignTopicAlias": v5}}, {"c", nil}} {
		a := n.connect(c.id, d, c.more)
		p.note("%s: CONNACK %d %v %s", c.id, a.Code, a.Present, a.Error)
	}
	p.playQoS()
	p.playRetained()
	p.playOverlapping()
	p.playShared()
	n.do(command{Do: "cut", ID: "b"})
	p.noteMessages("will", n.messages("a", "gone"))
	n.publish("c", "own/will", "", map[string]any{"retain": true, "qos": 1})
	for _, id := range []string{"a", "c"} {
		n.do(command{Do: "end", ID: id})
	}
	return p.lines
}

// playQoS: filters and messages of each QoS, with each property, and a long payload.
func (p *nodePlay) playQoS() {
	var payloads []string
	for qos := range 3 {
		p.note("SUBACK %v", p.subscribe("a", fmt.Sprintf("own/q%d", qos), map[string]any{"qos": qos}))
	}
	p.note("SUBACK %v", p.subscribe("a", "own/will", map[string]any{"qos": 1}))
	for filter := range 3 {
		for qos := range 3 {
			o := map[string]any{"qos": qos}
			if p.v5 {
				o["properties"] = map[string]any{
					"payloadFormatIndicator": true, "messageExpiryInterval": nodeExpiry, "contentType": "text/plain", "correlationData": "c-7",
					"responseTopic": "own/answer", "userProperties": map[string]any{"one": "1", "many": []string{"2", "3"}},
				}
			}
			payload := fmt.Sprintf("filter %d message %d", filter, qos)
			payloads = append(payloads, payload)
			a := p.publish("b", fmt.Sprintf("own/q%d", filter), payload, o)
			p.note("published: %d %s", a.Code, a.Error)
		}
	}
	p.noteMessages("QoS", p.messages("a", payloads...))
	p.do(command{Do: "publish", ID: "b", Topic: "own/q2", Payload: "long", Pad: 200 << 10, Options: map[string]any{"qos": 2}})
	long := "long" + strings.Repeat(".", 200<<10)
	p.noteMessages("long", p.messages("a", long))
	p.do(command{Do: "unsubscribe", ID: "a", Topic: "own/q0"})
	p.publish("b", "own/q0", "to nobody", map[string]any{"qos": 2})
	p.publish("b", "own/q2", "fence 1", map[string]any{"qos": 2})
	p.noteMessages("unsubscribed", p.messages("a", "fence 1"))
}

// playRetained: what is kept, how it is shown, and what is kept no longer.
func (p *nodePlay) playRetained() {
	p.publish("b", "own/kept/1", "kept", map[string]any{"qos": 1, "retain": true})
	p.publish("b", "own/kept/2", "not for long", map[string]any{"qos": 1, "retain": true})
	p.publish("b", "own/kept/2", "", map[string]any{"qos": 1, "retain": true})
	p.note("SUBACK %v", p.subscribe("a", "own/kept/+", map[string]any{"qos": 1}))
	p.noteMessages("retained", p.messages("a", "kept"))
	if p.v5 {
		p.note("SUBACK %v", p.subscribe("a", "own/kept/#", map[string]any{"qos": 1, "rh": 2, "rap": true}))
		p.note("SUBACK %v", p.subscribe("a", "own/mine", map[string]any{"qos": 1, "nl": true}))
		p.publish("a", "own/mine", "by a itself", map[string]any{"qos": 1})
		p.publish("b", "own/mine", "by another", map[string]any{"qos": 1})
		p.noteMessages("retain handling, no local", p.messages("a", "by another"))
		p.do(command{Do: "unsubscribe", ID: "a", Topic: "own/kept/+"})
		p.publish("b", "own/kept/1", "as published", map[string]any{"qos": 1, "retain": true})
		p.noteMessages("retain as published", p.messages("a", "as published"))
	}
	p.publish("b", "own/kept/1", "", map[string]any{"qos": 1, "retain": true})
	p.publish("b", "own/q2", "fence 2", map[string]any{"qos": 1})
	p.messages("a", "fence 2")
}

// playOverlapping: two filters that meet, each with its identifier.
func (p *nodePlay) playOverlapping() {
	for i, filter := range []string{"own/id/+", "own/id/#", "own/+/x"} {
		o := map[string]any{"qos": 1}
		if p.v5 {
			o["properties"] = map[string]any{"subscriptionIdentifier": 5 + i}
		}
		p.note("SUBACK %v", p.subscribe("c", filter, o))
	}
	p.publish("b", "own/id/x", "seen by three", map[string]any{"qos": 1})
	p.publish("b", "own/id/y/z", "seen by one", map[string]any{"qos": 1})
	p.noteMessages("overlapping", p.messages("c", "seen by three", "seen by one"))
}

// playShared: each message of a group goes to one of its members.
func (p *nodePlay) playShared() {
	for _, id := range []string{"a", "c"} {
		p.note("SUBACK %v", p.subscribe(id, "$share/group/own/work/#", map[string]any{"qos": 1}))
		p.subscribe(id, "own/fence", map[string]any{"qos": 1})
	}
	for i := range 20 {
		p.publish("b", fmt.Sprintf("own/work/%d", i), fmt.Sprintf("work %d", i), map[string]any{"qos": 1})
	}
	p.publish("b", "own/fence", "fence 3", map[string]any{"qos": 1})
	a, c := p.messages("a", "fence 3"), p.messages("c", "fence 3")
	p.note("both work: %v", len(a) > 1 && len(c) > 1)
	p.noteMessages("shared", append(a, c...))
}
