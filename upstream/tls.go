package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
)

// tlsFiles makes the TLS settings from files and reads these again when they change, so
// that a certificate can be replaced without a restart. The server's certificate is always
// verified: there is no setting that turns it off.
type tlsFiles struct {
	ca, cert, key string // paths; may be empty

	mu    sync.Mutex
	seen  [3]os.FileInfo // the files as they were read, nil where the path is empty
	base  *tls.Config
	fault error // of the last reading
}

// loadTLS reads the files for the first time. Nil if no url needs them.
func loadTLS(o *Options, origins []origin) (*tlsFiles, error) {
	f := &tlsFiles{ca: o.CAFile, cert: o.CertFile, key: o.KeyFile}
	for _, origin := range origins {
		if origin.secure {
			f.refresh()
			return f, f.fault
		}
	}
	if f.ca != "" || f.cert != "" {
		return nil, fault("upstream: TLS files are given, but no url is https")
	}
	return nil, nil
}

// config returns the settings for one handshake with the named server.
func (f *tlsFiles) config(name string) *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refresh()
	config := f.base.Clone()
	config.ServerName = name
	return config
}

// refresh reads the files if one of them changed. What cannot be read changes nothing and
// is tried again at the next handshake: the files may be written at this moment.
func (f *tlsFiles) refresh() {
	now, err := f.stat()
	if err == nil && f.base != nil && f.unchanged(now) {
		f.fault = nil
		return
	}
	var base *tls.Config
	if err == nil {
		base, err = f.read()
	}
	f.fault = err
	if err == nil {
		f.base, f.seen = base, now
	}
}

// stat looks at the files without reading them.
func (f *tlsFiles) stat() (infos [3]os.FileInfo, err error) {
	for i, path := range []string{f.ca, f.cert, f.key} {
		if path == "" {
			continue
		}
		if infos[i], err = os.Stat(path); err != nil {
			return infos, fmt.Errorf("upstream: cannot read a TLS file: %w", err)
		}
	}
	return infos, nil
}

// unchanged compares with the files as they were read. A rename over the old file is seen
// even if time and size are the same.
func (f *tlsFiles) unchanged(now [3]os.FileInfo) bool {
	for i, info := range now {
		old := f.seen[i]
		if info == nil {
			continue
		}
		if !os.SameFile(old, info) || !old.ModTime().Equal(info.ModTime()) || old.Size() != info.Size() {
			return false
		}
	}
	return true
}

// read makes settings from the files. There is no cache of sessions: a resumed session
// would outlive the authority that vouched for it.
func (f *tlsFiles) read() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("upstream: cannot read the authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("upstream: no certificate in %q", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("upstream: cannot read the client certificate %q: %w", f.cert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// TLSFault returns why the TLS files could not be read again after they changed; nil if
// they are as they were read. The settings read before stay in use.
func (t *Transport) TLSFault() error {
	for _, b := range t.endpoints {
		if b.files != nil {
			b.files.mu.Lock()
			defer b.files.mu.Unlock()
			b.files.refresh()
			return b.files.fault
		}
	}
	return nil
}
