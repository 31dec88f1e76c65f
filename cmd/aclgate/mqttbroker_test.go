package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"aclgate/bench/broker"
)

// brokerGate is a gateway whose broker misbehaves.
type brokerGate struct {
	*gate
	broker *broker.Broker
	mqtt   string
}

func startBrokerGate(t *testing.T) *brokerGate {
	t.Helper()
	b, err := broker.Start(broker.Config{Users: map[string]uint64{brokerKey: 1}})
	if err != nil {
		t.Fatal(err)
	}
	g := &brokerGate{broker: b, mqtt: freeAddr(t)}
	t.Cleanup(func() { g.broker.Close() })
	s := newSite(t, siteOptions{policy: mqttPolicy, files: map[string]string{"broker.token": brokerKey + "\n"}, settings: fmt.Sprintf(
		"mqtt: {address: %q, timeouts: {dial: 300ms}, upstream: {url: \"mqtt://%s\", token_file: broker.token}}\nlog: {format: text}\n", g.mqtt, b.Addr())})
	g.gate = &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g
}

// misbehave has the broker misbehave from now on.
func (g *brokerGate) misbehave(f broker.Fault, down bool) {
	if g.broker.Misbehave(f); down {
		g.broker.Close()
	}
}

// mend has the broker behave again.
func (g *brokerGate) mend(down bool) {
	g.t.Helper()
	g.broker.Misbehave(broker.None)
	if !down {
		return
	}
	b, err := broker.Start(broker.Config{Address: g.broker.Addr(), Users: map[string]uint64{brokerKey: 1}})
	if err != nil {
		g.t.Fatal(err)
	}
	g.broker = b
}

// connack5 returns the code of CONNACK that a client of MQTT 5 gets.
func (g *brokerGate) connack5() byte {
	g.t.Helper()
	c := &mqttClient{tcp(g.t, g.mqtt), g.t, nil}
	defer c.Close()
	c.r = bufio.NewReader(c.Conn)
	c.send(packet(0x10, "MQTT", []byte{5, 0x82, 0, 60, 0}, "client-5", validKey))
	first, body := c.next()
	if first != 0x20 || len(body) < 3 {
		g.t.Fatalf("got %#x %x, want CONNACK", first, body)
	}
	return body[1]
}

func (g *brokerGate) readiness() string {
	g.t.Helper()
	resp, err := http.Get(g.admin + "/readyz")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		g.t.Errorf("readyz: %d %s %v, want 200: the API is served", resp.StatusCode, text, err)
	}
	return string(text)
}

