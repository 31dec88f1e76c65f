package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/bench/broker"
)

// otherPair makes a certificate for 127.0.0.1, as that of pems but by another authority: itself.
func otherPair(t *testing.T) (cert, key string, pair tls.Certificate) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(77), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{{127, 0, 0, 1}}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	if pair, err = tls.X509KeyPair([]byte(cert), []byte(key)); err != nil {
		t.Fatal(err)
	}
	return cert, key, pair
}

// startMQTTS is startMQTT with TLS at both listeners. More are further settings of mqtt.tls.
func startMQTTS(t *testing.T, more string) *mqttGate {
	t.Helper()
	return startMQTT(t, siteOptions{files: pems()}, ", timeouts: {connect: 1s}, tls: {cert_file: cert.pem, key_file: cert.key"+more+"}")
}

// mqttsCode returns the code of CONNACK that a client of a TLS configuration gets, or the error that
// keeps it from that. The WebSocket listener is asked where ws is true.
func (g *mqttGate) mqttsCode(c *tls.Config, ws bool) (int, error) {
	address := g.plain
	if ws {
		address = g.ws
	}
	c.RootCAs = certPool()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", address, c)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	send := func(b []byte) error { _, err := conn.Write(b); return err }
	r := bufio.NewReader(conn)
	if ws {
		if _, err := io.WriteString(conn, upgradeToMQTT); err != nil {
			return 0, err
		}
		for line := ""; line != "\r\n"; {
			if line, err = r.ReadString('\n'); err != nil {
				return 0, err
			}
		}
		send = func(b []byte) error {
			_, err := conn.Write(append([]byte{0x82, 0x80 | byte(len(b)), 0, 0, 0, 0}, b...)) // a mask of zeros
			return err
		}
	}
	if err := send(packet(0x10, "MQTT", []byte{4, 0x82, 0, 60}, "client", "one-channel")); err != nil {
		return 0, err
	}
	answer := make([]byte, 4)
	if ws {
		r.Discard(2) // the header of the frame
	}
	if _, err := io.ReadFull(r, answer); err != nil {
		return 0, err
	}
	if answer[0] != 0x20 {
		return 0, fmt.Errorf("the answer is %x", answer)
	}
	return int(answer[3]), nil
}

const upgradeToMQTT = "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"

// TestMQTTTLS: who comes in by TLS, at both listeners, with and without an authority for clients.
// Nothing of those who do not come in reaches the broker.
func TestMQTTTLS(t *testing.T) {
	t.Parallel()
	_, _, stranger := otherPair(t)
	for _, row := range []struct {
		name  string
		ca    bool // clients have to show a certificate
		c     *tls.Config
		enter bool
	}{
		{"TLS 1.3", false, &tls.Config{MinVersion: tls.VersionTLS13}, true},
		{"TLS 1.2", false, &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"TLS 1.1", false, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{"a certificate that nobody asked for", false, &tls.Config{Certificates: []tls.Certificate{stranger}}, true},
		{"its certificate", true, &tls.Config{Certificates: []tls.Certificate{keyPair()}}, true},
		{"its certificate, TLS 1.2", true, &tls.Config{Certificates: []tls.Certificate{keyPair()}, MaxVersion: tls.VersionTLS12}, true},
		{"no certificate", true, &tls.Config{}, false},
		{"no certificate, TLS 1.2", true, &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{"a certificate of another authority", true, &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &stranger, nil // whatever authorities were named
		}}, false},
	} {
		more := ""
		if row.ca {
			more = ", client_ca_file: client.pem"
		}
		g := startMQTTS(t, more)
		entered := 0
		for _, ws := range []bool{false, true} {
			code, err := g.mqttsCode(row.c.Clone(), ws)
			if (err == nil) != row.enter || code != 0 {
				t.Errorf("%s, WebSocket %v: got %d, %v, want to come in: %v", row.name, ws, code, err, row.enter)
			}
			if err == nil {
				entered++
			}
		}
		sessions := map[string]bool{}
		for _, r := range g.broker.Received() {
			sessions[r.ClientID] = strings.HasPrefix(r.ClientID, "ag-") || sessions[r.ClientID]
		}
		maps.DeleteFunc(sessions, func(_ string, aClient bool) bool { return !aClient }) // the gateway tries it, too
		if got := len(sessions) > 0; got != (entered > 0) {
			t.Errorf("%s: the broker heard of %v for %d clients", row.name, sessions, entered)
		}
	}
}

