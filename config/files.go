package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aclgate/config/strict"
)

// maxKeyFile bounds what is read of a key file, in bytes: a key, its line end, and enough more to
// see that it is not one.
const maxKeyFile = 4 << 10

// CheckFiles reports the files that the settings name and that the gateway could not start with:
// key files without a key, certificates that do not load. The policy and the catalogue are checked
// by those who read them. A fault is reported where the settings name the file.
func CheckFiles(s *Settings) strict.Faults {
	report := strict.NewReport(s.file)
	verify := func(path string, err error) {
		if err != nil {
			s.fault(report, path, err.Error())
		}
	}
	verify("admin.token_file", checkKey(s.Admin.Token, "put a key of your own there"))
	verify("upstream.token_file", checkKey(s.Upstream.Token, "put the backend's key there"))
	verify("mqtt.upstream.token_file", checkKey(s.MQTT.Upstream.Token, "put the broker's key there"))
	verify("listen.tls.cert_file", checkCert(s.Listen.TLS.Cert, s.Listen.TLS.Key))
	verify("listen.tls.client_ca_file", checkCA(s.Listen.TLS.ClientCA))
	verify("upstream.tls.ca_file", checkCA(s.Upstream.TLS.CA))
	verify("upstream.tls.cert_file", checkCert(s.Upstream.TLS.Cert, s.Upstream.TLS.Key))
	verify("mqtt.tls.cert_file", checkCert(s.MQTT.TLS.Cert, s.MQTT.TLS.Key))
	verify("mqtt.tls.client_ca_file", checkCA(s.MQTT.TLS.ClientCA))
	verify("mqtt.upstream.tls.ca_file", checkCA(s.MQTT.Upstream.TLS.CA))
	return report.Faults()
}

// ReadKeyFile returns the one key that the file holds (SPEC 8: 8 to 256 characters of
// [A-Za-z0-9._~-]), without the line end after it. Its errors show neither what the file holds nor
// its name, since the name is sometimes the key itself; the caller says which setting it is about.
func ReadKeyFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the key file: %w", reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return "", fmt.Errorf("cannot read the key file: %w", reason(err))
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if !strict.IsKey(key) {
		return "", errors.New("the key file does not hold one key (8 to 256 characters out of A-Z a-z 0-9 . _ ~ -, and a line end)")
	}
	return key, nil
}

// checkKey reports why a key file does not do, by name if that cannot be a key itself.
func checkKey(file File, remedy string) error {
	if !file.IsSet() {
		return nil
	}
	_, err := ReadKeyFile(file.Path)
	cause := errors.Unwrap(err)
	if cause == nil {
		return err
	}
	name := "the key file"
	if looksLikeFile(file.Text) {
		name = file.Path
	}
	if !errors.Is(cause, fs.ErrNotExist) {
		return fmt.Errorf("cannot read %s: %w", name, cause)
	}
	return fmt.Errorf("cannot read %s: %w: %s", name, cause, remedy)
}

// looksLikeFile reports whether a text is the name of a file and not a key in its place. A key has
// neither a folder in front (its characters know no slash) nor one of these ends.
func looksLikeFile(text string) bool {
	switch filepath.Ext(text) {
	case ".token", ".key", ".txt", ".secret":
		return true
	}
	return filepath.IsAbs(text) || strings.HasPrefix(text, "./") || strings.HasPrefix(text, "../")
}

// checkCert reports why a pair does not load. Halves of a pair are reported elsewhere.
func checkCert(cert, key File) error {
	if !cert.IsSet() || !key.IsSet() {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(cert.Path, key.Path); err != nil {
		return fmt.Errorf("cannot load the certificate and its key: %w", err)
	}
	return nil
}

// checkCA reports why a file of certificates does not load.
func checkCA(ca File) error {
	if !ca.IsSet() {
		return nil
	}
	text, err := os.ReadFile(ca.Path)
	if err != nil {
		return fmt.Errorf("cannot read the certificates: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return errors.New("the file holds no certificate in PEM")
	}
	return nil
}
