package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/config/tlsfiles"
)

// Where an authority is not known, what is said names the setting, or the variable, by which it would be.
func TestUnknownAuthorityNamesWhatToSet(t *testing.T) {
	t.Parallel()
	quiet := httptest.NewUnstartedServer(http.NotFoundHandler())
	quiet.Config.ErrorLog = log.New(io.Discard, "", 0)
	cert, key, err := selfSigned("localhost", time.Now()) // who knows that of httptest is another question
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	quiet.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	quiet.StartTLS()
	t.Cleanup(quiet.Close)
	address := strings.Replace(quiet.URL, "127.0.0.1", "localhost", 1)
	const setting = "if that authority is your own, upstream.tls.ca_file names a PEM file with its certificate"
	for mode, want := range map[string]string{"none": setting, "ids": setting, "header": setting} {
		s := newSite(t, siteOptions{upstream: "urls: [" + address + "]", settings: "scope: {mode: " + mode + "}\n"})
		if mode == "none" {
			s.replace("policy.yaml", "accounts: [{id: 1}]\ntokens: []\n")
		}
		if code, out, errs := once(t, "check", "--live", "-c", s.file()); code != exitFailed || !strings.Contains(out+errs, want) {
			t.Errorf("%s: got %d %s%s, want %q", mode, code, out, errs, want)
		}
	}
	folder := write(t, map[string]string{upstreamName: upstreamKey + "\n"})
	if code, out, errs := once(t, "init", "--upstream", address, "-c", filepath.Join(folder, "aclgate.yaml")); code != exitOK ||
		!strings.Contains(out, "say SSL_CERT_FILE=ca.pem before aclgate init, and name the file in upstream.tls.ca_file afterwards") {
		t.Errorf("init: got %d %s%s", code, out, errs)
	}
	s := newSite(t, siteOptions{settings: "scope: {mode: header}\nrealms: {issuers: [{name: own, issuer: '" + address + "'}]}\n"})
	if code, out, errs := once(t, "check", "--live", "-c", s.file()); code != exitFailed || !strings.Contains(out+errs, "the variable SSL_CERT_FILE in the environment of the gateway") {
		t.Errorf("issuer: got %d %s%s", code, out, errs)
	}
	if err := errors.New("x"); tlsfiles.Explain(err, "a") != err {
		t.Error("another error is changed")
	}
	if err := tlsfiles.Explain(x509.UnknownAuthorityError{}, "mqtt.upstream.tls.ca_file"); !errors.As(err, &x509.UnknownAuthorityError{}) || !strings.Contains(err.Error(), "mqtt.upstream.tls.ca_file names") {
		t.Errorf("got %v", err)
	}
}