// TestMQTTTLSProtocols: MQTT may be offered as the application protocol, or none; WebSocket is
// HTTP/1.1.
func TestMQTTTLSProtocols(t *testing.T) {
	g := startMQTTS(t, "")
	for _, row := range []struct {
		offered []string
		ws      bool
	}{{nil, false}, {[]string{"mqtt"}, false}, {[]string{"x-amzn-mqtt-ca", "mqtt"}, false}, {nil, true}, {[]string{"http/1.1"}, true}, {[]string{"h2", "http/1.1"}, true}} {
		if code, err := g.mqttsCode(&tls.Config{NextProtos: row.offered}, row.ws); err != nil || code != 0 {
			t.Errorf("%v, WebSocket %v: got %d, %v", row.offered, row.ws, code, err)
		}
	}
}

// TestMQTTTLSHostile: neither MQTT in the clear, nor bytes at random, nor clients that do not finish
// their handshake keep others out; they are gone after timeouts.connect.
func TestMQTTTLSHostile(t *testing.T) {
	t.Parallel()
	g := startMQTTS(t, "")
	silent := []net.Conn{tcp(t, g.plain), tcp(t, g.ws), tcp(t, g.plain), tcp(t, g.ws)}
	for _, c := range silent[2:] {
		io.WriteString(c, "\x16\x03\x01\x02\x00\x01") // the beginning of a handshake
	}
	for _, bytes := range []string{string(packet(0x10, "MQTT", []byte{4, 0x82, 0, 60}, "client", "one-channel")), "\x00\xff\x00", upgradeToMQTT} {
		for _, address := range []string{g.plain, g.ws} {
			c := tcp(t, address)
			io.WriteString(c, bytes)
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if got, err := io.ReadAll(c); os.IsTimeout(err) || strings.HasPrefix(string(got), "\x20\x02") || strings.Contains(string(got), " 101 ") {
				t.Errorf("%q in the clear: got %q, %v", bytes, got, err)
			}
			c.Close()
		}
	}
	for _, ws := range []bool{false, true} {
		if code, err := g.mqttsCode(&tls.Config{}, ws); err != nil || code != 0 {
			t.Errorf("beside them, WebSocket %v: got %d, %v", ws, code, err)
		}
	}
	for i, c := range silent {
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c); os.IsTimeout(err) {
			t.Errorf("%d: a client without a handshake is still there", i)
		}
	}
}

// TestMQTTTLSRotation: a new certificate is shown to new clients without a restart, a broken one
// changes nothing, and sessions stay.
func TestMQTTTLSRotation(t *testing.T) {
	t.Parallel()
	g := startMQTTS(t, "")
	old, code := dialMQTT(t, tls.Client(tcp(t, g.plain), &tls.Config{RootCAs: certPool(), ServerName: "127.0.0.1"}), "one-channel")
	if code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	old.subscribe("own/#")
	cert, key, _ := otherPair(t)
	serial := func(address string) int64 {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // which one it is, is the question
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	g.replace("cert.pem", "broken")
	if got := serial(g.plain); got != 1 {
		t.Errorf("with a broken file: certificate %d, want the old one", got)
	}
	os.WriteFile(filepath.Join(g.folder, "cert.key"), []byte(key), 0o600)
	g.replace("cert.pem", cert)
	for _, address := range []string{g.plain, g.ws} {
		for range 400 {
			if serial(address) == 77 {
				break
			}
			time.Sleep(25 * time.Millisecond)
		}
		if got := serial(address); got != 77 {
			t.Errorf("%s: certificate %d, want the new one", address, got)
		}
	}
	g.broker.Publish(broker.Message{Topic: "own/a", Payload: "x"})
	if got := old.message(); got != "own/a" {
		t.Errorf("the session from before got %s", got)
	}
}
