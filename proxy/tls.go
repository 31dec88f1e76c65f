package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLSFiles are the files that a TLS listener reads: PEM, re-read when they
// change.
type TLSFiles struct {
	Cert, Key string
	ClientCA  string // clients have to show a certificate of it; "": none is asked for
}

// recheck is how often a handshake looks, at most, whether the files have changed.
const recheck = time.Second

// reloader serves the newest configuration that could be read whole. Files that
// are broken or half-written change nothing.
type reloader struct {
	files   TLSFiles
	mu      sync.Mutex
	config  *tls.Config
	stamp   [3]fileStamp
	checked time.Time
	fault   error // of the last reading
}

type fileStamp struct {
	size int64
	time time.Time
}

// TLSConfig returns the configuration of a listener, and a function that looks
// at the files, also while nobody shakes hands: it returns why they cannot be
// used since they changed, nil while all is well. The error is about files that
// cannot be used now.
func TLSConfig(files TLSFiles) (config *tls.Config, fault func() error, err error) {
	r := &reloader{files: files}
	stamp, err := r.stamps()
	if err != nil {
		return nil, nil, err
	}
	if r.config, err = files.load(); err != nil {
		return nil, nil, err
	}
	r.stamp, r.checked = stamp, time.Now()
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: r.current}, r.look, nil
}

func (r *reloader) current(*tls.ClientHelloInfo) (*tls.Config, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.config, nil
}

// look returns the fault of the files as they are.
func (r *reloader) look() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.fault
}

// refresh reads the files if one of them changed. What cannot be used is tried
// again: the files may be written at this moment.
func (r *reloader) refresh() {
	if time.Since(r.checked) < recheck {
		return
	}
	r.checked = time.Now()
	stamp, err := r.stamps()
	if err == nil && stamp == r.stamp {
		r.fault = nil
		return
	}
	var fresh *tls.Config
	if err == nil {
		fresh, err = r.files.load()
	}
	r.fault = err
	if err == nil {
		r.config, r.stamp = fresh, stamp
	}
}

func (r *reloader) stamps() (stamps [3]fileStamp, err error) {
	for i, name := range []string{r.files.Cert, r.files.Key, r.files.ClientCA} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return stamps, fmt.Errorf("cannot read TLS file: %w", err)
		}
		stamps[i] = fileStamp{info.Size(), info.ModTime()}
	}
	return stamps, nil
}

func (f TLSFiles) load() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot use TLS certificate %q: %w", f.Cert, err)
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"},
	}
	if f.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("cannot read client CA: %w", err)
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("the client CA file holds no certificate")
	}
	return config, nil
}
