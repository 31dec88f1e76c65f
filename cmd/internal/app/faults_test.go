package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/policy/routes"
	"aclgate/upstream"
)

// logText is a log that is written while the test reads: nothing but the clock of the bubble orders a
// read before the next write.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// watched runs the watch over what the app watches, with a log and metrics of the test's own, until
// the test ends.
func watched(t *testing.T, a *App, all []backgroundFault) *logText {
	t.Helper()
	text := new(logText)
	a.log = slog.New(slog.NewTextHandler(text, nil))
	cat, err := routes.Load("")
	if err != nil {
		t.Fatal(err)
	}
	a.registry = prometheus.NewRegistry()
	a.metrics = metrics.New(a.registry, cat)
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { a.watchFaults(ctx, faultTick, all) })
	t.Cleanup(func() { stop(); work.Wait() })
	return text
}

// wantLog lets some looks pass and compares how often the log has the text.
func wantLog(t *testing.T, log *logText, text string, times int) {
	t.Helper()
	time.Sleep(10*faultTick + time.Second)
	synctest.Wait()
	if got := strings.Count(log.String(), text); got != times {
		t.Fatalf("got %q %d times, want %d:\n%s", text, got, times, log.String())
	}
}

// wantFault compares what the metric says to be failing; "" is nothing.
func wantFault(t *testing.T, a *App, want string) {
	t.Helper()
	families, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, f := range families {
		if f.GetName() != "aclgate_silent_fault" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetGauge().GetValue() != 0 {
				got += m.GetLabel()[0].GetValue()
			}
		}
	}
	if got != want {
		t.Errorf("got %q as failing, want %q", got, want)
	}
}

// replace puts text into the place of a file, at once.
func replace(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// toBackend returns an app that has nothing but its transport.
func toBackend(t *testing.T, o upstream.Options) *App {
	t.Helper()
	o.Dial, o.FirstByte, o.Silence, o.Idle, o.MaxConns = time.Second, time.Second, time.Second, time.Second, 1
	transport, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.Close)
	return &App{transport: transport}
}

// selfSigned returns a certificate and its key as PEM.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	secret, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// A trust file that is replaced by a broken one is logged once, without a handshake having to fail
// first, and so is its repair. Otherwise the gateway would run on the old one until that expires.
func TestBrokenTrustFileIsLogged(t *testing.T) {
	good, _ := selfSigned(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	replace(t, ca, good)
	synctest.Test(t, func(t *testing.T) {
		a := toBackend(t, upstream.Options{URLs: []string{"https://127.0.0.1:1"}, CAFile: ca})
		log := watched(t, a, a.backgroundFaults())
		wantFault(t, a, "")
		replace(t, ca, good[:len(good)/2])
		wantLog(t, log, `level=ERROR msg="the TLS files for the backend changed and cannot be used: the old ones stay" error="cannot use TLS authorities`, 1)
		wantFault(t, a, "upstream-tls")
		replace(t, ca, good)
		wantLog(t, log, "the TLS files for the backend can be used again", 1)
		wantFault(t, a, "")
		os.Remove(ca)
		wantLog(t, log, "cannot read TLS file", 1)
		if strings.Contains(log.String(), "looked up") {
			t.Errorf("an address has been looked up: %s", log.String())
		}
	})
}

// So is a certificate of the listener, without a client having to come first.
func TestBrokenCertificateIsLogged(t *testing.T) {
	good, secret := selfSigned(t)
	folder := t.TempDir()
	cert, key := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	replace(t, cert, good)
	replace(t, key, secret)
	synctest.Test(t, func(t *testing.T) {
		a := toBackend(t, upstream.Options{URLs: []string{"http://127.0.0.1:1"}})
		a.settings = new(config.Settings)
		a.settings.Listen.TLS.Cert = config.File{Text: cert, Path: cert}
		a.settings.Listen.TLS.Key = config.File{Text: key, Path: key}
		if _, err := a.secure(nil); err != nil {
			t.Fatal(err)
		}
		log := watched(t, a, a.backgroundFaults())
		replace(t, cert, good[:len(good)/2])
		wantLog(t, log, `level=ERROR msg="the TLS files of the listener changed and cannot be used: the old ones stay" error="cannot use TLS certificate`, 1)
		wantFault(t, a, "listen-tls")
		replace(t, cert, good)
		wantLog(t, log, "the TLS files of the listener can be used again", 1)
		wantFault(t, a, "")
	})
}

// A name that cannot be looked up is logged. The look-up itself is outside the bubble: package net
// has channels of its own, which may not be shared between bubbles.
func TestFailingNameIsLogged(t *testing.T) {
	a := toBackend(t, upstream.Options{URLs: []string{"http://backend.test"}, Resolver: &net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no way to DNS") },
	}})
	var answer upstream.Answer
	if err := a.transport.Do(&upstream.Request{Method: "GET", Target: []byte("/")}, &answer); err == nil {
		t.Fatal("it was reached")
	}
	synctest.Test(t, func(t *testing.T) {
		log := watched(t, a, a.backgroundFaults())
		wantLog(t, log, `level=ERROR msg="the name of a backend cannot be looked up: its last known addresses stay in use" error="lookup backend.test`, 1)
		wantFault(t, a, "upstream-names")
	})
}

// What fails is logged once, whatever it says each time, and so is its end.
func TestFaultsAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := make(chan error)
		log := watched(t, new(App), []backgroundFault{{metrics.FaultListenTLS, func() error { return <-faults }, "it fails", "it works"}})
		for _, err := range []error{nil, errors.New("a"), errors.New("b"), nil, nil, errors.New("c"), nil} {
			faults <- err
		}
		close(faults) // nil from now on
		wantLog(t, log, "it works", 2)
		wantLog(t, log, "it fails", 2)
	})
}
