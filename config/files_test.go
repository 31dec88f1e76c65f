package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Ensure a key file is read whole, less its line end, and its errors hold neither content nor name.
func TestReadKeyFile(t *testing.T) {
	dir := t.TempDir()
	rows := []struct{ text, want, fault string }{
		{"SECRET-key_1~.\n", "SECRET-key_1~.", ""},
		{"SECRET12", "SECRET12", ""},
		{"SECRET12\r\n", "SECRET12", ""},
		{strings.Repeat("k", 256) + "\n", strings.Repeat("k", 256), ""},
		{"", "", "is empty"},
		{"\n", "", "is empty"},
		{" \n\n", "", "is empty"},
		{"SECRET7", "", "has 7 characters: a key has at least 8"},
		{"SECRET12\n\n", "", "has 2 lines: keep the key only, on one line"},
		{"SECRET12 \n", "", "has white space around or in the key: keep the key only"},
		{" SECRET12", "", "has white space around or in the key: keep the key only"},
		{"SECRET12\nSECRET13\n", "", "has 2 lines: keep the key only, on one line"},
		{"FlespiToken SECRET12\n", "", `begins with "FlespiToken ": keep the key only`},
		{"bearer SECRET12\n", "", `begins with "bearer ": keep the key only`},
		{"SECRETSECRET SECRET12\n", "", "has white space around or in the key: keep the key only"},
		{"SECRET/SECRET", "", "has a character that no key has: only A-Z a-z 0-9 . _ ~ - are allowed"},
		{"\xef\xbb\xbfSECRET12", "", "begins with a byte order mark: save it as plain UTF-8"},
		{strings.Repeat("SECRET12", 33), "", "has more than 256 characters, the most that a key has"},
		{strings.Repeat("SECRET12", 1<<16), "", "has more than 256 characters, the most that a key has"},
	}
	for _, row := range rows {
		path := filepath.Join(dir, "SECRET.token")
		write(t, path, row.text)
		got, err := ReadKeyFile(path)
		if got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%.20q: got %q, %v, want %q", row.text, got, err, row.want)
		}
		if err != nil && err.Error() != "the key file "+row.fault {
			t.Errorf("%.20q: got %q, want %q, without the content and the name", row.text, err, row.fault)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "SECRET")} {
		if _, err := ReadKeyFile(path); err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want an error without the name", err)
		}
	}
}

// Ensure every file that the gateway could not start with is named where the settings name it.
func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f.yaml")
	cert, key := newCert(t)
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	write(t, filepath.Join(dir, "good.token"), "good-key-1\n")
	write(t, filepath.Join(dir, "bad.token"), "bad-key\n")

	good := "listen: {tls: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem}}\n" +
		"admin: {token_file: good.token}\n" +
		"upstream: {urls: ['https://a'], token_file: good.token, tls: {ca_file: cert.pem, cert_file: cert.pem, key_file: key.pem}}\n"
	s, faults := Parse(file, []byte(good))
	wantFaults(t, faults)
	wantFaults(t, CheckFiles(s))
	wantFaults(t, CheckFiles(Defaults()))

	bad := strings.NewReplacer("good.token", "bad.token", "client_ca_file: cert.pem", "client_ca_file: key.pem",
		"ca_file: cert.pem", "ca_file: no.pem", "key_file: key.pem", "key_file: cert.pem").Replace(good)
	s, faults = Parse(file, []byte(bad))
	wantFaults(t, faults)
	const noKey = "the key file has 7 characters: a key has at least 8"
	const noPair = "cannot load the certificate and its key: tls: found a certificate rather than a key in the PEM for the private key"
	wantFaults(t, CheckFiles(s),
		file+":1:27: listen.tls.cert_file: "+noPair,
		file+":1:73: listen.tls.client_ca_file: the file holds no certificate in PEM",
		file+":2:21: admin.token_file: "+noKey,
		file+":3:45: upstream.token_file: "+noKey,
		file+":3:71: upstream.tls.ca_file: cannot read the certificates: open "+dir+"/no.pem: no such file or directory",
		file+":3:90: upstream.tls.cert_file: "+noPair)
}

// Ensure a key file that is not there is named with what to do, unless its name may be the key
// itself.
func TestMissingKeyFile(t *testing.T) {
	dir := t.TempDir()
	rows := []struct{ text, name string }{
		{"upstream.token", dir + "/upstream.token"},
		{"./keys/one", dir + "/keys/one"},
		{"/nowhere/at/all", "/nowhere/at/all"},
		{"SECRETSECRETSECRET", "the key file"},
		{"SECRET.SECRET.SECRET", "the key file"},
	}
	for _, row := range rows {
		s, _ := Parse(filepath.Join(dir, "f"), []byte("upstream: {token_file: "+row.text+"}"))
		wantFaults(t, CheckFiles(s), dir+"/f:1:24: upstream.token_file: cannot read "+row.name+
			": no such file or directory: put the backend's key there")
	}
}

// Ensure that whoever has no key for the administration reads how to make one, at its place.
func TestMissingAdminKey(t *testing.T) {
	dir := t.TempDir()
	for text, file := range map[string]string{"admin.token": dir + "/admin.token", "SECRETSECRETSECRET": "FILE"} {
		s, _ := Parse(filepath.Join(dir, "f"), []byte("admin: {token_file: "+text+"}"))
		faults := CheckFiles(s)
		want := "put a key of your own there: (umask 077; openssl rand -hex 32 > " + file + ")"
		if len(faults) != 1 || !strings.HasSuffix(faults.Error(), want) || strings.Contains(faults.Error(), "SECRET") {
			t.Errorf("%s: got %v, want %q", text, faults, want)
		}
	}
}

// newCert returns a certificate that signs itself and its key, in PEM.
func newCert(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(4e9, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}
