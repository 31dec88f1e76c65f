package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"aclgate/bench/broker"
)

const brokerKey = "the-gateways-key-at-the-broker"

// mqttPolicy has one account, and a token for channel 10101 alone (the vendor's own example).
const mqttPolicy = `accounts: [{id: 1, name: operator}]
tokens:
  - {id: 1, key: stays-valid, cid: 1, expire: 4102444800, access: {type: standard}}
  - id: 2
    key: one-channel
    cid: 1
    expire: 4102444800
    access: {type: acl, acl: [{uri: gw/channels, methods: [GET], ids: [10101]}, {uri: mqtt, topic: own/#, actions: [subscribe]}]}
`

// mqttGate is a gateway in front of a fake broker.
type mqttGate struct {
	*gate
	broker    *broker.Broker
	plain, ws string
}

func startMQTT(t *testing.T, o siteOptions, more string) *mqttGate {
	t.Helper()
	b, err := broker.Start(broker.Config{Users: map[string]uint64{brokerKey: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	g := &mqttGate{broker: b, plain: freeAddr(t), ws: freeAddr(t)}
	if o.policy == "" {
		o.policy = mqttPolicy
	}
	files := map[string]string{"broker.token": brokerKey + "\n"}
	maps.Copy(files, o.files)
	o.files = files
	o.settings += fmt.Sprintf("mqtt: {address: %q, ws_address: %q, upstream: {url: \"mqtt://%s\", token_file: broker.token}%s}\n", g.plain, g.ws, b.Addr(), more)
	g.gate = startGate(t, o)
	return g
}

// mqttClient speaks MQTT 3.1.1 by hand.
type mqttClient struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

// packet prints a packet of less than 128 bytes.
func packet(first byte, parts ...any) []byte {
	var body bytes.Buffer
	for _, part := range parts {
		switch v := part.(type) {
		case string:
			binary.Write(&body, binary.BigEndian, uint16(len(v)))
			body.WriteString(v)
		case []byte:
			body.Write(v)
		}
	}
	return append([]byte{first, byte(body.Len())}, body.Bytes()...)
}

// dialMQTT says CONNECT over conn and returns the code of CONNACK.
func dialMQTT(t *testing.T, conn net.Conn, key string) (*mqttClient, byte) {
	t.Helper()
	return dialMQTTAs(t, conn, "client", key)
}

// dialMQTTAs is dialMQTT for a client of that name.
func dialMQTTAs(t *testing.T, conn net.Conn, name, key string) (*mqttClient, byte) {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	c := &mqttClient{conn, t, bufio.NewReader(conn)}
	c.send(packet(0x10, "MQTT", []byte{4, 0x82, 0, 60}, name, key))
	first, body := c.next()
	if first != 0x20 || len(body) != 2 {
		t.Fatalf("got %#x %x, want CONNACK", first, body)
	}
	return c, body[1]
}

func (c *mqttClient) send(p []byte) {
	c.t.Helper()
	if _, err := c.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next packet; 0 at the end of the connection.
func (c *mqttClient) next() (first byte, body []byte) {
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	first, err := c.r.ReadByte()
	if err != nil {
		return 0, nil
	}
	n, err := binary.ReadUvarint(c.r)
	if err == nil {
		body = make([]byte, n)
		_, err = io.ReadFull(c.r, body)
	}
	if err != nil {
		return 0, nil
	}
	return first, body
}

// subscribe returns the code of SUBACK.
func (c *mqttClient) subscribe(filter string) byte {
	c.t.Helper()
	c.send(packet(0x82, []byte{0, 9}, filter, []byte{0}))
	first, body := c.next()
	if first != 0x90 || len(body) != 3 {
		c.t.Fatalf("got %#x %x, want SUBACK", first, body)
	}
	return body[2]
}

// message returns the topic of the next message.
func (c *mqttClient) message() string {
	first, body := c.next()
	if first&0xf0 != 0x30 {
		return fmt.Sprintf("packet %#x", first)
	}
	return string(body[2 : 2+binary.BigEndian.Uint16(body)])
}

func tcp(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A token for one channel gets what is published about that channel, and nothing of another, whatever
// it subscribes to.
func TestMQTTOneChannel(t *testing.T) {
	g := startMQTT(t, siteOptions{}, "")
	if _, code := dialMQTT(t, tcp(t, g.plain), "nobody-has-this-key"); code != 5 {
		t.Errorf("CONNACK %d for a key that nobody has, want 5", code)
	}
	c, code := dialMQTT(t, tcp(t, g.plain), "one-channel")
	if code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	for _, row := range []struct {
		filter string
		code   byte
	}{
		{"flespi/state/gw/channels/10101/#", 0}, {"flespi/state/gw/channels/10102/#", 0x80}, {"flespi/state/gw/channels/+/#", 0},
		{"#", 0}, {"$SYS/#", 0x80}, {"own/+", 0}, {"others/+", 0x80},
	} {
		if got := c.subscribe(row.filter); got != row.code {
			t.Errorf("SUBACK %#x for %s, want %#x", got, row.filter, row.code)
		}
	}
	for _, topic := range []string{
		"flespi/state/gw/channels/10102/name", "others/a", "flespi/state/gw/devices/10101/name", "flespi/rest/get/gw/channels/all",
		"flespi/state/gw/channels/10101/name",
	} {
		g.broker.Publish(broker.Message{Topic: topic, Payload: "x"})
	}
	if got := c.message(); got != "flespi/state/gw/channels/10101/name" {
		t.Errorf("got %s", got)
	}
	for _, filter := range g.broker.Filters() {
		if strings.Contains(filter, "10102") || filter == "#" {
			t.Errorf("the broker was asked for %s", filter)
		}
	}
}

// When a reload returns, no message passes that the new policy denies, and the session ends.
func TestMQTTRevoked(t *testing.T) {
	g := startMQTT(t, siteOptions{}, "")
	gone, _ := dialMQTT(t, tcp(t, g.plain), "one-channel")
	stays, _ := dialMQTT(t, tcp(t, g.plain), "stays-valid")
	gone.subscribe("own/#")
	stays.subscribe("own/#")
	without, _, _ := strings.Cut(mqttPolicy, "  - id: 2")
	g.policy(without)
	if status := g.reload(); status != 200 {
		t.Fatalf("reload: %d", status)
	}
	g.broker.Publish(broker.Message{Topic: "own/a", Payload: "x"})
	if got := stays.message(); got != "own/a" {
		t.Errorf("another token's session got %s", got)
	}
	if got := gone.message(); got != "packet 0x0" {
		t.Errorf("after the reload the revoked token got %s", got)
	}
}

// MQTT comes over WebSocket too, and /auth/regions says where both are.
func TestMQTTOverWebSocket(t *testing.T) {
	g := startMQTT(t, siteOptions{}, "")
	_, port, _ := net.SplitHostPort(g.plain)
	_, wsPort, _ := net.SplitHostPort(g.ws)
	want := fmt.Sprintf(`"mqtt-ws":"127.0.0.1:%s","mqtt":"127.0.0.1:%s"`, wsPort, port)
	if _, body := call(t, validKey, "GET", g.api+"/auth/regions", ""); !strings.Contains(body, want) {
		t.Errorf("got %s, want %s", body, want)
	}
	raw := tcp(t, g.ws)
	io.WriteString(raw, "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	r := bufio.NewReader(raw)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	connect := packet(0x10, "MQTT", []byte{4, 0x82, 0, 60}, "client", "one-channel")
	raw.Write(append([]byte{0x82, 0x80 | byte(len(connect)), 0, 0, 0, 0}, connect...)) // a mask of zeros
	raw.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer := make([]byte, 6)
	if _, err := io.ReadFull(r, answer); err != nil || !bytes.Equal(answer, []byte{0x82, 4, 0x20, 2, 0, 0}) {
		t.Errorf("got %x, %v, want a frame with CONNACK", answer, err)
	}
}

// Without a namespace there must be one account: a second is a fault of check and of serve, and one
// that comes later ends what is served.
func TestMQTTOneAccount(t *testing.T) {
	const two = "accounts: [{id: 1, name: a}, {id: 2, name: b}]\ntokens:\n"
	s := newSite(t, siteOptions{policy: two, settings: "mqtt: {address: '127.0.0.1:0', upstream: {url: 'mqtt://127.0.0.1:1'}}\n"})
	for _, command := range []string{"check", "serve"} {
		code, _, stderr := once(t, command, "-c", s.file())
		if code != exitSettings || !strings.Contains(stderr, "mqtt.namespace: none keeps no accounts apart, and the policy has 2") {
			t.Errorf("%s: got %d and %q", command, code, stderr)
		}
	}
	g := startMQTT(t, siteOptions{}, "")
	c, _ := dialMQTT(t, tcp(t, g.plain), validKey)
	c.subscribe("#")
	g.policy(strings.Replace(mqttPolicy, "operator}", "operator}, {id: 2, name: another}", 1))
	if status := g.reload(); status != 200 {
		t.Fatalf("reload: %d", status)
	}
	g.broker.Publish(broker.Message{Topic: "own/a", Payload: "x"})
	if got := c.message(); got != "packet 0x0" {
		t.Errorf("got %s, want the end", got)
	}
	if _, code := dialMQTT(t, tcp(t, g.plain), validKey); code != 3 {
		t.Errorf("CONNACK %d, want 3", code)
	}
}

// The audit log has what sessions did, for audit tail too, and no key.
func TestMQTTAudited(t *testing.T) {
	t.Parallel()
	g := startMQTT(t, siteOptions{settings: "audit: {path: audit.jsonl}\n"}, "")
	dialMQTT(t, tcp(t, g.plain), "nobody-has-this-key")
	c, _ := dialMQTT(t, tcp(t, g.plain), "one-channel")
	c.subscribe("others/+")
	c.subscribe("flespi/state/gw/channels/#")
	g.end()
	_, shown, _ := once(t, "audit", "tail", "-c", g.file())
	for _, want := range []string{
		"mqtt connect              deny   token-unknown    0x05  token -\n", "mqtt connect              allow  permitted        0x00  token 2\n",
		"mqtt subscribe            deny   no-topic-entry   0x87  token 2      others/+\n",
		"mqtt subscribe            narrow narrowed         0x00  token 2      flespi/state/gw/channels/#\n", "mqtt end",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("audit tail does not show %q:\n%s", want, shown)
		}
	}
	_, summary, _ := once(t, "audit", "summary", "-c", g.file())
	squeezed := strings.Join(strings.Fields(summary), " ")
	for _, want := range []string{
		"0 requests and ", " actions of MQTT in the log, 2 groups of refusals", "1 no-topic-entry subscribe own topic token 2", "1 token-unknown connect from 127.0.0.1",
	} {
		if !strings.Contains(squeezed, want) || strings.Contains(summary, "others") {
			t.Errorf("audit summary does not show %q alone:\n%s", want, summary)
		}
	}
	text := readText(t, g.folder, "audit.jsonl")
	if strings.Contains(text, "one-channel") || strings.Contains(text, "nobody-has") || strings.Contains(text, brokerKey) {
		t.Errorf("a key is in the audit log: %s", text)
	}
}

// A gateway that ends tells its sessions and does not wait for them.
func TestMQTTEnds(t *testing.T) {
	t.Parallel()
	g := startMQTT(t, siteOptions{}, "")
	c, _ := dialMQTT(t, tcp(t, g.plain), validKey)
	c.subscribe("#")
	if code := g.end(); code != exitOK {
		t.Errorf("ended with %d", code)
	}
	if first, _ := c.next(); first != 0 {
		t.Errorf("got packet %#x, want the end", first)
	}
}

// TestMQTTLimits: sessions and messages of a token and of an account are bounded, what ends is given
// back, and metrics say so.
func TestMQTTLimits(t *testing.T) {
	g := startMQTT(t, siteOptions{settings: "limits: {per_token: {mqtt_sessions: 2, mqtt_publish: 3/m}, per_account: {mqtt_sessions: 3}}\n"}, "")
	join := func(name, key string) (*mqttClient, byte) {
		c, code := dialMQTTAs(t, tcp(t, g.plain), name, key)
		return c, code
	}
	var sessions []*mqttClient
	for i, row := range []struct {
		key  string
		want byte
	}{{"stays-valid", 0}, {"stays-valid", 0}, {"stays-valid", 3}, {"one-channel", 0}, {"one-channel", 3}} {
		c, code := join(fmt.Sprint("c", i), row.key)
		if code != row.want {
			t.Errorf("session %d of %s: CONNACK %d, want %d", i, row.key, code, row.want)
		}
		sessions = append(sessions, c)
	}
	sessions[3].Close()
	code := byte(3)
	for range 100 {
		if _, code = join("again", "one-channel"); code == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if code != 0 {
		t.Errorf("CONNACK %d after another session has ended", code)
	}
	sessions[0].publish("own/x")
	sessions[1].send(packet(0x32, "own/x", []byte{0, 7, 'x'})) // of the same token
	if first, body := sessions[1].next(); first != 0 {
		t.Errorf("got %#x %x for a message too many, want the end", first, body)
	}
	_, text := call(t, "", "GET", g.admin+"/metrics", "")
	for _, want := range []string{
		`aclgate_limit_decisions_total{result="refused",scope="mqtt-publish-token"} 1`,
		`aclgate_limit_decisions_total{result="refused",scope="mqtt-sessions-token"} 1`,
		`aclgate_mqtt_decisions_total{action="publish",reason="limit-token",verdict="deny"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// topicForm is what the audit log says of a topic: what a client writes there is no secret.
var topicForm = regexp.MustCompile(`"topic":"[^"]*"`)

// Whatever a client says with a key, good or bad, in whatever place: no byte of the answers, and no line
// of the log, holds it (SPEC 14, 2).
func TestMQTTSaysNoKey(t *testing.T) {
	g := startMQTT(t, siteOptions{settings: "audit: {path: audit.jsonl, allow_sample: 1}\n"}, "")
	const bad = "a-key-that-nobody-has"
	connect := func(flags byte, level byte, parts ...any) []byte {
		head := []any{"MQTT", []byte{level, flags, 0, 60}}
		if level == 5 {
			head = append(head, []byte{0})
		}
		return packet(0x10, append(head, parts...)...)
	}
	for _, key := range []string{"one-channel", bad} {
		for i, sent := range [][]byte{
			connect(0x82, 4, "client", key), connect(0x82, 5, "client", key), connect(0xc2, 4, "client", key, key), connect(0xc2, 5, "client", "x", key),
			connect(0x02, 4, key), connect(0x02, 5, key), connect(0x82, 9, "client", key), connect(0x83, 4, "client", key), connect(0x86, 4, "client", key, "will", key),
			connect(0x8e, 5, "client", []byte{0}, key, "payload", key), packet(0x10, "MQTT", key), packet(0x30, key, []byte(key)), packet(0x82, []byte{0, 9}, key, []byte{0}),
			append(connect(0x82, 4, "client", key), packet(0x82, []byte{0, 9}, key+"/#", []byte{0})...), append(connect(0x82, 5, "client", key), packet(0x30, key, []byte{0}, []byte("x"))...),
			append(connect(0x82, 5, "client", key), packet(0xe0, []byte{0x80, 0})...),
		} {
			conn := tcp(t, g.plain)
			if _, err := conn.Write(append(sent, 0xe0, 0)); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			text, err := io.ReadAll(conn)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("packet %d: %v", i, err)
			}
			if bytes.Contains(text, []byte(key)) {
				t.Errorf("packet %d: the answer has the key: %q", i, text)
			}
			conn.Close()
		}
		for name, text := range map[string]string{"the log": g.stderr.String(), "the audit log": topicForm.ReplaceAllString(readText(t, g.folder, "audit.jsonl"), ""), "metrics": g.scrape()} {
			if strings.Contains(text, key) {
				t.Errorf("%s: the key %s is there", name, key)
			}
		}
	}
}
