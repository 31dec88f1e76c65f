package upstream

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identity is a self-signed certificate, its own authority.
type identity struct {
	pair      tls.Certificate
	cert, key []byte // PEM
}

func newIdentity(t *testing.T, name string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if name != "" {
		template.IPAddresses, template.DNSNames = nil, []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := x509.MarshalPKCS8PrivateKey(key)
	id := identity{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}
	id.pair, _ = tls.X509KeyPair(id.cert, id.key)
	return id
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// listenTLS is listen behind TLS.
func listenTLS(t *testing.T, config *tls.Config, script func(*peer)) string {
	t.Helper()
	url := listen(t, func(p *peer) {
		secure := tls.Server(p.Conn, config)
		if secure.Handshake() == nil {
			script(&peer{secure, bufio.NewReader(secure), p.n})
		}
	})
	return strings.Replace(url, "http:", "https:", 1)
}

func serverOf(id identity) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{id.pair}} }

func trusting(t *testing.T, url string, id identity) Options {
	o := options(url)
	o.CAFile = write(t, filepath.Join(t.TempDir(), "ca.pem"), id.cert)
	return o
}

// Ensure that a connection is kept over TLS 1.2 and 1.3, whose session tickets arrive whenever they
// like, and that an unasked answer or an end drops it.
func TestTLSReuse(t *testing.T) {
	id := newIdentity(t, "")
	rows := []struct {
		name    string
		version uint16
		between func(*peer)
		dials   uint64
	}{
		{"1.2", tls.VersionTLS12, func(*peer) {}, 1},
		{"1.3", tls.VersionTLS13, func(*peer) {}, 1},
		{"1.2, unasked answer", tls.VersionTLS12, func(p *peer) { p.say(hi) }, 2},
		{"1.3, unasked answer", tls.VersionTLS13, func(p *peer) { p.say(hi) }, 2},
		{"1.3, alert", tls.VersionTLS13, func(p *peer) { p.Conn.(*tls.Conn).CloseWrite() }, 2},
		{"1.3, end", tls.VersionTLS13, func(p *peer) { p.Conn.(*tls.Conn).NetConn().Close() }, 2},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			config := serverOf(id)
			config.MinVersion, config.MaxVersion = row.version, row.version
			step := make(chan bool)
			transport := start(t, trusting(t, listenTLS(t, config, func(p *peer) {
				p.request()
				p.say(hi)
				if p.n == 0 {
					<-step
					row.between(p)
					step <- true
				}
				if p.request() != "" {
					p.say(hi)
				}
			}), id))
			wantAsk(t, transport, get(), "200 hi")
			step <- true
			<-step
			wantAsk(t, transport, post("{}"), "200 hi")
			wantDials(t, transport, row.dials)
		})
	}
}

// Ensure that a body until close is whole only if TLS says so: anyone on the path can end a TCP
// connection.
func TestTLSCut(t *testing.T) {
	id := newIdentity(t, "")
	for name, alert := range map[string]bool{"alert": true, "no alert": false} {
		t.Run(name, func(t *testing.T) {
			transport := start(t, trusting(t, listenTLS(t, serverOf(id), func(p *peer) {
				p.request()
				p.say(ok + "\r\nhi")
				if alert {
					p.Conn.(*tls.Conn).CloseWrite()
				}
			}), id))
			got, err := ask(transport, get())
			if alert && (err != nil || got != "200 hi") {
				t.Errorf("got %q, %v", got, err)
			}
			if !alert {
				wantKind(t, err, ErrBroken)
			}
		})
	}
}

// Ensure that nobody but the named, trusted server at TLS 1.2 or above is spoken to.
func TestTLSVerification(t *testing.T) {
	good, stranger, other := newIdentity(t, ""), newIdentity(t, ""), newIdentity(t, "other.example")
	old := serverOf(good)
	old.MaxVersion = tls.VersionTLS11
	old.MinVersion = tls.VersionTLS10
	asked := make(chan bool, 10)
	script := func(p *peer) {
		if p.request() != "" {
			asked <- true
		}
	}
	rows := map[string]Options{
		"unknown authority": trusting(t, listenTLS(t, serverOf(stranger), script), good),
		"other name":        trusting(t, listenTLS(t, serverOf(other), script), other),
		"TLS 1.1":           trusting(t, listenTLS(t, old, script), good),
		"no TLS":            trusting(t, strings.Replace(listen(t, func(p *peer) { p.say("%s", hi); p.end() }), "http:", "https:", 1), good),
	}
	for name, o := range rows {
		_, err := ask(start(t, o), get())
		t.Run(name, func(t *testing.T) { wantKind(t, err, ErrDial) })
	}
	if len(asked) > 0 {
		t.Error("a request was sent")
	}
}

// Ensure that replaced files count from the next handshake on, and that broken ones change nothing
// but are reported.
func TestTLSReload(t *testing.T) {
	first, second := newIdentity(t, ""), newIdentity(t, "")
	o := trusting(t, listenTLS(t, serverOf(first), func(p *peer) {
		p.request()
		p.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
	}), first)
	transport := start(t, o)
	wantAsk(t, transport, post(""), "200 hi")

	write(t, o.CAFile, second.cert)
	later := time.Now().Add(time.Minute)
	os.Chtimes(o.CAFile, later, later)
	_, err := ask(transport, post(""))
	wantKind(t, err, ErrDial)

	write(t, o.CAFile, []byte("half a fi"))
	_, err = ask(transport, post(""))
	wantKind(t, err, ErrDial)
	if transport.TLSFault() == nil {
		t.Error("the broken file was not reported")
	}
	write(t, o.CAFile, first.cert)
	wantAsk(t, transport, post(""), "200 hi")
	if err := transport.TLSFault(); err != nil {
		t.Errorf("got %v for a good file", err)
	}
}

// Ensure that a backend which asks for a certificate gets the one of the files.
func TestTLSClientCertificate(t *testing.T) {
	server, client := newIdentity(t, ""), newIdentity(t, "")
	config := serverOf(server)
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = x509.NewCertPool()
	config.ClientCAs.AppendCertsFromPEM(client.cert)
	o := trusting(t, listenTLS(t, config, func(p *peer) { p.request(); p.say(hi); io.Copy(io.Discard, p) }), server)
	o.CertFile = write(t, filepath.Join(t.TempDir(), "cert.pem"), client.cert)
	o.KeyFile = write(t, filepath.Join(t.TempDir(), "key.pem"), client.key)
	wantAsk(t, start(t, o), get(), "200 hi")

	o.KeyFile = o.CertFile
	if _, err := New(o); err == nil {
		t.Error("a certificate without its key was taken")
	}
	o = options("http://127.0.0.1")
	o.CAFile = "ca.pem"
	if _, err := New(o); err == nil {
		t.Error("TLS files without https were taken")
	}
}
