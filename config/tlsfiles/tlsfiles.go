// Package tlsfiles makes TLS configurations from PEM files and reads these again when they change,
// so that certificates and authorities are replaced without a restart. Whoever is at the other end
// is always verified where there is an authority to do it by: no setting turns that off.
package tlsfiles

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"sync"
	"time"
)

// Files are the paths; each may be empty, Cert and Key together.
type Files struct {
	CA        string // the authorities of the other end
	Cert, Key string // what is shown to it
}

// retry is how soon files are read again that look the same from outside: they may have been written
// in between.
const retry = time.Second

// Reloader has the configuration that could be read whole last. Files that are broken or
// half-written change nothing.
type Reloader struct {
	files  Files
	server bool

	mu     sync.Mutex
	config *tls.Config // nil: nothing was read yet
	stamps [3]stamp    // of the files as they were read last, with or without success
	read   time.Time
	sum    [sha256.Size]byte // of what the files held then
	looked time.Time         // into the files, for the sum
	fault  error             // of the last reading
}

// stamp tells whether a file is another one. A rename over the old file is seen even if time and
// size are the same.
type stamp struct{ info os.FileInfo }

func (s stamp) equal(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == o.info
	}
	return os.SameFile(s.info, o.info) && s.info.ModTime().Equal(o.info.ModTime()) && s.info.Size() == o.info.Size()
}

// Server returns the reloader of a listener. Clients have to show a certificate of CA; without one
// they are not asked. The error is about files that cannot be used now.
func Server(f Files) (*Reloader, error) { return open(&Reloader{files: f, server: true}) }

// Client returns the reloader for connections to servers, which have to show a certificate of CA,
// or of the system's authorities. The error is about files that cannot be used now.
func Client(f Files) (*Reloader, error) { return open(&Reloader{files: f}) }

func open(r *Reloader) (*Reloader, error) {
	r.refresh()
	return r, r.fault
}

// Config returns the configuration of the files as they are now or as they could be read last. It
// is shared: who changes it changes a clone.
func (r *Reloader) Config() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.config
}

// Listener returns a configuration that asks r at every handshake.
func (r *Reloader) Listener() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return r.Config(), nil },
	}
}

// Unnamed is Listener for what is no HTTP: clients may offer any application protocol, or none.
func (r *Reloader) Unnamed() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := r.Config().Clone()
			c.NextProtos = nil
			return c, nil
		},
	}
}

// Fault looks at the files, also while there are no handshakes, and returns why they cannot be used
// since they changed; nil while all is well.
func (r *Reloader) Fault() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.fault
}

// refresh reads the files if one of them changed. Those that could not be used are not read for
// every handshake: anybody can begin one.
func (r *Reloader) refresh() {
	stamps, err := r.stat()
	if err != nil {
		r.fault, r.read = err, time.Time{}
		return
	}
	same := true
	for i := range stamps {
		same = same && stamps[i].equal(r.stamps[i])
	}
	if same && !r.read.IsZero() && time.Since(r.looked) < retry {
		return
	}
	sum := r.digest() // before they are loaded: what changes in between is found by the next look
	r.looked = time.Now()
	if same && !r.read.IsZero() && r.fault == nil && sum == r.sum {
		return
	}
	r.stamps, r.read, r.sum = stamps, time.Now(), sum
	config, err := r.load()
	if r.fault = err; err == nil {
		r.config = config
	}
}

// digest returns the digest of what the files hold: one that is written over in place, with its old
// time put back, looks the same from outside.
func (r *Reloader) digest() (sum [sha256.Size]byte) {
	all := sha256.New()
	for _, path := range []string{r.files.CA, r.files.Cert, r.files.Key} {
		if path == "" {
			continue
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(all, "%d %v\n", len(text), err)
		all.Write(text)
	}
	all.Sum(sum[:0])
	return sum
}

// stat looks at the files without reading them.
func (r *Reloader) stat() (stamps [3]stamp, err error) {
	for i, path := range []string{r.files.CA, r.files.Cert, r.files.Key} {
		if path == "" {
			continue
		}
		if stamps[i].info, err = os.Stat(path); err != nil {
			return stamps, fmt.Errorf("cannot read TLS file: %w", err)
		}
	}
	return stamps, nil
}

// load makes a configuration from the files. Clients have no cache of sessions: a resumed session
// would outlive the authority that vouched for it.
func (r *Reloader) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if r.files.Cert != "" {
		pair, err := tls.LoadX509KeyPair(r.files.Cert, r.files.Key)
		if err != nil {
			return nil, fmt.Errorf("cannot use TLS certificate %q: %w", r.files.Cert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if r.files.CA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(r.files.CA)
	if err != nil {
		return nil, fmt.Errorf("cannot read TLS authorities: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot use TLS authorities %q: the file holds no certificate", r.files.CA)
	}
	if config.RootCAs = authorities; r.server {
		config.RootCAs, config.ClientCAs, config.ClientAuth = nil, authorities, tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// End returns when the first certificate of a file in PEM ends.
func End(path string) (time.Time, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return time.Time{}, fmt.Errorf("%s holds no PEM", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return time.Time{}, err
	}
	return c.NotAfter, nil
}
