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
	verify("admin.token_file", checkKey(s.Admin.Token, "put a key of your own there: (umask 077; openssl rand -hex 32 > FILE)"))
	verify("upstream.token_file", checkKey(s.Upstream.Token, "put the backend's key there"))
	verify("mqtt.upstream.token_file", checkKey(s.MQTT.Upstream.Token, "put the broker's key there"))
	const dsn = "DSN, such as postgres://login:password@host/database"
	verify("store.url_file", checkURL(s.Store.URL, dsn))
	verify("store.admin_url_file", checkURL(s.Store.AdminURL, dsn))
	verify("limits.redis_url_file", checkURL(s.Limits.RedisURL, "URL, such as redis://user:password@host:6379"))
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
	return KeyOf(string(text))
}

// KeyOf returns the key that the text of a key file holds, as ReadKeyFile does.
func KeyOf(text string) (string, error) {
	key := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if !strict.IsKey(key) {
		return "", errors.New("the key file " + keyFault(key))
	}
	return key, nil
}

// keyFault says what is wrong with the text of a key file, without showing any of it.
func keyFault(text string) string {
	lines := strings.Count(text, "\n") + 1
	scheme, _, spaced := strings.Cut(text, " ")
	switch {
	case strings.TrimSpace(text) == "":
		return "is empty"
	case strings.HasPrefix(text, "\ufeff"):
		return "begins with a byte order mark: save it as plain UTF-8"
	case spaced && isScheme(scheme):
		return fmt.Sprintf("begins with %q: keep the key only", scheme+" ")
	case lines > 1:
		return fmt.Sprintf("has %d lines: keep the key only, on one line", lines)
	case len(text) < strict.MinKey:
		return fmt.Sprintf("has %d %s: a key has at least %d", len(text), [...]string{"character", "characters"}[min(len(text)-1, 1)], strict.MinKey)
	case len(text) > strict.MaxKey:
		return fmt.Sprintf("has more than %d characters, the most that a key has", strict.MaxKey)
	case spaced || strings.ContainsRune(text, '\t'):
		return "has white space around or in the key: keep the key only"
	}
	return "has a character that no key has: only A-Z a-z 0-9 . _ ~ - are allowed"
}

// isScheme reports whether a word is one that stands before keys in Authorization, or that header.
func isScheme(word string) bool {
	for _, s := range []string{"FlespiToken", "Bearer", "Authorization:"} {
		if strings.EqualFold(word, s) {
			return true
		}
	}
	return false
}

// checkKey reports why a key file does not do, by name if that cannot be a key itself: the same goes for
// FILE in the remedy, which is for a file that is not there.
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
	if looksLikeFile(file.Text) {
		remedy = strings.Replace(remedy, "FILE", file.Path, 1)
	}
	return fmt.Errorf("cannot read %s: %w: %s", name, cause, remedy)
}

// checkURL reports why a file with a URL that holds a credential cannot be read. Its name is not
// shown: sometimes the URL itself is written there.
func checkURL(file File, what string) error {
	if !file.IsSet() {
		return nil
	}
	f, err := os.Open(file.Path)
	if err != nil {
		return fmt.Errorf("cannot read the file: %w: it holds the %s", reason(err), what)
	}
	return f.Close()
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
