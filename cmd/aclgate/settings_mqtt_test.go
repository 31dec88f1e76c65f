package main

import (
	"crypto/tls"
	"net"
	"regexp"
	"strings"

	"aclgate/bench/broker"
	"aclgate/config"
)

// mqttOutlook is the outlook of MQTT clients.
type mqttOutlook struct {
	on, ws                  bool
	cert, certKey, clientCA bool
	public, publicWS        string
	brokerTLS               bool
	noNamespace, byPath     bool
	oneFilter, eightLevels  bool
}

// faulty reports whether MQTT cannot be served so to the accounts of the policy.
func (o *mqttOutlook) faulty(mode config.ScopeMode) bool {
	return o.cert != o.certKey || o.clientCA && !o.cert || o.noNamespace || o.byPath && mode == config.ScopeHeader
}

// startBroker starts a broker that knows the accounts, and returns its address.
func (s *trial) startBroker() string {
	c := broker.Config{Dialect: true, Users: map[string]uint64{brokerKey: 1, fleetKey: 11, rootKey: 1, "guest-key-one": 2}}
	if !s.o.mqtt.byPath {
		c.Accounts = map[uint64]uint64{1: 0, 2: 1, 11: 1, 12: 1, 13: 11} // the gateway's key is of account 1
	}
	if s.o.mqtt.brokerTLS {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{keyPair()}}
	}
	b, err := broker.Start(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Close)
	s.broker = b
	return b.Addr()
}

// useMQTT has sessions of two accounts publish, and one of them get what is its own.
func (s *trial) useMQTT() {
	s.t.Helper()
	if !s.o.mqtt.on {
		return
	}
	address := s.mqttAddress()
	if address == "" {
		return
	}
	dial := func() net.Conn {
		conn := tcp(s.t, address)
		if !s.o.mqtt.cert {
			return conn
		}
		return tls.Client(conn, &tls.Config{RootCAs: certPool(), ServerName: "127.0.0.1", Certificates: []tls.Certificate{keyPair()}})
	}
	if _, code := dialMQTT(s.t, dial(), "nobody-has-this-key"); code != 5 {
		s.t.Errorf("CONNACK %d for a key that nobody has, want 5", code)
	}
	sessions := map[string]*mqttClient{}
	for name, key := range map[string]string{"reader": fleetKey, "friend": fleetKey, "stranger": "guest-key-one"} {
		c, code := dialMQTTAs(s.t, dial(), name, key)
		if code != 0 {
			s.t.Fatalf("CONNACK %d for the %s, want 0", code, name)
		}
		sessions[name] = c
		defer c.Close() // or the end waits a second for it
	}
	for _, row := range []struct {
		filter string
		denied bool
	}{{"own/#", false}, {"a/b/c/d/e/f/g/h/#", s.o.mqtt.eightLevels || s.o.mqtt.oneFilter}, {"more/#", s.o.mqtt.oneFilter}} {
		if code := sessions["reader"].subscribe(row.filter); (code != 0) != row.denied {
			s.t.Errorf("SUBACK %#x for %s, want a refusal: %v", code, row.filter, row.denied)
		}
	}
	if s.o.mqtt.byPath {
		sessions["stranger"].publish("own/foreign")
		sessions["friend"].publish("own/mine")
	} else { // a message is of the account that the broker knows
		for _, m := range []broker.Message{{Topic: "own/foreign", Account: 12}, {Topic: "own/nobody"}, {Topic: "own/mine", Account: 11}} {
			s.broker.Publish(m)
		}
	}
	if got := sessions["reader"].message(); got != "own/mine" {
		s.t.Errorf("the session got %s, want own/mine", got)
	}
}

// publish sends a message and waits until it is acknowledged.
func (c *mqttClient) publish(topic string) {
	c.t.Helper()
	c.send(packet(0x32, topic, []byte{0, 7, 'x'}))
	if first, body := c.next(); first != 0x40 {
		c.t.Errorf("got %#x %x, want PUBACK", first, body)
	}
}

// mqttAddress returns where MQTT is served, which /auth/regions says, or the log; "" if neither does.
func (s *trial) mqttAddress() string {
	s.t.Helper()
	r, err := s.send(&trialRequest{method: "GET", target: "/auth/regions"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.strangers++
	port := regexp.MustCompile(`"mqtt":"[^"]*:(\d+)"`).FindStringSubmatch(r.text)
	webSocket := regexp.MustCompile(`"mqtt-ws":"([^"]*)"`).FindStringSubmatch(r.text)
	if (webSocket != nil) != s.o.mqtt.ws || webSocket != nil && !strings.Contains(webSocket[1], s.o.mqtt.publicWS) {
		s.t.Errorf("regions: got %s, want WebSocket: %v at %s", r.text, s.o.mqtt.ws, s.o.mqtt.publicWS)
	}
	if s.o.mqtt.public != "" {
		if !strings.Contains(r.text, `"mqtt":"`+s.o.mqtt.public) {
			s.t.Errorf("regions: got %s, want MQTT at %s", r.text, s.o.mqtt.public)
		}
		port = regexp.MustCompile(`serving MQTT"[ ,]"?address"?[:=]"?[^" \n]*:(\d+)`).FindStringSubmatch(s.log.String())
	}
	if port == nil {
		return "" // the log does not say so at this level
	}
	return "127.0.0.1:" + port[1]
}
