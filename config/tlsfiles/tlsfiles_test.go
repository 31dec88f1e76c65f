package tlsfiles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCertificate writes a certificate with its key and the serial number that tells it from
// others.
func writeCertificate(t *testing.T, f Files, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		f.Cert: {Type: "CERTIFICATE", Bytes: der}, f.Key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// serveTLS serves connections one by one until the test ends.
func serveTLS(t *testing.T, f Files, serve func(*tls.Conn)) (addr string, fault func() error) {
	t.Helper()
	r, err := Server(f)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", r.Listener())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serve(c.(*tls.Conn))
			c.Close()
		}
	}()
	return ln.Addr().String(), r.Fault
}

// settle is longer than two writes may be apart and still have one time of modification.
const settle = 20 * time.Millisecond

// Files that cannot be used are not read again for every handshake, but soon.
func TestBrokenFilesAreReadSeldom(t *testing.T) {
	folder := t.TempDir()
	f := Files{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	writeCertificate(t, f, 1)
	r, err := Server(f)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(f.Cert, []byte("half a certifi"), 0o600)
	before := r.Config()
	read := r.read
	if after := r.Config(); after != before || r.Fault() == nil || !r.read.Equal(read) {
		t.Errorf("got fault %v, read again: %v", r.Fault(), !r.read.Equal(read))
	}
	r.looked = r.looked.Add(-retry)
	if r.Config(); !r.read.After(read) {
		t.Error("they are not read again a second later")
	}
}

// A certificate that is replaced is shown by the next handshake, without a restart; one that is
// broken or gone is reported, and the old one stays.
func TestCertificateIsReplaced(t *testing.T) {
	folder := t.TempDir()
	f := Files{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	writeCertificate(t, f, 1)
	addr, fault := serveTLS(t, f, func(c *tls.Conn) { c.Handshake() })
	shown := func() int64 {
		time.Sleep(settle)
		c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := shown(); got != 1 || fault() != nil {
		t.Errorf("got certificate %d, fault %v", got, fault())
	}
	writeCertificate(t, f, 22)
	if got := shown(); got != 22 || fault() != nil {
		t.Errorf("got certificate %d behind a replacement, want 22; fault %v", got, fault())
	}
	os.WriteFile(f.Cert, []byte("half a certifi"), 0o600)
	if got := shown(); got != 22 || fault() == nil {
		t.Errorf("got certificate %d while the file is broken, fault %v", got, fault())
	}
	os.Remove(f.Cert)
	if got := shown(); got != 22 || !errors.Is(fault(), fs.ErrNotExist) {
		t.Errorf("got certificate %d while the file is gone, fault %v", got, fault())
	}
	writeCertificate(t, f, 333)
	if got := shown(); got != 333 || fault() != nil {
		t.Errorf("got certificate %d once it is mended, want 333; fault %v", got, fault())
	}
}

// A client whose certificate the replaced CA file no longer knows is turned away, also when it
// resumes a session from before.
// A file that is written over in place, with the same size and its old time, is found within a second
// or so.
func TestSameSizeAndTime(t *testing.T) {
	folder := t.TempDir()
	f := Files{CA: filepath.Join(folder, "ca.pem"), Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	writeCertificate(t, f, 1)
	first, err := os.ReadFile(f.Cert)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	put := func(text []byte) {
		if err := os.WriteFile(f.CA, text, 0o600); err != nil { // in place: it stays the same file
			t.Fatal(err)
		}
		if err := os.Chtimes(f.CA, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put(first)
	r, err := Client(Files{CA: f.CA})
	if err != nil {
		t.Fatal(err)
	}
	before := r.Config()
	for i := 2; ; i++ { // signatures differ in length
		writeCertificate(t, f, int64(i))
		if second, _ := os.ReadFile(f.Cert); len(second) == len(first) {
			put(second)
			break
		}
	}
	for range 400 {
		if after := r.Config(); after != before {
			if after.RootCAs.Equal(before.RootCAs) {
				t.Error("got the old authorities")
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the other file is never read")
}

func TestClientCAIsReplaced(t *testing.T) {
	folder := t.TempDir()
	named := func(name string) Files {
		f := Files{Cert: filepath.Join(folder, name+".pem"), Key: filepath.Join(folder, name+".key")}
		writeCertificate(t, f, 1)
		return f
	}
	f, client, other := named("server"), named("client"), named("other")
	f.CA = client.Cert
	addr, fault := serveTLS(t, f, func(c *tls.Conn) { c.Write([]byte("x")) })
	pair, err := tls.LoadX509KeyPair(client.Cert, client.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if err := os.WriteFile(client.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600); err != nil {
			t.Fatal(err)
		}
		asks := &tls.Config{
			InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, ServerName: "gw.test",
			ClientSessionCache: tls.NewLRUClientSessionCache(1), MaxVersion: version,
		}
		served := func() (yes, resumed bool) {
			c, err := tls.Dial("tcp", addr, asks)
			if err != nil {
				return false, false
			}
			defer c.Close()
			n, _ := c.Read(make([]byte, 1)) // under 1.3 a refusal comes only now
			return n == 1, c.ConnectionState().DidResume
		}
		time.Sleep(settle)
		served()
		if yes, resumed := served(); !yes || !resumed {
			t.Errorf("%x: served %v, resumed %v while the CA is known", version, yes, resumed)
		}
		text, _ := os.ReadFile(other.Cert)
		if err := os.WriteFile(client.Cert, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settle)
		if yes, resumed := served(); yes {
			t.Errorf("%x: served, resumed %v, when the CA is another", version, resumed)
		}
	}
	if err := fault(); err != nil {
		t.Error(err)
	}
}