// showsSoon waits until something that is asked for again and again holds a text.
func showsSoon(t *testing.T, what string, ask func() string, want string) {
	t.Helper()
	var got string
	for range 400 {
		if got = ask(); strings.Contains(got, want) {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Errorf("%s: got %s, want %q", what, got, want)
}

// TestMQTTBrokenBroker: whatever is wrong with the broker, clients get the code after which they try
// again, and can soon; log, readiness and metrics say what it is, and that it is over. The API is
// served meanwhile.
func TestMQTTBrokenBroker(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault  broker.Fault
		down   bool
		words  string // of log and readiness
		metric string
		reason string // of the CONNECT
	}{
		{broker.None, true, "cannot connect", "down", "upstream-broken"},
		{broker.Silent, false, "timed out", "slow", "upstream-slow"},
		{broker.Refuses, false, "the broker refuses the credential", "credential", "upstream-unauthorized"},
		{broker.Unavailable, false, "the broker refuses the connection", "refused", "upstream-broken"},
		{broker.Only311, false, "the broker does not speak MQTT 5", "version", "upstream-unauthorized"},
		{broker.CutsConnack, false, "the connection is broken", "broken", "upstream-broken"},
		{broker.Garbage, false, "the connection is broken", "broken", "upstream-broken"},
	} {
		t.Run(row.words, func(t *testing.T) {
			g := startBrokerGate(t)
			g.t = t
			showsSoon(t, "readiness", g.readiness, `{"name":"broker","state":"ok"}`)
			g.misbehave(row.fault, row.down)
			if c, code := dialMQTT(t, tcp(t, g.mqtt), validKey); code != 3 {
				t.Errorf("3.1.1: CONNACK %d, want 3: %v", code, c)
			}
			if code := g.connack5(); code != 0x88 {
				t.Errorf("5: CONNACK %#x, want 0x88", code)
			}
			if text := g.readiness(); !strings.Contains(text, `"name":"broker","state":"degraded"`) || !strings.Contains(text, row.words) {
				t.Errorf("readiness: %s, want %q", text, row.words)
			}
			if up, n := g.series("aclgate_mqtt_upstream_up"), g.series(fmt.Sprintf("aclgate_mqtt_upstream_failures_total{fault=%q}", row.metric)); up != "0" || n < "2" {
				t.Errorf("metrics: up %s, %s %s, want 0 and at least 2", up, row.metric, n)
			}
			if n := g.series(fmt.Sprintf("aclgate_mqtt_connects_total{reason=%q}", row.reason)); n != "2" {
				t.Errorf("%s CONNECTs are counted as %s, want 2", n, row.reason)
			}
			showsSoon(t, "log", g.stderr.String, row.words)
			if n := strings.Count(g.stderr.String(), row.words); n != 1 {
				t.Errorf("the log says it %d times: %s", n, g.stderr.String())
			}
			if status, _ := call(t, validKey, "GET", g.api+"/gw/channels/all?fields=id", ""); status != 200 {
				t.Errorf("the API answers %d", status)
			}
			g.mend(row.down)
			if code := g.connack5(); code != 0 {
				t.Errorf("afterwards: CONNACK %#x, want 0", code)
			}
			if text := g.readiness(); !strings.Contains(text, `{"name":"broker","state":"ok"}`) || g.series("aclgate_mqtt_upstream_up") != "1" {
				t.Errorf("readiness afterwards: %s", text)
			}
			showsSoon(t, "log", g.stderr.String, "the broker can be reached again")
			if strings.Contains(g.stderr.String(), brokerKey) || strings.Contains(g.stderr.String(), validKey) {
				t.Error("a key is in the log")
			}
		})
	}
}

// TestMQTTBrokerBreaks: a broker that closes in mid-packet, or goes away, ends the session with the
// code after which clients come back.
func TestMQTTBrokerBreaks(t *testing.T) {
	t.Parallel()
	g := startBrokerGate(t)
	g.broker.Misbehave(broker.CutInDelivery)
	c, code := dialMQTT(t, tcp(t, g.mqtt), validKey)
	if code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	c.subscribe("own/#")
	g.broker.Publish(broker.Message{Topic: "own/a", Payload: "a long payload"})
	if first, body := c.next(); first != 0 {
		t.Errorf("got %#x %x, want the end", first, body)
	}
	showsSoon(t, "log", g.stderr.String, "the broker ended the connection of a session")
	if n := g.series(`aclgate_mqtt_upstream_failures_total{fault="broken"}`); n != "1" {
		t.Errorf("%s failures are counted, want 1", n)
	}
	g.broker.Misbehave(broker.None)
	c, code = dialMQTT(t, tcp(t, g.mqtt), validKey)
	if code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	g.misbehave(broker.None, true)
	if first, body := c.next(); first != 0 {
		t.Errorf("got %#x %x, want the end", first, body)
	}
	// Nobody connects, and it is known all the same.
	showsSoon(t, "readiness", g.readiness, `"name":"broker","state":"degraded"`)
	g.mend(true)
	if code := g.connack5(); code != 0 {
		t.Errorf("afterwards: CONNACK %#x, want 0", code)
	}
}

// TestMQTTBrokerAtStart: a broker that is not there yet keeps nothing from starting, and is known to
// be missing before a client asks; check --live says so too.
func TestMQTTBrokerAtStart(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{policy: mqttPolicy, files: map[string]string{"broker.token": brokerKey + "\n"}, settings: fmt.Sprintf(
		"mqtt: {address: %q, upstream: {url: \"mqtt://%s\", token_file: broker.token}}\n", freeAddr(t), freeAddr(t))})
	g := &brokerGate{gate: &gate{start(t, "serve", "-c", s.file()), s}}
	g.await(g.admin+"/readyz", 200)
	showsSoon(t, "readiness", g.readiness, "cannot connect")
	showsSoon(t, "log", g.stderr.String, "no connection to the broker")
	if code, _, stderr := once(t, "check", "--live", "-c", s.file()); code == exitOK || !strings.Contains(stderr, "cannot connect") {
		t.Errorf("check --live: %d %s", code, stderr)
	}
	code, stdout, stderr := once(t, "check", "--live", "-c", startBrokerGate(t).file())
	if code != exitOK || !strings.Contains(stdout, "the broker speaks MQTT 5 and takes the gateway's credential") {
		t.Errorf("check --live: %d %s %s", code, stdout, stderr)
	}
}
